package credential_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

func request() credential.Request {
	return credential.Request{
		Audience: "spiffe://example.com/reader", Method: "POST", URL: "https://reader.example.com/read.v1.Reader/Read",
		AccessToken: credential.TokenDigest("an access token"),
	}
}

func proof() credential.Proof {
	return credential.Proof{
		Request: request(), Agent: planner, Instance: "planner-1", Grant: sha256.Sum256([]byte("a grant")),
		ID: "__bwc4ESC3acc2LTC1-_x", Expires: now.Add(2 * time.Minute),
	}
}

func proofClaims() obj {
	p := proof()
	return obj{"iss": planner, "sub": planner, "iid": "planner-1", "aud": p.Audience, "exp": fromNow(2 * time.Minute), "jti": p.ID,
		"htm": "POST", "htu": p.URL, "ath": p.AccessToken, "grant": p.Grant.String()}
}

func TestProofRoundTrip(t *testing.T) {
	for alg, k := range map[string]crypto.Signer{"EdDSA": edKey(1), "ES256": ecKey(t, elliptic.P256()), "ES384": ecKey(t, elliptic.P384()), "PS256": rsaKey()} {
		s := signerOf(t, k)
		want := proof()
		token, err := credential.SignProof(want, s)
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		h, err := credential.Peek(token)
		if err != nil || h.KeyID != s.Public().ID() || h.Subject != planner {
			t.Errorf("%s: hint = %v, %v", alg, h, err)
		}
		got, err := credential.VerifyProof(token, s.Public(), request(), now)
		if err != nil {
			t.Errorf("%s: %v", alg, err)
		} else if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: proof (-want +got):\n%s", alg, diff)
		}
		// What another implementation makes is read too.
		token = mint(t, k, obj{"alg": alg, "typ": "application/wpt+jwt", "kid": s.Public().ID()}, proofClaims())
		if _, err := credential.VerifyProof(token, s.Public(), request(), now); err != nil {
			t.Errorf("%s, minted: %v", alg, err)
		}
	}
}

// An ID is made up when there is none, and never the same.
func TestProofID(t *testing.T) {
	s := signerOf(t, edKey(1))
	seen := map[string]bool{}
	for range 100 {
		p := proof()
		p.ID = ""
		token, err := credential.SignProof(p, s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := credential.VerifyProof(token, s.Public(), request(), now)
		if err != nil || len(got.ID) < 22 || seen[got.ID] {
			t.Fatalf("id of %v: %v", got, err)
		}
		seen[got.ID] = true
	}
}

func TestProofRefusals(t *testing.T) {
	key := edKey(1)
	pub := signerOf(t, key).Public()
	h := obj{"alg": "EdDSA", "typ": "wpt+jwt", "kid": pub.ID()}
	same := func(*credential.Request) {}
	for _, tt := range []struct {
		name                string
		h, c                obj
		req                 func(*credential.Request)
		reason, field, says string
	}{
		{"expired", nil, obj{"exp": fromNow(-time.Minute)}, same, credential.ReasonExpired, "proof.exp", "expired"},
		{"valid too long", nil, obj{"exp": fromNow(5*time.Minute + time.Second)}, same, credential.ReasonProofLife, "proof.exp", "5m0s"},
		{"for another callee", nil, nil, func(r *credential.Request) { r.Audience = "spiffe://example.com/courier" }, credential.ReasonAudience, "proof.aud", "courier"},
		{"callee does not know itself", nil, nil, func(r *credential.Request) { r.Audience = "" }, credential.ReasonAudience, "proof.aud", `not ""`},
		{"several callees", nil, obj{"aud": []string{"spiffe://example.com/reader"}}, same, credential.ReasonClaim, "proof.aud", "not a string"},
		{"another method", nil, nil, func(r *credential.Request) { r.Method = "GET" }, credential.ReasonProofRequest, "proof.htm", "GET"},
		{"another path", nil, nil, func(r *credential.Request) { r.URL += "All" }, credential.ReasonProofRequest, "proof.htu", "ReadAll"},
		{"another scheme", nil, nil, func(r *credential.Request) { r.URL = strings.Replace(r.URL, "https", "http", 1) }, credential.ReasonProofRequest, "proof.htu", "http://"},
		{"request without a URL", nil, nil, func(r *credential.Request) { r.URL = "/read.v1.Reader/Read" }, credential.ReasonProofRequest, "request URL", "with a host"},
		{"another access token", nil, nil, func(r *credential.Request) { r.AccessToken = credential.TokenDigest("x") }, credential.ReasonProofRequest, "proof.ath", "request has"},
		{"no access token", nil, nil, func(r *credential.Request) { r.AccessToken = "" }, credential.ReasonProofRequest, "proof.ath", `""`},
		{"a transaction token beside it", nil, nil, func(r *credential.Request) { r.TransactionToken = credential.TokenDigest("x") }, credential.ReasonProofRequest, "proof.tth", `is ""`},
		{"a workload token beside it", nil, nil, func(r *credential.Request) { r.WorkloadToken = credential.TokenDigest("x") }, credential.ReasonProofRequest, "proof.wth", `is ""`},
		{"not a proof", obj{"typ": "JWT"}, nil, same, credential.ReasonTokenType, "proof.header.typ", "wpt+jwt"},
		{"no type", obj{"typ": nil}, nil, same, credential.ReasonTokenType, "proof.header.typ", "missing"},
		{"another key's name", obj{"kid": "k0"}, nil, same, credential.ReasonUnknownKey, "proof.header.kid", "k0"},
		{"no kid", obj{"kid": nil}, nil, same, credential.ReasonUnknownKey, "proof.header.kid", `""`},
		{"for another agent", nil, obj{"iss": "spiffe://example.com/other"}, same, credential.ReasonClaim, "proof.iss", "speaks for itself"},
		{"no SPIFFE ID", nil, obj{"iss": "planner", "sub": "planner"}, same, credential.ReasonClaim, "proof.sub", "spiffe://"},
		{"oth", nil, obj{"oth": obj{"x-user": "h"}}, same, credential.ReasonClaim, "proof.oth", "not understood"},
		{"no jti", nil, obj{"jti": nil}, same, credential.ReasonClaim, "proof.jti", "missing"},
		{"short jti", nil, obj{"jti": "1"}, same, credential.ReasonClaim, "proof.jti", "8 bytes"},
		{"no htm", nil, obj{"htm": nil}, same, credential.ReasonClaim, "proof.htm", "missing"},
		{"empty htm", nil, obj{"htm": ""}, func(r *credential.Request) { r.Method = "" }, credential.ReasonClaim, "proof.aud", "empty"},
		{"no htu", nil, obj{"htu": nil}, same, credential.ReasonClaim, "proof.htu", "missing"},
		{"htu is no URL", nil, obj{"htu": "reader"}, same, credential.ReasonClaim, "proof.htu", "with a host"},
		{"htu with a user", nil, obj{"htu": "https://a@reader.example.com/read.v1.Reader/Read"}, same, credential.ReasonClaim, "proof.htu", "with a host"},
		{"ath is no digest", nil, obj{"ath": "abc"}, same, credential.ReasonClaim, "proof.ath", "SHA-256"},
		{"grant is no record", nil, obj{"grant": "all"}, same, credential.ReasonClaim, "proof.grant", "not a record"},
		{"half a second", nil, obj{"exp": float64(fromNow(time.Minute)) + 0.5}, same, credential.ReasonClaim, "proof.exp", "whole seconds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := request()
			tt.req(&req)
			_, err := credential.VerifyProof(mint(t, key, with(h, tt.h), with(proofClaims(), tt.c)), pub, req, now)
			wantRefusal(t, err, tt.reason, tt.field, tt.says)
		})
	}
	// Signed by somebody else under this key's name.
	_, err := credential.VerifyProof(mint(t, edKey(2), h, proofClaims()), pub, request(), now)
	wantRefusal(t, err, credential.ReasonSignature, "proof", "signature")
	// A recorded RSA key signs with PSS, as it signs records.
	rs := signerOf(t, rsaKey()).Public()
	_, err = credential.VerifyProof(mint(t, rsaKey(), obj{"alg": "RS256", "typ": "wpt+jwt", "kid": rs.ID()}, proofClaims()), rs, request(), now)
	wantRefusal(t, err, credential.ReasonAlgConfused, "proof.header.alg", "PS256")
	// An ID token of the same key is not a proof.
	_, err = credential.VerifyProof(mint(t, key, with(header(), obj{"kid": pub.ID()}), with(proofClaims(), claims())), pub, request(), now)
	wantRefusal(t, err, credential.ReasonTokenType, "proof.header.typ", "JWT")
	// And a proof is not an ID token.
	_, err = credential.VerifyToken(mint(t, key, with(h, obj{"kid": "k0"}), with(proofClaims(), claims())), keySet(t, key), expect, now)
	wantRefusal(t, err, credential.ReasonTokenType, "token.header.typ", "wpt+jwt")
}

// RFC 9449, section 4.3: query and fragment do not count, nor other spellings
// of the same URL.
func TestProofURLs(t *testing.T) {
	s := signerOf(t, edKey(1))
	for _, tt := range []struct {
		signed, requested string
		ok                bool
	}{
		{"https://h.example/a?x=1#f", "https://h.example/a", true},
		{"https://h.example/a", "https://h.example/a?x=2", true},
		{"HTTPS://H.Example:443", "https://h.example/", true},
		{"http://h.example:80/a", "http://h.example/a", true},
		{"http://[::1]:8080/a", "http://[::1]:8080/a", true},
		{"https://h.example:80/a", "https://h.example/a", false},
		{"https://h.example/a", "https://h.example/a/", false},
		{"https://h.example/A", "https://h.example/a", false},
		{"https://h.example/a%2Fb", "https://h.example/a/b", false},
	} {
		p, req := proof(), request()
		p.URL, req.URL = tt.signed, tt.requested
		token, err := credential.SignProof(p, s)
		if err != nil {
			t.Errorf("%s: %v", tt.signed, err)
			continue
		}
		if _, err := credential.VerifyProof(token, s.Public(), req, now); (err == nil) != tt.ok {
			t.Errorf("%s for %s: %v", tt.signed, tt.requested, err)
		}
	}
}

// What nobody would accept is not signed.
func TestSignProofRefusals(t *testing.T) {
	for name, change := range map[string]func(*credential.Proof){
		"no agent":     func(p *credential.Proof) { p.Agent = "" },
		"no audience":  func(p *credential.Proof) { p.Audience = "" },
		"no method":    func(p *credential.Proof) { p.Method = "" },
		"no URL":       func(p *credential.Proof) { p.URL = "" },
		"relative URL": func(p *credential.Proof) { p.URL = "/a" },
		"no digest":    func(p *credential.Proof) { p.WorkloadToken = "eyJ" },
		"no expiry":    func(p *credential.Proof) { p.Expires = time.Time{} },
		"short ID":     func(p *credential.Proof) { p.ID = "1" },
		"long name":    func(p *credential.Proof) { p.Instance = strings.Repeat("i", 65) },
	} {
		p := proof()
		change(&p)
		if token, err := credential.SignProof(p, signerOf(t, edKey(1))); err == nil || token != "" {
			t.Errorf("%s: signed %q", name, token)
		}
	}
	// A module that fails, or returns nonsense.
	for name, sig := range map[string][]byte{"error": nil, "nonsense": []byte("nonsense"), "zero": {0x30, 6, 2, 1, 0, 2, 1, 0}, "negative": {0x30, 6, 2, 1, 0xff, 2, 1, 0xff}} {
		s, err := record.NewSigner(module{ecKey(t, elliptic.P256()), sig})
		if err != nil {
			t.Fatal(err)
		}
		if token, err := credential.SignProof(proof(), s); err == nil {
			t.Errorf("%s: signed %q", name, token)
		}
	}
}

type module struct {
	crypto.Signer
	sig []byte
}

func (m module) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	if m.sig == nil {
		return nil, errors.New("the module is gone")
	}
	return m.sig, nil
}
