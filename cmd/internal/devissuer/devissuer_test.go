package devissuer_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/devissuer"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/verifier/credential"
)

func start(t *testing.T) (*devissuer.Issuer, string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	i, err := devissuer.New("http://" + srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = i.Handler()
	srv.Start()
	t.Cleanup(srv.Close)
	return i, srv.URL
}

func get(t *testing.T, url string) (string, int) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.StatusCode
}

// The ledger's own code finds the keys by discovery and verifies the token.
func TestTokenVerifies(t *testing.T) {
	i, at := start(t)
	q := url.Values{"sub": {"anna"}, "aud": {"chat"}, "azp": {"chat"}, "sid": {"s1"}, "nonce": {"n"}, "ttl": {"90s"},
		"authorization_details": {`[{"type":"order","actions":["create"],"locations":["https://shop.example.com"],"max_total":"50000"}]`}}
	token, code := get(t, at+"/token?"+q.Encode())
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, token)
	}
	f, keys, err := new(identity.Issuers).Verify(t.Context(), strings.TrimSpace(token), credential.Expect{Issuer: i.URL(), Audience: "chat", Client: "chat", Nonce: "n"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if f.Subject != "anna" || f.Session != "s1" || len(f.Details) != 1 || f.Details[0].Limits["max_total"] != "50000" {
		t.Errorf("got %+v", f)
	}
	if left := time.Until(f.Expires); left > 91*time.Second || left < 60*time.Second {
		t.Errorf("it expires in %v, want 90s", left)
	}
	if string(keys.Raw) != string(i.KeySet()) {
		t.Errorf("published %s, want %s", keys.Raw, i.KeySet())
	}
}

func TestTokenRefusals(t *testing.T) {
	_, at := start(t)
	for query, want := range map[string]string{
		"":                          "say sub and aud",
		"sub=a":                     "say aud",
		"sub=a&sub=b&aud=c":         "sub is given twice",
		"sub=a&aud=c&ttl=soon":      "is not a span",
		"sub=a&aud=c&act=x":         "act is JSON",
		"sub=a&aud=c&iss=http://x/": "iss is the issuer's to say",
	} {
		if got, code := get(t, at+"/token?"+query); code != http.StatusBadRequest || !strings.Contains(got, want) {
			t.Errorf("%q: %d %s, want %q", query, code, got, want)
		}
	}
}
