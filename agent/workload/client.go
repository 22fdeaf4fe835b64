package workload

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// HTTPClient returns a client for the ledger, over mutual TLS and HTTP/2. It
// presents the current SVID and accepts a server whose SVID is genuine and has
// the SPIFFE ID Config.ServerID, or, if that is empty, is of the own trust
// domain; the host's name is not compared with anything. When the Workload API
// gives something new, the next call opens a new connection.
//
// It calls https URLs only. It has no timeout: give a call's context one.
func (s *Source) HTTPClient() *http.Client {
	return &http.Client{Transport: roundTripper{s}}
}

// roundTripper uses the transport of the newest SVID.
//
// Closing the idle connections of one transport would not do: under HTTP/2 all
// calls share a connection, and a busy client's is never idle.
type roundTripper struct{ s *Source }

// RoundTrip implements http.RoundTripper.
func (rt roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	rt.s.mu.Lock()
	t, closed := rt.s.transport, rt.s.closed
	rt.s.mu.Unlock()
	err := error(nil)
	switch {
	case closed:
		err = ErrClosed
	case req.URL.Scheme != "https":
		err = fmt.Errorf("workload: %s is not called: an SVID needs TLS, use https", req.URL.Redacted())
	}
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // as http.RoundTripper has to
		}
		return nil, err
	}
	return t.RoundTrip(req)
}

// CloseIdleConnections is for http.Client's method of that name.
func (rt roundTripper) CloseIdleConnections() {
	rt.s.mu.Lock()
	t := rt.s.transport
	rt.s.mu.Unlock()
	t.CloseIdleConnections()
}

func (s *Source) newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 256,
		// A transport that was replaced is rid of its last connections so.
		IdleConnTimeout: 90 * time.Second,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				now, err := s.current()
				if err != nil {
					return nil, err
				}
				return certificate(now.svid), nil
			},
			// An SVID says who a server is by its URI and has no host name.
			// checkServer does all that this leaves out.
			InsecureSkipVerify: true,
			VerifyConnection:   s.checkServer,
		},
	}
}

// certificate returns an SVID for crypto/tls.
func certificate(svid *x509svid.SVID) *tls.Certificate {
	c := &tls.Certificate{PrivateKey: svid.PrivateKey, Leaf: svid.Certificates[0]}
	for _, cert := range svid.Certificates {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}

// checkServer verifies a server. X509-SVID, section 5.
func (s *Source) checkServer(state tls.ConnectionState) error {
	now, err := s.current()
	if err != nil {
		return err
	}
	id, _, err := x509svid.Verify(state.PeerCertificates, now.x509)
	if err != nil {
		return fmt.Errorf("workload: the server's certificate: %w", err)
	}
	switch {
	case !s.server.IsZero() && id != s.server:
		return fmt.Errorf("workload: the server is %s, want %s: is the URL right, and ServerID?", id, s.server)
	case s.server.IsZero() && !id.MemberOf(now.svid.ID.TrustDomain()):
		return fmt.Errorf("workload: the server is %s, of another trust domain than %s: set ServerID if that is meant", id, now.svid.ID.TrustDomain())
	}
	return nil
}
