package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier/tree"
)

const childEnv = "ONUS_TEST_CHILD"

// childT lets a harness run outside a test: what would fail a test ends the
// child.
type childT struct{ testing.TB }

func (childT) Helper()        {}
func (childT) Cleanup(func()) {}
func (childT) Fatal(a ...any) { fmt.Fprintln(os.Stderr, a...); os.Exit(1) }
func (childT) Fatalf(f string, a ...any) {
	fmt.Fprintf(os.Stderr, f+"\n", a...)
	os.Exit(1)
}
func (c childT) Errorf(f string, a ...any) { c.Fatalf(f, a...) }

// child opens the ledger in dir and submits until it is killed. Each
// acknowledged record is one line: index, id, checkpoint in base64.
func child(dir string) {
	h := bareHarness(childT{}, vfs.Default, func(c *Config) { c.Dir = dir })
	h.open()
	var mu sync.Mutex
	for range 8 {
		go func() {
			for {
				for _, l := range h.grow(5) {
					r := l.Receipt
					line := fmt.Sprintf("%d %s %s\n", r.Index, r.Id, base64.StdEncoding.EncodeToString([]byte(r.Checkpoint)))
					mu.Lock()
					os.Stdout.WriteString(line)
					mu.Unlock()
				}
			}
		}()
	}
	select {}
}

// What a killed process acknowledged is in the log: kill -9 in mid-load, open
// again, compare.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	h := newHarness(t, vfs.Default, func(c *Config) { c.Dir = dir })
	acknowledged := map[string]int64{} // of all rounds
	for round := range long(4) {
		h.close()
		lines := killMidLoad(t, dir, 200+100*round)
		h.open()
		roots := h.roots()
		for _, line := range lines {
			var index int64
			var id, note string
			if _, err := fmt.Sscan(line, &index, &id, &note); err != nil {
				t.Fatalf("child said %q: %v", line, err)
			}
			acknowledged[id] = index
			checkpoint, err := base64.StdEncoding.DecodeString(note)
			if err != nil {
				t.Fatal(err)
			}
			cp, err := h.key.Open(checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			if cp.Size >= int64(len(roots)) || roots[cp.Size] != cp.Root {
				t.Fatalf("the acknowledged checkpoint of size %d is not of this log, which has %d entries", cp.Size, len(roots)-1)
			}
		}
		for id, index := range acknowledged {
			if e, err := h.ledger.Entry(index); err != nil || e.Record.ID.String() != id {
				t.Fatalf("acknowledged record %s is not at index %d: %v", id, index, err)
			}
		}
		if rep := h.checkLog(); rep.Root != roots[len(roots)-1] || rep.Root == tree.Empty {
			t.Errorf("the audit has root %s", rep.Root)
		}
		h.submit(nil)
	}
	t.Logf("%d acknowledged records survived, of %d in the log", len(acknowledged), h.ledger.Size())
	h.checkRows()
}

// killMidLoad runs a child on dir, kills it when it has acknowledged n
// records, and returns all that it acknowledged.
func killMidLoad(t *testing.T, dir string, n int) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil { // a line that was cut off was not acknowledged
			break
		}
		if lines = append(lines, line); len(lines) == n {
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); len(lines) < n {
		t.Fatalf("child ended after %d records: %v: %s", len(lines), err, &stderr)
	}
	return lines
}
