package ledger

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
)

// A key that the log does not know is fetched and logged once, however many
// wait for it; one that the issuer does not have is refused.
func TestKeysAreRotated(t *testing.T) {
	h, is := newUserHarness(t, nil)
	old := is.token(nil)
	_, sub := h.intent(old, nil)
	h.must(h.ledger.Submit(context.Background(), sub))
	is.rotate()
	size := h.ledger.Size()
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 20 {
		_, sub := h.intent(is.token(nil), nil)
		wg.Go(func() {
			if got, err := h.ledger.Submit(context.Background(), sub); err != nil || got.Token.GetAssurance() != 1 {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d tokens of the new key were not taken", n)
	}
	if got := h.ledger.Size() - size; got != 21 {
		t.Errorf("the log grew by %d entries, want 20 records and one key set", got)
	}
	if is.asked != 2 {
		t.Errorf("the issuer was asked %d times, want twice", is.asked)
	}
	_, sub = h.intent(old, nil)
	_, err := h.ledger.Submit(context.Background(), sub)
	wantReason(t, err, credential.ReasonUnknownKey)
	h.checkLog()
}

// A key that its issuer withdrew is not taken for ever: keys that are old are
// asked for again, beside the record that finds them old.
func TestOldKeysAreAskedForAgain(t *testing.T) {
	var clock atomic.Int64
	start := time.Now()
	h, is := newUserHarness(t, func(c *Config) {
		c.Clock = func() time.Time { return start.Add(time.Duration(clock.Load())) }
	})
	asked := func() int { is.mu.Lock(); defer is.mu.Unlock(); return is.asked }
	submit := func() error {
		_, sub := h.intent(is.token(obj{"exp": start.Add(time.Hour).Unix()}), nil)
		_, err := h.ledger.Submit(context.Background(), sub)
		return err
	}
	wait := func(n int) {
		t.Helper()
		for asked() < n {
			time.Sleep(time.Millisecond)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(submit())
	clock.Store(int64(maxKeyAge - time.Second))
	must(submit())
	if n := asked(); n != 1 {
		t.Errorf("the issuer was asked %d times for keys that are not old", n)
	}
	clock.Store(int64(maxKeyAge + time.Second))
	must(submit())
	wait(2)
	must(submit())
	h.reopen() // waits for what goes on beside
	if n := asked(); n != 2 {
		t.Errorf("the issuer was asked %d times, want twice", n)
	}
	sets := func() (n int) {
		for i := range h.ledger.Size() {
			e, err := h.ledger.Entry(i)
			must(err)
			if e.Record.Msg.GetKeySet() != nil {
				n++
			}
		}
		return n
	}
	if n := sets(); n != 1 {
		t.Errorf("%d key sets are logged, want one: it is the same", n)
	}
	// It is withdrawn: another stands in its place.
	_, withdrawn := h.intent(is.token(obj{"exp": start.Add(time.Hour).Unix()}), nil)
	is.rotate()
	clock.Store(int64(3 * maxKeyAge))
	before := h.ledger.Size()
	_, sub := h.intent(withdrawn.UserToken, nil) // finds the keys old, and is still taken
	h.must(h.ledger.Submit(context.Background(), sub))
	must(h.ledger.Wait(context.Background(), before+1)) // the record and the new key set
	_, err := h.ledger.Submit(context.Background(), withdrawn)
	wantReason(t, err, credential.ReasonUnknownKey)
	h.checkLog()
}
