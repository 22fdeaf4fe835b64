package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/rpc"
)

// authority signs client certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	td, err := url.Parse("spiffe://example.com")
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, URIs: []*url.URL{td}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{t, cert, key}
}

// svid makes an X.509-SVID that is good until then.
func (a *authority) svid(until time.Time, ids ...string) *tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, id := range ids {
		u, err := url.Parse(id)
		must(a.t, err)
		tmpl.URIs = append(tmpl.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	must(a.t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// newTLSWorld is a world behind TLS that asks for client certificates of ca.
func newTLSWorld(t *testing.T, ca *authority) (*world, *x509.CertPool) {
	cert, pool := selfSigned(t)
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	w := newWorld(t, func(srv *rpc.Server) {
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: clients, ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS13}
	})
	w.url = strings.Replace(w.url, "http://", "https://", 1)
	must(t, identity.AppendLine(w.file, identity.Line{Caller: identity.Caller{Name: "board", Role: identity.Compliance}, SPIFFEID: "spiffe://example.com/board"}))
	return w, pool
}

func (w *world) transport(pool *x509.CertPool, cert func() *tls.Certificate, h2 bool) *http.Transport {
	tr := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: pool,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c := cert(); c != nil {
				return c, nil
			}
			return new(tls.Certificate), nil
		}}}
	w.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	w, pool := newTLSWorld(t, ca)
	soon := time.Now().Add(time.Hour)
	calls := w.calls()
	for name, c := range map[string]struct {
		cert   *tls.Certificate
		caller string // whose token is sent too
		want   map[string]string
	}{
		"an agent's": {ca.svid(soon, agentID), "", map[string]string{"GetRecord": "ok", "GetChain": "ok", "Follow": "permission_denied", "Submit": "ok", "Mint": "ok"}},
		"another agent's": {ca.svid(soon, "spiffe://example.com/other"), "",
			map[string]string{"GetRecord": "permission_denied", "GetChain": "permission_denied", "ListRecords": "ok"}},
		"one with a line":               {ca.svid(soon, "spiffe://example.com/board"), "", map[string]string{"GetRecord": "ok", "Follow": "ok"}},
		"none":                          {nil, "", map[string]string{"GetRecord": "unauthenticated", "Submit": "unauthenticated"}},
		"none, and a token":             {nil, "auditor", map[string]string{"GetRecord": "ok", "Follow": "ok"}},
		"a token beside it comes first": {ca.svid(soon, agentID), "auditor", map[string]string{"Follow": "ok", "Mint": "permission_denied"}},
		"no SPIFFE ID":                  {ca.svid(soon), "", map[string]string{"GetRecord": "unauthenticated"}},
		"two SPIFFE IDs":                {ca.svid(soon, agentID, "spiffe://example.com/board"), "", map[string]string{"GetRecord": "unauthenticated"}},
		"another trust domain":          {ca.svid(soon, "spiffe://example.org/board"), "", map[string]string{"GetRecord": "unauthenticated"}},
		"another authority":             {other.svid(soon, agentID), "", map[string]string{"GetRecord": "no answer"}},
		"expired":                       {ca.svid(time.Now().Add(-time.Minute), agentID), "", map[string]string{"GetRecord": "no answer"}},
	} {
		for _, h2 := range []bool{false, true} {
			w.base = w.transport(pool, func() *tls.Certificate { return c.cert }, h2)
			for method, want := range c.want {
				err := calls[method](context.Background(), w.as(c.caller))
				if want == "no answer" {
					// TLS 1.3 tells a client after it has begun to send, by an
					// alert or by the end of the connection.
					if err == nil || connect.IsWireError(err) {
						t.Errorf("%s: %s: %v, want no answer", name, method, err)
					}
					continue
				}
				if got := answer(t, err); got != want {
					t.Errorf("%s: %s: %s (%v), want %s", name, method, got, err, want)
				}
			}
		}
	}
	w.checkLog()
}

// A certificate that expires while its connection lasts is good for nothing
// more. The client is told to connect again, and does so with its new one.
func TestCertificateExpiresOnAnOpenConnection(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	w, pool := newTLSWorld(t, ca)
	for _, h2 := range []bool{false, true} {
		// X.509 counts in seconds.
		until := time.Now().Truncate(time.Second).Add(2 * time.Second)
		cert := ca.svid(until, agentID)
		tr := w.transport(pool, func() *tls.Certificate { return cert }, h2)
		c := onusv1connect.NewLedgerServiceClient(&http.Client{Transport: tr}, w.url)
		get := func() error {
			_, err := c.GetCheckpoint(context.Background(), &onusv1.GetCheckpointRequest{})
			return err
		}
		must(t, get())
		cert = ca.svid(time.Now().Add(time.Hour), agentID)
		time.Sleep(time.Until(until) + 10*time.Millisecond)
		code, p := problem(t, get())
		if code != connect.CodeUnavailable || p.GetReason() != "IDENTITY_UNAVAILABLE" {
			t.Errorf("HTTP/2 %t: %v %v, want unavailable", h2, code, p)
		}
		// With HTTP/2 the word to connect again is a frame of its own, which
		// may come just after the answer.
		err := get()
		for range 100 {
			if err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
			err = get()
		}
		if err != nil {
			t.Errorf("HTTP/2 %t: with the new certificate: %v", h2, err)
		}
	}
}
