package registry_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/url"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Certificates and tokens are made here as their issuers make them, without
// the code under test.

type obj = map[string]any

func with(m obj, changes obj) obj {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	return m
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func part(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b64(b)
}

// ecKey is an ECDSA key: JWT-SVIDs are not signed with Ed25519.
func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// es256 makes a token with the kid "k".
func es256(t testing.TB, k *ecdsa.PrivateKey, claims obj) string {
	t.Helper()
	input := part(t, obj{"alg": "ES256", "kid": "k", "typ": "JWT"}) + "." + part(t, claims)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// jwks is a key set that holds k for that use, as "k".
func jwk(t testing.TB, use string, k *ecdsa.PrivateKey) *credential.Key {
	t.Helper()
	key, err := credential.NewKey("k", use, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwks(t testing.TB, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	b, err := credential.MarshalKeySet(jwk(t, credential.UseSig, k))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A domain is a SPIFFE trust domain: a root that issues certificates, and a key
// that signs JWT-SVIDs.
type domain struct {
	t    testing.TB
	name string
	root *x509.Certificate
	key  ed25519.PrivateKey
	jwt  *ecdsa.PrivateKey
}

func newDomain(t testing.TB, name string) *domain {
	t.Helper()
	d := &domain{t: t, name: name, key: key("root of " + name), jwt: ecKey(t)}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-240 * time.Hour), NotAfter: now.Add(240 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		URIs: []*url.URL{{Scheme: "spiffe", Host: name}},
	}
	var err error
	if d.root, err = x509.ParseCertificate(d.sign(tmpl, tmpl, "root of "+name)); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *domain) sign(tmpl, parent *x509.Certificate, keyName string) []byte {
	d.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key(keyName).Public(), d.key)
	if err != nil {
		d.t.Fatal(err)
	}
	return der
}

// svid is a certificate for the key of that name, valid from a minute before
// now for an hour.
func (d *domain) svid(keyName string, change func(*x509.Certificate), ids ...string) *onusv1.X509SVID {
	d.t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a workload"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	for _, id := range ids {
		u, err := url.Parse(id)
		if err != nil {
			d.t.Fatal(err)
		}
		tmpl.URIs = append(tmpl.URIs, u)
	}
	if change != nil {
		change(tmpl)
	}
	return &onusv1.X509SVID{Chain: [][]byte{d.sign(tmpl, d.root, keyName)}}
}

// bundle is the domain's trust bundle with that spiffe_sequence.
func (d *domain) bundle(sequence int64) []byte {
	d.t.Helper()
	b, err := credential.MarshalBundle(sequence, []*x509.Certificate{d.root}, jwk(d.t, credential.UseJWTSVID, d.jwt))
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

func trustBundle(t testing.TB, a *onusv1.Author, keyName, domain string, raw []byte, fetched time.Time) *record.Record {
	return signed(t, a, keyName, &onusv1.Record{Body: &onusv1.Record_TrustBundle{TrustBundle: &onusv1.TrustBundle{
		Domain: domain, Bundle: raw, Fetched: timestamppb.New(fetched)}}})
}

func keySet(t testing.TB, a *onusv1.Author, keyName, issuer string, raw []byte, fetched time.Time) *record.Record {
	return signed(t, a, keyName, &onusv1.Record{Body: &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{
		Issuer: issuer, Jwks: raw, Fetched: timestamppb.New(fetched)}}})
}

func theHost() *onusv1.Author { return &onusv1.Author{Host: true} }

func service(id string) *onusv1.Author    { return &onusv1.Author{Service: id} }
func client(id string) *onusv1.Author     { return &onusv1.Author{Client: id} }
func reviewer(name string) *onusv1.Author { return &onusv1.Author{Reviewer: name} }
func user(name string) *onusv1.Author     { return &onusv1.Author{User: name} }

// bindTo makes the registration of a key, with that party's names, by an author.
func bindTo(t testing.TB, a *onusv1.Author, signerName, keyName string, k *onusv1.KeyBinding) *record.Record {
	t.Helper()
	k.PublicKey = spki(t, keyName)
	return signed(t, a, signerName, &onusv1.Record{User: a.GetUser(),
		Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}}}})
}

// possession is what one key signs to show that it has to do with the other.
func possession(t testing.TB, signs, bound, other string) []byte {
	t.Helper()
	id := func(name string) string { return signer(t, name).Public().ID() }
	sig, err := signer(t, signs).Sign(record.BindingStatement(origin, id(bound), id(other)))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// rotate makes the registration of a key that another key of the party signs.
func rotate(t testing.TB, a *onusv1.Author, oldName, newName string, k *onusv1.KeyBinding) *record.Record {
	t.Helper()
	k.Possession = possession(t, newName, newName, oldName)
	return bindTo(t, a, oldName, newName, k)
}
