package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"onus-verify": main})
}

// The scripts under testdata/script are the commands as an auditor types them,
// over the evidence of the scenarios.
func TestScripts(t *testing.T) {
	scenarios, err := filepath.Abs("../../verifier/chain/testdata/bundles")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			dir := filepath.Join(env.WorkDir, "evidence")
			if err := os.CopyFS(dir, os.DirFS(scenarios)); err != nil {
				return err
			}
			return writeCheckpoints(dir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": cmdExits,
			"flip":  cmdFlip,
		},
	})
}

// writeCheckpoints writes what the log of the scenarios, and another log, might
// have signed.
func writeCheckpoints(dir string) error {
	file, err := os.Open(filepath.Join(dir, "S1.onus"))
	if err != nil {
		return err
	}
	defer file.Close()
	b, err := evidence.Read(file, evidence.Limits{})
	if err != nil {
		return err
	}
	seed := sha256.Sum256([]byte("log"))
	log, err := tree.NewLogSigner(b.Origin(), ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		return err
	}
	cp, err := log.Key().Open(b.Checkpoint)
	if err != nil {
		return err
	}
	other, err := log.Sign(cp.Size, tree.Hash{1})
	if err != nil {
		return err
	}
	older, err := log.Sign(cp.Size-1, tree.Hash{2})
	if err != nil {
		return err
	}
	seed = sha256.Sum256([]byte("other"))
	another, err := tree.NewLogSigner(b.Origin(), ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"same.checkpoint": b.Checkpoint, "other.checkpoint": other, "older.checkpoint": older,
		"other.vkey":   []byte(another.Key().String() + "\n"),
		"named.policy": []byte("log " + log.Key().String() + "\nquorum none\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// exits CODE COMMAND… runs a command that ends with that code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		code = e.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// flip FILE OFFSET flips a bit; a negative offset counts from the end.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}
