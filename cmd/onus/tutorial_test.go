package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// The tutorial, as it is printed: all blocks in one shell. Only the ports are
// free ones, so that it runs beside a ledger.
func TestTutorial(t *testing.T) {
	need(t, "curl", "openssl", "sh")
	text, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)<!-- test: tutorial -->\n```sh\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) < 10 {
		t.Fatalf("the tutorial has %d blocks that are tested", len(blocks))
	}
	script := ""
	for _, b := range blocks {
		script += string(b[1])
	}
	script = strings.NewReplacer("127.0.0.1:8787", freeAddr(t), "127.0.0.1:8788", freeAddr(t)).Replace(script)

	dir, bin := t.TempDir(), t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "github.com/onus-ledger/onus/cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with the servers that it starts
	log, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log // a file: servers that are left do not hold a pipe
	err = cmd.Run()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	out, rerr := os.ReadFile(log.Name())
	if err != nil || rerr != nil {
		t.Fatalf("%v %v\n%s", err, rerr, out)
	}
	rest := string(out)
	for _, want := range []string{
		`issued grant read-the-budget: entry \d+, proven`,
		`Nothing to do\.`,
		`enrolled key .* of spiffe://example.com/planner \(pod-1\)`,
		`K1: by a workload token`,
		`enrolled key .* of spiffe://example.com/buyer \(pod-2\)`,
		`K2: by an SVID`,
		`user: L1, the user's token was checked`,
		`link: v1 [0-9a-f]{64} - log.example.com/agents`,
		`enrolled key .* of user u-`,
		`link: v1 [0-9a-f]{64} - log.example.com/agents [0-9a-f]{64}`,
		`Delegated authority: it comes from user u-.*; L3, signed by the user's own key\.`,
		`#\d+ counter-record  it saw order:create .* from buyer/pod-2, who only said so, and allowed it: it succeeded`,
		`\(LIMIT_EXCEEDED, high\)`,
		`revoked grant [0-9a-f]{64}: entry \d+, proven`,
		`\(ANCESTOR_REVOKED, critical\)`,
		`REVOKED +by entry`,
		`GENUINE: log log.example.com/agents`,
		`\(K1; \d checked against what you pinned\), 1 by an SVID \(K2; 1 checked against what you pinned\)`,
		`3 grants, 2 revocations`,
		`user        ATTESTED`,
	} {
		at := regexp.MustCompile(want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("no %q in what follows:\n%s\n\nAll of it:\n%s", want, rest, out)
		}
		rest = rest[at[1]:]
	}
}

// freeAddr returns an address on which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return fmt.Sprint(ln.Addr())
}
