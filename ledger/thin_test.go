package ledger

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/tree"
)

// thinned is a ledger with cosigned rows of times that a test chose.
type thinned struct {
	*watched
	clock atomic.Int64 // milliseconds
	rows  map[int64][]int64
}

const unsigned = -1 // in place of a witness's time

// newThinned has a log whose witnesses are down, with no row.
func newThinned(t *testing.T) *thinned {
	w := &thinned{rows: map[int64][]int64{}}
	w.watched = newWatched(t, nil, false)
	w.settle()
	w.close()
	w.down(false, 0, 1, 2)
	w.change(func(db *pebble.DB) error {
		p := []byte{prefixCosigned}
		return db.DeleteRange(p, keyAfter(p), pebble.Sync)
	})
	w.clock.Store(time.Now().Add(time.Hour).UnixMilli())
	w.cfg.Clock = func() time.Time { return time.UnixMilli(w.clock.Load()) }
	w.open()
	return w
}

// put stores a row, cosigned by each witness at its time.
func (w *thinned) put(size int64, times ...int64) {
	w.t.Helper()
	root, err := w.ledger.rootAt(size)
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := w.ledger.signer.Sign(size, root)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, at := range times {
		if at != unsigned {
			signed = append(signed, w.ws[i].Line(tree.Checkpoint{Origin: testOrigin, Size: size, Root: root}, at)...)
		}
	}
	if err := w.ledger.db.Set(keyCosigned(size), signed, pebble.Sync); err != nil {
		w.t.Fatal(err)
	}
	w.rows[size] = times
}

// thin runs passes until there is nothing to do.
func (w *thinned) thin(from int64) (next int64) {
	w.t.Helper()
	for more := true; more; {
		before := w.left()
		next, more = 0, false
		var err error
		if next, more, err = w.ledger.witnesses.thin(from); err != nil {
			w.t.Fatal(err)
		}
		if removed := len(before) - len(w.left()); removed > thinRows {
			w.t.Errorf("one pass removed %d rows", removed)
		}
		if more && next <= from {
			w.t.Fatalf("the pass from %d has more to do, and goes on at %d", from, next)
		}
		from = next
	}
	return next
}

// left returns the sizes of the rows that are there.
func (w *thinned) left() []int64 {
	w.t.Helper()
	var sizes []int64
	it, err := w.ledger.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixCosigned}, UpperBound: keyAfter([]byte{prefixCosigned})})
	if err != nil {
		w.t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		size, err := parseIndex(it.Key(), it.Key()[1:])
		if err != nil {
			w.t.Fatal(err)
		}
		sizes = append(sizes, size)
	}
	return sizes
}

// want says which rows are to be left, by the definition.
func (w *thinned) want() []int64 {
	w.t.Helper()
	head := w.ledger.head.Load().logTime
	sizes := slices.Sorted(maps.Keys(w.rows))
	var want []int64
	for i, size := range sizes {
		e, err := w.ledger.Entry(size - 1)
		if err != nil {
			w.t.Fatal(err)
		}
		covered := slices.ContainsFunc(sizes[i+1:], func(larger int64) bool {
			for j, at := range w.rows[size] {
				if at != unsigned && (w.rows[larger][j] == unsigned || w.rows[larger][j]/60 != at/60) {
					return false
				}
			}
			return true
		})
		if !covered || head-e.Stamp.LogTime <= time.Hour.Milliseconds() {
			want = append(want, size)
		}
	}
	return want
}

// bound returns the earliest time at which a witness says that an entry was in
// the log, among those rows.
func (w *thinned) bound(index int64, witness int, sizes []int64) (at int64, ok bool) {
	for _, size := range sizes {
		if t := w.rows[size][witness]; size > index && t != unsigned && (!ok || t < at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// Hours of rows, one in eight seconds, with a witness whose clock is wrong, one
// that fails at times and one that makes up its times: what the definition says is
// left, no bound moves by a minute, and the newest ones stay, after a reopening too.
func TestThinCosigned(t *testing.T) {
	w := newThinned(t)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	start := w.ledger.Size()
	const n, step = 1500, 8
	for range n / 10 {
		w.clock.Add(10 * step * 1000)
		w.grow(10)
	}
	began := w.clock.Load()/1000 - n*step
	met := start + n/2 // no quorum from there on
	for i := range int64(n) {
		size, at := start+i+1, began+step*i
		times := []int64{at, at + 25, unsigned}
		switch {
		case size > met:
			times[1] = unsigned
		case rnd.IntN(4) > 0:
			times[2] = at + 1
		}
		if rnd.IntN(50) == 0 {
			times[0] = rnd.Int64()
		}
		w.put(size, times...)
	}
	all := slices.Sorted(maps.Keys(w.rows))
	next := w.thin(0)
	left := w.left()
	if want := w.want(); !slices.Equal(left, want) {
		t.Errorf("seed %d: %d rows are left, want %d:\n%v\n%v", seed, len(left), len(want), left, want)
	}
	if recent := int(time.Hour.Seconds() / step); len(left) < recent || len(left) > recent+2*n*step/60 {
		t.Errorf("seed %d: of %d rows %d are left", seed, len(all), len(left))
	}
	for i := start; i < start+n; i += 7 {
		for x := range w.ws {
			before, ok := w.bound(i, x, all)
			if after, still := w.bound(i, x, left); still != ok || after-before >= 60 {
				t.Fatalf("seed %d: entry %d was there at %d by witness %d, now by %d", seed, i, before, x, after)
			}
		}
	}
	if w.thin(0); !slices.Equal(w.left(), left) {
		t.Errorf("seed %d: a second time removes more", seed)
	}
	w.checkRows()
	w.reopen()
	if note, size := w.ledger.Witnessed(); size != met {
		t.Errorf("seed %d: after reopening %d are witnessed, want %d", seed, size, met)
	} else {
		w.wantWitnessed(string(note), met)
	}
	for i, s := range w.ledger.Status().Witnesses {
		newest := int64(0)
		for size, times := range w.rows {
			if times[i] != unsigned {
				newest = max(newest, size)
			}
		}
		if s.Size != newest {
			t.Errorf("seed %d: the newest of witness %d is of size %d, want %d", seed, i, s.Size, newest)
		}
	}

	// Time goes on: the rest is thinned from where it was left, and the newest row
	// stays whatever its age.
	w.clock.Add(3 * time.Hour.Milliseconds())
	w.grow(1)
	w.thin(next)
	if left, want := w.left(), w.want(); !slices.Equal(left, want) || len(left) > 3*n*step/60 || left[len(left)-1] != start+n {
		t.Errorf("seed %d: later %d rows are left, want %d:\n%v\n%v", seed, len(left), len(want), left, want)
	}
	w.checkRows()
}

// Rows come faster than one pass reads ahead.
func TestThinCosignedManyAMinute(t *testing.T) {
	w := newThinned(t)
	start := w.ledger.Size()
	w.grow(2000)
	at := w.clock.Load() / 1000 / 60 * 60
	for i := range int64(2000) {
		w.put(start+i+1, at+i/100, unsigned, at+i/100)
	}
	before := w.left()
	if next, more, err := w.ledger.witnesses.thin(0); next != 0 || more || err != nil || !slices.Equal(w.left(), before) {
		t.Errorf("within the hour: %d, %v, %v, and %d rows are left", next, more, err, len(w.left()))
	}
	w.clock.Add(time.Hour.Milliseconds() + 1)
	w.grow(1)
	w.thin(0)
	if left := w.left(); !slices.Equal(left, []int64{start + 2000}) {
		t.Errorf("left are %v, want %d alone", left, start+2000)
	}
}

// What a row says must be known before it is removed, or before another is for its
// sake.
func TestThinCosignedUnknown(t *testing.T) {
	w := newThinned(t)
	start := w.ledger.Size()
	w.grow(4)
	at := w.clock.Load() / 1000
	for i := range int64(4) {
		w.put(start+i+1, at, unsigned, unsigned)
	}
	add := func(size int64, line string) {
		row, err := w.ledger.get(keyCosigned(size))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.ledger.db.Set(keyCosigned(size), append(row, line...), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	// Of another kind; of a witness of an earlier policy; none at all.
	add(start+1, fmt.Sprintf("— w.example.org %s\n", base64.StdEncoding.EncodeToString(make([]byte, 100))))
	add(start+2, fmt.Sprintf("— w.example.org %s\n", base64.StdEncoding.EncodeToString(make([]byte, 76))))
	w.put(start+3, unsigned, unsigned, unsigned)
	w.clock.Add(2 * time.Hour.Milliseconds())
	w.grow(1)
	w.thin(0)
	if left, want := w.left(), []int64{start + 1, start + 2, start + 3, start + 4}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	w.put(start+2, at, unsigned, unsigned)
	w.thin(0)
	if left, want := w.left(), []int64{start + 1, start + 3, start + 4}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}
