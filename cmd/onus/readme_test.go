package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeBlock returns the code block of the README that stands after a marker.
func readmeBlock(t *testing.T, marker string) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- test: " + marker + " -->\n```sh\n(.*?)```").FindSubmatch(b)
	if m == nil {
		t.Fatalf("the README has no block %q", marker)
	}
	return string(m[1])
}

// need skips a test on a bare machine, where a program is missing, and fails
// where nothing may be skipped.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("ONUS_CI") == "1" {
				t.Fatalf("%s is not installed, and ONUS_CI=1 allows no skip", p)
			}
			t.Skipf("SKIPPED: needs %s: install with: apt-get install %s", p, p)
		}
	}
}

// The README's curl example, as it is printed.
func TestReadmeCurl(t *testing.T) {
	need(t, "curl", "openssl", "sh")
	s := startDemoServer(t)
	script := strings.NewReplacer("http://127.0.0.1:8787", s.url, "bin/onus", s.onus).Replace(readmeBlock(t, "curl"))
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), `"index":"4"`) || !strings.Contains(string(out), `"checkpoint":`) {
		t.Errorf("got %s, want a receipt at index 4", out)
	}
	verify := exec.Command(s.verify, "log", s.url, "--judge=false", "--log-key", filepath.Join(s.dir, "my-ledger", "log.vkey"))
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("onus-verify: %v\n%s", err, out)
	}
}

// The README's grant, as it is printed.
func TestReadmeGrant(t *testing.T) {
	need(t, "sh")
	s := startDemoServer(t)
	cmd := exec.Command("sh", "-eu", "-c", strings.ReplaceAll(readmeBlock(t, "grant"), "bin/onus", s.onus))
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "ONUS_SERVER="+s.url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "operator it/platform  spiffe://example.com/k8s-agent  k8s.pods:get https://k8s.example.com"; !strings.Contains(string(out), want) {
		t.Errorf("got %s, want a list with %s", out, want)
	}
}

type demoServer struct {
	dir, url, onus, verify string
	server                 *process
}

// startDemoServer does what the README says before the curl example.
func startDemoServer(t *testing.T) demoServer {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "github.com/onus-ledger/onus/cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	s := demoServer{dir: dir, onus: filepath.Join(dir, "onus"), verify: filepath.Join(dir, "onus-verify")}
	run := func(args ...string) {
		cmd := exec.Command(s.onus, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("onus %v: %v\n%s", args, err, out)
		}
	}
	run("init", "--data", "my-ledger", "--origin", "log.example.com/agents")
	s.server = startServe(t, s.onus, filepath.Join(dir, "my-ledger"))
	s.url = s.server.url
	run("key", "new", "-o", "k8s.key")
	run("agent", "register", "--server", s.url, "--admin-key", "my-ledger/admin.key", "--log-key", "my-ledger/log.vkey",
		"--operator", "it/platform", "--organisation", "Example", "--unit", "Platform", "--post", "Head of Platform",
		"--id", "spiffe://example.com/k8s-agent", "--name", "Kubernetes helper", "--key", "k8s.key.pub")
	return s
}
