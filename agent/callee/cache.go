package callee

import (
	"context"
	"errors"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
)

// Bounds of what is remembered. Anybody can name keys that do not exist, so
// these stand apart: they push out no key that does.
const (
	maxKnown   = 4096
	maxUnknown = 1024
	// maxAsking is how many questions may be open at once about what was not
	// known before. To ask again about what was is bounded by maxKnown.
	maxAsking = 16
)

// cache remembers for a short time what the ledger said.
type cache[K comparable, V any] struct {
	ttl, timeout time.Duration
	ask          func(context.Context, K) (V, error)

	mu             sync.Mutex
	asking         map[K]*answer[V] // under mu: not answered yet
	strange        int              // under mu: how many of those were not known before
	known, unknown map[K]*answer[V] // under mu; what is out of date too
}

type answer[V any] struct {
	done  chan struct{} // closed once the rest is set
	value V
	err   error
	until time.Time
}

func newCache[K comparable, V any](ttl, timeout time.Duration, ask func(context.Context, K) (V, error)) *cache[K, V] {
	return &cache[K, V]{ttl: ttl, timeout: timeout, ask: ask,
		asking: map[K]*answer[V]{}, known: map[K]*answer[V]{}, unknown: map[K]*answer[V]{}}
}

// get returns what the ledger said, at most ttl ago. Calls that ask for the
// same share one question. A flood of made-up keys turns away who is new, and
// nobody who was known before.
func (c *cache[K, V]) get(ctx context.Context, k K) (V, error) {
	c.mu.Lock()
	a := c.known[k]
	strange := a == nil
	if strange {
		a = c.unknown[k]
	}
	if a != nil && !time.Now().Before(a.until) {
		a = nil
	}
	if a == nil {
		a = c.asking[k]
	}
	if a == nil {
		if strange && c.strange >= maxAsking {
			c.mu.Unlock()
			var none V
			return none, refuse(connect.CodeUnavailable, ReasonTooManyCalls, "", "too many callers are new at once", "try again")
		}
		a = &answer[V]{done: make(chan struct{})}
		c.asking[k] = a
		if strange {
			c.strange++
		}
		// Not with this call's context: others may wait for the same answer.
		go c.fetch(context.WithoutCancel(ctx), k, a, strange)
	}
	c.mu.Unlock()
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none V
		return none, context.Cause(ctx)
	}
}

func (c *cache[K, V]) fetch(ctx context.Context, k K, a *answer[V], strange bool) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	asked := time.Now() // what is said may be as old as the question
	a.value, a.err = c.ask(ctx, k)
	a.until = asked.Add(c.ttl)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asking, k)
	if strange {
		c.strange--
	}
	switch {
	case a.err == nil:
		delete(c.unknown, k)
		delete(c.known, k)
		makeRoom(c.known, maxKnown)
		c.known[k] = a
	case errors.As(a.err, new(*agent.RefusedError)):
		delete(c.known, k)
		delete(c.unknown, k)
		makeRoom(c.unknown, maxUnknown)
		c.unknown[k] = a
	}
	// No answer: what was known stays, out of date, so that it need not stand in
	// line with strangers when it is asked for again.
	close(a.done)
}

// makeRoom removes what is out of date, and if that is nothing, anything.
func makeRoom[K comparable, V any](m map[K]*answer[V], most int) {
	if len(m) < most {
		return
	}
	now := time.Now()
	for k, a := range m {
		if !now.Before(a.until) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) < most {
			return
		}
		delete(m, k)
	}
}
