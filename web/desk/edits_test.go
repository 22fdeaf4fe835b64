package desk

import (
	"slices"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Edits of records.

func under(r *record.Record) func(*onusv1.Record) {
	return func(m *onusv1.Record) { m.Parent = r.ID.String() }
}

func causedBy(rs ...*record.Record) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		for _, r := range rs {
			if !slices.Contains(m.Causes, r.ID.String()) {
				m.Causes = append(m.Causes, r.ID.String())
			}
		}
	}
}

func stages(m *onusv1.Record) *onusv1.DecisionRecord {
	if m.GetStages() == nil {
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{}}
	}
	return m.GetStages()
}

func does(op, location string, more ...func(*onusv1.Action)) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		a := &onusv1.Action{Element: element(op, location)}
		for _, f := range more {
			f(a)
		}
		stages(m).Action = a
	}
}

func element(op, location string) *onusv1.ScopeElement {
	typ, action, _ := cutOp(op)
	return &onusv1.ScopeElement{Type: typ, Action: action, Location: location}
}

func cutOp(op string) (typ, action string, ok bool) {
	i := slices.Index([]byte(op), ':')
	return op[:i], op[i+1:], true
}

func costs(amount, unit string) func(*onusv1.Action) {
	return func(a *onusv1.Action) { a.Element.Amount, a.Element.Unit = amount, unit }
}

func requestID(id string) func(*onusv1.Action) {
	return func(a *onusv1.Action) { a.ExternalRequestId = id }
}

func decides(m *onusv1.Record) {
	stages(m).Decision = &onusv1.Decision{Text: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "so"}}}
}

func proposes(e *onusv1.ScopeElement) func(*onusv1.Record) {
	return func(m *onusv1.Record) { decides(m); m.GetStages().Decision.Proposal = e }
}

func outcome(s onusv1.OutcomeStatus) func(*onusv1.Record) {
	return func(m *onusv1.Record) { m.Body = &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: s}} }
}

func counters(caller *onusv1.Author, op, location, request string, s onusv1.OutcomeStatus) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Counter{Counter: &onusv1.CounterRecord{Caller: caller.GetAgent(), Element: element(op, location), ExternalRequestId: request, Status: s}}
	}
}

func trigger(m *onusv1.Record) {
	m.Body = &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "nightly"}}
}

func grantTo(a *onusv1.Author, op string) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: a.GetAgent(), MaxDepth: 3, Scope: []*onusv1.GrantElement{{Element: element(op, "")}}}}
	}
}

func underGrant(r *record.Record) func(*onusv1.Record) {
	return func(m *onusv1.Record) { m.Grant = r.ID.String() }
}

func reviews(r *record.Record, finding string, d onusv1.Disposition) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		m.Causes = []string{r.ID.String()}
		v := &onusv1.Review{Record: r.ID.String(), Finding: finding, Disposition: d}
		if d != onusv1.Disposition_DISPOSITION_OPEN {
			v.Note = &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "seen to"}}
		}
		m.Body = &onusv1.Record_Review{Review: v}
	}
}

func revokesAgent(name string, since time.Time) func(*onusv1.Record) {
	return revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: agentID(name)}}, since)
}

func revokes(v *onusv1.Revocation, since time.Time) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		if !since.IsZero() {
			v.SuspectedSince = timestamppb.New(since)
		}
		m.Body = &onusv1.Record_Revocation{Revocation: v}
	}
}
