package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// model is a log that is too simple to be wrong: a slice. Random operations
// run against it and the ledger, and both must give the same answers.
type model struct {
	*harness
	rng     *rand.Rand
	clock   atomic.Int64
	entries []modelEntry
	roots   []tree.Hash // at every size
	users   []string
	subject []string
	session []string
}

type modelEntry struct {
	rec  *record.Record
	time int64
}

func newModel(t *testing.T) *model {
	m := &model{rng: newRand(t)}
	m.clock.Store(time.Now().UnixMilli())
	m.harness = newHarness(t, nil, func(c *Config) {
		c.MaxBatch = 1 + m.rng.IntN(64)
		c.Clock = func() time.Time { return time.UnixMilli(m.clock.Load()) }
	})
	mint := func(kind NameKind) []string {
		ps, err := m.ledger.Mint(kind, []string{"ann", "bob", "cy"})
		if err != nil {
			t.Fatal(err)
		}
		return ps
	}
	m.enrolOperator()
	m.users, m.subject, m.session = mint(NameUser), mint(NameSubject), mint(NameSession)
	m.learn()
	return m
}

// learn takes in the entries that the model has not yet, in the ledger's
// order.
func (m *model) learn() {
	m.t.Helper()
	for i := int64(len(m.entries)); i < m.ledger.Size(); i++ {
		e, err := m.ledger.Entry(i)
		if err != nil {
			m.t.Fatalf("Entry(%d): %v", i, err)
		}
		m.entries = append(m.entries, modelEntry{e.Record, e.Stamp.LogTime})
	}
	m.roots = m.harness.roots()
}

func (m *model) pick() modelEntry { return m.entries[m.rng.IntN(len(m.entries))] }

func choose[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// random returns a new record with random properties and links.
func (m *model) random() *record.Record {
	return m.record(func(r *onusv1.Record) {
		r.Author.Instance = choose(m.rng, "pod-1", "pod-2")
		r.User = choose(m.rng, append(m.users, "")...)
		r.Session = choose(m.rng, append(m.session, "")...)
		for _, i := range m.rng.Perm(len(m.subject))[:m.rng.IntN(3)] {
			r.Subjects = append(r.Subjects, m.subject[i])
		}
		e := r.GetStages().GetAction().GetElement()
		e.Action = choose(m.rng, "get", "delete")
		e.Identifier = choose(m.rng, "a", "b", "")
		switch m.rng.IntN(4) {
		case 0:
		case 1:
			r.Parent = fmt.Sprintf("%064x", m.rng.Uint64()|1) // never comes
		default:
			r.Parent = m.entries[max(0, len(m.entries)-1-m.rng.IntN(12))].rec.ID.String()
		}
		for range m.rng.IntN(3) {
			if c := m.pick().rec.ID.String(); !slices.Contains(r.Causes, c) {
				r.Causes = append(r.Causes, c)
			}
		}
	})
}

func TestModel(t *testing.T) {
	m := newModel(t)
	for range long(150) {
		m.clock.Add(int64(m.rng.IntN(50) - 5)) // clocks go back, too
		switch op := m.rng.IntN(25); op {
		case 0, 1, 2:
			m.submitOne()
		case 3, 4, 5:
			m.submitBatch()
		case 6:
			m.submitBad()
		case 7, 8, 9, 10:
			m.list()
		case 11, 12, 13:
			m.chain()
		case 14, 15:
			m.consistency()
		case 16, 17:
			m.receipt()
		case 18:
			m.reopen()
		case 19:
			m.close()
			db := m.database()
			if err := dropDerived(db); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			m.open()
		case 20, 21, 22:
			m.delegate()
		case 23, 24:
			m.spent()
		}
		if got, want := m.ledger.Size(), int64(len(m.entries)); got != want {
			t.Fatalf("ledger has %d entries, model %d", got, want)
		}
		if t.Failed() {
			return
		}
	}
	if got, want := m.checkLog().Root, m.roots[len(m.entries)]; got != want {
		t.Errorf("root %s, model has %s", got, want)
	}
	t.Logf("%d entries", len(m.entries))
	m.checkRows()
}

func (m *model) submitOne() {
	r := m.random()
	got := m.must(m.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}))
	if got.Receipt.Index != int64(len(m.entries)) || got.Duplicate {
		m.t.Errorf("new record: index %d, duplicate %t; want %d", got.Receipt.Index, got.Duplicate, len(m.entries))
	}
	m.checkReceipt(r, got.Receipt)
	m.learn()
}

// submitBatch sends new records, records of the log and records twice, in any
// order, and wants the order of the batch in the log.
func (m *model) submitBatch() {
	want := int64(len(m.entries))
	var subs []Submission
	var at []int64 // where each must come to stand
	for range 1 + m.rng.IntN(60) {
		switch {
		case m.rng.IntN(6) == 0:
			i := m.rng.IntN(len(m.entries)-1) + 1
			subs, at = append(subs, Submission{Envelope: m.entries[i].rec.Envelope}), append(at, int64(i))
		case m.rng.IntN(6) == 0 && len(subs) > 0:
			i := m.rng.IntN(len(subs))
			subs, at = append(subs, subs[i]), append(at, at[i])
		case m.rng.IntN(12) == 0:
			env := m.random().Envelope
			env.Signature = make([]byte, 64)
			subs, at = append(subs, Submission{Envelope: env}), append(at, -1)
		default:
			subs, at = append(subs, Submission{Envelope: m.random().Envelope}), append(at, want)
			want++
		}
	}
	first := map[int64]bool{}
	for i, res := range m.ledger.SubmitBatch(context.Background(), subs) {
		switch {
		case at[i] < 0:
			if res.Err == nil {
				m.t.Errorf("batch[%d]: a bad signature was accepted", i)
			}
		case res.Err != nil:
			m.t.Errorf("batch[%d]: %v", i, res.Err)
		case res.Logged.Receipt.Index != at[i]:
			m.t.Errorf("batch[%d] has index %d, want %d", i, res.Logged.Receipt.Index, at[i])
		default:
			isNew := at[i] >= int64(len(m.entries)) && !first[at[i]]
			first[at[i]] = true
			if res.Logged.Duplicate == isNew {
				m.t.Errorf("batch[%d]: duplicate is %t, want %t", i, res.Logged.Duplicate, !isNew)
			}
		}
	}
	m.learn()
}

func (m *model) submitBad() {
	env := m.random().Envelope
	env.Payload = slices.Clone(env.Payload)
	env.Payload[m.rng.IntN(len(env.Payload))] ^= 1 << m.rng.IntN(8)
	if got, err := m.ledger.Submit(context.Background(), Submission{Envelope: env}); err == nil {
		m.t.Errorf("a changed payload was accepted: %v", got)
	}
}

// list pages through a random query and compares with a walk over the slice.
func (m *model) list() {
	t0, t1 := m.entries[0].time, m.entries[len(m.entries)-1].time
	when := func() int64 { return t0 + m.rng.Int64N(t1-t0+2) }
	q := Query{NewestFirst: m.rng.IntN(2) == 0}
	for range m.rng.IntN(4) {
		switch m.rng.IntN(8) {
		case 0:
			q.Agent = choose(m.rng, testAgent, "spiffe://example.com/nobody")
		case 1:
			q.Instance = choose(m.rng, "pod-1", "pod-2")
		case 2:
			q.User = choose(m.rng, m.users...)
		case 3:
			q.Session = choose(m.rng, m.session...)
		case 4:
			q.Subject = choose(m.rng, m.subject...)
		case 5:
			q.Operation = choose(m.rng, "k8s.pod:get", "k8s.pod:delete")
		case 6:
			q.Resource = choose(m.rng, "https://k8s.example.com/shop", "https://k8s.example.com/shop#a")
		case 7:
			q.Since, q.Before = when(), choose(m.rng, 0, when())
		}
	}
	var want []int64
	for i, e := range m.entries {
		if (q.Since == 0 || e.time >= q.Since) && (q.Before == 0 || e.time < q.Before) && q.matches(e.rec.Msg) {
			want = append(want, int64(i))
		}
	}
	if q.NewestFirst {
		slices.Reverse(want)
	}
	if got := listAll(m.t, m.ledger, q, 1+m.rng.IntN(40)); !slices.Equal(got, want) {
		m.t.Errorf("List(%+v) = %v, model has %v", q, got, want)
	}
}

// listAll returns the indices of all pages.
func listAll(t testing.TB, l *Ledger, q Query, size int) (got []int64) {
	t.Helper()
	for token := ""; ; {
		p, err := l.List(q, size, token)
		if err != nil {
			t.Fatalf("List(%+v): %v", q, err)
		}
		for _, e := range p.Entries {
			got = append(got, e.Index)
		}
		if token = p.Next; token == "" {
			return got
		}
		if len(p.Entries) != size {
			t.Errorf("List(%+v): a page in the middle has %d entries, want %d", q, len(p.Entries), size)
		}
	}
}

// chain compares a chain with the definition, by brute force.
func (m *model) chain() {
	of := m.pick().rec
	byID := map[string]int{}
	for i, e := range m.entries {
		byID[e.rec.ID.String()] = i
	}
	in := make([]bool, len(m.entries))
	for id := of.ID.String(); ; {
		i, ok := byID[id]
		if !ok {
			break
		}
		in[i] = true
		id = m.entries[i].rec.Msg.GetParent()
	}
	for grown := true; grown; {
		grown = false
		for i, e := range m.entries {
			for _, id := range append([]string{e.rec.Msg.GetParent()}, e.rec.Msg.GetCauses()...) {
				if j, ok := byID[id]; ok && in[j] && !in[i] {
					in[i], grown = true, true
				}
			}
		}
	}
	var want, got []int64
	for i := range in {
		if in[i] {
			want = append(want, int64(i))
		}
	}
	c, err := m.ledger.Chain(of.ID, MaxChain)
	if err != nil {
		m.t.Fatalf("Chain: %v", err)
	}
	for _, e := range c.Entries {
		got = append(got, e.Index)
	}
	if !slices.Equal(got, want) || c.Cut {
		m.t.Errorf("Chain of entry %d = %v (cut %t), model has %v", byID[of.ID.String()], got, c.Cut, want)
	}
}

func (m *model) consistency() {
	first := m.rng.Int64N(int64(len(m.entries)) + 1)
	second := first + m.rng.Int64N(int64(len(m.entries))-first+1)
	_, n, p, err := m.ledger.Consistency(first, second)
	if err != nil {
		m.t.Fatalf("Consistency(%d, %d): %v", first, second, err)
	}
	if err := tree.VerifyConsistency(first, n, m.roots[first], m.roots[n], p); err != nil {
		m.t.Errorf("Consistency(%d, %d): %v", first, second, err)
	}
}

func (m *model) receipt() {
	i := m.rng.IntN(len(m.entries))
	got, err := m.ledger.Receipt(int64(i))
	if err != nil {
		m.t.Fatalf("Receipt(%d): %v", i, err)
	}
	r := m.entries[i].rec
	if r.Msg.GetAuthor().GetAgent() != "" {
		m.checkReceipt(r, got.Receipt)
	}
	if string(got.Envelope.GetPayload()) != string(r.Envelope.Payload) {
		m.t.Errorf("Receipt(%d) has another payload", i)
	}
	if at, err := m.ledger.Index(r.ID); err != nil || at != int64(i) {
		m.t.Errorf("Index of entry %d = %d, %v", i, at, err)
	}
}
