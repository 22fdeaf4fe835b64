package rpc_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin   = "example.com/log"
	operator = "it/platform"
	agentID  = "spiffe://example.com/k8s-agent"
)

// server is a real ledger in memory behind a real port.
type server struct {
	t      testing.TB
	url    string
	key    tree.LogKey
	ledger *ledger.Ledger
	admin  record.Signer
	agent  record.Signer
	client onusv1connect.LedgerServiceClient
	// stop shuts the server down and returns what Serve returned.
	stop func() error

	sequence int64
	previous string
}

func newServer(t testing.TB, tweak func(*rpc.Server)) *server {
	t.Helper()
	return newServerWith(t, nil, nil, tweak)
}

// newServerWith also changes the log's policy and the ledger's configuration.
func newServerWith(t testing.TB, policy func(*onusv1.Policy), config func(*ledger.Config), tweak func(*rpc.Server)) *server {
	t.Helper()
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	host, err := record.NewSigner(hostKey)
	must(t, err)
	_, logKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s := &server{t: t, admin: newSigner(t), agent: newSigner(t)}
	s.key, err = tree.NewLogKey(origin, logKey.Public().(ed25519.PublicKey))
	must(t, err)
	p := ledger.DefaultPolicy()
	if policy != nil {
		policy(p)
	}
	genesis, err := ledger.NewHostedGenesis(s.key, host.Public(), []ledger.Administrator{{Name: "root", Key: s.admin.Public()}}, p, s.admin, time.Now())
	must(t, err)
	content := make([]byte, 32)
	rand.Read(content)
	cfg := ledger.Config{Dir: "db", FS: vfs.NewMem(), Signer: logKey, HostKey: hostKey, ContentKey: content}
	if config != nil {
		config(&cfg)
	}
	s.ledger, err = ledger.Create(cfg, genesis)
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := &rpc.Server{Ledger: s.ledger}
	if tweak != nil {
		tweak(srv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	stopped := false
	s.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return errors.Join(<-done, s.ledger.Close())
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	s.url = "http://" + ln.Addr().String()
	s.client = onusv1connect.NewLedgerServiceClient(http.DefaultClient, s.url)
	s.enrol(operator, agentID, s.agent)
	return s
}

func (s *server) enrol(op, agent string, key record.Signer) {
	s.t.Helper()
	for _, reg := range []*onusv1.Registration{
		{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: op, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}},
		{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: agent, Operator: op, DisplayName: "Kubernetes helper"}}},
		{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: key.Public().SPKI(), Agent: agent, Operator: op}}},
	} {
		r, err := record.Sign(&onusv1.Record{
			Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Administrator: "root"},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Registration{Registration: reg},
		}, s.admin)
		must(s.t, err)
		_, err = s.ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope})
		must(s.t, err)
	}
}

// message returns the agent's next record, unsigned.
func (s *server) message() *onusv1.Record {
	return &onusv1.Record{
		Origin: origin, Nonce: ledger.NewNonce(),
		Author:  &onusv1.Author{Agent: agentID, Instance: "pod-1", Operator: operator},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Sequence: s.sequence, Previous: s.previous,
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
			Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get", Location: "https://k8s.example.com/shop", Identifier: fmt.Sprint(s.sequence)}}}},
	}
}

// next signs the agent's next record.
func (s *server) next(edit func(*onusv1.Record)) *record.Record {
	s.t.Helper()
	m := s.message()
	if edit != nil {
		edit(m)
	}
	r, err := record.Sign(m, s.agent)
	must(s.t, err)
	s.sequence++
	s.previous = r.ID.String()
	return r
}

func newSigner(t testing.TB) record.Signer {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s, err := record.NewSigner(priv)
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// problem returns the code and the problem of an error.
func problem(t testing.TB, err error) (connect.Code, *onusv1.Problem) {
	t.Helper()
	var ce *connect.Error
	if !errors.As(err, &ce) {
		t.Fatalf("got %v, want a Connect error", err)
	}
	for _, d := range ce.Details() {
		if v, err := d.Value(); err == nil {
			if p, ok := v.(*onusv1.Problem); ok {
				return ce.Code(), p
			}
		}
	}
	t.Fatalf("%v has no problem attached", err)
	return 0, nil
}
