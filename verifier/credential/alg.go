package credential

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384, crypto.SHA512
	"math/big"
	"slices"
	"strings"
)

// An algorithm is how a key of one kind signs a JWS.
type algorithm struct {
	kind string // of key: Ed25519, P-256, P-384, P-521, RSA
	hash crypto.Hash
	pss  bool
}

// algorithms lists all that are accepted: RFC 7518, section 3.1, without HMAC
// and none; RFC 8037, section 3.1; RFC 9864, section 2.2, for the second name
// of the same. There is one key kind per algorithm, so an algorithm cannot be
// confused with that of another kind.
var algorithms = map[string]algorithm{
	"EdDSA":   {kind: "Ed25519"},
	"Ed25519": {kind: "Ed25519"},
	"ES256":   {kind: "P-256", hash: crypto.SHA256},
	"ES384":   {kind: "P-384", hash: crypto.SHA384},
	"ES512":   {kind: "P-521", hash: crypto.SHA512},
	"RS256":   {kind: "RSA", hash: crypto.SHA256},
	"RS384":   {kind: "RSA", hash: crypto.SHA384},
	"RS512":   {kind: "RSA", hash: crypto.SHA512},
	"PS256":   {kind: "RSA", hash: crypto.SHA256, pss: true},
	"PS384":   {kind: "RSA", hash: crypto.SHA384, pss: true},
	"PS512":   {kind: "RSA", hash: crypto.SHA512, pss: true},
}

// svidAlgorithms are those of JWT-SVID, section 2.1: no EdDSA.
var svidAlgorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"}

// recordAlgorithm is the one algorithm that a recorded key signs proofs with:
// the one it signs records with.
func recordAlgorithm(pub crypto.PublicKey) string {
	return map[string]string{"Ed25519": "EdDSA", "P-256": "ES256", "P-384": "ES384", "RSA": "PS256"}[kindOf(pub)]
}

func kindOf(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	case *rsa.PublicKey:
		return "RSA"
	}
	return ""
}

// checkAlgorithm says what is wrong with a header's alg by itself, before any
// key is looked at. Nil allowed means all.
func checkAlgorithm(field, alg string, allowed []string) error {
	switch _, known := algorithms[alg]; {
	case strings.EqualFold(alg, "none"):
		return refuse(ReasonAlgNone, field, `is "none": the token is not signed`, "get a token that its issuer signed")
	case strings.HasPrefix(strings.ToUpper(alg), "HS"):
		return refuse(ReasonAlgConfused, field, "is "+quote(alg)+", which takes a shared secret, where the issuer's keys are public", "get a token signed with the issuer's private key")
	case !known:
		return refuse(ReasonAlgRefused, field, "is "+quote(alg)+", which is not accepted", "sign with EdDSA, ES256, ES384, ES512, RS256 or PS256, or their stronger variants")
	case allowed != nil && !slices.Contains(allowed, alg):
		return refuse(ReasonAlgRefused, field, "is "+quote(alg)+", which is not accepted here", "sign with one of "+strings.Join(allowed, ", "))
	}
	return nil
}

// verifySignature reports whether sig is the key's signature over input. The
// algorithm is one for the key's kind.
func verifySignature(pub crypto.PublicKey, alg string, input, sig []byte) bool {
	a := algorithms[alg]
	if a.kind == "" || a.kind != kindOf(pub) {
		return false
	}
	var digest []byte
	if a.hash != 0 {
		h := a.hash.New()
		h.Write(input)
		digest = h.Sum(nil)
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, input, sig)
	case *ecdsa.PublicKey:
		// RFC 7518, section 3.4: r ‖ s, each as long as the curve's order.
		n := (k.Curve.Params().BitSize + 7) / 8
		if len(sig) != 2*n {
			return false
		}
		return ecdsa.Verify(k, digest, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:]))
	case *rsa.PublicKey:
		if a.pss {
			// RFC 7518, section 3.5: the salt is as long as the hash.
			return rsa.VerifyPSS(k, a.hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(k, a.hash, digest, sig) == nil
	}
	return false
}
