package callee

import (
	"sync"
	"time"

	"connectrpc.com/connect"
)

// Bounds of the proofs that are remembered, of one key and of all. Only proofs
// that verified are, so only registered agents can fill it, each its own share.
const (
	maxProofsOfKey = 1 << 15
	maxProofs      = 1 << 18
)

// replays remembers proofs until they would be refused anyway.
type replays struct {
	mu    sync.Mutex
	byKey map[string]map[string]time.Time // under mu: key id, proof id, until when
	count int                             // under mu
	swept time.Time                       // under mu
}

func newReplays() *replays { return &replays{byKey: map[string]map[string]time.Time{}} }

// use uses a proof up. Where there is no room to remember it, it is refused: to
// forget another would let that one in again.
func (r *replays) use(key, id string, until, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.byKey[key][id]; ok && now.Before(at) {
		return refuse(connect.CodeUnauthenticated, ReasonReplay, "proof.jti", "was used before", "sign a proof for each request")
	}
	full := r.count >= maxProofs || len(r.byKey[key]) >= maxProofsOfKey
	if full || now.Sub(r.swept) > time.Minute {
		r.sweep(now)
		full = r.count >= maxProofs || len(r.byKey[key]) >= maxProofsOfKey
	}
	if full {
		return refuse(connect.CodeUnavailable, ReasonTooManyCalls, "proof.jti", "cannot be remembered: too many calls in a short time", "call less often")
	}
	ids := r.byKey[key]
	if ids == nil {
		ids = map[string]time.Time{}
		r.byKey[key] = ids
	}
	if _, again := ids[id]; !again {
		r.count++
	}
	ids[id] = until
	return nil
}

// sweep forgets what has expired, at most once a second: a full memory must not
// cost a walk through it for every call. The caller holds mu.
func (r *replays) sweep(now time.Time) {
	if now.Sub(r.swept) < time.Second {
		return
	}
	r.swept = now
	for key, ids := range r.byKey {
		for id, until := range ids {
			if !now.Before(until) {
				delete(ids, id)
				r.count--
			}
		}
		if len(ids) == 0 {
			delete(r.byKey, key)
		}
	}
}
