package credential_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// ReadFacts reads what VerifyToken does, without a key and without a time.
func TestReadFacts(t *testing.T) {
	key := edKey(1)
	token := mint(t, key, header(), with(claims(), obj{"sid": "s", "azp": "k8s-agent", "act": obj{"sub": "spiffe://example.com/planner"}}))
	want, err := credential.VerifyToken(token, keySet(t, key), expect, now)
	if err != nil {
		t.Fatal(err)
	}
	want.KeyID = ""
	forged := token[:len(token)-86] + strings.Repeat("A", 86) // 64 zeros for a signature
	for name, token := range map[string]string{"as it is": token, "forged": forged} {
		got, err := credential.ReadFacts(token)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w := *want
		w.Digest = credential.TokenDigest(token)
		if diff := cmp.Diff(&w, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, c := range map[string]struct{ token, reason string }{
		"no token":   {"x", credential.ReasonTokenMalformed},
		"alg none":   {"eyJhbGciOiJub25lIn0.e30.", credential.ReasonAlgNone},
		"no issuer":  {mint(t, key, header(), with(claims(), obj{"iss": nil})), credential.ReasonClaim},
		"empty iss":  {mint(t, key, header(), with(claims(), obj{"iss": ""})), credential.ReasonClaim},
		"no subject": {mint(t, key, header(), with(claims(), obj{"sub": nil})), credential.ReasonClaim},
		"no end":     {mint(t, key, header(), with(claims(), obj{"exp": nil})), credential.ReasonClaim},
	} {
		_, err := credential.ReadFacts(c.token)
		var e *record.Error
		if !errors.As(err, &e) || e.Reason != c.reason {
			t.Errorf("%s: ReadFacts gives %v, want %s", name, err, c.reason)
		}
	}
}

// FuzzReadFacts: no token panics, and of one that VerifyToken accepts it says
// the same.
func FuzzReadFacts(f *testing.F) {
	key := edKey(1)
	keys := keySet(f, key)
	f.Add(mint(f, key, header(), claims()))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := credential.ReadFacts(token)
		if err != nil {
			wantTyped(t, err)
		}
		want, verr := credential.VerifyToken(token, keys, expect, now)
		if verr != nil {
			return
		}
		if err != nil {
			t.Fatalf("it is verified, and cannot be read: %v", err)
		}
		want.KeyID = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-verified +read):\n%s", diff)
		}
	})
}
