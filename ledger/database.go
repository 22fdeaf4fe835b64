package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// databaseExists reports whether there is a database, with or without a
// ledger in it.
func databaseExists(cfg Config) (bool, error) {
	desc, err := pebble.Peek(cfg.Dir, cfg.FS)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look into %s: %w", cfg.Dir, err)
	}
	return desc.Exists, nil
}

// hasHead reports whether the database holds a ledger. It changes nothing.
func hasHead(cfg Config) (bool, error) {
	db, err := openDatabase(cfg, true, nil)
	if err != nil {
		return false, err
	}
	defer db.Close()
	_, err = get(db, keyHead)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// openDatabase opens the database, and says in our words what keeps it shut.
// Its tables are compacted while compact is set. A stopped ledger has left work of
// this kind, and it is the disk's: each sync of those that Open makes would wait
// for it. Nil: they are not compacted.
func openDatabase(cfg Config, readOnly bool, compact *atomic.Bool) (*pebble.DB, error) {
	o := pebbleOptions(cfg)
	o.ReadOnly = readOnly
	o.CompactionConcurrencyRange = func() (lower, upper int) {
		if compact != nil && compact.Load() {
			return 1, 1
		}
		return 0, 1 // none, unless there is very much to do
	}
	db, err := pebble.Open(cfg.Dir, o)
	switch err = inUse(cfg, err); {
	case err == nil:
		return db, nil
	case errors.Is(err, errInUse):
		return nil, err
	case pebble.IsCorruptionError(err):
		return nil, damaged(cfg.Dir, err)
	}
	return nil, fmt.Errorf("open database: %s", err)
}

// errInUse: the database is open already.
var errInUse = errors.New("stop it first")

// inUse says in our words that a lock is held.
func inUse(cfg Config, err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("another process has %s open, perhaps onus serve: %w", cfg.Dir, errInUse)
	}
	return err
}

func pebbleOptions(cfg Config) *pebble.Options {
	o := &pebble.Options{
		FS:     cfg.FS,
		Logger: pebbleLogger{cfg},
		// A damaged file is an error of the read that met it, and not the end
		// of the process: Check must be able to say what is damaged.
		EventListener: &pebble.EventListener{DataCorruption: func(info pebble.DataCorruptionInfo) {
			cfg.Logger.Error("a database file is damaged: keep it as evidence and restore a backup", "path", info.Path, "err", info.Details.Error())
		}},
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       32 << 20,
		CacheSize:          64 << 20,
	}
	// Looking up whether an id is known is a read that nearly always misses.
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// pebbleLogger ends the process where Pebble cannot go on: a Fatalf that
// returned would leave its commit pipeline stuck.
type pebbleLogger struct{ cfg Config }

func (pebbleLogger) Infof(string, ...any) {}
func (l pebbleLogger) Errorf(format string, args ...any) {
	l.cfg.Logger.Error("database", "err", fmt.Sprintf(format, args...))
}
func (l pebbleLogger) Fatalf(format string, args ...any) {
	// Pebble formats errors with %+v, which would print where it was.
	for i, a := range args {
		if err, ok := a.(error); ok {
			args[i] = err.Error()
		}
	}
	l.cfg.Fatal(fmt.Errorf(strings.ReplaceAll(format, "%+v", "%v"), args...))
	panic("ledger: Fatal returned")
}
