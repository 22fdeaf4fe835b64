package record

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"github.com/onus-ledger/onus/verifier/tree"
)

// PublicKey is a key that may sign records: Ed25519, ECDSA P-256 or P-384, or
// RSA from 2,048 to 4,096 bits. It is immutable.
type PublicKey struct {
	id   string
	spki []byte
	key  crypto.PublicKey
}

// ParsePublicKey reads a DER SubjectPublicKeyInfo. It refuses other encodings
// of the same key, weak Ed25519 points and RSA keys out of bounds.
func ParsePublicKey(spki []byte) (*PublicKey, error) {
	if len(spki) > 1024 {
		return nil, fmt.Errorf("a public key has at most 1,024 bytes, this has %d", len(spki))
	}
	k, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("not a DER SubjectPublicKeyInfo: %w", err)
	}
	p, err := NewPublicKey(k)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(p.spki, spki) {
		return nil, errors.New("the DER encoding is not canonical")
	}
	return p, nil
}

// NewPublicKey wraps an ed25519.PublicKey, *ecdsa.PublicKey or
// *rsa.PublicKey.
func NewPublicKey(k crypto.PublicKey) (*PublicKey, error) {
	p := &PublicKey{key: k}
	var jwk string // RFC 7638, section 3.2: required members, in order
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := k.(type) {
	case ed25519.PublicKey:
		if err := tree.CheckEd25519(k); err != nil {
			return nil, err
		}
		k = bytes.Clone(k)
		p.key = k
		jwk = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, b64(k))
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return nil, fmt.Errorf("curve %s is not accepted: use P-256 or P-384", k.Curve.Params().Name)
		}
		point, err := k.Bytes() // 4 ‖ x ‖ y; fails off the curve
		if err != nil {
			return nil, fmt.Errorf("not a point of %s: %w", k.Curve.Params().Name, err)
		}
		half := (len(point) - 1) / 2
		jwk = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`,
			k.Curve.Params().Name, b64(point[1:1+half]), b64(point[1+half:]))
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 4096 {
			return nil, fmt.Errorf("an RSA key has 2,048 to 4,096 bits, this has %d", n)
		}
		if k.E < 65537 || k.E%2 == 0 {
			return nil, fmt.Errorf("RSA exponent %d is not accepted: use 65537", k.E)
		}
		jwk = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, b64(big.NewInt(int64(k.E)).Bytes()), b64(k.N.Bytes()))
	default:
		return nil, fmt.Errorf("keys of type %T are not accepted: use Ed25519, ECDSA P-256 or P-384, or RSA", k)
	}
	spki, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return nil, fmt.Errorf("marshal public key: %w", err)
	}
	sum := sha256.Sum256([]byte(jwk))
	p.spki, p.id = spki, b64(sum[:])
	return p, nil
}

// ID returns the key's RFC 7638 thumbprint: base64url without padding, 43
// characters.
func (p *PublicKey) ID() string { return p.id }

// SPKI returns the key as DER SubjectPublicKeyInfo. It must not be changed.
func (p *PublicKey) SPKI() []byte { return p.spki }

// Crypto returns the key as the standard library has it.
func (p *PublicKey) Crypto() crypto.PublicKey { return p.key }

// Algorithm names the key's kind for people.
func (p *PublicKey) Algorithm() string {
	switch k := p.key.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	}
	return "Ed25519"
}

// Verify reports whether sig is the key's signature over msg. For Ed25519,
// valid is what crypto/ed25519 accepts, on every path.
func (p *PublicKey) Verify(msg, sig []byte) bool {
	switch k := p.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, msg, sig)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, ecdsaDigest(k, msg), sig)
	case *rsa.PublicKey:
		sum := sha256.Sum256(msg)
		return rsa.VerifyPSS(k, crypto.SHA256, sum[:], sig, pssOptions) == nil
	}
	return false
}

var pssOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}

func ecdsaDigest(k *ecdsa.PublicKey, msg []byte) []byte {
	if k.Curve == elliptic.P384() {
		sum := sha512.Sum384(msg)
		return sum[:]
	}
	sum := sha256.Sum256(msg)
	return sum[:]
}

// Signer signs records with a key that may live elsewhere, such as in a
// hardware module. It is safe for concurrent use if its crypto.Signer is.
type Signer struct {
	pub *PublicKey
	key crypto.Signer
}

// NewSigner wraps a crypto.Signer whose public key [NewPublicKey] accepts.
func NewSigner(k crypto.Signer) (Signer, error) {
	pub, err := NewPublicKey(k.Public())
	if err != nil {
		return Signer{}, err
	}
	return Signer{pub: pub, key: k}, nil
}

// Public returns the public key.
func (s Signer) Public() *PublicKey { return s.pub }

// Sign signs msg in the form that [PublicKey.Verify] reads.
func (s Signer) Sign(msg []byte) ([]byte, error) {
	switch k := s.pub.key.(type) {
	case *ecdsa.PublicKey:
		h := crypto.SHA256
		if k.Curve == elliptic.P384() {
			h = crypto.SHA384
		}
		return s.key.Sign(rand.Reader, ecdsaDigest(k, msg), h)
	case *rsa.PublicKey:
		sum := sha256.Sum256(msg)
		return s.key.Sign(rand.Reader, sum[:], pssOptions)
	}
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}
