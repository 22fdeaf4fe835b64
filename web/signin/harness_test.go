package signin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/signin"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// directory is a token file, as onus serve asks it.
type directory struct{ tokens *identity.Tokens }

func (d directory) Token(token string) (signin.Credential, bool) {
	hash, ok := identity.HashToken(token)
	return signin.Credential{Token: hash}, ok
}

func (d directory) Viewer(_ context.Context, c signin.Credential) (web.Viewer, error) {
	var who identity.Caller
	var err error
	if c.Issuer != "" {
		who, err = d.tokens.BySubject(c.Issuer, c.Subject)
	} else {
		who, err = d.tokens.ByHash(c.Token)
	}
	var refused *identity.RefusedError
	switch {
	case errors.As(err, &refused):
		return web.Viewer{}, signin.ErrUnknown
	case err != nil:
		return web.Viewer{}, err
	}
	v := web.Viewer{Name: who.Name, Role: who.Role.String()}
	if who.Scoped() {
		return v, fmt.Errorf("%w: not for %s", web.ErrForbidden, who.Role)
	}
	return v, nil
}

// clock is one that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// site is a viewer of one page, with its sign-in.
type site struct {
	t      *testing.T
	url    string
	signin *signin.SignIn
	tokens string // the file
	clock  *clock
	log    *bytes.Buffer
}

// newSite serves a sign-in on a port of this machine. edit may change its
// configuration.
func newSite(t *testing.T, edit func(*signin.Config)) *site {
	t.Helper()
	s := &site{t: t, tokens: filepath.Join(t.TempDir(), "tokens"), clock: &clock{at: time.Now()}, log: new(bytes.Buffer)}
	must(t, os.WriteFile(s.tokens, nil, 0o600))
	tokens, err := identity.OpenTokens(s.tokens)
	must(t, err)
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	cfg := signin.Config{Directory: directory{tokens}, Origin: "log.example.com/agents", URL: srv.URL, Now: s.clock.now,
		Logger: slog.New(slog.NewTextHandler(s.log, nil))}
	if edit != nil {
		edit(&cfg)
	}
	s.signin, err = signin.New(cfg)
	must(t, err)
	mux.Handle("/sign-in", s.signin)
	mux.Handle("/sign-in/", s.signin)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.signin.Who(r)
		switch {
		case errors.Is(err, web.ErrSignIn):
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		case errors.Is(err, web.ErrForbidden):
			http.Error(w, err.Error(), http.StatusForbidden)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			fmt.Fprintf(w, "page %s for %s, %s", r.URL.RequestURI(), v.Name, v.Role)
		}
	})
	return s
}

// line adds a line to the token file.
func (s *site) line(l identity.Line) { s.t.Helper(); must(s.t, identity.AppendLine(s.tokens, l)) }

// token adds a line with a new token, and returns it.
func (s *site) token(c identity.Caller) string {
	s.t.Helper()
	token, hash := identity.NewToken()
	s.line(identity.Line{Caller: c, Hash: hash})
	return token
}

// browser keeps cookies, and follows redirects but to where a provider sends its
// answer.
func browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if req.URL.Path == signin.CallbackPath {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func (s *site) get(hc *http.Client, path string) (*http.Response, string) {
	s.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = s.url + path
	}
	resp, err := hc.Get(address)
	must(s.t, err)
	return resp, s.body(resp)
}

func (s *site) post(hc *http.Client, path string, form url.Values) (*http.Response, string) {
	s.t.Helper()
	resp, err := hc.PostForm(s.url+path, form)
	must(s.t, err)
	return resp, s.body(resp)
}

func (s *site) body(resp *http.Response) string {
	s.t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return string(b)
}

// wants holds an answer to a status and a part of its text.
func wants(t *testing.T, resp *http.Response, body string, status int, text string) {
	t.Helper()
	if resp.StatusCode != status || !strings.Contains(body, text) {
		t.Errorf("%s %s: %d, want %d with %q: %s", resp.Request.Method, resp.Request.URL, resp.StatusCode, status, text, body)
	}
}

// begin opens the way to the provider and returns its address.
func (s *site) begin(hc *http.Client, next string) string {
	s.t.Helper()
	once := *hc
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, _ := s.get(&once, signin.ProviderPath+"?next="+url.QueryEscape(next))
	if resp.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("the way to the provider: %s", resp.Status)
	}
	return resp.Header.Get("Location")
}

// withProvider is the configuration of a client of the provider.
func withProvider(op *oidctest.Provider, client string) func(*signin.Config) {
	return func(c *signin.Config) {
		c.Provider = &signin.Provider{Issuer: op.Issuer(), Client: client, Secret: op.Secret(client)}
	}
}
