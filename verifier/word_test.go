package verifier_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The user's word: what a stamp claims of a token, what the log shows of it,
// and what a disclosed token shows.

const (
	testIssuer = "https://login.example.com"
	testClient = "k8s-agent"
)

var (
	testUser    = record.UserPrefix + strings.Repeat("a", 26)
	testSession = record.SessionPrefix + strings.Repeat("a", 26)
)

// keySet returns the JWK Set of keys by their seeds.
func keySet(t testing.TB, seeds ...string) []byte {
	t.Helper()
	var keys []*credential.Key
	for _, seed := range seeds {
		k, err := credential.NewKey(seed, credential.UseSig, signer(t, seed).Public())
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	b, err := credential.MarshalKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parsedKeySet(t testing.TB, seeds ...string) *credential.KeySet {
	t.Helper()
	s, err := credential.ParseKeySet(keySet(t, seeds...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// idToken returns an ID token of the test's user, signed with the key of that
// seed and changed by bend.
func idToken(t testing.TB, seed string, bend func(claims map[string]any)) string {
	t.Helper()
	now := time.UnixMilli(start).Unix()
	claims := map[string]any{"iss": testIssuer, "sub": "sre", "aud": testClient, "azp": testClient, "iat": now, "exp": now + 900,
		"act": map[string]any{"sub": testAgent}, "amr": []string{"pwd", "otp"}}
	if bend != nil {
		bend(claims)
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := part(map[string]string{"alg": "EdDSA", "kid": seed}) + "." + part(claims)
	sig, err := signer(t, seed).Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// facts reads a token of the test's issuer.
func facts(t testing.TB, token, seed string) *credential.Facts {
	t.Helper()
	f, err := credential.VerifyToken(token, parsedKeySet(t, seed), credential.Expect{Issuer: testIssuer, Audience: testClient}, time.UnixMilli(start))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// intent returns the agent's record of what the user asked, with that token.
func (l *handLog) intent(token *onusv1.UserToken, bend func(*onusv1.Record)) *record.Record {
	l.t.Helper()
	m := l.header(&onusv1.Author{Agent: testAgent, Instance: "pod-1", Operator: testOperator})
	m.User, m.Session, m.Token = testUser, testSession, token
	sum := sha256.Sum256([]byte("salted"))
	m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{
		Text: &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: sum[:]}}}}}
	if bend != nil {
		bend(m)
	}
	return l.sign(m, l.agent)
}

// newUserLog has, after newLog, an issuer (entry 4) and its key set (entry 5).
func newUserLog(t testing.TB, seeds ...string) *handLog {
	l := newLog(t)
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: testIssuer, Users: true}}})
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{Issuer: testIssuer, Jwks: keySet(t, seeds...), Fetched: timestamppb.New(time.UnixMilli(start))}}
	l.add(l.sign(m, l.admin), nil)
	return l
}

func assured(level uint8) func(*entry.Entry) {
	return func(e *entry.Entry) { e.Stamp.Assurance, e.Stamp.User, e.Stamp.KeySetEntry = level, testUser, 5 }
}

// A stamp that claims a checked token is held to the record, the issuer and
// the key set that the log has.
func TestAuditOfTheUsersWord(t *testing.T) {
	token := verifier.UserTokenOf(facts(t, idToken(t, "k1", nil), "k1"))
	asks := func(m *onusv1.Record) {
		m.GetStages().GetIntent().Requested = []*onusv1.ScopeElement{{Type: "k8s.pod", Action: "get"}}
	}
	other := record.UserPrefix + strings.Repeat("b", 26)
	for _, tt := range []struct {
		name   string
		token  *onusv1.UserToken
		record func(*onusv1.Record)
		stamp  func(*entry.Entry)
		tokens [3]int64
		broken bool
	}{
		{"no token", nil, nil, nil, [3]int64{}, false},
		{"asserted", token, nil, nil, [3]int64{1, 0, 0}, false},
		{"checked", token, nil, assured(1), [3]int64{0, 1, 0}, false},
		{"checked with its authority", token, asks, assured(2), [3]int64{0, 0, 1}, false},
		{"authority of a record that claims none", token, nil, assured(2), [3]int64{0, 0, 1}, true},
		{"another user", token, nil, func(e *entry.Entry) { assured(1)(e); e.Stamp.User = other }, [3]int64{0, 1, 0}, true},
		{"an entry that is no key set", token, nil, func(e *entry.Entry) { assured(1)(e); e.Stamp.KeySetEntry = 4 }, [3]int64{0, 1, 0}, true},
		{"a key set that comes later", token, nil, func(e *entry.Entry) { assured(1)(e); e.Stamp.KeySetEntry = 7 }, [3]int64{0, 1, 0}, true},
		{"checked, and there is no token", nil, nil, assured(1), [3]int64{}, true},
	} {
		l := newUserLog(t, "k1")
		l.add(l.intent(tt.token, tt.record), tt.stamp) // entry 6
		r := audit(l.entries, 3).Report()
		var want []fault
		if tt.broken {
			want = []fault{{6, verifier.BrokenStamp}}
		}
		if diff := cmp.Diff(want, faults(r)); diff != "" {
			t.Errorf("%s: faults (-want +got):\n%s", tt.name, diff)
		}
		if r.UserTokens != tt.tokens {
			t.Errorf("%s: tokens by assurance %v, want %v", tt.name, r.UserTokens, tt.tokens)
		}
	}
}

// A disclosed token is checked against keys that the reader pinned, as of the
// entry's log time, and against what the record says of it.
func TestCheckUserToken(t *testing.T) {
	token := idToken(t, "k1", nil)
	said := verifier.UserTokenOf(facts(t, token, "k1"))
	stamp := &entry.Stamp{LogTime: start}
	l := newLog(t)
	changed := func(f func(*onusv1.UserToken)) *onusv1.UserToken {
		c := proto.CloneOf(said)
		f(c)
		return c
	}
	for _, tt := range []struct {
		name   string
		said   *onusv1.UserToken
		token  string
		stamp  *entry.Stamp
		pinned string
		want   string // part of the error, or "" for none
	}{
		{"as said", said, token, stamp, "k1", ""},
		{"years later, of an entry from then", said, token, stamp, "k1", ""},
		{"another issuer's keys", said, token, stamp, "k2", "TOKEN_UNKNOWN_KEY"},
		{"logged after it expired", said, token, &entry.Stamp{LogTime: start + 3600_000}, "k1", "TOKEN_EXPIRED"},
		{"another token", said, idToken(t, "k1", func(c map[string]any) { c["jti"] = "another" }), stamp, "k1", "digest"},
		{"no token was spoken of", nil, token, stamp, "k1", "speaks of no token"},
		{"other client", changed(func(u *onusv1.UserToken) { u.Client = "other" }), token, stamp, "k1", "token.client"},
		{"other actor", changed(func(u *onusv1.UserToken) { u.Actors[0].Subject = "somebody" }), token, stamp, "k1", "token.actors"},
		{"no actor", changed(func(u *onusv1.UserToken) { u.Actors = nil }), token, stamp, "k1", "token.actors"},
		{"longer life", changed(func(u *onusv1.UserToken) { u.Expires.Seconds += 60 }), token, stamp, "k1", "token.expires"},
	} {
		r := l.intent(tt.said, nil)
		f, err := verifier.CheckUserToken(r, tt.stamp, tt.token, parsedKeySet(t, tt.pinned))
		switch {
		case tt.want == "" && (err != nil || f.Subject != "sre"):
			t.Errorf("%s: %v, %v", tt.name, f, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) && !strings.Contains(reason(err), tt.want)):
			t.Errorf("%s: %v, want an error about %s", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), tt.token) {
			t.Errorf("%s: the error holds the token", tt.name)
		}
	}
}

func reason(err error) string {
	if e, ok := err.(*record.Error); ok {
		return e.Reason
	}
	return ""
}

// A nonce with the form of a thumbprint binds a key, and cnf stands above it.
func TestUserTokenConfirms(t *testing.T) {
	device, other := signer(t, "device").Public().ID(), signer(t, "other").Public().ID()
	for _, tt := range []struct {
		name   string
		claims map[string]any
		want   string
	}{
		{"nothing", nil, ""},
		{"a nonce of another form", map[string]any{"nonce": "n-0S6_WzA2Mj"}, ""},
		{"a nonce", map[string]any{"nonce": device}, device},
		{"cnf", map[string]any{"cnf": map[string]any{"jkt": device}}, device},
		{"both", map[string]any{"nonce": other, "cnf": map[string]any{"jkt": device}}, device},
	} {
		token := idToken(t, "k1", func(c map[string]any) {
			for k, v := range tt.claims {
				c[k] = v
			}
		})
		if got := verifier.UserTokenOf(facts(t, token, "k1")).GetConfirms(); got != tt.want {
			t.Errorf("%s: confirms %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The name of a session is its sid, or the token's digest.
func TestNames(t *testing.T) {
	plain := facts(t, idToken(t, "k1", nil), "k1")
	sid := facts(t, idToken(t, "k1", func(c map[string]any) { c["sid"] = "s1" }), "k1")
	for got, want := range map[string]string{
		verifier.UserName(plain):    testIssuer + " sre",
		verifier.SessionName(plain): testIssuer + " " + plain.Digest,
		verifier.SessionName(sid):   testIssuer + " s1",
	} {
		if got != want {
			t.Errorf("name %q, want %q", got, want)
		}
	}
}

// Keys that an auditor pinned show that the host did not make up an issuer's.
func TestPinnedIssuer(t *testing.T) {
	for _, tt := range []struct {
		name     string
		logged   []string
		pinned   []string
		unpinned int
	}{
		{"nothing pinned", []string{"k1"}, nil, 0},
		{"the same", []string{"k1"}, []string{"k1"}, 0},
		{"more pinned, from other years", []string{"k1"}, []string{"k0", "k1", "k2"}, 0},
		{"made up", []string{"k1", "host's"}, []string{"k0", "k1"}, 1},
	} {
		l := newUserLog(t, tt.logged...)
		roots := &verifier.Roots{}
		if tt.pinned != nil {
			roots.AddIssuer(testIssuer, parsedKeySet(t, tt.pinned...))
		}
		a := verifier.NewPinnedAudit(roots)
		a.Add(l.entries)
		if r := a.Report(); len(r.Unpinned) != tt.unpinned || r.FaultCount != 0 {
			t.Errorf("%s: %v, faults %v", tt.name, r.Unpinned, r.Faults)
		} else if tt.unpinned > 0 && (r.Unpinned[0].Index != 5 || r.Unpinned[0].Finding != verifier.UnpinnedKey) {
			t.Errorf("%s: %v", tt.name, r.Unpinned[0])
		}
	}
}
