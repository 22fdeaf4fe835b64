package desk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	gocmp "github.com/google/go-cmp/cmp"
)

// written is a log with a desk's database that has all of it, closed.
func written(t *testing.T) (dir string, w *world, was map[string]any) {
	t.Helper()
	w = newWorld(t)
	top := w.log(byAgent("planner", "1"), decides)
	act := w.log(byAgent("buyer", "1"), under(top), does("order:create", "https://shop.example.com/a", costs("3", "EUR")))
	w.log(byAgent("reader", "1"), decides, causedBy(act))
	w.log(byAgent("reader", "1"), decides, under(w.sign(byAgent("reader", "2"), decides)))
	w.log(boss, reviews(act, "GRANT_MISSING", 3))
	w.spoilt[w.byID[w.log(platform, trigger).ID]] = errors.New("a bad sector")
	dir = filepath.Join(t.TempDir(), "desk")
	d, stop := running(t, dir, w)
	caughtUp(t, d)
	was = d.answers(t, w)
	stop()
	return dir, w, was
}

// reopened opens a database, and reports whether it was made again.
func reopened(t *testing.T, dir string, w *world, was map[string]any) (again bool) {
	t.Helper()
	d, stop := running(t, dir, w)
	caughtUp(t, d)
	if diff := gocmp.Diff(was, d.answers(t, w)); diff != "" {
		t.Errorf("opened again (-was +now):\n%s", diff)
	}
	stop()
	return d.judged > 0
}

func TestDirectoryIsOurs(t *testing.T) {
	dir, _, _ := written(t)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v; want 0700", info.Mode(), err)
	}
}

func TestOpenedAgain(t *testing.T) {
	dir, w, was := written(t)
	for range 3 {
		if reopened(t, dir, w, was) {
			t.Error("judged again, with nothing new")
		}
	}
	d, stop := running(t, dir, w)
	defer stop()
	if other, err := Open(dir, w); err == nil {
		t.Error("opened twice")
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
	w.log(byAgent("planner", "1"), decides)
	caughtUp(t, d)
}

// A database of another log, of other rules, ahead of its log or damaged in any
// row is made again.
func TestMadeAgain(t *testing.T) {
	dir, w, was := written(t)
	db, err := pebble.Open(dir, options())
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[byte]bool{}
	for ok := it.First(); ok; ok = it.Next() {
		if k := it.Key(); !kinds[k[0]] {
			kinds[k[0]] = true
			keys = append(keys, bytes.Clone(k))
		}
	}
	if err := errors.Join(it.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if len(keys) != 8 {
		t.Fatalf("rows of %d kinds, want all 8", len(keys))
	}
	change := func(f func(db *pebble.DB) error) {
		t.Helper()
		db, err := pebble.Open(dir, options())
		if err == nil {
			err = errors.Join(f(db), db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range keys {
		for name, f := range map[string]func([]byte) []byte{
			"a bit":     func(v []byte) []byte { v[len(v)/2] ^= 4; return v },
			"cut":       func(v []byte) []byte { return v[:len(v)-1] },
			"empty":     func([]byte) []byte { return nil },
			"resealed":  func(v []byte) []byte { return seal(k, append(v[:len(v)-4:len(v)-4], 1)) },
			"all 0xff":  func(v []byte) []byte { return seal(k, bytes.Repeat([]byte{0xff}, len(v)-4)) },
			"sealed 00": func(v []byte) []byte { return seal(k, make([]byte, len(v))) },
		} {
			change(func(db *pebble.DB) error {
				v, done, err := db.Get(k)
				if err != nil {
					return err
				}
				v = bytes.Clone(v)
				return errors.Join(done.Close(), db.Set(k, f(v), nil))
			})
			if !reopened(t, dir, w, was) {
				t.Errorf("row %q, %s: not made again", k, name)
			}
		}
		if k[0] == rowWaiting || k[0] == rowOrphans || k[0] == rowLife || k[0] == rowDamage {
			continue // one that is missing is not missed: only a batch could lose it
		}
		change(func(db *pebble.DB) error { return db.Delete(k, nil) })
		if !reopened(t, dir, w, was) {
			t.Errorf("row %q missing: not made again", k)
		}
	}
	w.origin = "log.example.com/other"
	if !reopened(t, dir, w, was) {
		t.Error("another origin: not made again")
	}
	// A log that was put back to an earlier state, and went on otherwise.
	short := newWorld(t)
	short.origin = w.origin
	d, stop := running(t, dir, short)
	caughtUp(t, d)
	if f, err := d.Find(Query{}, 10, ""); err != nil || f.Total != 0 || f.AsOf != short.Size() {
		t.Errorf("%+v, %v", f, err)
	}
	stop()
	short.n = 1000 // other nonces
	short.log(byAgent("planner", "1"), decides)
	if d, stop = running(t, dir, short); d.AsOf() == 0 {
		t.Error("the same log with one entry more: made again")
	}
	caughtUp(t, d)
	stop()
	longer := newWorld(t)
	longer.origin = w.origin
	for range 5 {
		longer.log(byAgent("planner", "1"), decides)
	}
	d, err = Open(dir, longer)
	if err != nil || d.AsOf() != 0 {
		t.Errorf("another entry at its newest: as of %d, %v; want it made again", d.AsOf(), err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestDamagedFiles(t *testing.T) {
	dir, w, was := written(t)
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if filepath.Ext(f.Name()) == ".log" || filepath.Ext(f.Name()) == ".sst" || f.Name() == "MANIFEST-000001" {
			if err := os.WriteFile(filepath.Join(dir, f.Name()), bytes.Repeat([]byte("damaged"), 99), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	reopened(t, dir, w, was)
}

// failing is a log that cannot be waited for.
type failing struct{ *world }

var errFailing = errors.New("the log is ill")

func (failing) Wait(context.Context, int64) error { return errFailing }

// An error ends Run, whoever waits hears of it, and what was written stays.
func TestRunSaysWhatEndedIt(t *testing.T) {
	dir, w, was := written(t)
	w.log(byAgent("planner", "1"), decides)
	d, err := Open(dir, failing{w})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(context.Background()); !errors.Is(err, errFailing) {
		t.Errorf("Run: %v", err)
	}
	if err := d.Err(); !errors.Is(err, errFailing) {
		t.Errorf("Err: %v", err)
	}
	if err := d.CatchUp(context.Background(), w.Size()); !errors.Is(err, errFailing) {
		t.Errorf("CatchUp: %v", err)
	}
	if len(d.answers(t, w)) != len(was) {
		t.Errorf("%d answers, want the %d of before", len(d.answers(t, w)), len(was))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, stop := running(t, dir, w)
	caughtUp(t, d)
	if d.judged != 1 {
		t.Errorf("%d judgements, want that of the new case", d.judged)
	}
	stop()
	if err := d.Err(); err != nil {
		t.Errorf("Err of a desk that was ended: %v", err)
	}
}

// Who waits for what the log has not got gives up when its time is over, and is
// not waited for.
func TestCatchUpGivesUp(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	caughtUp(t, d)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.CatchUp(ctx, 1<<60); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.wanted > w.Size() {
		t.Errorf("still wanted: %d", d.wanted)
	}
}
