package agent_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	"github.com/onus-ledger/onus/agent/party"
	"github.com/onus-ledger/onus/agent/service"
	"github.com/onus-ledger/onus/ledger/identity"
)

// bearer adds a credential for the ledger to each call.
type bearer string

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(req)
}

// Behind a ledger that knows its callers, each party does its part with no more
// than its own role: the agents as agents, the others as their operator.
func TestRolesAreEnough(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "tokens")
	tokens := map[string]string{}
	for name, c := range map[string]identity.Caller{
		planner: {Name: "planner", Role: identity.Agent, Scope: planner},
		buyer:   {Name: "buyer", Role: identity.Agent, Scope: buyer},
		"it":    {Name: "it", Role: identity.Operator, Scope: operator},
	} {
		token, hash := identity.NewToken()
		tokens[name] = token
		if err := identity.AppendLine(path, identity.Line{Caller: c, Hash: hash}); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	w.who = must(identity.OpenTokens(path))
	w.restart()
	as := func(name string) *agent.Client {
		return w.client(t, func(c *agent.ClientConfig) { c.HTTPClient = &http.Client{Transport: bearer(tokens[name])} })
	}
	with := func(name string) func(*agent.Config) {
		return func(c *agent.Config) { c.HTTPClient = &http.Client{Transport: bearer(tokens[name])} }
	}
	ctx := t.Context()

	app := must(party.NewUserClient(as("it"), w.chatKey, chat))
	user := must(app.User(ctx, w.token(chat, nil)))
	asked := must(user.Ask(ctx, planner, agent.Intent{Text: "optimise the supply"}))
	given := must(user.Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}, MaxDepth: 1}))

	parent := w.agent(t, planner, with(planner))
	// A key enrols without any credential for the ledger.
	cfg := w.config(buyer, nil)
	key := ecKey()
	cfg.Signer = key
	must(agent.Enrol(ctx, cfg, agent.Credential{SVID: w.svid(buyer, key)}))
	child := w.agent(t, buyer, with(buyer))

	rec := must(service.New(service.Config{Ledger: as("it"), Signer: w.erpKey, ID: erp, Describe: func(*http.Request) service.Seen { return sawOrder }}))
	shop := httptest.NewServer(rec.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer shop.Close()

	srv := httptest.NewUnstartedServer(nil)
	gate := must(callee.New(callee.Config{Ledger: as(buyer), Audience: buyer, URL: "http://" + srv.Listener.Addr().String()}))
	srv.Config.Handler = gate.Middleware(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		link, _ := agent.LinkFrom(req.Context())
		held, err := child.Grant(req.Context(), link.Grant)
		if err != nil || held.Revoked() || held.Grant.GetAgent() != buyer {
			t.Errorf("the child sees its grant as %+v, %v", held, err)
		}
		_, err = child.Do(req.Context(), order(100), func(ctx context.Context) (agent.Outcome, error) {
			must((&http.Client{Transport: &agent.Transport{}}).Do(must(http.NewRequestWithContext(ctx, "POST", shop.URL, nil)))).Body.Close()
			return agent.Outcome{}, nil
		})
		if err != nil {
			t.Errorf("Do: %v", err)
		}
	}))
	srv.Start()
	defer srv.Close()

	ctx = agent.WithLink(ctx, asked.Link().Under(given.ID))
	link := must(parent.Delegate(ctx, buyer, orders))
	client := &http.Client{Transport: &agent.ProofTransport{Agent: parent, Audience: buyer}}
	resp := must(client.Do(must(http.NewRequestWithContext(agent.WithLink(ctx, link), "POST", srv.URL, nil))))
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("the call gives %d", resp.StatusCode)
	}
	if err := rec.Close(ctx); err != nil || len(w.counters(t)) != 1 {
		t.Errorf("Close gives %v, with %d counter-records", err, len(w.counters(t)))
	}
	// What a person answers is for the agent that asked.
	more := order(200).Action.Element
	proposal := must(parent.Record(ctx, agent.Step{Decision: &agent.Decision{Text: "more", Proposal: &more}, User: user.Pseudonym()}))
	approved := must(user.Approve(ctx, proposal.Link(), time.Time{}, ""))
	if got, err := parent.AwaitAnswer(ctx, proposal.ID); err != nil || got.ID != approved.ID || !got.Approved {
		t.Errorf("the agent that asked sees %+v, %v", got, err)
	}
	must(parent.Rotate(ctx, newKey(), 0))
	must(parent.Record(ctx, intent("with the next key")))
}
