package peers

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin   = "log.example.com/agents"
	operator = "it/platform"
	agentID  = "spiffe://example.com/k8s-agent"
)

// served is a real ledger behind a real port.
type served struct {
	t      testing.TB
	ledger *ledger.Ledger
	key    tree.LogKey
	logKey ed25519.PrivateKey
	url    string // with a slash at the end
	agent  record.Signer
}

// serveLog starts a ledger with nothing but its genesis. tweak may change the
// server.
func serveLog(t testing.TB, tweak func(*rpc.Server)) *served {
	t.Helper()
	admin := newSigner(t)
	_, logKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s := &served{t: t, logKey: logKey, agent: newSigner(t)}
	s.key, err = tree.NewLogKey(origin, logKey.Public().(ed25519.PublicKey))
	must(t, err)
	genesis, err := ledger.NewGenesis(s.key, []ledger.Administrator{{Name: "root", Key: admin.Public()}}, ledger.DefaultPolicy(), admin, time.Now())
	must(t, err)
	content := make([]byte, 32)
	rand.Read(content)
	s.ledger, err = ledger.Create(ledger.Config{Dir: "db", FS: vfs.NewMem(), Signer: logKey, ContentKey: content}, genesis)
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.url = "http://" + ln.Addr().String() + "/"
	srv := &rpc.Server{Ledger: s.ledger}
	if tweak != nil {
		tweak(srv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, s.ledger.Close()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	for _, reg := range []*onusv1.Registration{
		{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: operator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}},
		{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: agentID, Operator: operator, DisplayName: "Kubernetes helper"}}},
		{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: s.agent.Public().SPKI(), Agent: agentID, Operator: operator}}},
	} {
		r, err := record.Sign(&onusv1.Record{
			Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Administrator: "root"},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Registration{Registration: reg},
		}, admin)
		must(t, err)
		_, err = s.ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope})
		must(t, err)
	}
	return s
}

// growTo has the agent log records until the log has size entries.
func (s *served) growTo(size int64) {
	s.t.Helper()
	subs := make([]ledger.Submission, max(0, size-s.ledger.Size()))
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := w; i < len(subs); i += runtime.GOMAXPROCS(0) {
				payload, err := proto.Marshal(&onusv1.Record{
					Origin: origin, Nonce: ledger.NewNonce(),
					Author:  &onusv1.Author{Agent: agentID, Instance: "bulk", Operator: operator, KeyId: s.agent.Public().ID()},
					Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
					Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
						Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get"}}}},
				})
				if err != nil {
					s.t.Error(err)
					return
				}
				subs[i].Envelope = record.Envelope{Type: record.TypeProtobuf, Payload: payload}
				if subs[i].Envelope.Signature, err = s.agent.Sign(subs[i].Envelope.PAE()); err != nil {
					s.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for chunk := range slices.Chunk(subs, 4096) {
		for i, res := range s.ledger.SubmitBatch(context.Background(), chunk) {
			if res.Err != nil {
				s.t.Fatalf("SubmitBatch[%d]: %v", i, res.Err)
			}
		}
	}
	if got := s.ledger.Size(); got != size {
		s.t.Fatalf("the log has %d entries, want %d", got, size)
	}
}

// verifier is the log's key as x/mod has it.
func (s *served) verifier() note.Verifier {
	s.t.Helper()
	v, err := note.NewVerifier(s.key.String())
	must(s.t, err)
	return v
}

// root returns the log's root as it is signed.
func (s *served) root() tree.Hash {
	s.t.Helper()
	c, err := s.key.Open(s.ledger.Checkpoint())
	must(s.t, err)
	return c.Root
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
