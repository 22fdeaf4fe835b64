package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	"github.com/onus-ledger/onus/agent/party"
	"github.com/onus-ledger/onus/agent/service"
)

// A user grants, an agent passes a part of it on and calls the other one, which
// sees who calls and acts under its own grant.
func ExampleAgent_Delegate() {
	log := startLog()
	defer log.Close()
	w := populate(log) // registers the chat, the operator's key and more
	ctx := context.Background()

	chatClient, err := agent.NewClient(agent.ClientConfig{Server: log.URL, LogKey: log.Key.String()})
	if err != nil {
		panic(err)
	}
	app := must(party.NewUserClient(chatClient, w.chatKey, "chat"))
	user := must(app.User(ctx, w.token("chat", nil))) // the ID token of who is logged in
	asked := must(user.Ask(ctx, planner, agent.Intent{Text: "optimise the hardware supply"}))
	given := must(user.Grant(ctx, agent.Delegation{
		Agent: planner, MaxDepth: 1, Expires: time.Now().Add(30 * 24 * time.Hour),
		Scope: []agent.Scope{{Type: "order", Action: "create", MaxItem: "5000", MaxTotal: "50000", Unit: "EUR"}},
	}))

	parent := must(agent.New(log.Config(planner)))
	child := must(agent.New(log.Config(buyer)))

	// The agent that is called.
	server := httptest.NewUnstartedServer(nil)
	gate := must(callee.New(callee.Config{Ledger: child.Client, Audience: buyer, URL: "http://" + server.Listener.Addr().String()}))
	server.Config.Handler = gate.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		who, _ := callee.From(req.Context())
		fmt.Println("called by", who.Agent, "of", who.Operator)
		must(child.Do(req.Context(), order(900), func(context.Context) (agent.Outcome, error) {
			return agent.Outcome{}, nil
		}))
	}))
	server.Start()
	defer server.Close()

	// The agent that calls it, at the user's request.
	ctx = agent.WithLink(ctx, asked.Link().Under(given.ID))
	link, err := parent.Delegate(ctx, buyer, agent.Scope{Type: "order", Action: "create", MaxItem: "1000", Unit: "EUR"})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: &agent.ProofTransport{Agent: parent, Audience: buyer}}
	req := must(http.NewRequestWithContext(agent.WithLink(ctx, link), "POST", server.URL, nil))
	must(client.Do(req)).Body.Close()

	path := must(child.Grant(ctx, link.Grant))
	fmt.Println("the buyer holds a grant of", path.Author.GetAgent(), "below", len(path.Above), "other, of basis", path.Status.GetBasis())
	// Output:
	// called by spiffe://example.com/planner of it/platform
	// the buyer holds a grant of spiffe://example.com/planner below 1 other, of basis delegated
}

// A new process enrols a key of its own, by its workload's token.
func ExampleEnrol() {
	log := startLog()
	defer log.Close()
	w := populate(log)

	cfg := log.Config(buyer)
	cfg.Signer = nil // a fresh key, that ends with the process
	a, err := agent.Enrol(context.Background(), cfg, agent.Credential{
		WorkloadToken: func(ctx context.Context, audience string) (string, error) {
			// In a cluster: ask the TokenRequest API for a token of this
			// audience, or the Workload API for a JWT-SVID.
			return w.workload(nil)(ctx, audience)
		},
		NotAfter: time.Now().Add(24 * time.Hour),
	})
	if err != nil {
		panic(err)
	}
	bound := must(a.Key(context.Background(), a.KeyID()))
	fmt.Println("the key is bound to this instance:", bound.Party.GetInstance() == a.Instance(), bound.Level)
	// Output: the key is bound to this instance: true K1
}

// A service says what it saw of each request.
func Example_service() {
	log := startLog()
	defer log.Close()
	w := populate(log)

	rec, err := service.New(service.Config{
		Ledger: must(agent.NewClient(agent.ClientConfig{Server: log.URL, LogKey: log.Key.String()})),
		Signer: w.erpKey,
		ID:     "spiffe://example.com/erp",
		Describe: func(req *http.Request) service.Seen {
			return service.Seen{
				Element:   agent.Element{Type: "order", Action: "create", Location: "https://erp.example.com/orders", Quantity: req.FormValue("laptops")},
				RequestID: req.FormValue("id"),
			}
		},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(rec.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	must(http.Post(server.URL+"?laptops=400&id=po-1", "", nil)).Body.Close()
	if err := rec.Close(context.Background()); err != nil {
		panic(err)
	}

	last := must(log.Ledger.Entry(must(log.Key.Open(log.Ledger.Checkpoint())).Size - 1))
	c := last.Record.Msg.GetCounter()
	fmt.Println(c.GetExternalRequestId(), c.GetElement().GetQuantity(), c.GetDecision())
	// Output: po-1 400 TARGET_DECISION_ALLOWED
}
