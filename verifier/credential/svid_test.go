package credential_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
)

const planner = "spiffe://example.com/ns/prod/sa/planner"

// A domain is a trust domain: a root, an authority below it, and a bundle.
type domain struct {
	root, sub *cert
	bundle    *credential.Bundle
}

func newDomain(t testing.TB) *domain {
	t.Helper()
	d := &domain{}
	d.root = certify(t, nil, ecKey(t, elliptic.P384()), authority("root"))
	d.sub = certify(t, d.root, ecKey(t, elliptic.P256()), authority("sub"))
	d.bundle = bundle(t, []*x509.Certificate{d.root.cert})
	return d
}

func (d *domain) chain(leaf *cert) [][]byte { return [][]byte{leaf.der, d.sub.der} }

func TestX509SVID(t *testing.T) {
	d := newDomain(t)
	for name, key := range map[string]crypto.Signer{"Ed25519": edKey(1), "P-256": ecKey(t, elliptic.P256()), "P-384": ecKey(t, elliptic.P384()), "RSA": rsaKey()} {
		leaf := certify(t, d.sub, key, workload(planner))
		svid, err := d.bundle.VerifyX509(d.chain(leaf), now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if svid.ID != planner || svid.Key.ID() != signerOf(t, key).Public().ID() || !svid.NotBefore.Equal(now.Add(-time.Minute)) || !svid.NotAfter.Equal(now.Add(time.Hour)) {
			t.Errorf("%s: %v", name, svid)
		}
	}
	// Issued by the root itself, by an authority without a name, with other
	// kinds of SAN, and with the root sent along.
	for name, chain := range map[string][][]byte{
		"by the root":   {certify(t, d.root, edKey(1), workload(planner)).der},
		"root sent too": {certify(t, d.root, edKey(1), workload(planner)).der, d.root.der},
		"DNS names": {certify(t, d.root, edKey(1), func(c *x509.Certificate) {
			workload(planner)(c)
			c.DNSNames, c.EmailAddresses = []string{"planner.prod.svc"}, []string{"a@b.example"}
		}).der},
	} {
		if svid, err := d.bundle.VerifyX509(chain, now); err != nil || svid.ID != planner {
			t.Errorf("%s: %v, %v", name, svid, err)
		}
	}
	nameless := certify(t, d.root, edKey(5), func(c *x509.Certificate) { authority("nameless")(c); c.URIs = nil })
	if _, err := d.bundle.VerifyX509([][]byte{certify(t, nameless, edKey(1), workload(planner)).der, nameless.der}, now); err != nil {
		t.Errorf("by an authority without a name: %v", err)
	}
}

// The answer depends on the time that is named, not on the machine's.
func TestX509SVIDAsOf(t *testing.T) {
	d := newDomain(t)
	chain := d.chain(certify(t, d.sub, edKey(1), workload(planner)))
	for _, tt := range []struct {
		at     time.Time
		reason string
	}{
		{now.Add(-time.Minute - time.Second), credential.ReasonSVIDNotYetValid}, {now.Add(-time.Minute), ""}, {now.Add(time.Hour), ""},
		{now.Add(time.Hour + time.Second), credential.ReasonSVIDExpired}, {now.AddDate(30, 0, 0), credential.ReasonSVIDExpired}, {time.Time{}, credential.ReasonSVIDNotYetValid},
	} {
		_, err := d.bundle.VerifyX509(chain, tt.at)
		if tt.reason == "" && err != nil {
			t.Errorf("at %v: %v", tt.at, err)
		} else if tt.reason != "" {
			wantRefusal(t, err, tt.reason, "svid[0]", "valid")
		}
	}
}

func TestX509SVIDRefusals(t *testing.T) {
	d := newDomain(t)
	stranger := newDomain(t)
	leaf := func(change func(*x509.Certificate)) *cert { return certify(t, d.sub, edKey(1), change) }
	and := func(id string, change func(*x509.Certificate)) [][]byte {
		return d.chain(leaf(func(c *x509.Certificate) { workload(id)(c); change(c) }))
	}
	below := func(change func(*x509.Certificate)) [][]byte {
		sub := certify(t, d.root, ecKey(t, elliptic.P256()), func(c *x509.Certificate) { authority("other sub")(c); change(c) })
		return [][]byte{certify(t, sub, edKey(1), workload(planner)).der, sub.der}
	}
	good := d.chain(leaf(workload(planner)))
	for _, tt := range []struct {
		name                string
		chain               [][]byte
		reason, field, says string
	}{
		{"no certificate", nil, credential.ReasonSVIDMalformed, "svid", "no certificate"},
		{"no DER", [][]byte{[]byte("-----BEGIN")}, credential.ReasonSVIDMalformed, "svid[0]", "not a certificate"},
		{"trailing data", [][]byte{append(good[0][:len(good[0]):len(good[0])], 0)}, credential.ReasonSVIDMalformed, "svid[0]", "not a certificate"},
		{"two in one", [][]byte{append(good[0][:len(good[0]):len(good[0])], good[1]...)}, credential.ReasonSVIDMalformed, "svid[0]", "not a certificate"},
		{"nine certificates", [][]byte{good[0], good[1], good[1], good[1], good[1], good[1], good[1], good[1], good[1]}, credential.ReasonTooLarge, "svid", "9 certificates"},
		{"too large", [][]byte{make([]byte, credential.MaxChainBytes+1)}, credential.ReasonTooLarge, "svid", "32769 bytes"},

		{"two URI SANs", d.chain(leaf(workload(planner, "spiffe://example.com/admin"))), credential.ReasonSVIDNames, "svid[0].subjectAltName", "2 URIs"},
		{"the same URI twice", d.chain(leaf(workload(planner, planner))), credential.ReasonSVIDNames, "svid[0].subjectAltName", "2 URIs"},
		{"a second URI of another scheme", d.chain(leaf(workload(planner, "https://example.com/"))), credential.ReasonSVIDNames, "svid[0].subjectAltName", "2 URIs"},
		{"no URI SAN", d.chain(leaf(func(c *x509.Certificate) { c.DNSNames = []string{"planner"} })), credential.ReasonSVIDNames, "svid[0].subjectAltName", "no URI"},
		{"CA bit", and(planner, func(c *x509.Certificate) { c.IsCA = true }), credential.ReasonSVIDIsCA, "svid[0].basicConstraints", "cA set"},
		{"the issuer for a leaf", [][]byte{d.sub.der}, credential.ReasonSVIDIsCA, "svid[0].basicConstraints", "cA set"},
		{"foreign trust domain", d.chain(leaf(workload("spiffe://example.org/ns/prod/sa/planner"))), credential.ReasonTrustDomain, "svid[0].subjectAltName", `"example.org", not "example.com"`},
		{"trust domain that begins alike", d.chain(leaf(workload("spiffe://example.com.evil/x"))), credential.ReasonTrustDomain, "svid[0].subjectAltName", "example.com.evil"},
		{"no path", d.chain(leaf(workload("spiffe://example.com"))), credential.ReasonSPIFFEID, "svid[0].subjectAltName", "has no path"},
		{"not a SPIFFE ID", d.chain(leaf(workload("https://example.com/planner"))), credential.ReasonSPIFFEID, "svid[0].subjectAltName", "spiffe://"},
		{"scheme in upper case", and(planner, spelled("SPIFFE://example.com/planner")), credential.ReasonSPIFFEID, "svid[0].subjectAltName", "SPIFFE://"},
		{"escaped path", and(planner, spelled("spiffe://example.com/pl%61nner")), credential.ReasonSPIFFEID, "svid[0].subjectAltName", "characters"},
		{"relative path", and(planner, spelled("spiffe://example.com/a/../planner")), credential.ReasonSPIFFEID, "svid[0].subjectAltName", "relative"},
		{"keyCertSign", and(planner, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }), credential.ReasonSVIDUsage, "svid[0].keyUsage", "keyCertSign"},
		{"cRLSign", and(planner, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }), credential.ReasonSVIDUsage, "svid[0].keyUsage", "cRLSign"},
		{"no digitalSignature", and(planner, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), credential.ReasonSVIDUsage, "svid[0].keyUsage", "lacks digitalSignature"},
		{"no key usage", and(planner, func(c *x509.Certificate) { c.KeyUsage = 0 }), credential.ReasonSVIDUsage, "svid[0].keyUsage", "lacks digitalSignature"},
		{"expired", and(planner, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), credential.ReasonSVIDExpired, "svid[0]", "before 2021-05-06T07:08:09Z"},
		{"not yet valid", and(planner, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }), credential.ReasonSVIDNotYetValid, "svid[0]", "after 2021-05-06T07:08:09Z"},
		{"key that may not sign records", d.chain(certify(t, d.sub, ecKey(t, elliptic.P521()), workload(planner))), credential.ReasonSVIDKey, "svid[0]", "P-521"},
		{"small RSA key", d.chain(certify(t, d.sub, rsaOld(), workload(planner))), credential.ReasonSVIDKey, "svid[0]", "2,048"},

		{"issuer missing", good[:1], credential.ReasonSVIDChain, "svid", "unknown authority"},
		{"another root", [][]byte{certify(t, stranger.sub, edKey(1), workload(planner)).der, stranger.sub.der}, credential.ReasonSVIDChain, "svid", "unknown authority"},
		{"another root sent along", [][]byte{certify(t, stranger.root, edKey(1), workload(planner)).der, stranger.root.der}, credential.ReasonSVIDChain, "svid", "unknown authority"},
		{"signed by itself", [][]byte{certify(t, nil, edKey(1), workload(planner)).der}, credential.ReasonSVIDChain, "svid", "unknown authority"},
		{"issuer expired", below(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), credential.ReasonSVIDChain, "svid", "expired"},
		{"issuer is a workload", twoLeaves(t, d), credential.ReasonSVIDIssuer, "svid[1]", "may not issue"},
		{"issuer without keyCertSign", below(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), credential.ReasonSVIDIssuer, "svid[1]", "may not issue"},
		{"issuer with a small key", weakIssuer(t, d), credential.ReasonSVIDIssuer, "svid[1]", "1024 bits"},
		{"issuer of another trust domain", below(func(c *x509.Certificate) { c.URIs = uris("spiffe://example.org") }), credential.ReasonSVIDIssuer, "svid[1].subjectAltName", "example.org"},
		{"issuer with a path", below(func(c *x509.Certificate) { c.URIs = uris("spiffe://example.com/ca") }), credential.ReasonSVIDIssuer, "svid[1].subjectAltName", "/ca"},
		{"name constraints of the issuer", below(func(c *x509.Certificate) {
			c.PermittedURIDomains, c.PermittedDNSDomainsCritical = []string{"example.org"}, true
		}), credential.ReasonSVIDChain, "svid", "not authorized"},
		{"path too long", tooLong(t, d), credential.ReasonSVIDChain, "svid", "too many intermediates"},
		{"critical extension", and(planner, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), credential.ReasonSVIDChain, "svid", "critical"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			svid, err := d.bundle.VerifyX509(tt.chain, now)
			if svid != nil {
				t.Errorf("a refused chain gave %v", svid)
			}
			wantRefusal(t, err, tt.reason, tt.field, tt.says)
		})
	}
	if _, err := d.bundle.VerifyX509(below(func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} }), now); err != nil {
		t.Errorf("name constraints that permit the trust domain: %v", err)
	}
}

// spelled writes the URI SAN as it is given, past net/url.
func spelled(uri string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}})
		if err != nil {
			panic(err)
		}
		c.URIs = nil
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}}
	}
}

// twoLeaves returns a workload that issued a certificate to another.
func twoLeaves(t *testing.T, d *domain) [][]byte {
	t.Helper()
	first := certify(t, d.root, edKey(2), workload("spiffe://example.com/reader"))
	return [][]byte{certify(t, first, edKey(1), workload(planner)).der, first.der}
}

func weakIssuer(t *testing.T, d *domain) [][]byte {
	t.Helper()
	weak := certify(t, d.root, rsaOld(), authority("weak"))
	return [][]byte{certify(t, weak, edKey(1), workload(planner)).der, weak.der}
}

func tooLong(t *testing.T, d *domain) [][]byte {
	t.Helper()
	one := certify(t, d.root, edKey(2), func(c *x509.Certificate) { authority("one")(c); c.MaxPathLenZero = true })
	two := certify(t, one, edKey(3), authority("two"))
	return [][]byte{certify(t, two, edKey(1), workload(planner)).der, two.der, one.der}
}

// SHA-1 and MD5 signatures are refused by name, whatever crypto/x509 thinks of
// them in this release.
func TestWeakSignatures(t *testing.T) {
	d := newDomain(t)
	good := certify(t, certify(t, nil, rsaKey(), authority("RSA root")), edKey(1), workload(planner)).der
	for name, oid := range map[string]byte{"MD5-RSA": 4, "SHA1-RSA": 5} {
		// sha256WithRSAEncryption is 1.2.840.113549.1.1.11; it stands there
		// twice.
		sha256RSA := string([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11})
		weak := strings.ReplaceAll(string(good), sha256RSA, sha256RSA[:8]+string([]byte{oid}))
		_, err := d.bundle.VerifyX509([][]byte{[]byte(weak)}, now)
		wantRefusal(t, err, credential.ReasonSVIDWeak, "svid[0]", name)
	}
}
