package ledger

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

const (
	issuerURL  = "https://login.example.com"
	testClient = "k8s-agent"
	chatClient = "chat"
)

type obj = map[string]any

// issuer issues tokens, and is where the ledger gets its keys from.
type issuer struct {
	t testing.TB

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	kid   string
	asked int
	down  error
	// published is what it publishes instead of its key, if that is set.
	published []byte
}

func newIssuer(t testing.TB) *issuer {
	is := &issuer{t: t}
	is.rotate()
	return is
}

// rotate gives the issuer a new key in place of the old one.
func (is *issuer) rotate() {
	is.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		is.t.Fatal(err)
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	is.key, is.kid = k, fmt.Sprintf("k%x", NewNonce()[:4])
}

func (is *issuer) jwks() []byte {
	is.t.Helper()
	k, err := credential.NewKey(is.kid, credential.UseSig, is.key.Public())
	if err != nil {
		is.t.Fatal(err)
	}
	b, err := credential.MarshalKeySet(k)
	if err != nil {
		is.t.Fatal(err)
	}
	return b
}

// KeySet implements [KeySource].
func (is *issuer) KeySet(_ context.Context, issuer *onusv1.Issuer) ([]byte, time.Time, error) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.asked++
	switch {
	case is.down != nil:
		return nil, time.Time{}, is.down
	case issuer.GetUrl() != issuerURL:
		return nil, time.Time{}, errors.New("asked for another issuer")
	case is.published != nil:
		return is.published, time.Now(), nil
	}
	return is.jwks(), time.Now(), nil
}

func part(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// claims of an ID token that was issued now to the test agent's client.
func claims(changes obj) obj {
	now := time.Now().Unix()
	c := obj{"iss": issuerURL, "sub": "ann", "aud": testClient, "azp": testClient, "iat": now, "exp": now + 900, "sid": "s1", "auth_time": now, "amr": []string{"pwd", "otp"}}
	maps.Copy(c, changes)
	for name, v := range c {
		if v == nil {
			delete(c, name)
		}
	}
	return c
}

// token makes an ID token with these changes to its claims.
func (is *issuer) token(changes obj) string { return is.signed(nil, claims(changes)) }

// signed makes a token of any header and claims.
func (is *issuer) signed(header, claims obj) string {
	is.t.Helper()
	is.mu.Lock()
	defer is.mu.Unlock()
	h := obj{"alg": "ES256", "kid": is.kid, "typ": "JWT"}
	maps.Copy(h, header)
	input := part(is.t, h) + "." + part(is.t, claims)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, is.key, sum[:])
	if err != nil {
		is.t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// newUserHarness has an issuer of users' tokens, the agent with an OAuth
// client of it, and a user client with a key of its own.
func newUserHarness(t testing.TB, tweak func(*Config)) (*harness, *issuer) {
	t.Helper()
	is := newIssuer(t)
	h := newHarness(t, nil, func(c *Config) {
		c.Keys = is
		if tweak != nil {
			tweak(c)
		}
	})
	h.enrolUsers()
	return h, is
}

func (h *harness) enrolUsers() {
	h.t.Helper()
	oauth := func(id string) *onusv1.OAuthClient { return &onusv1.OAuthClient{Issuer: issuerURL, Id: id} }
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: issuerURL, Users: true}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Kubernetes agent", OauthClients: []*onusv1.OAuthClient{oauth(testClient)}}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
		Id: "chat", Operator: testOperator, DisplayName: "Chat", OauthClient: oauth(chatClient)}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: h.chat().Public().SPKI(), Client: "chat"}}}))
}

// chat is the user client's key.
func (h *harness) chat() record.Signer { h.t.Helper(); return seededSigner(h.t, "chat") }

// describe fills in what a record says of a user's token, as an honest author
// does.
func (h *harness) describe(m *onusv1.Record, token string) {
	h.t.Helper()
	f, err := credential.ReadFacts(token)
	if err != nil {
		h.t.Fatalf("ReadFacts: %v", err)
	}
	m.Token = verifier.UserTokenOf(f)
	m.User = h.mint(NameUser, verifier.UserName(f))[0]
	m.Session = h.mint(NameSession, verifier.SessionName(f))[0]
}

// intent is the agent's record of what a user asked, with the token beside it.
func (h *harness) intent(token string, edit func(*onusv1.Record)) (*record.Record, Submission) {
	h.t.Helper()
	r := h.record(func(m *onusv1.Record) {
		h.describe(m, token)
		if edit != nil {
			edit(m)
		}
	})
	return r, Submission{Envelope: r.Envelope, UserToken: token}
}
