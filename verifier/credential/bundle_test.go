package credential_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
)

func TestBundle(t *testing.T) {
	d := newDomain(t)
	next := certify(t, nil, rsaKey(), authority("next root"))
	jwt := newKey(t, "j", credential.UseJWTSVID, ecKey(t, elliptic.P256()))
	raw, err := credential.MarshalBundle(42, []*x509.Certificate{d.root.cert, next.cert}, jwt)
	if err != nil {
		t.Fatal(err)
	}
	// As SPIRE publishes it, and with a key that is not for SVIDs.
	raw = bytes.Replace(raw, []byte(`"keys":[`), []byte(`"spiffe_refresh_hint":300,"keys":[{"kty":"OKP","crv":"Ed25519","kid":"s","x":"`+publicX(edKey(1))+`"},`), 1)
	b, err := credential.ParseBundle("example.com", raw)
	if err != nil {
		t.Fatal(err)
	}
	if b.TrustDomain() != "example.com" || b.Sequence() != 42 || b.Digest() != sha256.Sum256(raw) || len(b.Keys()) != 3 {
		t.Errorf("bundle of %q, sequence %d, %d keys", b.TrustDomain(), b.Sequence(), len(b.Keys()))
	}
	if ig := b.Ignored(); len(ig) != 1 || ig[0] != (credential.IgnoredKey{ID: "s", Why: "is not for SVIDs"}) {
		t.Errorf("ignored = %v", ig)
	}
	for name, root := range map[string]*cert{"root": d.root, "next root": next} {
		leaf := certify(t, root, edKey(1), workload(planner))
		if _, err := b.VerifyX509([][]byte{leaf.der}, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// No roots: nothing verifies, and above all not the system's.
	empty := bundle(t, nil)
	_, err = empty.VerifyX509([][]byte{certify(t, d.root, edKey(1), workload(planner)).der}, now)
	wantRefusal(t, err, credential.ReasonSVIDChain, "svid", "unknown authority")
}

func TestBundleRefusals(t *testing.T) {
	d := newDomain(t)
	raw, err := credential.MarshalBundle(1, []*x509.Certificate{d.root.cert})
	if err != nil {
		t.Fatal(err)
	}
	x5c := base64.StdEncoding.EncodeToString(d.root.der)
	leaf := certify(t, d.root, ecKey(t, elliptic.P256()), workload(planner))
	for _, tt := range []struct {
		name, domain, old, new string
		reason, field, says    string
	}{
		{"upper case", "Example.com", "", "", credential.ReasonSPIFFEID, "trust domain", "Example.com"},
		{"with a path", "example.com/x", "", "", credential.ReasonSPIFFEID, "trust domain", "example.com/x"},
		{"with scheme", "spiffe://example.com", "", "", credential.ReasonSPIFFEID, "trust domain", "spiffe"},
		{"no domain", "", "", "", credential.ReasonSPIFFEID, "trust domain", `""`},
		{"sequence", "example.com", `sequence":1`, `sequence":-1`, credential.ReasonKeySet, "spiffe_sequence", "whole number"},
		{"two certificates", "example.com", `["` + x5c + `"]`, `["` + x5c + `","` + x5c + `"]`, credential.ReasonKeySet, "keys[0].x5c", "2 entries"},
		{"no certificate", "example.com", `["` + x5c + `"]`, `[]`, credential.ReasonKeySet, "keys[0].x5c", "not exactly one"},
		{"base64url", "example.com", x5c, strings.TrimRight(x5c, "=") + "-_", credential.ReasonKeySet, "keys[0].x5c", "not base64"},
		{"line break", "example.com", x5c, x5c[:8] + `\n` + x5c[8:], credential.ReasonKeySet, "keys[0].x5c[0]", "control"},
		{"broken certificate", "example.com", x5c, "AAAA", credential.ReasonKeySet, "keys[0].x5c", "not a certificate"},
		{"another key's certificate", "example.com", x5c, base64.StdEncoding.EncodeToString(d.sub.der), credential.ReasonKeySet, "keys[0].x5c", "another key"},
		{"JWT key without kid", "example.com", `"keys":[`, `"keys":[{"kty":"OKP","crv":"Ed25519","use":"jwt-svid","x":"` + publicX(edKey(1)) + `"},`, credential.ReasonKeySet, "keys", "without kid"},
		{"not JSON", "example.com", "{", "", credential.ReasonKeySet, "key set", "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := raw
			if tt.old != "" {
				b = []byte(strings.Replace(string(raw), tt.old, tt.new, 1))
				if bytes.Equal(b, raw) {
					t.Fatal("nothing was changed")
				}
			}
			_, err := credential.ParseBundle(tt.domain, b)
			wantRefusal(t, err, tt.reason, tt.field, tt.says)
		})
	}
	// A workload among the roots would verify itself.
	_, err = credential.MarshalBundle(1, []*x509.Certificate{leaf.cert})
	wantRefusal(t, err, credential.ReasonKeySet, "keys[0].x5c", "certification authority")
	if _, err := credential.MarshalBundle(1, nil, newKey(t, "k", credential.UseSig, edKey(1))); err == nil {
		t.Error("a key for ID tokens went into a bundle")
	}
}

func TestJWTSVID(t *testing.T) {
	ec, ed := ecKey(t, elliptic.P256()), edKey(1)
	b := bundle(t, nil, newKey(t, "k0", credential.UseJWTSVID, ec), newKey(t, "k1", credential.UseJWTSVID, rsaKey()), newKey(t, "k2", credential.UseJWTSVID, ed))
	h := obj{"alg": "ES256", "kid": "k0"}
	c := obj{"sub": planner, "aud": []string{"log.example.com", "other"}, "exp": fromNow(5 * time.Minute)}
	for _, typ := range []any{nil, "JWT", "JOSE"} {
		f, err := b.VerifyJWT(mint(t, ec, with(h, obj{"typ": typ}), c), "log.example.com", now)
		if err != nil || f.Subject != planner || f.Issuer != "" || f.Digest == "" || !f.IssuedAt.IsZero() {
			t.Errorf("typ %v: %v, %v", typ, f, err)
		}
	}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		if _, err := b.VerifyJWT(mint(t, rsaKey(), obj{"alg": alg, "kid": "k1"}, c), "log.example.com", now); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	for _, tt := range []struct {
		name                string
		h, c                obj
		reason, field, says string
	}{
		{"expired", nil, obj{"exp": fromNow(-time.Minute)}, credential.ReasonExpired, "token.exp", "expired"},
		{"not yet valid", nil, obj{"nbf": fromNow(2 * time.Minute)}, credential.ReasonNotYetValid, "token.nbf", "not valid yet"},
		{"no exp", nil, obj{"exp": nil}, credential.ReasonClaim, "token.exp", "missing"},
		{"no aud", nil, obj{"aud": nil}, credential.ReasonClaim, "token.aud", "missing"},
		{"wrong audience", nil, obj{"aud": "payroll"}, credential.ReasonAudience, "token.aud", "payroll"},
		{"no sub", nil, obj{"sub": nil}, credential.ReasonSPIFFEID, "token.sub", "spiffe://"},
		{"sub is no SPIFFE ID", nil, obj{"sub": "planner"}, credential.ReasonSPIFFEID, "token.sub", "spiffe://"},
		{"sub without path", nil, obj{"sub": "spiffe://example.com"}, credential.ReasonSPIFFEID, "token.sub", "no path"},
		{"foreign trust domain", nil, obj{"sub": "spiffe://example.org/planner"}, credential.ReasonTrustDomain, "token.sub", "example.org"},
		{"unknown key", obj{"kid": "k9"}, nil, credential.ReasonUnknownKey, "token.header.kid", "k9"},
		{"no kid", obj{"kid": nil}, nil, credential.ReasonUnknownKey, "token.header.kid", "3 keys"},
		{"workload identity token", obj{"typ": "wit+jwt"}, nil, credential.ReasonTokenType, "token.header.typ", "wit+jwt"},
		{"algorithm confused", obj{"kid": "k1"}, nil, credential.ReasonAlgConfused, "token.header.alg", "RS256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.VerifyJWT(mint(t, ec, with(h, tt.h), with(c, tt.c)), "log.example.com", now)
			wantRefusal(t, err, tt.reason, tt.field, tt.says)
		})
	}
	// JWT-SVID, section 2.1: no EdDSA, though the key would do.
	_, err := b.VerifyJWT(mint(t, ed, obj{"alg": "EdDSA", "kid": "k2"}, c), "log.example.com", now)
	wantRefusal(t, err, credential.ReasonAlgRefused, "token.header.alg", "one of RS256")
	// A token changed after it was signed.
	token := strings.Split(mint(t, ec, h, c), ".")
	_, err = b.VerifyJWT(token[0]+"."+b64(marshal(t, with(c, obj{"sub": "spiffe://example.com/admin"})))+"."+token[2], "log.example.com", now)
	wantRefusal(t, err, credential.ReasonSignature, "token", "signature")
	// Roots do not verify tokens: an x509-svid key has no kid to be named by.
	d := newDomain(t)
	_, err = d.bundle.VerifyJWT(mint(t, d.root.key, obj{"alg": "ES384"}, c), "log.example.com", now)
	wantRefusal(t, err, credential.ReasonUnknownKey, "token.header.kid", "no key for this use")
}
