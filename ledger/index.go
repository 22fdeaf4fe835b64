package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/record"
)

// index answers where a record is, and which entries have a property. It is
// derived from the entries, and written behind the head: what is new stays in
// memory (the tail) until there is enough of it to write as one sorted run.
// The watermark, written with the run, says from which entry on the tail must
// be made again at Open.
//
// A run goes to the database as tables that are made here and taken in whole:
// its keys are hashes, which a write-ahead log, a memtable and a flush would
// each handle once more before compaction does.
type index struct {
	cfg Config
	db  *pebble.DB
	log *slog.Logger
	// limit is how many entries a tail holds before it is written.
	limit int

	// mu guards what follows. A reader holds it while it makes its cursors.
	mu sync.RWMutex
	// mark: entries below it are in the database.
	mark int64
	// frozen is a tail that is being written now; nil if none is.
	frozen *run
	tail   *run
	// known has all ids, once whole is set: until then those of before Open may
	// be missing.
	known sieve
	whole bool

	// full wakes the goroutine that writes tails.
	full chan struct{}
}

// tailEntries is the limit of a tail. Larger runs cost less compaction, and
// more work at Open after a crash: some 20 µs of a processor an entry.
const tailEntries = 16384

func newIndex(cfg Config, db *pebble.DB) *index {
	return &index{cfg: cfg, db: db, log: cfg.Logger, limit: tailEntries, tail: newRun(0), whole: true, full: make(chan struct{}, 1)}
}

// indexed is what the index takes of an entry.
type indexed struct {
	index    int64
	rec      *record.Record
	postings []posting
}

// add takes in the next entries. Called in log order, before the entries
// become part of the durable head.
func (x *index) add(es []indexed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range es {
		x.tail.add(e)
		x.known.add(e.rec.ID)
	}
	if x.tail.count >= x.limit && x.frozen == nil {
		select {
		case x.full <- struct{}{}:
		default:
		}
	}
}

// find returns the index of a record that was added.
func (x *index) find(id record.ID) (i int64, found bool, err error) { return x.findSince(id, 0) }

// findSince is find for who knows already that the record is not among the first
// size entries. That is mostly answered from memory.
func (x *index) findSince(id record.ID, size int64) (i int64, found bool, err error) {
	x.mu.RLock()
	if x.whole && x.known.lacks(id) {
		x.mu.RUnlock()
		return 0, false, nil
	}
	i, found = x.tail.ids[id]
	if !found && x.frozen != nil {
		i, found = x.frozen.ids[id]
	}
	stored := x.mark
	x.mu.RUnlock()
	if found || size >= stored {
		return i, found, nil
	}
	key := keyID(id)
	v, err := get(x.db, key)
	if err == pebble.ErrNotFound {
		return 0, false, nil
	}
	if err == nil {
		i, err = parseIndex(key, v)
	}
	return i, err == nil, err
}

// start runs the goroutine that writes full tails; stop ends it and waits.
func (x *index) start() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-x.full:
				if err := x.flush(); err != nil {
					// Derived rows can wait: the tail stays in memory and
					// the next flush tries again.
					x.log.Error("write index", "err", err)
					x.thaw()
				}
			case <-done:
				return
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// flush writes the tail as one sorted run.
func (x *index) flush() error {
	x.mu.Lock()
	if x.frozen != nil {
		x.mu.Unlock()
		return errors.New("ledger: a flush is under way")
	}
	if x.tail.count == 0 {
		x.mu.Unlock()
		return nil
	}
	x.frozen, x.tail = x.tail, newRun(x.tail.end)
	frozen := x.frozen
	x.mu.Unlock()

	if err := frozen.write(x.cfg, x.db); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	x.mu.Lock()
	x.mark, x.frozen = frozen.end, nil
	x.mu.Unlock()
	return nil
}

// thaw puts a tail that could not be written back in front of the new one.
func (x *index) thaw() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.frozen == nil {
		return
	}
	x.frozen.append(x.tail)
	x.tail, x.frozen = x.frozen, nil
}

// recover makes the tail again, from the watermark up to size.
func (x *index) recover(size int64, recordAt func(int64) (*record.Record, error)) error {
	v, err := get(x.db, keyWatermark)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		// Rows of no run that is known would stand between new ones.
		if err := dropDerived(x.db); err != nil {
			return fmt.Errorf("make the index anew: %w", err)
		}
	case err != nil:
		return fmt.Errorf("read watermark: %w", err)
	default:
		if x.mark, err = parseIndex(keyWatermark, v); err != nil {
			return err
		}
	}
	if x.mark > size {
		return &CorruptionError{Key: "watermark", What: fmt.Sprintf("is %d, beyond the log's %d entries", x.mark, size)}
	}
	x.tail, x.whole = newRun(x.mark), x.mark == 0
	for x.tail.end < size {
		es := make([]indexed, min(1024, size-x.tail.end))
		errs := make([]error, len(es))
		each(len(es), func(i int) {
			at := x.tail.end + int64(i)
			var r *record.Record
			if r, errs[i] = recordAt(at); errs[i] == nil {
				es[i] = indexed{at, r, postings(r.Msg)}
			}
		})
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		x.add(es)
		if x.tail.count >= x.limit {
			if err := x.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// learn reads the ids that were written before Open, so that the database need
// not be asked for those that it lacks. It takes about a second for three
// million entries, and runs beside everything else.
func (x *index) learn(ctx context.Context) error {
	x.mu.RLock()
	done := x.whole || x.mark > sieveRoom
	x.mu.RUnlock()
	if done {
		return nil
	}
	p := []byte{prefixID}
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: keyAfter(p)})
	if err != nil {
		return fmt.Errorf("read ids: %w", err)
	}
	defer it.Close()
	ids := make([]record.ID, 0, 1024)
	keep := func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, id := range ids {
			x.known.add(id)
		}
		ids = ids[:0]
	}
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) != 1+len(record.ID{}) {
			return &CorruptionError{Key: fmt.Sprintf("%q", it.Key()), What: "is not the key of an id"}
		}
		ids = append(ids, record.ID(it.Key()[1:]))
		if len(ids) == cap(ids) {
			if ctx.Err() != nil {
				return nil
			}
			keep()
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read ids: %w", err)
	}
	keep()
	x.mu.Lock()
	x.whole = true
	x.mu.Unlock()
	return nil
}

// dropDerived removes all derived rows from a database: the next Open makes them
// again.
func dropDerived(db *pebble.DB) error {
	b := db.NewBatch()
	defer b.Close()
	for _, prefix := range [][]byte{{prefixID}, {prefixPosting}} {
		if err := b.DeleteRange(prefix, keyAfter(prefix), nil); err != nil {
			return err
		}
	}
	if err := b.Delete(keyWatermark, nil); err != nil {
		return err
	}
	return db.Apply(b, pebble.Sync)
}
