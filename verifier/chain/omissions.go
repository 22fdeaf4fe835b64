package chain

import (
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Signs that something was left out. Two histories of one process show in the
// chain itself. What else the log lacks takes the whole of it: that is told in
// the evidence part, so that verdicts are the same whatever was at hand.

// forks finds records of one instance that stand at one place of its count.
func (j *judge) forks() {
	type place struct {
		agent, instance string
		sequence        int64
	}
	first := map[place]*Node{}
	for _, n := range j.chain.Nodes {
		m := n.Record.Msg
		if !j.counts(n) || m.GetAuthor().GetAgent() == "" {
			continue
		}
		k := place{m.GetAuthor().GetAgent(), m.GetAuthor().GetInstance(), m.GetSequence()}
		if first[k] == nil {
			first[k] = n
			continue
		}
		f := j.places[n].find("INSTANCE_FORKED", "is number %d of its instance, and so is entry %d: the instance was copied, or tells two histories", m.GetSequence(), first[k].Index)
		f.About = first[k].Record.ID
	}
}

// Log is the whole log, where it is at hand.
type Log interface {
	// Index returns where the log has a record.
	Index(id record.ID) (int64, bool)
	// Last returns the newest record of an instance, if it has one, and whether a
	// record of a process that took over names it as the one before.
	Last(agent, instance string) (last Entry, followed, ok Reply)
	// Lost reports whether an instance declared the record with that number of
	// its count as lost.
	Lost(agent, instance string, sequence int64) Reply
	// Acted reports whether an agent class has a record that names that one as
	// its parent, as a cause or as its grant.
	Acted(agent string, on record.ID) Reply
}

// Reply is what a log says to a question.
type Reply int8

// Replies. One that would take more reading than a log is prepared to do for one
// judgement is not looked for: then nothing is found, and it is said that nobody
// looked.
const (
	No Reply = iota
	Yes
	NotLookedFor
)

func replyOf(yes bool) Reply {
	if yes {
		return Yes
	}
	return No
}

// omissions says what the whole log shows to be missing of the chain's
// instances, and of the agents that they asked; and for what it did not look
// everywhere.
func (j *judge) omissions(log Log) (all []Finding, notLookedFor []string) {
	type instance struct{ agent, name string }
	seen := map[instance]bool{}
	skipped := map[string]bool{}
	// missing reports whether what a finding says is missing is, by the replies
	// that have to be no for that.
	missing := func(code string, replies ...Reply) bool {
		if slices.Contains(replies, Yes) {
			return false
		}
		if slices.Contains(replies, NotLookedFor) {
			skipped[code] = true
			return false
		}
		return true
	}
	for _, n := range j.chain.Nodes {
		m, a := n.Record.Msg, n.Record.Msg.GetAuthor()
		if !j.counts(n) || a.GetAgent() == "" {
			continue
		}
		// What is told of a node here is not told of its verdict.
		p := &place{node: n, path: j.places[n].path}
		if m.GetSequence() > 0 {
			if _, ok := log.Index(mustID(m.GetPrevious())); !ok && missing("SEQUENCE_GAP", log.Lost(a.GetAgent(), a.GetInstance(), m.GetSequence()-1)) {
				p.find("SEQUENCE_GAP", "is number %d of its instance, and the record before it, %s, is not in the log", m.GetSequence(), short(mustID(m.GetPrevious())))
			}
		}
		if to := asksWhom(m); to != "" && to != a.GetAgent() && !j.pending(n) && missing("DELEGATE_SILENT", log.Acted(to, n.Record.ID)) {
			p.find("DELEGATE_SILENT", "asked %s at %s, which has recorded nothing on it since", j.className(to, n.Index), clock(n.LogTime))
		}
		if k := (instance{a.GetAgent(), a.GetInstance()}); !seen[k] {
			seen[k] = true
			switch last, followed, ok := log.Last(a.GetAgent(), a.GetInstance()); {
			case ok == NotLookedFor:
				skipped["INSTANCE_NOT_CLOSED"] = true
			case ok == Yes && !j.pending(&Node{Entry: last}) && missing("INSTANCE_NOT_CLOSED", followed):
				p.find("INSTANCE_NOT_CLOSED", "is of an instance whose newest record is entry %d, at %s; nothing shows that it did no more", last.Index, clock(last.LogTime))
			}
		}
		all = append(all, j.settle(n, p)...)
	}
	for _, code := range fromWholeLog {
		if skipped[code] {
			notLookedFor = append(notLookedFor, code)
		}
	}
	return all, notLookedFor
}

// asksWhom returns the agent that a record hands work to, or "".
func asksWhom(m *onusv1.Record) string {
	if d := m.GetDelegation(); d != nil {
		return d.GetAgent()
	}
	return m.GetAsks()
}

// WholeLog is a [Log] in memory, for whoever has read all entries.
type WholeLog struct {
	index    map[record.ID]int64
	last     map[[2]string]Entry
	followed map[record.ID]bool
	lost     map[[2]string]*Losses
	acted    map[onAgent]bool
}

type onAgent struct {
	agent string
	on    record.ID
}

// NewWholeLog returns an empty log.
func NewWholeLog() *WholeLog {
	return &WholeLog{index: map[record.ID]int64{}, last: map[[2]string]Entry{}, followed: map[record.ID]bool{},
		lost: map[[2]string]*Losses{}, acted: map[onAgent]bool{}}
}

// Add takes the next entry.
func (l *WholeLog) Add(e Entry) {
	m, id := e.Record.Msg, e.Record.ID
	if _, twice := l.index[id]; twice {
		return
	}
	l.index[id] = e.Index
	a := m.GetAuthor()
	if e.Opaque != Readable || a.GetAgent() == "" {
		return
	}
	k := [2]string{a.GetAgent(), a.GetInstance()}
	l.last[k] = e
	if loss := m.GetLoss(); loss != nil {
		if l.lost[k] == nil {
			l.lost[k] = &Losses{}
		}
		l.lost[k].Add(loss)
	}
	if m.GetSequence() == 0 && m.GetPrevious() != "" {
		l.followed[mustID(m.GetPrevious())] = true
	}
	for _, s := range append([]string{m.GetParent(), m.GetGrant()}, m.GetCauses()...) {
		if s != "" {
			l.acted[onAgent{a.GetAgent(), mustID(s)}] = true
		}
	}
}

// Index returns where the log has a record.
func (l *WholeLog) Index(id record.ID) (int64, bool) {
	i, ok := l.index[id]
	return i, ok
}

// Last returns the newest record of an instance.
func (l *WholeLog) Last(agent, instance string) (last Entry, followed, ok Reply) {
	e, known := l.last[[2]string{agent, instance}]
	return e, replyOf(known && l.followed[e.Record.ID]), replyOf(known)
}

// Lost reports whether an instance declared a number of its count as lost.
func (l *WholeLog) Lost(agent, instance string, sequence int64) Reply {
	lost := l.lost[[2]string{agent, instance}]
	return replyOf(lost != nil && lost.Has(sequence))
}

// Acted reports whether an agent class took up a record.
func (l *WholeLog) Acted(agent string, on record.ID) Reply {
	return replyOf(l.acted[onAgent{agent, on}])
}
