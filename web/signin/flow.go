package signin

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/onus-ledger/onus/web"
	"golang.org/x/oauth2"
)

// flowTime is how long somebody may take at the provider.
const flowTime = 10 * time.Minute

// flow signs people in at an OpenID provider: OpenID Connect Core, section 3.1,
// with PKCE (RFC 7636).
//
// What a sign-in under way has to remember is sealed in a cookie of the browser
// that began it, and nothing of it stays here: strangers cannot fill a table. So
// state is bound to that browser (RFC 6749, section 10.12), and the code is of no
// use without the cookie, which holds what PKCE asks for.
type flow struct {
	provider Provider
	name     string // of the provider, for people
	redirect string
	now      func() time.Time
	seal     cipher.AEAD
	client   *http.Client

	mu    sync.Mutex // guards what follows
	known *metadata
	// asking is the question that is under way; nil if none is.
	asking *question
}

// question is one question to the provider, which all who need the answer share.
type question struct {
	done chan struct{} // closed when the others are set
	said *metadata
	err  error
}

// metadata is what the provider said of itself.
type metadata struct {
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// underway is what a sign-in has to remember.
type underway struct {
	State, Nonce, Verifier, Next string
	Ends                         int64
}

func newFlow(p *Provider, base string, now func() time.Time) (*flow, error) {
	u, err := url.Parse(p.Issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(p.Issuer, "?#"):
		return nil, fmt.Errorf("the issuer %.200q is not a URL", p.Issuer)
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u)):
		return nil, fmt.Errorf("the issuer %.200q is not https: whoever is in between could sign in as anybody", p.Issuer)
	case p.Client == "":
		return nil, errors.New("the client's id is missing: register this viewer with the provider, and give the id that it has there")
	}
	var key [32]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &flow{provider: *p, name: u.Host, redirect: base + CallbackPath, now: now, seal: seal,
		client: &http.Client{Timeout: 10 * time.Second, Transport: bounded{http.DefaultTransport}, CheckRedirect: sameHost}}, nil
}

// sameHost follows no redirect to another host: codes and secrets are for the
// one that was meant.
func sameHost(req *http.Request, via []*http.Request) error {
	if from := via[0].URL; req.URL.Scheme != from.Scheme || req.URL.Host != from.Host || len(via) > 3 || req.Method != http.MethodGet {
		return fmt.Errorf("a redirect from %s to %s is not followed", from.Host, req.URL.Host)
	}
	return nil
}

// bounded keeps a provider from sending without end.
type bounded struct{ http.RoundTripper }

const maxAnswer = 1 << 20

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// ask returns the provider's metadata, which is fetched once. Whoever comes while
// it is being fetched waits for that answer, and gets its error if it is one: with
// a provider that is down nobody waits longer than the first who asked. Who comes
// after that asks again.
func (f *flow) ask(ctx context.Context) (*metadata, error) {
	f.mu.Lock()
	if f.known != nil {
		defer f.mu.Unlock()
		return f.known, nil
	}
	q := f.asking
	if q == nil {
		q = &question{done: make(chan struct{})}
		f.asking = q
		go f.answer(q)
	}
	f.mu.Unlock()
	select {
	case <-q.done:
		return q.said, q.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer answers a question, for all who asked it.
func (f *flow) answer(q *question) {
	q.said, q.err = f.fetch()
	f.mu.Lock()
	f.known, f.asking = q.said, nil
	f.mu.Unlock()
	close(q.done)
}

// fetch gets the provider's metadata, in the time that the client gives it.
func (f *flow) fetch() (*metadata, error) {
	// The keys are fetched later with the same context, whenever one is new.
	ctx := oidc.ClientContext(context.Background(), f.client)
	p, err := oidc.NewProvider(ctx, f.provider.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask the OpenID provider: %w", err)
	}
	var said struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Keys    string   `json:"jwks_uri"`
	}
	if err := p.Claims(&said); err != nil {
		return nil, fmt.Errorf("read the OpenID provider's metadata: %w", err)
	}
	at := p.Endpoint()
	for _, address := range []string{at.AuthURL, at.TokenURL, said.Keys} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(strings.HasPrefix(f.provider.Issuer, "http://") && u.Scheme == "http" && isLoopback(u)) {
			return nil, fmt.Errorf("the OpenID provider names %.200q as an endpoint, which is not an https URL", address)
		}
	}
	// Said beforehand: to find out by trying would spend the code.
	switch {
	case f.provider.Secret == "", slices.Contains(said.Methods, "client_secret_post") && !slices.Contains(said.Methods, "client_secret_basic"):
		at.AuthStyle = oauth2.AuthStyleInParams
	default:
		at.AuthStyle = oauth2.AuthStyleInHeader
	}
	return &metadata{
		oauth: oauth2.Config{ClientID: f.provider.Client, ClientSecret: f.provider.Secret, Endpoint: at,
			RedirectURL: f.redirect, Scopes: []string{oidc.ScopeOpenID}},
		verifier: p.VerifierContext(ctx, &oidc.Config{ClientID: f.provider.Client, Now: f.now}),
	}, nil
}

// toProvider sends the browser to the provider. One that came by another name of
// this machine first goes to the name that the provider sends it back to: the
// cookie is of that one. It is sent once, since what is in front of this server
// may put another name into the request.
func (s *SignIn) toProvider(w http.ResponseWriter, r *http.Request) {
	if q := r.URL.Query(); r.Host != s.url.Host && !q.Has("here") {
		http.Redirect(w, r, s.cfg.URL+ProviderPath+"?here=1&next="+url.QueryEscape(localPath(q.Get("next"))), http.StatusSeeOther)
		return
	}
	m, err := s.flow.ask(r.Context())
	if err != nil {
		s.cfg.Logger.Error("sign-in", "err", err)
		s.show(w, r, http.StatusBadGateway, web.SignInPage{Problem: "The identity provider cannot be reached.",
			Advice: "Try again in a moment, or sign in with an access token. The server's own log says why."})
		return
	}
	u := underway{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(),
		Next: localPath(r.URL.Query().Get("next")), Ends: s.cfg.Now().Add(flowTime).Unix()}
	s.setCookie(w, s.flowCookie(), s.flow.put(u), int(flowTime/time.Second))
	http.Redirect(w, r, m.oauth.AuthCodeURL(u.State, oidc.Nonce(u.Nonce), oauth2.S256ChallengeOption(u.Verifier)), http.StatusSeeOther)
}

// fromProvider takes the provider's answer. Whatever comes of it, the sign-in
// that was under way is over.
func (s *SignIn) fromProvider(w http.ResponseWriter, r *http.Request) {
	s.setCookie(w, s.flowCookie(), "", -1)
	u, ok := s.flow.take(r.CookiesNamed(s.flowCookie()))
	q := r.URL.Query()
	again := func(status int, problem string) {
		s.cfg.Logger.Info("sign-in refused", "why", problem)
		s.show(w, r, status, web.SignInPage{Next: u.Next, Problem: problem, Advice: "Begin again from here."})
	}
	switch {
	case !ok:
		again(http.StatusBadRequest, "This sign-in was not begun in this browser, or it took more than ten minutes.")
		return
	case len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(u.State)) != 1:
		again(http.StatusBadRequest, "The provider's answer is not that to the sign-in of this browser.")
		return
	case q.Has("iss") && q.Get("iss") != s.flow.provider.Issuer: // RFC 9207, section 2.4
		again(http.StatusBadRequest, "The answer is that of another provider.")
		return
	case q.Has("error"):
		again(http.StatusForbidden, "The provider did not sign you in"+errorCode(q.Get("error"))+".")
		return
	case len(q["code"]) != 1 || q.Get("code") == "" || len(q.Get("code")) > 4096:
		again(http.StatusBadRequest, "The provider's answer holds no code.")
		return
	}
	// Each code is a question to the provider, whose answer is waited for.
	if wait := s.codes.wait(r.RemoteAddr); wait > 0 {
		retryAfter(w, wait)
		again(http.StatusTooManyRequests, tooManyTries)
		return
	}
	t, err := s.flow.redeem(r.Context(), q.Get("code"), u)
	if err != nil {
		// What went wrong may tell of the network, and is not for the page.
		s.cfg.Logger.Warn("sign-in: redeem the provider's code", "err", legible(err))
		again(http.StatusForbidden, "The provider's answer did not hold.")
		return
	}
	until := time.Time{}
	if s.cfg.EndsWithToken {
		until = t.Expiry
	}
	s.enter(w, r, Credential{Issuer: t.Issuer, Subject: t.Subject}, until, u.Next)
}

// redeem gets the ID token for a code, and checks it: OpenID Connect Core,
// section 3.1.3.7.
func (f *flow) redeem(ctx context.Context, code string, u underway) (*oidc.IDToken, error) {
	m, err := f.ask(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, f.client)
	got, err := m.oauth.Exchange(ctx, code, oauth2.VerifierOption(u.Verifier))
	if err != nil {
		return nil, err
	}
	raw, ok := got.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("no ID token came for the code")
	}
	t, err := m.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var more struct {
		AuthorizedParty string          `json:"azp"`
		Actor           json.RawMessage `json:"act"`
	}
	if err := t.Claims(&more); err != nil {
		return nil, err
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(u.Nonce)) != 1:
		return nil, errors.New("the ID token is not for this sign-in: its nonce is another")
	case more.AuthorizedParty != "" && more.AuthorizedParty != f.provider.Client,
		len(t.Audience) > 1 && more.AuthorizedParty == "":
		return nil, errors.New("the ID token was issued to another client")
	case len(more.Actor) > 0:
		return nil, errors.New("the ID token is one with which somebody else acts for its subject")
	case t.Subject == "":
		return nil, errors.New("the ID token names no subject")
	}
	return t, nil
}

// legible is an error without what a provider may have put into its answer.
func legible(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return "the provider refused the code" + errorCode(refused.ErrorCode)
	}
	return err.Error()
}

// errorCode shows an error's name from a provider, if it has the form of one.
func errorCode(s string) string {
	if s == "" || len(s) > 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return " (" + s + ")"
}

func random() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// put seals what a sign-in has to remember.
func (f *flow) put(u underway) string {
	text, err := json.Marshal(u)
	if err != nil {
		panic("signin: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(f.seal.Seal(nil, nil, text, nil))
}

// take opens what put sealed, unless it took too long.
func (f *flow) take(cs []*http.Cookie) (u underway, ok bool) {
	if len(cs) != 1 || len(cs[0].Value) > 8<<10 {
		return underway{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cs[0].Value)
	if err != nil {
		return underway{}, false
	}
	text, err := f.seal.Open(nil, nil, sealed, nil)
	if err != nil || json.Unmarshal(text, &u) != nil || f.now().Unix() >= u.Ends {
		return underway{}, false
	}
	return u, true
}
