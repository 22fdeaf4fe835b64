package credential

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/onus-ledger/onus/verifier/record"
)

// Bundle is what the SVIDs of one SPIFFE trust domain are verified with. It is
// immutable.
type Bundle struct {
	domain   string
	sequence int64
	set      *KeySet
	roots    *x509.CertPool
}

// ParseBundle reads a SPIFFE trust bundle, a JWK Set that says of each key
// whether it is for X.509-SVIDs or JWT-SVIDs. The bundle does not name its
// trust domain: domain, such as "example.com", is the caller's word. Keys for
// other uses are ignored. SPIFFE_Trust_Domain_and_Bundle, section 4.
func ParseBundle(domain string, b []byte) (*Bundle, error) {
	if why := record.CheckSPIFFE("spiffe://" + domain + "/x"); why != "" || trustDomain("spiffe://"+domain) != domain {
		return nil, refuse(ReasonSPIFFEID, "trust domain", "is "+quote(domain)+", which no SPIFFE ID has", `name it like "example.com"`)
	}
	set, o, err := parseKeySet(b)
	if err != nil {
		return nil, err
	}
	bundle := &Bundle{domain: domain, set: set, roots: x509.NewCertPool()}
	if v, ok := o.m["spiffe_sequence"]; ok {
		n, ok := v.(json.Number)
		if !ok || !isDigits(string(n)) || len(n) > 18 {
			o.fail("spiffe_sequence", "is not a whole number")
			return nil, *o.err
		}
		bundle.sequence = atoi(string(n))
	}
	kept := &KeySet{digest: set.digest, ignored: slices.Clip(set.ignored)}
	for _, k := range set.keys {
		switch k.use {
		case UseX509SVID:
			bundle.roots.AddCert(k.cert)
		case UseJWTSVID:
			if k.id == "" {
				return nil, refuse(ReasonKeySet, "keys", "hold a jwt-svid key without kid", "publish the bundle with a kid for each JWT key")
			}
		default:
			kept.ignored = append(kept.ignored, IgnoredKey{k.id, "is not for SVIDs"})
			continue
		}
		kept.keys = append(kept.keys, k)
	}
	bundle.set = kept
	return bundle, nil
}

// MarshalBundle writes a trust bundle that [ParseBundle] reads, from root
// certificates and keys with [UseJWTSVID]: the same bytes for the same
// arguments. It serves where there is no bundle endpoint to take the bytes
// from.
func MarshalBundle(sequence int64, roots []*x509.Certificate, keys ...*Key) ([]byte, error) {
	jwks := make([]map[string]any, 0, len(roots)+len(keys))
	for _, root := range roots {
		m, err := (&Key{use: UseX509SVID, pub: root.PublicKey, cert: root}).jwk()
		if err != nil {
			return nil, err
		}
		jwks = append(jwks, m)
	}
	for _, k := range keys {
		if k.use != UseJWTSVID {
			return nil, fmt.Errorf("the key %s is for %s, not for JWT-SVIDs", quote(k.id), quote(k.use))
		}
		m, err := k.jwk()
		if err != nil {
			return nil, err
		}
		jwks = append(jwks, m)
	}
	return marshalSet(map[string]any{"keys": jwks, "spiffe_sequence": sequence})
}

// TrustDomain returns the domain that the bundle was parsed for.
func (b *Bundle) TrustDomain() string { return b.domain }

// Sequence returns spiffe_sequence, or 0. A bundle with a lower one is older.
func (b *Bundle) Sequence() int64 { return b.sequence }

// Digest returns the SHA-256 of the exact bytes that were parsed.
func (b *Bundle) Digest() [sha256.Size]byte { return b.set.digest }

// Keys returns the keys of the bundle, roots included. The slice must not be
// changed.
func (b *Bundle) Keys() []*Key { return b.set.keys }

// Ignored returns the keys that were left out. The slice must not be changed.
func (b *Bundle) Ignored() []IgnoredKey { return b.set.ignored }

// checkMember holds a SPIFFE ID to the bundle's trust domain.
func (b *Bundle) checkMember(field, id string) error {
	if why := record.CheckSPIFFE(id); why != "" {
		return refuse(ReasonSPIFFEID, field, "is "+quote(id)+", which "+why, "issue it for a workload, such as spiffe://"+b.domain+"/planner")
	}
	if td := trustDomain(id); td != b.domain {
		return refuse(ReasonTrustDomain, field, "is "+quote(id)+", of the trust domain "+quote(td)+", not "+quote(b.domain), "verify it with the bundle of its own trust domain")
	}
	return nil
}

// VerifyJWT checks a JWT-SVID for an audience, as of the time at. JWT-SVID,
// sections 2 to 5.
//
// A JWT-SVID is a bearer token: that whoever presents it is the workload is not
// shown, unless the audience binds a key, as [EnrolmentAudience] does.
func (b *Bundle) VerifyJWT(token, audience string, at time.Time) (*Facts, error) {
	j, err := parseJWS("token", token, svidAlgorithms)
	if err != nil {
		return nil, err
	}
	if err := j.checkType("", "JWT", "JOSE"); err != nil {
		return nil, err
	}
	c, err := j.claims()
	if err != nil {
		return nil, err
	}
	// Before the key, as in VerifyToken.
	if sub := c.text("sub", 2048); *c.err == nil {
		if err := b.checkMember("token.sub", sub); err != nil {
			return nil, err
		}
	}
	k, err := b.set.find(j, UseJWTSVID)
	if err != nil {
		return nil, err
	}
	if err := j.verify(k); err != nil {
		return nil, err
	}
	c.need("sub", "aud", "exp")
	f := readFacts(c, 2048)
	if *c.err != nil {
		return nil, *c.err
	}
	f.Digest, f.KeyID = TokenDigest(token), k.thumb
	if err := f.checkAudience("token", audience); err != nil {
		return nil, err
	}
	if err := f.checkTimes("token", at); err != nil {
		return nil, err
	}
	return f, nil
}
