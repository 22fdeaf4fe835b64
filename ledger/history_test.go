package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/onus-ledger/onus/verifier/tree"
)

// A copy that the guard lets pass and a witness refuses leaves the guard as it
// was: else the right copy would be refused after it.
func TestRefusedCopyLeavesGuard(t *testing.T) {
	mem := vfs.NewMem()
	w := newWatched(t, mem, true)
	w.settle()
	early := w.ledger.Checkpoint()
	w.close()
	fork := w.on(copyOf(t, mem))
	w.open()
	w.grow(20)
	w.settle()
	w.close()
	fork.cfg.Witnesses = nil
	fork.open()
	fork.grow(3)
	fork.close()

	g := &heldGuard{saved: early}
	fork.cfg.Witnesses, fork.cfg.Guard = w.policy, g
	var he *HistoryError
	if l, err := Open(fork.cfg); !errors.As(err, &he) {
		t.Fatalf("Open of a fork: %v, %v", l, err)
	}
	if !bytes.Equal(g.saved, early) {
		t.Errorf("a copy that was refused put its own tree into the guard:\n%s", g.saved)
	}
	w.cfg.Guard = g
	w.open()
}

// Two copies of a log are opened at once with one guard. The one that comes
// second to it is told so, and does not cover up the first one's history.
func TestTwoCopiesOneGuard(t *testing.T) {
	mem := vfs.NewMem()
	h, g := guarded(t, mem)
	h.close()
	other := h.on(copyOf(t, mem))
	h.open()
	other.open()
	defer other.close()
	h.grow(3)
	h.stop()
	h.stop = func() {}
	first := g.now()
	other.grow(5)
	other.stop()
	other.stop = func() {}
	if !bytes.Equal(g.now(), first) {
		t.Error("the other copy wrote over the guard")
	}
	if err := other.ledger.Status().GuardErr; err == nil || !strings.Contains(err.Error(), "another copy of this log is being signed") {
		t.Errorf("status of the other copy: %v", err)
	}
	other.close()
	var he *HistoryError
	if l, err := Open(other.cfg); !errors.As(err, &he) || !he.Forked {
		t.Errorf("Open of the other copy: %v, %v", l, err)
	}
}

// A guard that was put back from before, or was removed, is written anew; one
// that is no checkpoint of this log is left for people to look at.
func TestGuardChangedMeanwhile(t *testing.T) {
	h, g := guarded(t, nil)
	early := g.first()
	for _, saved := range [][]byte{early, nil} {
		h.grow(2)
		h.close()
		h.open()
		g.mu.Lock()
		g.saved = saved
		g.mu.Unlock()
		h.grow(2)
		h.close()
		h.cfg.AcceptMissingGuard = false
		h.open()
		if s := h.ledger.Status(); s.Guarded != s.Size || s.GuardErr != nil {
			t.Errorf("status %+v", s)
		}
	}
	g.mu.Lock()
	g.saved = []byte("not ours\n")
	g.mu.Unlock()
	h.grow(2)
	h.stop()
	h.stop = func() {}
	if s := h.ledger.Status(); s.GuardErr == nil || string(g.saved) != "not ours\n" {
		t.Errorf("status %+v; the guard has %q", s, g.saved)
	}
}

// A guard whose disk hangs holds up neither acknowledgements nor those who ask
// how it is.
func TestGuardHangs(t *testing.T) {
	g := &hungGuard{begun: make(chan struct{}, 1), end: make(chan struct{})}
	h := newHarness(t, nil, func(c *Config) { c.Guard = g })
	g.hang.Store(true)
	h.grow(1)
	<-g.begun
	h.grow(50)
	if s := h.ledger.Status(); s.Guarded >= s.Size {
		t.Errorf("status %+v", s)
	}
	close(g.end)
	h.close()
	if got := g.size(t, h.key); got != 55 {
		t.Errorf("after Close the guard has size %d, want 55", got)
	}
}

type hungGuard struct {
	heldGuard
	hang  atomic.Bool
	begun chan struct{}
	end   chan struct{}
}

func (g *hungGuard) Save(b []byte) error {
	if g.hang.Load() {
		select {
		case g.begun <- struct{}{}:
		default:
		}
		<-g.end
	}
	return g.heldGuard.Save(b)
}

// That the guard fails is said once, and once that it no longer does.
func TestGuardFailureIsToldOnce(t *testing.T) {
	var out bytes.Buffer
	l := &Ledger{cfg: Config{Logger: slog.New(slog.NewTextHandler(&out, nil))}}
	full, other := errors.New("the disk is full"), fmt.Errorf("write: %w", &HistoryError{Where: "the guard"})
	state := ""
	for _, err := range []error{nil, full, full, full, other, other, nil, nil} {
		state = l.tellGuard(state, 1, err)
	}
	for text, want := range map[string]int{"could pass for the newest": 1, "another copy of the log has the same guard": 1, "is written again": 1, "level=": 3} {
		if got := strings.Count(out.String(), text); got != want {
			t.Errorf("%q is said %d times, want %d:\n%s", text, got, want, &out)
		}
	}
}

// What is at the guard's place must be a file: a link would be replaced by one
// on this disk.
func TestFileGuardIsAFile(t *testing.T) {
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	if err := FileGuard(elsewhere).Save([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	link, folder := filepath.Join(dir, "guard"), filepath.Join(dir, "folder")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "none"), dangling); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{link: "is a symbolic link", dangling: "is a symbolic link", folder: "is no file"} {
		g := FileGuard(path)
		if _, err := g.Load(); err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load of %s: %v", path, err)
		}
		if err := g.Save([]byte("b\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Save to %s: %v", path, err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
}

// A log is not marked as succeeded while somebody may sign it.
func TestMarkOfARunningLedger(t *testing.T) {
	h := newHarness(t, nil, nil)
	if err := MarkSucceeded(h.cfg, "example.com/next"); err == nil {
		t.Error("a running ledger was marked")
	}
	h.submit(nil)
	h.reopen()
}

// A mark that comes while the ledger is being opened still counts.
func TestMarkWhileOpening(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem, nil)
	h.close()
	var once sync.Once
	h.cfg.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpLock {
			once.Do(func() {
				cfg := h.cfg
				cfg.FS = mem
				if err := MarkSucceeded(cfg, "example.com/next"); err != nil {
					t.Error(err)
				}
			})
		}
		return nil
	}))
	var gone *SucceededError
	if l, err := Open(h.cfg); !errors.As(err, &gone) {
		t.Errorf("Open: %v, %v; want that it was succeeded", l, err)
	}
}

// A mark that lost its name keeps the log shut, and may be written again.
func TestMarkWithoutName(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem, nil)
	h.close()
	f, err := mem.Create(mem.PathJoin(h.cfg.Dir, succeededFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	var gone *SucceededError
	if l, err := Open(h.cfg); !errors.As(err, &gone) {
		t.Fatalf("Open: %v, %v", l, err)
	}
	if err := MarkSucceeded(h.cfg, "example.com/next"); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(h.cfg); !errors.As(err, &gone) || gone.Successor != "example.com/next" {
		t.Errorf("Open: %v, %v", l, err)
	}
}

// However many witnesses of earlier policies cosigned a tree, it stays one that
// can be read.
func TestCosignedByTooMany(t *testing.T) {
	w := newWatched(t, nil, false)
	w.settle()
	w.close()
	var size int64
	w.change(func(db *pebble.DB) error {
		row, err := get(db, keyHead)
		if err != nil {
			return err
		}
		h, _, err := parseHead(row)
		if err != nil {
			return err
		}
		size = h.size
		note := bytes.Clone(h.checkpoint)
		for i := range tree.MaxSignatures - 2 {
			note = fmt.Appendf(note, "— w%d.example.org %s\n", i, base64.StdEncoding.EncodeToString(make([]byte, 76)))
		}
		return db.Set(keyCosigned(size), note, nil)
	})
	for _, x := range w.ws {
		x.Lose()
	}
	w.open()
	w.settle()
	w.wantWitnessed(string(w.ledger.CosignedCheckpoint()), size)
	w.reopen()
	note, err := w.ledger.Cosigned(size)
	if err != nil {
		t.Fatal(err)
	}
	w.wantWitnessed(string(note), size)
}

// Thousands who wait are all released by one round, or say what is missing, and
// do not keep each other awake.
func TestThousandsWait(t *testing.T) {
	w := newWatched(t, nil, false)
	w.settle()
	w.down(false, 0, 1)
	got := w.grow(1000)
	const each = 10
	type answer struct {
		missing []string
		err     error
	}
	answers := make(chan answer)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	short, end := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer end()
	for _, g := range got {
		for i := range each {
			go func() {
				c := ctx
				if i == 0 {
					c = short
				}
				_, missing, err := w.ledger.WitnessReceipt(c, g.Receipt)
				answers <- answer{missing, err}
			}()
		}
	}
	for range got { // those whose time is over
		if a := <-answers; a.err != nil || len(a.missing) == 0 {
			t.Fatalf("with one of three up: %v, %v", a.missing, a.err)
		}
	}
	w.up(0)
	for range len(got) * (each - 1) {
		if a := <-answers; a.err != nil || len(a.missing) > 0 {
			t.Fatalf("with two of three up: %v, %v", a.missing, a.err)
		}
	}
}

// A witness whose cosignatures have a time that no calendar has is one that is
// missing: what it says must not make the state unreadable for others.
func TestWitnessWithoutAClock(t *testing.T) {
	w := newWatched(t, nil, false)
	w.settle()
	w.down(false, 1, 2)
	w.ws[0].Fault(func(rw http.ResponseWriter, r *http.Request) bool {
		cp, err := w.key.Open(w.ledger.Checkpoint())
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(rw, w.ws[0].Line(cp, 1<<62))
		return true
	})
	w.submit(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := w.ledger.witnesses.until(ctx, func() bool {
		s := w.ledger.witnesses.states[0]
		return s.Err != nil || s.Size == w.ledger.Size()
	})
	if s := w.ledger.Status().Witnesses[0]; err != nil || s.Err == nil || s.Time > 1<<40 {
		t.Errorf("%+v, %v", s, err)
	}
}
