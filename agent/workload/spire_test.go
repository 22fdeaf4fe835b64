//go:build spire

package workload_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent/workload"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// A real SPIRE server and agent, on loopback, with an SVID that lives for ten
// seconds. SPIRE is large and this test takes half a minute, so it is not part
// of the others; it runs with
//
//	ONUS_SPIRE=DIR go test -tags spire -run TestSPIRE ./agent/workload
//
// where DIR holds spire-server and spire-agent.
func TestSPIRE(t *testing.T) {
	bin := os.Getenv("ONUS_SPIRE")
	if bin == "" {
		t.Fatal("NOT RUN: the tag spire asks for this test, and ONUS_SPIRE does not name the directory of spire-server and spire-agent")
	}
	spire := startSPIRE(t, bin)
	client := open(t, workload.Config{Socket: spire.socket, ServerID: plannerID})
	server := open(t, workload.Config{Socket: spire.socket})
	release := make(chan struct{})
	url, hc := serve(t, server, release), client.HTTPClient()
	defer close(release)

	chain, _, err := client.X509()
	if err != nil {
		t.Fatal(err)
	}
	b := bundle(t, client, domain)
	if id, _, err := x509svid.ParseAndVerify(chain, b); err != nil || id.String() != plannerID || client.ID() != plannerID {
		t.Errorf("the SVID is of %s, the source says %s: %v", id, client.ID(), err)
	}
	token, err := client.JWT(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	if svid, err := jwtsvid.ParseAndValidate(token, b, []string{"ledger"}); err != nil || svid.ID.String() != plannerID {
		t.Errorf("token %v: %v", svid, err)
	}

	// Both SVIDs are renewed twice while calls go on.
	seen := map[string]bool{}
	for end := time.Now().Add(time.Minute); len(seen) < 3; time.Sleep(100 * time.Millisecond) {
		answer, cert, err := call(t, hc, url)
		if err != nil {
			t.Fatalf("after %d SVIDs: %v", len(seen), err)
		}
		if !strings.Contains(answer, " "+plannerID+" ") || cert.URIs[0].String() != plannerID {
			t.Fatalf("the server saw %q, the client %s", answer, cert.URIs[0])
		}
		serial, _, _ := strings.Cut(answer, " ")
		seen[serial] = true
		if time.Now().After(end) {
			t.Fatalf("%d SVIDs in a minute, want 3", len(seen))
		}
	}

	// A new root is announced before it signs.
	before := len(b.X509Authorities())
	spire.run(t, "localauthority", "x509", "prepare")
	until(t, "the new root is in the bundle", func() bool {
		return len(bundle(t, client, domain).X509Authorities()) == before+1
	})
	if _, _, err := call(t, hc, url); err != nil {
		t.Errorf("with two roots: %v", err)
	}
}

// spire is a server and an agent that give this process the identity plannerID.
type spire struct{ bin, dir, socket string }

func startSPIRE(t *testing.T, bin string) *spire {
	t.Helper()
	// Not t.TempDir: the name of a socket may have no more than 108 bytes.
	dir, err := os.MkdirTemp("", "spire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &spire{bin, dir, "unix://" + filepath.Join(dir, "agent.sock")}
	// SPIRE takes no port 0: this one is free now.
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	s.write(t, "server.conf", fmt.Sprintf(`server {
	bind_address = "127.0.0.1"
	bind_port = "%d"
	socket_path = "%[2]s/server.sock"
	trust_domain = "example.com"
	data_dir = "%[2]s"
	log_level = "WARN"
}
plugins {
	DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "%[2]s/server.sqlite3" } }
	NodeAttestor "join_token" { plugin_data {} }
	KeyManager "memory" { plugin_data {} }
}
`, port, dir))
	s.write(t, "agent.conf", fmt.Sprintf(`agent {
	server_address = "127.0.0.1"
	server_port = "%d"
	socket_path = "%[2]s/agent.sock"
	trust_domain = "example.com"
	trust_bundle_path = "%[2]s/bundle.pem"
	data_dir = "%[2]s"
	log_level = "WARN"
}
plugins {
	NodeAttestor "join_token" { plugin_data {} }
	KeyManager "memory" { plugin_data {} }
	WorkloadAttestor "unix" { plugin_data {} }
}
`, port, dir))
	s.start(t, "spire-server", "run", "-config", filepath.Join(dir, "server.conf"))
	until(t, "the SPIRE server is healthy", func() bool { _, err := s.command(t, "healthcheck"); return err == nil })
	s.write(t, "bundle.pem", s.run(t, "bundle", "show"))
	out := s.run(t, "token", "generate", "-spiffeID", "spiffe://example.com/node")
	token, ok := strings.CutPrefix(strings.SplitN(out, "\n", 2)[0], "Token: ")
	if !ok {
		t.Fatalf("spire-server token generate says %q", out)
	}
	// Before the agent starts, which then has it at once.
	s.run(t, "entry", "create", "-parentID", "spiffe://example.com/node", "-spiffeID", plannerID,
		"-selector", "unix:uid:"+strconv.Itoa(os.Getuid()), "-x509SVIDTTL", "10")
	s.start(t, "spire-agent", "run", "-config", filepath.Join(dir, "agent.conf"), "-joinToken", token)
	return s
}

func (s *spire) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts a program that runs until the test ends.
func (s *spire) start(t *testing.T, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", name, &out)
		}
	})
}

// run has spire-server do something, and returns what it says.
func (s *spire) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.command(t, args...)
	if err != nil {
		t.Fatalf("spire-server %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *spire) command(t *testing.T, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	args = append(args, "-socketPath", filepath.Join(s.dir, "server.sock"))
	out, err := exec.CommandContext(ctx, filepath.Join(s.bin, "spire-server"), args...).CombinedOutput()
	return string(out), err
}
