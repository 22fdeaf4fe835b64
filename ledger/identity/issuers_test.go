package identity_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// What is logged of an issuer is what it sent, byte for byte.
func TestIssuersKeepTheBytes(t *testing.T) {
	op := oidctest.Start(t)
	var issuers identity.Issuers
	before := time.Now()
	keys, err := issuers.KeySet(t.Context(), op.Issuer())
	must(t, err)
	if string(keys.Raw) != string(op.KeySet()) || len(keys.Set.Keys()) != 1 || keys.Issuer != op.Issuer() {
		t.Errorf("%+v", keys)
	}
	if keys.Fetched.Before(before) || keys.Fetched.After(time.Now()) {
		t.Errorf("fetched %v", keys.Fetched)
	}
	token := login(op, oidctest.Alice, oidctest.K8sAgent)
	want := credential.Expect{Issuer: op.Issuer(), Audience: oidctest.K8sAgent}
	f, used, err := issuers.Verify(t.Context(), token, want, time.Now())
	if err != nil || f.Subject != op.Subject(oidctest.Alice) || used != keys {
		t.Errorf("%+v, %v", f, err)
	}
	want.Audience = oidctest.Ledger
	var refused *record.Error
	if _, _, err := issuers.Verify(t.Context(), token, want, time.Now()); !errors.As(err, &refused) || refused.Reason != credential.ReasonAudience {
		t.Errorf("another audience: %v", err)
	}
}

// site is an issuer whose answers a test decides.
type site struct {
	*httptest.Server
	key   ed25519.PrivateKey
	keys  []byte       // the key, published
	calls atomic.Int64 // for the keys
}

func newSite(t *testing.T, answer func(s *site, w http.ResponseWriter, r *http.Request) bool) *site {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s := &site{key: key, keys: fmt.Appendf(nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","use":"sig","x":%q}]}`, base64.RawURLEncoding.EncodeToString(pub))}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			s.calls.Add(1)
		}
		if answer != nil && answer(s, w, r) {
			return
		}
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys"})
		case "/keys":
			w.Write(s.keys)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestIssuersRefuse(t *testing.T) {
	elsewhere := newSite(t, nil)
	at := func(path string, answer func(s *site, w http.ResponseWriter, r *http.Request)) func(*site, http.ResponseWriter, *http.Request) bool {
		return func(s *site, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == path {
				answer(s, w, r)
			}
			return r.URL.Path == path
		}
	}
	const metadata = "/.well-known/openid-configuration"
	says := func(format string) func(*site, http.ResponseWriter, *http.Request) {
		return func(s *site, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.ReplaceAll(format, "SELF", s.URL))
		}
	}
	for name, c := range map[string]struct {
		answer func(*site, http.ResponseWriter, *http.Request) bool
		why    string
	}{
		"as it should be": {nil, ""},
		"redirect at home": {at(metadata, func(s *site, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/metadata", http.StatusFound)
		}), "404"},
		"redirect elsewhere": {at(metadata, func(s *site, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+metadata, http.StatusFound)
		}), "is not followed"},
		"keys elsewhere": {at("/keys", func(s *site, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/keys", http.StatusTemporaryRedirect)
		}), "is not followed"},
		"redirect for ever":   {at(metadata, func(s *site, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, metadata, http.StatusFound) }), "more than 3 redirects"},
		"error":               {at("/keys", func(s *site, w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 500) }), "500"},
		"no JSON":             {at(metadata, says("hello")), "its metadata"},
		"another issuer":      {at(metadata, says(`{"issuer":"SELF/","jwks_uri":"SELF/keys"}`)), "its metadata is that of"},
		"no keys":             {at(metadata, says(`{"issuer":"SELF"}`)), "not an https URL"},
		"keys in clear":       {at(metadata, says(`{"issuer":"SELF","jwks_uri":"http://keys.example.com/"}`)), "not an https URL"},
		"keys in a file":      {at(metadata, says(`{"issuer":"SELF","jwks_uri":"file:///etc/passwd"}`)), "not an https URL"},
		"no key set":          {at("/keys", says(`{"keys":1}`)), "keys is not"},
		"a secret":            {at("/keys", says(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)), "keys[0]"},
		"metadata, too large": {at(metadata, says(strings.Repeat(" ", 300<<10))), "more than 262144 bytes"},
		"keys, too large":     {at("/keys", says(strings.Repeat(" ", 300<<10))), "more than 262144 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.answer)
			keys, err := new(identity.Issuers).KeySet(t.Context(), s.URL)
			var refused *record.Error
			if c.why == "" && err != nil || c.why != "" && (err == nil || keys != nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), s.URL)) || errors.As(err, &refused) {
				t.Errorf("%v, want %q", err, c.why)
			}
		})
	}
	for _, issuer := range []string{"", "login.example.com", "http://login.example.com", "ftp://login.example.com", "https://", "https://a@b", "https://a?b", "https://a#b", "https://a b", "https://ä"} {
		if _, err := new(identity.Issuers).KeySet(t.Context(), issuer); err == nil || identity.CheckIssuer(issuer) == "" {
			t.Errorf("issuer %q: %v", issuer, err)
		}
	}
	for _, issuer := range []string{"https://login.example.com", "https://login.example.com/", "https://login.example.com:8443/realms/bank", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"} {
		if why := identity.CheckIssuer(issuer); why != "" {
			t.Errorf("issuer %q %s", issuer, why)
		}
	}
}

// However many ask at once, one fetches; who gives up does not spoil it.
func TestIssuersFetchOnce(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	s := newSite(t, func(_ *site, _ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/keys" {
			asked <- struct{}{}
			<-answer
		}
		return false
	})
	var issuers identity.Issuers
	impatient, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := issuers.KeySet(impatient, s.URL); gone <- err }()
	<-asked
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if keys, err := issuers.KeySet(t.Context(), s.URL); err != nil || keys.Set == nil {
				t.Errorf("who waited: %v", err)
			}
		})
	}
	close(answer)
	wg.Wait()
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

// An issuer is left alone for Pause, be it down or asked for unknown keys.
func TestIssuersPause(t *testing.T) {
	var down atomic.Bool
	s := newSite(t, func(_ *site, w http.ResponseWriter, r *http.Request) bool {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
		return down.Load()
	})
	issuers := identity.Issuers{Pause: time.Hour}
	first, err := issuers.KeySet(t.Context(), s.URL)
	must(t, err)
	for range 3 {
		if same, err := issuers.Newer(t.Context(), first); err != nil || same != first {
			t.Errorf("within the pause: %+v, %v", same, err)
		}
	}
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d fetches within the pause, want 1", n)
	}
	issuers.Pause = time.Nanosecond
	second, err := issuers.Newer(t.Context(), first)
	if err != nil || second == first || s.calls.Load() != 2 {
		t.Errorf("after the pause: %v, %d fetches", err, s.calls.Load())
	}
	// What somebody else fetched since is newer.
	if same, err := issuers.Newer(t.Context(), first); err != nil || same != second || s.calls.Load() != 2 {
		t.Errorf("already newer: %v, %d fetches", err, s.calls.Load())
	}

	down.Store(true)
	broken := identity.Issuers{Pause: time.Hour}
	for range 3 {
		if _, err := broken.KeySet(t.Context(), s.URL); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("down: %v", err)
		}
	}
	down.Store(false)
	if _, err := broken.KeySet(t.Context(), s.URL); err == nil {
		t.Error("asked again within the pause")
	}
	broken.Pause = time.Nanosecond
	if _, err := broken.KeySet(t.Context(), s.URL); err != nil {
		t.Errorf("up again: %v", err)
	}
}

// The pause begins when a fetch ends: of those who ask one after the other for
// an issuer that hangs, only the first waits.
func TestIssuersPauseAfterAHangingFetch(t *testing.T) {
	const slow = 200 * time.Millisecond
	var calls atomic.Int64
	s := newSite(t, func(_ *site, w http.ResponseWriter, _ *http.Request) bool {
		calls.Add(1)
		time.Sleep(slow)
		http.Error(w, "slow", http.StatusGatewayTimeout)
		return true
	})
	issuers := identity.Issuers{Pause: slow / 2} // shorter than a fetch
	begin := time.Now()
	for range 5 {
		if _, err := issuers.KeySet(t.Context(), s.URL); err == nil {
			t.Error("keys of an issuer that hangs")
		}
	}
	if took := time.Since(begin); took > 3*slow || calls.Load() != 1 {
		t.Errorf("five who asked waited %s, with %d fetches; want one wait of %s", took.Round(time.Millisecond), calls.Load(), slow)
	}
}

// An issuer without metadata has its keys at an address that is registered,
// and those are not mixed up with keys from elsewhere.
func TestIssuersAtAnAddress(t *testing.T) {
	s := newSite(t, func(s *site, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/special/keys" {
			http.NotFound(w, r)
			return true
		}
		w.Write(s.keys)
		return true
	})
	var issuers identity.Issuers
	if _, err := issuers.KeySet(t.Context(), s.URL); err == nil {
		t.Error("keys without metadata and without an address")
	}
	keys, err := issuers.KeySetAt(t.Context(), s.URL, s.URL+"/special/keys")
	must(t, err)
	if string(keys.Raw) != string(s.keys) || keys.Issuer != s.URL {
		t.Errorf("%+v", keys)
	}
	if _, err := issuers.KeySetAt(t.Context(), s.URL, "http://keys.example.com/k"); err == nil || !strings.Contains(err.Error(), "not an https URL") {
		t.Errorf("keys in clear from another machine: %v", err)
	}
}
