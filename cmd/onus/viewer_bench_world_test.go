package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var (
	benchEntries = flag.Int("entries", 20_000, "how many entries the viewer's benchmark has in its ledger")
	benchLedgers = flag.String("ledgers", "", "keep the viewer's benchmark's ledgers in this `folder`, for the next run")
)

// What the ledger of the viewer's benchmark is like. It is signed and submitted
// as any other: what is not real is the clock, which puts three months between
// its first entry and its newest.
const (
	benchOrigin  = "log.example.com/bench"
	benchUnits   = 8
	benchClasses = 40 // agent classes
	benchUsers   = 500
	benchPeople  = 5000 // who are touched
	benchOpen    = 16   // chains that are under way at the same time
	benchBatch   = 2048
	benchSpan    = 90 * 24 * time.Hour
	// bench100s chains have 100 records each, and one has 2,000.
	bench100s = 16
	// fewestEntries leave room for these.
	fewestEntries = 10_000
)

// benchNotes are what the benchmark has to know of a ledger that is kept.
type benchNotes struct {
	// Hundred are the roots of the chains of 100 records, Long that of 2,000.
	Hundred []string
	Long    string
}

// benchField is what a unit's agents work with.
type benchField struct {
	unit, kind, read, write, place, data string
	amounts                              bool
}

var benchFields = [benchUnits]benchField{
	{"it/platform", "k8s.pods", "get", "restart", "https://k8s.example.com/api", "", false},
	{"procurement", "order", "read", "create", "https://shop.example.com/orders", "", true},
	{"finance/payables", "invoice", "read", "pay", "https://erp.example.com/invoices", "financial", true},
	{"hr/operations", "employee", "read", "update", "https://hr.example.com/employees", "personal", false},
	{"service/desk", "ticket", "read", "close", "https://desk.example.com/tickets", "", false},
	{"claims", "claim", "read", "settle", "https://claims.example.com/claims", "health", true},
	{"sales/emea", "customer", "read", "update", "https://crm.example.com/customers", "personal", false},
	{"legal", "contract", "read", "annotate", "https://contracts.example.com/files", "confidential", false},
}

func benchClass(i int) string { return fmt.Sprintf("spiffe://example.com/agent-%02d", i) }

func benchSigner(b *testing.B, name string) (record.Signer, ed25519.PrivateKey) {
	b.Helper()
	sum := sha256.Sum256([]byte("onus bench: " + name))
	key := ed25519.NewKeyFromSeed(sum[:])
	s, err := record.NewSigner(key)
	if err != nil {
		b.Fatal(err)
	}
	return s, key
}

// benchActor is a class with its key, the grant of its unit, and its processes.
type benchActor struct {
	id        string
	field     *benchField
	signer    record.Signer
	grant     string
	processes []*benchProcess
}

type benchProcess struct {
	agent    *benchActor
	name     string
	sequence int64
	previous string
}

// benchMaker writes a ledger.
type benchMaker struct {
	*testing.B
	ledger *ledger.Ledger
	now    *atomic.Int64 // the ledger's clock, in milliseconds
	rng    *rand.Rand
	admin  record.Signer
	agents []*benchActor
	// users and people are pseudonyms.
	users, people  []string
	lengths, whose *rand.Zipf
	// batch is what is not signed yet, signers who is to.
	batch   []ledger.Submission
	signers []record.Signer
	made    int
	notes   benchNotes
}

// benchConfig is that of the ledger in a folder. The keys are the same in each
// run, so that a kept ledger opens.
func benchConfig(b *testing.B, dir string) (ledger.Config, tree.LogKey, record.Signer) {
	b.Helper()
	_, logKey := benchSigner(b, "log")
	host, hostKey := benchSigner(b, "host")
	key, err := tree.NewLogKey(benchOrigin, logKey.Public().(ed25519.PublicKey))
	if err != nil {
		b.Fatal(err)
	}
	content := sha256.Sum256([]byte("onus bench: contents"))
	return ledger.Config{Dir: dataDir(dir).db(), Guard: ledger.FileGuard(dataDir(dir).guard()), Signer: logKey, HostKey: hostKey, ContentKey: content[:]}, key, host
}

// benchLedger opens the benchmark's ledger, which it makes where there is none,
// and runs it until the benchmark ends.
func benchLedger(b *testing.B) (*ledger.Ledger, dataDir, *benchNotes) {
	b.Helper()
	if *benchEntries < fewestEntries {
		b.Fatalf("-entries %d: give at least %d, so that there is room for the long chains", *benchEntries, fewestEntries)
	}
	parent := *benchLedgers
	if parent == "" {
		parent = b.TempDir()
	}
	dir := filepath.Join(parent, fmt.Sprintf("viewer-%d", *benchEntries))
	notes := filepath.Join(dir, "notes.json")
	text, err := os.ReadFile(notes)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Lstat(dir); err == nil {
			b.Fatalf("%s was not made to its end: remove it", dir)
		}
		text = makeBenchLedger(b, dir)
		if err := os.WriteFile(notes, text, 0o600); err != nil {
			b.Fatal(err)
		}
	} else if err != nil {
		b.Fatal(err)
	}
	n := &benchNotes{}
	if err := json.Unmarshal(text, n); err != nil {
		b.Fatalf("%s: %v", notes, err)
	}
	cfg, _, _ := benchConfig(b, dir)
	l, err := ledger.Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(runBenchLedger(b, l))
	return l, dataDir(dir), n
}

func runBenchLedger(b *testing.B, l *ledger.Ledger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	return func() {
		cancel()
		if err := errors.Join(<-ran, l.Close()); err != nil {
			b.Errorf("the ledger: %v", err)
		}
	}
}

// makeBenchLedger makes a ledger and returns its notes.
func makeBenchLedger(b *testing.B, dir string) []byte {
	b.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	m := &benchMaker{B: b, now: &atomic.Int64{}, rng: rand.New(rand.NewPCG(5, 50))}
	first := began.Add(-benchSpan)
	m.now.Store(first.UnixMilli())
	m.lengths = rand.NewZipf(m.rng, 1.6, 10, 195)
	m.whose = rand.NewZipf(m.rng, 1.2, 4, benchClasses-1)
	cfg, key, host := benchConfig(b, dir)
	cfg.Clock = func() time.Time { return time.UnixMilli(m.now.Load()) }
	m.admin, _ = benchSigner(b, "admin")
	genesis, err := ledger.NewHostedGenesis(key, host.Public(), []ledger.Administrator{{Name: "root", Key: m.admin.Public()}}, ledger.DefaultPolicy(), m.admin, first)
	if err != nil {
		b.Fatal(err)
	}
	if m.ledger, err = ledger.Create(cfg, genesis); err != nil {
		b.Fatal(err)
	}
	stop := runBenchLedger(b, m.ledger)
	m.parties()
	m.write(*benchEntries)
	size := m.ledger.Size()
	stop()
	took := time.Since(began)
	b.Logf("wrote %d entries in %s: %.0f a second", size, took.Round(time.Second), float64(size)/took.Seconds())
	text, err := json.Marshal(m.notes)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// parties registers units and agents, gives each agent what its unit has, and
// mints pseudonyms.
func (m *benchMaker) parties() {
	register := func(reg *onusv1.Registration) {
		m.add(&onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Registration{Registration: reg}}, m.admin)
	}
	key := func(k *onusv1.KeyBinding, s record.Signer) {
		k.PublicKey = s.Public().SPKI()
		register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}})
	}
	var units [benchUnits]record.Signer
	for i := range benchFields {
		f := &benchFields[i]
		units[i], _ = benchSigner(m.B, f.unit)
		register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: f.unit, Organisation: "Example", Unit: f.unit, AccountablePost: "Head of " + f.unit}}})
		m.submit()
		key(&onusv1.KeyBinding{Operator: f.unit}, units[i])
	}
	for i := range benchClasses {
		a := &benchActor{id: benchClass(i), field: &benchFields[i%benchUnits]}
		a.signer, _ = benchSigner(m.B, a.id)
		for n := range 4 {
			a.processes = append(a.processes, &benchProcess{agent: a, name: fmt.Sprintf("pod-%d-%d", i, n)})
		}
		m.agents = append(m.agents, a)
		register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
			Id: a.id, Operator: a.field.unit, DisplayName: fmt.Sprintf("%s agent %d", a.field.kind, i), Purpose: "works with " + a.field.kind}}})
		m.submit()
		key(&onusv1.KeyBinding{Agent: a.id, Operator: a.field.unit}, a.signer)
	}
	m.submit()
	for i, a := range m.agents {
		a.grant = m.add(&onusv1.Record{Author: &onusv1.Author{Operator: a.field.unit}, Basis: onusv1.Basis_BASIS_OWN,
			Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: a.id, MaxDepth: 4, Scope: a.field.scope()}}}, units[i%benchUnits])
	}
	m.submit()
	mint := func(kind ledger.NameKind, n int) []string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("person-%d@example.com", i)
		}
		all, err := m.ledger.Mint(kind, names)
		if err != nil {
			m.Fatal(err)
		}
		return all
	}
	m.users, m.people = mint(ledger.NameUser, benchUsers), mint(ledger.NameSubject, benchPeople)
}

func (f *benchField) scope() []*onusv1.GrantElement {
	var all []*onusv1.GrantElement
	for _, action := range []string{f.read, f.write} {
		g := &onusv1.GrantElement{Element: &onusv1.ScopeElement{Type: f.kind, Action: action, Location: f.place}}
		if f.amounts && action == f.write {
			g.MaxItem, g.Unit = "5000", "EUR"
		}
		all = append(all, g)
	}
	return all
}

// add puts a record into the batch and returns its id. It is signed later: an id
// is of what is signed, not of the signature.
func (m *benchMaker) add(r *onusv1.Record, s record.Signer, contents ...*onusv1.Content) string {
	r.Origin, r.Nonce, r.Capture = benchOrigin, ledger.NewNonce(), onusv1.Capture_CAPTURE_SELF
	r.ClaimedTime, r.Author.KeyId = timestamppb.New(time.UnixMilli(m.now.Load())), s.Public().ID()
	payload, err := proto.Marshal(r)
	if err != nil {
		m.Fatal(err)
	}
	env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
	m.batch, m.signers = append(m.batch, ledger.Submission{Envelope: env, Contents: contents}), append(m.signers, s)
	m.made++
	return env.ID().String()
}

// submit signs the batch and logs it.
func (m *benchMaker) submit() {
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(m.batch); i += workers {
				var err error
				if m.batch[i].Envelope.Signature, err = m.signers[i].Sign(m.batch[i].Envelope.PAE()); err != nil {
					m.Errorf("sign: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for i, res := range m.ledger.SubmitBatch(context.Background(), m.batch) {
		if res.Err != nil {
			m.Fatalf("record %d of a batch: %v", i, res.Err)
		}
	}
	m.batch, m.signers = m.batch[:0], m.signers[:0]
}

// write makes chains until the ledger has n entries.
func (m *benchMaker) write(n int) {
	first, step := m.now.Load(), benchSpan.Milliseconds()/int64(n)
	// Those that are measured begin at places that are spread over the first half.
	type place struct{ at, length int }
	special := []place{{n / 10, 2000}}
	for i := range bench100s {
		special = append(special, place{n/10 + (i+1)*n/(3*bench100s), 100})
	}
	var open []*benchChain
	owed := 0 // records to come of these
	for {
		for len(open) < benchOpen && m.made+owed < n {
			if len(special) == 0 || m.made < special[0].at {
				c := m.begin(5 + int(m.lengths.Uint64()))
				open, owed = append(open, c), owed+c.left
				continue
			}
			c := m.begin(special[0].length)
			if open, owed = append(open, c), owed+c.left; special[0].length == 100 {
				m.notes.Hundred = append(m.notes.Hundred, c.root)
			} else {
				m.notes.Long = c.root
			}
			special = special[1:]
		}
		if len(open) == 0 {
			break
		}
		at := m.rng.IntN(len(open))
		if m.rng.IntN(3) == 0 { // the longest goes on more often
			for i, c := range open {
				if c.left > open[at].left {
					at = i
				}
			}
		}
		owed -= open[at].left
		open[at].goOn()
		if owed += open[at].left; open[at].left == 0 {
			open[at] = open[len(open)-1]
			open = open[:len(open)-1]
		}
		if len(m.batch) >= benchBatch {
			m.submit()
			m.now.Store(first + int64(m.made)*step)
		}
	}
	m.submit()
}
