package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// property is what a posting says of an entry.
type property byte

// The properties that entries are indexed by. Their numbers are stored.
const (
	byAgent     property = 1
	byInstance  property = 2
	byOperator  property = 3
	byUser      property = 4
	bySession   property = 5
	bySubject   property = 6
	byOperation property = 7
	byResource  property = 8
	byParent    property = 9
	byCause     property = 10
	byGrantee   property = 11 // of a grant: the agent class that it is for
	byGrant     property = 12 // the grant that a record names
	byKind      property = 13 // of a grant, or of a loss that is declared
	byFollowed  property = 14 // of a process's first record: the one that it took over after
)

// The kinds of records that are indexed as such.
const (
	kindGrant = "grant"
	kindLoss  = "loss"
)

// posting is a property with its value, hashed to a fixed size: a row is
// short, and a value of any length or content makes a safe key. Readers look
// at the record itself before they show it, so a collision shows nothing.
type posting struct {
	kind property
	hash [16]byte
}

func post(kind property, value string) posting {
	sum := sha256.Sum256([]byte(value))
	return posting{kind, [16]byte(sum[:16])}
}

func (p posting) prefix() []byte {
	b := make([]byte, 0, 26)
	b = append(b, prefixPosting, byte(p.kind))
	return append(b, p.hash[:]...)
}

// postings returns the postings of a record.
func postings(m *onusv1.Record) []posting {
	ps := make([]posting, 0, 12)
	one := func(kind property, value string) {
		if value != "" {
			ps = append(ps, post(kind, value))
		}
	}
	a := m.GetAuthor()
	one(byAgent, a.GetAgent())
	one(byInstance, a.GetInstance())
	one(byOperator, a.GetOperator())
	one(byUser, m.GetUser())
	one(bySession, m.GetSession())
	for _, s := range m.GetSubjects() {
		one(bySubject, s)
	}
	if e := m.GetStages().GetAction().GetElement(); e != nil {
		one(byOperation, record.Operation(e))
		for _, r := range record.Resources(e) {
			one(byResource, r)
		}
	}
	one(byGrant, m.GetGrant())
	if g := m.GetDelegation(); g != nil {
		one(byKind, kindGrant)
		one(byGrantee, g.GetAgent())
	}
	if m.GetLoss() != nil {
		one(byKind, kindLoss)
	}
	one(byFollowed, takesOver(m))
	one(byParent, m.GetParent())
	for _, c := range m.GetCauses() {
		one(byCause, c)
	}
	return ps
}

// index answers which entries have a property. It is derived from the
// entries, and written behind the head: new postings stay in memory (the
// tail) until there are enough of them to write as one sorted run, without a
// sync of their own. The watermark, written with the run, says from which
// entry on the tail must be made again at Open.
type index struct {
	db  *pebble.DB
	log *slog.Logger

	// mu guards what follows. A reader holds it while it makes its cursors.
	mu sync.RWMutex
	// mark: entries below it are in the database.
	mark int64
	// frozen is a tail that is being written now; nil if none is.
	frozen *run
	tail   *run

	// full wakes the goroutine that writes tails.
	full chan struct{}
}

// run holds the postings of consecutive entries, each list in log order.
type run struct {
	end   int64 // after the last entry
	count int
	lists map[posting][]int64
}

// tailEntries is how many entries a tail holds before it is written.
const tailEntries = 8192

func newRun(at int64) *run { return &run{end: at, lists: map[posting][]int64{}} }

func newIndex(db *pebble.DB, log *slog.Logger) *index {
	return &index{db: db, log: log, tail: newRun(0), full: make(chan struct{}, 1)}
}

// add takes in the next entry. Called in log order, before the entry becomes
// part of the durable head.
func (x *index) add(i int64, m *onusv1.Record) {
	ps := postings(m)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range ps {
		list := x.tail.lists[p]
		if n := len(list); n > 0 && list[n-1] == i {
			continue // two values of one kind can share a posting
		}
		x.tail.lists[p] = append(list, i)
	}
	x.tail.end = i + 1
	x.tail.count++
	if x.tail.count >= tailEntries && x.frozen == nil {
		select {
		case x.full <- struct{}{}:
		default:
		}
	}
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

// flushAll writes what the tail holds. Run has returned.
func (x *index) flushAll() error { return x.flush() }

// flush writes the tail as one sorted run.
func (x *index) flush() error {
	x.mu.Lock()
	if x.frozen != nil {
		x.mu.Unlock()
		return errors.New("ledger: a flush is under way")
	}
	x.frozen, x.tail = x.tail, newRun(x.tail.end)
	frozen := x.frozen
	x.mu.Unlock()

	keys := make([]posting, 0, len(frozen.lists))
	for p := range frozen.lists {
		keys = append(keys, p)
	}
	slices.SortFunc(keys, func(a, b posting) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return bytes.Compare(a.hash[:], b.hash[:])
	})
	b := x.db.NewBatch()
	defer b.Close()
	for _, p := range keys {
		for _, i := range frozen.lists[p] {
			set(b, keyPosting(p, i), nil)
		}
	}
	set(b, keyWatermark, u64(frozen.end))
	// No sync: the write-ahead log keeps its order, so if the watermark
	// survives a crash, the rows before it do.
	if err := x.db.Apply(b, pebble.NoSync); err != nil {
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
	for p, list := range x.tail.lists {
		x.frozen.lists[p] = append(x.frozen.lists[p], list...)
	}
	x.frozen.end = x.tail.end
	x.frozen.count += x.tail.count
	x.tail, x.frozen = x.frozen, nil
}

// recover makes the tail again, from the watermark up to size.
func (x *index) recover(size int64, recordAt func(int64) (*onusv1.Record, error)) error {
	v, err := get(x.db, keyWatermark)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
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
	x.tail = newRun(x.mark)
	for i := x.mark; i < size; i++ {
		m, err := recordAt(i)
		if err != nil {
			return err
		}
		x.add(i, m)
		if x.tail.count >= tailEntries {
			if err := x.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop removes all derived rows from a database: the next Open makes them
// again.
func dropDerived(db *pebble.DB) error {
	b := db.NewBatch()
	defer b.Close()
	prefix := []byte{prefixPosting}
	if err := b.DeleteRange(prefix, keyAfter(prefix), nil); err != nil {
		return err
	}
	if err := b.Delete(keyWatermark, nil); err != nil {
		return err
	}
	return db.Apply(b, pebble.Sync)
}

// cursor walks the entries of one posting, within [low, high).
type cursor struct {
	it     *pebble.Iterator
	prefix []byte
	memory [][]int64 // frozen's list, then tail's: disjoint and ascending
}

// cursor makes a cursor over what the index holds now. Close it.
func (x *index) cursor(p posting, low, high int64) (*cursor, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := &cursor{prefix: p.prefix()}
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: keyPosting(p, low),
		UpperBound: keyPosting(p, min(high, max(low, x.mark))),
	})
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	c.it = it
	for _, r := range []*run{x.frozen, x.tail} {
		if r == nil {
			continue
		}
		list := r.lists[p]
		a, _ := slices.BinarySearch(list, low)
		b, _ := slices.BinarySearch(list, high)
		// A copy of the header is enough: lists are only ever appended to.
		c.memory = append(c.memory, list[a:max(a, b)])
	}
	return c, nil
}

func (c *cursor) close() error { return c.it.Close() }

// ceil returns the first entry at or after i.
func (c *cursor) ceil(i int64) (int64, bool, error) {
	if c.it.SeekGE(append(c.prefix[:len(c.prefix):len(c.prefix)], u64(i)...)) {
		v, err := parseIndex(c.it.Key(), c.it.Key()[len(c.prefix):])
		return v, err == nil, err
	}
	for _, list := range c.memory {
		if at, _ := slices.BinarySearch(list, i); at < len(list) {
			return list[at], true, c.it.Error()
		}
	}
	return 0, false, c.it.Error()
}

// floor returns the last entry at or before i.
func (c *cursor) floor(i int64) (int64, bool, error) {
	for _, list := range slices.Backward(c.memory) {
		if at, found := slices.BinarySearch(list, i); found {
			return i, true, nil
		} else if at > 0 {
			return list[at-1], true, nil
		}
	}
	if c.it.SeekLT(append(c.prefix[:len(c.prefix):len(c.prefix)], u64(i+1)...)) {
		v, err := parseIndex(c.it.Key(), c.it.Key()[len(c.prefix):])
		return v, err == nil, err
	}
	return 0, false, c.it.Error()
}
