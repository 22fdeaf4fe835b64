package signin

import (
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/onus-ledger/onus/web"
)

// maxForm bounds the form: a token has 48 characters.
const maxForm = 8 << 10

// withToken signs somebody in who has an access token, as onus token new prints
// them. A token is 256 random bits: nobody finds one by trying. That tries are
// bounded keeps the server from working for nothing.
func (s *SignIn) withToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.show(w, r, http.StatusBadRequest, web.SignInPage{Problem: "The form could not be read.", Advice: "Send the token alone."})
		return
	}
	next := localPath(r.PostForm.Get("next"))
	if wait := s.tries.wait(r.RemoteAddr); wait > 0 {
		retryAfter(w, wait)
		s.show(w, r, http.StatusTooManyRequests, web.SignInPage{Next: next, Problem: tooManyTries, Advice: "Wait a minute, then try again."})
		return
	}
	c, ok := s.cfg.Directory.Token(r.PostForm.Get("token"))
	if !ok {
		s.cfg.Logger.Info("sign-in refused", "why", "no token")
		s.show(w, r, http.StatusForbidden, web.SignInPage{Next: next, Problem: "This is not an access token of the ledger.", Advice: "It begins with onus_ and has 48 characters; copy all of it."})
		return
	}
	s.enter(w, r, c, time.Time{}, next)
}

const tooManyTries = "Too many tries from your address."

// retryAfter says when the next try is taken.
func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", fmt.Sprint(int(wait/time.Second)+1))
}

// Bounds of tries with tokens, or with codes, from one address: so many at once, and one more
// each time that the interval passes.
const (
	triesAtOnce  = 20
	triesEvery   = time.Second
	triesBuckets = 4096
)

// tries bounds how often an address tries. Addresses share buckets by a keyed
// hash, so that memory is bounded and nobody can choose whom to share one with.
type tries struct {
	now  func() time.Time
	seed maphash.Seed

	mu sync.Mutex // guards next
	// next holds for each bucket when it would be empty again.
	next [triesBuckets]time.Time
}

func newTries(now func() time.Time) *tries { return &tries{now: now, seed: maphash.MakeSeed()} }

// wait takes a try, and returns 0; or how long to wait for the next.
func (t *tries) wait(remote string) time.Duration {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	at := maphash.String(t.seed, network(host)) % triesBuckets
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	filled := t.next[at]
	if filled.Before(now) {
		filled = now
	}
	if over := filled.Add(triesEvery).Sub(now) - triesAtOnce*triesEvery; over > 0 {
		return over
	}
	t.next[at] = filled.Add(triesEvery)
	return 0
}

// network is the part of an address that one party has all of: of IPv6 the first
// 64 bits.
func network(host string) string {
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
