// Package oidctest gives tests a real OpenID provider.
//
// [Start] runs tools/oidcprovider, which stands on github.com/zitadel/oidc, as
// a process of its own on loopback: the tools are another module, so its
// dependencies never become the product's. What it issues is asked for as a
// client asks, over HTTP.
//
//	op := oidctest.Start(t)
//	idToken, _ := op.Login(oidctest.Login{User: oidctest.Alice, Client: oidctest.K8sAgent})
//	forLedger := op.Exchange(idToken, oidctest.K8sAgent, oidctest.Ledger)
//
// A request that fails ends the test.
package oidctest

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Who is known to the provider.
const (
	Alice = "alice"
	Bob   = "bob"

	K8sAgent     = "k8s-agent"
	Planner      = "supply-chain-planner"
	ChatFrontend = "chat-frontend"
	Ledger       = "onus-ledger"
	// Viewer and PublicViewer, which has no secret, are at any port of this
	// machine, and get their answers at /sign-in/callback.
	Viewer       = "viewer"
	PublicViewer = "public-viewer"
)

// Provider is a provider that runs. It is safe for concurrent use.
type Provider struct {
	t     testing.TB
	known struct {
		Issuer, Control string
		Clients         map[string]struct {
			Secret      string
			RedirectURI string `json:"redirect_uri"`
		}
		Users map[string]struct{ Password, Subject string }
	}
	endpoints struct {
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
		JWKS          string `json:"jwks_uri"`
	}
}

// Start runs a provider until the test ends. The first time on a machine its
// sources are fetched and built, which takes a minute.
func Start(t testing.TB) *Provider {
	t.Helper()
	tools := toolsDir(t)
	// The go command keeps what it built, and asks nothing of the network.
	cmd := exec.Command("go", "run", "-C", tools, "./oidcprovider")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("the OpenID provider: %v", err)
	}
	// It ends with its input, also when this process is killed.
	stop := sync.OnceValue(func() error { stdin.Close(); return cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		stop()
		// What it is made of may be out of reach; else it must start.
		if exec.Command("go", "list", "-C", tools, "-deps", "./oidcprovider").Run() != nil && os.Getenv("ONUS_CI") != "1" {
			t.Skipf("SKIPPED: needs the modules of tools/oidcprovider: install with: go -C tools build ./oidcprovider")
		}
		t.Fatalf("the OpenID provider does not start: %s", &stderr)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the OpenID provider: %v: %s", err, &stderr)
		}
	})
	p := &Provider{t: t}
	if err := json.Unmarshal(line, &p.known); err != nil {
		t.Fatalf("the OpenID provider said %q: %v", line, err)
	}
	p.get(p.known.Issuer+"/.well-known/openid-configuration", &p.endpoints)
	return p
}

// toolsDir finds the tools module, beside the module that is tested, and looks
// at what the provider is made of: so go test knows that a result depends on
// it, and does not report an old one.
func toolsDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	dir := filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "tools")
	sources, err := filepath.Glob(filepath.Join(dir, "oidcprovider", "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("the sources of the OpenID provider are not in tools/oidcprovider: %v", err)
	}
	for _, name := range append(sources, filepath.Join(dir, "go.mod")) {
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Issuer is the provider's issuer URL.
func (p *Provider) Issuer() string { return p.known.Issuer }

// Subject is what a user's tokens have as sub.
func (p *Provider) Subject(user string) string { return p.known.Users[user].Subject }

// Password is what a user types to log in.
func (p *Provider) Password(user string) string { return p.known.Users[user].Password }

// Secret is what a client has to show; empty for a public one.
func (p *Provider) Secret(client string) string { return p.known.Clients[client].Secret }

// KeySet returns the published JWK Set.
func (p *Provider) KeySet() []byte {
	p.t.Helper()
	return p.get(p.endpoints.JWKS, nil)
}

// RotateKeys makes the provider sign with a new key. It still publishes the
// key before, until it rotates again.
func (p *Provider) RotateKeys() { p.t.Helper(); p.control("rotate") }

// SetDown makes the provider answer 503 where its metadata and keys are, until
// it is set up again. It goes on to issue tokens.
func (p *Provider) SetDown(down bool) {
	p.t.Helper()
	p.control("down/" + strconv.FormatBool(down))
}

// SetAgo makes the provider issue ID tokens as it did that long ago, or will.
// They are valid for an hour.
func (p *Provider) SetAgo(ago time.Duration) { p.t.Helper(); p.control("ago/" + ago.String()) }

func (p *Provider) control(path string) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.known.Control+"/"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.do(http.DefaultClient, req, http.StatusOK)
}

func (p *Provider) get(address string, v any) []byte {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	_, body := p.do(http.DefaultClient, req, http.StatusOK)
	if v != nil {
		if err := json.Unmarshal(body, v); err != nil {
			p.t.Fatalf("%s: %v", address, err)
		}
	}
	return body
}

func (p *Provider) do(hc *http.Client, req *http.Request, want int) (*http.Response, []byte) {
	p.t.Helper()
	resp, err := hc.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		p.t.Fatalf("%s %s: %s, want %d: %s (%v)", req.Method, req.URL.Path, resp.Status, want, body, err)
	}
	return resp, body
}

// post sends a form as a client.
func (p *Provider) post(address, client string, form url.Values, v any) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(p.known.Clients[client].Secret))
	_, body := p.do(http.DefaultClient, req, http.StatusOK)
	if err := json.Unmarshal(body, v); err != nil {
		p.t.Fatalf("%s: %v", address, err)
	}
}
