package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/identity"
)

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, uri string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, URIs: uris(t, uri)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert, key}
}

func uris(t *testing.T, list ...string) []*url.URL {
	var us []*url.URL
	for _, s := range list {
		if s == "" {
			continue
		}
		u, err := url.Parse(s)
		must(t, err)
		us = append(us, u)
	}
	return us
}

// connection is one whose client certificate has been verified.
func (a *authority) connection(t *testing.T, edit func(*x509.Certificate), names ...string) *tls.ConnectionState {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), URIs: uris(t, names...)}
	if edit != nil {
		edit(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, a.key.Public(), a.key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, a.cert}}}
}

func TestCertificates(t *testing.T) {
	path, _ := newFile(t)
	must(t, identity.AppendLine(path, identity.Line{Caller: identity.Caller{Name: "board", Role: identity.Compliance}, SPIFFEID: "spiffe://example.com/board"}))
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	ca := newAuthority(t, "spiffe://example.com")
	plainCA := newAuthority(t, "")
	agent := identity.Caller{Name: k8s, Role: identity.Agent, Scope: k8s}
	for name, c := range map[string]struct {
		state *tls.ConnectionState
		want  identity.Caller
		why   string
	}{
		"agent":                    {ca.connection(t, nil, k8s), agent, ""},
		"authority without domain": {plainCA.connection(t, nil, k8s), agent, ""},
		"a line":                   {ca.connection(t, nil, "spiffe://example.com/board"), identity.Caller{Name: "board", Role: identity.Compliance}, ""},
		"no URI":                   {ca.connection(t, nil), identity.Caller{}, "no SPIFFE ID"},
		"two URIs":                 {ca.connection(t, nil, k8s, "spiffe://example.com/board"), identity.Caller{}, "several URIs"},
		"another URI":              {ca.connection(t, nil, "https://example.com/board"), identity.Caller{}, "is not a SPIFFE ID"},
		"no path":                  {ca.connection(t, nil, "spiffe://example.com"), identity.Caller{}, "has no path"},
		"query":                    {ca.connection(t, nil, k8s+"?x=1"), identity.Caller{}, "is not a SPIFFE ID"},
		"escaped":                  {ca.connection(t, nil, "spiffe://example.com/%6b8s-agent"), identity.Caller{}, "is not a SPIFFE ID"},
		"foreign trust domain":     {ca.connection(t, nil, "spiffe://example.org/k8s-agent"), identity.Caller{}, "another trust domain"},
		"authority":                {ca.connection(t, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, k8s), identity.Caller{}, "that of an authority"},
	} {
		got, err := identity.Certificates{Tokens: tokens}.Authenticate(context.Background(), identity.Request{TLS: c.state})
		var refused *identity.RefusedError
		switch {
		case c.why == "" && (err != nil || got != c.want):
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		case c.why != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: got %+v, %v, want %q", name, got, err, c.why)
		}
	}

	// Certificates that nobody verified are none.
	unverified := ca.connection(t, nil, k8s)
	unverified.VerifiedChains = nil
	for name, state := range map[string]*tls.ConnectionState{"no TLS": nil, "no certificate": {}, "unverified": unverified} {
		if _, err := (identity.Certificates{}).Authenticate(context.Background(), identity.Request{TLS: state}); !errors.Is(err, identity.ErrNone) {
			t.Errorf("%s: %v, want ErrNone", name, err)
		}
	}

	// One that expired while the connection lasted is not refused for good.
	old := identity.Request{TLS: ca.connection(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, k8s)}
	var unavailable *identity.UnavailableError
	if _, err := (identity.Certificates{}).Authenticate(context.Background(), old); !errors.As(err, &unavailable) || !identity.Expired(old) {
		t.Errorf("expired: %v", err)
	}
}
