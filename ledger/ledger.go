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
// A user's token that comes beside a record is verified at admission as well,
// with the newest key set of its issuer in the log. It is the one place where a
// caller may wait for somebody outside: a key that the log does not know is
// fetched, and logged before it is used.
//
// # What the ledger says itself
//
// Key sets, trust bundles, reads, and rejections of what revoked parties send
// are records like all others, signed with the host's key, which genesis
// names. All but rejections come through the queue. A rejection takes the place
// of the record that it refuses, so apply makes it, and all of it follows from
// that record and the log.
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
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
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
	// HostKey is the Ed25519 key that the genesis names for what the ledger
	// says itself: key sets and trust bundles that it fetched, rejections,
	// reads. Nil: it says nothing.
	HostKey crypto.Signer
	// Keys fetches the public keys of issuers of users' tokens; nil: tokens
	// are checked with the key sets that are in the log.
	Keys KeySource
	// Audience is what a user's token that was exchanged for the ledger
	// names as its audience; empty means the log's origin.
	Audience string
	// ContentKey, 32 bytes, wraps the keys of stored contents and names.
	ContentKey []byte
	// Guard keeps the newest checkpoint outside the database, and Open refuses
	// a database that is behind it or does not fit it. Nil: there is no guard,
	// and an old copy of the database is taken for the newest. That is for
	// tests, and for logs that live and die with their process.
	Guard Guard
	// AcceptMissingGuard has Open make a guard anew where it holds nothing:
	// that the database is the newest copy is then the caller's word.
	AcceptMissingGuard bool
	// Witnesses is the policy whose witnesses are asked to cosign, each at its
	// address, while Run runs; Open compares the database with what they have
	// seen. Nil: no witnesses.
	Witnesses *tree.Policy
	// Clock proposes log times; nil means time.Now.
	Clock func() time.Time
	// Logger hears what an operator should know; nil means silence.
	Logger *slog.Logger
	// Queue is how many records may be on their way at a time, those that are
	// being checked among them; 0 means 8,192.
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

// hostRoom is the room in the queue for what the host itself says.
const hostRoom = 256

// Ledger is an open log. All methods are safe for concurrent use, except that
// Run is called once.
type Ledger struct {
	cfg Config
	db  *pebble.DB
	// compact lets the database compact its tables: once the ledger is open.
	compact *atomic.Bool
	signer  tree.LogSigner
	host    *host // nil without a host key
	vault   *vault
	index   *index
	tiles   *tileCache
	guard   *guardKeeper
	// witnesses is set by Create and Open, last.
	witnesses *witnessing

	// registry is the history of bindings. The goroutine of Run adds to it,
	// ahead of the durable head; readers ask it only below the head.
	registry *registry.Registry
	// signatures checks what comes in.
	signatures *signatures

	// head is the durable head. Only commit stores it, after the sync.
	head atomic.Pointer[head]

	// growing is the state that apply advances. It belongs to the goroutine
	// of Run (and to Create and Open before that).
	growing growing

	// admitting counts those between begin and end, and settled says that there
	// are none any more.
	admitting atomic.Int64
	settled   chan struct{}
	// underway counts the records between enter and their answer.
	underway atomic.Int64
	// queue holds admitted records. A send needs accepting.RLock, so that
	// Run, which closes the door under accepting.Lock, misses none.
	queue     chan *pending
	accepting sync.RWMutex
	stopped   bool // under accepting
	running   atomic.Bool
	// fetches holds, for each issuer, the turn to fetch its keys.
	fetches fetches
	// unchecked counts the users' tokens that could not be checked.
	unchecked atomic.Int64
	knocks    *knocks
	// closing ends what goes on beside Run; beside waits for it.
	closing context.Context
	close   context.CancelFunc
	beside  sync.WaitGroup
	// batchTime is how long the last batch took, for retry hints.
	batchTime atomic.Int64
	// opened is when; committed is how long after that the newest commit was, and
	// logged and refused are counted since. See Vitals.
	opened          time.Time
	committed       atomic.Int64
	logged, refused atomic.Int64
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
	h, err := newHost(cfg, genesis.Msg)
	if err != nil {
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	if err := noGuardYet(cfg.Guard); err != nil {
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	l, err := open(cfg, true)
	if err != nil {
		return nil, err
	}
	l.signer, l.host = signer, h
	l.head.Store(&head{root: tree.Empty, next: make(chan struct{})})
	l.growing = l.newGrowing(newTreeState(), 0)
	p := newPending(genesis, key)
	l.underway.Add(1)
	l.commit([]*pending{p})
	if err := (<-p.done).err; err != nil {
		l.db.Close()
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	if l.cfg.Guard != nil {
		err = l.saveGuard(l.head.Load())
	}
	if err == nil {
		l.witnesses, err = newWitnessing(l, l.cfg.Witnesses)
	}
	if err != nil {
		l.db.Close()
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	l.compact.Store(true)
	return l, nil
}

// Open opens the ledger that is there. It returns an error that wraps
// [ErrNotExist] where none is. It checks the right edge of the tree against
// the signed head, and the log key against genesis. Then it compares the log
// with the guard and with the witnesses, and returns a *[HistoryError] where one
// of these has seen more, or another log; an error that wraps [ErrNoGuard] where
// the guard holds nothing; and a *[SucceededError] for a log that was given up.
func Open(cfg Config) (*Ledger, error) {
	l, err := open(cfg, false)
	if err != nil {
		return nil, err
	}
	err = l.recover()
	if err == nil {
		err = l.checkGuard()
	}
	if err == nil {
		l.witnesses, err = newWitnessing(l, l.cfg.Witnesses)
	}
	if err == nil {
		if err = l.witnesses.check(l.closing); err != nil {
			l.witnesses.disconnect()
		}
	}
	if err == nil && l.cfg.Guard != nil {
		err = l.saveGuard(l.head.Load())
	}
	if err != nil {
		l.close()
		l.beside.Wait()
		l.db.Close()
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l.compact.Store(true)
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
	case !create && there:
		// Before the database is opened, which changes files.
		if err := refuseSucceeded(cfg); err != nil {
			return nil, err
		}
	case !create && !there:
		return nil, fmt.Errorf("%w: %s", ErrNotExist, cfg.Dir)
	case create && there:
		if begun, err := hasHead(cfg); err != nil {
			return nil, err
		} else if begun {
			return nil, fmt.Errorf("%w: %s", ErrExists, cfg.Dir)
		}
	}
	compact := new(atomic.Bool)
	db, err := openDatabase(cfg, false, compact)
	if err != nil {
		return nil, err
	}
	if !create {
		// Again, now that nobody else has the database: MarkSucceeded may have
		// had it until a moment ago.
		if err := refuseSucceeded(cfg); err != nil {
			db.Close()
			return nil, err
		}
	}
	v.db = db
	l := &Ledger{
		cfg:      cfg,
		db:       db,
		compact:  compact,
		vault:    v,
		tiles:    new(tileCache),
		guard:    new(guardKeeper),
		registry: registry.New(),
		queue:    make(chan *pending, cfg.Queue+hostRoom),
		settled:  make(chan struct{}, 1),
		opened:   time.Now(),
	}
	l.signatures = newSignatures(maxExpandedKeys)
	l.index = newIndex(cfg, db)
	l.knocks = newKnocks(db, cfg.Logger, l.knockRoom)
	l.closing, l.close = context.WithCancel(context.Background())
	return l, nil
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
	l.close()
	l.beside.Wait()
	err := errors.Join(l.index.flush(), l.knocks.flush())
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

// Checkpoint returns the newest durable checkpoint, a note with the log's
// signature alone. [Ledger.CosignedCheckpoint] is that with cosignatures.
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
