package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier/tree"
)

// heldGuard is a guard in memory.
type heldGuard struct {
	mu    sync.Mutex
	saved []byte   // under mu
	err   error    // under mu: what Save returns
	all   [][]byte // under mu: all that was saved
}

func (g *heldGuard) String() string { return "the guard" }

func (g *heldGuard) Load() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.saved == nil {
		return nil, fs.ErrNotExist
	}
	return g.saved, nil
}

func (g *heldGuard) Save(b []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	g.saved = bytes.Clone(b)
	g.all = append(g.all, g.saved)
	return nil
}

func (g *heldGuard) size(t *testing.T, key tree.LogKey) int64 {
	t.Helper()
	b, err := g.Load()
	if err != nil {
		t.Fatal(err)
	}
	cp, err := key.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	return cp.Size
}

// now returns what it holds, and first what was saved first, also while the
// ledger runs.
func (g *heldGuard) now() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.saved
}

func (g *heldGuard) first() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all[0]
}

func guarded(t *testing.T, fs vfs.FS) (*harness, *heldGuard) {
	g := &heldGuard{}
	return newHarness(t, fs, func(c *Config) { c.Guard = g }), g
}

// guarded2 is guarded for a log with another key.
func guarded2(t *testing.T, key ed25519.PrivateKey) (*harness, *heldGuard) {
	g := &heldGuard{}
	return newHarness(t, nil, func(c *Config) { c.Guard, c.Signer = g, key }), g
}

// copyOf copies the database of a stopped ledger.
func copyOf(t *testing.T, from vfs.FS) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	if ok, err := vfs.Clone(from, to, "db", "db"); err != nil || !ok {
		t.Fatalf("copy: %v, %v", ok, err)
	}
	return to
}

// A ledger makes its guard, keeps it, and opens with it.
func TestGuardFollows(t *testing.T) {
	h, g := guarded(t, nil)
	if got := g.size(t, h.key); got < 1 {
		t.Errorf("after Create the guard has size %d", got)
	}
	h.grow(300)
	h.close()
	if got := g.size(t, h.key); got != 304 {
		t.Errorf("after Close the guard has size %d, want 304", got)
	}
	h.open()
	h.submit(nil)
	h.reopen()
	h.checkLog()
	if s := h.ledger.Status(); !s.HasGuard || s.Guarded != 305 || s.GuardErr != nil {
		t.Errorf("status %+v", s)
	}
}

// A guard that is behind, as after a crash, is no obstacle, and catches up at
// once.
func TestGuardBehind(t *testing.T) {
	h, g := guarded(t, nil)
	early := g.first()
	h.grow(300)
	h.close()
	g.saved = early
	h.open()
	if got := g.size(t, h.key); got != 304 {
		t.Errorf("after Open the guard has size %d, want 304", got)
	}
}

// An old copy of the database, put back, is refused, and so is one that was
// made to grow elsewhere.
func TestGuardRefuses(t *testing.T) {
	mem := vfs.NewMem()
	h, g := guarded(t, mem)
	h.grow(10)
	h.close()
	old := copyOf(t, mem)
	h.open()
	h.grow(10)
	h.close()
	newest := g.saved

	wantHistory := func(what string, cfg Config, forked bool) *HistoryError {
		t.Helper()
		l, err := Open(cfg)
		var he *HistoryError
		if !errors.As(err, &he) || he.Forked != forked {
			t.Fatalf("%s: %v, %v; want a HistoryError, forked %v", what, l, err, forked)
		}
		if _, err := h.key.Open(he.Signed); err != nil {
			t.Errorf("%s: what was seen is no evidence: %v", what, err)
		}
		return he
	}
	back := h.on(copyOf(t, old))
	he := wantHistory("an old copy", back.cfg, false)
	if he.Size != 14 || he.Seen != 24 || !strings.Contains(he.Error(), "restore the copy that has at least 24 entries") {
		t.Errorf("%+v: %v", he, he)
	}
	if !bytes.Equal(g.saved, newest) {
		t.Error("what was refused moved the guard")
	}

	// Without its guard the copy grows as a log of its own: a fork.
	for n, forked := range map[int]bool{5: false, 10: true, 15: true} {
		other := h.on(copyOf(t, old))
		other.cfg.Guard = nil
		other.open()
		other.grow(n)
		other.close()
		other.cfg.Guard = g
		wantHistory("a copy that grew", other.cfg, forked)
	}
	// The newest copy still opens.
	h.open()
	h.checkLog()
}

// A guard that is missing must be accepted by word, once.
func TestGuardMissing(t *testing.T) {
	h, g := guarded(t, nil)
	h.close()
	g.saved = nil
	if l, err := Open(h.cfg); !errors.Is(err, ErrNoGuard) {
		t.Fatalf("Open: %v, %v; want ErrNoGuard", l, err)
	}
	h.cfg.AcceptMissingGuard = true
	h.open()
	if got := g.size(t, h.key); got != 4 {
		t.Errorf("the guard that was made has size %d", got)
	}
	h.close()
	h.cfg.AcceptMissingGuard = false
	h.open()
}

// A guard that holds anything but this log's checkpoint is refused, also with
// the word that one is missing.
func TestGuardDamaged(t *testing.T) {
	h, g := guarded(t, nil)
	h.close()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, other := guarded2(t, priv)
	for _, text := range []string{"", string(other.now()), "no note\n", string(g.saved[1:]), strings.Replace(string(g.saved), "\n4\n", "\n5\n", 1)} {
		g.saved = []byte(text)
		for _, accept := range []bool{false, true} {
			h.cfg.AcceptMissingGuard = accept
			if l, err := Open(h.cfg); err == nil || !strings.Contains(err.Error(), "is not a checkpoint of this log") {
				t.Errorf("%.20q, accept %v: %v, %v", text, accept, l, err)
			}
		}
	}
}

// A new ledger does not take over the guard of another.
func TestCreateFindsGuard(t *testing.T) {
	_, g := guarded(t, nil)
	h := bareHarness(t, nil, func(c *Config) { c.Guard = g })
	if l, err := Create(h.cfg, h.genesis()); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Fatalf("Create: %v, %v", l, err)
	}
	h.cfg.Guard = &heldGuard{}
	h.create()
}

// A guard that cannot be written is said to be so, and stops nobody.
func TestGuardFails(t *testing.T) {
	h, g := guarded(t, nil)
	g.mu.Lock()
	g.err = errors.New("the disk is full")
	g.mu.Unlock()
	h.grow(20)
	h.stop()
	h.stop = func() {}
	if s := h.ledger.Status(); s.GuardErr == nil || s.Guarded >= s.Size {
		t.Errorf("status %+v", s)
	}
}

// While a sync hangs, the guard has no head that is not durable.
func TestGuardNeverAhead(t *testing.T) {
	gt, fs := newGate(vfs.NewMem())
	defer gt.open()
	h, g := guarded(t, fs)
	for range 3 {
		durable := h.ledger.Size()
		gt.shut()
		done := make(chan struct{})
		r := h.record(nil)
		go func() {
			defer close(done)
			h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope})
		}()
		gt.await()
		if err := h.ledger.saveGuard(h.ledger.head.Load()); err != nil {
			t.Fatal(err)
		}
		if got := g.size(t, h.key); got > durable {
			t.Errorf("the guard has size %d, durable are %d", got, durable)
		}
		gt.open()
		<-done
	}
}

// The file is whole at each moment, and its owner's alone.
func TestFileGuard(t *testing.T) {
	dir := t.TempDir()
	g := FileGuard(filepath.Join(dir, "guard"))
	if _, err := g.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of nothing: %v", err)
	}
	for _, text := range []string{"a\n", strings.Repeat("longer\n", 100), "b\n"} {
		if err := g.Save([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := g.Load(); err != nil || string(got) != text {
			t.Errorf("Load = %.20q, %v", got, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the folder has %v, %v; want the guard alone", files, err)
	}
	info, err := os.Stat(filepath.Join(dir, "guard"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "guard"), make([]byte, tree.MaxCheckpoint+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Load(); err == nil || !strings.Contains(err.Error(), "is no checkpoint") {
		t.Errorf("Load of a long file: %v", err)
	}
	if err := FileGuard(filepath.Join(dir, "none", "guard")).Save([]byte("x")); err == nil {
		t.Error("Save into a folder that is not there succeeded")
	}
}

// A log that was succeeded is opened by nobody, and what it was can be read.
func TestSucceeded(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(5)
	newest := h.ledger.Checkpoint()
	if _, _, err := ReadGenesis(h.cfg); err == nil {
		t.Error("the genesis of a running ledger was read from beside it")
	}
	h.close()
	if err := MarkSucceeded(h.cfg, "not an origin"); err == nil {
		t.Error("a name that is no origin was taken")
	}
	for range 2 {
		if err := MarkSucceeded(h.cfg, "example.com/next"); err != nil {
			t.Fatal(err)
		}
	}
	var gone *SucceededError
	if err := MarkSucceeded(h.cfg, "example.com/other"); !errors.As(err, &gone) || gone.Successor != "example.com/next" {
		t.Errorf("marked for another successor: %v", err)
	}
	if l, err := Open(h.cfg); !errors.As(err, &gone) || gone.Successor != "example.com/next" {
		t.Errorf("Open: %v, %v; want that it was succeeded", l, err)
	}
	gen, cp, err := ReadGenesis(h.cfg)
	if err != nil || gen.Msg.GetGenesis().GetLogKey() != h.key.String() || !bytes.Equal(cp, newest) {
		t.Errorf("ReadGenesis = %v, %q, %v", gen, cp, err)
	}
	h.checkRows()
}
