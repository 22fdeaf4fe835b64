package authority_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// First logged, first served: in whatever order siblings act, an action is over
// the limit exactly if it and those before it are more than the whole, and the
// sum in the end is the same.
func TestSiblingsShareTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	spent := []struct {
		name   string
		amount int
	}{{"clerk", 30}, {"optimizer", 50}, {"analyst", 20}, {"clerk", 40}, {"planner", 1}}
	for range 12 {
		rng.Shuffle(len(spent), func(i, j int) { spent[i], spent[j] = spent[j], spent[i] })
		l := newLog(t, nil)
		root := l.add(operator(acme), gives(depth(grantTo("planner", may(el("order", "create"), "", "100")), 1)))
		under := map[string]*record.Record{"planner": root}
		for _, n := range []string{"clerk", "optimizer", "analyst"} {
			under[n] = l.add(agent("planner"), passes(root, grantTo(n, open(el("order", "create")))))
		}
		sum := 0
		for _, s := range spent {
			sum += s.amount
			var want []string
			if sum > 100 {
				want = []string{"LIMIT_EXCEEDED"}
			}
			l.want(l.add(agent(s.name), does(under[s.name], buy(fmt.Sprint(s.amount)))), nil, want...)
		}
		l.wantTotal(root, "141")
		l.check()
	}
}

// What failed gives its budget back to later actions, and only to those; the
// target's word goes before the agent's.
func TestFailureFreesBudget(t *testing.T) {
	l := newLog(t, nil)
	erp := at("https://erp.example.com/orders")
	g := l.add(operator(acme), gives(grantTo("planner", may(el("order", "create"), "", "100"))))
	act := func(want ...string) *record.Record {
		t.Helper()
		r := l.add(agent("planner"), does(g, el("order", "create", amount("80", "EUR"), erp)))
		l.want(r, nil, want...)
		return r
	}
	first := act()
	second := act("LIMIT_EXCEEDED")
	l.wantTotal(g, "160")
	l.add(agent("planner"), ends(first, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED))
	l.wantTotal(g, "80")
	l.add(agentAs("planner", "other", acme), ends(second, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED)) // not its word to say
	l.wantTotal(g, "80")
	l.add(service("erp"), saw(first, onusv1.TargetDecision_TARGET_DECISION_ALLOWED))
	l.wantTotal(g, "160")
	l.add(agent("planner"), ends(first, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED)) // the target has spoken
	l.wantTotal(g, "160")
	l.service("elsewhere", "https://elsewhere.example.com")
	l.add(service("elsewhere"), saw(second, onusv1.TargetDecision_TARGET_DECISION_DENIED)) // not its target
	l.wantTotal(g, "160")
	l.add(service("erp"), saw(second, onusv1.TargetDecision_TARGET_DECISION_DENIED))
	l.wantTotal(g, "80")
	l.want(second, nil, "LIMIT_EXCEEDED") // as of its index
	l.want(l.add(agent("planner"), does(g, el("order", "create", amount("20", "EUR"), erp), deniedByTarget)), nil)
	l.wantTotal(g, "80")
	// Another's action under this grant is none under it, and uses nothing up;
	// nor does one under a grant that another made up below it.
	l.want(l.add(agent("clerk"), does(g, el("order", "create", amount("20", "EUR"), erp))), nil, "GRANT_MISSING")
	l.wantTotal(g, "80")
	stolen := l.add(agent("clerk"), passes(g, grantTo("analyst", open(el("order", "create")))))
	r := l.add(agent("analyst"), does(stolen, el("order", "create", amount("20", "EUR"), erp)))
	l.want(r, nil, "GRANT_ISSUER_LACKS_AUTHORITY", "DEPTH_EXCEEDED")
	l.wantTotal(g, "80")
	l.check()
}

// An effect that is told again stands to the limit as the first time: over it,
// if that was, and within it, whatever came between.
func TestToldAgain(t *testing.T) {
	l := newLog(t, nil)
	g := l.add(operator(acme), gives(grantTo("planner", may(el("order", "create"), "", "100"))))
	act := func(n, id string, want ...string) {
		t.Helper()
		l.want(l.add(agent("planner"), does(g, buy(n), request(id))), nil, want...)
	}
	act("80", "r-1")
	act("30", "r-2", "LIMIT_EXCEEDED")
	act("80.0", "r-1")
	act("30", "r-2", "LIMIT_EXCEEDED")
	act("5", "r-1", "LIMIT_EXCEEDED") // another element is another effect
	l.wantTotal(g, "115")
	l.check()
}

// What a service says of another request is nothing about this action.
func TestCounterOfAnotherRequestFreesTheBudget(t *testing.T) {
	l := newLog(t, nil)
	erp := at("https://erp.example.com/orders")
	g := l.add(operator(acme), gives(grantTo("planner", may(el("order", "create"), "", "100"))))
	order := l.add(agent("planner"), does(g, el("order", "create", amount("100", "EUR"), erp), request("po-1")))
	l.add(service("erp"), saw(order, onusv1.TargetDecision_TARGET_DECISION_ALLOWED))
	l.wantTotal(g, "100")
	// The agent, or anybody who knows the record's id, calls the service with
	// the same link for something that is refused.
	l.add(service("erp"), &onusv1.Record{Parent: order.ID.String(), Body: &onusv1.Record_Counter{Counter: &onusv1.CounterRecord{
		Caller: agentID("courier"), CallerInstance: "courier-1",
		Element: el("nonsense", "get", at("https://erp.example.com/forbidden")), ExternalRequestId: "other",
		Decision: onusv1.TargetDecision_TARGET_DECISION_DENIED, Status: onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED}}})
	l.wantTotal(g, "100")
	if r := l.add(agent("planner"), does(g, el("order", "create", amount("100", "EUR"), erp), request("po-2"))); len(l.findings(r)) == 0 {
		t.Error("200 of 100 were spent, both seen by the service, and nothing is said")
	}
	l.check()
}

// What a target says counts for the action whose request it was.
func TestWhoseRequest(t *testing.T) {
	erp := at("https://erp.example.com/orders")
	const denied, allowed = onusv1.TargetDecision_TARGET_DECISION_DENIED, onusv1.TargetDecision_TARGET_DECISION_ALLOWED
	for _, c := range []struct {
		name     string
		decision onusv1.TargetDecision
		failed   bool // the agent said so before
		edit     func(*onusv1.CounterRecord)
		want     string
	}{
		{"the request", denied, false, func(*onusv1.CounterRecord) {}, "0"},
		{"the class, and no instance", denied, false, func(c *onusv1.CounterRecord) { c.CallerInstance = "" }, "0"},
		{"another amount of it", denied, false, func(c *onusv1.CounterRecord) {
			c.Element = el("order", "create", amount("7", "EUR"), quantity("2"), erp)
		}, "0"},
		{"something else, by the request id", denied, false, func(c *onusv1.CounterRecord) { c.Element, c.ExternalRequestId = el("order", "delete", erp), "po-1" }, "0"},
		{"another class", denied, false, func(c *onusv1.CounterRecord) { c.Caller = agentID("courier") }, "100"},
		{"another instance", denied, false, func(c *onusv1.CounterRecord) { c.CallerInstance = "planner-2" }, "100"},
		{"another action", denied, false, func(c *onusv1.CounterRecord) { c.Element = el("order", "delete", erp) }, "100"},
		{"another identifier", denied, false, func(c *onusv1.CounterRecord) {
			c.Element = el("order", "create", erp)
			c.Element.Identifier = "7"
		}, "100"},
		{"another place", denied, false, func(c *onusv1.CounterRecord) { c.Element = el("order", "create", at("https://erp.example.com/x")) }, "100"},
		{"another request id", denied, false, func(c *onusv1.CounterRecord) { c.ExternalRequestId = "po-2" }, "100"},
		{"nobody is shown to have called", denied, false, func(c *onusv1.CounterRecord) { c.Caller, c.CallerInstance = "", "" }, "100"},
		{"done, and nobody is shown to have called", allowed, true, func(c *onusv1.CounterRecord) { c.Caller, c.CallerInstance = "", "" }, "100"},
		{"done, by another request id", allowed, true, func(c *onusv1.CounterRecord) { c.ExternalRequestId = "po-2" }, "100"},
		{"denied, and the target leaves out where", denied, false, func(c *onusv1.CounterRecord) { c.Element = el("order", "create") }, "100"},
		{"done, and the target leaves out where", allowed, true, func(c *onusv1.CounterRecord) { c.Element = el("order", "create") }, "100"},
		{"done, at a place below", allowed, true, func(c *onusv1.CounterRecord) {
			c.Element = el("order", "create", at("https://erp.example.com/orders/7"))
		}, "100"},
		{"done, at another place", allowed, true, func(c *onusv1.CounterRecord) { c.Element = el("order", "create", at("https://erp.example.com/x")) }, "0"},
		{"done, something else", allowed, true, func(c *onusv1.CounterRecord) { c.Element = el("order", "delete", erp) }, "0"},
		{"done, by another class", allowed, true, func(c *onusv1.CounterRecord) { c.Caller = agentID("courier") }, "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t, nil)
			g := l.add(operator(acme), gives(grantTo("planner", may(el("order", "create"), "", "100"))))
			order := l.add(agent("planner"), does(g, el("order", "create", amount("100", "EUR"), erp), request("po-1")))
			if c.failed {
				l.add(agent("planner"), ends(order, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED))
				l.wantTotal(g, "0")
			}
			m := saw(order, c.decision)
			c.edit(m.GetCounter())
			l.add(service("erp"), m)
			l.wantTotal(g, c.want)
			l.add(agent("planner"), does(g, buy("1")))
			l.check()
		})
	}
}

// Another service's word does not undo the target's.
func TestAnotherServiceOverridesTheTarget(t *testing.T) {
	l := newLog(t, nil)
	erp := at("https://erp.example.com/orders")
	g := l.add(operator(acme), gives(grantTo("planner", may(el("order", "create"), "", "100"))))
	order := l.add(agent("planner"), does(g, el("order", "create", amount("100", "EUR"), erp)))
	l.add(service("erp"), saw(order, onusv1.TargetDecision_TARGET_DECISION_ALLOWED))
	l.service("weather") // registered without locations
	l.add(service("weather"), saw(order, onusv1.TargetDecision_TARGET_DECISION_DENIED))
	l.wantTotal(g, "100")
	// Nor does it free what the target has not spoken of.
	quiet := l.add(agent("planner"), does(g, el("order", "create", amount("7", "EUR"), erp)))
	l.add(service("weather"), saw(quiet, onusv1.TargetDecision_TARGET_DECISION_DENIED))
	l.wantTotal(g, "107")
	// Of what has no place it may speak.
	nowhere := l.add(agent("planner"), does(g, buy("3")))
	l.wantTotal(g, "110")
	l.add(service("weather"), saw(nowhere, onusv1.TargetDecision_TARGET_DECISION_DENIED))
	l.wantTotal(g, "107")
}

// Who was revoked uses up what others may still do: what was done has spent the
// money, allowed or not, and nobody but the agent and the target can say that it
// was not done.
func TestRevokedAgentUsesTheBudget(t *testing.T) {
	l := newLog(t, nil)
	root := l.add(operator(acme), gives(depth(grantTo("planner", may(el("order", "create"), "", "100")), 1)))
	g := l.add(agent("planner"), passes(root, grantTo("clerk", open(el("order", "create")))))
	l.add(agent("planner"), revokes(theGrant(g)))
	l.add(admin(), revokes(theAgent("clerk")))
	erp := at("https://erp.example.com")
	r := l.add(agent("clerk"), does(g, el("order", "create", amount("100", "EUR"), erp)))
	l.want(r, nil, "AGENT_REVOKED", "GRANT_REVOKED")
	l.want(l.add(agent("planner"), does(root, buy("1"))), nil, "LIMIT_EXCEEDED")
	// The target can say so.
	l.add(service("erp"), saw(r, onusv1.TargetDecision_TARGET_DECISION_DENIED))
	l.want(l.add(agent("planner"), does(root, buy("1"))), nil)
	l.wantTotal(root, "2")
	l.check()
}

// An agent that says "failed", spends again, and then says "succeeded" is over
// the limit: whatever it does next is. What it did before is judged as of its own
// index, at which the failure was all that was known. What it said was done it
// cannot take back.
func TestTakesBackItsFailure(t *testing.T) {
	l := newLog(t, nil)
	g := l.add(operator(acme), gives(grantTo("planner", may(el("order", "create"), "", "100"))))
	first := l.add(agent("planner"), does(g, buy("80")))
	l.add(agent("planner"), ends(first, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED))
	second := l.add(agent("planner"), does(g, buy("80")))
	l.add(agent("planner"), ends(first, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	l.wantTotal(g, "160")
	l.want(second, nil)
	l.want(l.add(agent("planner"), does(g, buy("0.01"))), nil, "LIMIT_EXCEEDED")
	l.add(agent("planner"), ends(first, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED))
	l.wantTotal(g, "160.01")
	l.check()
}
