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
