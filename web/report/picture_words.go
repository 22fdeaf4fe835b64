package report

import (
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// cut shortens text to what fits in so many letters' width. Those of East Asia
// are twice as wide.
func cut(s string, room int) string {
	used, last := 0, 0
	for i, r := range s {
		w := 1
		if r >= 0x1100 {
			w = 2
		}
		if used += w; used > room {
			return s[:last] + "…"
		}
		if used < room {
			last = i + len(string(r))
		}
	}
	return s
}

// twoLines cuts a short text to lines of that room: an operation that needs two
// breaks where its name does.
func twoLines(s string, room int) []string {
	switch i := strings.Index(s, ":"); {
	case s == "":
		return nil
	case i >= 0 && cut(s, room) != s:
		return []string{cut(s[:i+1], room), cut(s[i+1:], room)}
	}
	return []string{cut(s, room)}
}

// what says in a word or two what a record is about: the operation, the
// proposal that is answered, what is revoked. The words of a record are not
// shown.
func (p *picture) what(n *chain.Node) string {
	if hidden(n) {
		return ""
	}
	switch b := n.Record.Msg.GetBody().(type) {
	case *onusv1.Record_Stages:
		if e := b.Stages.GetAction().GetElement(); e != nil {
			return Clean(record.Operation(e))
		}
		if e := b.Stages.GetDecision().GetProposal(); e != nil {
			return "proposes " + Clean(record.Operation(e))
		}
	case *onusv1.Record_Delegation:
		scope := b.Delegation.GetScope()
		if len(scope) == 0 {
			return ""
		}
		s := Clean(record.Operation(scope[0].GetElement()))
		if len(scope) > 1 {
			s += fmt.Sprintf(" +%d", len(scope)-1)
		}
		return s
	case *onusv1.Record_Approval:
		return p.answers(b.Approval.GetProposal())
	case *onusv1.Record_Denial:
		return p.answers(b.Denial.GetProposal())
	case *onusv1.Record_Revocation:
		return Clean(target(b.Revocation))
	case *onusv1.Record_Counter:
		return Clean(record.Operation(b.Counter.GetElement()))
	case *onusv1.Record_Outcome:
		return strings.ToLower(strings.TrimPrefix(b.Outcome.GetStatus().String(), "OUTCOME_STATUS_"))
	case *onusv1.Record_Trigger:
		return Clean(b.Trigger.GetName())
	case *onusv1.Record_Review:
		return chain.DispositionWord(b.Review.GetDisposition())
	}
	return ""
}

// via names the application that signed what a user says: its word, not the
// user's own key.
func (p *picture) via(n *chain.Node) string {
	if m := n.Record.Msg; m.GetAuthor().GetClient() != "" && m.GetUser() != "" {
		return " via " + p.short(partyIn{clientLane, "", "client", m.GetAuthor().GetClient(), ""})
	}
	return ""
}

// answers names the proposal that is approved or denied.
func (p *picture) answers(id string) string {
	if n := p.ids[id]; n != nil {
		return fmt.Sprintf("of #%d", n.Index)
	}
	return ""
}

// target names what a revocation ends.
func target(r *onusv1.Revocation) string {
	last := func(id string) string { return id[strings.LastIndex(id, "/")+1:] }
	switch t := r.GetTarget().(type) {
	case *onusv1.Revocation_Key:
		return "key " + t.Key
	case *onusv1.Revocation_Instance:
		return last(t.Instance.GetAgent()) + "/" + t.Instance.GetInstance()
	case *onusv1.Revocation_Agent:
		return last(t.Agent)
	case *onusv1.Revocation_Operator:
		return "operator " + t.Operator
	case *onusv1.Revocation_Grant:
		return "grant " + t.Grant
	case *onusv1.Revocation_Session:
		return "session " + t.Session
	}
	return ""
}

// words says in a sentence what each column shows.
func (p *picture) words() []Sentence {
	var all []Sentence
	for _, c := range p.columns {
		if c.folded {
			all = append(all, Sentence{-1, p.foldWords(c), p.window(c)})
			continue
		}
		all = append(all, Sentence{c.node().Index, p.sentence(c.node()), p.link(c.node())})
	}
	return all
}

// sentence says all that is drawn of a record.
func (p *picture) sentence(n *chain.Node) string {
	if p.isBeside(n) {
		return p.besideSentence(n)
	}
	s := fmt.Sprintf("Entry %d, %s", n.Index, kindOf(n))
	if what := p.what(n); what != "" {
		if e := n.Record.Msg.GetStages().GetAction().GetElement(); e != nil && !hidden(n) {
			what = describe(e)
		}
		s += " (" + cut(what, 160) + ")"
	}
	s += ", by " + p.full(partyOf(n)) + cut(p.via(n), 120)
	if o, acts := p.outcome(n); acts {
		s += ": " + string(o)
	} else if p.marks.Grave[n.Index] {
		s += ": a grave finding is about it"
	}
	if n.Parent != nil {
		s += fmt.Sprintf("; asked for by entry %d", n.Parent.Index)
	}
	if word := p.parentless(n); word != "" {
		s += "; " + word
	}
	causes := sorted(n.Causes)
	for _, c := range causes[:min(len(causes), maxCauses)] {
		s += fmt.Sprintf("; because of entry %d", c.Index)
	}
	if more := len(causes) - maxCauses; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	if g := p.ids[n.Record.Msg.GetGrant()]; g != nil && g != n {
		s += fmt.Sprintf("; under the grant in entry %d", g.Index)
	}
	return s + "."
}
