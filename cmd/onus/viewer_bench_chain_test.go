package main

import (
	"fmt"
	"slices"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// benchChain is a chain under way: a user asks, an agent decides, and it or those
// to whom it hands work act. One in twelve does once what it may not.
type benchChain struct {
	*benchMaker
	left          int // records to come
	user, subject string
	root          string
	// plan is what the front agent decided first, decision what is acted on now:
	// that of the process that acts.
	plan, decision string
	front, acts    *benchProcess
	grant          string // what the acting process acts under
	bad            bool
}

// begin makes the first three records of a chain: what was asked, how that was
// understood, what was decided.
func (m *benchMaker) begin(length int) *benchChain {
	a := m.agents[m.whose.Uint64()]
	c := &benchChain{benchMaker: m, left: length, user: m.users[int(float64(benchUsers)*m.rng.Float64()*m.rng.Float64())],
		front: a.processes[m.rng.IntN(len(a.processes))], grant: a.grant, bad: m.rng.IntN(12) == 0}
	c.acts = c.front
	if m.rng.IntN(3) == 0 {
		c.subject = m.people[m.rng.IntN(benchPeople)]
	}
	f := a.field
	words, w := record.NewText(fmt.Appendf(nil, "please see to the %ss that wait since yesterday, case %d", f.kind, m.made))
	c.root = c.say(c.front, "", &onusv1.Record{Body: stagesOf(&onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: words}})}, w)
	understood, u := record.NewText(fmt.Appendf(nil, "there are %d that are meant", 1+length/4))
	read := c.say(c.front, c.root, &onusv1.Record{Body: stagesOf(&onusv1.DecisionRecord{Interpretation: &onusv1.Interpretation{Text: understood, Model: "example-large", ModelVersion: "2026-07"}})}, u)
	decided, d := record.NewText([]byte("read them first, then act on those that are due"))
	c.plan = c.say(c.front, read, &onusv1.Record{Body: stagesOf(&onusv1.DecisionRecord{Decision: &onusv1.Decision{Text: decided,
		Chosen: []*onusv1.ScopeElement{{Type: f.kind, Action: f.read, Location: f.place}}}})}, d)
	c.decision = c.plan
	return c
}

func stagesOf(d *onusv1.DecisionRecord) *onusv1.Record_Stages {
	return &onusv1.Record_Stages{Stages: d}
}

// say adds a process's next record, and returns its id.
func (c *benchChain) say(p *benchProcess, parent string, r *onusv1.Record, contents ...*onusv1.Content) string {
	r.Author = &onusv1.Author{Agent: p.agent.id, Instance: p.name, Operator: p.agent.field.unit}
	r.Sequence, r.Previous, r.Parent, r.User = p.sequence, p.previous, parent, c.user
	if c.subject != "" {
		r.Subjects = []string{c.subject}
	}
	p.previous = c.add(r, p.agent.signer, contents...)
	p.sequence++
	c.left--
	return p.previous
}

// goOn makes the next records of the chain: one to three of them.
func (c *benchChain) goOn() {
	switch {
	case c.left == 1:
		c.decision = c.decide(c.acts, c.decision, "", "")
	case c.left >= 6 && c.rng.IntN(8) == 0:
		c.handOn()
	default:
		c.act()
	}
}

// decide makes a decision; asks is whom it asks to act, asked who asked for it.
func (c *benchChain) decide(p *benchProcess, parent, asks, asked string) string {
	text, content := record.NewText(fmt.Appendf(nil, "the next of them; %d are left", c.left))
	return c.say(p, parent, &onusv1.Record{Asks: asks, ParentAgent: asked, Body: stagesOf(&onusv1.DecisionRecord{Decision: &onusv1.Decision{Text: text}})}, content)
}

// handOn: the front agent passes on what it holds to another of its unit, and
// asks it to act; that one decides how.
func (c *benchChain) handOn() {
	held := c.front.agent
	other := c.agents[(slices.Index(c.agents, held)+benchUnits*(1+c.rng.IntN(benchClasses/benchUnits-1)))%benchClasses]
	c.grant = c.say(c.front, c.plan, &onusv1.Record{Grant: held.grant, Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{
		Agent: other.id, Scope: held.field.scope(), Expires: timestamppb.New(time.UnixMilli(c.now.Load()).AddDate(0, 0, 30))}}})
	asked := c.decide(c.front, c.plan, other.id, "")
	c.acts = other.processes[c.rng.IntN(len(other.processes))]
	c.decision = c.decide(c.acts, asked, "", held.id)
}

// act makes an action, with the decision for it, and its outcome.
func (c *benchChain) act() {
	f := c.front.agent.field
	what := &onusv1.ScopeElement{Type: f.kind, Action: f.read, Location: f.place, Identifier: fmt.Sprintf("%s-%d", f.kind, c.rng.IntN(50_000))}
	if f.data != "" {
		what.Datatypes = []string{f.data}
	}
	if c.rng.IntN(3) == 0 {
		what.Action = f.write
		if f.amounts {
			what.Amount, what.Unit = fmt.Sprintf("%d.%02d", 10+c.rng.IntN(4900), c.rng.IntN(100)), "EUR"
		}
	}
	grant := c.grant
	if c.bad && c.left < 40 {
		c.bad = false
		switch {
		case f.amounts:
			what.Action, what.Amount, what.Unit = f.write, fmt.Sprint(6000+c.rng.IntN(90_000)), "EUR"
		case c.rng.IntN(2) == 0:
			what.Action = "delete"
		default:
			grant = ""
		}
	}
	text, t := record.NewText(fmt.Appendf(nil, "%s is due", what.GetIdentifier()))
	arguments, a := record.NewText(fmt.Appendf(nil, `{"id": %q, "limit": 1}`, what.GetIdentifier()))
	did := c.say(c.acts, c.decision, &onusv1.Record{Grant: grant, Basis: onusv1.Basis_BASIS_OWN, Body: stagesOf(&onusv1.DecisionRecord{
		Decision: &onusv1.Decision{Text: text}, Action: &onusv1.Action{Element: what, Arguments: arguments}})}, t, a)
	status := onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	if c.rng.IntN(30) == 0 {
		status = onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	}
	c.say(c.acts, did, &onusv1.Record{Body: &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: status, TargetDecision: onusv1.TargetDecision_TARGET_DECISION_ALLOWED}}})
}
