package credential

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/record"
)

// Uses of a key, as its JWK names them. RFC 7517, section 4.2;
// SPIFFE_Trust_Domain_and_Bundle, section 4.2.2.
const (
	UseSig      = "sig" // also keys that name no use
	UseJWTSVID  = "jwt-svid"
	UseX509SVID = "x509-svid"
)

// Key is one public key of a key set: Ed25519, ECDSA P-256, P-384 or P-521, or
// RSA from 2,048 to 8,192 bits. It is immutable.
//
// An issuer's key need not be one that may sign records: [record.PublicKey]
// knows fewer.
type Key struct {
	id, use, alg string
	thumb        string
	pub          crypto.PublicKey
	cert         *x509.Certificate // of an x509-svid key
}

// NewKey makes the key that a JWK with this kid, use and public key reads as:
// [UseSig] or [UseJWTSVID], and a key as the standard library has it or a
// [*record.PublicKey]. Its algorithm is left open.
func NewKey(id, use string, pub crypto.PublicKey) (*Key, error) {
	if p, ok := pub.(*record.PublicKey); ok {
		pub = p.Crypto()
	}
	m, err := jwkOf(pub)
	if err != nil {
		return nil, err
	}
	if id != "" {
		m["kid"] = id
	}
	if use == UseX509SVID {
		return nil, errors.New("an x509-svid key is a certificate: use MarshalBundle")
	}
	m["use"] = use
	k, why, err := parseKey("key", m)
	if err != nil {
		return nil, err
	}
	if why != "" {
		return nil, errors.New("the key " + why)
	}
	return k, nil
}

// ID returns the kid, or "".
func (k *Key) ID() string { return k.id }

// Use returns one of the Use constants.
func (k *Key) Use() string { return k.use }

// Thumbprint returns the RFC 7638 thumbprint, 43 characters. For a key that
// may sign records it equals [record.PublicKey.ID].
func (k *Key) Thumbprint() string { return k.thumb }

// Certificate returns the root certificate of an x509-svid key, or nil. It
// must not be changed.
func (k *Key) Certificate() *x509.Certificate { return k.cert }

// Crypto returns the key as the standard library has it.
func (k *Key) Crypto() crypto.PublicKey { return k.pub }

// algs returns what the key may be used with: its own alg, or all of its
// kind.
func (k *Key) algs() []string {
	if k.alg != "" {
		return []string{k.alg}
	}
	var all []string
	for alg, a := range algorithms {
		if a.kind == kindOf(k.pub) {
			all = append(all, alg)
		}
	}
	slices.Sort(all)
	return all
}

// secretMembers are those of private and symmetric keys: RFC 7518, sections
// 6.2.2, 6.3.2 and 6.4; RFC 8037, section 2.
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseKey reads one JWK. Why says that it is well-formed and of no use here:
// RFC 7517, section 5, tells readers to ignore such keys. An error is a key
// that no set may hold.
func parseKey(field string, m map[string]any) (k *Key, why string, err error) {
	o := newObject(m, field+".", ReasonKeySet, "ask the issuer what it publishes")
	kty := o.text("kty", 32)
	o.need("kty")
	for _, name := range secretMembers {
		if _, ok := m[name]; ok || kty == "oct" {
			return nil, "", refuse(ReasonKeySecret, field, "is a private or symmetric key", "replace the key: it is not secret any more, and publish public keys only")
		}
	}
	k = &Key{id: o.text("kid", 255), use: o.text("use", 32), alg: o.text("alg", 32)}
	ops := o.texts("key_ops", 16, 32)
	why = k.readPublic(o, kty)
	if *o.err != nil {
		return nil, "", *o.err
	}
	if why != "" {
		return k, why, nil
	}
	if k.use == "" {
		k.use = UseSig
	}
	a, known := algorithms[k.alg]
	switch {
	case k.use == UseX509SVID:
		err := k.readCertificate(o)
		return k, "", err
	case k.use != UseSig && k.use != UseJWTSVID:
		return k, "is for " + quote(k.use) + ", not for signatures", nil
	case len(ops) > 0 && !slices.Contains(ops, "verify"):
		return k, "is not for verifying", nil // RFC 7517, section 4.3
	case k.alg != "" && !known:
		return k, "is for " + quote(k.alg) + ", which is not accepted", nil
	case known && a.kind != kindOf(k.pub):
		o.fail("alg", "is "+quote(k.alg)+", which is not for a key of kind "+kindOf(k.pub))
		return nil, "", *o.err
	}
	return k, "", nil
}

// readPublic reads the public members and the thumbprint, RFC 7638, section
// 3.2: required members only, in order.
func (k *Key) readPublic(o *object, kty string) (why string) {
	crv := o.text("crv", 32)
	var jwk string
	switch kty {
	case "OKP": // RFC 8037, section 2
		if crv != "Ed25519" {
			return "is on the curve " + quote(crv) + ", which is not accepted"
		}
		x := o.bytes("x", ed25519.PublicKeySize)
		if *o.err != nil {
			return ""
		}
		if _, err := record.NewPublicKey(ed25519.PublicKey(x)); err != nil {
			return "is not accepted: " + err.Error()
		}
		k.pub = ed25519.PublicKey(x)
		jwk = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, encode64(x))
	case "EC": // RFC 7518, section 6.2.1
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[crv]
		if curve == nil {
			return "is on the curve " + quote(crv) + ", which is not accepted"
		}
		n := (curve.Params().BitSize + 7) / 8
		x, y := o.bytes("x", n), o.bytes("y", n)
		if *o.err != nil {
			return ""
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
		if err != nil {
			o.fail("x", "and y are not a point of "+crv)
			return ""
		}
		k.pub = pub
		jwk = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, crv, encode64(x), encode64(y))
	case "RSA": // RFC 7518, section 6.3.1
		n, e := o.bytes("n", 0), o.bytes("e", 0)
		if *o.err != nil {
			return ""
		}
		if n[0] == 0 || e[0] == 0 {
			o.fail("n", "or e has leading zeros")
			return ""
		}
		pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
		if bits := pub.N.BitLen(); bits < 2048 || bits > 8192 {
			return fmt.Sprintf("has %d bits, but RSA keys have 2,048 to 8,192", bits)
		}
		big := new(big.Int).SetBytes(e)
		if big.BitLen() > 31 || big.Int64() < 65537 || big.Int64()%2 == 0 {
			return "has an RSA exponent that is not accepted: 65537 is usual"
		}
		pub.E = int(big.Int64())
		k.pub = pub
		jwk = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, encode64(e), encode64(n))
	default:
		return "is of the kind " + quote(kty) + ", which is not accepted"
	}
	sum := digest([]byte(jwk))
	k.thumb = encode64(sum[:])
	return ""
}

// bytes reads base64url of exactly n bytes, or of at least one if n is 0.
func (o *object) bytes(name string, n int) []byte {
	o.need(name)
	b, err := decode64(o.text(name, MaxKeySet))
	switch {
	case *o.err != nil:
		return nil
	case err != nil || len(b) == 0:
		o.fail(name, "is not base64url without padding")
	case n > 0 && len(b) != n:
		o.fail(name, fmt.Sprintf("has %d bytes, not %d", len(b), n))
	default:
		return b
	}
	return nil
}

// readCertificate reads the certificate of an x509-svid key.
// SPIFFE_Trust_Domain_and_Bundle and X509-SVID, section 6.1: exactly one.
// RFC 7517, section 4.7: in plain base64, and of this very key.
func (k *Key) readCertificate(o *object) error {
	o.need("x5c")
	chain := o.texts("x5c", 1, MaxChainBytes)
	if *o.err == nil && len(chain) != 1 {
		o.fail("x5c", "has not exactly one certificate")
	}
	if *o.err != nil {
		return *o.err
	}
	der, err := base64.StdEncoding.Strict().DecodeString(chain[0])
	if err != nil || strings.ContainsAny(chain[0], "\r\n") {
		o.fail("x5c", "is not base64")
		return *o.err
	}
	if k.cert, err = x509.ParseCertificate(der); err != nil {
		o.fail("x5c", "is not a certificate: "+quote(err.Error()))
		return *o.err
	}
	same, ok := k.pub.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !same.Equal(k.cert.PublicKey):
		o.fail("x5c", "is the certificate of another key than the JWK's")
	case !k.cert.BasicConstraintsValid || !k.cert.IsCA:
		// A leaf among the roots would verify itself.
		o.fail("x5c", "is not the certificate of a certification authority")
	}
	return *o.err
}

// jwkOf returns the public members of a JWK.
func jwkOf(pub crypto.PublicKey) (map[string]any, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode64(k)}, nil
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4 ‖ x ‖ y; fails off the curve
		if err != nil {
			return nil, fmt.Errorf("not a point of %s: %w", k.Curve.Params().Name, err)
		}
		half := (len(point) - 1) / 2
		return map[string]any{"kty": "EC", "crv": k.Curve.Params().Name, "x": encode64(point[1 : 1+half]), "y": encode64(point[1+half:])}, nil
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": encode64(k.N.Bytes()), "e": encode64(big.NewInt(int64(k.E)).Bytes())}, nil
	}
	return nil, fmt.Errorf("keys of type %T are not accepted: use Ed25519, ECDSA or RSA", pub)
}
