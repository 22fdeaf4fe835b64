package registry_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// The host or an administrator says which keys an issuer publishes; the newest
// before an index is in force.
func TestKeySetsByIndex(t *testing.T) {
	l := fullLog(t)
	first, second := jwks(t, ecKey(t)), jwks(t, ecKey(t))
	a := l.add(keySet(t, theHost(), "host", login, first, now.Add(-time.Hour)))
	b := l.add(keySet(t, admin("root"), "root", login, second, now.Add(time.Minute))) // a clock that is a little ahead
	for _, tt := range []struct {
		at, index int64
		raw       []byte
	}{{a, -1, nil}, {a + 1, a, first}, {b, a, first}, {b + 1, b, second}, {1 << 62, b, second}} {
		v := l.reg.KeySet(login, tt.at)
		if tt.index < 0 {
			if v != nil {
				t.Errorf("at %d: %+v, want none", tt.at, v)
			}
			continue
		}
		if v == nil || v.Index != tt.index || !bytes.Equal(v.Raw, tt.raw) || len(v.Set.Keys()) != 1 {
			t.Errorf("at %d: %+v, want that of %d", tt.at, v, tt.index)
		}
	}
	if v := l.reg.KeySet(login, a+1); !v.Fetched.Equal(now.Add(-time.Hour)) {
		t.Errorf("fetched %v", v.Fetched)
	}
	if v := l.reg.KeySet(kube, l.size); v != nil {
		t.Errorf("another issuer has %+v", v)
	}
	l.checkStamps()
}

func TestKeySetRefusals(t *testing.T) {
	l := fullLog(t)
	good := jwks(t, ecKey(t))
	twice := bytes.Replace(good, []byte(`"keys":[`), []byte(`"keys":[`+string(good[len(`{"keys":[`):len(good)-len(`]}`)])+`,`), 1)
	for _, tt := range []struct {
		name, reason, field string
		r                   *record.Record
	}{
		{"of an issuer that nobody registered", registry.ReasonNotRegistered, "key_set.issuer", keySet(t, theHost(), "host", kube, good, now)},
		{"by an administrator, of such an issuer", registry.ReasonNotRegistered, "key_set.issuer", keySet(t, admin("root"), "root", kube, good, now)},
		{"fetched later than it is logged", registry.ReasonTime, "key_set.fetched", keySet(t, theHost(), "host", login, good, now.Add(61*time.Second))},
		{"not a key set", credential.ReasonKeySet, "key_set.jwks", keySet(t, theHost(), "host", login, []byte("<html>"), now)},
		{"with a secret", credential.ReasonKeySecret, "key_set.jwks.keys[0]",
			keySet(t, theHost(), "host", login, []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`), now)},
		{"with two keys of one name", credential.ReasonKeyDuplicate, "key_set.jwks.keys[1].kid", keySet(t, theHost(), "host", login, twice, now)},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, l.submit(tt.r), tt.reason, tt.field) })
	}
	if v := l.reg.KeySet(login, l.size); v != nil {
		t.Errorf("a refused key set is in force: %+v", v)
	}
	l.add(revoke(t, admin("root"), "root", ofKey(t, "host")))
	wantRefusal(t, l.submit(keySet(t, theHost(), "host", login, good, now)), registry.ReasonRevoked, "author")
	l.add(keySet(t, admin("root"), "root", login, good, now))
}

// An administrator decides to trust a domain; its keys then rotate by
// themselves, and never back.
func TestTrustBundlesByIndex(t *testing.T) {
	l := fullLog(t)
	d := newDomain(t, "example.com")
	host := func(raw []byte, fetched time.Time) *record.Record {
		return trustBundle(t, theHost(), "host", "example.com", raw, fetched)
	}
	wantRefusal(t, l.submit(host(d.bundle(1), now)), registry.ReasonNotPermitted, "trust_bundle.domain")
	first := l.add(trustBundle(t, admin("root"), "root", "example.com", d.bundle(3), now))
	second := l.add(host(d.bundle(4), now))
	same := l.add(trustBundle(t, admin("deputy"), "deputy", "example.com", d.bundle(4), now))

	wantRefusal(t, l.submit(host(d.bundle(3), now)), registry.ReasonOlder, "trust_bundle.bundle.spiffe_sequence")
	wantRefusal(t, l.submit(trustBundle(t, admin("root"), "root", "example.com", d.bundle(3), now)), registry.ReasonOlder, "trust_bundle.bundle.spiffe_sequence")
	wantRefusal(t, l.submit(host(d.bundle(5), now.Add(61*time.Second))), registry.ReasonTime, "trust_bundle.fetched")
	wantRefusal(t, l.submit(host([]byte("{}"), now)), credential.ReasonKeySet, "trust_bundle.bundle.keys")
	wantRefusal(t, l.submit(trustBundle(t, theHost(), "host", "other.org", d.bundle(1), now)), registry.ReasonNotPermitted, "trust_bundle.domain")

	for _, tt := range []struct{ at, index, sequence int64 }{
		{first, -1, 0}, {first + 1, first, 3}, {second + 1, second, 4}, {same + 1, same, 4}, {1 << 62, same, 4},
	} {
		b, index := l.reg.Bundle("example.com", tt.at)
		if index != tt.index || (b == nil) != (tt.index < 0) || b != nil && b.Sequence() != tt.sequence {
			t.Errorf("at %d: bundle %+v of %d, want %d of %d", tt.at, b, index, tt.sequence, tt.index)
		}
	}
	if b, index := l.reg.Bundle("other.org", l.size); b != nil || index != -1 {
		t.Errorf("another domain has %+v of %d", b, index)
	}
	other := l.add(trustBundle(t, admin("root"), "root", "a.example.org", newDomain(t, "a.example.org").bundle(1), now))
	for at, want := range map[int64]string{first: "[]", first + 1: "[example.com]", other: "[example.com]", other + 1: "[a.example.org example.com]"} {
		if got := fmt.Sprint(l.reg.Domains(at)); got != want {
			t.Errorf("domains at %d: %s, want %s", at, got, want)
		}
	}
	l.checkStamps()
}

// Every record that the registry is made of is a registry entry, and no other.
func TestConcerns(t *testing.T) {
	d := newDomain(t, "example.com")
	rejection := signed(t, theHost(), "host", &onusv1.Record{Body: &onusv1.Record_Rejection{Rejection: &onusv1.Rejection{
		Record: before, Revocation: 1, Author: &onusv1.Author{Operator: acme, KeyId: keyID(t, "acme")}}}})
	for _, tt := range []struct {
		name string
		r    *record.Record
		want bool
	}{
		{"genesis", genesis(t), true},
		{"registration", newOperator(t, acme, ""), true},
		{"revocation", revoke(t, admin("root"), "root", ofAgent(planner)), true},
		{"key set", keySet(t, theHost(), "host", login, jwks(t, ecKey(t)), now), true},
		{"trust bundle", trustBundle(t, theHost(), "host", "example.com", d.bundle(1), now), true},
		{"action", action(t, agent(planner, "i", acme), "planner"), false},
		{"rejection", rejection, false},
	} {
		if got := registry.Concerns(tt.r); got != tt.want {
			t.Errorf("Concerns of a %s is %t", tt.name, got)
		}
	}
}
