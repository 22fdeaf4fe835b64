package ledger

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Cursors over runs on disk, a frozen one and the tail find what a plain list
// has, from anywhere and within any bounds.
func TestCursor(t *testing.T) {
	rng := newRand(t)
	h := newHarness(t, vfs.NewMem(), nil)
	x := h.ledger.index
	at := h.ledger.Size() // the ledger is idle, so the index is ours

	// How often each posting comes: in every entry, so that its rows are full,
	// and down to hardly ever.
	ps := make([]posting, 6)
	lists := make([][]int64, len(ps))
	for i := range ps {
		ps[i] = post(byAgent, string(rune('a'+i)))
	}
	grow := func(n int) {
		for range n {
			e := indexed{index: at, rec: &record.Record{ID: record.ID{byte(at), byte(at >> 8), 1}, Msg: &onusv1.Record{}}}
			for i, p := range ps {
				if rng.IntN(1<<(2*i)) == 0 {
					e.postings = append(e.postings, p)
					lists[i] = append(lists[i], at)
				}
			}
			x.add([]indexed{e})
			at++
		}
	}
	for range 4 {
		grow(rng.IntN(3 * chunkEntries))
		if err := x.flush(); err != nil {
			t.Fatal(err)
		}
	}
	grow(300)
	x.mu.Lock()
	x.frozen, x.tail = x.tail, newRun(x.tail.end)
	x.mu.Unlock()
	grow(300)

	for range 3000 {
		i := rng.IntN(len(ps))
		low, high := rng.Int64N(at+2), rng.Int64N(at+2)
		c, err := x.cursor(ps[i], low, high)
		if err != nil {
			t.Fatal(err)
		}
		var want []int64
		for _, v := range lists[i] {
			if v >= low && v < high {
				want = append(want, v)
			}
		}
		for range 8 {
			from := rng.Int64N(at + 2)
			got, ok, err := c.ceil(from)
			n, _ := slices.BinarySearch(want, from)
			if err != nil || ok != (n < len(want)) || ok && got != want[n] {
				t.Fatalf("posting %d in [%d,%d): ceil(%d) is %d, %v, %v, want %v", i, low, high, from, got, ok, err, want[n:min(n+1, len(want))])
			}
			got, ok, err = c.floor(from)
			n, found := slices.BinarySearch(want, from)
			if found {
				n++
			}
			if err != nil || ok != (n > 0) || ok && got != want[n-1] {
				t.Fatalf("posting %d in [%d,%d): floor(%d) is %d, %v, %v, want one of %v", i, low, high, from, got, ok, err, want[max(0, n-1):n])
			}
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
	}
	// What was added here is of no entry of the log.
	if x.thaw(); dropDerived(x.db) != nil {
		t.Fatal("drop what the test wrote")
	}
	x.mu.Lock()
	x.mark, x.tail = 0, newRun(0)
	x.mu.Unlock()
}

// FuzzChunk: a row of a posting is read as what was written, and whatever else
// is read would be written the same.
func FuzzChunk(f *testing.F) {
	p := post(byAgent, "agent")
	f.Add(int64(7), appendChunk(nil, []int64{7, 8, 300, 1 << 40}))
	f.Add(int64(0), []byte{0})
	f.Add(int64(1), []byte{0x80})
	f.Add(int64(1<<62+39), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x41})
	f.Add(int64(1<<62), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, first int64, value []byte) {
		list, err := parseChunk(nil, p.prefix(), keyPosting(p, first), value)
		if err != nil {
			return
		}
		if !slices.IsSorted(list) || len(list) > chunkEntries || list[0] != first {
			t.Fatalf("%v was read from %d, %x", list, first, value)
		}
		if got, err := parseChunk(nil, p.prefix(), keyPosting(p, first), appendChunk(nil, list)); err != nil || !slices.Equal(got, list) {
			t.Fatalf("%v is written and read as %v, %v", list, got, err)
		}
	})
}
