package main

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/ledger"
)

const evidenceBundles = "../../verifier/chain/testdata/bundles"

// startView runs onus view, and returns its address and what it said before.
func startView(t *testing.T, args ...string) (at string, said string) {
	t.Helper()
	cmd := exec.Command(onusCommand(t), append([]string{"view", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("onus view ends with %v", err)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			at, _, _ = strings.Cut(rest, "/ ")
			return at, said
		}
		said += lines.Text() + "\n"
	}
	t.Fatalf("onus view did not say where it listens: %s", said)
	return "", ""
}

// A file is shown with the viewer's pages, which say what it is worth, and
// nothing can be changed there.
func TestView(t *testing.T) {
	file := filepath.Join(evidenceBundles, "S4.onus")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{file, "--log-key", filepath.Join(evidenceBundles, "log.vkey")}, "S4.onus: genuine evidence, under the log key that you gave"},
		{[]string{file}, "S4.onus: it agrees with itself; you gave no log key, so nothing shows whose it is"},
	} {
		at, said := startView(t, c.args...)
		if !strings.Contains(said, c.says) {
			t.Errorf("it says %q, want %q", said, c.says)
		}
		chainPage := ""
		for _, path := range []string{"/", "/find", "/agents", "/grants", "/users", "/revocations"} {
			status, body := fetch(t, http.DefaultClient, at+path, nil)
			if status != http.StatusOK || !strings.Contains(body, c.says) {
				t.Errorf("%s: %d without %q", path, status, c.says)
			}
			if _, rest, ok := strings.Cut(body, `href="/chain/`); ok {
				chainPage = "/chain/" + rest[:64]
			}
		}
		status, body := fetch(t, http.DefaultClient, at+chainPage, nil)
		if chainPage == "" || status != http.StatusOK || strings.Contains(body, `action="/review"`) || !strings.Contains(body, "Head of ") {
			t.Errorf("the chain %q: %d", chainPage, status)
		}
		status, _ = fetch(t, http.DefaultClient, at+"/review", url.Values{"record": {strings.TrimPrefix(chainPage, "/chain/")}, "disposition": {"explained"}, "note": {"x"}})
		if status != http.StatusForbidden {
			t.Errorf("a review: %d", status)
		}
		req, err := http.NewRequest(http.MethodGet, at+"/", nil)
		must(t, err)
		req.Host = "evil.example.com"
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("under another name: %s", resp.Status)
		}
	}
}

// What is not shown says why, with the codes of the auditor's tool.
func TestViewRefuses(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(evidenceBundles, "S4.onus"))
	must(t, err)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, b, 0o600))
		return path
	}
	changed := bytes.Clone(raw)
	changed[len(raw)/2] ^= 1
	whole := write("S4.onus", raw)
	for what, c := range map[string]struct {
		args []string
		code int
		why  string
	}{
		"changed":        {[]string{write("changed.onus", changed)}, 4, "a byte was changed"},
		"cut short":      {[]string{write("short.onus", raw[:len(raw)-9])}, 4, "ends too early"},
		"no evidence":    {[]string{write("hello.onus", []byte("hello"))}, 4, "hello.onus"},
		"another's key":  {[]string{whole, "--log-key", otherKey(t)}, 4, "BROKEN_CHECKPOINT"},
		"no file":        {[]string{filepath.Join(dir, "nothing")}, 2, "no such file"},
		"a folder":       {[]string{dir}, 2, "it is no mirror of a log"},
		"no key":         {[]string{whole, "--log-key", "hello"}, 2, "--log-key"},
		"other machines": {[]string{whole, "--listen", "0.0.0.0:0"}, 2, "use a loopback address"},
		"no argument":    {nil, 2, "name one evidence file"},
	} {
		out, err := exec.Command(onusCommand(t), append([]string{"view"}, c.args...)...).CombinedOutput()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != c.code || !strings.Contains(string(out), c.why) {
			t.Errorf("%s: %v, want code %d with %q: %s", what, err, c.code, c.why, out)
		}
	}
}

// otherKey is the key of another log of the same name.
func otherKey(t *testing.T) string {
	t.Helper()
	d := dataDir(filepath.Join(t.TempDir(), "ledger"))
	l, err := d.create("log.example.com/prod", "root", nil, ledger.DefaultPolicy())
	must(t, err)
	must(t, l.Close())
	return d.vkey()
}
