package signin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/web/signin"
)

// A provider whose metadata names an endpoint that travels in clear to another
// machine is not used: whoever is in between would read codes, or put in keys of
// their own to sign with. One that says it is another issuer is not used either,
// not even where a stroke is all the difference.
func TestProvidersMetadataIsHeldToTLS(t *testing.T) {
	for name, edit := range map[string]func(map[string]any){
		"":                          func(map[string]any) {},
		"authorization_endpoint":    func(m map[string]any) { m["authorization_endpoint"] = "http://login.example.com/auth" },
		"token_endpoint":            func(m map[string]any) { m["token_endpoint"] = "http://login.example.com/token" },
		"jwks_uri":                  func(m map[string]any) { m["jwks_uri"] = "http://login.example.com/keys" },
		"jwks_uri is missing":       func(m map[string]any) { delete(m, "jwks_uri") },
		"jwks_uri is no URL":        func(m map[string]any) { m["jwks_uri"] = "file:///etc/passwd" },
		"the issuer is another":     func(m map[string]any) { m["issuer"] = "https://login.example.com" },
		"the issuer ends otherwise": func(m map[string]any) { m["issuer"] = m["issuer"].(string) + "/" },
	} {
		var at string
		p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m := map[string]any{"issuer": at, "authorization_endpoint": at + "/auth", "token_endpoint": at + "/token", "jwks_uri": at + "/keys",
				"id_token_signing_alg_values_supported": []string{"RS256"}}
			edit(m)
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(m)
		}))
		at = p.URL
		s := newSite(t, func(c *signin.Config) { c.Provider = &signin.Provider{Issuer: p.URL, Client: "viewer"} })
		hc := browser(t)
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, body := s.get(hc, signin.ProviderPath)
		if name == "" {
			if to, err := url.Parse(resp.Header.Get("Location")); err != nil || resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), p.URL+"/auth?") {
				t.Errorf("a good provider: %d to %s: %s", resp.StatusCode, to, body)
			}
		} else if resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "cannot be reached") || len(hc.Jar.Cookies(mustURL(t, s.url))) > 0 {
			t.Errorf("%s: %d, to %q", name, resp.StatusCode, resp.Header.Get("Location"))
		}
		p.Close()
	}
}
