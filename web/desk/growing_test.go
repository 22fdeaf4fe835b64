package desk

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onus-ledger/onus/verifier/record"
)

// A chain that grows by a record at a time is not judged for each. The clock is
// the bubble's, so that how often it is judged does not depend on the machine.
func TestGrowingChain(t *testing.T) {
	w := newWorld(t)
	top := w.log(byAgent("planner", "1"), decides)
	grow := make([]*record.Record, 500)
	for i := range grow {
		grow[i] = w.sign(byAgent("planner", "1"), under(top), decides)
	}
	synctest.Test(t, func(t *testing.T) {
		w.grown = make(chan struct{}) // of the bubble
		d, stop := running(t, "", w)
		defer stop()
		caughtUp(t, d)
		for _, r := range grow {
			time.Sleep(10 * time.Millisecond)
			w.admit(r)
		}
		// Five seconds, of which each second may have one round, as it never was
		// quiet; the first, and the last when it is.
		time.Sleep(2 * patience)
		if d.AsOf() != w.Size() || d.judged < 2 || d.judged > 8 {
			t.Errorf("as of %d of %d, judged %d times for 500 records", d.AsOf(), w.Size(), d.judged)
		}
		c, err := d.Case(top.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantCase(t, c, top, 501, 0)
	})
}

// Who waits for an answer does not wait for the log to be quiet.
func TestCatchUpDoesNotWaitForQuiet(t *testing.T) {
	w := newWorld(t)
	r := w.sign(byAgent("planner", "1"), decides)
	synctest.Test(t, func(t *testing.T) {
		w.grown = make(chan struct{})
		d, stop := running(t, "", w)
		defer stop()
		caughtUp(t, d)
		synctest.Wait() // Run waits for the log to grow
		began := time.Now()
		w.admit(r)
		caughtUp(t, d)
		if waited := time.Since(began); waited > 0 {
			t.Errorf("waited %s", waited)
		}
	})
}

// A round judges a case once, however many records it got.
func TestRoundJudgesOnce(t *testing.T) {
	w := newWorld(t)
	top := w.log(byAgent("planner", "1"), decides)
	d, err := Open("", w)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		w.log(byAgent("planner", "1"), under(top), decides)
	}
	for round, want := range []int{1, 1} {
		if err := d.advance(context.Background(), w.Size()); err != nil || d.judged != want {
			t.Errorf("round %d: judged %d times, %v; want %d", round, d.judged, err, want)
		}
	}
}
