package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
	"github.com/onus-ledger/onus/web/signin"
)

func alice(op *oidctest.Provider, role identity.Role) identity.Line {
	return identity.Line{Caller: identity.Caller{Name: "alice", Role: role}, Issuer: op.Issuer(), Subject: op.Subject(oidctest.Alice)}
}

// A person goes the whole way through a real provider, with a client that has a
// secret and with one that has none, and out again.
func TestProvider(t *testing.T) {
	op := oidctest.Start(t)
	for _, client := range []string{oidctest.Viewer, oidctest.PublicViewer} {
		s := newSite(t, withProvider(op, client))
		s.line(alice(op, identity.Compliance))
		hc := browser(t)

		resp, body := s.get(hc, "/chain/abc?x=1")
		wants(t, resp, body, http.StatusOK, "Sign in with")
		if got := resp.Request.URL.Query().Get("next"); got != "/chain/abc?x=1" {
			t.Errorf("%s: next is %q", client, got)
		}
		there := s.begin(hc, "/chain/abc?x=1")
		q := mustURL(t, there).Query()
		if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) != 43 || len(q.Get("nonce")) != 43 || q.Get("response_type") != "code" {
			t.Errorf("%s: asks the provider with %v", client, q)
		}
		answer := op.Browse(hc, there, oidctest.Alice)
		resp, body = s.get(hc, answer)
		wants(t, resp, body, http.StatusOK, "page /chain/abc?x=1 for alice, compliance")

		// The answer is good once, in no browser.
		for name, again := range map[string]*http.Client{"the same browser": hc, "another": browser(t)} {
			resp, body = s.get(again, answer)
			wants(t, resp, body, http.StatusBadRequest, "not begun in this browser")
			_ = name
		}
		resp, body = s.get(hc, "/")
		wants(t, resp, body, http.StatusOK, "for alice")

		resp, body = s.post(hc, signin.OutPath, nil)
		wants(t, resp, body, http.StatusOK, "Sign in with")
		resp, body = s.get(hc, "/")
		wants(t, resp, body, http.StatusOK, "Sign in with")
		for _, secret := range []string{mustURL(t, answer).Query().Get("code"), q.Get("state"), q.Get("nonce")} {
			if strings.Contains(s.log.String(), secret) {
				t.Errorf("%s: the server's log holds a secret of the sign-in", client)
			}
		}
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	must(t, err)
	return u
}

// What is wrong with an answer of the provider lets nobody in.
func TestProviderRefused(t *testing.T) {
	op := oidctest.Start(t)
	s := newSite(t, withProvider(op, oidctest.Viewer))
	s.line(alice(op, identity.Compliance))
	refused := func(name string, hc *http.Client, address string, status int, text string) {
		t.Helper()
		resp, body := s.get(hc, address)
		if resp.StatusCode != status || !strings.Contains(body, text) {
			t.Errorf("%s: %d, want %d with %q: %s", name, resp.StatusCode, status, text, body)
		}
		resp, body = s.get(hc, "/")
		if !strings.Contains(body, "Sign in with") {
			t.Errorf("%s: it let in: %d %s", name, resp.StatusCode, body)
		}
	}
	// with changes the query of an address.
	with := func(address, name, value string) string {
		u := mustURL(t, address)
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	// answered begins in a browser and returns the answer. ask may change what
	// the provider is asked.
	answered := func(hc *http.Client, ask func(string) string) string {
		t.Helper()
		there := s.begin(hc, "/")
		if ask != nil {
			there = ask(there)
		}
		return op.Browse(hc, there, oidctest.Alice)
	}

	hc := browser(t)
	refused("another state", hc, with(answered(hc, nil), "state", strings.Repeat("A", 43)), http.StatusBadRequest, "not that to the sign-in of this browser")
	hc = browser(t)
	refused("no state", hc, with(answered(hc, nil), "state", ""), http.StatusBadRequest, "not that to the sign-in")
	hc = browser(t)
	refused("another nonce", hc, answered(hc, func(a string) string { return with(a, "nonce", "theirs") }), http.StatusForbidden, "did not hold")
	if !strings.Contains(s.log.String(), "its nonce is another") {
		t.Errorf("the server's log does not say that it was the nonce: %s", s.log)
	}
	hc = browser(t)
	refused("another challenge", hc, answered(hc, func(a string) string {
		return with(a, "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
	}), http.StatusForbidden, "did not hold")
	hc = browser(t)
	refused("another code", hc, with(answered(hc, nil), "code", "AAAA"), http.StatusForbidden, "did not hold")
	hc = browser(t)
	refused("no code", hc, with(answered(hc, nil), "code", ""), http.StatusBadRequest, "holds no code")
	hc = browser(t)
	refused("another provider", hc, with(answered(hc, nil), "iss", "https://login.example.org"), http.StatusBadRequest, "another provider")
	hc = browser(t)
	refused("an error", hc, with(answered(hc, nil), "error", "access_denied"), http.StatusForbidden, "(access_denied)")
	hc = browser(t)
	refused("an error that is a text", hc, with(answered(hc, nil), "error", "<b>call 555"), http.StatusForbidden, "did not sign you in.")
	// An answer that somebody else began: it is carried to a browser that began
	// its own.
	victim, attacker := browser(t), browser(t)
	theirs := answered(attacker, nil)
	s.begin(victim, "/")
	refused("another's answer", victim, theirs, http.StatusBadRequest, "not that to the sign-in")
	// The code of another's sign-in, injected under the state of one's own.
	victim, attacker = browser(t), browser(t)
	code := mustURL(t, answered(victim, nil)).Query().Get("code")
	refused("another's code", attacker, with(answered(attacker, nil), "code", code), http.StatusForbidden, "did not hold")

	hc = browser(t)
	late := answered(hc, nil)
	s.clock.pass(11 * time.Minute)
	refused("too late", hc, late, http.StatusBadRequest, "more than ten minutes")

	// Bob is known to the provider alone.
	hc = browser(t)
	refused("nobody here", hc, op.Browse(hc, s.begin(hc, "/"), oidctest.Bob), http.StatusForbidden, "oidc:"+op.Issuer()+"#"+op.Subject(oidctest.Bob))
}

// Sessions end by themselves, and with the line that they rest on.
func TestSessionEnds(t *testing.T) {
	op := oidctest.Start(t)
	enter := func(s *site) *http.Client {
		t.Helper()
		hc := browser(t)
		resp, body := s.get(hc, op.Browse(hc, s.begin(hc, "/"), oidctest.Alice))
		wants(t, resp, body, http.StatusOK, "for alice")
		return hc
	}
	in := func(s *site, hc *http.Client, want bool) {
		t.Helper()
		if _, body := s.get(hc, "/"); strings.Contains(body, "for alice") != want {
			t.Errorf("signed in = %t, want %t: %s", !want, want, body)
		}
	}
	s := newSite(t, withProvider(op, oidctest.Viewer))
	s.line(alice(op, identity.Auditor))
	hc := enter(s)
	s.clock.pass(29 * time.Minute)
	in(s, hc, true)
	s.clock.pass(30 * time.Minute)
	in(s, hc, false)

	s = newSite(t, withProvider(op, oidctest.Viewer))
	s.line(alice(op, identity.Auditor))
	hc = enter(s)
	for range 28 {
		s.clock.pass(25 * time.Minute) // 11 h 40
		in(s, hc, true)
	}
	s.clock.pass(21 * time.Minute)
	in(s, hc, false)

	// The provider's ID tokens are good for an hour.
	s = newSite(t, func(c *signin.Config) {
		withProvider(op, oidctest.Viewer)(c)
		c.EndsWithToken = true
	})
	s.line(alice(op, identity.Auditor))
	hc = enter(s)
	s.clock.pass(29 * time.Minute)
	in(s, hc, true)
	s.clock.pass(29 * time.Minute)
	in(s, hc, true)
	s.clock.pass(3 * time.Minute)
	in(s, hc, false)

	// The line goes.
	s = newSite(t, withProvider(op, oidctest.Viewer))
	s.line(alice(op, identity.Auditor))
	hc = enter(s)
	s.clear()
	in(s, hc, false)
	s.line(alice(op, identity.Auditor)) // the session was ended, and does not come back
	in(s, hc, false)

	// The role changes under the session.
	s = newSite(t, withProvider(op, oidctest.Viewer))
	s.line(alice(op, identity.Auditor))
	hc = enter(s)
	s.clear()
	l := alice(op, identity.Operator)
	l.Scope = "it/platform"
	s.line(l)
	resp, body := s.get(hc, "/")
	wants(t, resp, body, http.StatusForbidden, "not for operator")
	resp, body = s.get(hc, signin.Path)
	wants(t, resp, body, http.StatusForbidden, "Sign out")
}

// A provider that cannot be reached is said to be, and asked again later.
func TestProviderDown(t *testing.T) {
	op := oidctest.Start(t)
	s := newSite(t, withProvider(op, oidctest.Viewer))
	s.line(alice(op, identity.Auditor))
	op.SetDown(true)
	hc := browser(t)
	resp, body := s.get(hc, signin.ProviderPath)
	wants(t, resp, body, http.StatusBadGateway, "cannot be reached")
	op.SetDown(false)
	resp, body = s.get(hc, op.Browse(hc, s.begin(hc, "/"), oidctest.Alice))
	wants(t, resp, body, http.StatusOK, "for alice")
}

// Who comes by another name of this machine begins at the one that the provider
// sends the browser back to; a proxy that puts its own name into requests does
// not make that a circle.
func TestProviderByAnotherName(t *testing.T) {
	op := oidctest.Start(t)
	s := newSite(t, withProvider(op, oidctest.Viewer))
	s.line(alice(op, identity.Auditor))
	hc := browser(t)
	once := *hc
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	byName := strings.Replace(s.url, "127.0.0.1", "localhost", 1)
	resp, _ := s.get(&once, byName+signin.ProviderPath+"?next=%2Fagents%3Fa%3Db")
	at := resp.Header.Get("Location")
	if !strings.HasPrefix(at, s.url+signin.ProviderPath+"?") || len(resp.Cookies()) > 0 {
		t.Fatalf("by another name it is sent to %q", at)
	}
	resp, _ = s.get(&once, at)
	answer := op.Browse(hc, resp.Header.Get("Location"), oidctest.Alice)
	resp, body := s.get(hc, answer)
	wants(t, resp, body, http.StatusOK, "page /agents?a=b for alice")

	resp, _ = s.get(&once, byName+signin.ProviderPath+"?here=1")
	if !strings.HasPrefix(resp.Header.Get("Location"), op.Issuer()) {
		t.Errorf("behind a proxy it is sent to %q", resp.Header.Get("Location"))
	}
}
