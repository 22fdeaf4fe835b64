package credential_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// wantTyped: whatever is refused is refused with a reason and a way out.
func wantTyped(t *testing.T, err error) {
	t.Helper()
	var e *record.Error
	if !errors.As(err, &e) || e.Reason == "" || e.Detail == "" || e.Next == "" || len(e.Error()) > 1500 {
		t.Fatalf("refused with %T: %v", err, err)
	}
}

// FuzzJWS: no token panics; one that is accepted is the very one that was
// signed, for nobody can sign another.
func FuzzJWS(f *testing.F) {
	ed, ec := edKey(1), fixedEC()
	keys := keySet(f, ed, ec)
	good := mint(f, ed, header(), claims())
	f.Add(good)
	f.Add(mint(f, ec, obj{"alg": "ES256", "kid": "k1"}, claims()))
	f.Add("eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := credential.Peek(token); err != nil {
			wantTyped(t, err)
		}
		facts, err := credential.VerifyToken(token, keys, expect, now)
		if err != nil {
			wantTyped(t, err)
			return
		}
		if facts.Subject != "248289761001" || facts.Digest != credential.TokenDigest(token) || (facts.KeyID == keys.Keys()[0].Thumbprint() && token != good) {
			t.Fatalf("accepted %q: %v", token, facts)
		}
	})
}

func fixedEC() *ecdsa.PrivateKey {
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	return k
}

// FuzzParseKeySet: no set panics; what is accepted reads the same again when
// it is written anew, and holds keys that verify something.
func FuzzParseKeySet(f *testing.F) {
	root := certify(f, nil, fixedEC(), authority("root"))
	b, err := credential.MarshalBundle(3, []*x509.Certificate{root.cert}, newKey(f, "j", credential.UseJWTSVID, fixedEC()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	b, err = credential.MarshalKeySet(newKey(f, "a", credential.UseSig, edKey(1)), newKey(f, "b", credential.UseSig, rsaKey()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := credential.ParseBundle("example.com", b); err != nil {
			wantTyped(t, err)
		}
		s, err := credential.ParseKeySet(b)
		if err != nil {
			wantTyped(t, err)
			return
		}
		again, err := credential.MarshalKeySet(s.Keys()...)
		if err != nil {
			t.Fatalf("%d keys are refused once they are written anew: %v", len(s.Keys()), err)
		}
		r, err := credential.ParseKeySet(again)
		if err != nil || len(r.Keys()) != len(s.Keys()) || len(r.Ignored()) != 0 {
			t.Fatalf("%s\nreads as %v, %v", again, r, err)
		}
		for i, k := range r.Keys() {
			if k.ID() != s.Keys()[i].ID() || k.Use() != s.Keys()[i].Use() || k.Thumbprint() != s.Keys()[i].Thumbprint() || len(k.Thumbprint()) != 43 {
				t.Fatalf("key %d is %v, was %v", i, k, s.Keys()[i])
			}
		}
	})
}

// FuzzClaims: no payload that the issuer signs panics, as a token, a JWT-SVID
// or a proof; what is accepted keeps to the rules, and says the same twice.
func FuzzClaims(f *testing.F) {
	ed, ec := edKey(1), fixedEC()
	keys := keySet(f, ed)
	pub := signerOf(f, ed).Public()
	b := bundle(f, nil, newKey(f, "k0", credential.UseJWTSVID, ec))
	for _, c := range []obj{
		claims(), with(claims(), obj{"act": actors(8), "cnf": obj{"jwk": obj{"kty": "OKP", "crv": "Ed25519", "x": publicX(edKey(2))}}}),
		with(claims(), obj{"authorization_details": []obj{manyLimits(3), {"type": "x", "unit": "EUR", "a": obj{}}}}),
		with(claims(), obj{"sub": planner}), proofClaims(),
	} {
		f.Add(marshal(f, c))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		token := mintRaw(t, ed, "EdDSA", marshal(t, header()), payload)
		facts, err := credential.VerifyToken(token, keys, expect, now)
		if err != nil {
			wantTyped(t, err)
		} else {
			again, err := credential.VerifyToken(token, keys, expect, now)
			if err != nil || !reflect.DeepEqual(facts, again) {
				t.Fatalf("the second reading differs: %v\n%v\n%v", err, facts, again)
			}
			if facts.Issuer != issuer || facts.Subject == "" || len(facts.Subject) > 255 || !slices.Contains(facts.Audience, "k8s-agent") ||
				!now.Before(facts.Expires.Add(credential.Skew)) || len(facts.Actors) > 8 || len(facts.Details) > 64 {
				t.Fatalf("accepted %s: %v", payload, facts)
			}
		}
		facts, err = b.VerifyJWT(mintRaw(t, ec, "ES256", []byte(`{"alg":"ES256","kid":"k0"}`), payload), "k8s-agent", now)
		if err != nil {
			wantTyped(t, err)
		} else if !strings.HasPrefix(facts.Subject, "spiffe://example.com/") || record.CheckSPIFFE(facts.Subject) != "" {
			t.Fatalf("accepted %s: %v", payload, facts)
		}
		p, err := credential.VerifyProof(mintRaw(t, ed, "EdDSA", []byte(`{"alg":"EdDSA","typ":"wpt+jwt","kid":"`+pub.ID()+`"}`), payload), pub, request(), now)
		if err != nil {
			wantTyped(t, err)
			return
		}
		// What is accepted can be signed, and is accepted again.
		again, err := credential.SignProof(*p, signerOf(t, ed))
		if err != nil {
			t.Fatalf("accepted %s, but cannot sign it: %v", payload, err)
		}
		if q, err := credential.VerifyProof(again, pub, request(), now); err != nil || q.Agent != p.Agent || q.ID != p.ID || q.Grant != p.Grant {
			t.Fatalf("%v, signed anew %v: %v", p, q, err)
		}
	})
}

// FuzzX509SVID: no chain panics; what is accepted names one workload of the
// trust domain, at a time when its leaf is valid.
func FuzzX509SVID(f *testing.F) {
	root := certify(f, nil, fixedEC(), authority("root"))
	sub := certify(f, root, edKey(2), authority("sub"))
	b := bundle(f, []*x509.Certificate{root.cert})
	leaf := certify(f, sub, edKey(1), workload(planner))
	f.Add(leaf.der, sub.der, now.Unix())
	f.Add(certify(f, root, edKey(1), workload(planner, planner)).der, []byte(nil), now.Unix())
	f.Add(certify(f, root, edKey(1), spelled("SPIFFE://example.com/a")).der, []byte(nil), int64(0))
	f.Fuzz(func(t *testing.T, leaf, issuer []byte, at int64) {
		chain := [][]byte{leaf, issuer}
		if len(issuer) == 0 {
			chain = chain[:1]
		}
		svid, err := b.VerifyX509(chain, time.Unix(at, 0))
		if err != nil {
			wantTyped(t, err)
			return
		}
		c, err := x509.ParseCertificate(leaf)
		if err != nil || len(c.URIs) != 1 || c.IsCA || !strings.HasPrefix(svid.ID, "spiffe://example.com/") || at < svid.NotBefore.Unix() || at > svid.NotAfter.Unix() || svid.Key == nil {
			t.Fatalf("accepted %v of %v at %d: %v", svid, c, at, err)
		}
	})
}
