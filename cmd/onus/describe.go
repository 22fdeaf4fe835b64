package main

import (
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// textOf shows texts of a record: what a commitment hides is looked up among
// the contents that open it.
type textOf map[[record.CommitmentSize]byte][]byte

func openTexts(contents []*onusv1.Content) textOf {
	t := textOf{}
	for _, c := range contents {
		t[record.Commit(c.GetSalt(), c.GetData())] = c.GetData()
	}
	return t
}

// show returns a text quoted, or "" if it is not set or not at hand.
func (t textOf) show(x *onusv1.Text, limit int) string {
	switch f := x.GetForm().(type) {
	case *onusv1.Text_Plain:
		return quote(f.Plain, limit)
	case *onusv1.Text_Commitment:
		if len(f.Commitment) == record.CommitmentSize {
			if data, ok := t[[record.CommitmentSize]byte(f.Commitment)]; ok {
				return quote(string(data), limit)
			}
		}
		return "(text stored, not shown here)"
	}
	return ""
}

// author names who signed, for people.
func author(m *onusv1.Record) string {
	a := m.GetAuthor()
	switch {
	case a.GetAgent() != "":
		return lastSegment(a.GetAgent()) + "/" + a.GetInstance()
	case a.GetAdministrator() != "":
		return "administrator " + a.GetAdministrator()
	}
	return "operator " + a.GetOperator()
}

// kind names what a record is: its stages, or its body.
func kind(m *onusv1.Record) string {
	switch b := m.GetBody().(type) {
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
		return strings.Join(ks, "+")
	case *onusv1.Record_Outcome:
		return "outcome"
	case *onusv1.Record_Registration:
		return "registration"
	case *onusv1.Record_Trigger:
		return "trigger"
	case *onusv1.Record_Loss:
		return "loss"
	case *onusv1.Record_Revocation:
		return "revocation"
	case *onusv1.Record_Genesis:
		return "genesis"
	}
	return "unknown"
}

// describe says in one line what a record says.
func describe(m *onusv1.Record, t textOf, limit int) string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	switch b := m.GetBody().(type) {
	case *onusv1.Record_Stages:
		d := b.Stages
		add(t.show(d.GetIntent().GetText(), limit))
		add(t.show(d.GetInterpretation().GetText(), limit))
		add(t.show(d.GetDecision().GetText(), limit))
		if e := d.GetAction().GetElement(); e != nil {
			add(describeElement(e))
		}
		if d.GetAction().GetTargetDecision() == onusv1.TargetDecision_TARGET_DECISION_DENIED {
			add("denied by the target")
		}
	case *onusv1.Record_Outcome:
		add(strings.ToLower(strings.TrimPrefix(b.Outcome.GetStatus().String(), "OUTCOME_STATUS_")))
		add(t.show(b.Outcome.GetResult(), limit))
	case *onusv1.Record_Registration:
		switch s := b.Registration.GetSubject().(type) {
		case *onusv1.Registration_Operator:
			add(fmt.Sprintf("operator %s: %s, %s", s.Operator.GetId(), quote(s.Operator.GetAccountablePost(), limit), quote(s.Operator.GetUnit(), limit)))
		case *onusv1.Registration_Agent:
			add(fmt.Sprintf("agent %s of %s", s.Agent.GetId(), s.Agent.GetOperator()))
		case *onusv1.Registration_Key:
			holder := s.Key.GetAgent()
			if holder == "" {
				holder = "operator " + s.Key.GetOperator()
			}
			add("key of " + holder)
		}
	case *onusv1.Record_Trigger:
		add(b.Trigger.GetName())
		add(t.show(b.Trigger.GetDetail(), limit))
	case *onusv1.Record_Loss:
		add(fmt.Sprintf("records %d to %d are lost", b.Loss.GetFirstSequence(), b.Loss.GetLastSequence()))
		add(t.show(b.Loss.GetReason(), limit))
	case *onusv1.Record_Revocation:
		switch t := b.Revocation.GetTarget().(type) {
		case *onusv1.Revocation_Key:
			add("key " + t.Key)
		case *onusv1.Revocation_Instance:
			add("instance " + t.Instance.GetInstance() + " of " + t.Instance.GetAgent())
		case *onusv1.Revocation_Agent:
			add("agent " + t.Agent)
		case *onusv1.Revocation_Operator:
			add("operator " + t.Operator)
		}
		if s := b.Revocation.GetSuspectedSince(); s != nil {
			add("suspected since " + s.AsTime().Format("2006-01-02 15:04:05 UTC"))
		}
		add(t.show(b.Revocation.GetReason(), limit))
	case *onusv1.Record_Genesis:
		add("log " + m.GetOrigin())
	}
	return strings.Join(parts, " ")
}

// describeElement says what a scope element is about. Its identifier and data
// types are free text.
func describeElement(e *onusv1.ScopeElement) string {
	s := record.Operation(e)
	if e.GetLocation() != "" {
		s += " " + e.GetLocation()
	}
	if e.GetIdentifier() != "" {
		s += " " + quote(e.GetIdentifier(), 64)
	}
	if e.GetAmount() != "" {
		s += " " + e.GetAmount() + " " + e.GetUnit()
	}
	if e.GetQuantity() != "" {
		s += " × " + e.GetQuantity()
	}
	if len(e.GetDatatypes()) > 0 {
		s += " [" + strings.Trim(quote(strings.Join(e.GetDatatypes(), ", "), 128), "“”") + "]"
	}
	return s
}

func lastSegment(id string) string {
	_, last, ok := cutLast(id, "/")
	if !ok {
		return id
	}
	return last
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
