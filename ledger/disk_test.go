package ledger

import (
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// isLogSync reports whether op makes the write-ahead log durable.
func isLogSync(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return strings.HasSuffix(op.Path, ".log")
	}
	return false
}

// gate is a disk whose syncs of the write-ahead log hang while it is shut.
type gate struct {
	mu      sync.Mutex
	cond    sync.Cond
	closed  bool // under mu
	waiting int  // under mu: syncs that hang
}

// newGate wraps fs; the gate is open.
func newGate(fs vfs.FS) (*gate, vfs.FS) {
	g := &gate{}
	g.cond.L = &g.mu
	return g, errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if isLogSync(op) {
			g.pass()
		}
		return nil
	}))
}

func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting++
	g.cond.Broadcast()
	for g.closed {
		g.cond.Wait()
	}
	g.waiting--
}

// shut makes syncs hang from now on.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
	g.cond.Broadcast()
}

// await returns when a sync hangs.
func (g *gate) await() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.waiting == 0 {
		g.cond.Wait()
	}
}
