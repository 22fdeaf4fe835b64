package agent_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/onus-ledger/onus/agent"
)

// A request that is refused says nothing about one that was carried out.
func TestRefusedCallFreesNoBudget(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	given := must(w.operator(t).Grant(t.Context(), agent.Delegation{Agent: planner, Scope: []agent.Scope{{Type: "order", Action: "create", Unit: "EUR", MaxTotal: "48000"}}}))
	s := serveTarget(t, w, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/orders" {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		rw.WriteHeader(http.StatusCreated)
	}, true, nil)
	client := &http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: erp}}
	step := order(48000)
	step.Action.RequestID = sawOrder.RequestID
	must(a.Do(agent.WithLink(t.Context(), given.Link()), step, func(ctx context.Context) (agent.Outcome, error) {
		for _, path := range []string{"/orders", "/forbidden"} { // the second one with the same link
			resp := must(client.Do(must(http.NewRequestWithContext(ctx, "POST", s.URL+path, nil))))
			resp.Body.Close()
			t.Logf("%s: %s", path, resp.Status)
		}
		return agent.Outcome{Target: agent.Allowed}, nil
	}))
	g := must(w.client(t, nil).Grant(t.Context(), given.ID))
	if got := g.Status.GetUses()[0].GetTotal(); got != "48000" {
		t.Errorf("an order of 48000 was carried out and recorded by the service, and %s of the limit are used up", got)
	}
}
