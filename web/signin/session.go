package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxSessions bounds the sessions in memory. Only people who are known can make
// one; when it is full the one that was not used for longest ends.
const maxSessions = 10_000

// sessionKey is the SHA-256 of a session's id: how long a look-up takes says
// nothing of an id.
type sessionKey [sha256.Size]byte

type session struct {
	credential Credential
	ends, used time.Time
}

// sessions are those of all people. It is safe for concurrent use.
type sessions struct {
	now            func() time.Time
	idle, lifetime time.Duration

	mu  sync.Mutex // guards all
	all map[sessionKey]*session
}

// begin makes a session and returns its id, which is in nobody's hands but the
// browser's. until is a bound earlier than its lifetime, or zero.
func (s *sessions) begin(c Credential, until time.Time) (id string) {
	var secret [32]byte
	rand.Read(secret[:])
	id = base64.RawURLEncoding.EncodeToString(secret[:])
	now := s.now()
	ends := now.Add(s.lifetime)
	if !until.IsZero() && until.Before(ends) {
		ends = until
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= maxSessions {
		s.sweep(now)
	}
	s.all[keyOf(id)] = &session{c, ends, now}
	return id
}

// sweep removes sessions that are over, or else the one that was not used for
// longest. The caller holds mu.
func (s *sessions) sweep(now time.Time) {
	var oldest sessionKey
	var used time.Time
	for k, e := range s.all {
		if s.over(e, now) {
			delete(s.all, k)
		} else if used.IsZero() || e.used.Before(used) {
			oldest, used = k, e.used
		}
	}
	if len(s.all) >= maxSessions {
		delete(s.all, oldest)
	}
}

func (s *sessions) over(e *session, now time.Time) bool {
	return !now.Before(e.ends) || now.Sub(e.used) >= s.idle
}

// use returns what a session stands for, and notes that it was used.
func (s *sessions) use(k sessionKey) (Credential, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, now := s.all[k], s.now()
	if e == nil {
		return Credential{}, false
	}
	if s.over(e, now) {
		delete(s.all, k)
		return Credential{}, false
	}
	e.used = now
	return e.credential, true
}

func (s *sessions) end(k sessionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, k)
}

func keyOf(id string) sessionKey { return sha256.Sum256([]byte(id)) }

// The cookies. A browser takes a cookie named __Host- from this host over TLS
// alone, so that no neighbouring host can plant one. Without TLS, on loopback,
// that name is not to be had.
func (s *SignIn) sessionCookie() string { return s.cookieName("onus") }
func (s *SignIn) flowCookie() string    { return s.cookieName("onus-sign-in") }

func (s *SignIn) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie for as long as the browser runs, or for that many
// seconds; below zero it removes it.
func (s *SignIn) setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds,
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// cookie returns the session that a request names. One that names two is of
// somebody who planted one: neither counts.
func (s *SignIn) cookie(r *http.Request) (sessionKey, bool) {
	cs := r.CookiesNamed(s.sessionCookie())
	if len(cs) != 1 || len(cs[0].Value) != base64.RawURLEncoding.EncodedLen(32) {
		return sessionKey{}, false
	}
	return keyOf(cs[0].Value), true
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
