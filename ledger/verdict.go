package ledger

import (
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// Judge says who answers for each action of a chain, as of the size that it was
// gathered at, and what the log lacks of its processes. It asks the engine that
// auditors run. A chain that was cut is not judged: what is missing could decide.
func (l *Ledger) Judge(c *Chain) (*chain.Judgement, error) {
	if c.Cut {
		return nil, &RangeError{"limit", "cuts the chain, which is judged as a whole: raise it"}
	}
	last, err := l.Entry(c.Size - 1)
	if err != nil {
		return nil, err
	}
	whole := l.wholeLog(c.Size)
	j, err := l.judgeChain(entriesOf(c), c.Elsewhere, c.Size, last.Stamp.LogTime, chain.Hand{Log: whole})
	if err == nil && whole.err != nil {
		return nil, whole.err
	}
	return j, err
}

func entriesOf(c *Chain) []chain.Entry {
	all := make([]chain.Entry, len(c.Entries))
	for i, e := range c.Entries {
		all[i] = chain.Entry{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record, Stamp: &e.Stamp}
	}
	return all
}

func (l *Ledger) judgeChain(entries []chain.Entry, elsewhere map[record.ID]int64, size, time int64, hand chain.Hand) (j *chain.Judgement, err error) {
	built := chain.Build(entries, elsewhere, l.registry.Genesis().GetPolicy())
	err = l.judge(func(s *authority.State) error {
		j = chain.Judge(built, chain.Basis{Registry: l.registry, Authority: s, Size: size, Time: time, Hand: hand})
		return nil
	})
	return j, err
}

// May says what the verdict on an action would be, were its record the next
// entry of the log: the action in the record, or the one that its decision
// proposes. Nothing is logged. The record is signed as it would be submitted,
// so that nobody asks in another's name. An answer holds for the moment: what
// is logged meanwhile may use up a limit, or revoke.
func (l *Ledger) May(env record.Envelope) (*chain.Verdict, error) {
	r, err := record.Parse(env)
	if err != nil {
		return nil, err
	}
	h := l.head.Load()
	key, err := l.registry.Authenticate(r, h.size)
	if err != nil {
		return nil, err
	}
	stages := r.Msg.GetStages()
	if stages.GetAction() == nil {
		proposal := stages.GetDecision().GetProposal()
		if proposal == nil {
			return nil, &record.Error{Reason: record.ReasonInvalid, Field: "stages.action", Detail: "is missing, and nothing is proposed",
				Next: "ask about a record with an action, or with a decision that has a proposal"}
		}
		m := proto.CloneOf(r.Msg)
		m.GetStages().Action = &onusv1.Action{Element: proposal}
		r = &record.Record{ID: r.ID, Envelope: r.Envelope, Msg: m}
	}
	c := &Chain{Size: h.size}
	if parent := r.Msg.GetParent(); parent != "" {
		if c, err = l.chainAbove(parent); err != nil {
			return nil, err
		}
	}
	st := entry.Stamp{LogTime: max(l.cfg.Clock().UnixMilli(), h.logTime), KeyEntry: key.Index, KeySetEntry: -1}
	st.RegistryCount, st.RegistryRoot = l.registry.Stamp(c.Size)
	if err := l.judge(func(s *authority.State) error {
		st.Uses = s.Uses(r, c.Size, st.LogTime)
		return nil
	}); err != nil {
		return nil, err
	}
	entries := append(entriesOf(c), chain.Entry{Index: c.Size, LogTime: st.LogTime, Record: r, Stamp: &st})
	j, err := l.judgeChain(entries, c.Elsewhere, c.Size+1, st.LogTime, chain.Hand{})
	if err != nil {
		return nil, err
	}
	for i := range j.Actions {
		if j.Actions[i].Index == c.Size {
			return &j.Actions[i], nil
		}
	}
	return nil, fmt.Errorf("entry %d was not judged", c.Size)
}

// chainAbove gathers the chain of a parent; an empty one if it is not in the
// log, which the engine then says.
func (l *Ledger) chainAbove(parent string) (*Chain, error) {
	id, err := record.ParseID(parent)
	if err != nil {
		return nil, err // the record's own rules have checked it
	}
	c, err := l.Chain(id, MaxChain)
	if errors.Is(err, ErrNotFound) {
		return &Chain{Size: l.head.Load().size}, nil
	}
	if err == nil && c.Cut {
		err = &RangeError{"parent", fmt.Sprintf("is in a chain of more than %d records, which is not judged here", MaxChain)}
	}
	return c, err
}
