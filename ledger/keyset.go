package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// KeySource fetches the public keys of issuers.
type KeySource interface {
	// KeySet returns the JWK Set of an issuer as it is registered, byte for
	// byte as it publishes it, and when it was fetched. It is asked when a token names
	// a key that the log's newest key set does not hold, so an answer that
	// is minutes old helps nobody; how often the issuer is called is the
	// source's to bound.
	KeySet(ctx context.Context, issuer *onusv1.Issuer) (jwks []byte, fetched time.Time, err error)
}

// unreachableError says why an issuer's keys cannot be had.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }

// Unwrap returns what happened.
func (e *unreachableError) Unwrap() error { return e.err }

// fetches has one fetch for an issuer go on at a time. Issuers are registered,
// so they are few.
type fetches struct {
	mu      sync.Mutex
	flights map[string]*flight
	asked   map[string]time.Time // when keys were last asked for because of their age
}

// maxKeyAge is how old a key set may be before it is asked for again: a key
// that its issuer withdrew is taken for that long, and not for ever.
const maxKeyAge = 10 * time.Minute

// due reports whether it is time to ask for an issuer's keys, and notes it.
func (f *fetches) due(issuer string, fetched, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(fetched) < maxKeyAge || now.Sub(f.asked[issuer]) < maxKeyAge {
		return false
	}
	if f.asked == nil {
		f.asked = map[string]time.Time{}
	}
	f.asked[issuer] = now
	return true
}

// refresh asks for an issuer's keys again if those of the log are old. It does
// so beside: the token at hand is checked with the keys that are there, so that
// an issuer who is slow or away holds up nobody.
func (l *Ledger) refresh(issuer string, known *registry.KeySetVersion) {
	if l.cfg.Keys == nil || l.host == nil || !l.fetches.due(issuer, known.Fetched, l.cfg.Clock()) {
		return
	}
	l.accepting.RLock()
	defer l.accepting.RUnlock()
	if l.stopped {
		return
	}
	l.beside.Go(func() {
		if _, err := l.newerKeys(l.closing, issuer, known); err != nil && l.closing.Err() == nil {
			l.cfg.Logger.Warn("an issuer's keys are old and newer ones cannot be had", "issuer", issuer, "why", err.Error())
		}
	})
}

// flight is a fetch that goes on.
type flight struct {
	landed chan struct{}
	// away is set before landed is closed, if the keys cannot be had.
	away *unreachableError
}

// board returns the fetch of an issuer's keys that goes on, or else a new one,
// which the caller is to make and to land.
func (f *fetches) board(issuer string) (fl *flight, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.flights[issuer]; fl != nil {
		return fl, false
	}
	if f.flights == nil {
		f.flights = map[string]*flight{}
	}
	fl = &flight{landed: make(chan struct{})}
	f.flights[issuer] = fl
	return fl, true
}

func (f *fetches) land(issuer string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.flights, issuer)
	close(fl.landed)
}

// newerKeys returns a key set of an issuer that is newer in the log than
// known, which may be nil: one that came meanwhile, or one that is fetched and
// logged now. If the issuer publishes what is known it returns known. An error
// that is an *unreachableError says that the keys cannot be had; all who waited
// for one fetch share it, so that an issuer who hangs costs each of them one
// wait, and not one after the other.
func (l *Ledger) newerKeys(ctx context.Context, issuer string, known *registry.KeySetVersion) (*registry.KeySetVersion, error) {
	if l.cfg.Keys == nil {
		return nil, &unreachableError{errors.New("this ledger fetches no key sets")}
	}
	if l.host == nil {
		return nil, &unreachableError{errNoHost}
	}
	for {
		if n := l.registry.KeySet(issuer, l.head.Load().size); n != nil && (known == nil || n.Index > known.Index) {
			return n, nil
		}
		fl, first := l.fetches.board(issuer)
		if first {
			return l.fetch(ctx, issuer, known, fl)
		}
		select {
		case <-fl.landed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if fl.away != nil {
			return nil, fl.away
		}
		// It brought something, or whoever made it went away.
	}
}

// fetch makes a flight.
func (l *Ledger) fetch(ctx context.Context, issuer string, known *registry.KeySetVersion, fl *flight) (keys *registry.KeySetVersion, err error) {
	defer func() {
		errors.As(err, &fl.away)
		l.fetches.land(issuer, fl)
	}()
	newest := func() *registry.KeySetVersion { return l.registry.KeySet(issuer, l.head.Load().size) }
	if n := newest(); n != nil && (known == nil || n.Index > known.Index) {
		return n, nil // it came while we boarded
	}
	reg, _ := l.registry.Issuer(issuer, l.head.Load().size)
	if reg == nil {
		return nil, &unreachableError{fmt.Errorf("%s is not registered", issuer)}
	}
	jwks, fetched, err := l.cfg.Keys.KeySet(ctx, reg)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, &unreachableError{err}
	case known != nil && bytes.Equal(known.Raw, jwks):
		return known, nil
	}
	if _, err := credential.ParseKeySet(jwks); err != nil {
		return nil, &unreachableError{fmt.Errorf("what %s publishes is refused: %s", issuer, record.What(err))}
	}
	_, err = l.say(ctx, func(m *onusv1.Record) {
		m.Body = &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{Issuer: issuer, Jwks: jwks, Fetched: timestamppb.New(fetched)}}
	})
	var refused *record.Error
	if errors.As(err, &refused) {
		return nil, &unreachableError{fmt.Errorf("the key set of %s is refused: %s", issuer, record.What(refused))}
	}
	if err != nil {
		return nil, err
	}
	n := newest()
	if n == nil {
		return nil, fmt.Errorf("the key set of %s was logged and is not in the registry", issuer)
	}
	l.cfg.Logger.Info("logged a key set", "issuer", issuer, "entry", n.Index)
	return n, nil
}
