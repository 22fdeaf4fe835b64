package workload

import (
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// watchPause is how long a watch that has ended waits; go-spiffe makes the
// pauses of one that goes on.
const watchPause = time.Second

// watch watches until ctx ends. SPIFFE Workload API, section 6: whoever is
// told that the request is not valid does not come back.
//
// go-spiffe's own sources are not used: their watch ends without a word, they
// keep no reason for what did not come, and their news has one reader.
func (s *Source) watch(ctx context.Context, once func(context.Context) error) {
	for {
		err := once(ctx)
		if ctx.Err() != nil || status.Code(err) == codes.InvalidArgument {
			return
		}
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
		}
	}
}

func (s *Source) watchX509(ctx context.Context) error {
	err := s.client.WatchX509Context(ctx, x509Watcher{s})
	if ctx.Err() == nil && status.Code(err) == codes.InvalidArgument {
		s.mu.Lock()
		s.final = true
		s.broadcast()
		s.mu.Unlock()
		s.log.Error("the Workload API refuses to be watched, the SVID will not be renewed", "address", s.address, "err", err)
	}
	return err
}

func (s *Source) watchJWT(ctx context.Context) error {
	return s.client.WatchJWTBundles(ctx, jwtWatcher{s})
}

// x509Watcher hears of SVIDs and of the authorities that sign them.
type x509Watcher struct{ s *Source }

// OnX509ContextUpdate implements workloadapi.X509ContextWatcher.
func (w x509Watcher) OnX509ContextUpdate(x *workloadapi.X509Context) {
	s := w.s
	svid := x.DefaultSVID()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.trouble = nil
	if s.now.svid != nil && sameSVID(s.now.svid, svid) && sameBundles(s.now.x509, x.Bundles) {
		// The Workload API says again what it said, as after an outage.
		s.mu.Unlock()
		return
	}
	s.now.svid, s.now.x509 = svid, x.Bundles
	old := s.transport
	s.transport = s.newTransport()
	var distrusted []*conn
	for c := range s.conns {
		if !c.trusted(x.Bundles) {
			distrusted = append(distrusted, c)
		}
	}
	s.broadcast()
	s.mu.Unlock()

	old.CloseIdleConnections()
	for _, c := range distrusted {
		c.Close()
		s.log.Warn("connection closed: the authority of the client's certificate is trusted no more", "client", c.client.String(), "remote", c.RemoteAddr().String())
	}
	s.log.Info("SVID and trust bundles received", "id", svid.ID.String(), "until", svid.Certificates[0].NotAfter.UTC(), "trust_domains", x.Bundles.Len())
}

func sameSVID(a, b *x509svid.SVID) bool {
	return slices.EqualFunc(a.Certificates, b.Certificates, (*x509.Certificate).Equal)
}

func sameBundles(a, b *x509bundle.Set) bool {
	return slices.EqualFunc(a.Bundles(), b.Bundles(), (*x509bundle.Bundle).Equal)
}

// OnX509ContextWatchError implements workloadapi.X509ContextWatcher.
func (w x509Watcher) OnX509ContextWatchError(err error) {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.trouble == nil || s.trouble.Error() != err.Error() {
		s.log.Warn("no SVID from the Workload API, trying again", "address", s.address, "err", err)
	}
	s.trouble = err
	s.broadcast()
}

// jwtWatcher hears of the keys that sign JWT-SVIDs.
type jwtWatcher struct{ s *Source }

// OnJWTBundlesUpdate implements workloadapi.JWTBundleWatcher.
func (w jwtWatcher) OnJWTBundlesUpdate(set *jwtbundle.Set) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.now.jwt, w.s.jwtKnown = set, true
	w.s.broadcast()
}

// OnJWTBundlesWatchError implements workloadapi.JWTBundleWatcher. A Workload
// API without JWT-SVIDs is good for all else; one that cannot be reached may
// have them.
func (w jwtWatcher) OnJWTBundlesWatchError(err error) {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.jwtKnown || status.Code(err) == codes.Unavailable || status.Code(err) == codes.Canceled {
		return
	}
	s.log.Warn("the Workload API gives no keys of JWT-SVIDs", "address", s.address, "err", err)
	s.jwtKnown = true
	s.broadcast()
}

// next says what to do about a Workload API that gives nothing.
func next(err error) string {
	switch status.Code(err) {
	case codes.PermissionDenied:
		return "register this workload with the SPIFFE server (SPIRE: spire-server entry create)"
	case codes.Unavailable:
		return "is the SPIFFE agent running, and may this user open its socket?"
	}
	return "look at the SPIFFE agent's log"
}
