package desk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
)

// What cannot be read or judged never stops the desk: it is told, and the rest
// goes on. An entry that is damaged, or that the log does not find under its own
// id, is in no case. A case whose chain cannot be gathered or judged says why.
//
// The desk is no audit: it does not hold entries to the tree. It sees what is so
// damaged that it cannot be read, or is another record than before.

// damage are the entries that could not be read.
type damage struct {
	count int
	first []Damaged // at most keptDamage
}

// add notes an entry.
func (d *damage) add(index int64, err error) {
	d.count++
	if len(d.first) < keptDamage {
		d.first = append(d.first, Damaged{index, reasonOf(err)})
	}
}

// clip is what there is now, which others may read.
func (d *damage) clip() damage { return damage{d.count, slices.Clip(d.first)} }

// told is as much as an overview tells.
func (d *damage) told() []Damaged { return slices.Clone(d.first[:min(len(d.first), maxDamaged)]) }

const (
	keptDamage = 1000
	maxReason  = 300
	// maxAgain is how many cases that could not be judged a round tries again.
	maxAgain = 64
)

// reasonOf words an error, in what a page can bear.
func reasonOf(err error) string {
	s := strings.ToValidUTF8(err.Error(), "?")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return cmp.Or(s, "no reason is known")
}

// spoilt notes an entry that could not be read.
func (r *round) spoilt(index int64, err error) {
	if r.spoiltAt[index] != nil {
		return
	}
	r.spoiltAt[index] = err
	r.damage.add(index, err)
	r.newDamage = true
}

// passOver notes a review that is not by whom it names.
func (r *round) passOver(index int64, err error) {
	r.forged.add(index, err)
	r.newForged = true
}

// isAt returns an error if the log does not find an entry's record where it is.
func isAt(l Log, e chain.Entry, index int64) error {
	switch at, err := l.Index(e.Record.ID); {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("entry %d holds record %s, under which the log finds nothing: %w", index, e.Record.ID, ErrDamaged)
	case err != nil:
		return fmt.Errorf("look up the record of entry %d: %w", index, err)
	case at != index || e.Index != index:
		return fmt.Errorf("entry %d holds record %s, which the log has at entry %d: %w", index, e.Record.ID, at, ErrDamaged)
	}
	return nil
}

// entry reads an entry that was taken in. It is not ok where it is not shown, or
// cannot be read, or is another one now.
func (r *round) entry(index int64) (e chain.Entry, ok bool) {
	e, err := r.log.Entry(index)
	if err == nil && index < int64(len(r.prefix)) && r.prefix[index] != prefixOf(e.Record.ID) {
		err = fmt.Errorf("entry %d is another one than before: %w", index, ErrDamaged)
	}
	if err != nil && !errors.Is(err, ErrNotShown) {
		r.spoilt(index, err)
	}
	return e, err == nil
}

// same returns an error if a chain has another record at an entry than was taken
// in, or one that was not taken in because it was damaged.
func (r *round) same(c *chain.Chain) error {
	for _, n := range c.Nodes {
		if err := r.spoiltAt[n.Index]; err != nil {
			return fmt.Errorf("entry %d could not be taken in: %w", n.Index, err)
		}
		if n.Opaque == chain.Readable && n.Index < int64(len(r.prefix)) && r.prefix[n.Index] != 0 && r.prefix[n.Index] != prefixOf(n.Record.ID) {
			return fmt.Errorf("entry %d is another one than before: %w", n.Index, ErrDamaged)
		}
	}
	return nil
}

// brokenEntry is the rule by which a damaged entry is told.
const brokenEntry = "BROKEN_ENTRY"

// unjudged sets what a case says whose chain could not be judged. Where the log
// says that it is damaged, or has not got what it had, the evidence is broken,
// and somebody must see to it. Where a file does not show what decides, or
// reading failed, nothing is known of the evidence.
func (r *round) unjudged(k *kase, err error) {
	if k.asOf == 0 { // what its topmost record says is all there is to say
		if e, ok := r.entry(int64(k.root)); ok {
			alone := chain.Build([]chain.Entry{e}, nil, r.log.Registry().Genesis().GetPolicy())
			r.summarise(k, &Judged{Chain: alone, Size: int64(len(r.caseOf)), Time: r.lastTime})
		}
	}
	m := k.rare()
	m.deadline, m.unjudged, m.again = 0, reasonOf(err), !errors.Is(err, ErrNotShown)
	k.list, k.nCounts = k.list[k.nCounts:], 0
	k.asOf, k.records, k.actions, k.last = uint32(len(r.caseOf)), k.taken, k.tookActs, k.tookLast
	if k.first == 0 {
		k.first = k.last
	}
	for _, a := range m.attached {
		k.records++
		k.first, k.last = min(k.first, a.time), max(k.last, a.time)
	}
	k.outcome = outcomeAt(chain.NotJudgedHere)
	code := r.put(kindCode, brokenEntry)
	m.findings = slices.DeleteFunc(slices.Clone(m.findings), func(f finding) bool { return f.code == code })
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) {
		k.outcome = outcomeAt(chain.EvidenceBroken)
		host := r.put(kindWho, string(chain.WhoHost))
		m.findings = slices.Insert(m.findings, 0, finding{record: k.rootID, index: int64(k.root), time: k.first, code: code, who: host, severity: rankOf(chain.Critical)})
	}
}
