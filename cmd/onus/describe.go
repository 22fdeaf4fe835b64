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

// author names who signed, for people, in a word or two.
func author(m *onusv1.Record) string {
	a := m.GetAuthor()
	switch {
	case a.GetAgent() != "":
		return lastSegment(a.GetAgent()) + "/" + a.GetInstance()
	case a.GetService() != "":
		return "service " + lastSegment(a.GetService())
	}
	return authorName(a)
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
		if e := d.GetDecision().GetProposal(); e != nil {
			add("proposes " + describeElement(e))
		}
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
		add(subjectName(b.Registration) + ":")
		add(describeSubject(b.Registration, limit))
	case *onusv1.Record_Trigger:
		add(b.Trigger.GetName())
		add(t.show(b.Trigger.GetDetail(), limit))
	case *onusv1.Record_Loss:
		add(fmt.Sprintf("records %d to %d are lost", b.Loss.GetFirstSequence(), b.Loss.GetLastSequence()))
		add(t.show(b.Loss.GetReason(), limit))
	case *onusv1.Record_Revocation:
		add(describeTarget(b.Revocation))
		if s := b.Revocation.GetSuspectedSince(); s != nil {
			add("suspected since " + describeTime(s))
		}
		add(t.show(b.Revocation.GetReason(), limit))
	case *onusv1.Record_Genesis:
		add("log " + m.GetOrigin())
	case *onusv1.Record_Delegation:
		add("to " + grantee(b.Delegation) + ":")
		add(scopeLine(b.Delegation))
		add(t.show(b.Delegation.GetPurpose(), limit))
	case *onusv1.Record_Approval:
		add("of what " + shortID(b.Approval.GetProposal()) + " proposes")
		add(t.show(b.Approval.GetReason(), limit))
	case *onusv1.Record_Denial:
		add("of what " + shortID(b.Denial.GetProposal()) + " proposes")
		add(t.show(b.Denial.GetReason(), limit))
	case *onusv1.Record_Rejection:
		add(fmt.Sprintf("a record of %s was refused, because of the revocation in entry %d", authorName(b.Rejection.GetAuthor()), b.Rejection.GetRevocation()))
	case *onusv1.Record_Counter:
		add(describeCounter(b.Counter))
	case *onusv1.Record_KeySet:
		add("of " + b.KeySet.GetIssuer())
	case *onusv1.Record_TrustBundle:
		add("of the trust domain " + b.TrustBundle.GetDomain())
	case *onusv1.Record_Read:
		add(fmt.Sprintf("%s (%s) called %s", quoteName(b.Read.GetCaller()), quoteName(b.Read.GetRole()), quoteName(b.Read.GetProcedure())))
		if b.Read.GetRecord() != "" {
			add("of " + shortID(b.Read.GetRecord()))
		}
	case *onusv1.Record_Review:
		add(describeReview(m, t, limit))
	}
	return strings.Join(parts, " ")
}

// describeTarget names what a revocation ends.
func describeTarget(r *onusv1.Revocation) string {
	switch t := r.GetTarget().(type) {
	case *onusv1.Revocation_Key:
		return "key " + t.Key
	case *onusv1.Revocation_Instance:
		return "instance " + t.Instance.GetInstance() + " of " + t.Instance.GetAgent()
	case *onusv1.Revocation_Agent:
		return "agent " + t.Agent
	case *onusv1.Revocation_Operator:
		return "operator " + t.Operator
	case *onusv1.Revocation_Grant:
		return "grant " + shortID(t.Grant)
	case *onusv1.Revocation_Session:
		return "session " + t.Session
	}
	return ""
}

// describeCounter says what a service saw of a request.
func describeCounter(c *onusv1.CounterRecord) string {
	s := "it saw " + describeElement(c.GetElement())
	if who := c.GetCaller(); who != "" {
		s += " from " + lastSegment(who)
		if c.GetCallerInstance() != "" {
			s += "/" + c.GetCallerInstance()
		}
		if c.GetCallerKey() == "" {
			s += ", who only said so"
		}
	}
	if w := targetWord(c.GetDecision()); w != "" {
		s += ", and " + w + " it"
	}
	if w := statusWord(c.GetStatus()); w != "" {
		s += ": it " + w
	}
	return s
}

func statusWord(s onusv1.OutcomeStatus) string {
	return map[onusv1.OutcomeStatus]string{onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED: "succeeded",
		onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED: "failed", onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN: "ended nobody knows how"}[s]
}

// shortID shows the first part of a record's id: enough to find it again.
func shortID(id string) string {
	if len(id) > 12 {
		return id[:12] + "…"
	}
	return id
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
