package ledger

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// chunkEntries is the most entries that one row of a posting names. A row is
// read and decoded as a whole.
const chunkEntries = 256

// appendChunk writes a row of a posting: the row's key names the first entry,
// its value the distance from each to the next.
func appendChunk(b []byte, list []int64) []byte {
	for i := 1; i < len(list); i++ {
		b = binary.AppendUvarint(b, uint64(list[i]-list[i-1]))
	}
	return b
}

// parseChunk reads a row of a posting into list, whose room it uses.
func parseChunk(list []int64, prefix, key, value []byte) ([]int64, error) {
	first, err := parseIndex(key, key[len(prefix):])
	if err != nil {
		return nil, err
	}
	list = append(list[:0], first)
	for len(value) > 0 {
		d, n := binary.Uvarint(value)
		last := list[len(list)-1]
		if n <= 0 || d == 0 || d > uint64(math.MaxInt64-last) || len(list) == chunkEntries {
			return nil, &CorruptionError{Key: fmt.Sprintf("%q", key), What: "is not a list of entries"}
		}
		list, value = append(list, last+int64(d)), value[n:]
	}
	return list, nil
}

// cursor walks the entries of one posting, within [low, high).
type cursor struct {
	it     *pebble.Iterator
	prefix []byte
	low    int64
	// stored is the end of what is read from rows; from there on, memory has it.
	stored int64
	chunk  []int64   // the row where the iterator stands; empty: it stands nowhere
	memory [][]int64 // frozen's list, then tail's: disjoint and ascending
}

// cursor makes a cursor over what the index holds now. Close it.
func (x *index) cursor(p posting, low, high int64) (*cursor, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := &cursor{prefix: p.prefix(), low: low, stored: min(high, max(low, x.mark))}
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: c.prefix, // a row that begins before low may reach beyond it
		UpperBound: keyPosting(p, c.stored),
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
	i = max(i, c.low)
	if v, ok, err := c.storedCeil(i); ok || err != nil {
		return v, ok, err
	}
	for _, list := range c.memory {
		if at, _ := slices.BinarySearch(list, i); at < len(list) {
			return list[at], true, nil
		}
	}
	return 0, false, nil
}

func (c *cursor) storedCeil(i int64) (int64, bool, error) {
	if i >= c.stored {
		return 0, false, nil
	}
	if len(c.chunk) == 0 || i < c.chunk[0] || i > c.chunk[len(c.chunk)-1] {
		if err := c.seek(i); err != nil {
			return 0, false, err
		}
		// The row that begins at or before i may end before it; or there is none.
		if len(c.chunk) == 0 {
			if err := c.load(c.it.First()); err != nil {
				return 0, false, err
			}
		} else if c.chunk[len(c.chunk)-1] < i {
			if err := c.load(c.it.Next()); err != nil {
				return 0, false, err
			}
		}
	}
	at, _ := slices.BinarySearch(c.chunk, i)
	if at == len(c.chunk) || c.chunk[at] >= c.stored {
		return 0, false, nil
	}
	return c.chunk[at], true, nil
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
	i = min(i, c.stored-1)
	if i < c.low {
		return 0, false, nil
	}
	if len(c.chunk) == 0 || i < c.chunk[0] || i > c.chunk[len(c.chunk)-1] {
		if err := c.seek(i); err != nil {
			return 0, false, err
		}
	}
	at, found := slices.BinarySearch(c.chunk, i)
	if !found {
		at--
	}
	if at < 0 || c.chunk[at] < c.low {
		return 0, false, nil
	}
	return c.chunk[at], true, nil
}

// seek goes to the last row that begins at or before i.
func (c *cursor) seek(i int64) error {
	return c.load(c.it.SeekLT(binary.BigEndian.AppendUint64(c.prefix[:len(c.prefix):len(c.prefix)], uint64(i+1))))
}

// load reads the row where the iterator stands now, if it does.
func (c *cursor) load(valid bool) (err error) {
	if !valid {
		c.chunk = c.chunk[:0]
		if err := c.it.Error(); err != nil {
			return fmt.Errorf("read index: %w", err)
		}
		return nil
	}
	c.chunk, err = parseChunk(c.chunk, c.prefix, c.it.Key(), c.it.Value())
	return err
}
