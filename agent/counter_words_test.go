package agent_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/service"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// A caller cannot word a request so that what it did goes unrecorded.
func TestRequestThatCannotBeRecorded(t *testing.T) {
	w := newWorld(t)
	carried := 0
	s := serveTarget(t, w, func(rw http.ResponseWriter, _ *http.Request) { carried++; rw.WriteHeader(http.StatusCreated) }, false, func(c *service.Config) {
		c.Describe = func(r *http.Request) service.Seen {
			seen := sawOrder
			seen.Element.Identifier = r.URL.Query().Get("sku")
			return seen
		}
	})
	for _, sku := range []string{"laptop", "laptop%E2%80%8B", "laptop%20"} {
		resp := must(http.Post(s.URL+"/orders?sku="+sku, "", nil))
		resp.Body.Close()
		t.Logf("%s: %s", sku, resp.Status)
	}
	s.rec.Close(t.Context())
	if n := len(w.counters(t)); n != carried {
		t.Errorf("%d requests were carried out, %d have a counter-record", carried, n)
	}
}

// Everything that goes into a counter-record is checked before anything is done.
func TestRequestWordedBadly(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		field string
		edit  func(*service.Seen)
	}{
		"zero width in the identifier": {"counter.element.identifier", func(s *service.Seen) { s.Element.Identifier = "laptop\u200b" }},
		"space at its end":             {"counter.element.identifier", func(s *service.Seen) { s.Element.Identifier = "laptop " }},
		"line break in it":             {"counter.element.identifier", func(s *service.Seen) { s.Element.Identifier = "lap\ntop" }},
		"identifier too long":          {"counter.element.identifier", func(s *service.Seen) { s.Element.Identifier = strings.Repeat("x", 257) }},
		"identifier that means any":    {"counter.element.identifier", func(s *service.Seen) { s.Element.Identifier = "*" }},
		"no type":                      {"counter.element.type", func(s *service.Seen) { s.Element.Type = "" }},
		"action with a space":          {"counter.element.action", func(s *service.Seen) { s.Element.Action = "create it" }},
		"location that is none":        {"counter.element.location", func(s *service.Seen) { s.Element.Location = "over there" }},
		"class of data that is empty":  {"counter.element.datatypes[0]", func(s *service.Seen) { s.Element.Datatypes = []string{""} }},
		"amount with an exponent":      {"counter.element.amount", func(s *service.Seen) { s.Element.Amount = "48e3" }},
		"amount with a sign":           {"counter.element.amount", func(s *service.Seen) { s.Element.Amount = "-1" }},
		"amount without a unit":        {"counter.element.unit", func(s *service.Seen) { s.Element.Unit = "" }},
		"quantity of none":             {"counter.element.quantity", func(s *service.Seen) { s.Element.Quantity = "0" }},
		"quantity in words":            {"counter.element.quantity", func(s *service.Seen) { s.Element.Quantity = "forty" }},
		"recipient by name":            {"counter.element.recipient", func(s *service.Seen) { s.Element.Recipient = "Ms Example" }},
		"request id too long":          {"counter.external_request_id", func(s *service.Seen) { s.RequestID = strings.Repeat("x", 257) }},
		"zero width in the request id": {"counter.external_request_id", func(s *service.Seen) { s.RequestID = "po\u200d1" }},
		"status that is none":          {"counter.status", func(s *service.Seen) { s.Status = 99 }},
		"text that is not UTF-8":       {"counter", func(s *service.Seen) { s.RequestID = "\xff" }},
	} {
		t.Run(name, func(t *testing.T) {
			seen := sawOrder
			c.edit(&seen)
			s := serveTarget(t, w, func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }, false, func(cfg *service.Config) {
				cfg.Describe = func(*http.Request) service.Seen { return seen }
			})
			resp := must(http.Get(s.URL))
			defer resp.Body.Close()
			var p struct{ Reason, Field, Detail, Next string }
			err := json.NewDecoder(resp.Body).Decode(&p)
			if err != nil || resp.StatusCode != 400 || p.Reason != record.ReasonInvalid || p.Field != c.field || p.Detail == "" || p.Next == "" {
				t.Errorf("the answer is %d, %+v, %v, want 400 about %s", resp.StatusCode, p, err, c.field)
			}
			if err := s.rec.Close(t.Context()); err != nil {
				t.Error(err)
			}

			// The handler that finds out itself hears it, before it does anything.
			s = serveTarget(t, w, func(rw http.ResponseWriter, req *http.Request) {
				if err := service.Saw(req.Context(), seen); err != nil {
					http.Error(rw, err.Error(), http.StatusBadRequest)
				}
			}, false, nil)
			before := len(w.counters(t))
			resp = must(http.Get(s.URL))
			resp.Body.Close()
			all := w.counters(t)
			if resp.StatusCode != 400 || len(all) != before+1 || all[before].GetCounter().GetExternalRequestId() != sawOrder.RequestID {
				t.Errorf("the answer is %d, and the counter-records are %v, want one with what was seen before", resp.StatusCode, all[before:])
			}
		})
	}
	if err := service.Saw(t.Context(), service.Seen{}); err != nil {
		t.Errorf("without a recorder Saw gives %v", err)
	}
}

// What a caller makes up beside the request's own words does not keep it out of
// the log either.
func TestRequestWithOddCompany(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	long := strings.Repeat("x", 600)
	digest := credential.TokenDigest
	unminted := "u-" + strings.Repeat("a", 26)
	for name, c := range map[string]struct {
		claims    claims
		recipient string
		check     func(*onusv1.CounterRecord) bool
	}{
		"client with a zero-width space": {claims: claims{"azp": "planner\u200b"}, check: func(r *onusv1.CounterRecord) bool { return r.GetToken().GetAzp() == digest("planner\u200b") }},
		"client with a space at its end": {claims: claims{"azp": "planner "}, check: func(r *onusv1.CounterRecord) bool { return r.GetToken().GetAzp() == digest("planner ") }},
		"actor in other letters":         {claims: claims{"act": claims{"sub": "\u3164"}}, check: func(r *onusv1.CounterRecord) bool { return r.GetToken().GetAct()[0] == digest("\u3164") }},
		"user with a name too long":      {claims: claims{"sub": long}, check: func(r *onusv1.CounterRecord) bool { return r.GetToken() == nil || r.GetToken().GetSub() == "" }},
		"recipient that nobody minted": {recipient: unminted, check: func(r *onusv1.CounterRecord) bool {
			return r.GetElement().GetRecipient() == "" && r.GetElement().GetAmount() != ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.counters(t))
			s := serveTarget(t, w, func(http.ResponseWriter, *http.Request) {}, true, func(cfg *service.Config) {
				cfg.Describe = func(*http.Request) service.Seen {
					seen := sawOrder
					seen.Element.Recipient = c.recipient
					return seen
				}
			})
			// A grant that is none, too.
			ctx := agent.WithLink(t.Context(), agent.Link{Record: record.ID{3}, Origin: origin, Grant: record.ID{6}})
			req := must(http.NewRequestWithContext(ctx, "POST", s.URL+"/orders", nil))
			req.Header.Set("Authorization", "Bearer "+string(w.token("erp-api", c.claims)))
			resp := must((&http.Client{Transport: &agent.ProofTransport{Agent: a, Audience: erp}}).Do(req))
			resp.Body.Close()
			if err := s.rec.Close(t.Context()); err != nil || resp.StatusCode != 200 {
				t.Errorf("the answer is %d, Close gives %v", resp.StatusCode, err)
			}
			if all := w.counters(t); len(all) != before+1 || !c.check(all[before].GetCounter()) {
				t.Errorf("the counter-records are %v", all[before:])
			}
		})
	}
}

// The same for Connect: what cannot be recorded is not called, and what nobody
// describes is recorded by its name.
func TestCallThatCannotBeRecorded(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		describe func(connect.AnyRequest) service.Seen
		code     connect.Code
		want     string
	}{
		"worded badly": {func(connect.AnyRequest) service.Seen {
			return service.Seen{Element: agent.Element{Type: "rpc", Action: "get", Quantity: "1e3"}}
		}, connect.CodeInvalidArgument, ""},
		"not described": {nil, 0, "onus.v1.LedgerService:GetCheckpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.counters(t))
			rec := must(service.New(service.Config{Ledger: w.client(t, nil), Signer: w.erpKey, ID: erp, DescribeCall: c.describe}))
			srv := httptest.NewUnstartedServer(nil)
			_, srv.Config.Handler = onusv1connect.NewLedgerServiceHandler(countedRPCs{}, connect.WithInterceptors(rec.Interceptor()))
			srv.Start()
			defer srv.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := onusv1connect.NewLedgerServiceClient(http.DefaultClient, srv.URL).GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{})
			if err != nil && (connect.CodeOf(err) != c.code || !strings.Contains(err.Error(), "counter.element.quantity")) || (err == nil) != (c.code == 0) {
				t.Errorf("the call gives %v, want code %v", err, c.code)
			}
			if err := rec.Close(ctx); err != nil {
				t.Error(err)
			}
			got := ""
			for _, m := range w.counters(t)[before:] {
				got += record.Operation(m.GetCounter().GetElement())
			}
			if got != c.want {
				t.Errorf("the counter-record is of %q, want %q", got, c.want)
			}
		})
	}
}
