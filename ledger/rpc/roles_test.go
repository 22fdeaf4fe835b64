package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	plannerID = "spiffe://example.com/planner" // of the same operator as agentID
	hrAgentID = "spiffe://example.com/hr-agent"
	hr        = "hr"
)

// callers are one of each role, and two who own nothing.
var callers = map[string]identity.Caller{
	"agent":         {Name: "the-agent", Role: identity.Agent, Scope: agentID},
	"operator":      {Name: "the-operator", Role: identity.Operator, Scope: operator},
	"auditor":       {Name: "the-auditor", Role: identity.Auditor},
	"compliance":    {Name: "the-board", Role: identity.Compliance},
	"administrator": {Name: "root", Role: identity.Administrator},
	"strange agent": {Name: "stranger", Role: identity.Agent, Scope: "spiffe://example.com/nobody"},
	"hr":            {Name: "the-hr", Role: identity.Operator, Scope: hr},
}

// world is a ledger with a chain that crosses two operators, and a caller of
// each role.
type world struct {
	*server
	srv    *rpc.Server
	file   string
	tokens map[string]string
	log    *logBuffer
	// base carries the calls; gRPC needs HTTP/2.
	base http.RoundTripper
	// One chain: an intent of agentID with a content, an action of plannerID,
	// an action of hrAgentID, an outcome of agentID below it. And a record of
	// hrAgentID alone.
	intent, plan, foreign, back, apart logged
	// grant is the operator's, to agentID.
	grant   logged
	hrKey   record.Signer // of hrAgentID
	secrets map[string]string
}

type logged struct {
	id    string
	index int64
}

func newWorld(t *testing.T, tweak func(*rpc.Server)) *world {
	t.Helper()
	return newWorldWith(t, nil, nil, tweak)
}

func newWorldWith(t *testing.T, policy func(*onusv1.Policy), config func(*ledger.Config), tweak func(*rpc.Server)) *world {
	t.Helper()
	w := &world{file: filepath.Join(t.TempDir(), "tokens"), tokens: map[string]string{}, log: &logBuffer{}, base: http.DefaultTransport, secrets: map[string]string{}}
	for name, c := range callers {
		token, hash := identity.NewToken()
		must(t, identity.AppendLine(w.file, identity.Line{Caller: c, Hash: hash}))
		w.tokens[name] = token
	}
	tokens, err := identity.OpenTokens(w.file)
	must(t, err)
	w.server = newServerWith(t, policy, config, func(srv *rpc.Server) {
		w.srv = srv
		srv.Identity = identity.InOrder{tokens, identity.Certificates{Tokens: tokens}}
		srv.Logger = slog.New(slog.NewTextHandler(w.log, nil))
		if tweak != nil {
			tweak(srv)
		}
	})
	planner, hrAgent := newSigner(t), newSigner(t)
	w.hrKey = hrAgent
	w.enrol(operator, plannerID, planner)
	w.enrol(hr, hrAgentID, hrAgent)
	w.intent = w.record(agentID, operator, w.agent, "")
	w.plan = w.record(plannerID, operator, planner, w.intent.id)
	w.foreign = w.record(hrAgentID, hr, hrAgent, w.plan.id)
	w.back = w.record(agentID, operator, w.agent, w.foreign.id)
	w.apart = w.record(hrAgentID, hr, hrAgent, "")
	w.trust()
	w.grant = w.give(operator, agentID)
	return w
}

// record logs a record with a content. The first of an instance needs no
// sequence, so each has an instance of its own.
func (w *world) record(agent, op string, key record.Signer, parent string) logged {
	w.t.Helper()
	secret := fmt.Sprintf("words of %s, %d", agent, len(w.secrets))
	text, content := record.NewText([]byte(secret))
	r, err := record.Sign(&onusv1.Record{
		Origin: origin, Nonce: ledger.NewNonce(), Parent: parent,
		Author:  &onusv1.Author{Agent: agent, Instance: fmt.Sprintf("i-%d", len(w.secrets)), Operator: op},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: text}}},
	}, key)
	must(w.t, err)
	l, err := w.ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope, Contents: []*onusv1.Content{content}})
	must(w.t, err)
	w.secrets[r.ID.String()] = secret
	return logged{r.ID.String(), l.Receipt.GetIndex()}
}

// give logs an operator's grant to an agent, signed with a new key of the
// operator.
func (w *world) give(op, agent string) logged {
	w.t.Helper()
	key := newSigner(w.t)
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: key.Public().SPKI(), Operator: op}}})
	return w.log1(key, &onusv1.Record{Author: &onusv1.Author{Operator: op}, Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: agent, MaxDepth: 2,
		Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}, MaxTotal: "100", Unit: "EUR"}}}}})
}

// log1 signs and logs one record.
func (s *server) log1(key record.Signer, m *onusv1.Record) logged {
	s.t.Helper()
	m.Origin, m.Nonce, m.ClaimedTime = origin, ledger.NewNonce(), timestamppb.Now()
	m.Capture = onusv1.Capture_CAPTURE_SELF
	r, err := record.Sign(m, key)
	must(s.t, err)
	l, err := s.ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope})
	must(s.t, err)
	return logged{r.ID.String(), l.Receipt.GetIndex()}
}

// register logs a registration.
func (s *server) register(reg *onusv1.Registration) logged {
	s.t.Helper()
	return s.log1(s.admin, &onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Registration{Registration: reg}})
}

// withToken sends a token.
type withToken struct {
	base  http.RoundTripper
	token string
}

func (t withToken) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+t.token)
	}
	return t.base.RoundTrip(req)
}

func (w *world) as(caller string, opts ...connect.ClientOption) onusv1connect.LedgerServiceClient {
	return onusv1connect.NewLedgerServiceClient(&http.Client{Transport: withToken{w.base, w.tokens[caller]}}, w.url, opts...)
}

// logBuffer is what the server logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// answer names what came of a call.
func answer(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "ok"
	}
	code, p := problem(t, err)
	if p.GetNext() == "" {
		t.Errorf("%v does not say what to do", err)
	}
	want := map[connect.Code]string{connect.CodeUnauthenticated: "UNAUTHENTICATED", connect.CodePermissionDenied: "NOT_PERMITTED"}[code]
	if p.GetReason() != want {
		t.Errorf("%v: reason %q, want %q", err, p.GetReason(), want)
	}
	return code.String()
}

// checkLog holds the server's log to the rule that no token is ever in it.
func (w *world) checkLog() {
	w.t.Helper()
	text := w.log.String()
	for name, token := range w.tokens {
		if strings.Contains(text, token) || strings.Contains(text, strings.TrimPrefix(token, "onus_")[:16]) {
			w.t.Errorf("the token of %s is in the log", name)
		}
	}
}
