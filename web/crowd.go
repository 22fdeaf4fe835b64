package web

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// Bounds of work at the same time. A page that judges a chain, or goes through
// many records, costs up to a second of a processor and the memory of all that
// it shows: whoever opens fifty at once must not take them from the ledger,
// which has records to log. Those beyond the bound wait, and are told after a
// while to come again.
const (
	// patience is how long a page waits for its turn.
	patience = 10 * time.Second
	// maxFiles is how many evidence files are made and sent at once: each is in
	// memory until its reader has it.
	maxFiles = 4
)

// crowd lets so many in at once.
type crowd struct {
	places   chan struct{}
	patience time.Duration
}

func newCrowd(n int, patience time.Duration) *crowd {
	return &crowd{make(chan struct{}, n), patience}
}

// costlyAtOnce is how many costly pages are made at once.
func costlyAtOnce() int { return max(2, runtime.GOMAXPROCS(0)) }

// enter waits for a place. The caller gives it back with leave, which may be
// called more than once.
func (c *crowd) enter(ctx context.Context) (leave func(), err error) {
	late := time.NewTimer(c.patience)
	defer late.Stop()
	select {
	case c.places <- struct{}{}:
		return sync.OnceFunc(func() { <-c.places }), nil
	default:
	}
	select {
	case c.places <- struct{}{}:
		return sync.OnceFunc(func() { <-c.places }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, &problem{http.StatusServiceUnavailable, "Too many large pages are asked for at once, and this one had no turn yet.", "Try again in half a minute."}
	}
}

// retryAfter is what an answer says whose work had no turn, in seconds.
const retryAfter = "30"

// costly waits until this request may do what costs. Its place is given back
// before the answer is sent, so that a slow reader keeps nobody out.
func (v *visit) costly() error {
	if v.leave != nil {
		return nil
	}
	leave, err := v.crowd.enter(v.r.Context())
	if err != nil {
		return err
	}
	v.leave = leave
	return nil
}

// done gives back the place of costly.
func (v *visit) done() {
	if v.leave != nil {
		v.leave()
		v.leave = nil
	}
}
