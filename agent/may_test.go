package agent_test

import (
	"testing"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/verifier/record"
)

// An agent asks before it acts; asking is not logged and takes no number.
func TestMay(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	user := w.user(t, nil)
	asked := must(user.Ask(ctx, planner, agent.Intent{Text: "order what we need"}))
	given := must(user.Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}}))
	a := w.agent(t, planner, nil)
	ctx = agent.WithLink(ctx, asked.Link())
	step := func(amount int, grant record.ID) agent.Step {
		s := order(amount)
		s.Grant, s.User, s.Decision = grant, user.Pseudonym(), &agent.Decision{Text: "order"}
		return s
	}
	size := w.Ledger.Size()
	for _, c := range []struct {
		step    agent.Step
		within  bool
		finding string
	}{
		{step(100, given.ID), true, ""},
		{step(1_000_000, given.ID), false, "LIMIT_EXCEEDED"},
		{step(100, record.ID{7}), false, "GRANT_MISSING"},
	} {
		v := must(a.May(ctx, c.step))
		found := c.finding == ""
		for _, f := range v.Findings {
			found = found || f.GetCode() == c.finding
		}
		if v.Within != c.within || !found || v.Title == "" || v.Why == "" || v.Size != size {
			t.Errorf("may order %s: %+v, want within %t with %q", c.step.Action.Element.Amount, v, c.within, c.finding)
		}
	}
	if w.Ledger.Size() != size {
		t.Errorf("asking was logged: %d entries, had %d", w.Ledger.Size(), size)
	}
	if r := must(a.Record(ctx, step(100, given.ID))); r.Proven == nil {
		t.Error("not recorded")
	}
	if _, err := a.May(ctx, agent.Step{Intent: &agent.Intent{Text: "x"}, Root: true}); err == nil {
		t.Error("a step without an action is judged")
	}
}
