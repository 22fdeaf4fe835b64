package agent_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
)

const mallory, evil = "spiffe://example.com/mallory", "evil/ops"

// stranger is an agent of another operator.
func (w *world) stranger(t testing.TB) *agent.Agent {
	t.Helper()
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: evil, Organisation: "Evil", Unit: "Ops", AccountablePost: "Head"}}})
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: mallory, Operator: evil, DisplayName: "m"}}})
	key := newKey()
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: spki(key), Agent: mallory, Operator: evil}}})
	return w.agent(t, mallory, func(c *agent.Config) { c.Signer, c.Agent, c.Operator = key, mallory, evil })
}

// A caller does not have its work done on a grant that somebody else gave to
// the callee: the buyer holds the user's grant from the planner; mallory, of
// another operator, names it in its own link.
func TestLinkNamesAnothersGrant(t *testing.T) {
	w := newWorld(t)
	m := w.stranger(t)

	given := must(w.user(t, nil).Grant(t.Context(), agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}, MaxDepth: 1}))
	link := must(w.agent(t, planner, nil).Delegate(agent.WithLink(t.Context(), given.Link()), buyer, agent.Scope{Type: "order", Action: "create"}))

	b := w.agent(t, buyer, nil)
	var bought *agent.Receipt
	srv := httptest.NewUnstartedServer(nil)
	gate := must(callee.New(callee.Config{Ledger: w.client(t, nil), Audience: buyer, URL: "http://" + srv.Listener.Addr().String(), CheckGrants: true}))
	srv.Config.Handler = gate.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		done := must(b.Do(req.Context(), order(100), func(context.Context) (agent.Outcome, error) { return agent.Outcome{}, nil }))
		bought = done.Action
	}))
	srv.Start()
	defer srv.Close()

	asks := intent("buy me something")
	asks.Asks = buyer
	asked := must(m.Record(t.Context(), asks))
	forged := asked.Link().Under(link.Grant) // mallory only has to know its id
	client := &http.Client{Transport: &agent.ProofTransport{Agent: m, Audience: buyer}}
	resp := must(client.Do(must(http.NewRequestWithContext(agent.WithLink(t.Context(), forged), "POST", srv.URL, nil))))
	resp.Body.Close()
	if bought == nil {
		t.Logf("held: %s", resp.Status)
		return
	}
	got := w.message(bought)
	e := must(w.Ledger.Entry(bought.Index))
	fs := must(w.Ledger.Findings([]*ledger.Entry{e}))
	if got.GetGrant() == link.Grant.String() && len(fs[0]) == 0 {
		t.Errorf("mallory's order was carried out under the planner's grant to the buyer, and so on the user's budget; parent agent %s, findings %v", got.GetParentAgent(), fs[0])
	}
}

// Whose grant a link may carry to the buyer, by who calls and who gave it.
func TestGrantHandedOn(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p, m := w.agent(t, planner, nil), w.stranger(t)
	user, other, op := w.user(t, nil), w.user(t, claims{"sub": "somebody", "sid": "s-2"}), w.operator(t)
	to := func(class string) agent.Delegation {
		return agent.Delegation{Agent: class, Scope: []agent.Scope{orders}, MaxDepth: 1}
	}
	none := record.ID{}
	usersToPlanner, usersToBuyer := must(user.Grant(ctx, to(planner))).ID, must(user.Grant(ctx, to(buyer))).ID
	usersToMallory, othersToMallory := must(user.Grant(ctx, to(mallory))).ID, must(other.Grant(ctx, to(mallory))).ID
	opsToBuyer, opsToMallory := must(op.Grant(ctx, to(buyer))).ID, must(op.Grant(ctx, to(mallory))).ID
	ended := must(user.Grant(ctx, to(mallory))).ID
	must(user.RevokeGrant(ctx, ended, "over"))
	delegated := must(p.Delegate(agent.WithLink(ctx, agent.Link{Record: record.ID{1}, Origin: origin, Grant: usersToPlanner}), buyer, orders)).Grant

	const kept, left, held = 200, 0, 403
	for name, c := range map[string]struct {
		caller     *agent.Agent
		under      record.ID // that the caller's proof names
		link       record.ID
		want       int
		elsewhere  bool // the link is of another log
		noAudience bool // the callee's class is not known
	}{
		"the caller gave it":                            {caller: p, under: usersToPlanner, link: delegated, want: kept},
		"the caller gave it, and names none":            {caller: p, link: delegated, want: kept},
		"another agent gave it":                         {caller: m, link: delegated, want: held},
		"another agent gave it, for the same user":      {caller: m, under: usersToMallory, link: delegated, want: held},
		"the caller's operator gave it":                 {caller: p, link: opsToBuyer, want: kept},
		"an operator gave it to both":                   {caller: m, under: opsToMallory, link: opsToBuyer, want: kept},
		"another operator gave it":                      {caller: m, link: opsToBuyer, want: held},
		"a user gave it to both":                        {caller: p, under: usersToPlanner, link: usersToBuyer, want: kept},
		"a user gave it, and the caller shows nothing":  {caller: p, link: usersToBuyer, want: held},
		"a user gave it, and another one to the caller": {caller: m, under: othersToMallory, link: usersToBuyer, want: held},
		"a user gave it, and took back the caller's":    {caller: m, under: ended, link: usersToBuyer, want: held},
		"the caller names a grant that is not its own":  {caller: m, under: usersToPlanner, link: usersToBuyer, want: held},
		"the caller names the callee's as its own":      {caller: m, under: usersToBuyer, link: usersToBuyer, want: held},
		"it is the caller's own":                        {caller: p, under: usersToPlanner, link: usersToPlanner, want: left},
		"it is not in the log":                          {caller: p, link: record.ID{7}, want: left},
		"it is no grant":                                {caller: p, link: must(p.Record(ctx, intent("x"))).ID, want: left},
		"there is none":                                 {caller: p, link: none, want: left},
		"the link is of another log":                    {caller: p, link: delegated, elsewhere: true, want: left},
		"the callee's class is not known":               {caller: p, link: delegated, noAudience: true, want: left},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveCallee(t, w.testLog, func(cfg *callee.Config) {
				if c.noAudience {
					cfg.Audience = "https://buyer.example.com"
				}
			})
			audience := buyer
			if c.noAudience {
				audience = "https://buyer.example.com"
			}
			link := agent.Link{Record: record.ID{5}, Agent: planner, Origin: origin, Grant: c.link}
			if c.elsewhere {
				link.Origin = "other.example.com"
			}
			req := must(http.NewRequestWithContext(agent.WithLink(ctx, agent.Link{Record: record.ID{4}, Origin: origin, Grant: c.under}), "GET", s.URL+"/orders/", nil))
			agent.Inject(req.Header, link)
			resp := must((&http.Client{Transport: &agent.ProofTransport{Agent: c.caller, Audience: audience}}).Do(req))
			body := string(must(io.ReadAll(resp.Body)))
			resp.Body.Close()
			if c.want == held {
				if resp.StatusCode != held || !strings.Contains(body, callee.ReasonHanded) || s.ok {
					t.Errorf("the call gives %d, %s, want 403 and %s", resp.StatusCode, body, callee.ReasonHanded)
				}
				return
			}
			want := link
			if c.want == left {
				want.Grant = none
			}
			if resp.StatusCode != 200 || s.who.Link != want || s.link != want {
				t.Errorf("the call gives %d, %s, and the handler the link %v, %v, want %v", resp.StatusCode, body, s.who.Link, s.link, want)
			}
		})
	}

	// Where the audience is no SPIFFE ID, the class is configured.
	s := serveCallee(t, w.testLog, func(cfg *callee.Config) { cfg.Audience, cfg.Agent = "https://buyer.example.com", buyer })
	client := &http.Client{Transport: &agent.ProofTransport{Agent: p, Audience: "https://buyer.example.com"}}
	link := agent.Link{Record: record.ID{5}, Agent: planner, Origin: origin, Grant: delegated}
	must(client.Do(must(http.NewRequestWithContext(agent.WithLink(ctx, link), "GET", s.URL+"/orders/", nil)))).Body.Close()
	if s.link != link {
		t.Errorf("with Config.Agent the handler has the link %v, want %v", s.link, link)
	}
}

// While the ledger is away nobody's word is taken for who gave a grant.
func TestGrantHandedOnOutage(t *testing.T) {
	w := newWorld(t)
	given := must(w.operator(t).Grant(t.Context(), agent.Delegation{Agent: buyer, Scope: []agent.Scope{orders}}))
	s := serveCallee(t, w.testLog, func(cfg *callee.Config) {
		cfg.Timeout = 100 * time.Millisecond
		cfg.Ledger = w.client(t, func(cc *agent.ClientConfig) {
			cc.HTTPClient = &http.Client{Transport: tamper(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
				if strings.Contains(req.URL.Path, "/GetGrant") {
					return nil, errLost
				}
				return next.RoundTrip(req)
			})}
		})
	})
	client := &http.Client{Transport: &agent.ProofTransport{Agent: w.agent(t, planner, nil), Audience: buyer}}
	resp := must(client.Do(must(http.NewRequestWithContext(agent.WithLink(t.Context(), given.Link()), "GET", s.URL+"/orders/", nil))))
	resp.Body.Close()
	if resp.StatusCode != 503 || s.ok {
		t.Errorf("the call gives %d, want 503", resp.StatusCode)
	}
}
