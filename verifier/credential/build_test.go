package credential_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// now is the log time of most tests; the machine's clock plays no part.
var now = time.Date(2021, 5, 6, 7, 8, 9, 0, time.UTC)

func fromNow(d time.Duration) int64 { return now.Add(d).Unix() }

func edKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

func publicX(k ed25519.PrivateKey) string { return b64(k.Public().(ed25519.PublicKey)) }

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// RSA keys are slow to make, so each is made once.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(2048) })
	rsaOld = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(1024) })
)

func makeRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func signerOf(t testing.TB, k crypto.Signer) record.Signer {
	t.Helper()
	s, err := record.NewSigner(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type obj = map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// with returns m with members changed; a nil value takes one away.
func with(m obj, changes obj) obj {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// mint makes a compact JWS by itself, without the code under test.
func mint(t testing.TB, k crypto.Signer, header, claims obj) string {
	t.Helper()
	return mintRaw(t, k, header["alg"].(string), marshal(t, header), marshal(t, claims))
}

func mintRaw(t testing.TB, k crypto.Signer, alg string, header, payload []byte) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(sign(t, k, alg, []byte(input)))
}

func sign(t testing.TB, k crypto.Signer, alg string, input []byte) []byte {
	t.Helper()
	if k, ok := k.(ed25519.PrivateKey); ok {
		return ed25519.Sign(k, input)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	h := hash.New()
	h.Write(input)
	var opts crypto.SignerOpts = hash
	if strings.HasPrefix(alg, "PS") {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	sig, err := k.Sign(rand.Reader, h.Sum(nil), opts)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := k.(*ecdsa.PrivateKey); ok {
		var v struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &v); err != nil {
			t.Fatal(err)
		}
		n := (k.Curve.Params().BitSize + 7) / 8
		return append(v.R.FillBytes(make([]byte, n)), v.S.FillBytes(make([]byte, n))...)
	}
	return sig
}

func newKey(t testing.TB, id, use string, k crypto.Signer) *credential.Key {
	t.Helper()
	key, err := credential.NewKey(id, use, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// keySet returns a parsed set of the keys, with their index as kid: "k0".
func keySet(t testing.TB, keys ...crypto.Signer) *credential.KeySet {
	t.Helper()
	var all []*credential.Key
	for i, k := range keys {
		all = append(all, newKey(t, "k"+string(rune('0'+i)), credential.UseSig, k))
	}
	b, err := credential.MarshalKeySet(all...)
	if err != nil {
		t.Fatal(err)
	}
	return parseSet(t, b)
}

func parseSet(t testing.TB, b []byte) *credential.KeySet {
	t.Helper()
	s, err := credential.ParseKeySet(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantRefusal checks the reason, the field, and that the message says
// something of its own and what to do.
func wantRefusal(t testing.TB, err error, reason, field, says string) {
	t.Helper()
	var e *record.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T: %v, want %s", err, err, reason)
	}
	if e.Reason != reason || e.Field != field || !strings.Contains(e.Error(), says) {
		t.Errorf("refused with %s %q: %v\nwant %s %q with %q", e.Reason, e.Field, e, reason, field, says)
	}
	if e.Detail == "" || e.Next == "" || len(e.Error()) > 900 {
		t.Errorf("the message is empty, says not what to do, or is too long: %v", e)
	}
}

// A cert is a certificate with its key.
type cert struct {
	key  crypto.Signer
	cert *x509.Certificate
	der  []byte
}

// certify issues a certificate for key; a nil issuer signs itself.
func certify(t testing.TB, issuer *cert, key crypto.Signer, change func(*x509.Certificate)) *cert {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a workload"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(tmpl)
	parent, signer := tmpl, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &cert{key, c, der}
}

func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.CommonName = name
		c.IsCA = true
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		c.ExtKeyUsage = nil
		c.NotBefore, c.NotAfter = now.Add(-240*time.Hour), now.Add(240*time.Hour)
		c.URIs = uris("spiffe://example.com")
	}
}

func workload(ids ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.URIs = uris(ids...) }
}

func uris(ids ...string) []*url.URL {
	var all []*url.URL
	for _, id := range ids {
		u, err := url.Parse(id)
		if err != nil {
			panic(err)
		}
		all = append(all, u)
	}
	return all
}

func bundle(t testing.TB, roots []*x509.Certificate, keys ...*credential.Key) *credential.Bundle {
	t.Helper()
	b, err := credential.MarshalBundle(7, roots, keys...)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := credential.ParseBundle("example.com", b)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}
