package web

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// To judge a chain of two thousand records takes a fifth of a second: too long
// for a click from one of its tabs to the next. So the chains that were looked
// at last are kept, with what was judged, for as long as the log has nothing new
// about them.
//
// Whether it has is read from the entries themselves: each that came since is
// held against the chain. The desk knows too which cases changed, and was not
// asked, for it follows what it keeps: it does not keep coverage, nor what the
// whole log shows to be missing of a process, nor records that make no case and
// yet stand in a chain. An entry changes a kept chain if
//
//   - it names a record of the chain, as parent, cause, grant, proposal or
//     predecessor, or as what it reviews, answers or uses;
//   - it is a record that the chain names and that was missing;
//   - it comes from a process of the chain, or from one that takes over from a
//     process of its agents: whether records of these are missing can lie there;
//   - it is a revocation that makes earlier records suspect: all others, and
//     all registrations, count for later entries only;
//   - by its log time, the policy's window has passed for something pending.
//
// So a page is as of the newest entry that was held against its chain, which is
// the newest of the log, and says so.

// Bounds of what is kept.
const (
	maxKept        = 8      // chains
	maxKeptRecords = 40_000 // of all of them together
)

// maxLook is how many new entries are held against a chain of n records. To read
// one costs a part of what judging a record does: beyond this it is no cheaper
// than to judge again.
func maxLook(n int) int64 { return 256 + 4*int64(n) }

// judgedChains keeps chains that were judged. Whoever gets one must not change
// it: others read it at the same time.
type judgedChains struct {
	log Log

	mu   sync.Mutex
	kept []*keptChain // guarded by mu; the one that was used last comes last
	// flights are the chains that are being judged, by the record asked for:
	// who asks meanwhile waits for that. Guarded by mu.
	flights map[record.ID]*flight
}

// flight is one judging of a chain; err is set before done is closed.
type flight struct {
	done chan struct{}
	err  error
}

func newJudgedChains(l Log) *judgedChains {
	return &judgedChains{log: l, flights: map[record.ID]*flight{}}
}

// keptChain is a chain that was judged, and what can change it.
type keptChain struct {
	judged *desk.Judged
	root   *chain.Node
	has    map[record.ID]*chain.Node
	// awaited are records that it names and that are not in it.
	awaited map[record.ID]bool
	// instances are its processes, agent and name; agents their classes.
	instances map[[2]string]bool
	agents    map[string]bool
	// wantsGrant: a grant that something stands on is not in the log.
	wantsGrant bool

	mu sync.Mutex
	// looked is the size of the log up to which nothing changed it, and time the
	// log time there; due is the log time from which on time alone may change
	// it. placed says that the processes' newest records are in due, which are
	// asked for when the log has grown. All are guarded by mu.
	looked, time, due int64
	placed            bool
}

// judge returns the chain of a record, judged as of the log's newest entry. A
// chain that is kept costs little; for another, a place among those who do what
// costs is waited for. Who asks for one that is being judged waits for that.
func (v *visit) judge(id record.ID) (*desk.Judged, error) {
	c := v.judged
	for {
		if j := c.lookUp(id); j != nil {
			return j, nil
		}
		if err := v.costly(); err != nil {
			return nil, err
		}
		f, first := c.fly(id)
		if first {
			return c.land(id, f)
		}
		select {
		case <-f.done:
		case <-v.r.Context().Done():
			return nil, v.r.Context().Err()
		}
		if f.err != nil {
			return nil, f.err
		}
		// It was judged as of when it began; what came since counts here.
	}
}

// fly returns the flight that judges the chain of a record, and whether the
// caller is to make it.
func (c *judgedChains) fly(id record.ID) (f *flight, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[id]; f != nil {
		return f, false
	}
	f = &flight{done: make(chan struct{}), err: errBug} // until it is made
	c.flights[id] = f
	return f, true
}

// land judges the chain, and lets go who waits, even where it panics.
func (c *judgedChains) land(id record.ID, f *flight) (*desk.Judged, error) {
	defer func() {
		c.mu.Lock()
		delete(c.flights, id)
		c.mu.Unlock()
		close(f.done)
	}()
	// It may have been judged while this one waited for its place.
	if j := c.lookUp(id); j != nil {
		f.err = nil
		return j, nil
	}
	j, err := c.log.Judge(id)
	if err == nil {
		c.keep(id, j)
	}
	f.err = err
	return j, err
}

// lookUp returns the chain of a record if it is kept and nothing has changed it,
// as of the newest entry; else nil.
func (c *judgedChains) lookUp(id record.ID) *desk.Judged {
	c.mu.Lock()
	i := slices.IndexFunc(c.kept, func(k *keptChain) bool { return k.isOf(id) })
	if i < 0 {
		c.mu.Unlock()
		return nil
	}
	k := c.kept[i]
	c.kept = append(slices.Delete(c.kept, i, i+1), k)
	c.mu.Unlock()
	if j := k.asOf(c.log); j != nil {
		return j
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.kept, k); i >= 0 {
		c.kept = slices.Delete(c.kept, i, i+1)
	}
	return nil
}

// keep keeps a chain, and lets those go that were not used for longest.
func (c *judgedChains) keep(id record.ID, j *desk.Judged) {
	k := newKeptChain(c.log, id, j)
	if k == nil || len(j.Chain.Nodes) > maxKeptRecords {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = slices.DeleteFunc(c.kept, func(o *keptChain) bool { return o.root.Record.ID == k.root.Record.ID })
	c.kept = append(c.kept, k)
	records := 0
	for i := len(c.kept) - 1; i >= 0; i-- {
		if records += len(c.kept[i].judged.Chain.Nodes); records > maxKeptRecords || len(c.kept)-i > maxKept {
			c.kept = slices.Delete(c.kept, 0, i+1)
			return
		}
	}
}

// topOf returns the topmost record above one. What is said of withheld records
// can form a circle: then it is nil.
func topOf(c *chain.Chain, n *chain.Node) *chain.Node {
	for range c.Nodes {
		if n.Parent == nil {
			return n
		}
		n = n.Parent
	}
	return nil
}

func newKeptChain(l Log, id record.ID, j *desk.Judged) *keptChain {
	k := &keptChain{judged: j, has: map[record.ID]*chain.Node{}, awaited: map[record.ID]bool{}, instances: map[[2]string]bool{}, agents: map[string]bool{},
		looked: j.Size, time: j.Time}
	for _, n := range j.Chain.Nodes {
		k.has[n.Record.ID] = n
	}
	if n := k.has[id]; n != nil {
		k.root = topOf(j.Chain, n)
	}
	if k.root == nil {
		return nil
	}
	for _, n := range j.Chain.Nodes {
		m := n.Record.Msg
		for _, s := range namedBy(m) {
			if id, err := record.ParseID(s); err == nil && k.has[id] == nil {
				k.awaited[id] = true
			}
		}
		if a := m.GetAuthor(); a.GetAgent() != "" {
			k.instances[[2]string{a.GetAgent(), a.GetInstance()}] = true
			k.agents[a.GetAgent()] = true
		}
		k.pending(l, n.LogTime)
	}
	if v := j.Judgement; v != nil {
		isWant := func(f chain.Finding) bool { return f.Code == "GRANT_MISSING" }
		k.wantsGrant = slices.ContainsFunc(v.Findings, isWant) || slices.ContainsFunc(v.Actions, func(a chain.Verdict) bool { return slices.ContainsFunc(a.Findings, isWant) })
	}
	return k
}

// pending notes that until the policy's window has passed, time alone may change
// what is said of a record with this log time.
func (k *keptChain) pending(l Log, logTime int64) {
	window := l.Registry().Genesis().GetPolicy().GetOutcomeWindow().AsDuration().Milliseconds()
	if due := logTime + window + 1; due > k.judged.Time && (k.due == 0 || due < k.due) {
		k.due = due
	}
}

// namedBy lists all records that one names, as they are written.
func namedBy(m *onusv1.Record) []string {
	return slices.DeleteFunc(append([]string{m.GetParent(), m.GetGrant(), m.GetPrevious(), m.GetStages().GetAction().GetApproval(),
		m.GetApproval().GetProposal(), m.GetDenial().GetProposal(), m.GetReview().GetRecord()}, m.GetCauses()...), func(s string) bool { return s == "" })
}

// isOf reports whether the chain of a record is this one: its records that stand
// below the root, and not those that a cause led to, whose chains are others.
func (k *keptChain) isOf(id record.ID) bool {
	n := k.has[id]
	return n != nil && topOf(k.judged.Chain, n) == k.root
}

// asOf returns the chain as of the log's newest entry, or nil if one that came
// since it was judged may have changed it.
func (k *keptChain) asOf(l Log) *desk.Judged {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := l.Size()
	if size-k.looked > maxLook(len(k.judged.Chain.Nodes)) {
		return nil
	}
	if size > k.looked && !k.placed && !k.place(l) {
		return nil
	}
	for ; k.looked < size; k.looked++ {
		e, err := l.Entry(k.looked)
		if err != nil || k.changedBy(e) || k.due != 0 && e.LogTime >= k.due {
			return nil
		}
		k.time = e.LogTime
	}
	j := *k.judged
	j.Size, j.Time = max(j.Size, k.looked), cmp.Or(k.time, j.Time)
	return &j
}

// place finds the newest record of each process: what is said of it can change
// by time too. It reports false if one of them came since, or cannot be told.
func (k *keptChain) place(l Log) bool {
	for in := range k.instances {
		last, _, err := l.Records(RecordQuery{Agent: in[0], Instance: in[1]}, 1, "")
		if err != nil || len(last) == 0 || last[0] >= k.judged.Size {
			return false
		}
		e, err := l.Entry(last[0])
		if errors.Is(err, desk.ErrNotShown) {
			continue
		}
		if err != nil {
			return false
		}
		k.pending(l, e.LogTime)
	}
	k.placed = true
	return true
}

// changedBy reports whether a new entry may change what is said of the chain.
func (k *keptChain) changedBy(e chain.Entry) bool {
	m := e.Record.Msg
	a := m.GetAuthor()
	switch {
	case e.Opaque != chain.Readable, k.awaited[e.Record.ID],
		k.instances[[2]string{a.GetAgent(), a.GetInstance()}],
		k.agents[a.GetAgent()] && m.GetSequence() == 0 && m.GetPrevious() != "",
		m.GetRevocation().GetSuspectedSince() != nil,
		k.wantsGrant && m.GetDelegation() != nil:
		return true
	}
	return slices.ContainsFunc(namedBy(m), func(s string) bool {
		id, err := record.ParseID(s)
		return err != nil || k.has[id] != nil
	})
}
