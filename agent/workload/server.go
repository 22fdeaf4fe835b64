package workload

import (
	"crypto/tls"
	"crypto/x509"
	"net"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// ServerConfig returns the TLS configuration of an HTTP server (HTTP/2 and
// HTTP/1.1) that this workload is. It presents the current SVID. A client may
// present one of its own, which must be genuine, as of the trust domains that
// the Workload API names at that time; the handler finds it verified in
// tls.ConnectionState.VerifiedChains, and decides what its bearer may do, and
// what somebody without may do.
//
// Serve on [Source.Listener], so that connections do not outlive the trust in
// their clients.
func (s *Source) ServerConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         protocols,
		GetConfigForClient: s.configFor,
		// A resumed session would stand for the certificate of the first.
		SessionTicketsDisabled: true,
	}
}

// protocols: what net/http adds to a configuration of its own is not added to
// one that configFor returns.
var protocols = []string{"h2", "http/1.1"}

// configFor returns the configuration of one connection. crypto/tls is to
// verify the client itself, because only then it says so in VerifiedChains.
func (s *Source) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	now, err := s.current()
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool() // empty, not nil, which would be the system's
	for _, b := range now.x509.Bundles() {
		for _, authority := range b.X509Authorities() {
			roots.AddCert(authority)
		}
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             protocols,
		Certificates:           []tls.Certificate{*certificate(now.svid)},
		ClientAuth:             tls.VerifyClientCertIfGiven,
		ClientCAs:              roots,
		VerifyConnection:       func(state tls.ConnectionState) error { return s.admit(hello.Conn, state) },
		SessionTicketsDisabled: true,
	}, nil
}

// admit holds a client's certificate to the rules of SPIFFE, and to the bundle
// of its own trust domain: crypto/tls has verified it against those of all.
func (s *Source) admit(nc net.Conn, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	// Under mu, so that no change of bundles comes between the check and the
	// note of what the connection stands on.
	s.mu.Lock()
	defer s.mu.Unlock()
	id, chains, err := x509svid.Verify(state.PeerCertificates, s.now.x509)
	if err != nil {
		return err
	}
	if c, ok := nc.(*conn); ok {
		c.client, c.roots = id, nil
		for _, chain := range chains {
			c.roots = append(c.roots, chain[len(chain)-1])
		}
	}
	return nil
}

// Listener returns ln for a server with [Source.ServerConfig]. It closes the
// connections of a client when the authority of its certificate leaves the
// trust bundle, calls under way included: who was distrusted is not to go on
// until the certificate expires.
func (s *Source) Listener(ln net.Listener) net.Listener { return &listener{ln, s} }

type listener struct {
	net.Listener
	s *Source
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, s: l.s}
	l.s.mu.Lock()
	l.s.conns[c] = struct{}{}
	l.s.mu.Unlock()
	return c, nil
}

// conn is a connection and what the trust in its client stands on.
type conn struct {
	net.Conn
	s      *Source
	client spiffeid.ID         // under s.mu until the handshake has ended; zero without a certificate
	roots  []*x509.Certificate // under s.mu: the authorities that its chains end in
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	return c.Conn.Close()
}

// trusted reports whether one of the client's authorities is in the bundle of
// its domain. The caller holds s.mu.
func (c *conn) trusted(set *x509bundle.Set) bool {
	if c.client.IsZero() {
		return true
	}
	b, ok := set.Get(c.client.TrustDomain())
	if !ok {
		return false
	}
	for _, root := range c.roots {
		if b.HasX509Authority(root) {
			return true
		}
	}
	return false
}
