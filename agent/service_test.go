package agent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	"github.com/onus-ledger/onus/agent/service"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"google.golang.org/protobuf/testing/protocmp"
)

var sawOrder = service.Seen{
	Element:   agent.Element{Type: "order", Action: "create", Location: "https://erp.example.com/orders", Amount: "48000", Unit: "EUR", Quantity: "40"},
	RequestID: "po-1",
}

// target is the ERP: a service behind its recorder, and maybe a gate.
type target struct {
	*httptest.Server
	rec *service.Recorder
}

func serveTarget(t testing.TB, w *world, handler http.HandlerFunc, gated bool, edit func(*service.Config)) *target {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	cfg := service.Config{Ledger: w.client(t, nil), Signer: w.erpKey, ID: erp,
		Describe: func(*http.Request) service.Seen { return sawOrder }}
	if edit != nil {
		edit(&cfg)
	}
	rec, err := service.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = rec.Middleware(handler)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of panics that are meant
	if gated {
		gate := must(callee.New(callee.Config{Ledger: w.client(t, nil), Audience: erp, URL: "http://" + srv.Listener.Addr().String()}))
		srv.Config.Handler = gate.Middleware(srv.Config.Handler)
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return &target{srv, rec}
}

// counters are the counter-records in the log, in order.
func (l *testLog) counters(t testing.TB) (all []*onusv1.Record) {
	t.Helper()
	for _, e := range l.audit(t) {
		if e.Record.Msg.GetCounter() != nil {
			all = append(all, e.Record.Msg)
		}
	}
	return all
}

// An agent acts, and the service says what it saw, before the answer is there.
func TestCounterRecord(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	given := must(w.operator(t).Grant(t.Context(), agent.Delegation{Agent: planner, Scope: []agent.Scope{{Type: "order", Action: "create"}}}))
	token := w.token("erp-api", claims{"azp": "planner", "act": claims{"sub": planner, "act": claims{"sub": strings.Repeat("x", 300)}}})
	user, _, err := a.TokenUser(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	for name, gated := range map[string]bool{"proven": true, "said": false} {
		t.Run(name, func(t *testing.T) {
			before := len(w.counters(t))
			s := serveTarget(t, w, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusCreated) }, gated, nil)
			client := &http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: erp}}
			if !gated {
				client.Transport = &agent.Transport{}
			}
			step := order(48000)
			step.Action.RequestID = sawOrder.RequestID
			var action string
			must(a.Do(agent.WithLink(t.Context(), given.Link()), step, func(ctx context.Context) (agent.Outcome, error) {
				link, _ := agent.LinkFrom(ctx)
				action = link.Record.String()
				req := must(http.NewRequestWithContext(ctx, "POST", s.URL+"/orders", nil))
				req.Header.Set("Authorization", "Bearer "+string(token))
				resp := must(client.Do(req))
				resp.Body.Close()
				if n := len(w.counters(t)); n != before+1 {
					t.Errorf("with the answer there are %d counter-records, want %d", n, before+1)
				}
				return agent.Outcome{Target: agent.Allowed}, nil
			}))
			all := w.counters(t)
			m := all[len(all)-1]
			want := &onusv1.CounterRecord{
				Caller: planner, Element: sawOrder.Element.Proto(), ExternalRequestId: "po-1",
				Decision: agent.Allowed, Status: agent.Succeeded,
				Token: &onusv1.TokenFacts{Sub: user, Azp: "planner", Act: []string{planner, m.GetCounter().GetToken().GetAct()[1]}},
			}
			if gated {
				want.CallerInstance, want.CallerKey, want.Grant = a.Instance(), a.KeyID(), given.ID.String()
			}
			if diff := cmp.Diff(want, m.GetCounter(), protocmp.Transform()); diff != "" {
				t.Errorf("the counter-record (-want +got):\n%s", diff)
			}
			if m.GetParent() != action || m.GetParentAgent() != planner || m.GetAuthor().GetService() != erp {
				t.Errorf("the record is %v, want the action as its parent", m)
			}
			if err := s.rec.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// What the status of the answer says, and what the handler says itself.
func TestCounterStatus(t *testing.T) {
	w := newWorld(t)
	const unknown = agent.Unknown
	seen := sawOrder
	seen.Element.Quantity, seen.RequestID, seen.Status = "400", "po-2", agent.Failed
	for name, c := range map[string]struct {
		handler  http.HandlerFunc
		decision onusv1.TargetDecision
		status   onusv1.OutcomeStatus
		quantity string
	}{
		"nothing":      {func(http.ResponseWriter, *http.Request) {}, agent.Allowed, agent.Succeeded, "40"},
		"text":         {func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "done") }, agent.Allowed, agent.Succeeded, "40"},
		"flush":        {func(rw http.ResponseWriter, _ *http.Request) { http.NewResponseController(rw).Flush() }, agent.Allowed, agent.Succeeded, "40"},
		"early hints":  {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(103); rw.WriteHeader(404) }, agent.Allowed, agent.Failed, "40"},
		"redirect":     {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(303) }, agent.Allowed, agent.Succeeded, "40"},
		"bad request":  {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(400) }, agent.Allowed, agent.Failed, "40"},
		"unauthorised": {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(401) }, agent.Denied, agent.Failed, "40"},
		"forbidden":    {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(403) }, agent.Denied, agent.Failed, "40"},
		"broken":       {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) }, agent.Allowed, unknown, "40"},
		"panics":       {func(http.ResponseWriter, *http.Request) { panic("boom") }, agent.Allowed, unknown, "40"},
		"hijacks": {func(rw http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(rw).Hijack()
			if err == nil {
				conn.Close()
			}
		}, agent.Allowed, agent.Succeeded, "40"},
		"says what it saw": {func(rw http.ResponseWriter, req *http.Request) { service.Saw(req.Context(), seen) }, agent.Allowed, agent.Failed, "400"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveTarget(t, w, c.handler, false, nil)
			req := must(http.NewRequest("POST", s.URL, nil))
			req.Header.Set("Authorization", "Bearer "+string(w.token("erp-api", nil)))
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
			if err := s.rec.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := w.counters(t)
			m := all[len(all)-1]
			got := m.GetCounter()
			if got.GetDecision() != c.decision || got.GetStatus() != c.status || got.GetElement().GetQuantity() != c.quantity {
				t.Errorf("the counter-record is %v, want %v, %v, quantity %s", got, c.decision, c.status, c.quantity)
			}
			if got.GetCaller() != "" || m.GetParent() != "" {
				t.Errorf("the counter-record of nobody is %v", m)
			}
			if (got.GetToken() == nil) != (name == "unauthorised") {
				t.Errorf("it says of the token: %v", got.GetToken())
			}
		})
	}
}

// While the ledger is away answers go out late, and when the queue is full
// nothing is done; in the end nothing is lost.
func TestCounterOutage(t *testing.T) {
	w := newWorld(t)
	for name, policy := range map[string]agent.Outage{"wait": agent.Wait, "fail": agent.Fail} {
		t.Run(name, func(t *testing.T) {
			before := len(w.counters(t))
			var down atomic.Bool
			var handled atomic.Int64
			s := serveTarget(t, w, func(http.ResponseWriter, *http.Request) { handled.Add(1) }, false, func(c *service.Config) {
				c.Queue, c.Patience = 2, 50*time.Millisecond
				c.Ledger = w.client(t, func(cc *agent.ClientConfig) {
					cc.OnOutage, cc.Patience = policy, 60*time.Millisecond
					cc.HTTPClient = &http.Client{Transport: tamper(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
						if down.Load() {
							return nil, errLost
						}
						return next.RoundTrip(req)
					})}
				})
			})
			get := func() int {
				resp := must(http.Get(s.URL))
				resp.Body.Close()
				return resp.StatusCode
			}
			down.Store(true)
			for range 2 {
				start := time.Now()
				if got := get(); got != 200 || time.Since(start) < 50*time.Millisecond {
					t.Errorf("the answer is %d after %v, want it to have waited", got, time.Since(start))
				}
			}
			if got := get(); got != 503 || handled.Load() != 2 {
				t.Errorf("with a full queue the answer is %d, and %d were handled, want 503 and 2", got, handled.Load())
			}
			short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if name == "fail" { // Close gives up, and says so
				if err := s.rec.Close(short); err == nil || !strings.Contains(err.Error(), "2 requests") {
					t.Errorf("Close gives %v", err)
				}
				return
			}
			down.Store(false)
			if err := s.rec.Close(t.Context()); err != nil {
				t.Errorf("Close gives %v", err)
			}
			if n := len(w.counters(t)); n != before+2 {
				t.Errorf("there are %d counter-records, want %d", n, before+2)
			}
			if got := get(); got != 503 {
				t.Errorf("after Close the answer is %d", got)
			}
		})
	}
}

// What the ledger will not log is lost, and not silently.
func TestCounterLost(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var failed []error
	s := serveTarget(t, w, func(http.ResponseWriter, *http.Request) {}, false, func(c *service.Config) {
		c.Signer = newKey() // of nobody
		c.Failed = func(err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err)
		}
	})
	must(http.Get(s.URL)).Body.Close()
	if err := s.rec.Close(t.Context()); err == nil || s.rec.Lost() != 1 || len(failed) != 1 {
		t.Errorf("Close gives %v, %d are lost, %v", err, s.rec.Lost(), failed)
	}
	// By default the log hears of it.
	var log bytes.Buffer
	s = serveTarget(t, w, func(http.ResponseWriter, *http.Request) {}, false, func(c *service.Config) {
		c.Signer, c.Logger = newKey(), slog.New(slog.NewTextHandler(&log, nil))
	})
	must(http.Get(s.URL)).Body.Close()
	if err := s.rec.Close(t.Context()); err == nil || !strings.Contains(log.String(), "counter-record lost") {
		t.Errorf("Close gives %v, the log says %q", err, log.String())
	}
}

// A service that is revoked goes on saying what it saw: it is logged, flagged.
func TestCounterOfRevoked(t *testing.T) {
	w := newWorld(t)
	w.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: keyID(w.erpKey)}})
	s := serveTarget(t, w, func(http.ResponseWriter, *http.Request) {}, false, nil)
	must(http.Get(s.URL)).Body.Close()
	if err := s.rec.Close(t.Context()); err != nil || len(w.counters(t)) != 1 {
		t.Errorf("Close gives %v, with %d counter-records", err, len(w.counters(t)))
	}
}

func TestCounterBadLink(t *testing.T) {
	w := newWorld(t)
	s := serveTarget(t, w, func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }, false, nil)
	req := must(http.NewRequest("GET", s.URL, nil))
	req.Header.Set(agent.Header, "x")
	resp := must(http.DefaultClient.Do(req))
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("a link that is none gives %d", resp.StatusCode)
	}
	// A link of another log is no parent in this one.
	s = serveTarget(t, w, func(http.ResponseWriter, *http.Request) {}, false, nil)
	req.URL = must(req.URL.Parse(s.URL))
	other := someLink
	other.Origin = "other.example.com"
	req.Header.Set(agent.Header, other.String())
	must(http.DefaultClient.Do(req)).Body.Close()
	if all := w.counters(t); len(all) != 1 || all[0].GetParent() != "" || all[0].GetCounter().GetCaller() != planner {
		t.Errorf("the counter-records are %v", all)
	}
}

// countedRPCs is a Connect service behind a recorder.
type countedRPCs struct {
	onusv1connect.UnimplementedLedgerServiceHandler
}

func (countedRPCs) GetCheckpoint(context.Context, *onusv1.GetCheckpointRequest) (*onusv1.GetCheckpointResponse, error) {
	return &onusv1.GetCheckpointResponse{}, nil
}

func (countedRPCs) GetRecord(context.Context, *onusv1.GetRecordRequest) (*onusv1.GetRecordResponse, error) {
	return nil, connect.NewError(connect.CodePermissionDenied, errors.New("no"))
}

func (countedRPCs) Follow(ctx context.Context, _ *onusv1.FollowRequest, out *connect.ServerStream[onusv1.FollowResponse]) error {
	service.Saw(ctx, service.Seen{Element: agent.Element{Type: "entry", Action: "read", Quantity: "2"}})
	return errors.Join(out.Send(&onusv1.FollowResponse{}), out.Send(&onusv1.FollowResponse{}))
}

func TestCounterConnect(t *testing.T) {
	w := newWorld(t)
	rec := must(service.New(service.Config{Ledger: w.client(t, nil), Signer: w.erpKey, ID: erp, DescribeCall: func(req connect.AnyRequest) service.Seen {
		_, method, _ := strings.Cut(strings.TrimPrefix(req.Spec().Procedure, "/"), "/")
		return service.Seen{Element: agent.Element{Type: "rpc", Action: strings.ToLower(method)}}
	}}))
	srv := httptest.NewUnstartedServer(nil)
	_, srv.Config.Handler = onusv1connect.NewLedgerServiceHandler(countedRPCs{}, connect.WithInterceptors(rec.Interceptor()))
	srv.Start()
	defer srv.Close()
	client := onusv1connect.NewLedgerServiceClient(&http.Client{Transport: &agent.Transport{}}, srv.URL)
	ctx := agent.WithLink(t.Context(), someLink)
	if _, err := client.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := client.GetRecord(ctx, &onusv1.GetRecordRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Error(err)
	}
	if _, err := client.GetChain(ctx, &onusv1.GetChainRequest{}); connect.CodeOf(err) != connect.CodeUnimplemented {
		t.Error(err)
	}
	stream, err := client.Follow(ctx, &onusv1.FollowRequest{})
	for err == nil && stream.Receive() {
	}
	if err := errors.Join(err, stream.Err(), stream.Close(), rec.Close(t.Context())); err != nil {
		t.Error(err)
	}
	var got []string
	for _, m := range w.counters(t) {
		c := m.GetCounter()
		got = append(got, strings.Join([]string{c.GetElement().GetType(), c.GetElement().GetAction(), c.GetElement().GetQuantity(), c.GetDecision().String(), c.GetStatus().String()}, " "))
		if m.GetParent() != someLink.Record.String() || c.GetCaller() != planner {
			t.Errorf("the record is %v", m)
		}
	}
	want := []string{
		"rpc getcheckpoint  TARGET_DECISION_ALLOWED OUTCOME_STATUS_SUCCEEDED",
		"rpc getrecord  TARGET_DECISION_DENIED OUTCOME_STATUS_FAILED",
		"rpc getchain  TARGET_DECISION_ALLOWED OUTCOME_STATUS_FAILED",
		"entry read 2 TARGET_DECISION_ALLOWED OUTCOME_STATUS_SUCCEEDED",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counter-records (-want +got):\n%s", diff)
	}
	if _, err := client.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{}); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("after Close a call gives %v", err)
	}
}

func TestServiceNewRefuses(t *testing.T) {
	w := newTestLog(t)
	for want, edit := range map[string]func(*service.Config){
		"Ledger": func(c *service.Config) { c.Ledger = nil },
		"Signer": func(c *service.Config) { c.Signer = nil },
		"ID":     func(c *service.Config) { c.ID = "erp" },
		"Queue":  func(c *service.Config) { c.Queue = -1 },
	} {
		cfg := service.Config{Ledger: w.client(t, nil), Signer: newKey(), ID: erp}
		edit(&cfg)
		if _, err := service.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New gives %v, want an error about %s", err, want)
		}
	}
}
