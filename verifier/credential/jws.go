package credential

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/record"
)

// A jws is a compact JWS (RFC 7515, section 3.1) that was read and is not yet
// verified.
type jws struct {
	field   string // how errors name it: token, proof
	alg     string
	kid     string
	typ     string
	input   []byte // what is signed
	payload []byte
	sig     []byte
}

// parseJWS reads a compact JWS. Keys that it brings along (jwk, jku, x5c, x5u)
// are not looked at: a key comes from the caller, or the signature shows
// nothing.
func parseJWS(field, token string, allowed []string) (*jws, error) {
	malformed := func(detail string) error {
		return refuse(ReasonTokenMalformed, field, detail, "send a compact JWS: header.payload.signature in base64url")
	}
	if len(token) > MaxToken {
		return nil, refuse(ReasonTooLarge, field, fmt.Sprintf("has %d bytes, at most %d are allowed", len(token), MaxToken), "ask the issuer for fewer claims")
	}
	parts := strings.Split(token, ".")
	switch {
	case len(parts) == 5:
		return nil, malformed("is encrypted: five parts in place of three")
	case len(parts) == 2 && parts[0] != "" && parts[1] != "":
		parts = append(parts, "") // says TOKEN_UNSIGNED below, or TOKEN_ALG_NONE
	case len(parts) != 3:
		return nil, malformed(fmt.Sprintf("has %d parts, not three", len(parts)))
	}
	var decoded [3][]byte
	for i, name := range []string{"header", "payload", "signature"} {
		b, err := decode64(parts[i])
		if err != nil {
			return nil, malformed("has a " + name + " that is not base64url without padding")
		}
		decoded[i] = b
	}
	m, err := parseObject(decoded[0])
	if err != nil {
		return nil, malformed("has a header that " + err.Error())
	}
	h := newObject(m, field+".header.", ReasonTokenMalformed, "ask the issuer what it sends")
	h.need("alg")
	j := &jws{
		field: field, payload: decoded[1], sig: decoded[2],
		input: []byte(parts[0] + "." + parts[1]),
		alg:   h.text("alg", 32), kid: h.text("kid", 255), typ: h.text("typ", 64),
	}
	if *h.err != nil {
		return nil, *h.err
	}
	// RFC 7515, section 4.1.11: what crit names must be understood, and no
	// extension is. RFC 7797, section 6: b64 goes with crit.
	for _, name := range []string{"crit", "b64"} {
		if _, ok := m[name]; ok {
			return nil, refuse(ReasonTokenHeader, field+".header."+name, "is not accepted: it changes how the token is read", "get a token without JWS extensions")
		}
	}
	if err := checkAlgorithm(field+".header.alg", j.alg, allowed); err != nil {
		return nil, err
	}
	if len(j.sig) == 0 {
		return nil, refuse(ReasonTokenUnsigned, field, "has no signature", "get a token that its issuer signed")
	}
	return j, nil
}

// checkType holds typ to the expected ones. RFC 7515, section 4.1.9: a media
// type, whose case does not count and whose "application/" may be left out.
// RFC 8725, section 3.11: so a token of one kind is not taken for another.
func (j *jws) checkType(want ...string) error {
	typ := strings.TrimPrefix(strings.ToLower(j.typ), "application/")
	if slices.ContainsFunc(want, func(w string) bool { return strings.ToLower(w) == typ }) {
		return nil
	}
	got := "is " + quote(j.typ)
	if j.typ == "" {
		got = "is missing"
	}
	return refuse(ReasonTokenType, j.field+".header.typ", got+", not that of a token for this use", "send a token of typ "+want[len(want)-1])
}

// verify checks the signature with k. The algorithm must be one of the key's:
// the header alone decides nothing.
func (j *jws) verify(k *Key) error {
	if !slices.Contains(k.algs(), j.alg) {
		return refuse(ReasonAlgConfused, j.field+".header.alg", fmt.Sprintf("is %s, but the key is for %s", quote(j.alg), strings.Join(k.algs(), ", ")), "get a token signed as the issuer's key set says")
	}
	if !verifySignature(k.pub, j.alg, j.input, j.sig) {
		return refuse(ReasonSignature, j.field, "does not carry a signature of the key that it names", "send the token as it was issued")
	}
	return nil
}

// claims reads the payload as the claims of a JWT. RFC 7519, section 7.2.
func (j *jws) claims() (*object, error) {
	m, err := parseObject(j.payload)
	if err != nil {
		return nil, refuse(ReasonTokenMalformed, j.field, "has a payload that "+err.Error(), "send a JWT")
	}
	return newObject(m, j.field+".", ReasonClaim, "ask the issuer what it sends"), nil
}

// signJWS makes a compact JWS that [jws.verify] accepts with the signer's
// public key.
func signJWS(s record.Signer, typ string, claims map[string]any) (string, error) {
	pub := s.Public()
	header, err := json.Marshal(map[string]string{"alg": recordAlgorithm(pub.Crypto()), "kid": pub.ID(), "typ": typ})
	if err != nil {
		return "", fmt.Errorf("marshal header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("marshal claims: %w", err)
	}
	input := encode64(header) + "." + encode64(payload)
	sig, err := s.Sign([]byte(input))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	if k, ok := pub.Crypto().(*ecdsa.PublicKey); ok {
		// Records carry ASN.1, a JWS r ‖ s.
		var v struct{ R, S *big.Int }
		n := (k.Curve.Params().BitSize + 7) / 8
		rest, err := asn1.Unmarshal(sig, &v)
		if err != nil || len(rest) > 0 || v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 8*n || v.S.BitLen() > 8*n {
			return "", errors.New("the signer returned no ECDSA signature")
		}
		sig = append(v.R.FillBytes(make([]byte, n)), v.S.FillBytes(make([]byte, n))...)
	}
	return input + "." + encode64(sig), nil
}
