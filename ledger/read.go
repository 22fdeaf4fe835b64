package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Entry is one entry of the log, read and parsed.
type Entry struct {
	Index  int64
	Raw    []byte
	Stamp  entry.Stamp
	Record *record.Record
}

// RangeError says that a size or an index is out of range.
type RangeError struct{ Field, What string }

func (e *RangeError) Error() string { return e.Field + " " + e.What }

// Index returns where a record stands, or an error that wraps [ErrNotFound].
func (l *Ledger) Index(id record.ID) (int64, error) { return l.lookup(l.head.Load(), id) }

// Entry returns the entry at index, or an error that wraps [ErrNotFound].
func (l *Ledger) Entry(index int64) (*Entry, error) {
	raw, err := l.Raw(index)
	if err != nil {
		return nil, err
	}
	return parseEntry(index, raw)
}

// Raw returns the bytes of the entry at index.
func (l *Ledger) Raw(index int64) ([]byte, error) {
	if h := l.head.Load(); index < 0 || index >= h.size {
		return nil, fmt.Errorf("%w: index %d, the log has %d entries", ErrNotFound, index, h.size)
	}
	raw, err := l.get(keyEntry(index))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: "is missing"}
	}
	return raw, err
}

func parseEntry(index int64, raw []byte) (*Entry, error) {
	e, err := entry.Parse(raw)
	if err != nil {
		return nil, &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: record.What(err)}
	}
	r, err := record.Parse(e.Envelope)
	if err != nil {
		return nil, &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: record.What(err)}
	}
	return &Entry{Index: index, Raw: raw, Stamp: e.Stamp, Record: r}, nil
}

func (l *Ledger) recordAt(index int64) (*record.Record, error) {
	raw, err := l.get(keyEntry(index))
	if err != nil {
		return nil, fmt.Errorf("read entry %d: %w", index, err)
	}
	e, err := parseEntry(index, raw)
	if err != nil {
		return nil, err
	}
	return e.Record, nil
}

// Receipt returns the entry at index with its proof at the durable head.
func (l *Ledger) Receipt(index int64) (*onusv1.ProvenRecord, error) {
	return l.receiptAt(l.head.Load(), index)
}

func (l *Ledger) receiptAt(h *head, index int64) (*onusv1.ProvenRecord, error) {
	e, err := l.Entry(index)
	if err != nil {
		return nil, err
	}
	env := e.Record.Envelope
	rec, err := l.prove(h, index, e.Record.ID, e.Raw, env.Signature)
	if err != nil {
		return nil, err
	}
	return &onusv1.ProvenRecord{Envelope: env.Proto(), Receipt: rec}, nil
}

// Inclusion proves which leaf stands at index in the log of that size; size =
// 0 means the durable size. It returns the size used.
func (l *Ledger) Inclusion(index, size int64) (int64, []tree.Hash, error) {
	h := l.head.Load()
	if size == 0 {
		size = h.size
	}
	switch {
	case size < 0 || size > h.size:
		return 0, nil, &RangeError{"size", fmt.Sprintf("is %d, but the log has %d entries", size, h.size)}
	case index < 0 || index >= size:
		return 0, nil, &RangeError{"index", fmt.Sprintf("is %d, but must be from 0 to %d", index, size-1)}
	}
	p, err := tree.ProveInclusion(index, size, l.reader(h))
	if err != nil {
		return 0, nil, fmt.Errorf("prove inclusion: %w", err)
	}
	return size, p, nil
}

// Consistency proves that the log of size first is a prefix of the log of
// size second; second = 0 means the durable size. It returns the sizes used.
func (l *Ledger) Consistency(first, second int64) (int64, int64, []tree.Hash, error) {
	h := l.head.Load()
	if second == 0 {
		second = h.size
	}
	switch {
	case second < 0 || second > h.size:
		return 0, 0, nil, &RangeError{"second", fmt.Sprintf("is %d, but the log has %d entries", second, h.size)}
	case first < 0 || first > second:
		return 0, 0, nil, &RangeError{"first", fmt.Sprintf("is %d, but must be from 0 to %d", first, second)}
	}
	p, err := tree.ProveConsistency(first, second, l.reader(h))
	if err != nil {
		return 0, 0, nil, fmt.Errorf("prove consistency: %w", err)
	}
	return first, second, p, nil
}

// Follow calls yield with entries' bytes in log order, from index from on, as
// they become durable: several at a time, at most about 1 MiB. With until
// above 0 it returns nil at that index, else only with ctx's or yield's
// error.
func (l *Ledger) Follow(ctx context.Context, from, until int64, yield func(first int64, entries [][]byte) error) error {
	const maxEntries, maxBytes = 1024, 1 << 20
	if from < 0 {
		return &RangeError{"from", "is negative"}
	}
	if until < 0 || (until > 0 && until < from) {
		return &RangeError{"until", fmt.Sprintf("is %d, but must be 0 or at least %d", until, from)}
	}
	for until == 0 || from < until {
		if err := l.Wait(ctx, from); err != nil {
			return err
		}
		end := l.head.Load().size
		if until > 0 {
			end = min(end, until)
		}
		var chunk [][]byte
		first, bytes := from, 0
		err := l.scan(from, end, func(_ int64, raw []byte) (bool, error) {
			chunk = append(chunk, append([]byte(nil), raw...))
			bytes += len(raw)
			from++
			return len(chunk) < maxEntries && bytes < maxBytes, nil
		})
		if err != nil {
			return err
		}
		if err := yield(first, chunk); err != nil {
			return err
		}
	}
	return nil
}

// scan calls f with the entries from first up to end, until it returns false.
// The bytes are valid during the call only.
func (l *Ledger) scan(first, end int64, f func(index int64, raw []byte) (bool, error)) error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: keyEntry(first), UpperBound: keyEntry(end)})
	if err != nil {
		return fmt.Errorf("scan entries: %w", err)
	}
	defer it.Close()
	index := first
	for ok := it.First(); ok; ok = it.Next() {
		got, err := parseIndex(it.Key(), it.Key()[1:])
		if err != nil {
			return err
		}
		if got != index {
			return &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: "is missing"}
		}
		raw, err := it.ValueAndErr()
		if pebble.IsCorruptionError(err) {
			return damaged(fmt.Sprintf("entry %d", index), err)
		}
		if err != nil {
			return fmt.Errorf("read entry %d: %w", index, err)
		}
		index++
		if more, err := f(got, raw); err != nil || !more {
			return err
		}
	}
	switch err := it.Error(); {
	case pebble.IsCorruptionError(err):
		return damaged(fmt.Sprintf("entry %d or after it", index), err)
	case err != nil:
		return fmt.Errorf("scan entries: %w", err)
	}
	if index != end {
		return &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: "is missing"}
	}
	return nil
}
