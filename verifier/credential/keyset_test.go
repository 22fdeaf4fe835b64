package credential_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/credential"
)

// A set of an issuer as they are published, with keys that are of no use here.
func TestKeySetAsPublished(t *testing.T) {
	ed := jwk(t, "a", edKey(1))
	b := marshal(t, obj{"keys": []obj{
		with(ed, obj{"use": nil, "x5t": "not read", "x5c": []string{"not read"}, "key_ops": []string{"verify"}}),
		with(jwk(t, "b", rsaKey()), obj{"use": "enc", "alg": "RSA-OAEP"}),
		with(jwk(t, "c", rsaKey()), obj{"alg": "RSA-OAEP-256"}),
		with(ed, obj{"kid": "d", "key_ops": []string{"sign"}}),
		{"kty": "AKP", "alg": "ML-DSA-65", "kid": "e"},
		{"kty": "EC", "crv": "secp256k1", "kid": "f"},
		{"kty": "OKP", "crv": "X25519", "kid": "g"},
		{"kty": "RSA", "kid": "h", "n": b64(rsaOld().N.Bytes()), "e": "AQAB"},
		{"kty": "RSA", "kid": "i", "n": b64(rsaKey().N.Bytes()), "e": "Aw"},
		{"kty": "OKP", "crv": "Ed25519", "kid": "j", "x": b64(make([]byte, 32))},
		with(jwk(t, "a", edKey(2)), obj{"use": "jwt-svid"}), // another use: no other key "a"
	}, "spiffe_refresh_hint": 300})
	s := parseSet(t, b)
	if s.Digest() != sha256.Sum256(b) {
		t.Error("the digest is not over the bytes as they came")
	}
	if n := len(s.Keys()); n != 2 || s.Keys()[0].ID() != "a" || s.Keys()[0].Use() != credential.UseSig || s.Keys()[1].Use() != credential.UseJWTSVID {
		t.Errorf("%d keys: %v", n, s.Keys())
	}
	want := []credential.IgnoredKey{
		{ID: "b", Why: `is for "enc", not for signatures`}, {ID: "c", Why: `is for "RSA-OAEP-256", which is not accepted`},
		{ID: "d", Why: "is not for verifying"}, {ID: "e", Why: `is of the kind "AKP", which is not accepted`},
		{ID: "f", Why: `is on the curve "secp256k1", which is not accepted`}, {ID: "g", Why: `is on the curve "X25519", which is not accepted`},
		{ID: "h", Why: "has 1024 bits, but RSA keys have 2,048 to 8,192"}, {ID: "i", Why: "has an RSA exponent that is not accepted: 65537 is usual"},
		{ID: "j", Why: "is not accepted: the Ed25519 key is a point of small order"},
	}
	if got := fmt.Sprint(s.Ignored()); got != fmt.Sprint(want) {
		t.Errorf("ignored = %v\nwant %v", got, want)
	}
	// A token that names one of them is told why.
	_, err := credential.VerifyToken(mint(t, rsaKey(), obj{"alg": "RS256", "kid": "b"}, claims()), s, expect, now)
	wantRefusal(t, err, credential.ReasonUnknownKey, "token.header.kid", `a key that is for "enc"`)
	// A JWT-SVID's key does not verify an ID token.
	_, err = credential.VerifyToken(mint(t, edKey(2), header(), claims()), parseSet(t, marshal(t, obj{"keys": []obj{with(jwk(t, "k0", edKey(2)), obj{"use": "jwt-svid"})}})), expect, now)
	wantRefusal(t, err, credential.ReasonUnknownKey, "token.header.kid", "does not hold")
}

// jwk returns the one member of a set of one key.
func jwk(t testing.TB, id string, k crypto.Signer) obj {
	t.Helper()
	b, err := credential.MarshalKeySet(newKey(t, id, credential.UseSig, k))
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []obj }
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys[0]
}

func TestKeySetRoundTrip(t *testing.T) {
	var keys []*credential.Key
	for i, k := range []crypto.Signer{edKey(1), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521()), rsaKey()} {
		keys = append(keys, newKey(t, fmt.Sprint(i), credential.UseSig, k))
	}
	b, err := credential.MarshalKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	s := parseSet(t, b)
	for i, k := range s.Keys() {
		if k.ID() != keys[i].ID() || k.Thumbprint() != keys[i].Thumbprint() || k.Use() != keys[i].Use() || !reflect.DeepEqual(k.Crypto(), keys[i].Crypto()) {
			t.Errorf("key %d reads as %v, was %v", i, k, keys[i])
		}
	}
	again, err := credential.MarshalKeySet(s.Keys()...)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("marshalled again: %v\n%s\n%s", err, b, again)
	}
	// A recorded key keeps its name.
	for _, k := range []crypto.Signer{edKey(1), ecKey(t, elliptic.P384()), rsaKey()} {
		p := signerOf(t, k).Public()
		key, err := credential.NewKey("", credential.UseSig, p)
		if err != nil || key.Thumbprint() != p.ID() {
			t.Errorf("thumbprint = %v, %v; want %s", key, err, p.ID())
		}
	}
	if empty, err := credential.MarshalKeySet(); err != nil || len(parseSet(t, empty).Keys()) != 0 {
		t.Errorf("no keys: %s, %v", empty, err)
	}
}

func TestNewKeyRefusals(t *testing.T) {
	for name, k := range map[string]struct {
		use string
		key any
	}{
		"small RSA":     {credential.UseSig, &rsaOld().PublicKey},
		"P-224":         {credential.UseSig, &ecKey(t, elliptic.P224()).PublicKey},
		"private":       {credential.UseSig, edKey(1)},
		"nil":           {credential.UseSig, nil},
		"encryption":    {"enc", edKey(1).Public()},
		"X.509 root":    {credential.UseX509SVID, edKey(1).Public()},
		"short Ed25519": {credential.UseSig, ed25519.PublicKey("short")},
	} {
		if key, err := credential.NewKey("k", k.use, k.key); err == nil || key != nil {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
}

func TestKeySetRefusals(t *testing.T) {
	ed, ec, rs := jwk(t, "a", edKey(1)), jwk(t, "b", ecKey(t, elliptic.P256())), jwk(t, "c", rsaKey())
	set := func(keys ...obj) []byte { return marshal(t, obj{"keys": keys}) }
	for _, tt := range []struct {
		name                string
		b                   []byte
		reason, field, says string
	}{
		{"empty", nil, credential.ReasonKeySet, "key set", "not JSON"},
		{"array", []byte(`[]`), credential.ReasonKeySet, "key set", "not a JSON object"},
		{"no keys", []byte(`{"key":[]}`), credential.ReasonKeySet, "keys", "missing"},
		{"keys twice", []byte(`{"keys":[],"keys":[]}`), credential.ReasonKeySet, "key set", "two members"},
		{"keys is an object", []byte(`{"keys":{}}`), credential.ReasonKeySet, "keys", "not an array"},
		{"trailing data", []byte(`{"keys":[]}{}`), credential.ReasonKeySet, "key set", "not JSON"},
		{"key is a string", []byte(`{"keys":["a"]}`), credential.ReasonKeySet, "keys[0]", "not an object"},
		{"too large", bytes.Repeat([]byte(" "), credential.MaxKeySet+1), credential.ReasonTooLarge, "key set", "262145"},
		{"65 keys", set(make([]obj, 65)...), credential.ReasonKeySet, "keys", "65 entries"},
		{"no kty", set(with(ed, obj{"kty": nil})), credential.ReasonKeySet, "keys[0].kty", "missing"},
		{"symmetric", set(ed, obj{"kty": "oct", "k": "AAAA"}), credential.ReasonKeySecret, "keys[1]", "private or symmetric"},
		{"symmetric, empty", set(obj{"kty": "oct"}), credential.ReasonKeySecret, "keys[0]", "private or symmetric"},
		{"private Ed25519", set(with(ed, obj{"d": "AA"})), credential.ReasonKeySecret, "keys[0]", "private or symmetric"},
		{"private EC", set(with(ec, obj{"d": "AA"})), credential.ReasonKeySecret, "keys[0]", "private or symmetric"},
		{"private RSA by its primes", set(with(rs, obj{"p": "AA", "q": "AA"})), credential.ReasonKeySecret, "keys[0]", "replace the key"},
		{"private key that is of no use here", set(with(rs, obj{"use": "enc", "d": "AA"})), credential.ReasonKeySecret, "keys[0]", "replace the key"},
		{"kid twice", set(ed, with(ec, obj{"kid": "a"})), credential.ReasonKeyDuplicate, "keys[1].kid", `"a"`},
		{"padded x", set(with(ed, obj{"x": ed["x"].(string) + "="})), credential.ReasonKeySet, "keys[0].x", "base64url"},
		{"short x", set(with(ed, obj{"x": "AAAA"})), credential.ReasonKeySet, "keys[0].x", "3 bytes, not 32"},
		{"no x", set(with(ed, obj{"x": nil})), credential.ReasonKeySet, "keys[0].x", "missing"},
		{"x is a number", set(with(ed, obj{"x": 1})), credential.ReasonKeySet, "keys[0].x", "not a string"},
		{"short y", set(with(ec, obj{"y": ec["y"].(string)[:40]})), credential.ReasonKeySet, "keys[0].y", "30 bytes, not 32"},
		{"off the curve", set(with(ec, obj{"x": ec["y"]})), credential.ReasonKeySet, "keys[0].x", "not a point of P-256"},
		{"another curve", set(with(ec, obj{"crv": "P-384"})), credential.ReasonKeySet, "keys[0].x", "32 bytes, not 48"},
		{"n with leading zeros", set(with(rs, obj{"n": b64(append([]byte{0}, rsaKey().N.Bytes()...))})), credential.ReasonKeySet, "keys[0].n", "leading zeros"},
		{"no e", set(with(rs, obj{"e": nil})), credential.ReasonKeySet, "keys[0].e", "missing"},
		{"empty n", set(with(rs, obj{"n": ""})), credential.ReasonKeySet, "keys[0].n", "base64url"},
		{"alg of another kind", set(with(ed, obj{"alg": "ES256"})), credential.ReasonKeySet, "keys[0].alg", "not for a key of kind Ed25519"},
		{"kid with control characters", set(with(ed, obj{"kid": "a\n"})), credential.ReasonKeySet, "keys[0].kid", "control"},
		{"root without certificate", set(with(ec, obj{"use": "x509-svid"})), credential.ReasonKeySet, "keys[0].x5c", "missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := credential.ParseKeySet(tt.b)
			if s != nil {
				t.Error("a refused set was returned")
			}
			wantRefusal(t, err, tt.reason, tt.field, tt.says)
			if strings.Contains(err.Error(), "AAAA") {
				t.Error("the message repeats a key")
			}
		})
	}
}
