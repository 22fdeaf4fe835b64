// Package signin lets people sign in to the viewer with a browser, and says who
// looks at a page.
//
// There are two ways in: an OpenID provider, by the authorization code flow with
// PKCE, and an access token of the ledger's token file in a form. Both end in a
// session: a random id in a cookie, which stands for a credential, the issuer and
// subject or the token's hash. What the credential may do is asked of the
// [Directory] at every request, so that a line deleted from the token file ends
// a session at once. Sessions are in memory alone: a server that starts again
// has nobody signed in.
//
// Tokens, codes, cookies and what is in them are never logged.
package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onus-ledger/onus/web"
)

// Credential is what shows who somebody is: a subject of an OpenID provider, or
// the SHA-256 of an access token.
type Credential struct {
	Issuer, Subject string
	Token           [32]byte
}

// Directory says who people are. It is safe for concurrent use.
type Directory interface {
	// Token returns the credential of an access token, false for what has not
	// the form of one. Whether it lets anybody in, Viewer says.
	Token(token string) (Credential, bool)
	// Viewer returns who a credential stands for. The error wraps [ErrUnknown]
	// for nobody, and [web.ErrForbidden] for a role that the viewer is not for;
	// any other says that it cannot be told now.
	Viewer(ctx context.Context, c Credential) (web.Viewer, error)
}

// ErrUnknown: a credential is nobody's.
var ErrUnknown = errors.New("nobody is known by this")

// Config says how people sign in.
type Config struct {
	Directory Directory
	// Origin is the log's name, for the page.
	Origin string
	// URL is where browsers reach the viewer, without a path. Plain http is for
	// this machine only.
	URL string
	// Provider is where people sign in; nil: with access tokens alone.
	Provider *Provider
	// Idle and Lifetime end a session that was not used, or at all; 0 means 30
	// minutes, and 12 hours.
	Idle, Lifetime time.Duration
	// EndsWithToken ends a session that came from the provider when its ID
	// token expires, if that is earlier.
	EndsWithToken bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger hears who signed in and who was refused; nil means silence.
	Logger *slog.Logger
}

// Provider is an OpenID provider, as this viewer is registered with it. Its
// redirect URI is Config.URL followed by [CallbackPath].
type Provider struct {
	Issuer, Client string
	// Secret is empty for a public client.
	Secret string
}

// The paths that are served.
const (
	Path         = "/sign-in"
	ProviderPath = Path + "/provider"
	CallbackPath = Path + "/callback"
	TokenPath    = Path + "/token"
	OutPath      = Path + "/out"
)

// SignIn is the sign-in of one viewer. It is an http.Handler for all paths
// below [Path]; [SignIn.Who] says who looks at the pages.
type SignIn struct {
	cfg      Config
	url      *url.URL
	secure   bool
	sessions *sessions
	flow     *flow // nil without a provider
	// tries are those with tokens, codes those with a provider's codes.
	tries, codes *tries
	handler      http.Handler
}

// New returns the sign-in that the configuration describes. It calls nobody: the
// provider is asked for its metadata when the first person signs in there.
func New(cfg Config) (*SignIn, error) {
	u, err := checkURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Idle == 0 {
		cfg.Idle = 30 * time.Minute
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = 12 * time.Hour
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &SignIn{cfg: cfg, url: u, secure: u.Scheme == "https", tries: newTries(cfg.Now), codes: newTries(cfg.Now),
		sessions: &sessions{now: cfg.Now, idle: cfg.Idle, lifetime: cfg.Lifetime, all: map[sessionKey]*session{}}}
	if cfg.Provider != nil {
		if s.flow, err = newFlow(cfg.Provider, cfg.URL, cfg.Now); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, s.page)
	mux.HandleFunc("POST "+TokenPath, s.withToken)
	mux.HandleFunc("POST "+OutPath, s.out)
	if s.flow != nil {
		mux.HandleFunc("GET "+ProviderPath, s.toProvider)
		mux.HandleFunc("GET "+CallbackPath, s.fromProvider)
	}
	mux.HandleFunc(Path+"/", func(w http.ResponseWriter, r *http.Request) {
		s.show(w, r, http.StatusNotFound, web.SignInPage{Problem: "There is no such page.", Advice: "Sign in here."})
	})
	// A page elsewhere must not sign anybody in or out.
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.show(w, r, http.StatusForbidden, web.SignInPage{Problem: "Another site sent this form.", Advice: "Sign in here."})
	}))
	s.handler = cross.Handler(mux)
	return s, nil
}

// checkURL reads where the viewer is.
func checkURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the viewer's address %.200q is not a URL such as https://log.example.com, without a path", s)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u):
		return u, nil
	}
	return nil, fmt.Errorf("the viewer's address %.200q is not https: cookies and codes would travel in clear", s)
}

// ServeHTTP implements http.Handler.
func (s *SignIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	s.handler.ServeHTTP(w, r)
}

// Who returns who makes a request. The error wraps [web.ErrSignIn] for nobody,
// and [web.ErrForbidden] for somebody whom the viewer is not for.
func (s *SignIn) Who(r *http.Request) (web.Viewer, error) {
	key, ok := s.cookie(r)
	if !ok {
		return web.Viewer{}, web.ErrSignIn
	}
	c, ok := s.sessions.use(key)
	if !ok {
		return web.Viewer{}, web.ErrSignIn
	}
	v, err := s.cfg.Directory.Viewer(r.Context(), c)
	if errors.Is(err, ErrUnknown) {
		s.sessions.end(key)
		return web.Viewer{}, fmt.Errorf("%w: what you signed in with is no longer known here", web.ErrSignIn)
	}
	return v, err
}

// page shows the ways in.
func (s *SignIn) page(w http.ResponseWriter, r *http.Request) {
	v, err := s.Who(r)
	switch {
	case err == nil:
		s.show(w, r, http.StatusOK, web.SignInPage{Viewer: &v})
	case errors.Is(err, web.ErrForbidden):
		s.show(w, r, http.StatusForbidden, web.SignInPage{Viewer: &v, Problem: plain(err)})
	case !errors.Is(err, web.ErrSignIn):
		s.unavailable(w, r, err)
	default:
		s.show(w, r, http.StatusOK, web.SignInPage{})
	}
}

// out ends a session.
func (s *SignIn) out(w http.ResponseWriter, r *http.Request) {
	if key, ok := s.cookie(r); ok {
		s.sessions.end(key)
	}
	s.setCookie(w, s.sessionCookie(), "", -1)
	http.Redirect(w, r, Path, http.StatusSeeOther)
}

// enter begins a session for a credential, and shows the page that was wanted.
// A session that was there before ends: nobody goes on in one that another may
// have planted.
func (s *SignIn) enter(w http.ResponseWriter, r *http.Request, c Credential, until time.Time, next string) {
	v, err := s.cfg.Directory.Viewer(r.Context(), c)
	switch {
	case errors.Is(err, ErrUnknown):
		s.cfg.Logger.Info("sign-in refused", "why", "unknown")
		p := web.SignInPage{Next: next, Problem: "This token is not known here.", Advice: "Use one that onus token new printed, and that is still in the ledger's token file."}
		if c.Issuer != "" {
			p.Problem = "You are signed in there, and not known here."
			p.Advice = "Ask the ledger's operator for a line in its token file that ends with oidc:" + c.Issuer + "#" + c.Subject
		}
		s.show(w, r, http.StatusForbidden, p)
		return
	case errors.Is(err, web.ErrForbidden):
		s.cfg.Logger.Info("sign-in refused", "caller", v.Name, "role", v.Role, "why", "role")
		s.show(w, r, http.StatusForbidden, web.SignInPage{Next: next, Problem: plain(err)})
		return
	case err != nil:
		s.unavailable(w, r, err)
		return
	}
	if old, ok := s.cookie(r); ok {
		s.sessions.end(old)
	}
	id := s.sessions.begin(c, until)
	s.setCookie(w, s.sessionCookie(), id, 0)
	s.cfg.Logger.Info("signed in", "caller", v.Name, "role", v.Role)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// unavailable answers while it cannot be told who somebody is.
func (s *SignIn) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	s.cfg.Logger.Error("sign-in", "err", err)
	s.show(w, r, http.StatusServiceUnavailable, web.SignInPage{
		Problem: "It cannot be told now who you are.", Advice: "Try again in a moment. The server's own log says why."})
}

// show renders the page with what is the same every time.
func (s *SignIn) show(w http.ResponseWriter, r *http.Request, status int, p web.SignInPage) {
	p.Origin, p.Token = s.cfg.Origin, true
	if s.flow != nil {
		p.Provider = s.flow.name
	}
	if p.Next == "" {
		p.Next = localPath(r.URL.Query().Get("next"))
	}
	if err := web.RenderSignIn(w, status, p); err != nil {
		s.cfg.Logger.Error("show the sign-in page", "err", err)
	}
}

// plain is an error for people, from a capital letter on.
func plain(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// maxNext bounds the page that somebody wants to see after signing in.
const maxNext = 2048

// localPath returns the page to show after signing in: a path of this viewer,
// and "/" for all else. Browsers take "//host", "/\host" and what has control
// characters in it for other sites.
func localPath(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > maxNext || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "":
	case !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
	case u.Path == Path || strings.HasPrefix(u.Path, Path+"/"):
	case strings.HasPrefix(u.Path, "//"):
	default:
		return u.RequestURI()
	}
	return "/"
}
