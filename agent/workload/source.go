package workload

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// Config says where the Workload API is.
type Config struct {
	// Socket is the Workload API's address, unix:///PATH or the path alone;
	// empty means the value of SPIFFE_ENDPOINT_SOCKET.
	Socket string
	// ServerID is the SPIFFE ID that servers called through
	// [Source.HTTPClient] must have, such as spiffe://example.com/ledger.
	// Empty means that any member of this workload's own trust domain will
	// do: then every workload of that domain can pose as the server.
	ServerID string
	// Logger hears of renewals and of trouble with the Workload API; nil
	// means silence.
	Logger *slog.Logger
}

// Source holds a workload's SVIDs and trust bundles and keeps them fresh. It
// is safe for concurrent use.
type Source struct {
	address string
	client  *workloadapi.Client
	server  spiffeid.ID // zero for any of the own domain
	log     *slog.Logger

	stop    context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	now       material           // under mu; what it points to never changes
	jwtKnown  bool               // under mu: JWT keys came, or the Workload API has none
	trouble   error              // under mu: why the Workload API cannot be watched; nil while it can
	final     bool               // under mu: it will not be watched again
	changed   chan struct{}      // under mu: closed and replaced with every change
	transport *http.Transport    // under mu: whose connections are of the newest SVID
	conns     map[*conn]struct{} // under mu: open connections of clients
	closed    bool               // under mu
}

// material is what the Workload API gave last.
type material struct {
	svid *x509svid.SVID
	x509 *x509bundle.Set
	jwt  *jwtbundle.Set // nil before it came
}

// ErrClosed says that the source was closed.
var ErrClosed = errors.New("workload: the source is closed")

// Open connects to the Workload API and waits until it has given an X.509-SVID
// or ctx ends: a SPIFFE agent may start later than its workloads, and a new
// registration takes a while to reach it. The error says what was wrong at the
// last attempt. ctx does not bound the source's life; Close ends it.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	s := &Source{log: cfg.Logger, changed: make(chan struct{}), conns: map[*conn]struct{}{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.ServerID != "" {
		id, err := spiffeid.FromString(cfg.ServerID)
		if err == nil && id.Path() == "" {
			err = errors.New("it names a trust domain and no workload")
		}
		if err != nil {
			return nil, fmt.Errorf("workload: ServerID %.200q: %w: use one such as spiffe://example.com/ledger", cfg.ServerID, err)
		}
		s.server = id
	}
	var err error
	if s.address, err = address(cfg.Socket); err != nil {
		return nil, err
	}
	if s.client, err = workloadapi.New(ctx, workloadapi.WithAddr(s.address)); err != nil {
		return nil, fmt.Errorf("workload: Workload API at %s: %w", s.address, err)
	}
	s.transport = s.newTransport()
	running, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.watch(running, s.watchX509) })
	s.running.Go(func() { s.watch(running, s.watchJWT) })
	if err := s.wait(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// address returns the address that go-spiffe dials.
func address(socket string) (string, error) {
	from := "Socket"
	if socket == "" {
		from, socket = workloadapi.SocketEnv, os.Getenv(workloadapi.SocketEnv)
	}
	switch {
	case socket == "":
		return "", fmt.Errorf("workload: Socket is empty and %s is not set: name the Workload API, such as unix:///run/spire/agent.sock", workloadapi.SocketEnv)
	case strings.HasPrefix(socket, "/"):
		socket = "unix://" + socket
	}
	if err := workloadapi.ValidateAddress(socket); err != nil {
		return "", fmt.Errorf("workload: %s %.200q: %w: use unix:///PATH", from, socket, err)
	}
	return socket, nil
}

// wait waits for what an open source has.
func (s *Source) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		has, final, changed := s.now.svid != nil, s.final, s.changed
		ready, err := has && s.jwtKnown, s.trouble
		s.mu.Unlock()
		switch {
		case ready:
			return nil
		case final:
			return fmt.Errorf("workload: the Workload API at %s gives no SVID: %w", s.address, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			switch {
			case has:
				return fmt.Errorf("workload: the Workload API at %s has said nothing of JWT-SVIDs, not even that it has none: %w", s.address, ctx.Err())
			case err == nil:
				err = errors.New("it has not answered")
			}
			return fmt.Errorf("workload: the Workload API at %s has given no SVID: %w: %w: %s", s.address, ctx.Err(), err, next(err))
		}
	}
}

// Close lets the Workload API go, and the idle connections of the client. It
// does not close the connections of a listener.
func (s *Source) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	old := s.transport
	s.broadcast()
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
	old.CloseIdleConnections()
	return s.client.Close()
}

// broadcast wakes those who wait for a change. The caller holds mu.
func (s *Source) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ID returns the workload's SPIFFE ID. Where the Workload API gives several,
// it is the first, the default identity.
func (s *Source) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.svid.ID.String()
}

// X509 returns the current X.509-SVID and its private key. The chain is in
// DER, the leaf first, without the root; it belongs to the caller. A key lives
// as short as its SVID: who signs with it asks again for each signature, or
// enrols another key with this chain.
func (s *Source) X509() (chain [][]byte, key crypto.Signer, err error) {
	now, err := s.current()
	if err != nil {
		return nil, nil, err
	}
	for _, cert := range now.svid.Certificates {
		chain = append(chain, append([]byte(nil), cert.Raw...))
	}
	return chain, now.svid.PrivateKey, nil
}

// current returns what is in force, if the SVID has not expired.
func (s *Source) current() (material, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return material{}, ErrClosed
	}
	if until := s.now.svid.Certificates[0].NotAfter; time.Now().After(until) {
		err := s.trouble
		if err == nil {
			err = errors.New("it is there, and silent")
		}
		return material{}, fmt.Errorf("workload: the SVID of %s expired at %s, and the Workload API at %s has given no other: %w",
			s.now.svid.ID, until.UTC().Format(time.RFC3339), s.address, err)
	}
	return s.now, nil
}

// JWT returns a JWT-SVID for one audience, in the compact form. It is asked
// for anew with each call; the SPIFFE agent keeps those that it has.
func (s *Source) JWT(ctx context.Context, audience string) (string, error) {
	if audience == "" {
		return "", errors.New("workload: JWT-SVID: the audience is empty: name who the token is for")
	}
	s.mu.Lock()
	closed, id := s.closed, s.now.svid.ID
	s.mu.Unlock()
	if closed {
		return "", ErrClosed
	}
	svid, err := s.client.FetchJWTSVID(ctx, jwtsvid.Params{Subject: id, Audience: audience})
	if err != nil {
		return "", fmt.Errorf("workload: JWT-SVID of %s for %.200q: %w", id, audience, err)
	}
	return svid.Marshal(), nil
}
