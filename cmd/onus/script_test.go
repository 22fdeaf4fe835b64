package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/agent/workload/workloadtest"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"onus": main})
}

// The scripts under testdata/script are the commands as people type them:
// real processes, a real port, a real disk.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "github.com/onus-ledger/onus/cmd/onus-verify")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build onus-verify: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":  cmdServe,
			"halt":   cmdStop,
			"tamper": cmdTamper,
			"setvar": cmdSetvar,
			"match":  cmdMatch,
			"exits":  cmdExits,
			"mode":   cmdMode,
			"edit":   cmdEdit,
			"swap":   cmdSwap,
			"fetch":  cmdFetch,
			"drop":   cmdDrop,
			"issuer": cmdIssuer,
			"token":  cmdToken,
			"watch":  cmdWatch,
			"svid":   func(ts *testscript.TestScript, neg bool, args []string) { cmdSVID(t, ts, neg, args) },
		},
	})
}

// servers holds the server of each script: *testscript.TestScript to
// *exec.Cmd. Scripts run in parallel.
var servers sync.Map

// serve DIR [FLAG…] starts onus serve over DIR on a free port, and sets
// ONUS_SERVER.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve DIR [FLAG...]")
	}
	cmd, url := startOnus(ts, append([]string{"serve", "--data", ts.MkAbs(args[0]), "--listen", "127.0.0.1:0"}, args[1:]...)...)
	ts.Setenv("ONUS_SERVER", url)
	servers.Store(ts, cmd)
	ts.Defer(func() { stopServer(ts) })
}

// startOnus starts a command that serves, and returns where.
func startOnus(ts *testscript.TestScript, args ...string) (*exec.Cmd, string) {
	cmd := exec.Command("onus", args...)
	if path, err := exec.LookPath("onus"); err == nil {
		cmd.Path = path
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := cutLast(lines.Text(), " at "); ok {
			go io.Copy(io.Discard, out)
			return cmd, url
		}
	}
	ts.Fatalf("onus %s did not say where it listens", args[0])
	return nil, ""
}

// issuer starts onus demo issuer, and sets ISSUER.
func cmdIssuer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: issuer")
	}
	cmd, url := startOnus(ts, "demo", "issuer", "--listen", "127.0.0.1:0")
	ts.Setenv("ISSUER", url)
	ts.Defer(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
}

// token FILE QUERY gets a token from the issuer; token FILE keys its key set.
func cmdToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: token FILE QUERY|keys")
	}
	at := ts.Getenv("ISSUER") + "/token?" + args[1]
	if args[1] == "keys" {
		at = ts.Getenv("ISSUER") + "/keys"
	}
	resp, err := http.Get(at)
	ts.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s", at, b)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}

// svid ID makes an authority for example.com, and an SVID of it: bundle.json,
// svid.pem and svid.key.
func cmdSVID(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: svid ID")
	}
	a := workloadtest.New(t, "example.com")
	svid := a.Issue(args[0])
	var chain []byte
	for _, der := range svid.Chain {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(svid.Key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("bundle.json"), a.Bundle(), 0o666))
	ts.Check(os.WriteFile(ts.MkAbs("svid.pem"), chain, 0o666))
	ts.Check(os.WriteFile(ts.MkAbs("svid.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}

// halt ends the server as an operator would, with an interrupt; halt -kill
// with SIGKILL.
func cmdStop(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := servers.Load(ts)
	if neg || !ok {
		ts.Fatalf("no server runs")
	}
	if len(args) == 1 && args[0] == "-kill" {
		cmd := v.(*exec.Cmd)
		ts.Check(cmd.Process.Kill())
		cmd.Wait()
		servers.Delete(ts)
		return
	}
	if err := stopServer(ts); err != nil {
		ts.Fatalf("onus serve: %v", err)
	}
}

func stopServer(ts *testscript.TestScript) error {
	v, ok := servers.LoadAndDelete(ts)
	if !ok {
		return nil
	}
	cmd := v.(*exec.Cmd)
	cmd.Process.Signal(os.Interrupt)
	return cmd.Wait()
}

// tamper DIR INDEX OFFSET flips a bit of a stored entry through Pebble's own
// API. A negative offset counts from the end.
func cmdTamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: tamper DIR INDEX OFFSET")
	}
	index, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	offset, err := strconv.Atoi(args[2])
	ts.Check(err)
	db, err := pebble.Open(filepath.Join(ts.MkAbs(args[0]), "db"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest})
	ts.Check(err)
	defer db.Close()
	key := binary.BigEndian.AppendUint64([]byte{'e'}, index)
	v, closer, err := db.Get(key)
	ts.Check(err)
	raw := append([]byte(nil), v...)
	closer.Close()
	if offset < 0 {
		offset += len(raw)
	}
	raw[offset] ^= 1
	ts.Check(db.Set(key, raw, pebble.Sync))
}

// setvar NAME takes the first word of the last standard output.
func cmdSetvar(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: setvar NAME")
	}
	var word string
	fmt.Sscan(ts.ReadFile("stdout"), &word)
	if word == "" {
		ts.Fatalf("the last command printed nothing")
	}
	ts.Setenv(args[0], word)
}

// match NAME REGEXP takes the first group of a match in the last standard
// output.
func cmdMatch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: match NAME REGEXP")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("no match for %s in\n%s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], m[1])
}

// exits CODE COMMAND… runs a command that must end with that code; its output
// is in the files out and err.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if ee, ok := err.(*exec.ExitError); ok {
		got = ee.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(ts.ReadFile("stdout")), 0o666))
	ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(ts.ReadFile("stderr")), 0o666))
	if got != want {
		ts.Fatalf("%v: exit code %d, want %d\n%s%s", args[1:], got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// mode MODE FILE checks a file's permissions, such as 0600.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// edit FILE OLD NEW replaces text in a file.
func cmdEdit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), args[1], args[2])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o666))
}

// swap FILE OLD NEW replaces the text of one file by that of another.
func cmdSwap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: swap FILE OLDFILE NEWFILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), strings.TrimSpace(ts.ReadFile(args[1])), strings.TrimSpace(ts.ReadFile(args[2])))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o666))
}

// drop FILE TOKEN deletes the token's line from a token file.
func cmdDrop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: drop FILE TOKEN")
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(args[1])))
	var kept strings.Builder
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if !strings.Contains(line, hash) {
			kept.WriteString(line)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(kept.String()), 0o600))
}
