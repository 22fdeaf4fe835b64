package signin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/signin"
)

// clear deletes all lines of the token file.
func (s *site) clear() { s.t.Helper(); must(s.t, os.WriteFile(s.tokens, nil, 0o600)) }

func TestToken(t *testing.T) {
	s := newSite(t, nil)
	token := s.token(identity.Caller{Name: "m.rossi", Role: identity.Compliance})
	hc := browser(t)
	resp, body := s.get(hc, "/agents")
	wants(t, resp, body, http.StatusOK, "Access token")
	if strings.Contains(body, "Sign in with") {
		t.Errorf("a provider is offered where there is none: %s", body)
	}
	resp, body = s.post(hc, signin.TokenPath, url.Values{"token": {token}, "next": {"/agents"}})
	wants(t, resp, body, http.StatusOK, "page /agents for m.rossi, compliance")
	resp, body = s.get(hc, signin.Path)
	wants(t, resp, body, http.StatusOK, "You are signed in")
	if strings.Contains(s.log.String(), token) {
		t.Error("the server's log holds the token")
	}
	s.clear()
	resp, body = s.get(hc, "/agents")
	wants(t, resp, body, http.StatusOK, "Access token")
}

func TestTokenRefused(t *testing.T) {
	s := newSite(t, nil)
	stranger, _ := identity.NewToken()
	operator := s.token(identity.Caller{Name: "platform", Role: identity.Operator, Scope: "it/platform"})
	agent := s.token(identity.Caller{Name: "k8s", Role: identity.Agent, Scope: "spiffe://example.com/k8s-agent"})
	for name, c := range map[string]struct {
		form   url.Values
		status int
		text   string
	}{
		"unknown":     {url.Values{"token": {stranger}}, http.StatusForbidden, "not known here"},
		"no token":    {nil, http.StatusForbidden, "not an access token"},
		"a word":      {url.Values{"token": {"letmein"}}, http.StatusForbidden, "not an access token"},
		"a JWT":       {url.Values{"token": {"eyJhbGciOiJub25lIn0.e30."}}, http.StatusForbidden, "not an access token"},
		"an operator": {url.Values{"token": {operator}}, http.StatusForbidden, "not for operator"},
		"an agent":    {url.Values{"token": {agent}}, http.StatusForbidden, "not for agent"},
		"a megabyte":  {url.Values{"token": {strings.Repeat("A", 1<<20)}}, http.StatusBadRequest, "could not be read"},
	} {
		hc := browser(t)
		resp, body := s.post(hc, signin.TokenPath, c.form)
		if resp.StatusCode != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s: %d, want %d with %q: %s", name, resp.StatusCode, c.status, c.text, body)
		}
		if len(hc.Jar.Cookies(mustURL(t, s.url))) > 0 {
			t.Errorf("%s: a cookie was set", name)
		}
		if token := c.form.Get("token"); len(token) > 8 && strings.Contains(s.log.String()+body, token) {
			t.Errorf("%s: the token is repeated", name)
		}
	}
	// A file that is not in order lets nobody in, and says no more.
	must(t, os.WriteFile(s.tokens, []byte("what?\n"), 0o600))
	resp, body := s.post(browser(t), signin.TokenPath, url.Values{"token": {stranger}})
	wants(t, resp, body, http.StatusServiceUnavailable, "cannot be told now")
	if strings.Contains(body, s.tokens) {
		t.Error("the page names the server's file")
	}
}

// Tries are bounded, and come back with time.
func TestTokenTries(t *testing.T) {
	s := newSite(t, nil)
	token := s.token(identity.Caller{Name: "m.rossi", Role: identity.Compliance})
	stranger, _ := identity.NewToken()
	for i := range 20 {
		resp, body := s.post(browser(t), signin.TokenPath, url.Values{"token": {stranger}})
		wants(t, resp, body, http.StatusForbidden, "not known")
		_ = i
	}
	resp, body := s.post(browser(t), signin.TokenPath, url.Values{"token": {token}})
	wants(t, resp, body, http.StatusTooManyRequests, "Too many tries")
	if resp.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	s.clock.pass(2 * time.Second)
	resp, body = s.post(browser(t), signin.TokenPath, url.Values{"token": {token}})
	wants(t, resp, body, http.StatusOK, "for m.rossi")
}

// Where to go afterwards is a page of this viewer, whatever an address says.
func TestNext(t *testing.T) {
	s := newSite(t, nil)
	token := s.token(identity.Caller{Name: "m.rossi", Role: identity.Auditor})
	s.clock.pass(0)
	for next, want := range map[string]string{
		"/find?q=a%20b&x=%2F":           "/find?q=a%20b&x=%2F",
		"/record/@12":                   "/record/@12",
		"":                              "/",
		"https://evil.example.com/":     "/",
		"//evil.example.com/":           "/",
		"///evil.example.com/":          "/",
		"/\\evil.example.com/":          "/",
		"\\\\evil.example.com":          "/",
		"/\t/evil.example.com":          "/",
		"/%5cevil.example.com":          "/%5cevil.example.com", // a path here: nothing decodes it
		"javascript:alert(1)":           "/",
		"evil.example.com":              "/",
		"/x\r\nSet-Cookie: a=b":         "/",
		"http:/evil.example.com":        "/",
		"/sign-in/out":                  "/",
		"/" + strings.Repeat("a", 5000): "/",
	} {
		s.clock.pass(time.Second)
		once := browser(t)
		once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, _ := s.post(once, signin.TokenPath, url.Values{"token": {token}, "next": {next}})
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("next %.60q: %d to %q, want %q", next, resp.StatusCode, got, want)
		}
		// The same in the page's form.
		_, body := s.get(browser(t), signin.Path+"?next="+url.QueryEscape(next))
		if strings.Contains(body, "evil") && !strings.HasPrefix(want, "/%5c") {
			t.Errorf("next %.60q stands in the page: %s", next, body)
		}
	}
}

// A page of another site signs nobody in or out.
func TestCrossOrigin(t *testing.T) {
	s := newSite(t, nil)
	token := s.token(identity.Caller{Name: "m.rossi", Role: identity.Auditor})
	hc := browser(t)
	resp, body := s.post(hc, signin.TokenPath, url.Values{"token": {token}})
	wants(t, resp, body, http.StatusOK, "for m.rossi")
	for _, path := range []string{signin.OutPath, signin.TokenPath} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"} {
			req, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(url.Values{"token": {token}}.Encode()))
			must(t, err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(name, value)
			resp, err := hc.Do(req)
			must(t, err)
			wants(t, resp, s.body(resp), http.StatusForbidden, "Another site")
		}
	}
	resp, body = s.get(hc, "/")
	wants(t, resp, body, http.StatusOK, "for m.rossi")
	// What changes something takes a POST.
	resp, _ = s.get(hc, signin.OutPath)
	if resp.StatusCode == http.StatusOK {
		t.Errorf("GET %s: %s", signin.OutPath, resp.Status)
	}
	resp, body = s.get(hc, "/")
	wants(t, resp, body, http.StatusOK, "for m.rossi")
}

// The cookie: over TLS one that only this host can set, on loopback a plain one;
// a new id at each sign-in; and two of them are none.
func TestCookie(t *testing.T) {
	var s *site
	for _, c := range []struct{ url, name string }{{"", "onus"}, {"https://log.example.com", "__Host-onus"}} {
		s = newSite(t, func(cfg *signin.Config) {
			if c.url != "" {
				cfg.URL = c.url
			}
		})
		token := s.token(identity.Caller{Name: "m.rossi", Role: identity.Auditor})
		enter := func(before ...*http.Cookie) *http.Cookie {
			t.Helper()
			r := httptest.NewRequest(http.MethodPost, signin.TokenPath, strings.NewReader(url.Values{"token": {token}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, b := range before {
				r.AddCookie(b)
			}
			w := httptest.NewRecorder()
			s.signin.ServeHTTP(w, r)
			cs := w.Result().Cookies()
			if len(cs) != 1 {
				t.Fatalf("%d cookies: %s", len(cs), w.Body)
			}
			return cs[0]
		}
		who := func(cs ...*http.Cookie) error {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, c := range cs {
				r.AddCookie(c)
			}
			_, err := s.signin.Who(r)
			return err
		}
		first := enter()
		if first.Name != c.name || first.Secure != (c.url != "") || !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Path != "/" || first.Domain != "" || len(first.Value) != 43 {
			t.Errorf("%q: the cookie is %s", c.url, first)
		}
		must(t, who(first))
		second := enter(first)
		if second.Value == first.Value {
			t.Errorf("%q: signing in again kept the session's id", c.url)
		}
		must(t, who(second))
		if err := who(first); !errors.Is(err, web.ErrSignIn) {
			t.Errorf("%q: the session before goes on: %v", c.url, err)
		}
		planted := *second
		planted.Value = strings.Repeat("A", 43)
		for name, cs := range map[string][]*http.Cookie{"two cookies": {second, &planted}, "a planted one": {&planted}, "a short one": {{Name: c.name, Value: "A"}}, "none": nil} {
			if err := who(cs...); !errors.Is(err, web.ErrSignIn) {
				t.Errorf("%q: %s: %v", c.url, name, err)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := signin.Config{Directory: directory{}, URL: "https://log.example.com"}
	for name, c := range map[string]struct {
		edit func(*signin.Config)
		why  string
	}{
		"clear":          {func(c *signin.Config) { c.URL = "http://log.example.com" }, "is not https"},
		"no URL":         {func(c *signin.Config) { c.URL = "" }, "is not a URL"},
		"a path":         {func(c *signin.Config) { c.URL = "https://log.example.com/viewer" }, "without a path"},
		"another scheme": {func(c *signin.Config) { c.URL = "javascript://localhost" }, "is not https"},
		"clear issuer":   {func(c *signin.Config) { c.Provider = &signin.Provider{Issuer: "http://login.example.com", Client: "x"} }, "is not https"},
		"no issuer":      {func(c *signin.Config) { c.Provider = &signin.Provider{Client: "x"} }, "is not a URL"},
		"no client":      {func(c *signin.Config) { c.Provider = &signin.Provider{Issuer: "https://login.example.com"} }, "client's id is missing"},
	} {
		cfg := good
		c.edit(&cfg)
		if _, err := signin.New(cfg); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
	for _, u := range []string{"https://log.example.com", "https://log.example.com:8443", "http://127.0.0.1:8787", "http://localhost:1", "http://[::1]:8787"} {
		cfg := good
		cfg.URL = u
		if _, err := signin.New(cfg); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}
