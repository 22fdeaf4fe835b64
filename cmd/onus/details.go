package main

import (
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// details says each part of a record in a row of its own.
func details(m *onusv1.Record, t textOf, row func(name, value string)) {
	const limit = 4000
	d := m.GetStages()
	if g := m.GetDelegation(); g != nil {
		row("to", grantee(g))
		grantRows(g, t, row)
		return
	}
	if d == nil {
		row("says", describe(m, t, limit))
		row("proposal", m.GetApproval().GetProposal()+m.GetDenial().GetProposal())
		if e := m.GetApproval().GetExpires(); e != nil {
			row("until", describeTime(e))
		}
		counterRows(m.GetCounter(), row)
		row("request id", quoteIf(m.GetOutcome().GetExternalRequestId()))
		row("target said", targetWord(m.GetOutcome().GetTargetDecision()))
		return
	}
	elements := func(name string, es []*onusv1.ScopeElement) {
		for _, e := range es {
			row(name, describeElement(e))
		}
	}
	row("asked", t.show(d.GetIntent().GetText(), limit))
	elements("asked for", d.GetIntent().GetRequested())
	row("understood", t.show(d.GetInterpretation().GetText(), limit))
	row("model", quoteIf(strings.TrimSpace(d.GetInterpretation().GetModel()+" "+d.GetInterpretation().GetModelVersion())))
	row("decided", t.show(d.GetDecision().GetText(), limit))
	elements("chose", d.GetDecision().GetChosen())
	row("because", t.show(d.GetDecision().GetRationale(), limit))
	for _, a := range d.GetDecision().GetAlternatives() {
		row("instead of", t.show(a, limit))
	}
	row("confidence", d.GetDecision().GetConfidence())
	if e := d.GetDecision().GetProposal(); e != nil {
		row("proposes", describeElement(e)+": to be done once a person approves it")
	}
	a := d.GetAction()
	if a == nil {
		return
	}
	row("did", describeElement(a.GetElement()))
	row("arguments", t.show(a.GetArguments(), limit))
	row("result", t.show(a.GetResult(), limit))
	row("target said", targetWord(a.GetTargetDecision()))
	row("request id", quoteIf(a.GetExternalRequestId()))
	row("approval", a.GetApproval())
	seenToken(a.GetToken(), row)
}

// seenToken says what a target saw of the user's token.
func seenToken(t *onusv1.TokenFacts, row func(name, value string)) {
	row("target saw", t.GetSub())
	for _, actor := range t.GetAct() {
		row("through actor", quoteIf(actor))
	}
	row("to client", quoteIf(t.GetAzp()))
}

// counterRows says what a service saw, beyond the line that says it all.
func counterRows(c *onusv1.CounterRecord, row func(name, value string)) {
	if c == nil {
		return
	}
	row("caller", c.GetCaller())
	row("caller's key", c.GetCallerKey())
	row("grant named", c.GetGrant())
	row("request id", quoteIf(c.GetExternalRequestId()))
	seenToken(c.GetToken(), row)
}

// userRows says whose word a record stands on, and how strong that word is.
func userRows(m *onusv1.Record, assurance uint8, row func(name, value string)) {
	row("user", m.GetUser())
	row("session", m.GetSession())
	t := m.GetToken()
	if t == nil {
		return
	}
	row("user's word", fmt.Sprintf("L%d, %s", assurance, assuranceWord(int32(assurance))))
	s := "by " + quoteIf(t.GetIssuer())
	if t.GetClient() != "" {
		s += ", to client " + quoteIf(t.GetClient())
	}
	if t.GetExpires() != nil {
		s += ", until " + describeTime(t.GetExpires())
	}
	row("token", s)
	if t.GetAcr() != "" || len(t.GetAmr()) > 0 {
		row("logged in", quoteIf(strings.TrimSpace(t.GetAcr()+" "+strings.Join(t.GetAmr(), " "))))
	}
	for _, a := range t.GetActors() {
		row("through actor", quoteIf(a.GetSubject()))
	}
	row("bound to key", t.GetConfirms())
}

func targetWord(d onusv1.TargetDecision) string {
	switch d {
	case onusv1.TargetDecision_TARGET_DECISION_ALLOWED:
		return "allowed"
	case onusv1.TargetDecision_TARGET_DECISION_DENIED:
		return "denied"
	}
	return ""
}

func quoteIf(s string) string {
	if s == "" {
		return ""
	}
	return quote(s, 256)
}
