package desk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/record"
)

// Errors that callers compare.
var (
	// ErrNotFound: no such record in the log.
	ErrNotFound = errors.New("no such record")
	// ErrNotShown: the log has the entry, and does not show it here.
	ErrNotShown = errors.New("the entry is not shown")
	// ErrDamaged: the log has an entry, or had it, and what is stored is not
	// that any more.
	ErrDamaged = errors.New("the log is damaged")
	// ErrCursor: a page's cursor is not of its query, or was changed.
	ErrCursor = errors.New("the page's cursor is not of this search")
)

// Desk answers questions about the cases of one log. All methods are safe for
// concurrent use, except that Run is called once.
type Desk struct {
	log Log
	db  *pebble.DB // nil: all is in memory

	// mu guards state, what hangs below it, and what follows it here. Run's
	// goroutine alone changes these, so it reads them without.
	mu    sync.RWMutex
	state *state
	// changed is closed, and replaced, when state was published, or Run ended.
	changed chan struct{}
	// wanted is the size that somebody waits for; hurry ends Run's waiting for
	// the log to be quiet, if it does.
	wanted int64
	hurry  context.CancelFunc
	// ended says that Run has, and why.
	ended bool
	err   error
	// secret keeps cursors from being made by others.
	secret [32]byte

	// What follows belongs to Run's goroutine.

	// caseOf holds the case of each entry, 0 for none; prefix the first four
	// bytes of its record's id. The part that is published is read by others:
	// elements of caseOf are changed under mu.
	caseOf, prefix []uint32
	// waiting are the entries that name a record which has not come; orphans
	// those that are about a record that is of no case.
	waiting map[record.ID][]int64
	orphans []int64
	// due are the cases that time alone can change, the soonest first.
	due deadlines
	// failed are the cases that could not be judged, and may be another time.
	failed map[uint32]bool
	// damage are the entries that could not be read, spoiltAt which these are.
	damage   damage
	spoiltAt map[int64]error
	// forged are the reviews that were passed over: see [Overview].
	forged damage
	// lastIndex is the newest entry that is shown, lastID its record, and
	// lastTime the newest log time.
	lastIndex, lastTime int64
	lastID              record.ID
	// cost is how long the last round took.
	cost time.Duration
	// stored is how much of the dictionary and of caseOf is in the database.
	stored struct {
		terms   term
		entries int64
	}
	// judged counts judgements.
	judged int
}

// state is what was published: all of it is as of one size. Slices and cases
// are replaced and not changed; the dictionary grows.
type state struct {
	terms *terms
	// cases by number, from 1; nil for one that was merged into another, which
	// alias names.
	cases []*kase
	alias map[uint32]uint32
	lives map[term]*life
	// caseOf and prefix as in [Desk], up to asOf.
	caseOf, prefix []uint32
	// asOf is the size, and time the log time of its newest entry.
	asOf, time     int64
	damage, forged damage
}

// find returns the case that a number stands for.
func (s *state) find(n uint32) uint32 {
	for {
		p, ok := s.alias[n]
		if !ok {
			return n
		}
		n = p
	}
}

// deadlines is a heap of cases by when they must be judged again. An item that
// is not its case's deadline any more is passed over.
type deadlines []deadline

type deadline struct {
	at int64
	n  uint32
}

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].at < d[j].at }
func (d deadlines) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *deadlines) Push(x any)        { *d = append(*d, x.(deadline)) }
func (d *deadlines) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// Rounds of Run.
const (
	// roundEntries is the most entries of one round.
	roundEntries = 1 << 16
	// A round begins when the log has been quiet for so long, or the second
	// time after it grew; for longer if rounds are costly, so that a chain that
	// grows by a record at a time is not judged for each.
	quiet    = 150 * time.Millisecond
	patience = time.Second
	costly   = 8
)

// Open opens the desk whose database is in dir, and makes it where there is
// none, or where it is of another log or of other rules. With dir empty all is
// in memory. The directory is the desk's own: what it holds may be deleted.
func Open(dir string, log Log) (*Desk, error) {
	d := &Desk{log: log}
	if err := d.load(dir); err != nil {
		return nil, err
	}
	return d, nil
}

// empty sets the desk to have read nothing.
func (d *Desk) empty() {
	d.state = &state{terms: newTerms(), cases: []*kase{nil}, alias: map[uint32]uint32{}, lives: map[term]*life{}}
	d.changed = make(chan struct{})
	d.caseOf, d.prefix, d.waiting, d.orphans, d.due = nil, nil, map[record.ID][]int64{}, nil, nil
	d.failed, d.damage, d.spoiltAt, d.forged = map[uint32]bool{}, damage{}, map[int64]error{}, damage{}
	d.lastIndex, d.lastTime, d.lastID = -1, 0, record.ID{}
	d.stored.terms, d.stored.entries = 1, 0
}

// Run takes in what the log has, and what it gets, until ctx ends; then it
// returns nil. Any other error is that of [Log.Wait] or of the database, and ends it: the answers stay as
// of the size that they had. What cannot be read or judged is told, and does not
// end it.
func (d *Desk) Run(ctx context.Context) error {
	err := d.run(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	d.mu.Lock()
	d.ended, d.err = true, err
	close(d.changed)
	d.changed = make(chan struct{})
	d.mu.Unlock()
	return err
}

// Err returns the error that ended Run, which stays until the desk is opened
// again; nil while it runs, before it does, and after its context ended it.
func (d *Desk) Err() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.err
}

func (d *Desk) run(ctx context.Context) error {
	for first := true; ; first = false {
		taken := int64(len(d.caseOf))
		// What could not be judged the last time is tried again at once.
		if !first || len(d.failed) == 0 {
			if err := d.log.Wait(ctx, taken); err != nil {
				return fmt.Errorf("wait for entry %d: %w", taken, err)
			}
		}
		if !first {
			d.settle(ctx, taken)
		}
		if ctx.Err() != nil {
			return nil
		}
		began := time.Now()
		if err := d.advance(ctx, min(d.log.Size(), taken+roundEntries)); err != nil {
			return err
		}
		d.cost = time.Since(began)
	}
}

// settle waits until the log is quiet, or somebody waits for answers, or it has
// waited for long.
func (d *Desk) settle(ctx context.Context, taken int64) {
	ctx, cancel := context.WithTimeout(ctx, max(patience, costly*d.cost))
	defer cancel()
	d.mu.Lock()
	if d.wanted > taken {
		cancel()
	}
	d.hurry = cancel
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.hurry = nil
		d.mu.Unlock()
	}()
	for size := d.log.Size(); size-taken < roundEntries; size = d.log.Size() {
		still, stop := context.WithTimeout(ctx, max(quiet, costly*d.cost/2))
		err := d.log.Wait(still, size)
		stop()
		if err != nil {
			return
		}
	}
}

// Close closes the database. What was taken in and not judged is taken in again
// the next time. Run must have returned.
func (d *Desk) Close() error {
	if d.db == nil {
		return nil
	}
	return d.db.Close()
}

// AsOf returns the size of the log that all answers are as of, at least: every
// entry before it has been taken in, and every case that one of these could
// have changed has been judged as of that size or a later one.
func (d *Desk) AsOf() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.asOf
}

// CatchUp returns when the desk's answers are as of a size of at least size,
// or with ctx's error, or with that which ended Run. Tests and a fresh demo wait
// for it.
func (d *Desk) CatchUp(ctx context.Context, size int64) error {
	for {
		d.mu.Lock()
		asOf, ended, err, changed := d.state.asOf, d.ended, d.err, d.changed
		// What the log has not got yet is waited for as if nobody asked: else one
		// who asks for too much would have each record judged at once, for ever.
		if size <= d.log.Size() {
			if d.wanted = max(d.wanted, size); asOf < size && d.hurry != nil {
				d.hurry()
			}
		}
		d.mu.Unlock()
		switch {
		case asOf >= size:
			return nil
		case ended && err != nil:
			return fmt.Errorf("the desk stopped at %d of %d entries: %w", asOf, size, err)
		case ended:
			return fmt.Errorf("the desk was stopped at %d of %d entries", asOf, size)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Case returns the case that a record belongs to, or an error that wraps
// [ErrNotFound].
func (d *Desk) Case(id record.ID) (*Case, error) {
	index, err := d.log.Index(id)
	if err != nil {
		return nil, fmt.Errorf("find record %s: %w", id, err)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, err := d.caseAt(index)
	if err != nil {
		return nil, err
	}
	if n == 0 || d.state.cases[n] == nil || !d.state.cases[n].made {
		return nil, fmt.Errorf("entry %d belongs to no case: %w", index, ErrNotFound)
	}
	return d.state.expand(d.state.cases[n]), nil
}

// caseAt returns the case of an entry, or that of the nearest above it which has
// one; 0 if none has.
func (d *Desk) caseAt(index int64) (uint32, error) {
	for seen := map[int64]bool{}; ; {
		if index < 0 || index >= d.state.asOf {
			return 0, nil
		}
		if v := d.state.caseOf[index]; v != 0 {
			return d.state.find(v &^ attachedBit), nil
		}
		if seen[index] {
			return 0, nil // withheld links can form a circle
		}
		seen[index] = true
		e, err := d.log.Entry(index)
		if errors.Is(err, ErrNotShown) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read entry %d: %w", index, err)
		}
		if e.Record.Msg.GetParent() == "" {
			return 0, nil
		}
		up, err := d.log.Index(linkOf(e.Record.Msg.GetParent()))
		if errors.Is(err, ErrNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("look up the parent of entry %d: %w", index, err)
		}
		index = up
	}
}
