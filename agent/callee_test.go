package agent_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// called is the buyer, behind a gate: it notes who calls.
type called struct {
	URL  string
	who  callee.Caller
	ok   bool
	link agent.Link
}

func serveCallee(t testing.TB, l *testLog, edit func(*callee.Config)) *called {
	t.Helper()
	c := &called{}
	srv := httptest.NewUnstartedServer(nil)
	cfg := callee.Config{Ledger: l.client(t, nil), Audience: buyer, URL: "http://" + srv.Listener.Addr().String()}
	if edit != nil {
		edit(&cfg)
	}
	gate, err := callee.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/orders/", func(_ http.ResponseWriter, req *http.Request) {
		c.who, c.ok = callee.From(req.Context())
		c.link, _ = agent.LinkFrom(req.Context())
	})
	srv.Config.Handler = gate.Middleware(mux)
	srv.Start()
	t.Cleanup(srv.Close)
	c.URL = srv.URL
	return c
}

func TestProofToCallee(t *testing.T) {
	w := newWorld(t)
	c := serveCallee(t, w.testLog, nil)
	a := w.agent(t, planner, nil)
	given := must(w.operator(t).Grant(t.Context(), agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}}))
	ctx := agent.WithLink(t.Context(), given.Link())
	decided := must(a.Record(ctx, agent.Step{Decision: &agent.Decision{Text: "ask the buyer"}, Asks: buyer}))
	ctx = agent.WithLink(ctx, decided.Link())

	client := &http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: buyer}}
	req := must(http.NewRequestWithContext(ctx, "POST", c.URL+"/orders/a%20b?x=1#y", strings.NewReader("{}")))
	req.Header.Set("Authorization", "Bearer an-access-token")
	for range 2 { // each request has a proof of its own
		resp := must(client.Do(req.Clone(ctx)))
		resp.Body.Close()
		if resp.StatusCode != 200 || !c.ok {
			t.Fatalf("the call gives %d", resp.StatusCode)
		}
	}
	want := callee.Caller{Agent: planner, Instance: a.Instance(), Operator: operator, KeyID: a.KeyID(), Level: "K0", Grant: given.ID, Link: decided.Link()}
	if diff := cmp.Diff(want, c.who); diff != "" {
		t.Errorf("the caller (-want +got):\n%s", diff)
	}
	if c.link != decided.Link() {
		t.Errorf("the context has link %v, want %v", c.link, decided.Link())
	}
	if req.Header.Get(agent.ProofHeader) != "" {
		t.Error("the transport changed its request")
	}
	for name, tr := range map[string]*agent.ProofTransport{"Agent": {Audience: buyer}, "Audience": {Agent: a}} {
		if _, err := tr.RoundTrip(req.Clone(ctx)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// Every way to be refused, with its status and reason.
func TestCalleeRefuses(t *testing.T) {
	w := newWorld(t)
	c := serveCallee(t, w.testLog, nil)
	bound := newKey() // of one instance
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: spki(bound), Agent: planner, Instance: "p-1", Operator: operator}}})
	ended := newKey()
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: spki(ended), Agent: planner, Operator: operator, NotAfter: timestamppb.New(time.Now().Add(300 * time.Millisecond))}}})
	gone := newKey()
	w.bind(planner, gone)
	w.decree(&onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: keyID(gone)}}}})
	time.Sleep(350 * time.Millisecond)

	type attempt struct {
		key   crypto.Signer
		proof credential.Proof
		edit  func(*http.Request)
	}
	good := func() attempt {
		return attempt{key: w.keys[planner], proof: credential.Proof{
			Request: credential.Request{Audience: buyer, Method: "POST", URL: c.URL + "/orders/"},
			Agent:   planner, Instance: "p-1", Expires: time.Now().Add(time.Minute),
		}}
	}
	send := func(t *testing.T, a attempt) (*http.Response, map[string]any) {
		req := must(http.NewRequestWithContext(t.Context(), "POST", c.URL+"/orders/", nil))
		req.Header.Set(agent.ProofHeader, must(credential.SignProof(a.proof, must(record.NewSigner(a.key)))))
		if a.edit != nil {
			a.edit(req)
		}
		resp := must(http.DefaultClient.Do(req))
		defer resp.Body.Close()
		p := map[string]any{}
		if resp.StatusCode != 200 {
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
				t.Fatalf("the answer is no problem: %v", err)
			}
		}
		return resp, p
	}
	if resp, p := send(t, good()); resp.StatusCode != 200 {
		t.Fatalf("a good proof gives %d, %v", resp.StatusCode, p)
	}
	once := good()
	once.proof.ID = "used-twice"
	send(t, once)

	for name, tc := range map[string]struct {
		status int
		reason string
		change func(*attempt)
	}{
		"no proof":   {401, callee.ReasonNoProof, func(a *attempt) { a.edit = func(r *http.Request) { r.Header.Del(agent.ProofHeader) } }},
		"two proofs": {401, callee.ReasonNoProof, func(a *attempt) { a.edit = func(r *http.Request) { r.Header.Add(agent.ProofHeader, "x") } }},
		"no token":   {401, credential.ReasonTokenMalformed, func(a *attempt) { a.edit = func(r *http.Request) { r.Header.Set(agent.ProofHeader, "x") } }},
		"alg none": {401, credential.ReasonAlgNone, func(a *attempt) {
			a.edit = func(r *http.Request) { r.Header.Set(agent.ProofHeader, "eyJhbGciOiJub25lIn0.e30.") }
		}},
		"signature changed": {401, credential.ReasonSignature, func(a *attempt) {
			a.edit = func(r *http.Request) {
				p := r.Header.Get(agent.ProofHeader)
				r.Header.Set(agent.ProofHeader, p[:strings.LastIndex(p, ".")+1]+strings.Repeat("A", 86))
			}
		}},
		"key of nobody":        {401, callee.ReasonUnknownKey, func(a *attempt) { a.key = newKey() }},
		"key of a service":     {401, callee.ReasonOtherCaller, func(a *attempt) { a.key = w.erpKey }},
		"key of another agent": {401, callee.ReasonOtherCaller, func(a *attempt) { a.key = w.keys[buyer] }},
		"key of an instance":   {401, callee.ReasonOtherCaller, func(a *attempt) { a.key, a.proof.Instance = bound, "p-2" }},
		"key that ended":       {401, callee.ReasonKeyEnded, func(a *attempt) { a.key = ended }},
		"key that is revoked":  {401, callee.ReasonKeyEnded, func(a *attempt) { a.key = gone }},
		"another callee":       {401, credential.ReasonAudience, func(a *attempt) { a.proof.Audience = erp }},
		"another method":       {401, credential.ReasonProofRequest, func(a *attempt) { a.proof.Method = "GET" }},
		"another path":         {401, credential.ReasonProofRequest, func(a *attempt) { a.proof.URL = c.URL + "/other" }},
		"another host":         {401, credential.ReasonProofRequest, func(a *attempt) { a.proof.URL = "http://other.example.com/orders/" }},
		"a token not bound": {401, credential.ReasonProofRequest, func(a *attempt) {
			a.edit = func(r *http.Request) { r.Header.Set("Authorization", "Bearer stolen") }
		}},
		"a token that is gone": {401, credential.ReasonProofRequest, func(a *attempt) { a.proof.AccessToken = credential.TokenDigest("t") }},
		"expired":              {401, credential.ReasonExpired, func(a *attempt) { a.proof.Expires = time.Now().Add(-2 * time.Minute) }},
		"valid for too long":   {401, credential.ReasonProofLife, func(a *attempt) { a.proof.Expires = time.Now().Add(time.Hour) }},
		"used before":          {401, callee.ReasonReplay, func(a *attempt) { a.proof.ID = "used-twice" }},
		"a link that is none":  {400, callee.ReasonLink, func(a *attempt) { a.edit = func(r *http.Request) { r.Header.Set(agent.Header, "x") } }},
	} {
		t.Run(name, func(t *testing.T) {
			a := good()
			tc.change(&a)
			resp, p := send(t, a)
			if resp.StatusCode != tc.status || p["reason"] != tc.reason || p["next"] == "" {
				t.Errorf("the call gives %d, %v, want %d and %s", resp.StatusCode, p, tc.status, tc.reason)
			}
			if got := resp.Header.Get("WWW-Authenticate"); (got != "") != (tc.status == 401) {
				t.Errorf("WWW-Authenticate is %q", got)
			}
		})
	}
}

// A revocation takes effect within the time that Config.TTL says, and a ledger
// that is away lets nobody new in.
func TestCalleeForgets(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int64
	var down atomic.Bool
	c := serveCallee(t, w.testLog, func(cfg *callee.Config) {
		cfg.TTL, cfg.Timeout = 300*time.Millisecond, 200*time.Millisecond
		cfg.Ledger = w.client(t, func(cc *agent.ClientConfig) {
			cc.HTTPClient = &http.Client{Transport: tamper(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
				if down.Load() {
					return nil, errLost
				}
				if strings.HasSuffix(req.URL.Path, "/GetKey") {
					asked.Add(1)
				}
				return next.RoundTrip(req)
			})}
		})
	})
	a := w.agent(t, planner, nil)
	client := &http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: buyer}}
	get := func() int {
		resp := must(client.Get(c.URL + "/orders/"))
		resp.Body.Close()
		return resp.StatusCode
	}
	for range 5 {
		if got := get(); got != 200 {
			t.Fatalf("the call gives %d", got)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the ledger was asked %d times for one key, want once", n)
	}
	w.decree(&onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: planner}}}})
	time.Sleep(310 * time.Millisecond)
	if got := get(); got != 401 {
		t.Errorf("after the revocation and the TTL the call gives %d, want 401", got)
	}
	down.Store(true)
	time.Sleep(310 * time.Millisecond)
	if got := get(); got != 503 {
		t.Errorf("without the ledger the call gives %d, want 503", got)
	}
}

// A ledger, or whoever stands in its place, cannot make up a binding.
func TestCalleeChecksBinding(t *testing.T) {
	w := newWorld(t)
	for name, swap := range map[string]string{"another key's entry": keyID(w.keys[buyer]), "no key's entry": ""} {
		c := serveCallee(t, w.testLog, func(cfg *callee.Config) {
			cfg.Timeout = 200 * time.Millisecond
			cfg.Ledger = w.client(t, func(cc *agent.ClientConfig) {
				cc.HTTPClient = &http.Client{Transport: tamper(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
					if strings.Contains(req.URL.Path, "/GetKey") {
						resp := onusv1.GetKeyResponse{}
						if swap != "" {
							other := must(onusv1connect.NewLedgerServiceClient(http.DefaultClient, w.URL).GetKey(req.Context(), &onusv1.GetKeyRequest{KeyId: swap}))
							resp.Proven = other.GetProven()
						}
						return message(&resp), nil
					}
					return next.RoundTrip(req)
				})}
			})
		})
		client := &http.Client{Transport: &agent.ProofTransport{Agent: w.agent(t, planner, nil), Audience: buyer}}
		resp := must(client.Get(c.URL + "/orders/"))
		resp.Body.Close()
		if resp.StatusCode != 503 {
			t.Errorf("%s: the call gives %d, want 503", name, resp.StatusCode)
		}
	}
}

func TestCalleeChecksGrants(t *testing.T) {
	w := newWorld(t)
	c := serveCallee(t, w.testLog, func(cfg *callee.Config) { cfg.CheckGrants, cfg.TTL = true, time.Nanosecond })
	op := w.operator(t)
	a := w.agent(t, planner, nil)
	grant := func(d agent.Delegation) record.ID {
		d.Scope = []agent.Scope{orders}
		return must(op.Grant(t.Context(), d)).ID
	}
	revoked := grant(agent.Delegation{Agent: planner})
	must(op.RevokeGrant(t.Context(), revoked, "over"))
	short := agent.Link{Record: record.ID{1}, Origin: origin, Grant: grant(agent.Delegation{Agent: buyer, MaxDepth: 1, Expires: time.Now().Add(-time.Minute)})}
	below := must(w.agent(t, buyer, nil).Delegate(agent.WithLink(t.Context(), short), planner, orders)).Grant
	for name, tc := range map[string]struct {
		grant  record.ID
		status int
		text   string
	}{
		"none":             {record.ID{}, 200, ""},
		"the caller's":     {grant(agent.Delegation{Agent: planner}), 200, ""},
		"its instance's":   {grant(agent.Delegation{Agent: planner, Instance: a.Instance()}), 200, ""},
		"another's":        {grant(agent.Delegation{Agent: buyer}), 403, "was given to " + buyer},
		"another instance": {grant(agent.Delegation{Agent: planner, Instance: "p-9"}), 403, `was given to instance "p-9"`},
		"expired":          {grant(agent.Delegation{Agent: planner, Expires: time.Now().Add(-time.Minute)}), 403, "has expired"},
		"above expired":    {below, 403, "when what it rests on expired"},
		"not in force yet": {grant(agent.Delegation{Agent: planner, NotBefore: time.Now().Add(time.Hour)}), 403, "not in force yet"},
		"revoked":          {revoked, 403, "is revoked"},
		"no grant":         {must(a.Record(t.Context(), intent("x"))).ID, 403, "no grant in the log"},
		"not in the log":   {record.ID{1}, 403, "no grant in the log"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := agent.WithLink(t.Context(), agent.Link{Record: record.ID{1}, Origin: origin, Grant: tc.grant})
			client := &http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: buyer}}
			resp := must(client.Do(must(http.NewRequestWithContext(ctx, "GET", c.URL+"/orders/", nil))))
			body := string(must(io.ReadAll(resp.Body)))
			resp.Body.Close()
			if resp.StatusCode != tc.status || !strings.Contains(body, strings.ReplaceAll(tc.text, `"`, `\"`)) {
				t.Errorf("the call gives %d, %s, want %d", resp.StatusCode, body, tc.status)
			}
		})
	}
}

// rpcs is a Connect service that notes who calls.
type rpcs struct {
	onusv1connect.UnimplementedLedgerServiceHandler
	who callee.Caller
}

func (s *rpcs) GetCheckpoint(ctx context.Context, _ *onusv1.GetCheckpointRequest) (*onusv1.GetCheckpointResponse, error) {
	s.who, _ = callee.From(ctx)
	return &onusv1.GetCheckpointResponse{}, nil
}

func (s *rpcs) Follow(ctx context.Context, _ *onusv1.FollowRequest, out *connect.ServerStream[onusv1.FollowResponse]) error {
	s.who, _ = callee.From(ctx)
	return out.Send(&onusv1.FollowResponse{First: 7})
}

func TestCalleeConnect(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewUnstartedServer(nil)
	gate := must(callee.New(callee.Config{Ledger: w.client(t, nil), Audience: buyer, URL: "http://" + srv.Listener.Addr().String()}))
	s := &rpcs{}
	_, srv.Config.Handler = onusv1connect.NewLedgerServiceHandler(s, connect.WithInterceptors(gate.Interceptor()))
	srv.Start()
	defer srv.Close()
	a := w.agent(t, planner, nil)
	for name, tc := range map[string]struct {
		client *http.Client
		opts   []connect.ClientOption
		ok     bool
	}{
		"proof":    {&http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: buyer}}, nil, true},
		"by GET":   {&http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: buyer}}, []connect.ClientOption{connect.WithHTTPGet()}, true},
		"no proof": {http.DefaultClient, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			client := onusv1connect.NewLedgerServiceClient(tc.client, srv.URL, tc.opts...)
			_, unary := client.GetCheckpoint(t.Context(), &onusv1.GetCheckpointRequest{})
			first := s.who
			stream, err := client.Follow(t.Context(), &onusv1.FollowRequest{})
			if err == nil {
				stream.Receive()
				err = stream.Err()
				stream.Close()
			}
			if tc.ok {
				if unary != nil || err != nil || first.Agent != planner || s.who.Agent != planner {
					t.Errorf("the calls give %v, %v, by %v, %v", unary, err, first, s.who)
				}
				return
			}
			for _, err := range []error{unary, err} {
				var ce *connect.Error
				if !errors.As(err, &ce) || ce.Code() != connect.CodeUnauthenticated || len(ce.Details()) != 1 || ce.Meta().Get("WWW-Authenticate") == "" {
					t.Errorf("without a proof: %v", err)
				}
			}
		})
	}
}

func TestCalleeNewRefuses(t *testing.T) {
	w := newTestLog(t)
	for want, edit := range map[string]func(*callee.Config){
		"Ledger":   func(c *callee.Config) { c.Ledger = nil },
		"Audience": func(c *callee.Config) { c.Audience = "" },
		"URL":      func(c *callee.Config) { c.URL = "buyer.example.com" },
		"URL is":   func(c *callee.Config) { c.URL = "https://buyer.example.com?x" },
		"Agent":    func(c *callee.Config) { c.Agent = "buyer" },
		"TTL":      func(c *callee.Config) { c.TTL = -1 },
	} {
		cfg := callee.Config{Ledger: w.client(t, nil), Audience: buyer, URL: "https://buyer.example.com"}
		edit(&cfg)
		if _, err := callee.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New gives %v, want an error about %s", err, want)
		}
	}
}
