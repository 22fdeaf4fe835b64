// Package workloadtest is a SPIFFE authority for tests: it signs SVIDs in the
// process of the test, and serves them by the SPIFFE Workload API on a real
// unix socket, as the agent of SPIRE does.
//
//	td := workloadtest.New(t, "example.com")
//	socket := td.Serve("spiffe://example.com/planner")
//	src, err := workload.Open(ctx, workload.Config{Socket: socket})
//	…
//	td.Rotate()    // new SVIDs for all
//	td.AddRoot()   // another root signs from now on, both are trusted
//	td.DropRoots() // only the newest is trusted
//
// Every workload hears of a change at once. What the methods return stands
// alone: an SVID stays what it was when its root is dropped.
package workloadtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Authority signs for one trust domain. Its methods end the test when they
// cannot do what they are asked to; call them from the test's goroutine.
type Authority struct {
	t      testing.TB
	domain spiffeid.TrustDomain

	mu        sync.Mutex
	lifetime  time.Duration           // under mu: of SVIDs and of JWT-SVIDs
	roots     []*root                 // under mu: the newest, which signs, is last
	between   *issuer                 // under mu: signs in the newest root's place; nil for none
	workloads map[string]*workloadAPI // under mu: by socket
	federated []*Authority            // under mu: whose bundles this domain's workloads get
	followers []*Authority            // under mu: that have this one among their federated
	changed   chan struct{}           // under mu: closed and replaced with every change
}

// issuer signs certificates.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// root is what a trust bundle holds: who signs X.509-SVIDs, and the key that
// signs JWT-SVIDs.
type root struct {
	issuer
	jwtKey *ecdsa.PrivateKey
	keyID  string
}

// SVID is an X.509-SVID with its key.
type SVID struct {
	ID string
	// Chain is in DER, the leaf first, without the root.
	Chain [][]byte
	Key   *ecdsa.PrivateKey
}

// TLS returns the SVID for a tls.Config.
func (s *SVID) TLS() tls.Certificate {
	return tls.Certificate{Certificate: s.Chain, PrivateKey: s.Key}
}

// New makes an authority with one root. Its SVIDs live for an hour.
func New(t testing.TB, domain string) *Authority {
	t.Helper()
	td, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		t.Fatalf("trust domain: %v", err)
	}
	a := &Authority{t: t, domain: td, lifetime: time.Hour, workloads: map[string]*workloadAPI{}, changed: make(chan struct{})}
	a.AddRoot()
	return a
}

// SetLifetime says how long the SVIDs that are issued from now on live. X.509
// counts in seconds.
func (a *Authority) SetLifetime(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lifetime = d
}

// Issue signs an X.509-SVID. The edits, if any, are made to the leaf before it
// is signed, so that it may be any kind of wrong.
func (a *Authority) Issue(id string, edits ...func(*x509.Certificate)) *SVID {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.issue(id, edits...)
	if err != nil {
		a.t.Fatalf("issue %s: %v", id, err)
	}
	return s
}

// issue is Issue. The caller holds mu.
func (a *Authority) issue(id string, edits ...func(*x509.Certificate)) (*SVID, error) {
	uri, err := url.Parse(id)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		NotBefore: time.Now().Add(-10 * time.Minute), NotAfter: time.Now().Add(a.lifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{uri},
	}
	for _, edit := range edits {
		edit(leaf)
	}
	by := &a.newest().issuer
	if a.between != nil {
		by = a.between
	}
	cert, err := sign(leaf, key, by)
	if err != nil {
		return nil, err
	}
	s := &SVID{ID: id, Chain: [][]byte{cert.Raw}, Key: key}
	if a.between != nil {
		s.Chain = append(s.Chain, a.between.cert.Raw)
	}
	return s, nil
}

// sign signs a certificate for key; without by it signs itself.
func sign(tmpl *x509.Certificate, key *ecdsa.PrivateKey, by *issuer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	tmpl.SerialNumber = serial
	if by == nil {
		by = &issuer{tmpl, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, by.cert, key.Public(), by.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newIssuer makes an authority's certificate, signed by another or by itself.
func (a *Authority) newIssuer(name string, by *issuer) *issuer {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := sign(&x509.Certificate{
		Subject:   pkix.Name{Organization: []string{"SPIFFE"}, CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		URIs: []*url.URL{a.domain.ID().URL()},
	}, key, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return &issuer{cert, key}
}

// AddRoot adds a root, which signs from now on: certificates and JWT-SVIDs.
// Those that were there are trusted too. SVIDs that were issued stay as they
// are until Rotate.
func (a *Authority) AddRoot() {
	a.t.Helper()
	jwtKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(jwtKey.Public())
	if err != nil {
		a.t.Fatal(err)
	}
	sum := sha256.Sum256(spki)
	r := &root{*a.newIssuer("root", nil), jwtKey, hex.EncodeToString(sum[:8])}
	a.mu.Lock()
	a.roots, a.between = append(a.roots, r), nil
	a.mu.Unlock()
	a.publish()
}

// AddIntermediate puts an authority between the newest root and the SVIDs that
// are issued from now on, whose chains then have two certificates.
func (a *Authority) AddIntermediate() {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.between = a.newIssuer("intermediate", &a.newest().issuer)
}

// DropRoots leaves only the newest root in the bundle.
func (a *Authority) DropRoots() {
	a.mu.Lock()
	a.roots = []*root{a.newest()}
	a.mu.Unlock()
	a.publish()
}

// newest returns the root that signs. The caller holds mu.
func (a *Authority) newest() *root { return a.roots[len(a.roots)-1] }

// Bundle returns the trust bundle as a JWK Set.
func (a *Authority) Bundle() []byte {
	a.t.Helper()
	jwks, err := a.bundle().Marshal()
	if err != nil {
		a.t.Fatalf("bundle: %v", err)
	}
	return jwks
}

func (a *Authority) bundle() *spiffebundle.Bundle {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := spiffebundle.New(a.domain)
	for _, r := range a.roots {
		b.AddX509Authority(r.cert)
		if err := b.AddJWTAuthority(r.keyID, r.jwtKey.Public()); err != nil {
			panic("workloadtest: " + err.Error()) // only for an empty key id
		}
	}
	return b
}

// Federate gives this domain's workloads the bundles of other domains too.
func (a *Authority) Federate(others ...*Authority) {
	for _, o := range others {
		o.mu.Lock()
		o.followers = append(o.followers, a)
		o.mu.Unlock()
	}
	a.mu.Lock()
	a.federated = append(a.federated, others...)
	a.mu.Unlock()
	a.publish()
}

// Unfederate takes all other domains' bundles away again.
func (a *Authority) Unfederate() {
	a.mu.Lock()
	a.federated = nil
	a.mu.Unlock()
	a.publish()
}

// publish tells the workloads of this domain, and of those that follow it, to
// look again.
func (a *Authority) publish() {
	a.mu.Lock()
	followers := a.followers
	a.mu.Unlock()
	for _, b := range append([]*Authority{a}, followers...) {
		b.mu.Lock()
		close(b.changed)
		b.changed = make(chan struct{})
		b.mu.Unlock()
	}
}
