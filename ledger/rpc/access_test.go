package rpc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/record"
)

type call func(context.Context, onusv1connect.LedgerServiceClient) error

// calls makes one call of each procedure, on a record of agentID.
func (w *world) calls() map[string]call {
	type client = onusv1connect.LedgerServiceClient
	return map[string]call{
		"Submit": func(ctx context.Context, c client) error {
			_, err := c.Submit(ctx, &onusv1.SubmitRequest{Envelope: w.next(nil).Envelope.Proto()})
			return err
		},
		"SubmitBatch": func(ctx context.Context, c client) error {
			_, err := c.SubmitBatch(ctx, &onusv1.SubmitBatchRequest{Items: []*onusv1.SubmitRequest{{Envelope: w.next(nil).Envelope.Proto()}}})
			return err
		},
		"SubmitStream": func(ctx context.Context, c client) error {
			st, err := c.SubmitStream(ctx)
			if err != nil {
				return err
			}
			defer st.CloseResponse()
			if err := st.Send(&onusv1.SubmitStreamRequest{Items: []*onusv1.SubmitRequest{{Envelope: w.next(nil).Envelope.Proto()}}}); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			st.CloseRequest()
			_, err = st.Receive()
			return err
		},
		"Mint": func(ctx context.Context, c client) error {
			_, err := c.Mint(ctx, &onusv1.MintRequest{Kind: onusv1.NameKind_NAME_KIND_USER, Names: []string{"sre@example.com"}})
			return err
		},
		"GetRecord": func(ctx context.Context, c client) error {
			_, err := c.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: w.intent.id}})
			return err
		},
		"ListRecords": func(ctx context.Context, c client) error {
			_, err := c.ListRecords(ctx, &onusv1.ListRecordsRequest{})
			return err
		},
		"GetReceipt": func(ctx context.Context, c client) error {
			_, err := c.GetReceipt(ctx, &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Index{Index: w.intent.index}})
			return err
		},
		"GetInclusion": func(ctx context.Context, c client) error {
			_, err := c.GetInclusion(ctx, &onusv1.GetInclusionRequest{Index: w.foreign.index})
			return err
		},
		"GetConsistency": func(ctx context.Context, c client) error {
			_, err := c.GetConsistency(ctx, &onusv1.GetConsistencyRequest{First: 1})
			return err
		},
		"GetCheckpoint": func(ctx context.Context, c client) error {
			_, err := c.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{})
			return err
		},
		"GetStatus": func(ctx context.Context, c client) error {
			_, err := c.GetStatus(ctx, &onusv1.GetStatusRequest{})
			return err
		},
		"GetChain": func(ctx context.Context, c client) error {
			_, err := c.GetChain(ctx, &onusv1.GetChainRequest{Id: w.foreign.id})
			return err
		},
		"Follow": func(ctx context.Context, c client) error {
			st, err := c.Follow(ctx, &onusv1.FollowRequest{Until: 3})
			if err != nil {
				return err
			}
			defer st.Close()
			n := 0
			for st.Receive() {
				n += len(st.Msg().GetEntries())
			}
			if st.Err() != nil && n > 0 {
				w.t.Errorf("Follow sent %d entries, and then: %v", n, st.Err())
			}
			return st.Err()
		},
		"ListAgents": func(ctx context.Context, c client) error {
			_, err := c.ListAgents(ctx, &onusv1.ListAgentsRequest{})
			return err
		},
		"Enrol": func(ctx context.Context, c client) error {
			key := newSigner(w.t)
			_, err := c.Enrol(ctx, &onusv1.EnrolRequest{Envelope: w.enrolment(key, func(k *onusv1.KeyBinding) {
				k.Credential = &onusv1.KeyBinding_Svid{Svid: w.svid(agentID, key)}
			})})
			return err
		},
		"ListRegistrations": func(ctx context.Context, c client) error {
			_, err := c.ListRegistrations(ctx, &onusv1.ListRegistrationsRequest{})
			return err
		},
		"ListPending": func(ctx context.Context, c client) error {
			_, err := c.ListPending(ctx, &onusv1.ListPendingRequest{})
			return err
		},
		"GetKey": func(ctx context.Context, c client) error {
			_, err := c.GetKey(ctx, &onusv1.GetKeyRequest{KeyId: w.server.agent.Public().ID()})
			return err
		},
		"ListGrants": func(ctx context.Context, c client) error {
			_, err := c.ListGrants(ctx, &onusv1.ListGrantsRequest{})
			return err
		},
		"GetGrant": func(ctx context.Context, c client) error {
			_, err := c.GetGrant(ctx, &onusv1.GetGrantRequest{Id: w.grant.id})
			return err
		},
		"Check": func(ctx context.Context, c client) error {
			m := w.message()
			m.Sequence, m.Previous = 0, ""
			r, err := record.Sign(m, w.server.agent)
			must(w.t, err)
			_, err = c.Check(ctx, &onusv1.CheckRequest{Envelope: r.Envelope.Proto()})
			return err
		},
		"GetBundle": func(ctx context.Context, c client) error {
			_, err := bundleFile(ctx, c, &onusv1.GetBundleRequest{Ids: []string{w.foreign.id}})
			return err
		},
	}
}

// http1ButStreams speaks HTTP/1.1, and HTTP/2 where that is needed.
type http1ButStreams struct{ streams http.RoundTripper }

func (t http1ButStreams) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == onusv1connect.LedgerServiceSubmitStreamProcedure {
		return t.streams.RoundTrip(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// Every procedure, by every role, over every protocol: what the table says.
// The columns are nobody, a token that is not known, and the roles.
func TestEveryProcedureByEveryRole(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens["unknown"] = "onus_" + strings.Repeat("A", 43)
	columns := []string{"nobody", "unknown", "agent", "operator", "auditor", "compliance", "administrator", "strange agent"}
	table := map[string]string{ // + answered, - permission_denied, ? unauthenticated
		"Submit":         "??++++++",
		"SubmitBatch":    "??++++++",
		"SubmitStream":   "??++++++",
		"Mint":           "??++-+++",
		"GetRecord":      "??+++++-",
		"ListRecords":    "??++++++", // the strange agent gets an empty list
		"GetReceipt":     "??+++++-",
		"GetInclusion":   "??++++++",
		"GetConsistency": "??++++++",
		"GetCheckpoint":  "??++++++",
		"GetStatus":      "??--+++-",
		"GetChain":       "??+++++-",
		"Check":          "??++++++", // who asks has signed what it asks about
		"Follow":         "??--+++-",
		"ListAgents":     "??++++++",

		"Enrol":             "+?++++++", // it brings its own credential
		"ListRegistrations": "??++++++",
		"ListPending":       "??-+--+-",
		"GetKey":            "??++++++",
		"ListGrants":        "??++++++", // the strange agent gets an empty list
		"GetGrant":          "??+++++-",
		"GetBundle":         "??+++++-",
	}
	calls := w.calls()
	methods := onusv1.File_onus_v1_ledger_proto.Services().ByName("LedgerService").Methods()
	for i := range methods.Len() {
		if name := string(methods.Get(i).Name()); table[name] == "" || calls[name] == nil {
			t.Errorf("who may call %s is not in this test", name)
		}
	}
	words := map[byte]string{'+': "ok", '-': "permission_denied", '?': "unauthenticated"}
	denied := int64(0)
	for protocol, opts := range map[string][]connect.ClientOption{
		"connect": nil, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()},
		"JSON by GET": {connect.WithHTTPGet(), connect.WithProtoJSON()},
	} {
		w.base = http1ButStreams{h2c().Transport}
		if protocol == "gRPC" {
			w.base = h2c().Transport
		}
		for method, row := range table {
			for i, caller := range columns {
				before := w.ledger.Size()
				got, want := answer(t, calls[method](context.Background(), w.as(caller, opts...))), words[row[i]]
				if got != want {
					t.Errorf("%s by %s (%s): %s, want %s", method, caller, protocol, got, want)
				}
				if want != "ok" {
					denied++
					if w.ledger.Size() != before {
						t.Errorf("%s by %s was denied, and left a trace", method, caller)
					}
				}
			}
		}
	}
	if got := w.srv.Denied(); got != denied {
		t.Errorf("%d calls are counted as denied, want %d", got, denied)
	}
	w.checkLog()
	for _, want := range []string{
		"procedure=/onus.v1.LedgerService/Follow caller=the-agent role=agent=" + agentID + " reason=NOT_PERMITTED",
		"procedure=/onus.v1.LedgerService/Mint caller=the-auditor role=auditor reason=NOT_PERMITTED",
		`procedure=/onus.v1.LedgerService/GetRecord caller="" role=nobody reason=UNAUTHENTICATED`,
		"procedure=/onus.v1.LedgerService/GetChain caller=stranger",
	} {
		if !strings.Contains(strings.ReplaceAll(w.log.String(), `"`+"agent="+agentID+`"`, "agent="+agentID), want) {
			t.Errorf("the log has no line with %s", want)
		}
	}
}

// A denial says which role it takes, and what to do.
func TestDenialsExplain(t *testing.T) {
	w := newWorld(t, nil)
	calls := w.calls()
	for _, c := range []struct{ caller, method, says, next string }{
		{"nobody", "GetRecord", "the call brings no credential", "--token @FILE"},
		{"agent", "Follow", "Follow needs the role auditor, compliance or administrator; the-agent is agent=" + agentID, "ask the ledger's operator"},
		{"auditor", "Mint", "Mint needs the role agent, operator, compliance or administrator; the-auditor is auditor", "ask the ledger's operator"},
		{"strange agent", "GetRecord", "is not a record of agent=spiffe://example.com/nobody", "GetChain shows"},
		{"strange agent", "GetChain", "the chain holds no record of agent=spiffe://example.com/nobody: reading it needs the role auditor", "one of your records"},
	} {
		err := calls[c.method](context.Background(), w.as(c.caller))
		_, p := problem(t, err)
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(p.GetNext(), c.next) {
			t.Errorf("%s by %s: %v; %s", c.method, c.caller, err, p.GetNext())
		}
	}
	// HTTP's own words.
	resp, err := http.Post(w.url+"/onus.v1.LedgerService/GetCheckpoint", "application/json", strings.NewReader("{}"))
	must(t, err)
	resp.Body.Close()
	if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || got != `Bearer realm="onus"` {
		t.Errorf("status %d, WWW-Authenticate %q", resp.StatusCode, got)
	}
}

// Nobody makes the server read a large request before it is known who asks.
func TestStrangersAreRefusedBeforeTheirMessageIsRead(t *testing.T) {
	w := newWorld(t, nil)
	resp, err := http.Post(w.url+"/onus.v1.LedgerService/Submit", "application/json", strings.NewReader("this is no JSON"))
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", resp.StatusCode)
	}
}

func TestWhatIsPublic(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/checkpoint", "/livez", "/readyz"} {
		resp, err := http.Get(w.url + path)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	resp, err := http.Post(w.url+"/grpc.health.v1.Health/Check", "application/json", strings.NewReader("{}"))
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("health: %d", resp.StatusCode)
	}
	// Reflection is for whoever is known.
	for caller, want := range map[string]connect.Code{"nobody": connect.CodeUnauthenticated, "agent": 0, "auditor": 0} {
		c := grpcreflect.NewClient(&http.Client{Transport: withToken{h2c().Transport, w.tokens[caller]}}, w.url, connect.WithGRPC())
		st := c.NewStream(context.Background())
		_, err := st.ListServices()
		st.Close()
		if got := connect.CodeOf(err); err == nil && want != 0 || err != nil && got != want {
			t.Errorf("reflection by %s: %v, want %v", caller, err, want)
		}
	}
}

// With OpenSubmit a signature is enough to write, and opens nothing else.
func TestOpenSubmit(t *testing.T) {
	w := newWorld(t, func(srv *rpc.Server) { srv.OpenSubmit = true })
	w.base = http1ButStreams{h2c().Transport}
	w.tokens["unknown"] = "onus_" + strings.Repeat("A", 43)
	for method, call := range w.calls() {
		got, want := answer(t, call(context.Background(), w.as("nobody"))), "unauthenticated"
		if strings.HasPrefix(method, "Submit") || method == "Enrol" {
			want = "ok"
			if got := answer(t, call(context.Background(), w.as("unknown"))); got != "unauthenticated" {
				t.Errorf("%s with a token that is not known: %s", method, got)
			}
		}
		if got != want {
			t.Errorf("%s by nobody: %s, want %s", method, got, want)
		}
	}
}

// A deleted line is revoked at the next call; a file that is out of order lets
// nobody in, and says so to the operator alone.
func TestRevocation(t *testing.T) {
	w := newWorld(t, nil)
	get := w.calls()["GetRecord"]
	must(t, get(context.Background(), w.as("auditor")))
	text, err := os.ReadFile(w.file)
	must(t, err)
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "the-auditor ") {
			kept = append(kept, line)
		}
	}
	must(t, os.WriteFile(w.file, []byte(strings.Join(kept, "")), 0o600))
	if got := answer(t, get(context.Background(), w.as("auditor"))); got != "unauthenticated" {
		t.Errorf("revoked: %s", got)
	}
	must(t, get(context.Background(), w.as("agent")))

	must(t, os.WriteFile(w.file, []byte("oh\n"), 0o600))
	err = get(context.Background(), w.as("administrator"))
	code, p := problem(t, err)
	if code != connect.CodeUnavailable || p.GetReason() != "IDENTITY_UNAVAILABLE" || p.GetRetryAfter() == nil || strings.Contains(err.Error(), w.file) {
		t.Errorf("got %v %v", err, p)
	}
	if !strings.Contains(w.log.String(), "line 1: has 1 fields") {
		t.Error("the log does not say what is wrong with the file")
	}
	w.checkLog()
}
