package desk

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	testOrigin = "log.example.com/desk"
	window     = 15 * time.Minute
)

// nine is the log time of every first entry here.
var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// world is a log in memory of real signed records, with the checks and stamps
// of a ledger, judged by the engine. It is a [Log].
type world struct {
	t   testing.TB
	reg *registry.Registry
	now time.Time
	n   int
	// heads are the newest records of each instance.
	heads map[string]*record.Record

	mu      sync.Mutex
	s       *authority.State // guarded by mu
	entries []chain.Entry
	leaves  [][]byte
	byID    map[record.ID]int64
	named   map[string][]int64 // by the parent or cause that they name
	hidden  map[int64]bool     // not shown
	spoilt  map[int64]error    // cannot be read
	grown   chan struct{}
	// limit cuts chains, if it is set.
	limit  int
	origin string
}

var _ Log = (*world)(nil)

func emptyWorld(t testing.TB) *world {
	reg := registry.New()
	return &world{t: t, reg: reg, s: authority.New(reg, authority.NewMemory()), now: nine, heads: map[string]*record.Record{},
		byID: map[record.ID]int64{}, named: map[string][]int64{}, hidden: map[int64]bool{}, spoilt: map[int64]error{}, grown: make(chan struct{}), origin: testOrigin}
}

func agentID(name string) string { return "spiffe://example.com/" + name }

func byAgent(name, instance string) *onusv1.Author {
	op := "it/platform"
	if name == "buyer" {
		op = "procurement"
	}
	return &onusv1.Author{Agent: agentID(name), Instance: instance, Operator: op}
}

var (
	root     = &onusv1.Author{Administrator: "root"}
	shop     = &onusv1.Author{Service: agentID("shop")}
	boss     = &onusv1.Author{Reviewer: "boss"}
	platform = &onusv1.Author{Operator: "it/platform"}
)

// Pseudonyms.
var (
	aUser    = "u-" + strings.Repeat("a", 26)
	aSession = "x-" + strings.Repeat("b", 26)
	aSubject = "s-" + strings.Repeat("c", 26)
)

var signers = map[string]record.Signer{}

func signer(t testing.TB, name string) record.Signer {
	t.Helper()
	if s, ok := signers[name]; ok {
		return s
	}
	seed := sha256.Sum256([]byte(name))
	s, err := record.NewSigner(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	signers[name] = s
	return s
}

func keyName(a *onusv1.Author) string {
	return a.GetAgent() + a.GetAdministrator() + a.GetService() + a.GetReviewer() + map[bool]string{true: a.GetOperator()}[a.GetAgent() == ""]
}

// newWorld is a log with two operators, three agents, a service and a reviewer.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := emptyWorld(t)
	vkey, err := note.NewEd25519VerifierKey(testOrigin, signer(t, "log").Public().Crypto().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	w.log(root, func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{LogKey: vkey,
			Policy:         &onusv1.Policy{ClockSkew: durationpb.New(time.Minute), LateAfter: durationpb.New(2 * time.Minute), OutcomeWindow: durationpb.New(window), PlainText: []string{"*"}},
			Administrators: []*onusv1.Administrator{{Name: "root", PublicKey: signer(t, "root").Public().SPKI()}}}}
	})
	for _, op := range []*onusv1.Operator{{Id: "it/platform", Organisation: "Acme", Unit: "Platform", AccountablePost: "Head of Platform"},
		{Id: "procurement", Organisation: "Acme", Unit: "Procurement", AccountablePost: "Head of Procurement"}} {
		w.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: op}})
		w.bind(&onusv1.KeyBinding{Operator: op.Id}, op.Id)
	}
	for _, name := range []string{"planner", "reader", "buyer"} {
		a := byAgent(name, "")
		w.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: a.Agent, Operator: a.Operator, DisplayName: "The " + name}}})
		w.bind(&onusv1.KeyBinding{Agent: a.Agent, Operator: a.Operator}, a.Agent)
	}
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Service{Service: &onusv1.Service{Id: shop.Service, Operator: "it/platform", DisplayName: "Web shop",
		Locations: []string{"https://shop.example.com"}, Records: true}}})
	w.bind(&onusv1.KeyBinding{Service: shop.Service}, shop.Service)
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "boss", Operator: "procurement", Post: "Officer"}}})
	w.bind(&onusv1.KeyBinding{Reviewer: "boss"}, "boss")
	return w
}

func (w *world) register(r *onusv1.Registration) {
	w.t.Helper()
	w.log(root, func(m *onusv1.Record) { m.Body = &onusv1.Record_Registration{Registration: r} })
}

func (w *world) bind(k *onusv1.KeyBinding, key string) {
	w.t.Helper()
	k.PublicKey = signer(w.t, key).Public().SPKI()
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}})
}

// log signs a record and logs it.
func (w *world) log(by *onusv1.Author, edit ...func(*onusv1.Record)) *record.Record {
	w.t.Helper()
	r := w.sign(by, edit...)
	w.admit(r)
	return r
}

// sign makes a record that is logged later, or never.
func (w *world) sign(by *onusv1.Author, edit ...func(*onusv1.Record)) *record.Record {
	w.t.Helper()
	w.n++
	nonce := sha256.Sum256(fmt.Append(nil, w.n))
	m := &onusv1.Record{Origin: w.logOrigin(), Nonce: nonce[:record.NonceSize], Author: proto.CloneOf(by), Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.New(w.now)}
	instance := by.GetAgent() + " " + by.GetInstance()
	if head := w.heads[instance]; head != nil && by.GetAgent() != "" {
		m.Sequence, m.Previous = head.Msg.GetSequence()+1, head.ID.String()
	}
	for _, f := range edit {
		f(m)
	}
	r, err := record.Sign(m, signer(w.t, keyName(by)))
	if err != nil {
		w.t.Fatalf("sign: %v", err)
	}
	if by.GetAgent() != "" {
		w.heads[instance] = r
	}
	return r
}

// logOrigin is the name in the genesis, which Origin may hide.
func (w *world) logOrigin() string {
	if len(w.entries) > 0 {
		return w.entries[0].Record.Msg.GetOrigin()
	}
	return testOrigin
}

// admit makes a record the next entry.
func (w *world) admit(r *record.Record) int64 {
	w.t.Helper()
	i, err := w.tryAdmit(r)
	if err != nil {
		w.t.Fatalf("entry %d: %v", i, err)
	}
	return i
}

func (w *world) tryAdmit(r *record.Record) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := int64(len(w.entries))
	st := &entry.Stamp{LogTime: w.now.UnixMilli(), KeySetEntry: -1}
	b, err := w.reg.Authenticate(r, at)
	for _, check := range []func() error{
		func() error { return w.reg.Check(r, at, st) },
		func() error { return w.s.Check(r, at, st.LogTime) },
		func() error { return authority.CheckWord(r, st) },
	} {
		if err == nil {
			err = check()
		}
	}
	if err != nil {
		return at, err
	}
	st.KeyEntry, st.Uses = b.Index, w.s.Uses(r, at, st.LogTime)
	st.RegistryCount, st.RegistryRoot = w.reg.Stamp(at)
	raw, err := (&entry.Entry{Stamp: *st, Envelope: r.Envelope}).Marshal()
	if err != nil {
		return at, err
	}
	return at, w.fold(raw, chain.Entry{Index: at, LogTime: st.LogTime, Record: r, Stamp: st})
}

// fold adds an entry. The caller holds mu.
func (w *world) fold(raw []byte, e chain.Entry) error {
	if err := w.reg.Add(e.Record, e.Index, tree.LeafHash(raw), e.Stamp); err != nil {
		return err
	}
	w.s.Add(e.Record, e.Index, e.Stamp)
	w.entries, w.leaves = append(w.entries, e), append(w.leaves, raw)
	w.byID[e.Record.ID] = e.Index
	for _, s := range append([]string{e.Record.Msg.GetParent()}, e.Record.Msg.GetCauses()...) {
		if s != "" {
			w.named[s] = append(w.named[s], e.Index)
		}
	}
	close(w.grown)
	w.grown = make(chan struct{})
	return nil
}

func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) Origin() string               { return w.origin }
func (w *world) Registry() *registry.Registry { return w.reg }

func (w *world) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.entries))
}

func (w *world) Wait(ctx context.Context, size int64) error {
	for {
		w.mu.Lock()
		n, grown := int64(len(w.entries)), w.grown
		w.mu.Unlock()
		if n > size {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *world) Entry(i int64) (chain.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i < 0 || i >= int64(len(w.entries)) {
		return chain.Entry{}, fmt.Errorf("entry %d: %w", i, ErrNotFound)
	}
	if w.hidden[i] {
		return chain.Entry{}, fmt.Errorf("entry %d: %w", i, ErrNotShown)
	}
	return w.entries[i], w.spoilt[i]
}

func (w *world) Index(id record.ID) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i, ok := w.byID[id]; ok {
		return i, nil
	}
	return 0, fmt.Errorf("record %s: %w", id, ErrNotFound)
}

// Judge gathers a chain as a ledger does, and judges it.
func (w *world) Judge(id record.ID) (*Judged, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.byID[id]
	if !ok {
		return nil, fmt.Errorf("record %s: %w", id, ErrNotFound)
	}
	for {
		s := w.entries[at].Record.Msg.GetParent()
		up, ok := w.byID[w.idOf(s)]
		if s == "" || !ok || w.hidden[up] {
			break
		}
		at = up
	}
	seen, cut := map[int64]bool{at: true}, false
	var all []chain.Entry
	for todo := []int64{at}; len(todo) > 0; todo = todo[1:] {
		if w.limit > 0 && len(all) == w.limit {
			cut = true
			break
		}
		e := w.entries[todo[0]]
		if err := w.spoilt[todo[0]]; err != nil {
			return nil, err
		}
		all = append(all, e)
		for _, c := range w.named[e.Record.ID.String()] {
			if !seen[c] && !w.hidden[c] {
				seen[c] = true
				todo = append(todo, c)
			}
		}
	}
	last := w.entries[len(w.entries)-1]
	j := &Judged{Chain: chain.Build(all, w.byID, w.reg.Genesis().GetPolicy()), Cut: cut, Size: int64(len(w.entries)), Time: last.LogTime}
	if !cut {
		j.Judgement = chain.Judge(j.Chain, chain.Basis{Registry: w.reg, Authority: w.s, Size: j.Size, Time: j.Time})
	}
	return j, nil
}

func (w *world) idOf(s string) record.ID {
	if s == "" {
		return record.ID{}
	}
	return linkOf(s)
}

// running opens a desk over a log and runs it until the test ends or stop.
func running(t testing.TB, dir string, l Log) (d *Desk, stop func()) {
	t.Helper()
	d, err := Open(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return d, stop
}

// caughtUp waits until the desk has everything.
func caughtUp(t testing.TB, d *Desk) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := d.CatchUp(ctx, d.log.Size()); err != nil {
		t.Fatal(err)
	}
}
