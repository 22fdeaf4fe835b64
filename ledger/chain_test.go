package ledger

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// under returns an edit that names a parent and causes.
func under(parent *record.Record, causes ...*record.Record) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		if parent != nil {
			m.Parent = parent.ID.String()
		}
		for _, c := range causes {
			m.Causes = append(m.Causes, c.ID.String())
		}
	}
}

// link submits a record with that parent and those causes.
func (h *harness) link(parent *record.Record, causes ...*record.Record) *record.Record {
	h.t.Helper()
	r, _ := h.submit(under(parent, causes...))
	return r
}

// wantChain wants the chain of each of the records to be exactly the records
// of want.
func (h *harness) wantChain(name string, of []*record.Record, want ...*record.Record) {
	h.t.Helper()
	index := func(r *record.Record) int64 {
		i, err := h.ledger.Index(r.ID)
		if err != nil {
			h.t.Fatalf("Index: %v", err)
		}
		return i
	}
	var wanted []int64
	for _, r := range want {
		wanted = append(wanted, index(r))
	}
	slices.Sort(wanted)
	for _, r := range of {
		c, err := h.ledger.Chain(r.ID, 0)
		if err != nil {
			h.t.Fatalf("%s: Chain: %v", name, err)
		}
		var got []int64
		for _, e := range c.Entries {
			got = append(got, e.Index)
		}
		if !slices.Equal(got, wanted) || c.Cut || c.Size != h.ledger.Size() {
			h.t.Errorf("%s: chain of %d is %v (cut %t, as of %d), want %v", name, index(r), got, c.Cut, c.Size, wanted)
		}
	}
}

func TestChainShapes(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.link(nil) // another chain

	// root ─ a ─ b
	//      └ c ─ d
	root := h.link(nil)
	a := h.link(root)
	b := h.link(a)
	c := h.link(root)
	d := h.link(c)
	h.wantChain("branches", []*record.Record{root, a, b, c, d}, root, a, b, c, d)

	// A record of another chain that b caused comes in with what descends
	// from it, and without what stands above it or beside it.
	other := h.link(nil)
	effect := h.link(other, b)
	below := h.link(effect)
	h.link(other) // beside
	h.wantChain("cause from outside", []*record.Record{root, a, b, c, d}, root, a, b, c, d, effect, below)

	// An effect of an effect, too; and one with two causes comes once.
	again := h.link(nil, below, root)
	h.wantChain("effects of effects", []*record.Record{a, d}, root, a, b, c, d, effect, below, again)
	h.wantChain("chain of an effect without parent", []*record.Record{again}, again)

	h.reopen()
	h.wantChain("reopened", []*record.Record{a, d}, root, a, b, c, d, effect, below, again)
}

// A chain with records that come out of order: a child before its parent, an
// effect before its cause.
func TestChainOutOfOrder(t *testing.T) {
	h := newHarness(t, nil, nil)
	late := h.record(nil)
	child := h.link(late)
	effect := h.link(nil, late)
	h.wantChain("parent missing", []*record.Record{child}, child)
	h.wantChain("cause missing", []*record.Record{effect}, effect)
	h.must(h.ledger.Submit(t.Context(), Submission{Envelope: late.Envelope}))
	h.wantChain("parent has come", []*record.Record{child, late}, late, child, effect)
	h.checkLog()
}

func TestChainLimits(t *testing.T) {
	h := newHarness(t, nil, nil)
	root := h.link(nil)
	deep := []*record.Record{root}
	for range 60 {
		deep = append(deep, h.link(deep[len(deep)-1]))
	}
	h.wantChain("deep", []*record.Record{root, deep[30], deep[60]}, deep...)
	size := h.ledger.Size()

	// From the middle, the way up comes first, and then the way down.
	for limit := 1; limit <= 62; limit++ {
		c, err := h.ledger.Chain(deep[30].ID, limit)
		if err != nil {
			t.Fatal(err)
		}
		first := size - 61 + int64(max(0, 31-limit))
		if len(c.Entries) != min(limit, 61) || c.Cut != (limit < 61) || c.Entries[0].Index != first {
			t.Errorf("limit %d: %d entries from %d, cut %t; want them from %d", limit, len(c.Entries), c.Entries[0].Index, c.Cut, first)
		}
	}

	wide := h.link(nil)
	h.submitAll(h.envelopes(1200, func(i int, m *onusv1.Record) { m.Parent = wide.ID.String() }))
	c, err := h.ledger.Chain(wide.ID, 0)
	if err != nil || len(c.Entries) != DefaultChain || !c.Cut {
		t.Errorf("wide: %d entries, cut %t, %v; want %d", len(c.Entries), c.Cut, err, DefaultChain)
	}
	if c, err = h.ledger.Chain(wide.ID, MaxChain); err != nil || len(c.Entries) != 1201 || c.Cut {
		t.Errorf("wide: %d entries, cut %t, %v; want all 1201", len(c.Entries), c.Cut, err)
	}
	if c, err = h.ledger.Chain(wide.ID, 1201); err != nil || len(c.Entries) != 1201 || c.Cut {
		t.Errorf("limit that just fits: %d entries, cut %t, %v", len(c.Entries), c.Cut, err)
	}
	for _, limit := range []int{-1, MaxChain + 1} {
		var re *RangeError
		if _, err := h.ledger.Chain(wide.ID, limit); !errors.As(err, &re) || re.Field != "limit" {
			t.Errorf("limit %d: %v, want a RangeError", limit, err)
		}
	}
	if _, err := h.ledger.Chain(record.ID{1}, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("chain of an unknown record: %v, want ErrNotFound", err)
	}
}

// A link is judged missing only if the log does not have it. Records that are
// in the log and not in the chain (above an effect, or other causes) or not in
// the part of it that was gathered are not missing.
func TestChainDoesNotCallLoggedRecordsMissing(t *testing.T) {
	h := newHarness(t, nil, nil)
	root := h.link(nil)
	above, beside := h.link(nil), h.link(nil)
	h.link(above, root, beside) // its parent and one cause are of other chains
	for range 5 {
		h.link(root)
	}
	for _, limit := range []int{0, 3} {
		got, err := h.ledger.Chain(root.ID, limit)
		if err != nil {
			t.Fatal(err)
		}
		var entries []chain.Entry
		for _, e := range got.Entries {
			entries = append(entries, chain.Entry{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record})
		}
		for _, n := range chain.Build(entries, got.Elsewhere, h.ledger.Registry().Genesis().GetPolicy()).Nodes {
			for _, f := range n.Findings {
				if f.Code == "PARENT_NOT_IN_LOG" || f.Code == "CAUSE_NOT_IN_LOG" {
					t.Errorf("limit %d: entry %d: %s: %s; but the log has it", limit, n.Index, f.Code, f.Text)
				}
			}
		}
	}
}

// Postings are hashes: a reader looks at the record itself. A row that claims
// a link which the record does not have adds nothing to a chain.
func TestChainLooksAtTheRecord(t *testing.T) {
	h := newHarness(t, nil, nil)
	root := h.link(nil)
	_, stranger := h.submit(nil)
	p := post(byParent, root.ID.String())
	x := h.ledger.index
	x.mu.Lock()
	x.tail.lists[p] = append(x.tail.lists[p], stranger.Receipt.Index)
	x.mu.Unlock()
	c, err := h.ledger.Chain(root.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Entries) != 1 {
		t.Errorf("the chain has %d records, want the root alone: entry %d names no parent", len(c.Entries), stranger.Receipt.Index)
	}
}

// A chain that is cut is cut at the same place each time.
func TestChainCutIsTheSameEachTime(t *testing.T) {
	h := newHarness(t, nil, nil)
	root := h.link(nil)
	for range 3 {
		h.link(root)
		h.link(nil, root)
	}
	var want []int64
	for i := range 50 {
		c, err := h.ledger.Chain(root.ID, 4)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, e := range c.Entries {
			got = append(got, e.Index)
		}
		if i == 0 {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Fatalf("the chain is %v, before it was %v", got, want)
		}
	}
}

// What the chain names and does not hold, though the log does, is told.
func TestChainElsewhere(t *testing.T) {
	h := newHarness(t, nil, nil)
	root, above, beside, never := h.link(nil), h.link(nil), h.link(nil), h.record(nil)
	h.link(above, root, beside, never)
	c, err := h.ledger.Chain(root.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[record.ID]int64{above.ID: 5, beside.ID: 6}
	if diff := cmp.Diff(want, c.Elsewhere); diff != "" {
		t.Errorf("elsewhere (-want +got):\n%s", diff)
	}
}
