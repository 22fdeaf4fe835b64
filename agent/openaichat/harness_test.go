package openaichat_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin   = "log.example.com/imports"
	operator = "airline/service"
	airline  = "spiffe://example.com/airline-agent"
)

// testLog is a real ledger in memory behind the real RPC service, with one
// registered agent.
type testLog struct {
	*ledger.Ledger
	t      testing.TB
	key    tree.LogKey
	admin  record.Signer
	config agent.Config
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newLog(t testing.TB) *testLog {
	t.Helper()
	_, logKey, _ := ed25519.GenerateKey(rand.Reader)
	_, adminKey, _ := ed25519.GenerateKey(rand.Reader)
	_, agentKey, _ := ed25519.GenerateKey(rand.Reader)
	key := must(tree.NewLogKey(origin, logKey.Public().(ed25519.PublicKey)))
	l := &testLog{t: t, key: key, admin: must(record.NewSigner(adminKey))}
	genesis := must(ledger.NewGenesis(key, []ledger.Administrator{{Name: "root", Key: l.admin.Public()}}, ledger.DefaultPolicy(), l.admin, time.Now()))
	content := make([]byte, 32)
	rand.Read(content)
	l.Ledger = must(ledger.Create(ledger.Config{Dir: "db", FS: vfs.NewMem(), Signer: logKey, ContentKey: content}, genesis))

	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- (&rpc.Server{Ledger: l.Ledger}).Serve(ctx, ln) }()
	tr := &http.Transport{}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: operator, Organisation: "Example Air", Unit: "Service", AccountablePost: "Head of Service"}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: airline, Operator: operator, DisplayName: "Airline agent"}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: must(record.NewSigner(agentKey)).Public().SPKI(), Agent: airline, Operator: operator}}})
	l.config = agent.Config{Server: "http://" + ln.Addr().String(), HTTPClient: &http.Client{Transport: tr},
		LogKey: key.String(), Signer: agentKey, Agent: airline, Operator: operator}
	return l
}

func (l *testLog) register(reg *onusv1.Registration) {
	r := must(record.Sign(&onusv1.Record{
		Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Administrator: "root"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Registration{Registration: reg},
	}, l.admin))
	must(l.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope}))
}

// audit checks the whole log as an auditor does.
func (l *testLog) audit() {
	l.t.Helper()
	cp := must(l.key.Open(l.Checkpoint()))
	a := verifier.NewAudit()
	err := l.Follow(context.Background(), 0, cp.Size, func(_ int64, entries [][]byte) error {
		a.Add(entries)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := a.Matches(cp, l.key); err != nil {
		l.t.Errorf("audit: %v", err)
	}
	for _, f := range a.Report().Faults {
		l.t.Errorf("audit: %v", f)
	}
}
