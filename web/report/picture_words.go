package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// svg writes a drawing. All text goes through text or escape.
type svg struct{ b bytes.Buffer }

func (s *svg) printf(format string, args ...any) { fmt.Fprintf(&s.b, format, args...) }

func (s *svg) text(x, y int, how, words string) {
	s.printf(`<text x="%d" y="%d" %s>%s</text>`, x, y, how, escape(words))
}

// escape makes text safe between tags and in attributes.
func escape(s string) string {
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		xml.EscapeText(&b, []byte(line)) // a strings.Builder never fails
	}
	return b.String()
}

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

// kindOf names what a record is: its stages, or its body.
func kindOf(n *chain.Node) string {
	switch n.Opaque {
	case chain.Withheld:
		return "withheld"
	case chain.Newer:
		return "of a newer format"
	}
	switch b := n.Record.Msg.GetBody().(type) {
	case nil:
		return "withheld"
	case *onusv1.Record_Stages:
		var ks []string
		if b.Stages.GetIntent() != nil {
			ks = append(ks, "intent")
		}
		if b.Stages.GetInterpretation() != nil {
			ks = append(ks, "interpretation")
		}
		if b.Stages.GetDecision() != nil {
			ks = append(ks, "decision")
		}
		if b.Stages.GetAction() != nil {
			ks = append(ks, "action")
		}
		if len(ks) > 2 {
			return ks[0] + " to " + ks[len(ks)-1]
		}
		return strings.Join(ks, "+")
	case *onusv1.Record_Outcome:
		return "outcome"
	case *onusv1.Record_Registration:
		return "registration"
	case *onusv1.Record_Trigger:
		return "trigger"
	case *onusv1.Record_Loss:
		return "loss"
	case *onusv1.Record_Genesis:
		return "genesis"
	case *onusv1.Record_Delegation:
		return "grant"
	case *onusv1.Record_Approval:
		return "approval"
	case *onusv1.Record_Denial:
		return "denial"
	case *onusv1.Record_Rejection:
		return "rejection"
	case *onusv1.Record_Revocation:
		return "revocation"
	case *onusv1.Record_Counter:
		return "counter-record"
	case *onusv1.Record_KeySet:
		return "key set"
	case *onusv1.Record_TrustBundle:
		return "trust bundle"
	case *onusv1.Record_Read:
		return "read"
	}
	return "unknown"
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
			return clean(record.Operation(e))
		}
		if e := b.Stages.GetDecision().GetProposal(); e != nil {
			return "proposes " + clean(record.Operation(e))
		}
	case *onusv1.Record_Delegation:
		scope := b.Delegation.GetScope()
		if len(scope) == 0 {
			return ""
		}
		s := clean(record.Operation(scope[0].GetElement()))
		if len(scope) > 1 {
			s += fmt.Sprintf(" +%d", len(scope)-1)
		}
		return s
	case *onusv1.Record_Approval:
		return p.answers(b.Approval.GetProposal())
	case *onusv1.Record_Denial:
		return p.answers(b.Denial.GetProposal())
	case *onusv1.Record_Revocation:
		return clean(target(b.Revocation))
	case *onusv1.Record_Counter:
		return clean(record.Operation(b.Counter.GetElement()))
	case *onusv1.Record_Outcome:
		return strings.ToLower(strings.TrimPrefix(b.Outcome.GetStatus().String(), "OUTCOME_STATUS_"))
	case *onusv1.Record_Trigger:
		return clean(b.Trigger.GetName())
	}
	return ""
}

// via names the application that signed what a user says: its word, not the
// user's own key.
func via(n *chain.Node) string {
	if m := n.Record.Msg; m.GetAuthor().GetClient() != "" && m.GetUser() != "" {
		return " via " + clean(m.GetAuthor().GetClient())
	}
	return ""
}

// answers names the proposal that is approved or denied.
func (p *picture) answers(id string) string {
	for _, n := range p.drawn {
		if n.Record.ID.String() == id {
			return fmt.Sprintf("of #%d", n.Index)
		}
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

// sentence says all that is drawn of a record.
func (p *picture) sentence(n *chain.Node) string {
	s := fmt.Sprintf("Entry %d, %s", n.Index, kindOf(n))
	if what := p.what(n); what != "" {
		if e := n.Record.Msg.GetStages().GetAction().GetElement(); e != nil && !hidden(n) {
			what = describe(e)
		}
		s += " (" + cut(what, 160) + ")"
	}
	s += ", by " + partyOf(n).full + cut(via(n), 120)
	if o, acts := p.outcome(n); acts {
		s += ": " + string(o)
	} else if p.marks.Grave[n.Index] {
		s += ": a grave finding is about it"
	}
	if n.Parent != nil && p.at[n.Parent] != nil {
		s += fmt.Sprintf("; asked for by entry %d", n.Parent.Index)
	}
	if word := p.parentless(n); word != "" {
		s += "; " + word
	}
	for _, l := range p.links {
		if l.to == n && l.kind == byCause {
			s += fmt.Sprintf("; because of entry %d", l.from.Index)
		}
		if l.to == n && l.kind == byGrant {
			s += fmt.Sprintf("; under the grant in entry %d", l.from.Index)
		}
	}
	return s + "."
}
