package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// harness is a ledger in memory with one administrator, one operator and one
// agent, and the keys of all.
type harness struct {
	t      testing.TB
	cfg    Config
	key    tree.LogKey
	admin  record.Signer
	agent  record.Signer
	ledger *Ledger
	stop   func()

	mu       sync.Mutex
	sequence int64
	previous string
}

const (
	testOrigin   = "example.com/log"
	testOperator = "it/platform"
	testAgent    = "spiffe://example.com/k8s-agent"
)

func newSigner(t testing.TB) record.Signer {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := record.NewSigner(priv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newHarness creates a ledger on fs, or in memory if fs is nil, runs it and
// registers the agent. tweak may change the configuration first.
func newHarness(t testing.TB, fs vfs.FS, tweak func(*Config)) *harness {
	t.Helper()
	if fs == nil {
		fs = vfs.NewMem()
	}
	_, logKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	contentKey := make([]byte, 32)
	rand.Read(contentKey)
	h := &harness{t: t, admin: newSigner(t), agent: newSigner(t)}
	h.cfg = Config{Dir: "db", FS: fs, Signer: logKey, ContentKey: contentKey,
		Fatal: func(err error) { panic(fmt.Sprintf("fatal: %v", err)) }}
	if tweak != nil {
		tweak(&h.cfg)
	}
	if h.key, err = tree.NewLogKey(testOrigin, logKey.Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	genesis, err := NewGenesis(h.key, []Administrator{{"root", h.admin.Public()}}, DefaultPolicy(), h.admin, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if h.ledger, err = Create(h.cfg, genesis); err != nil {
		t.Fatal(err)
	}
	h.run()
	t.Cleanup(func() { h.close() })
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: testOperator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Kubernetes agent"}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: h.agent.Public().SPKI(), Agent: testAgent, Operator: testOperator}}}))
	return h
}

func (h *harness) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	l := h.ledger
	go func() { done <- l.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run: %v", err)
		}
	}
}

// close stops and closes the ledger, once.
func (h *harness) close() {
	if h.ledger == nil {
		return
	}
	h.stop()
	if err := h.ledger.Close(); err != nil {
		h.t.Errorf("Close: %v", err)
	}
	h.ledger = nil
}

// reopen closes the ledger and opens it again.
func (h *harness) reopen() {
	h.t.Helper()
	h.close()
	h.open()
}

func (h *harness) open() {
	h.t.Helper()
	l, err := Open(h.cfg)
	if err != nil {
		h.t.Fatalf("Open: %v", err)
	}
	h.ledger = l
	h.run()
}

func (h *harness) must(got *Logged, err error) *Logged {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("Submit: %v", err)
	}
	return got
}

// sign signs m for the test log.
func (h *harness) sign(m *onusv1.Record, s record.Signer) *record.Record {
	h.t.Helper()
	r, err := record.Sign(m, s)
	if err != nil {
		h.t.Fatalf("Sign: %v", err)
	}
	return r
}

func (h *harness) register(reg *onusv1.Registration) (*Logged, error) {
	h.t.Helper()
	r := h.sign(&onusv1.Record{
		Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Administrator: "root"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Registration{Registration: reg},
	}, h.admin)
	return h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope})
}

// step returns the agent's next record, unsigned: an action, changed by edit.
func (h *harness) step(edit func(*onusv1.Record)) *onusv1.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := &onusv1.Record{
		Origin: testOrigin, Nonce: NewNonce(),
		Author:  &onusv1.Author{Agent: testAgent, Instance: "pod-1", Operator: testOperator},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Sequence: h.sequence, Previous: h.previous,
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
			Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get", Location: "https://k8s.example.com/shop", Identifier: fmt.Sprint(h.sequence)}}}},
	}
	if edit != nil {
		edit(m)
	}
	return m
}

// record signs the agent's next record and counts it.
func (h *harness) record(edit func(*onusv1.Record)) *record.Record {
	h.t.Helper()
	r := h.sign(h.step(edit), h.agent)
	h.mu.Lock()
	h.sequence++
	h.previous = r.ID.String()
	h.mu.Unlock()
	return r
}

// submit logs the agent's next record and checks its receipt as the agent
// would.
func (h *harness) submit(edit func(*onusv1.Record)) (*record.Record, *Logged) {
	h.t.Helper()
	r := h.record(edit)
	got := h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}))
	h.checkReceipt(r, got.Receipt)
	return r, got
}

func (h *harness) checkReceipt(r *record.Record, rec *onusv1.Receipt) {
	h.t.Helper()
	if _, err := verifier.OpenReceipt(rec, r.Envelope.Type, r.Envelope.Payload, h.key, h.agent.Public()); err != nil {
		h.t.Fatalf("receipt of %s: %v", r.ID, err)
	}
}

// checkLog reads the whole log as an auditor does and compares it with its
// checkpoint.
func (h *harness) checkLog() verifier.Report {
	h.t.Helper()
	cp, err := h.key.Open(h.ledger.Checkpoint())
	if err != nil {
		h.t.Fatal(err)
	}
	a := verifier.NewAudit()
	err = h.ledger.Follow(context.Background(), 0, cp.Size, func(_ int64, entries [][]byte) error {
		a.Add(entries)
		return nil
	})
	if err != nil {
		h.t.Fatalf("Follow: %v", err)
	}
	if err := a.Matches(cp, h.key); err != nil {
		h.t.Fatalf("audit: %v", err)
	}
	rep := a.Report()
	for _, f := range rep.Faults {
		h.t.Errorf("audit: %v", f)
	}
	return rep
}
