package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Scenario S1: "why is my pod failing?" A tool-like agent, where the user's
// own identity is right: it does what it was asked, and decides little.

const cluster = "http://k8s.example.com"

var s1Catalogue = []*onusv1.ScopeElement{
	{Type: "k8s.pods", Action: "get", Location: cluster + "/api/v1/namespaces/shop"},
	{Type: "k8s.events", Action: "get", Location: cluster + "/api/v1/namespaces/shop"},
	{Type: "k8s.logs", Action: "get", Location: cluster + "/api/v1/namespaces/shop"},
}

// playS1 plays the scenario and returns the receipt of the intent.
func (d *demo) playS1(ctx context.Context) (*agent.Receipt, error) {
	api, stop, err := startCluster()
	if err != nil {
		return nil, err
	}
	defer stop()
	d.say("\nS1. “Why is my pod failing?”\n")
	a, err := d.agent(ctx, d.oauthClient(&onusv1.AgentClass{Id: "spiffe://example.com/k8s-agent", DisplayName: "Kubernetes helper",
		Purpose: "Answers questions about workloads by reading their state and logs.", Catalogue: s1Catalogue}))
	if err != nil {
		return nil, err
	}
	d.say("  Registered: the agent spiffe://example.com/k8s-agent, what it is there for, and its key.")
	d.say("  The Head of Platform, IT Platform, answers for it.")

	token, err := d.login("sre@example.com", "k8s-agent", nil)
	if err != nil {
		return nil, err
	}
	requested := make([]agent.Element, len(s1Catalogue))
	for i, e := range s1Catalogue {
		requested[i] = agent.Element{Type: e.GetType(), Action: e.GetAction(), Location: e.GetLocation()}
	}
	user, session, err := a.TokenUser(ctx, token)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	intent, err := a.Record(ctx, agent.Step{
		Intent: &agent.Intent{Text: "why is my pod failing?", Requested: requested}, Token: token,
	})
	if err != nil {
		return nil, err
	}
	d.say("  The user logs in to the agent and asks. The agent records it, with the user's token beside")
	d.say("  it: entry %d, in the log and proven %.1f ms later. L%d: %s.", intent.Index, ms(time.Since(start)), intent.Assurance, assuranceWord(int32(intent.Assurance)))
	d.say("  The user is %s here; name and token stay off the log.", user)

	pods := agent.Element{Type: "k8s.pods", Action: "get", Location: cluster + "/api/v1/namespaces/shop/pods", Datatypes: []string{"pod status", "events"}}
	logs := agent.Element{Type: "k8s.logs", Action: "get", Location: cluster + "/api/v1/namespaces/shop/pods/checkout-7d9/log", Datatypes: []string{"logs"}}
	for _, e := range []agent.Element{pods, logs} {
		done, err := a.Do(ctx, agent.Step{
			Action: &agent.Action{Element: e},
			Parent: intent.Link(), User: user, Session: session, Basis: agent.Delegated,
		}, func(ctx context.Context) (agent.Outcome, error) { return read(ctx, api, e.Location) })
		if err != nil {
			return nil, err
		}
		d.say("  %s:%s: recorded before the call (entry %d), its outcome after it (entry %d).", e.Type, e.Action, done.Action.Index, done.Outcome.Index)
	}
	return intent, nil
}

// read makes the agent's call.
func read(ctx context.Context, c *http.Client, url string) (agent.Outcome, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return agent.Outcome{}, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return agent.Outcome{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return agent.Outcome{Result: string(body), Target: agent.Allowed}, err
}

// startCluster serves the few pages of a Kubernetes API that the scenario
// reads, and returns a client for which they are at k8s.example.com.
func startCluster() (*http.Client, func(), error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	page := func(path, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	}
	page("/api/v1/namespaces/shop/pods", `{"pod":"checkout-7d9","phase":"Running","restarts":14,"last":"OOMKilled","events":["Back-off restarting failed container"]}`)
	page("/api/v1/namespaces/shop/pods/checkout-7d9/log", "cache: loading 2.1 GiB of product images\nkilled\n")
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(ln)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
		},
	}}
	return client, func() { srv.Close() }, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
