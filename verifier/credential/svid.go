package credential

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/onus-ledger/onus/verifier/record"
)

// SVID is a verified X.509-SVID.
type SVID struct {
	// ID is the workload's SPIFFE ID.
	ID string
	// Key is the workload's key. It may sign records.
	Key *record.PublicKey
	// NotBefore and NotAfter bound the leaf's validity, both inclusive. Its
	// issuers' may end before.
	NotBefore, NotAfter time.Time
}

// VerifyX509 checks an X.509-SVID as of the time at: a leaf in DER and, after
// it, the certificates between it and one of the bundle's roots. X509-SVID,
// sections 2 to 5; RFC 5280.
//
// It shows that the trust domain gave this key this name. That whoever presents
// the chain holds the key is shown by what the key signs. Revocation lists are
// not read: SVIDs are short-lived.
func (b *Bundle) VerifyX509(chain [][]byte, at time.Time) (*SVID, error) {
	certs, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	leaf := certs[0]
	id, err := b.checkLeaf(leaf)
	if err != nil {
		return nil, err
	}
	for i, c := range certs[1:] {
		if err := b.checkIssuer(fmt.Sprintf("svid[%d]", i+1), c); err != nil {
			return nil, err
		}
	}
	key, err := record.NewPublicKey(leaf.PublicKey)
	if err != nil {
		return nil, refuse(ReasonSVIDKey, "svid[0]", "has a key that may not sign records: "+quote(err.Error()), "issue SVIDs for ECDSA P-256 or P-384, Ed25519 or RSA keys")
	}
	if err := checkValidity(leaf, at); err != nil {
		return nil, err
	}
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	// The extended key usage of SVIDs is for TLS (X509-SVID, section 4.4); here
	// they sign records. Name constraints are enforced by Verify.
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: b.roots, Intermediates: between, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, refuse(ReasonSVIDChain, "svid", "does not lead to a root of the trust bundle of "+quote(b.domain)+": "+quote(err.Error()), "send the leaf and all certificates between it and the root, and the bundle in force")
	}
	return &SVID{ID: id, Key: key, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}, nil
}

func parseChain(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 {
		return nil, refuse(ReasonSVIDMalformed, "svid", "has no certificate", "send the leaf first")
	}
	size := 0
	for _, der := range chain {
		size += len(der)
	}
	if len(chain) > MaxChain || size > MaxChainBytes {
		return nil, refuse(ReasonTooLarge, "svid", fmt.Sprintf("has %d certificates and %d bytes, at most %d and %d are allowed", len(chain), size, MaxChain, MaxChainBytes), "send the leaf and its issuers only, without the root")
	}
	var certs []*x509.Certificate
	for i, der := range chain {
		field := fmt.Sprintf("svid[%d]", i)
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refuse(ReasonSVIDMalformed, field, "is not a certificate: "+quote(err.Error()), "send each certificate in DER, by itself")
		}
		if !slices.Contains(strong, c.SignatureAlgorithm) {
			return nil, refuse(ReasonSVIDWeak, field, fmt.Sprintf("is signed with %s, which is not accepted", c.SignatureAlgorithm), "issue it with SHA-256 or stronger")
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// strong lists the signatures that an issuer may make: none with MD5, SHA-1 or
// DSA.
var strong = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
	x509.PureEd25519,
}

// checkLeaf returns the SPIFFE ID. X509-SVID, sections 2, 4.1, 4.3 and 5.2.
func (b *Bundle) checkLeaf(leaf *x509.Certificate) (string, error) {
	uris, err := uriNames(leaf)
	switch {
	case err != nil:
		return "", refuse(ReasonSVIDMalformed, "svid[0].subjectAltName", err.Error(), "issue a certificate as RFC 5280 has it")
	case len(uris) == 0:
		return "", refuse(ReasonSVIDNames, "svid[0].subjectAltName", "has no URI, so it names no workload", "issue the certificate with the SPIFFE ID as its one URI")
	case len(uris) > 1:
		return "", refuse(ReasonSVIDNames, "svid[0].subjectAltName", fmt.Sprintf("has %d URIs: whom it names is ambiguous", len(uris)), "issue the certificate with exactly one URI")
	}
	const ca = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	switch {
	case leaf.IsCA:
		return "", refuse(ReasonSVIDIsCA, "svid[0].basicConstraints", "has cA set: it is an issuer's certificate, not a workload's", "send the workload's own certificate first")
	case leaf.KeyUsage&ca != 0:
		return "", refuse(ReasonSVIDUsage, "svid[0].keyUsage", "has keyCertSign or cRLSign, which a workload may not", "issue the certificate with digitalSignature")
	case leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return "", refuse(ReasonSVIDUsage, "svid[0].keyUsage", "lacks digitalSignature", "issue the certificate with digitalSignature")
	}
	return uris[0], b.checkMember("svid[0].subjectAltName", uris[0])
}

// checkIssuer checks a certificate between leaf and root. X509-SVID, section
// 3.2: it may have no SPIFFE ID; if it has one, that has no path. The standard
// lets it be of another trust domain; a bundle answers for its own only.
func (b *Bundle) checkIssuer(field string, c *x509.Certificate) error {
	next := "send only the certificates that issue in " + b.domain
	if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return refuse(ReasonSVIDIssuer, field, "may not issue certificates: cA or keyCertSign is not set", next)
	}
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		return refuse(ReasonSVIDIssuer, field, fmt.Sprintf("has an RSA key of %d bits: issuers have 2,048 or more", k.N.BitLen()), next)
	}
	uris, err := uriNames(c)
	if err != nil {
		return refuse(ReasonSVIDMalformed, field+".subjectAltName", err.Error(), next)
	}
	for _, uri := range uris {
		if uri != "spiffe://"+b.domain {
			return refuse(ReasonSVIDIssuer, field+".subjectAltName", "is "+quote(uri)+": an issuer of "+quote(b.domain)+" is named spiffe://"+b.domain+" or not at all", next)
		}
	}
	return nil
}

func checkValidity(leaf *x509.Certificate, at time.Time) error {
	switch {
	// x509.Verify would read the zero time as the present.
	case at.IsZero() || at.Before(leaf.NotBefore):
		return refuse(ReasonSVIDNotYetValid, "svid[0]", fmt.Sprintf("is valid from %s, after %s", stamp(leaf.NotBefore), stamp(at)), "wait, or set the issuer's clock")
	case at.After(leaf.NotAfter):
		return refuse(ReasonSVIDExpired, "svid[0]", fmt.Sprintf("was valid to %s, before %s", stamp(leaf.NotAfter), stamp(at)), "get a fresh SVID")
	}
	return nil
}

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// uriNames returns the URIs in the subjectAltName as they are written.
// [x509.Certificate.URIs] holds them parsed, in which scheme and escapes may be
// spelled anew, so that SPIFFE://a/b would become spiffe://a/b. RFC 5280,
// section 4.2.1.6.
func uriNames(c *x509.Certificate) ([]string, error) {
	var uris []string
	for _, ext := range c.Extensions { // ParseCertificate refuses duplicates
		if !ext.Id.Equal(oidSubjectAltName) {
			continue
		}
		var names []asn1.RawValue
		rest, err := asn1.Unmarshal(ext.Value, &names)
		if err != nil || len(rest) > 0 {
			return nil, errors.New("is not a sequence of names")
		}
		for _, n := range names {
			if n.Class == asn1.ClassContextSpecific && n.Tag == 6 {
				uris = append(uris, string(n.Bytes))
			}
		}
	}
	if len(uris) != len(c.URIs) {
		return nil, errors.New("has names that two readers would count differently")
	}
	return uris, nil
}
