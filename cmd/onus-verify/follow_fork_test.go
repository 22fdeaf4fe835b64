package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A second history under the same key: at the same size, and grown past it. The
// proof is in a file that x/mod alone accepts.
func TestFollowFork(t *testing.T) {
	l := newLogged(t)
	l.growTo(6)
	old := l.clone() // put back later
	l.growTo(20)
	for _, size := range []int64{20, 21, 32, 300} {
		dir := t.TempDir()
		f := newFront(t, l.handler())
		if code, said := l.once(t, f, dir); code != exitFindings {
			t.Fatalf("first: %d\n%s", code, said)
		}
		old.growTo(size)
		f.show(old.handler())
		code, said := l.once(t, f, dir)
		if code != exitFork || !strings.Contains(said, "FORK: log log.example.com/agents signed two histories") {
			t.Fatalf("size %d: %d\n%s", size, code, said)
		}
		text, err := os.ReadFile(filepath.Join(dir, "fork.txt"))
		must(t, err)
		fork, err := tree.ParseFork(text)
		if err != nil || fork.Check(l.key) != nil {
			t.Errorf("size %d: the proof does not hold (%v)\n%s", size, err, text)
		}
		if err := forkByModAlone(text, l.key.String()); err != nil {
			t.Errorf("size %d: x/mod alone does not accept it: %v\n%s", size, err, text)
		}
		if l.stateSize(t, dir) != 20 || !bytes.Equal(fork.Older, l.Checkpoint()) {
			t.Errorf("size %d: what was seen before was forgotten", size)
		}
		// Found again, it is the same proof; another one replaces none.
		if code, _ := l.once(t, f, dir); code != exitFork || exists(filepath.Join(dir, "fork-2.txt")) {
			t.Errorf("size %d, again: %d", size, code)
		}
		old.growTo(size + 1)
		if code, _ := l.once(t, f, dir); code != exitFork || !exists(filepath.Join(dir, "fork-2.txt")) {
			t.Errorf("size %d, another: %d", size, code)
		}
	}
}

// An old copy that was put back shows fewer entries. By itself that proves nothing;
// once it grows past what was seen, there is the proof.
func TestFollowRollback(t *testing.T) {
	l := newLogged(t)
	l.growTo(6)
	old := l.clone()
	l.growTo(20)
	f, dir := newFront(t, l.handler()), t.TempDir()
	l.once(t, f, dir)
	f.show(old.handler())
	code, said := l.once(t, f, dir)
	if code != exitBroken || !strings.Contains(said, "ROLLED BACK: the log shows 6 entries, and has signed 20 before") || exists(filepath.Join(dir, "fork.txt")) {
		t.Errorf("rolled back: %d\n%s", code, said)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "state.rollback"))
	if err != nil || !bytes.Equal(kept, old.Checkpoint()) || l.stateSize(t, dir) != 20 {
		t.Errorf("not both checkpoints are kept (%v)", err)
	}
	old.growTo(12)
	if code, _ := l.once(t, f, dir); code != exitBroken {
		t.Errorf("grown, and still smaller: %d", code)
	}
	old.growTo(25)
	if code, said := l.once(t, f, dir); code != exitFork {
		t.Errorf("grown past it: %d\n%s", code, said)
	}
	// The honest log is back: nothing was lost.
	f.show(l.handler())
	if code, said := l.once(t, f, dir); code != 0 {
		t.Errorf("the honest log again: %d\n%s", code, said)
	}
}

// Whoever has read the larger log in one go proves the fork to the smaller one too.
func TestFollowForkBehind(t *testing.T) {
	l := newLogged(t)
	l.growTo(6)
	old := l.clone()
	l.growTo(300)
	f, dir := newFront(t, l.handler()), t.TempDir()
	v, _, diary := l.follower(t, f, dir, false)
	must(t, v.round(t.Context()))
	f.show(old.handler())
	if err := v.round(t.Context()); err == nil || !strings.Contains(err.Error(), "shows 6 entries") {
		t.Fatalf("an old copy, unchanged: %v", err)
	}
	old.growTo(40)
	err := v.run(t.Context())
	if codeOf(err) != exitFork {
		t.Fatalf("%v\n%s", err, diary)
	}
	text, err := os.ReadFile(filepath.Join(dir, "fork.txt"))
	must(t, err)
	if err := forkByModAlone(text, l.key.String()); err != nil {
		t.Errorf("x/mod alone does not accept it: %v\n%s", err, text)
	}
}

// forkByModAlone checks the text of a fork as docs/tlog.md says: with x/mod, and
// without a line of ours.
func forkByModAlone(text []byte, vkey string) error {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	parts := strings.Split(string(text), "\n\n")
	if len(parts) != 5 {
		return fmt.Errorf("%d parts", len(parts))
	}
	open := func(msg string) (size int64, root tlog.Hash, err error) {
		n, err := note.Open([]byte(msg), note.VerifierList(v))
		if err != nil {
			return 0, root, err
		}
		lines := strings.Split(n.Text, "\n")
		if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
			return 0, root, err
		}
		root, err = tlog.ParseHash(lines[2])
		return size, root, err
	}
	older, olderRoot, err := open(parts[1] + "\n\n" + parts[2] + "\n")
	if err != nil {
		return err
	}
	newer, newerRoot, err := open(parts[3] + "\n\n" + parts[4])
	if err != nil {
		return err
	}
	if older == newer {
		if olderRoot == newerRoot {
			return fmt.Errorf("one root")
		}
		return nil
	}
	head := strings.Split(parts[0], "\n")
	root, err := tlog.ParseHash(strings.TrimPrefix(head[1], "root "))
	if err != nil || root == olderRoot {
		return fmt.Errorf("the root is the one that was signed, or none (%v)", err)
	}
	var proof tlog.TreeProof
	for _, line := range head[2:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, h)
	}
	return tlog.CheckTree(proof, newer, newerRoot, older, root)
}
