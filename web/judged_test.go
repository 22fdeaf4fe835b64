package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// growingLog is a log with a chain in it that counts how often that is judged,
// and gets further entries.
type growingLog struct {
	*madeChain
	mu     sync.Mutex
	after  []chain.Entry
	judged int
	gate   chan struct{} // nil, or what Judge waits for
}

func growing(t testing.TB, edit func(i int, m *onusv1.Record)) *growingLog {
	return &growingLog{madeChain: makeChain(t, 20, edit)}
}

// add logs a record, ms after the chain was judged.
func (g *growingLog) add(ms int64, m *onusv1.Record, edit func(*chain.Entry)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.after)
	e := chain.Entry{Index: g.basis.Size + int64(n), LogTime: g.basis.Time + ms, Record: &record.Record{ID: record.ID{0: 3, 30: byte(n >> 8), 31: byte(n)}, Msg: m}, Stamp: &entry.Stamp{}}
	if edit != nil {
		edit(&e)
	}
	g.after = append(g.after, e)
}

func (g *growingLog) Size() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.basis.Size + int64(len(g.after))
}

func (g *growingLog) Entry(index int64) (chain.Entry, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := index - g.basis.Size; i >= 0 && i < int64(len(g.after)) {
		return g.after[i], nil
	}
	if i := index - g.made[0].Index; i >= 0 && i < int64(len(g.made)) {
		return g.made[i], nil
	}
	return g.bundleLog.Entry(index)
}

func (g *growingLog) Records(q web.RecordQuery, limit int, _ string) ([]int64, string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []int64
	for _, e := range slices.Backward(append(slices.Clone(g.made), g.after...)) {
		if a := e.Record.Msg.GetAuthor(); a.GetAgent() == q.Agent && (q.Instance == "" || a.GetInstance() == q.Instance) && len(out) < limit {
			out = append(out, e.Index)
		}
	}
	return out, "", nil
}

func (g *growingLog) Judge(id record.ID) (*desk.Judged, error) {
	g.mu.Lock()
	g.judged++
	gate, size := g.gate, g.basis.Size+int64(len(g.after))
	g.mu.Unlock()
	if gate != nil {
		<-gate
	}
	j, err := g.madeChain.Judge(id)
	j.Size = max(j.Size, size)
	return j, err
}

// viewer returns the pages over a log, without a desk.
func viewer(l web.Log) func(t testing.TB, path string) string {
	h := web.New(web.Config{Log: l})
	return func(t testing.TB, path string) string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != 200 {
			t.Fatalf("%s: %d", path, w.Code)
		}
		return w.Body.String()
	}
}

// A chain is judged once for all its tabs and records, until the log has
// something new about it; and the page says as of which entry it is.
func TestChainJudgedOnce(t *testing.T) {
	const planner = "spiffe://example.com/planner"
	node := func(i int) string { return record.ID{0: 1, 31: byte(i)}.String() }
	missing := record.ID{0: 9}
	other := func() *onusv1.Record {
		return &onusv1.Record{Author: &onusv1.Author{Agent: "spiffe://example.com/other", Instance: "o-1"}, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Decision: &onusv1.Decision{}}}}
	}
	with := func(edit func(*onusv1.Record)) *onusv1.Record {
		m := other()
		edit(m)
		return m
	}
	revoking := func(r *onusv1.Revocation) *onusv1.Record {
		r.Target = &onusv1.Revocation_Agent{Agent: planner}
		return &onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Revocation{Revocation: r}}
	}
	for _, tc := range []struct {
		name  string
		again bool
		ms    int64
		m     *onusv1.Record
		edit  func(*chain.Entry)
	}{
		{"of nothing in it", false, 1, other(), nil},
		{"a child", true, 1, with(func(m *onusv1.Record) { m.Parent = node(4) }), nil},
		{"an effect", true, 1, with(func(m *onusv1.Record) { m.Causes = []string{missing.String(), node(19)} }), nil},
		{"under a grant of it", true, 1, with(func(m *onusv1.Record) { m.Grant = node(3) }), nil},
		{"a review", true, 1, &onusv1.Record{Author: &onusv1.Author{Reviewer: "boss"}, Body: &onusv1.Record_Review{Review: &onusv1.Review{Record: node(2)}}}, nil},
		{"an approval", true, 1, &onusv1.Record{Author: &onusv1.Author{User: "u-x"}, Body: &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: node(2)}}}, nil},
		{"a denial", true, 1, &onusv1.Record{Author: &onusv1.Author{User: "u-x"}, Body: &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: node(2)}}}, nil},
		{"what was missing", true, 1, other(), func(e *chain.Entry) { e.Record.ID = missing }},
		{"by a process of it", true, 1, with(func(m *onusv1.Record) { m.Author.Agent, m.Author.Instance, m.Sequence = planner, "pod-3", 9 }), nil},
		{"by another process", false, 1, with(func(m *onusv1.Record) { m.Author.Agent, m.Author.Instance = planner, "pod-x" }), nil},
		{"by a process that takes over", true, 1, with(func(m *onusv1.Record) {
			m.Author.Agent, m.Author.Instance, m.Previous = planner, "pod-x", record.ID{0: 8}.String()
		}), nil},
		{"a revocation from now on", false, 1, revoking(&onusv1.Revocation{}), nil},
		{"a revocation that looks back", true, 1, revoking(&onusv1.Revocation{SuspectedSince: timestamppb.Now()}), nil},
		{"one that cannot be read", true, 1, other(), func(e *chain.Entry) { e.Opaque = chain.Newer }},
		{"after the policy's window", true, (1000 * time.Hour).Milliseconds(), other(), nil},
	} {
		g := growing(t, func(i int, m *onusv1.Record) {
			if i == 7 {
				m.Causes = []string{missing.String()}
			}
		})
		if w := g.policy.GetOutcomeWindow().AsDuration(); w < time.Second || w > 500*time.Hour {
			t.Fatalf("the policy's window is %s: the cases need another", w)
		}
		get, root := viewer(g), "/chain/"+g.root.String()
		for _, path := range []string{root, root + "?tab=permissions", root + "?tab=timeline", root + "?tab=records", root + "/picture.svg", root} {
			get(t, path)
		}
		if g.judged != 1 {
			t.Fatalf("%s: judged %d times before anything came", tc.name, g.judged)
		}
		g.add(tc.ms, tc.m, tc.edit)
		for range 2 {
			body := get(t, root)
			if want := fmt.Sprintf("as of entry %d.", g.Size()-1); !strings.Contains(body, want) {
				t.Errorf("%s: the page is not %q", tc.name, want)
			}
		}
		// Twice where the test's chain stays as it was, and does not know what came.
		if got := g.judged > 1; got != tc.again {
			t.Errorf("%s: judged again %t, want %t", tc.name, got, tc.again)
		}
	}
}

// Of a log that grows fast, new entries are not held against a chain for longer
// than it takes to judge it.
func TestChainJudgedAgainAfterMuch(t *testing.T) {
	g := growing(t, nil)
	get, root := viewer(g), "/chain/"+g.root.String()
	get(t, root)
	for range 1000 {
		g.add(1, &onusv1.Record{Author: &onusv1.Author{Agent: "spiffe://example.com/other", Instance: "o-1"}}, nil)
	}
	get(t, root)
	if g.judged != 2 {
		t.Errorf("judged %d times", g.judged)
	}
}

// Who asks for a chain that is being judged waits for that.
func TestChainJudgedOnceAtOnce(t *testing.T) {
	g := growing(t, nil)
	g.gate = make(chan struct{})
	get, root := viewer(g), "/chain/"+g.root.String()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { get(t, root) })
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		n := g.judged
		g.mu.Unlock()
		if n > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody judges")
		}
	}
	time.Sleep(20 * time.Millisecond) // the other one comes to wait, or judges too
	close(g.gate)
	all.Wait()
	if g.judged != 1 {
		t.Errorf("judged %d times", g.judged)
	}
}

// manyChains has a chain of one record under every id.
type manyChains struct {
	*bundleLog
	judged map[record.ID]int
}

func (m *manyChains) Judge(id record.ID) (*desk.Judged, error) {
	m.judged[id]++
	n := chain.Entry{Index: 1, LogTime: 1, Record: &record.Record{ID: id, Msg: &onusv1.Record{Author: &onusv1.Author{Agent: "spiffe://example.com/planner"}}}}
	return &desk.Judged{Chain: chain.Build([]chain.Entry{n}, nil, nil), Judgement: &chain.Judgement{}, Size: m.Size(), Time: 1}, nil
}

// The chains that were looked at last are kept, and no more than a few.
func TestChainsKept(t *testing.T) {
	m := &manyChains{openBundle(t, "S4"), map[record.ID]int{}}
	get := viewer(m)
	id := func(i int) record.ID { return record.ID{0: byte(i + 1)} }
	visit := func(is ...int) {
		for _, i := range is {
			get(t, "/chain/"+id(i).String())
		}
	}
	visit(0, 1, 2, 3, 4, 5, 6, 7)
	visit(7, 6, 5, 4, 3, 2, 1, 0) // all are kept; 7 is now the oldest
	visit(8)
	visit(0, 8)
	visit(7)
	for i := range 9 {
		want := 1
		if i == 7 {
			want = 2
		}
		if m.judged[id(i)] != want {
			t.Errorf("chain %d was judged %d times, want %d", i, m.judged[id(i)], want)
		}
	}
}
