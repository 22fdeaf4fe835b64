// Package ledger is one append-only log of signed records: it admits them,
// orders them, commits them to a Pebble database with one sync a batch, and
// proves them.
//
// # A record's way to disk
//
// [Ledger.Submit] runs in its caller's goroutine. It parses the record and
// checks its signature against the registry at the durable head: admission.
// Then it queues the record and waits. One goroutine, [Ledger.Run], takes all
// that is waiting (order), gives each record its index, log time and stamp
// and grows the tree (apply), signs the new checkpoint, and writes entries,
// hashes, ids, contents and head in one Pebble batch with one sync (commit).
// While batch k syncs, batch k+1 gathers in the queue; there is no timer, so
// an idle ledger answers in about one sync.
//
// # The durable head
//
// Pebble shows a batch to readers before its sync returns. So no reader takes
// the size of the log from Pebble: each takes it from the durable head, which
// advances in memory only when the sync has returned, and reads nothing at or
// beyond it. No checkpoint signature leaves earlier either.
//
// # When the disk fails
//
// A commit that failed, or whose outcome is unknown, ends the process: what
// reached the disk is found out by opening the database again, with the code
// of normal operation. Nothing is guessed.
package ledger

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Config says where a ledger is and which keys it has.
type Config struct {
	// Dir holds the database.
	Dir string
	// FS is the file system; nil means the disk.
	FS vfs.FS
	// Signer is the log's Ed25519 key.
	Signer crypto.Signer
	// ContentKey, 32 bytes, wraps the keys of stored contents and names.
	ContentKey []byte
	// Clock proposes log times; nil means time.Now.
	Clock func() time.Time
	// Logger hears what an operator should know; nil means silence.
	Logger *slog.Logger
	// Queue is how many admitted records may wait; 0 means 8,192.
	Queue int
	// MaxBatch is how many records one commit may hold; 0 means 512.
	MaxBatch int
	// Fatal is called when a commit failed or its outcome is unknown, or the
	// database is damaged where it cannot go on, and must not return; nil
	// logs and exits the process with status 70.
	Fatal func(error)
}

func (c Config) withDefaults() Config {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Queue == 0 {
		c.Queue = 8192
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 512
	}
	if c.Fatal == nil {
		log := c.Logger
		c.Fatal = func(err error) {
			log.Error("the database cannot go on: stopping; open the ledger again to recover, or run onus fsck", "err", err.Error())
			os.Exit(70)
		}
	}
	return c
}

// Ledger is an open log. All methods are safe for concurrent use, except that
// Run is called once.
type Ledger struct {
	cfg    Config
	db     *pebble.DB
	signer tree.LogSigner
	vault  *vault
	index  *index
	tiles  *tileCache

	// registry is the history of bindings. The goroutine of Run adds to it,
	// ahead of the durable head; readers ask it only below the head.
	registry *registry.Registry

	// head is the durable head. Only commit stores it, after the sync.
	head atomic.Pointer[head]

	// growing is the state that apply advances. It belongs to the goroutine
	// of Run (and to Create and Open before that).
	growing growing

	// queue holds admitted records. A send needs accepting.RLock, so that
	// Run, which closes the door under accepting.Lock, misses none.
	queue     chan *pending
	accepting sync.RWMutex
	stopped   bool // under accepting
	running   atomic.Bool
	// batchTime is how long the last batch took, for retry hints.
	batchTime atomic.Int64
}

// Errors that callers compare.
var (
	// ErrExists: Create found a ledger.
	ErrExists = errors.New("a ledger is already there")
	// ErrNotExist: Open found none.
	ErrNotExist = errors.New("there is no ledger")
	// ErrStopped: the ledger takes no more records.
	ErrStopped = errors.New("the ledger is shutting down")
	// ErrNotFound: no record with that id or index, as of the durable head.
	ErrNotFound = errors.New("no such record")
)

// BusyError says that the queue is full.
type BusyError struct{ RetryAfter time.Duration }

func (e *BusyError) Error() string {
	return fmt.Sprintf("the ledger's queue is full: try again in %v", e.RetryAfter)
}

// CorruptionError says that the database disagrees with itself.
type CorruptionError struct {
	Key, What string
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("the database is damaged at %s: %s: restore a backup", e.Key, e.What)
}

// Create makes a new ledger whose entry 0 is the genesis record, and opens
// it. It returns an error that wraps [ErrExists] where a ledger is.
//
// A database without a head is what a Create that was cut off left behind:
// Create takes it over, and to Open it is no ledger.
func Create(cfg Config, genesis *record.Record) (*Ledger, error) {
	// What can be refused is refused before anything is made.
	key, err := registry.New().Authenticate(genesis, 0)
	if err != nil {
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	signer, err := newLogSigner(cfg.Signer, genesis.Msg.GetGenesis().GetLogKey())
	if err != nil {
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	l, err := open(cfg, true)
	if err != nil {
		return nil, err
	}
	l.signer = signer
	l.head.Store(&head{root: tree.Empty, next: make(chan struct{})})
	l.growing = newGrowing(l.registry)
	p := newPending(genesis, key)
	l.commit([]*pending{p})
	if err := (<-p.done).err; err != nil {
		l.db.Close()
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	return l, nil
}

// Open opens the ledger that is there. It returns an error that wraps
// [ErrNotExist] where none is. It checks the right edge of the tree against
// the signed head, and the log key against genesis.
func Open(cfg Config) (*Ledger, error) {
	l, err := open(cfg, false)
	if err != nil {
		return nil, err
	}
	if err := l.recover(); err != nil {
		l.db.Close()
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return l, nil
}

func open(cfg Config, create bool) (*Ledger, error) {
	cfg = cfg.withDefaults()
	v, err := newVault(cfg.ContentKey)
	if err != nil {
		return nil, err
	}
	there, err := databaseExists(cfg)
	if err != nil {
		return nil, err
	}
	switch {
	case !create && !there:
		return nil, fmt.Errorf("%w: %s", ErrNotExist, cfg.Dir)
	case create && there:
		if begun, err := hasHead(cfg); err != nil {
			return nil, err
		} else if begun {
			return nil, fmt.Errorf("%w: %s", ErrExists, cfg.Dir)
		}
	}
	db, err := openDatabase(cfg, false)
	if err != nil {
		return nil, err
	}
	v.db = db
	l := &Ledger{
		cfg:      cfg,
		db:       db,
		vault:    v,
		tiles:    new(tileCache),
		registry: registry.New(),
		queue:    make(chan *pending, cfg.Queue),
	}
	l.index = newIndex(db, cfg.Logger)
	return l, nil
}

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
	db, err := openDatabase(cfg, true)
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
func openDatabase(cfg Config, readOnly bool) (*pebble.DB, error) {
	o := pebbleOptions(cfg)
	o.ReadOnly = readOnly
	db, err := pebble.Open(cfg.Dir, o)
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EWOULDBLOCK):
		return nil, fmt.Errorf("another process has %s open, perhaps onus serve: stop it first", cfg.Dir)
	case pebble.IsCorruptionError(err):
		return nil, damaged(cfg.Dir, err)
	}
	return nil, fmt.Errorf("open database: %s", err)
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

// newLogSigner makes the log's signer, which must be the one that genesis names.
func newLogSigner(k crypto.Signer, vkey string) (tree.LogSigner, error) {
	key, err := tree.ParseLogKey(vkey)
	if err != nil {
		return tree.LogSigner{}, fmt.Errorf("genesis: %w", err)
	}
	s, err := tree.NewLogSigner(key.Origin(), k)
	if err != nil {
		return tree.LogSigner{}, err
	}
	if s.Key().String() != vkey {
		return tree.LogSigner{}, fmt.Errorf("the log key given is %s, but genesis names %s", s.Key(), vkey)
	}
	return s, nil
}

// Close writes what is derived and closes the database. Run must have
// returned, and no method may be called afterwards.
func (l *Ledger) Close() error {
	l.accepting.Lock()
	l.stopped = true
	l.accepting.Unlock()
	err := l.index.flushAll()
	// Flushed tables make the next Open quick: nothing is left to replay.
	err = errors.Join(err, l.db.Flush(), l.db.Close())
	if err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}

// LogKey returns the log's verifier key.
func (l *Ledger) LogKey() tree.LogKey { return l.signer.Key() }

// Size returns the durable size.
func (l *Ledger) Size() int64 { return l.head.Load().size }

// Checkpoint returns the newest durable checkpoint, a signed note.
func (l *Ledger) Checkpoint() []byte { return l.head.Load().checkpoint }

// Registry returns the history of bindings. Ask it only about indices up to
// [Ledger.Size].
func (l *Ledger) Registry() *registry.Registry { return l.registry }

// Wait returns when the log has more than size entries, or with ctx's error.
func (l *Ledger) Wait(ctx context.Context, size int64) error {
	for {
		h := l.head.Load()
		if h.size > size {
			return nil
		}
		select {
		case <-h.next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
