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

// Codes are bounded as tokens are: each is a question to the provider.
func TestCodesAreBounded(t *testing.T) {
	op := oidctest.Start(t)
	s := newSite(t, withProvider(op, oidctest.Viewer))
	try := func() int {
		t.Helper()
		hc := browser(t)
		to, err := url.Parse(s.begin(hc, "/"))
		must(t, err)
		resp, body := s.get(hc, signin.CallbackPath+"?code=made-up&state="+url.QueryEscape(to.Query().Get("state")))
		if resp.StatusCode == http.StatusTooManyRequests && (resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "Too many tries")) {
			t.Errorf("refused without saying so: %s", body)
		}
		return resp.StatusCode
	}
	for i := range 20 {
		if code := try(); code != http.StatusForbidden {
			t.Fatalf("code %d: %d, want %d", i, code, http.StatusForbidden)
		}
	}
	if code := try(); code != http.StatusTooManyRequests {
		t.Errorf("one more: %d, want %d", code, http.StatusTooManyRequests)
	}
	s.clock.pass(time.Second)
	if code := try(); code != http.StatusForbidden {
		t.Errorf("a second later: %d, want %d", code, http.StatusForbidden)
	}
	token := s.token(identity.Caller{Name: "m.rossi", Role: identity.Compliance})
	if resp, _ := s.post(browser(t), signin.TokenPath, url.Values{"token": {token}}); resp.StatusCode == http.StatusTooManyRequests {
		t.Error("tokens and codes are counted together")
	}
}
