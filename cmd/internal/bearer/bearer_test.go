package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/cmd/internal/bearer"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return "@" + path
	}
	for _, c := range []struct{ flag, token, why string }{
		{"", "", ""},
		{"secret", "secret", ""},
		{file("a", "secret\n", 0o600), "secret", ""},
		{file("b", "secret", 0o400), "secret", ""},
		{file("c", "secret\n", 0o640), "", "can be read by others (mode 0640)"},
		{file("d", "\n", 0o600), "", "is empty"},
		{file("e", "secret\r\n", 0o600), "", "this is no token"},
		{file("f", "secret\nsecret\n", 0o600), "", "this is no token"},
		{file("g", strings.Repeat("s", 1<<20), 0o600), "", "more than"},
		{"@" + dir + "/none", "", "no such file"},
		{"secret secret", "", "this is no token"},
		{"sécret", "", "this is no token"},
	} {
		got, err := bearer.Load(c.flag)
		if got != c.token && c.why == "" || (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%.60q: %q, %v, want %q, %q", c.flag, got, err, c.token, c.why)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error repeats the token: %v", c.flag, err)
		}
	}
}

func TestTransportRefusesToSendInClear(t *testing.T) {
	for server, ok := range map[string]bool{
		"https://ledger.example.com":        true,
		"https://10.0.0.1:8787":             true,
		"http://127.0.0.1:8787":             true,
		"http://127.9.9.9":                  true,
		"http://[::1]:8787":                 true,
		"http://localhost:8787":             true,
		"http://ledger.example.com":         false,
		"http://10.0.0.1:8787":              false,
		"http://0.0.0.0:8787":               false,
		"http://localhost.example.com":      false,
		"http://127.0.0.1.example.com:8787": false,
		"http://127.0.0.1@evil.example.com": false,
	} {
		_, err := bearer.Transport(http.DefaultTransport, server, "secret")
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want ok = %t", server, err, ok)
		}
		if rt, err := bearer.Transport(http.DefaultTransport, server, ""); err != nil || rt != http.DefaultTransport {
			t.Errorf("%s without a token: %v", server, err)
		}
	}
}

// A redirect to another server does not take the token there.
func TestTokenGoesToItsServerAlone(t *testing.T) {
	seen := map[string]string{}
	record := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { seen[name] = r.Header.Get("Authorization") }
	}
	other := httptest.NewServer(record("other"))
	defer other.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/", record("own"))
	own := httptest.NewServer(mux)
	defer own.Close()
	rt, err := bearer.Transport(http.DefaultTransport, own.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: rt}
	for _, path := range []string{"/", "/away"} {
		resp, err := client.Post(own.URL+path, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if seen["own"] != "Bearer secret" || seen["other"] != "" {
		t.Errorf("got %q", seen)
	}
}
