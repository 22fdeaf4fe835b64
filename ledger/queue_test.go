package ledger

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// stalled is a ledger whose disk hangs in a commit, so that the queue fills.
func stalled(t *testing.T, queue int) (*harness, *gate) {
	g, fs := newGate(vfs.NewMem())
	t.Cleanup(g.open) // before the harness closes
	h := newHarness(t, fs, func(c *Config) { c.Queue, c.MaxBatch = queue, 2 })
	t.Cleanup(g.open)
	g.shut()
	return h, g
}

// waiting submits a record in the background.
func waiting(h *harness, wg *sync.WaitGroup) {
	r := h.record(nil)
	wg.Go(func() {
		got, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope})
		if err != nil {
			h.t.Errorf("an accepted record: %v", err)
			return
		}
		h.checkReceipt(r, got.Receipt)
	})
}

func TestFullQueue(t *testing.T) {
	h, g := stalled(t, 5)
	before := h.ledger.Size()
	var wg sync.WaitGroup
	waiting(h, &wg)
	g.await() // the first is in the commit that hangs
	for range 4 {
		waiting(h, &wg)
	}
	for len(h.ledger.queue) < 4 {
		time.Sleep(time.Millisecond)
	}
	r := h.record(nil)
	_, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope})
	var busy *BusyError
	if !errors.As(err, &busy) {
		t.Fatalf("Submit to a full queue: %v, want a BusyError", err)
	}
	if busy.RetryAfter < time.Millisecond || busy.RetryAfter > 10*time.Second {
		t.Errorf("try again in %v", busy.RetryAfter)
	}
	for i, res := range h.ledger.SubmitBatch(context.Background(), h.envelopes(3, nil)) {
		if !errors.As(res.Err, &busy) {
			t.Errorf("batch[%d]: %v, want a BusyError", i, res.Err)
		}
	}
	g.open()
	wg.Wait()
	if got, want := h.ledger.Size(), before+5; got != want {
		t.Errorf("%d entries, want %d: those that were accepted", got, want)
	}
	if _, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}); err != nil {
		t.Errorf("the same again when there is room: %v", err)
	}
	h.checkLog()
}

// A batch that does not fit the queue has its first records accepted and the
// rest refused: each has its own result.
func TestBatchBeyondTheQueue(t *testing.T) {
	h, g := stalled(t, 10)
	before := h.ledger.Size()
	var results []Result
	var wg sync.WaitGroup
	waiting(h, &wg)
	g.await()
	subs := h.envelopes(30, nil)
	wg.Go(func() { results = h.ledger.SubmitBatch(context.Background(), subs) })
	for len(h.ledger.queue) < 9 {
		time.Sleep(time.Millisecond)
	}
	g.open()
	wg.Wait()
	accepted := int64(0)
	for i, res := range results {
		var busy *BusyError
		switch {
		case res.Err == nil:
			if accepted++; res.Logged.Receipt.Index != before+accepted {
				t.Errorf("batch[%d] is at %d, want %d", i, res.Logged.Receipt.Index, before+accepted)
			}
		case !errors.As(res.Err, &busy):
			t.Errorf("batch[%d]: %v", i, res.Err)
		}
	}
	if got, want := h.ledger.Size(), before+1+accepted; accepted < 9 || got != want {
		t.Errorf("%d were accepted, the log has %d entries, want %d", accepted, got, want)
	}
}

// Run, when it is told to end, finishes what was accepted and refuses the
// rest.
func TestStop(t *testing.T) {
	h, g := stalled(t, 100)
	before := h.ledger.Size()
	var wg sync.WaitGroup
	waiting(h, &wg)
	g.await()
	for range 20 {
		waiting(h, &wg)
	}
	for len(h.ledger.queue) < 20 {
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	g.open()
	wg.Wait()
	<-stopped
	if got, want := h.ledger.Size(), before+21; got != want {
		t.Errorf("%d entries, want %d", got, want)
	}
	r := h.record(nil)
	if _, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}); !errors.Is(err, ErrStopped) {
		t.Errorf("Submit after the stop: %v, want ErrStopped", err)
	}
	for _, res := range h.ledger.SubmitBatch(context.Background(), []Submission{{Envelope: r.Envelope}}) {
		if !errors.Is(res.Err, ErrStopped) {
			t.Errorf("SubmitBatch after the stop: %v, want ErrStopped", res.Err)
		}
	}
	h.checkLog() // reads go on until Close
	h.stop = func() {}
	h.reopen()
	h.submit(nil)
}

// A stop under load: every record is either acknowledged and logged, or
// refused and not.
func TestStopUnderLoad(t *testing.T) {
	h := newHarness(t, nil, nil)
	logged := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				sub := h.envelopes(1, nil)[0]
				_, err := h.ledger.Submit(context.Background(), sub)
				mu.Lock()
				logged[sub.Envelope.ID().String()] = err == nil
				mu.Unlock()
				if err != nil {
					if !errors.Is(err, ErrStopped) {
						t.Errorf("Submit: %v", err)
					}
					return
				}
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	h.stop()
	wg.Wait()
	h.stop = func() {}
	h.reopen()
	n := int64(0)
	for e := range logged {
		if logged[e] {
			n++
		}
	}
	if got, want := h.ledger.Size(), 4+n; got != want {
		t.Errorf("the log has %d entries, %d records were acknowledged", got, want)
	}
}

// If ctx ends while a record is on its way, it may be logged or not; to submit
// it again tells.
func TestContextEnds(t *testing.T) {
	h, g := stalled(t, 100)
	ctx, cancel := context.WithCancel(context.Background())
	rs := []Submission{{Envelope: h.record(nil).Envelope}, {Envelope: h.record(nil).Envelope}}
	done := make(chan error)
	go func() { _, err := h.ledger.Submit(ctx, rs[0]); done <- err }()
	g.await()
	go func() { done <- h.ledger.SubmitBatch(ctx, rs[1:])[0].Err }()
	for len(h.ledger.queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("after cancel: %v, want context.Canceled", err)
		}
	}
	g.open()
	for _, r := range rs {
		if _, err := h.ledger.Submit(context.Background(), r); err != nil {
			t.Errorf("again: %v", err)
		}
	}
	if got := h.ledger.Size(); got != 6 {
		t.Errorf("%d entries, want 6: each record once", got)
	}
	h.checkLog()
}

func TestRunTwice(t *testing.T) {
	h := newHarness(t, nil, nil)
	if err := h.ledger.Run(context.Background()); err == nil {
		t.Error("Run was called twice and returned nil")
	}
	h.submit(nil)
}

// Wait and Follow end with their context and see every entry once.
func TestFollow(t *testing.T) {
	h := newHarness(t, nil, nil)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 4 {
		wg.Go(func() {
			next := int64(2)
			err := h.ledger.Follow(ctx, 2, 0, func(first int64, entries [][]byte) error {
				if first != next || len(entries) == 0 {
					t.Errorf("yield(%d) of %d entries, want from %d", first, len(entries), next)
				}
				if next += int64(len(entries)); next == 3004 {
					return errDone
				}
				return nil
			})
			if !errors.Is(err, errDone) {
				t.Errorf("Follow: %v", err)
			}
		})
	}
	h.grow(3000)
	wg.Wait()

	var re *RangeError
	for _, r := range [][2]int64{{-1, 0}, {0, -1}, {5, 4}} {
		if err := h.ledger.Follow(ctx, r[0], r[1], nil); !errors.As(err, &re) {
			t.Errorf("Follow(%d, %d): %v, want a RangeError", r[0], r[1], err)
		}
	}
	if err := h.ledger.Follow(ctx, 7, 7, nil); err != nil {
		t.Errorf("Follow of nothing: %v", err)
	}
	go func() { time.Sleep(10 * time.Millisecond); cancel() }()
	if err := h.ledger.Follow(ctx, h.ledger.Size(), 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow at the end: %v, want context.Canceled", err)
	}
	if err := h.ledger.Wait(ctx, h.ledger.Size()); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait at the end: %v, want context.Canceled", err)
	}
}

var errDone = errors.New("seen all")

// A panic in one call, which a server survives, leaves the log to others.
func TestPanicInAdmission(t *testing.T) {
	h := newHarness(t, nil, nil)
	sound := h.ledger.signatures
	h.ledger.signatures = nil
	func() {
		defer func() {
			if recover() == nil {
				t.Error("admission did without the check of signatures")
			}
		}()
		h.ledger.Submit(context.Background(), Submission{Envelope: h.record(nil).Envelope})
	}()
	h.ledger.signatures = sound
	if n, m := h.ledger.underway.Load(), h.ledger.admitting.Load(); n != 0 || m != 0 {
		t.Errorf("%d records are on their way, %d are being admitted, want none", n, m)
	}
	h.grow(3)
	h.checkLog()
}
