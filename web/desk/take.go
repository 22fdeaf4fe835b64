package desk

import (
	"cmp"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Which case an entry belongs to.
//
// A record belongs where its parent does; one without a parent, or whose parent
// has not come, begins a case. Records may come before their parents: such a
// case is merged into the parent's when that comes. Approvals and denials belong
// to the case of their proposal, and reviews to that of their record; no link of
// a chain leads to these, so they are attached.
//
// What nobody is judged by makes no case alone: what binds identities, grants,
// reads and rejections. They get a place in one when a record that makes a case
// names them as its parent.
//
// What later entries change about a case that was judged, by the rules of
// package chain, version 1:
//
//   - a record of its own comes;
//   - a record comes that one of its own named as parent or as cause;
//   - another case that it caused something in (one of whose records names one
//     here as a cause) gets a counter-record, or a part that came before its
//     parent: whether a request was made twice with effect (DUPLICATE_EFFECT)
//     can lie there. All else that such records bring is said of them;
//   - a party, a grant or a session is revoked that is suspected since a time
//     before its newest record: SUSPECT_WINDOW, see suspicion. Other revocations,
//     and all registrations, count for later entries only;
//   - log time passes the policy's window: OUTCOME_MISSING. NO_COUNTER_RECORD
//     is coverage, and is not kept.
//
// What only the whole log shows (SEQUENCE_GAP, INSTANCE_NOT_CLOSED,
// DELEGATE_SILENT) is in the evidence part of a judgement and not kept here: the
// desk says the same whoever judges.

// caseOf, of an entry that is attached, has this bit set.
const attachedBit = 1 << 31

// round takes in entries, from one size of the log to another, and judges what
// they changed. Nothing of it is seen before it is published. It is used by the
// goroutine of Run.
type round struct {
	*Desk
	cases map[uint32]*kase // that were changed
	alias map[uint32]uint32
	gone  []uint32
	dirty map[uint32]bool
	lives map[term]*life
	// names that were waited for, to be written anew.
	waited map[record.ID]bool
	// moved are the chunks of entries, among those written, whose cases changed.
	moved map[uint32]bool
	// late: an entry got a case after it was taken in.
	late bool
	next uint32 // the number of the next new case
	// newDamage: an entry could not be read that could before, or is new.
	newDamage bool
	// newForged is the same of reviews that were passed over.
	newForged bool
}

func (d *Desk) newRound() *round {
	return &round{Desk: d, cases: map[uint32]*kase{}, alias: map[uint32]uint32{}, dirty: map[uint32]bool{}, lives: map[term]*life{},
		waited: map[record.ID]bool{}, moved: map[uint32]bool{}, next: uint32(len(d.state.cases))}
}

// find returns the case that a number stands for now.
func (r *round) find(n uint32) uint32 {
	top := n
	for {
		p, ok := r.alias[top]
		if !ok {
			p, ok = r.state.alias[top]
		}
		if !ok {
			break
		}
		top = p
	}
	for n != top { // the next time it is one step
		p, ok := r.alias[n]
		if !ok {
			p = r.state.alias[n]
		}
		r.alias[n] = top
		n = p
	}
	return top
}

// edit returns a case to be changed.
func (r *round) edit(n uint32) *kase {
	k := r.cases[n]
	if k == nil {
		k = r.state.cases[n].mine()
		r.cases[n] = k
	}
	return k
}

// get returns a case to be read.
func (r *round) get(n uint32) *kase {
	if k := r.cases[n]; k != nil {
		return k
	}
	return r.state.cases[n]
}

// placed sets the case of an entry; readers may be looking at those before.
func (r *round) placed(index int64, c uint32) {
	r.mu.Lock()
	r.caseOf[index] = c
	r.mu.Unlock()
	r.moved[uint32(index/chunkEntries)] = true
}

// skip takes an entry that is not shown, or cannot be read.
func (r *round) skip() {
	r.caseOf = append(r.caseOf, 0)
	r.prefix = append(r.prefix, 0)
}

// take takes in the next entry.
func (r *round) take(e chain.Entry) {
	m, id := e.Record.Msg, e.Record.ID
	r.caseOf = append(r.caseOf, 0)
	r.prefix = append(r.prefix, prefixOf(id))
	r.lastIndex, r.lastID = e.Index, id
	r.lastTime = max(r.lastTime, e.LogTime)
	r.alive(e)
	switch {
	case targetOf(e) != "":
		r.attach(e)
	case e.Opaque == chain.Readable && (registry.Concerns(e.Record) || m.GetRead() != nil || m.GetRejection() != nil):
	default:
		r.place(e)
	}
	r.arrived(e)
	r.retry()
	r.suspected(e)
}

// retry attaches what was said of records that were of no case, if any of these
// may be of one now.
func (r *round) retry() {
	if !r.late {
		return
	}
	orphans := r.orphans
	r.late, r.orphans = false, nil
	for _, i := range orphans {
		if e, ok := r.entry(i); ok {
			r.attach(e)
		}
	}
}

// makesCase reports whether a record makes a case of what it belongs to.
func makesCase(e chain.Entry) bool {
	m := e.Record.Msg
	if e.Opaque != chain.Readable {
		return m.GetAuthor().GetAgent() != "" // nobody can see that it is none
	}
	switch m.GetBody().(type) {
	case *onusv1.Record_Stages, *onusv1.Record_Outcome, *onusv1.Record_Trigger, *onusv1.Record_Loss, *onusv1.Record_Counter:
		return true
	}
	return false
}

// targetOf returns the record to whose case an entry is attached, or "".
func targetOf(e chain.Entry) string {
	m := e.Record.Msg
	if e.Opaque != chain.Readable {
		return ""
	}
	return cmp.Or(m.GetApproval().GetProposal(), m.GetDenial().GetProposal(), m.GetReview().GetRecord())
}

// lookup returns where a record stands, if it was taken in. One that the log
// fails to look up is as one that has not come: it is found when it does.
func (r *round) lookup(id record.ID) (int64, bool) {
	i, err := r.log.Index(id)
	return i, err == nil && i >= 0 && i < int64(len(r.caseOf))
}

// wait notes that an entry waits for a record.
func (r *round) wait(id record.ID, index int64) {
	if w := r.waiting[id]; len(w) > 0 && w[len(w)-1] == index {
		return
	}
	r.waiting[id] = append(r.waiting[id], index)
	r.waited[id] = true
}

// place finds the case of a record by its parent.
func (r *round) place(e chain.Entry) {
	makes := makesCase(e)
	var c uint32
	if s := e.Record.Msg.GetParent(); s != "" {
		parent := linkOf(s)
		if i, ok := r.lookup(parent); !ok || i == e.Index {
			r.wait(parent, e.Index)
		} else {
			c = r.above(i, makes)
		}
	}
	if c == 0 && makes {
		c = r.begin(e)
	}
	if c != 0 {
		r.join(c, e)
	}
	for _, s := range e.Record.Msg.GetCauses() {
		cause := linkOf(s)
		if i, ok := r.lookup(cause); ok {
			r.caused(c, i)
		} else {
			r.wait(cause, e.Index)
		}
	}
	if c != 0 && e.Record.Msg.GetCounter() != nil {
		r.spread(c)
	}
}

// begin makes a case whose topmost record is e.
func (r *round) begin(e chain.Entry) uint32 {
	c := r.next
	r.next++
	r.cases[c] = &kase{root: uint32(e.Index), rootID: e.Record.ID}
	return c
}

// join counts a record as one of a case.
func (r *round) join(c uint32, e chain.Entry) {
	r.placed(e.Index, c)
	k := r.edit(c)
	k.taken++
	if e.Record.Msg.GetStages().GetAction() != nil {
		k.tookActs++
	}
	k.tookLast = max(k.tookLast, e.LogTime)
	if makesCase(e) {
		k.made = true
	}
	r.dirty[c] = true
	r.late = r.late || e.Index < int64(len(r.caseOf))-1
}

// above returns the case of an entry, or that of the nearest above it that has
// one. If none has, and one is to be made, its topmost record begins it.
func (r *round) above(index int64, make bool) uint32 {
	var way []chain.Entry
	for seen := map[int64]bool{}; ; {
		if v := r.caseOf[index]; v != 0 && v&attachedBit == 0 {
			c := r.find(v)
			for _, e := range way {
				if r.caseOf[e.Index] == 0 || make {
					r.join(c, e)
				}
			}
			return c
		}
		e, ok := r.entry(index)
		if !ok || seen[index] { // withheld links can form a circle
			break
		}
		seen[index] = true
		way = append(way, e)
		s := e.Record.Msg.GetParent()
		if s == "" {
			break
		}
		up, ok := r.lookup(linkOf(s))
		if !ok {
			r.wait(linkOf(s), index)
			break
		}
		index = up
	}
	if !make || len(way) == 0 {
		return 0
	}
	c := r.begin(way[len(way)-1])
	for _, e := range way {
		r.join(c, e)
	}
	return c
}

// caused notes that a record of case c names an entry as a cause.
func (r *round) caused(c uint32, index int64) {
	if c == 0 {
		return
	}
	y := r.above(index, false)
	if y == 0 || y == c {
		return
	}
	by := r.get(c).more
	if by == nil || !slices.Contains(by.causedBy, y) {
		m := r.edit(c).rare()
		m.causedBy = append(m.causedBy, y)
	}
}

// spread has all cases judged again whose chains hold records of this one.
func (r *round) spread(c uint32) {
	seen := map[uint32]bool{c: true}
	for todo := []uint32{c}; len(todo) > 0; {
		k := r.get(todo[0])
		todo = todo[1:]
		if k.more == nil {
			continue
		}
		for _, y := range k.more.causedBy {
			if y = r.find(y); !seen[y] {
				seen[y] = true
				r.dirty[y] = true
				todo = append(todo, y)
			}
		}
	}
}

// linkOf reads a link of a valid record.
func linkOf(s string) record.ID {
	id, err := record.ParseID(s)
	if err != nil {
		panic("desk: a valid record has a link that is no id: " + err.Error())
	}
	return id
}

func prefixOf(id record.ID) uint32 {
	return uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
}
