package identity_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
)

// readers makes an authenticator that knows Alice as an auditor.
func readers(t *testing.T, op *oidctest.Provider) *identity.OIDC {
	t.Helper()
	oidc, _ := readersOf(t, op)
	return oidc
}

func readersOf(t *testing.T, op *oidctest.Provider) (oidc *identity.OIDC, path string) {
	t.Helper()
	path, _ = newFile(t)
	// The same subjects of another issuer are others.
	for i, user := range []string{oidctest.Alice, oidctest.Bob} {
		must(t, identity.AppendLine(path, identity.Line{Caller: identity.Caller{Name: fmt.Sprint("other", i), Role: identity.Administrator}, Issuer: "https://login.example.com", Subject: op.Subject(user)}))
	}
	must(t, identity.AppendLine(path, identity.Line{Caller: alice, Issuer: op.Issuer(), Subject: op.Subject(oidctest.Alice)}))
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	return &identity.OIDC{Tokens: tokens, Issuers: &identity.Issuers{}, Audience: oidctest.Ledger, Clients: []string{oidctest.ChatFrontend}}, path
}

var alice = identity.Caller{Name: "alice", Role: identity.Auditor}

func login(op *oidctest.Provider, user, client string) string {
	token, _ := op.Login(oidctest.Login{User: user, Client: client})
	return token
}

// forged is a token with other parts: nil leaves a part as it is.
func forged(token string, header, payload func(string) string, sign func(input string) []byte) string {
	parts := strings.Split(token, ".")
	for i, edit := range []func(string) string{header, payload} {
		if edit != nil {
			b, _ := base64.RawURLEncoding.DecodeString(parts[i])
			parts[i] = base64.RawURLEncoding.EncodeToString([]byte(edit(string(b))))
		}
	}
	if sign != nil {
		parts[2] = base64.RawURLEncoding.EncodeToString(sign(parts[0] + "." + parts[1]))
	}
	return strings.Join(parts, ".")
}

func replaced(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

func TestOIDC(t *testing.T) {
	op, other := oidctest.Start(t), oidctest.Start(t)
	oidc, path := readersOf(t, op)
	good := login(op, oidctest.Alice, oidctest.Ledger)
	frontend := login(op, oidctest.Alice, oidctest.ChatFrontend)
	issued := func(ago time.Duration) string {
		op.SetAgo(ago)
		defer op.SetAgo(0)
		return login(op, oidctest.Alice, oidctest.Ledger)
	}
	public := op.KeySet()
	for name, c := range map[string]struct{ token, why string }{
		"good":            {good, ""},
		"by a client":     {op.ClientToken(oidctest.Ledger, oidctest.Ledger), "somebody who is not known here"},
		"unknown subject": {login(op, oidctest.Bob, oidctest.Ledger), "somebody who is not known here"},
		"expired":         {issued(2 * time.Hour), "token.exp is"},
		"not yet valid":   {issued(-2 * time.Hour), "it is not valid yet"},
		"audience":        {frontend, `without "onus-ledger"`},
		"issuer":          {login(other, oidctest.Alice, oidctest.Ledger), "an issuer that is not known here"},
		"issuer, forged":  {forged(login(other, oidctest.Alice, oidctest.Ledger), nil, replaced(other.Issuer(), op.Issuer()), nil), "which the key set does not hold"},
		"claims, forged":  {forged(login(op, oidctest.Bob, oidctest.Ledger), nil, replaced(op.Subject(oidctest.Bob), op.Subject(oidctest.Alice)), nil), "does not carry a signature"},
		"alg none":        {forged(good, replaced("RS256", "none"), nil, func(string) []byte { return nil }), `is "none"`},
		"alg none, cut":   {strings.TrimSuffix(forged(good, replaced("RS256", "none"), nil, func(string) []byte { return nil }), "."), `is "none"`},
		"HS256":           {forged(good, replaced("RS256", "HS256"), nil, func(in string) []byte { m := hmac.New(sha256.New, public); m.Write([]byte(in)); return m.Sum(nil) }), "takes a shared secret"},
		"alg of another":  {forged(good, replaced("RS256", "PS256"), nil, nil), "the key is for RS256"},
		"unsigned":        {forged(good, nil, nil, func(string) []byte { return nil }), "has no signature"},
		"no claims":       {"eyJ.e30.", "base64url"},
		"one part":        {"eyJhbGciOiJub25lIn0.", "parts, not three"},
	} {
		t.Run(name, func(t *testing.T) { tell(t, oidc, c.token, alice, c.why) })
	}

	// A token that another client got for this audience, on its own or in the
	// name of the user, is not that client's to present.
	exchanged := op.Exchange(frontend, oidctest.K8sAgent, oidctest.Ledger)
	tell(t, oidc, exchanged, alice, "issued to a client whose tokens are not taken")
	// Nor does an agent read as the user it acts for, where its tokens are.
	oidc.Clients = append(oidc.Clients, oidctest.K8sAgent)
	tell(t, oidc, exchanged, alice, "somebody else acts for its subject")
	// A client that is trusted needs a token for this audience, too.
	oidc.Audience = oidctest.ChatFrontend
	tell(t, oidc, frontend, alice, "")

	oidc.Audience = oidctest.Ledger

	// What is no JWT is for another authenticator.
	for _, bearer := range []string{"", "onus_AAAA", "hello"} {
		if _, err := authenticate(oidc, bearer); !errors.Is(err, identity.ErrNone) {
			t.Errorf("%q: %v, want ErrNone", bearer, err)
		}
	}
	all := identity.InOrder{oidc.Tokens, oidc}
	tell(t, all, good, alice, "")
	stranger, _ := identity.NewToken()
	tell(t, all, stranger, alice, "the token is not known here")

	// A line that is changed lets nobody in, though the token is still good.
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(text), op.Issuer()+"#"+op.Subject(oidctest.Alice), op.Issuer()+"#"+op.Subject(oidctest.Bob), 1)), 0o600))
	tell(t, oidc, good, alice, "somebody who is not known here")
	must(t, os.WriteFile(path, []byte("what?"), 0o600))
	var unavailable *identity.UnavailableError
	if _, err := authenticate(oidc, good); !errors.As(err, &unavailable) {
		t.Errorf("a file that is not in order: %v", err)
	}
}

// tell checks that a token is let in as who, or refused, with why and without
// a part of the token that lets anybody in.
func tell(t *testing.T, a identity.Authenticator, token string, who identity.Caller, why string) {
	t.Helper()
	got, err := authenticate(a, token)
	var refused *identity.RefusedError
	switch {
	case why == "" && (err != nil || got != who):
		t.Errorf("got %+v, %v, want %+v", got, err, who)
	case why != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Why, why) || refused.Next == "" || got.Role != 0):
		t.Errorf("got %+v, %v, want %q", got, err, why)
	}
	if sig := token[strings.LastIndex(token, ".")+1:]; err != nil && sig != "" && strings.Contains(err.Error(), sig) {
		t.Errorf("the error holds the signature: %v", err)
	}
}

// An access token that is a JWT says so, and serves as well; a token that says
// it is for something else does not.
func TestOIDCTypes(t *testing.T) {
	s := newSite(t, nil)
	path, _ := newFile(t)
	must(t, identity.AppendLine(path, identity.Line{Caller: alice, Issuer: s.URL, Subject: "a"}))
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	oidc := &identity.OIDC{Tokens: tokens, Issuers: &identity.Issuers{}, Audience: oidctest.Ledger}
	for typ, why := range map[string]string{"": "", "JWT": "", "at+jwt": "", "application/at+jwt": "", "logout+jwt": "token.header.typ", "wpt+jwt": "token.header.typ"} {
		b64 := base64.RawURLEncoding.EncodeToString
		now := time.Now().Unix()
		input := b64(fmt.Appendf(nil, `{"alg":"EdDSA","kid":"a","typ":%q}`, typ)) + "." +
			b64(fmt.Appendf(nil, `{"iss":%q,"sub":"a","aud":%q,"client_id":%q,"iat":%d,"exp":%d}`, s.URL, oidctest.Ledger, oidctest.Ledger, now, now+60))
		t.Run(typ, func(t *testing.T) { tell(t, oidc, input+"."+b64(ed25519.Sign(s.key, []byte(input))), alice, why) })
	}
}

// New keys are fetched when a token names one; a withdrawn key is good until
// they are fetched again; and while they cannot be had, nobody is let in.
func TestOIDCFollowsTheIssuer(t *testing.T) {
	op := oidctest.Start(t)
	oidc := readers(t, op)
	oidc.Issuers = &identity.Issuers{Pause: time.Nanosecond}
	first := login(op, oidctest.Alice, oidctest.Ledger)
	tell(t, oidc, first, alice, "")
	op.RotateKeys()
	second := login(op, oidctest.Alice, oidctest.Ledger)
	tell(t, oidc, second, alice, "")
	tell(t, oidc, first, alice, "")
	op.RotateKeys()
	tell(t, oidc, first, alice, "")
	third := login(op, oidctest.Alice, oidctest.Ledger)

	down := func(a identity.Authenticator, token string) {
		t.Helper()
		var unavailable *identity.UnavailableError
		c, err := authenticate(a, token)
		if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "503") || c.Role != 0 {
			t.Errorf("issuer down: %+v, %v", c, err)
		}
		if strings.Contains(unavailable.What, op.Issuer()) {
			t.Errorf("callers are told whom the server calls: %s", unavailable.What)
		}
	}
	op.SetDown(true)
	tell(t, oidc, second, alice, "") // with the keys of before
	down(oidc, third)
	down(readers(t, op), first)
	oidc.Issuers.MaxAge = time.Nanosecond
	down(oidc, second)
	op.SetDown(false)
	tell(t, oidc, third, alice, "")
	tell(t, oidc, first, alice, "which the key set does not hold")
}
