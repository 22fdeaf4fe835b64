package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// Issuers fetches the public keys of OpenID providers, from where their
// metadata says (OpenID Connect Discovery, section 4), and keeps them for a
// while. It is safe for concurrent use; the zero value is ready.
//
// Whose keys are fetched is for its caller to decide, and never for a token:
// whoever may name an issuer makes the server call that address.
type Issuers struct {
	// MaxAge is how long keys are used before they are fetched again: a key
	// that its issuer withdrew is good for that long. 0 means ten minutes.
	MaxAge time.Duration
	// Pause is the least time from the end of a fetch from one issuer to the
	// next, whether the first came to something or not: tokens that name
	// unknown keys cost an issuer no more than that, and one that hangs does
	// not keep all who ask waiting in turn. 0 means five seconds.
	Pause time.Duration

	mu    sync.Mutex // guards known, and what it points to
	known map[place]*issuerState
}

// place is an issuer and where its keys are: empty, where its metadata says.
type place struct{ issuer, jwksURI string }

// IssuerKeys is what an issuer published. It is immutable.
type IssuerKeys struct {
	Issuer string
	// Raw is the JWK Set, byte for byte; Set is what it says.
	Raw []byte
	Set *credential.KeySet
	// Fetched is when it was asked for.
	Fetched time.Time

	at place
}

type issuerState struct {
	keys *IssuerKeys // the newest that were fetched, or nil
	err  error       // why the last fetch failed, or nil
	// tried is when the last fetch ended.
	tried time.Time
	// flight is closed when the fetch that goes on ends; nil while none does.
	flight chan struct{}
}

// KeySet returns the keys of an issuer, at most MaxAge old.
//
// The error says why they cannot be had: for [CheckIssuer], the network or
// what the issuer sent. It is never a [*record.Error], because it says nothing
// about a token.
func (is *Issuers) KeySet(ctx context.Context, issuer string) (*IssuerKeys, error) {
	return is.KeySetAt(ctx, issuer, "")
}

// KeySetAt is KeySet for an issuer whose keys are at a known address, such as
// one without metadata; an empty address is where the metadata says.
func (is *Issuers) KeySetAt(ctx context.Context, issuer, jwksURI string) (*IssuerKeys, error) {
	return is.get(ctx, place{issuer, jwksURI}, func(s *issuerState) bool {
		return s.keys != nil && time.Since(s.keys.Fetched) < orElse(is.MaxAge, 10*time.Minute)
	})
}

// Newer returns keys that were fetched after old, for a token that names a key
// that old does not hold. Within Pause it returns old again.
func (is *Issuers) Newer(ctx context.Context, old *IssuerKeys) (*IssuerKeys, error) {
	return is.get(ctx, old.at, func(s *issuerState) bool {
		return s.keys != nil && (s.keys.Fetched.After(old.Fetched) || s.err == nil && is.pausing(s))
	})
}

// Verify is [credential.VerifyToken] with the keys of want.Issuer, which are
// fetched once more if the token names a key that they do not hold. It also
// returns the keys that decided.
//
// A refusal is a [*record.Error]; any other error says that the keys cannot be
// had, and that the token may be good.
func (is *Issuers) Verify(ctx context.Context, token string, want credential.Expect, at time.Time) (*credential.Facts, *IssuerKeys, error) {
	keys, err := is.KeySet(ctx, want.Issuer)
	if err != nil {
		return nil, nil, err
	}
	f, err := credential.VerifyToken(token, keys.Set, want, at)
	var refused *record.Error
	if errors.As(err, &refused) && refused.Reason == credential.ReasonUnknownKey {
		if keys, err = is.Newer(ctx, keys); err != nil {
			return nil, nil, err
		}
		f, err = credential.VerifyToken(token, keys.Set, want, at)
	}
	return f, keys, err
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// pausing reports whether it is too early for another fetch.
func (is *Issuers) pausing(s *issuerState) bool {
	return time.Since(s.tried) < orElse(is.Pause, 5*time.Second)
}

// get returns the keys of an issuer, those that are there if they will do and
// else newer ones. However many ask, one fetches.
func (is *Issuers) get(ctx context.Context, at place, willDo func(*issuerState) bool) (*IssuerKeys, error) {
	if why := CheckIssuer(at.issuer); why != "" {
		return nil, fmt.Errorf("the issuer %.200q %s", at.issuer, why)
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	if is.known == nil {
		is.known = map[place]*issuerState{}
	}
	s := is.known[at]
	if s == nil {
		s = &issuerState{}
		is.known[at] = s
	}
	switch {
	case willDo(s):
		return s.keys, nil
	case s.flight == nil && s.err != nil && is.pausing(s):
		return nil, s.err
	case s.flight == nil:
		s.flight = make(chan struct{})
		// One who asked may go away; the others still wait.
		go is.fetch(context.WithoutCancel(ctx), at, s)
	}
	flight := s.flight
	is.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
	}
	is.mu.Lock()
	switch {
	case s.flight == flight:
		return nil, fmt.Errorf("keys of %s: %w", at.issuer, ctx.Err())
	case s.err != nil:
		return nil, s.err
	}
	return s.keys, nil
}

func (is *Issuers) fetch(ctx context.Context, at place, s *issuerState) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, err := fetchKeys(ctx, at)
	is.mu.Lock()
	defer is.mu.Unlock()
	s.err, s.tried = err, time.Now()
	if err == nil {
		s.keys = keys
	}
	close(s.flight)
	s.flight = nil
}
