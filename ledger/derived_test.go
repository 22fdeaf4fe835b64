package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/proto"
)

// answers is what a ledger says to a set of questions that its derived rows
// answer.
func answers(h *harness, record0 *Entry) string {
	h.t.Helper()
	s := ""
	for _, q := range []Query{
		{Agent: testAgent}, {Operator: testOperator, NewestFirst: true}, {Instance: "bulk-3"},
		{Operation: "k8s.pod:get", Instance: "bulk-1"}, {Resource: "https://k8s.example.com/a#7"}, {Agent: "spiffe://example.com/none"},
	} {
		s += fmt.Sprintf("%+v: %v\n", q, listAll(h.t, h.ledger, q, MaxPage))
	}
	c, err := h.ledger.Chain(record0.Record.ID, MaxChain)
	if err != nil {
		h.t.Fatalf("Chain: %v", err)
	}
	for _, e := range c.Entries {
		s += fmt.Sprint(e.Index, " ")
	}
	as, _, err := h.ledger.Agents(0, 0)
	if err != nil {
		h.t.Fatalf("Agents: %v", err)
	}
	return s + fmt.Sprint("\n", len(as), as[0].LastIndex)
}

// varied makes records that differ in what they are indexed by, a child of
// parent among them now and then.
func varied(h *harness, n int, parent string) []Submission {
	return h.envelopes(n, func(i int, m *onusv1.Record) {
		m.Author.Instance = fmt.Sprintf("bulk-%d", i%5)
		m.GetStages().GetAction().Element.Location = "https://k8s.example.com/a"
		m.GetStages().GetAction().Element.Identifier = fmt.Sprint(i % 100)
		if i%50 == 0 {
			m.Parent = parent
		}
		if i%70 == 0 {
			m.Causes = []string{parent}
		}
	})
}

// Derived rows can be deleted at any time: the next Open makes them again,
// with the same answers.
func TestDerivedRowsAreMadeAgain(t *testing.T) {
	h := newHarness(t, nil, nil)
	root, _ := h.submit(nil)
	e, err := h.ledger.Entry(h.ledger.Size() - 1)
	if err != nil {
		t.Fatal(err)
	}
	h.submitAll(varied(h, 900, root.ID.String()))
	want := answers(h, e)
	compare := func(when string) {
		t.Helper()
		if got := answers(h, e); got != want {
			t.Errorf("%s:\ngot  %.2000s\nwant %.2000s", when, got, want)
		}
	}
	h.reopen()
	compare("reopened")

	h.change(func(db *pebble.DB) error {
		if err := dropDerived(db); err != nil {
			return err
		}
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixPosting}, UpperBound: []byte{prefixPosting + 1}})
		if err != nil {
			return err
		}
		if it.First() {
			err = errors.New("derived rows were not dropped")
		}
		return errors.Join(err, it.Close())
	})
	h.open()
	compare("all derived rows dropped")

	h.change(func(db *pebble.DB) error { return db.Delete(keyWatermark, pebble.Sync) })
	h.open()
	compare("no watermark")

	// The watermark is never ahead of the log, whatever else is wrong.
	h.change(func(db *pebble.DB) error { return db.Set(keyWatermark, u64(1<<40), pebble.Sync) })
	var damage *CorruptionError
	if l, err := Open(h.cfg); !errors.As(err, &damage) {
		t.Errorf("Open with a watermark beyond the log: %v, want a CorruptionError", err)
		if l != nil {
			l.Close()
		}
	}
	h.change(dropDerived)
	h.open()
	compare("dropped again")
	h.checkRows()
}

// Listings are exact at the head at any time: below the watermark, in a run
// that is being written, and in the tail.
func TestQueriesAcrossFlushes(t *testing.T) {
	h := newHarness(t, nil, nil)
	root, _ := h.submit(nil)
	x := h.ledger.index
	x.mu.Lock()
	x.limit = 1000
	x.mu.Unlock()
	subs := varied(h, 7*x.limit, root.ID.String())
	var want []int64
	for chunk := range slices.Chunk(subs, 997) {
		for i, got := range h.submitAll(chunk) {
			if m := mustRecord(t, chunk[i]); m.Author.Instance == "bulk-3" {
				want = append(want, got.Receipt.Index)
			}
		}
		got := listAll(t, h.ledger, Query{Instance: "bulk-3"}, MaxPage)
		if !slices.Equal(got, want) {
			t.Fatalf("at size %d: %d entries are listed, want %d", h.ledger.Size(), len(got), len(want))
		}
	}
	newest := slices.Clone(want)
	slices.Reverse(newest)
	if got := listAll(t, h.ledger, Query{Instance: "bulk-3", NewestFirst: true}, MaxPage); !slices.Equal(got, newest) {
		t.Errorf("newest first: %d entries, want %d", len(got), len(newest))
	}
	x.mu.RLock()
	mark := x.mark
	x.mu.RUnlock()
	if mark < int64(x.limit) {
		t.Errorf("watermark is %d after %d entries: nothing was flushed", mark, h.ledger.Size())
	}
	h.reopen()
	if got := listAll(t, h.ledger, Query{Instance: "bulk-3"}, MaxPage); !slices.Equal(got, want) {
		t.Errorf("reopened: %d entries, want %d", len(got), len(want))
	}
}

// A query is exact while a flush is under way: here it is held between its
// write and the moment that it counts.
func TestQueryDuringFlush(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(50)
	x := h.ledger.index
	want := listAll(t, h.ledger, Query{Instance: "bulk"}, MaxPage)
	wantNew := func(when string) {
		t.Helper()
		if got := listAll(t, h.ledger, Query{Instance: "bulk"}, 7); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
		back := slices.Clone(want)
		slices.Reverse(back)
		if got := listAll(t, h.ledger, Query{Instance: "bulk", NewestFirst: true}, 7); !slices.Equal(got, back) {
			t.Errorf("%s, newest first: %v, want %v", when, got, back)
		}
	}
	more := func() {
		for _, l := range h.grow(20) {
			want = append(want, l.Receipt.Index)
		}
	}

	x.mu.Lock()
	x.frozen, x.tail = x.tail, newRun(x.tail.end)
	x.mu.Unlock()
	wantNew("frozen")
	more()
	wantNew("frozen and tail")
	if err := x.frozen.write(x.cfg, x.db); err != nil {
		t.Fatal(err)
	}
	wantNew("written, not counted")

	// As after a write of which the ledger does not know that it came through:
	// the next one has the same rows, and more.
	x.thaw()
	wantNew("thawed")
	more()
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	wantNew("flushed")
	more()
	wantNew("flushed and tail")
	h.checkRows()
}

func mustRecord(t testing.TB, s Submission) *onusv1.Record {
	t.Helper()
	m := new(onusv1.Record)
	if err := proto.Unmarshal(s.Envelope.Payload, m); err != nil {
		t.Fatal(err)
	}
	return m
}
