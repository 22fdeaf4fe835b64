package callee

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onus-ledger/onus/agent"
)

// Calls for the same share one question, and an answer lasts for the TTL.
func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := newCache(10*time.Second, time.Minute, func(_ context.Context, k string) (int64, error) {
			time.Sleep(4 * time.Second)
			return asked.Add(1), nil
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if v, err := c.get(t.Context(), "a"); v != 1 || err != nil {
					t.Errorf("get gives %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		// It is as old as the question: six seconds are left.
		time.Sleep(5 * time.Second)
		if v, _ := c.get(t.Context(), "a"); v != 1 {
			t.Errorf("after 9 s get gives answer %d, want the first", v)
		}
		time.Sleep(2 * time.Second)
		if v, _ := c.get(t.Context(), "a"); v != 2 {
			t.Errorf("after 11 s get gives answer %d, want the second", v)
		}
		ended, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.get(ended, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that ends gives %v", err)
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
	})
}

// What is refused is remembered apart, what failed not at all, and neither
// grows without bounds.
func TestCacheBounds(t *testing.T) {
	var asked atomic.Int64
	c := newCache(time.Hour, time.Minute, func(_ context.Context, k int) (int, error) {
		asked.Add(1)
		switch {
		case k < 0:
			return 0, &agent.RefusedError{}
		case k == 0:
			return 0, errors.New("down")
		}
		return k, nil
	})
	for range 3 {
		c.get(t.Context(), 0)
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("a failure is asked for %d times in 3 calls", n)
	}
	c.get(t.Context(), 1)
	for i := range 2 * maxUnknown {
		c.get(t.Context(), -1-i)
	}
	if len(c.unknown) > maxUnknown || c.known[1] == nil {
		t.Errorf("%d unknown keys are remembered, and the known one is %v", len(c.unknown), c.known[1])
	}
	before := asked.Load()
	c.get(t.Context(), -2*maxUnknown)
	if asked.Load() != before {
		t.Error("an unknown key is asked for again at once")
	}
	for i := range maxKnown + 10 {
		c.get(t.Context(), 1+i)
	}
	if len(c.known) > maxKnown {
		t.Errorf("%d known keys are remembered", len(c.known))
	}
}

// Many who are new at once do not become as many questions.
func TestCacheAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(time.Second, time.Minute, func(ctx context.Context, k int) (int, error) {
			time.Sleep(time.Second)
			return k, nil
		})
		var busy atomic.Int64
		var wg sync.WaitGroup
		for i := range maxAsking + 5 {
			wg.Go(func() {
				if _, err := c.get(t.Context(), i); refusalOf(err).err.Reason == ReasonTooManyCalls && err != nil {
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		if busy.Load() != 5 {
			t.Errorf("%d of %d were turned away, want 5", busy.Load(), maxAsking+5)
		}
	})
}

// A flood of made-up keys does not keep out who was known a moment ago.
func TestStrangersKeepOutNobodyKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(10*time.Second, time.Minute, func(_ context.Context, k string) (string, error) {
			time.Sleep(50 * time.Millisecond) // the ledger is near
			return k, nil
		})
		if _, err := c.get(t.Context(), "honest"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // the next question about it is due
		for i := range maxAsking {   // 16 unsigned tokens with made-up kids
			go c.get(t.Context(), string(rune('a'+i)))
		}
		synctest.Wait()
		if _, err := c.get(t.Context(), "honest"); err != nil {
			t.Errorf("a caller who was known 10 s ago gets: %v", err)
		}
		time.Sleep(time.Second)
	})
}

// Who was known stays known while the ledger does not answer, and is let in at
// once when it does.
func TestOutageForgetsNobodyKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		c := newCache(10*time.Second, time.Minute, func(_ context.Context, k string) (string, error) {
			time.Sleep(50 * time.Millisecond)
			if down.Load() {
				return "", errors.New("down")
			}
			return k, nil
		})
		if _, err := c.get(t.Context(), "honest"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		down.Store(true)
		if v, err := c.get(t.Context(), "honest"); err == nil {
			t.Errorf("what is out of date is given out: %q", v)
		}
		down.Store(false)
		for i := range maxAsking {
			go c.get(t.Context(), string(rune('a'+i)))
		}
		synctest.Wait()
		if _, err := c.get(t.Context(), "stranger"); err == nil {
			t.Error("there is no limit on strangers")
		}
		if v, err := c.get(t.Context(), "honest"); v != "honest" || err != nil {
			t.Errorf("after the outage the known one gets %q, %v", v, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.strange != 0 || len(c.asking) != 0 {
			t.Errorf("%d questions are counted, %d are open, want none", c.strange, len(c.asking))
		}
	})
}

func TestReplays(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := newReplays()
	until := now.Add(time.Minute)
	if err := r.use("k", "1", until, now); err != nil {
		t.Fatal(err)
	}
	if err := r.use("k", "1", until, now.Add(59*time.Second)); refusalOf(err).err.Reason != ReasonReplay {
		t.Errorf("the same proof again gives %v", err)
	}
	if err := r.use("other", "1", until, now); err != nil {
		t.Errorf("another key's proof of that id gives %v", err)
	}
	// Full is full for this key alone, until its proofs have expired.
	for i := range maxProofsOfKey - 1 {
		if err := r.use("k", fmt.Sprint("x", i), until, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.use("k", "one more", until, now); refusalOf(err).err.Reason != ReasonTooManyCalls {
		t.Errorf("a proof too many gives %v", err)
	}
	if err := r.use("other", "2", until, now); err != nil {
		t.Errorf("another key gives %v", err)
	}
	later := until.Add(time.Second)
	if err := r.use("k", "1", later.Add(time.Minute), later); err != nil {
		t.Errorf("after all have expired: %v", err)
	}
	if r.count != 1 || len(r.byKey) != 1 {
		t.Errorf("%d proofs of %d keys are remembered, want one", r.count, len(r.byKey))
	}
}
