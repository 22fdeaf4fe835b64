package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/onus-ledger/onus/agent"
)

// A step is recorded and proven in one call.
func Example() {
	log := startLog() // a real ledger, in memory
	defer log.Close()
	ctx := context.Background()

	a, err := agent.New(agent.Config{
		Server:   log.URL,
		LogKey:   log.Key.String(), // pinned: from the operator, not from the server
		Signer:   log.keys[planner],
		Agent:    "spiffe://example.com/planner",
		Operator: "it/platform",
	})
	if err != nil {
		panic(err)
	}
	user, err := a.User(ctx, "hardware-lead@example.com")
	if err != nil {
		panic(err)
	}
	asked, err := a.Record(ctx, agent.Step{
		User:   user,
		Intent: &agent.Intent{Text: "optimise the hardware supply"},
	})
	if err != nil {
		panic(err)
	}
	decided, err := a.Record(ctx, agent.Step{
		User:           user,
		Parent:         asked.Link(),
		Interpretation: &agent.Interpretation{Text: "forecast the demand, then order", Model: "example-1"},
		Decision:       &agent.Decision{Text: "read the inventory first", Rationale: "a forecast needs it"},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("entry", asked.Index, "is proven, and so is", decided.Index)
	// Output: entry 6 is proven, and so is 7
}

// Do has the proof in hand before anything happens.
func ExampleAgent_Do() {
	log := startLog()
	defer log.Close()
	a := must(agent.New(log.Config(buyer)))

	done, err := a.Do(context.Background(), agent.Step{
		Decision: &agent.Decision{Text: "supplier V, 40 laptops"},
		Action: &agent.Action{
			Element: agent.Element{
				Type: "order", Action: "create", Location: "https://erp.example.com/orders",
				Amount: "48000.00", Unit: "EUR", Quantity: "40",
			},
			RequestID: "po-2026-0117",
		},
	}, func(ctx context.Context) (agent.Outcome, error) {
		link, _ := agent.LinkFrom(ctx)
		fmt.Println("ordering at the request of a record of", link.Agent)
		return agent.Outcome{Result: `{"status":"accepted"}`, Target: agent.Allowed}, nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("action", done.Action.Index, "outcome", done.Outcome.Index)
	// Output:
	// ordering at the request of a record of spiffe://example.com/buyer
	// action 6 outcome 7
}

// An agent that is called takes the caller's record as its parent.
func ExampleTransport() {
	log := startLog()
	defer log.Close()
	parent := must(agent.New(log.Config(planner)))
	child := must(agent.New(log.Config(buyer)))

	// The agent that is called.
	server := httptest.NewServer(agent.Middleware(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r := must(child.Record(req.Context(), agent.Step{Decision: &agent.Decision{Text: "supplier V"}}))
		fmt.Println("child: recorded at", r.Index)
	})))
	defer server.Close()

	// The agent that calls it.
	handed := must(parent.Record(context.Background(), agent.Step{
		Decision: &agent.Decision{Text: "let the buyer choose a supplier"},
		Asks:     buyer,
	}))
	ctx := agent.WithLink(context.Background(), handed.Link())
	client := &http.Client{Transport: &agent.Transport{}}
	resp := must(client.Do(must(http.NewRequestWithContext(ctx, "POST", server.URL, nil))))
	resp.Body.Close()

	c := must(log.Ledger.Chain(handed.ID, 0))
	last := c.Entries[len(c.Entries)-1].Record.Msg
	fmt.Println("a chain of", len(c.Entries), "asked for by", last.GetParentAgent())
	// Output:
	// child: recorded at 7
	// a chain of 2 asked for by spiffe://example.com/planner
}

// The same in the metadata of an MCP request or an A2A message.
func ExampleInjectMeta() {
	log := startLog()
	defer log.Close()
	a := must(agent.New(log.Config(planner)))
	r := must(a.Record(context.Background(), agent.Step{Decision: &agent.Decision{Text: "ask the buyer"}, Asks: buyer}))

	meta := map[string]any{}
	agent.InjectMeta(meta, r.Link())
	link, err := agent.ExtractMeta(meta)
	fmt.Println(link == r.Link(), err)
	// Output: true <nil>
}

// With Fail the author decides what happens without a ledger.
func ExampleFail() {
	log := startLog()
	cfg := log.Config(planner)
	cfg.OnOutage = agent.Fail
	cfg.Patience = 100 * time.Millisecond
	a := must(agent.New(cfg))
	log.Close()

	_, err := a.Do(context.Background(), order(100), func(context.Context) (agent.Outcome, error) {
		fmt.Println("never printed: nothing is done unrecorded")
		return agent.Outcome{}, nil
	})
	var outage *agent.OutageError
	fmt.Println("outage:", errors.As(err, &outage))
	// Output: outage: true
}
