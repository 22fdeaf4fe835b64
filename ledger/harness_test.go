package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// harness is a ledger in memory with one administrator, one operator and one
// agent, and the keys of all.
type harness struct {
	t     testing.TB
	cfg   Config
	key   tree.LogKey
	admin record.Signer
	agent record.Signer
	// policy of the genesis; nil is the default.
	policy *onusv1.Policy
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

// seed is a key that is the same in every run and every process.
func seed(name string) []byte {
	sum := sha256.Sum256([]byte("onus test: " + name))
	return sum[:]
}

func seededSigner(t testing.TB, name string) record.Signer {
	t.Helper()
	s, err := record.NewSigner(ed25519.NewKeyFromSeed(seed(name)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bareHarness has the keys, and no ledger yet.
func bareHarness(t testing.TB, fs vfs.FS, tweak func(*Config)) *harness {
	t.Helper()
	if fs == nil {
		fs = vfs.NewMem()
	}
	h := &harness{t: t, admin: seededSigner(t, "admin"), agent: seededSigner(t, "agent")}
	h.cfg = Config{Dir: "db", FS: fs, Signer: ed25519.NewKeyFromSeed(seed("log")), HostKey: ed25519.NewKeyFromSeed(seed("host")), ContentKey: seed("content"),
		Fatal: func(err error) { panic(fmt.Sprintf("fatal: %v", err)) }}
	if tweak != nil {
		tweak(&h.cfg)
	}
	var err error
	if h.key, err = tree.NewLogKey(testOrigin, h.cfg.Signer.Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) genesis() *record.Record {
	h.t.Helper()
	policy := h.policy
	if policy == nil {
		policy = DefaultPolicy()
	}
	g, err := NewHostedGenesis(h.key, seededSigner(h.t, "host").Public(), []Administrator{{"root", h.admin.Public()}}, policy, h.admin, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// create creates the ledger and runs it.
func (h *harness) create() {
	h.t.Helper()
	l, err := Create(h.cfg, h.genesis())
	if err != nil {
		h.t.Fatal(err)
	}
	h.ledger = l
	h.run()
	h.t.Cleanup(func() { h.close() })
}

// on returns a harness with the same keys for the database on another file
// system, not opened.
func (h *harness) on(fs vfs.FS) *harness {
	cfg := h.cfg
	cfg.FS = fs
	return &harness{t: h.t, cfg: cfg, key: h.key, admin: h.admin, agent: h.agent}
}

// newHarness creates a ledger on fs, or in memory if fs is nil, runs it and
// registers the agent. tweak may change the configuration first.
func newHarness(t testing.TB, fs vfs.FS, tweak func(*Config)) *harness {
	t.Helper()
	h := bareHarness(t, fs, tweak)
	h.create()
	h.enrol()
	return h
}

// enrol registers the operator, the agent and its key.
func (h *harness) enrol() {
	h.t.Helper()
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: testOperator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Kubernetes agent"}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: h.agent.Public().SPKI(), Agent: testAgent, Operator: testOperator}}}))
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

// envelopes makes n records of the agent, signed but not parsed: the quick way
// to a long log. Each is an instance's first.
func (h *harness) envelopes(n int, edit func(i int, m *onusv1.Record)) []Submission {
	h.t.Helper()
	subs := make([]Submission, n)
	each(n, func(i int) {
		m := &onusv1.Record{
			Origin: testOrigin, Nonce: NewNonce(),
			Author:  &onusv1.Author{Agent: testAgent, Instance: "bulk", Operator: testOperator, KeyId: h.agent.Public().ID()},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
				Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get"}}}},
		}
		if edit != nil {
			edit(i, m)
		}
		payload, err := proto.Marshal(m)
		if err != nil {
			h.t.Errorf("marshal: %v", err)
			return
		}
		env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
		if env.Signature, err = h.agent.Sign(env.PAE()); err != nil {
			h.t.Errorf("sign: %v", err)
		}
		subs[i].Envelope = env
	})
	return subs
}

// submitAll logs the submissions in order, and wants every one accepted.
func (h *harness) submitAll(subs []Submission) []*Logged {
	h.t.Helper()
	var out []*Logged
	for chunk := range slices.Chunk(subs, 4096) {
		for i, res := range h.ledger.SubmitBatch(context.Background(), chunk) {
			if res.Err != nil {
				h.t.Fatalf("SubmitBatch[%d]: %v", i, res.Err)
			}
			out = append(out, res.Logged)
		}
	}
	return out
}

// grow appends n plain records.
func (h *harness) grow(n int) []*Logged { h.t.Helper(); return h.submitAll(h.envelopes(n, nil)) }

// checkRows stops the ledger and has [Check] compare every row.
func (h *harness) checkRows() {
	h.t.Helper()
	h.close()
	got, err := Check(context.Background(), h.cfg, nil)
	if err != nil {
		h.t.Fatalf("Check: %v", err)
	}
	for _, p := range got.Problems {
		h.t.Errorf("check: %s", p)
	}
}

// wantReason wants a *record.Error with that reason.
func wantReason(t testing.TB, err error, reason string) {
	t.Helper()
	var re *record.Error
	if !errors.As(err, &re) {
		t.Errorf("error is %v (%T), want a *record.Error with reason %s", err, err, reason)
	} else if re.Reason != reason {
		t.Errorf("reason is %s (%v), want %s", re.Reason, err, reason)
	}
}

// database opens the stopped ledger's database itself.
func (h *harness) database() *pebble.DB {
	h.t.Helper()
	db, err := pebble.Open(h.cfg.Dir, pebbleOptions(h.cfg.withDefaults()))
	if err != nil {
		h.t.Fatalf("open database: %v", err)
	}
	return db
}

// change stops the ledger and changes its database behind its back.
func (h *harness) change(f func(db *pebble.DB) error) {
	h.t.Helper()
	h.close()
	db := h.database()
	if err := errors.Join(f(db), db.Flush(), db.Close()); err != nil {
		h.t.Fatalf("change: %v", err)
	}
}

// registration returns a new agent class's registration, unsigned.
func (h *harness) registration() *onusv1.Record {
	return &onusv1.Record{
		Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Administrator: "root"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
			Id: fmt.Sprintf("spiffe://example.com/%x", NewNonce()), Operator: testOperator, DisplayName: "Another agent"}}}},
	}
}
