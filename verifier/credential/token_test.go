package credential_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/credential"
)

const issuer = "https://login.example.com"

var expect = credential.Expect{Issuer: issuer, Audience: "k8s-agent", Client: "k8s-agent"}

func header() obj { return obj{"alg": "EdDSA", "kid": "k0", "typ": "JWT"} }

func claims() obj {
	return obj{"iss": issuer, "sub": "248289761001", "aud": "k8s-agent", "iat": fromNow(-time.Minute), "exp": fromNow(14 * time.Minute)}
}

func TestFacts(t *testing.T) {
	key := edKey(1)
	device := newKey(t, "", credential.UseSig, edKey(2))
	token := mint(t, key, header(), with(claims(), obj{
		"aud": []string{"k8s-agent", "https://ledger.example.com"}, "azp": "k8s-agent", "client_id": "k8s-agent",
		"sid": "08a5019c", "jti": "9e1c", "nonce": device.Thumbprint(), "acr": "urn:mace:incommon:iap:silver", "amr": []string{"pwd", "otp"},
		"nbf": fromNow(-time.Minute), "auth_time": json.Number(fmt.Sprint(fromNow(-time.Hour)) + ".25"),
		"cnf": obj{"jkt": device.Thumbprint()},
		"act": obj{"sub": "spiffe://example.com/analyst", "iss": "spiffe://example.com", "exp": "means nothing",
			"act": obj{"sub": "spiffe://example.com/planner", "client_id": "planner"}},
		"may_act": obj{"sub": "spiffe://example.com/courier"},
		"authorization_details": []obj{
			{"type": "orders", "locations": []string{"https://erp.example.com/orders"}, "actions": []string{"read", "create"}, "datatypes": []string{"hardware"},
				"identifier": "q3", "privileges": []string{"buyer"}, "unit": "EUR", "max_item": 5000, "max_total": "50000.00"},
			{"type": "payment_initiation", "instructedAmount": obj{"currency": "EUR", "amount": "123.50"}, "recurring": true, "factor": json.Number("1e3"), "unit": 7, "below": -1},
		},
		"email": "not@read.example", "groups": []any{1, nil, obj{}},
	}))
	got, err := credential.VerifyToken(token, keySet(t, key), credential.Expect{Issuer: issuer, Audience: "k8s-agent", Client: "k8s-agent", Nonce: device.Thumbprint()}, now)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(token))
	want := &credential.Facts{
		Digest: b64(sum[:]), KeyID: signerOf(t, key).Public().ID(),
		Issuer: issuer, Subject: "248289761001", Audience: []string{"k8s-agent", "https://ledger.example.com"},
		AuthorizedParty: "k8s-agent", ClientID: "k8s-agent", Session: "08a5019c", ID: "9e1c", Nonce: device.Thumbprint(),
		ACR: "urn:mace:incommon:iap:silver", AMR: []string{"pwd", "otp"},
		IssuedAt: now.Add(-time.Minute), NotBefore: now.Add(-time.Minute), Expires: now.Add(14 * time.Minute),
		AuthTime: now.Add(-time.Hour + 250*time.Millisecond), Confirms: device.Thumbprint(),
		Actors: []credential.Actor{{Subject: "spiffe://example.com/analyst", Issuer: "spiffe://example.com"}, {Subject: "spiffe://example.com/planner", ClientID: "planner"}},
		MayAct: &credential.Actor{Subject: "spiffe://example.com/courier"},
		Details: []credential.Detail{
			{Type: "orders", Locations: []string{"https://erp.example.com/orders"}, Actions: []string{"read", "create"}, Datatypes: []string{"hardware"},
				Identifier: "q3", Privileges: []string{"buyer"}, Unit: "EUR", Limits: map[string]string{"max_item": "5000", "max_total": "50000.00"}},
			{Type: "payment_initiation", Unread: []string{"below", "factor", "instructedAmount", "recurring", "unit"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	for want, f := range map[string]*credential.Facts{"k8s-agent": got, "b": {ClientID: "b"}, "": {}} {
		if f.Client() != want {
			t.Errorf("client = %q, want %q", f.Client(), want)
		}
	}
}

// Every kind of key verifies with each of its algorithms and no other's.
func TestAlgorithms(t *testing.T) {
	keys := map[string]crypto.Signer{"Ed": edKey(1), "ES256": ecKey(t, elliptic.P256()), "ES384": ecKey(t, elliptic.P384()), "ES512": ecKey(t, elliptic.P521()), "RSA": rsaKey()}
	of := map[string]string{"EdDSA": "Ed", "Ed25519": "Ed", "ES256": "ES256", "ES384": "ES384", "ES512": "ES512",
		"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA"}
	for alg, kind := range of {
		token := mint(t, keys[kind], with(header(), obj{"alg": alg}), claims())
		for name, k := range keys {
			_, err := credential.VerifyToken(token, keySet(t, k), expect, now)
			if name != kind {
				wantRefusal(t, err, credential.ReasonAlgConfused, "token.header.alg", alg)
			} else if err != nil {
				t.Errorf("%s: %v", alg, err)
			}
		}
	}
	// A key that names its algorithm is used with no other.
	jwks, err := credential.MarshalKeySet(newKey(t, "k0", credential.UseSig, rsaKey()))
	if err != nil {
		t.Fatal(err)
	}
	pinned := parseSet(t, bytes.Replace(jwks, []byte(`{"e"`), []byte(`{"alg":"PS256","e"`), 1))
	for alg, ok := range map[string]bool{"PS256": true, "PS512": false, "RS256": false} {
		_, err := credential.VerifyToken(mint(t, rsaKey(), with(header(), obj{"alg": alg}), claims()), pinned, expect, now)
		if ok && err != nil {
			t.Error(err)
		} else if !ok {
			wantRefusal(t, err, credential.ReasonAlgConfused, "token.header.alg", "the key is for PS256")
		}
	}
}

// The bad input of tokens, each with its own reason and message.
func TestTokenRefusals(t *testing.T) {
	key, other := edKey(1), edKey(2)
	keys := keySet(t, key, other)
	signed := func(h, c obj) string { return mint(t, key, with(header(), h), with(claims(), c)) }
	raw := func(h, c string) string { return mintRaw(t, key, "EdDSA", []byte(h), []byte(c)) }
	good := signed(nil, nil)
	parts := strings.Split(good, ".")
	plain := string(marshal(t, claims()))
	const at = credential.ReasonClaim
	tests := []struct {
		name, token         string
		reason, field, says string
	}{
		{"expired", signed(nil, obj{"exp": fromNow(-time.Minute), "iat": fromNow(-time.Hour)}), credential.ReasonExpired, "token.exp", "it expired before 2021-05-06T07:08:09Z: get a fresh token"},
		{"not yet valid", signed(nil, obj{"nbf": fromNow(61 * time.Second)}), credential.ReasonNotYetValid, "token.nbf", "not valid yet"},
		{"issued in the future", signed(nil, obj{"iat": fromNow(61 * time.Second)}), credential.ReasonNotYetValid, "token.iat", "not valid yet"},
		{"wrong audience", signed(nil, obj{"aud": "payroll"}), credential.ReasonAudience, "token.aud", "payroll"},
		{"wrong audiences", signed(nil, obj{"aud": []string{"payroll", "k8s-agent2"}, "azp": "k8s-agent"}), credential.ReasonAudience, "token.aud", `without "k8s-agent"`},
		{"wrong issuer", signed(nil, obj{"iss": issuer + "/"}), credential.ReasonIssuer, "token.iss", "https://login.example.com/"},
		{"alg none", b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", credential.ReasonAlgNone, "token.header.alg", "not signed"},
		{"alg nOnE, signed", raw(`{"alg":"nOnE","kid":"k0"}`, plain), credential.ReasonAlgNone, "token.header.alg", "not signed"},
		{"alg none, two parts", b64([]byte(`{"alg":"none"}`)) + "." + parts[1], credential.ReasonAlgNone, "token.header.alg", "not signed"},
		{"algorithm confused", confused(t), credential.ReasonAlgConfused, "token.header.alg", "shared secret"},
		{"unsigned", parts[0] + "." + parts[1] + ".", credential.ReasonTokenUnsigned, "token", "has no signature"},
		{"unsigned, two parts", parts[0] + "." + parts[1], credential.ReasonTokenUnsigned, "token", "has no signature"},
		{"of another client", signed(nil, obj{"aud": []string{"k8s-agent", "x"}, "azp": "chat"}), credential.ReasonOtherClient, "token.azp", `"chat"`},
		{"of another client by client_id", signed(nil, obj{"azp": "k8s-agent", "client_id": "chat"}), credential.ReasonOtherClient, "token.client_id", `"chat"`},
		{"several audiences, no azp", signed(nil, obj{"aud": []string{"k8s-agent", "x"}}), credential.ReasonOtherClient, "token.azp", "2 audiences"},
		{"unknown key", signed(obj{"kid": "k9"}, nil), credential.ReasonUnknownKey, "token.header.kid", `"k9"`},
		{"unknown key of a long name", signed(obj{"kid": strings.Repeat("k", 119) + "äöü"}, nil), credential.ReasonUnknownKey, "token.header.kid", `kk\u2026"`},
		{"no kid", signed(obj{"kid": nil}, nil), credential.ReasonUnknownKey, "token.header.kid", "2 keys"},
		{"another key's kid", signed(obj{"kid": "k1"}, nil), credential.ReasonSignature, "token", "signature"},
		{"claims changed", parts[0] + "." + b64(marshal(t, with(claims(), obj{"sub": "1"}))) + "." + parts[2], credential.ReasonSignature, "token", "signature"},
		{"own key brought along", mint(t, edKey(3), with(header(), obj{"jwk": obj{"kty": "OKP", "crv": "Ed25519", "x": publicX(edKey(3))}}), claims()), credential.ReasonSignature, "token", "signature"},
		{"unknown algorithm", raw(`{"alg":"ES256K","kid":"k0"}`, plain), credential.ReasonAlgRefused, "token.header.alg", "ES256K"},

		{"crit", signed(obj{"crit": []string{"exp"}}, nil), credential.ReasonTokenHeader, "token.header.crit", "changes how the token is read"},
		{"b64", signed(obj{"b64": true}, nil), credential.ReasonTokenHeader, "token.header.b64", "changes how the token is read"},
		{"access token for an ID token", signed(obj{"typ": "at+jwt"}, nil), credential.ReasonTokenType, "token.header.typ", "at+jwt"},
		{"logout token", signed(obj{"typ": "application/logout+jwt"}, nil), credential.ReasonTokenType, "token.header.typ", "logout"},

		{"empty", "", credential.ReasonTokenMalformed, "token", "1 parts"},
		{"four parts", good + ".", credential.ReasonTokenMalformed, "token", "4 parts"},
		{"encrypted", good + ".a.b", credential.ReasonTokenMalformed, "token", "encrypted"},
		{"too large", good + strings.Repeat("A", credential.MaxToken), credential.ReasonTooLarge, "token", "16384"},
		{"padded", good + "=", credential.ReasonTokenMalformed, "token", "base64url"},
		{"line break", good[:20] + "\n" + good[20:], credential.ReasonTokenMalformed, "token", "base64url"},
		{"plain base64", parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 43), credential.ReasonTokenMalformed, "token", "base64url"},
		{"bits that mean nothing", good[:len(good)-1] + nextLetter(good[len(good)-1]), credential.ReasonTokenMalformed, "token", "base64url"},
		{"header is no object", raw(`["alg"]`, plain), credential.ReasonTokenMalformed, "token", "header that is not a JSON object"},
		{"header twice alg", raw(`{"alg":"none","kid":"k0","alg":"EdDSA"}`, plain), credential.ReasonTokenMalformed, "token", `two members "alg"`},
		{"header without alg", raw(`{"kid":"k0"}`, plain), credential.ReasonTokenMalformed, "token.header.alg", "missing"},
		{"header with ALG", raw(`{"ALG":"EdDSA"}`, plain), credential.ReasonTokenMalformed, "token.header.alg", "missing"},
		{"kid is a number", raw(`{"alg":"EdDSA","kid":0}`, plain), credential.ReasonTokenMalformed, "token.header.kid", "not a string"},
		{"trailing data", raw(`{"alg":"EdDSA","kid":"k0"}`, plain+"{}"), credential.ReasonTokenMalformed, "token", "not JSON"},
		{"not UTF-8", raw(`{"alg":"EdDSA","kid":"k0"}`, strings.Replace(plain, "248289761001", "\xff", 1)), credential.ReasonTokenMalformed, "token", "UTF-8"},
		{"sub twice", raw(`{"alg":"EdDSA","kid":"k0"}`, strings.Replace(plain, "{", `{"sub":"root",`, 1)), credential.ReasonTokenMalformed, "token", `two members "sub"`},
		{"sub twice, escaped", raw(`{"alg":"EdDSA","kid":"k0"}`, strings.Replace(plain, "{", `{"\u0073ub":"root",`, 1)), credential.ReasonTokenMalformed, "token", `two members "sub"`},
		{"nested deeply", raw(`{"alg":"EdDSA","kid":"k0"}`, `{"a":`+strings.Repeat("[", 4000)+strings.Repeat("]", 4000)+"}"), credential.ReasonTokenMalformed, "token", "nested"},
		{"payload null", raw(`{"alg":"EdDSA","kid":"k0"}`, "null"), credential.ReasonTokenMalformed, "token", "not a JSON object"},

		{"no sub", signed(nil, obj{"sub": nil}), at, "token.sub", "missing"},
		{"empty sub", signed(nil, obj{"sub": ""}), at, "token.sub", "empty"},
		{"long sub", signed(nil, obj{"sub": strings.Repeat("s", 256)}), at, "token.sub", "255"},
		{"sub with control characters", signed(nil, obj{"sub": "a\x00b"}), at, "token.sub", "control"},
		{"sub not ASCII", signed(nil, obj{"sub": "ä"}), at, "token.sub", "ASCII"},
		{"sub is a number", signed(nil, obj{"sub": 7}), at, "token.sub", "not a string"},
		{"no exp", signed(nil, obj{"exp": nil}), at, "token.exp", "missing"},
		{"no iat", signed(nil, obj{"iat": nil}), at, "token.iat", "missing"},
		{"no aud", signed(nil, obj{"aud": nil}), at, "token.aud", "missing"},
		{"aud is empty", signed(nil, obj{"aud": []string{}}), at, "token.aud", "empty"},
		{"aud is an object", signed(nil, obj{"aud": obj{"k8s-agent": 1}}), at, "token.aud", "not an array"},
		{"aud with an empty one", signed(nil, obj{"aud": []string{"k8s-agent", ""}}), at, "token.aud[1]", "empty"},
		{"exp is a string", signed(nil, obj{"exp": "1999999999"}), at, "token.exp", "seconds"},
		{"exp with exponent", signed(nil, obj{"exp": json.Number("2e9")}), at, "token.exp", "seconds"},
		{"exp is negative", signed(nil, obj{"exp": -1}), at, "token.exp", "seconds"},
		{"exp is huge", signed(nil, obj{"exp": json.Number(strings.Repeat("9", 30))}), at, "token.exp", "range"},
		{"exp before iat", signed(nil, obj{"exp": fromNow(-time.Second), "iat": fromNow(0)}), at, "token.exp", "not after iat"},
		{"exp before nbf", signed(nil, obj{"nbf": fromNow(time.Hour)}), at, "token.exp", "not after nbf"},
		{"azp is null", raw(`{"alg":"EdDSA","kid":"k0"}`, strings.Replace(plain, "{", `{"azp":null,`, 1)), at, "token.azp", "not a string"},
		{"amr is a string", signed(nil, obj{"amr": "pwd"}), at, "token.amr", "not an array"},
		{"act without sub", signed(nil, obj{"act": obj{"sub": "a", "act": obj{"iss": "b"}}}), at, "token.act.act.sub", "missing"},
		{"nine actors", signed(nil, obj{"act": actors(9)}), at, "token.act", "8 actors"},
		{"may_act is a string", signed(nil, obj{"may_act": "a"}), at, "token.may_act", "not an object"},
		{"jkt is short", signed(nil, obj{"cnf": obj{"jkt": "abc"}}), at, "token.cnf.jkt", "SHA-256"},
		{"jkt and another jwk", signed(nil, obj{"cnf": obj{"jkt": b64(make([]byte, 32)), "jwk": obj{"kty": "OKP", "crv": "Ed25519", "x": publicX(edKey(2))}}}), at, "token.cnf.jkt", "thumbprint"},
		{"private jwk", signed(nil, obj{"cnf": obj{"jwk": obj{"kty": "OKP", "crv": "Ed25519", "x": publicX(edKey(2)), "d": "AA"}}}), at, "token.cnf.jwk", "private"},
		{"jwk of an unknown kind", signed(nil, obj{"cnf": obj{"jwk": obj{"kty": "AKP"}}}), at, "token.cnf.jwk", "AKP"},
		{"details are an object", signed(nil, obj{"authorization_details": obj{"type": "x"}}), at, "token.authorization_details", "not an array"},
		{"detail without type", signed(nil, obj{"authorization_details": []obj{{"actions": []string{"read"}}}}), at, "token.authorization_details[0].type", "missing"},
		{"65 details", signed(nil, obj{"authorization_details": make([]obj, 65)}), at, "token.authorization_details", "65 entries"},
		{"17 limits", signed(nil, obj{"authorization_details": []obj{manyLimits(17)}}), at, "token.authorization_details[0].type", "more than 16"},
		{"action is a number", signed(nil, obj{"authorization_details": []obj{{"type": "x", "actions": []any{1}}}}), at, "token.authorization_details[0].actions[0]", "not a string"},
	}
	messages := map[string]string{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := credential.VerifyToken(tt.token, keys, expect, now)
			if f != nil {
				t.Errorf("facts of a refused token: %v", f)
			}
			wantRefusal(t, err, tt.reason, tt.field, tt.says)
			if strings.Contains(err.Error(), parts[2]) {
				t.Error("the message repeats the token")
			}
			messages[tt.reason] = err.Error()
		})
	}
	seen := map[string]string{}
	for reason, m := range messages {
		if seen[m] != "" {
			t.Errorf("%s and %s have one message: %s", reason, seen[m], m)
		}
		seen[m] = reason
	}
}

// confused returns a token that is signed with HMAC under the issuer's public
// key: a verifier that lets the header choose would accept it.
func confused(t *testing.T) string {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(edKey(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	input := b64(marshal(t, with(header(), obj{"alg": "HS256"}))) + "." + b64(marshal(t, claims()))
	h := hmac.New(sha256.New, spki)
	h.Write([]byte(input))
	return input + "." + b64(h.Sum(nil))
}

// nextLetter returns the letter after c in base64url, for a last one whose low
// bits mean nothing.
func nextLetter(c byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(letters[strings.IndexByte(letters, c)+1])
}

func actors(n int) obj {
	o := obj{"sub": "spiffe://example.com/agent"}
	for range n - 1 {
		o = obj{"sub": "spiffe://example.com/agent", "act": o}
	}
	return o
}

func manyLimits(n int) obj {
	o := obj{"type": "x"}
	for i := range n {
		o[fmt.Sprint("limit", i)] = i
	}
	return o
}

// The clock of the issuer may be off by Skew, and no more.
func TestSkew(t *testing.T) {
	key := edKey(1)
	keys := keySet(t, key)
	token := mint(t, key, header(), with(claims(), obj{"iat": fromNow(0), "nbf": fromNow(0), "exp": fromNow(time.Hour)}))
	for _, tt := range []struct {
		at     time.Duration
		reason string
	}{
		{-61 * time.Second, credential.ReasonNotYetValid}, {-60 * time.Second, ""}, {0, ""}, {time.Hour, ""},
		{time.Hour + 59*time.Second + 999*time.Millisecond, ""}, {time.Hour + time.Minute, credential.ReasonExpired},
	} {
		f, err := credential.VerifyToken(token, keys, expect, now.Add(tt.at))
		switch {
		case tt.reason == "" && (err != nil || !f.Expires.Equal(now.Add(time.Hour))):
			t.Errorf("at %v: %v", tt.at, err)
		case tt.reason != "" && (err == nil || !strings.Contains(fmt.Sprintf("%#v", err), tt.reason)):
			t.Errorf("at %v: %v, want %s", tt.at, err, tt.reason)
		}
	}
	_, err := credential.VerifyToken(token, keys, expect, time.Time{})
	wantRefusal(t, err, credential.ReasonNotYetValid, "token", "no time")
}

func TestExpectations(t *testing.T) {
	key := edKey(1)
	keys := keySet(t, key)
	for _, tt := range []struct {
		name   string
		h, c   obj
		want   credential.Expect
		reason string
	}{
		{"one key needs no kid", obj{"kid": nil, "typ": nil}, nil, expect, ""},
		{"type in lower case", obj{"typ": "jwt"}, nil, expect, ""},
		{"any client", nil, obj{"azp": "chat"}, credential.Expect{Issuer: issuer, Audience: "k8s-agent"}, ""},
		{"any client, several audiences", nil, obj{"aud": []string{"k8s-agent", "x"}}, credential.Expect{Issuer: issuer, Audience: "k8s-agent"}, credential.ReasonOtherClient},
		{"exchanged for the ledger", nil, obj{"aud": "https://ledger.example.com", "client_id": "k8s-agent"}, credential.Expect{Issuer: issuer, Audience: "https://ledger.example.com", Client: "k8s-agent"}, ""},
		{"exchanged, says no client", nil, obj{"aud": "https://ledger.example.com"}, credential.Expect{Issuer: issuer, Audience: "https://ledger.example.com", Client: "k8s-agent"}, credential.ReasonOtherClient},
		{"access token", obj{"typ": "application/at+jwt"}, nil, credential.Expect{Issuer: issuer, Audience: "k8s-agent", Type: "at+jwt"}, ""},
		{"ID token for an access token", nil, nil, credential.Expect{Issuer: issuer, Audience: "k8s-agent", Type: "at+jwt"}, credential.ReasonTokenType},
		{"nonce", nil, obj{"nonce": "n"}, credential.Expect{Issuer: issuer, Audience: "k8s-agent", Nonce: "n"}, ""},
		{"wrong nonce", nil, obj{"nonce": "m"}, credential.Expect{Issuer: issuer, Audience: "k8s-agent", Nonce: "n"}, credential.ReasonNonce},
		{"no nonce", nil, nil, credential.Expect{Issuer: issuer, Audience: "k8s-agent", Nonce: "n"}, credential.ReasonNonce},
		{"nothing expected", nil, nil, credential.Expect{}, credential.ReasonIssuer},
		{"no issuer on both sides", nil, obj{"iss": ""}, credential.Expect{Audience: "k8s-agent"}, credential.ReasonIssuer},
		{"no audience expected", nil, nil, credential.Expect{Issuer: issuer}, credential.ReasonAudience},
		{"eight actors", nil, obj{"act": actors(8)}, expect, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := credential.VerifyToken(mint(t, key, with(header(), tt.h), with(claims(), tt.c)), keys, tt.want, now)
			if tt.reason == "" && err != nil {
				t.Error(err)
			} else if tt.reason != "" && (err == nil || !strings.Contains(fmt.Sprintf("%#v", err), tt.reason)) {
				t.Errorf("error = %v, want %s", err, tt.reason)
			}
		})
	}
}

// A Kubernetes service-account token enrols the key that its audience names,
// and no other. https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
func TestEnrolmentByServiceAccount(t *testing.T) {
	const cluster = "https://kubernetes.default.svc.cluster.local"
	agent := signerOf(t, edKey(7)).Public()
	audience := credential.EnrolmentAudience("log.example.com", agent)
	if want := "log.example.com/enrol/" + agent.ID(); audience != want {
		t.Fatalf("audience = %q, want %q", audience, want)
	}
	token := mint(t, rsaKey(), obj{"alg": "RS256", "kid": "k0"}, obj{
		"aud": []string{audience}, "exp": fromNow(10 * time.Minute), "iat": fromNow(0), "nbf": fromNow(0), "iss": cluster, "jti": "a3a4",
		"kubernetes.io": obj{"namespace": "prod", "pod": obj{"name": "planner-1", "uid": "1"}, "serviceaccount": obj{"name": "planner", "uid": "2"}},
		"sub":           "system:serviceaccount:prod:planner",
	})
	keys := keySet(t, rsaKey())
	f, err := credential.VerifyToken(token, keys, credential.Expect{Issuer: cluster, Audience: audience}, now)
	if err != nil || f.Subject != "system:serviceaccount:prod:planner" {
		t.Fatalf("%v: %v", f, err)
	}
	other := credential.EnrolmentAudience("log.example.com", signerOf(t, edKey(8)).Public())
	_, err = credential.VerifyToken(token, keys, credential.Expect{Issuer: cluster, Audience: other}, now)
	wantRefusal(t, err, credential.ReasonAudience, "token.aud", "/enrol/")
}

func TestPeek(t *testing.T) {
	h, err := credential.Peek(mint(t, edKey(1), header(), claims()))
	if want := (credential.Hint{KeyID: "k0", Issuer: issuer, Subject: "248289761001"}); err != nil || h != want {
		t.Errorf("hint = %v, %v; want %v", h, err, want)
	}
	_, err = credential.Peek(mint(t, edKey(1), header(), obj{"iss": 1}))
	wantRefusal(t, err, credential.ReasonClaim, "token.iss", "not a string")
	_, err = credential.Peek("a.b.c")
	wantRefusal(t, err, credential.ReasonTokenMalformed, "token", "base64url")
}
