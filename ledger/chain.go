package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier/record"
)

// Bounds of a chain.
const (
	DefaultChain = 1000
	MaxChain     = 10_000
)

// Chain is the part of the log that belongs to one chain.
type Chain struct {
	// Entries are in log order.
	Entries []*Entry
	// Cut: the chain goes on beyond the limit.
	Cut bool
	// Elsewhere are the records that these name as parent or cause and that
	// are in the log, but not among these: above an entry that a cause led
	// to, or beyond the limit.
	Elsewhere map[record.ID]int64
	// Size is the durable size that it is as of.
	Size int64
}

// Chain gathers the chain of a record: up its parent links to the root, or to
// the last record found; all that descends from there by parent links; and
// the records that name one of these as a cause, with their descendants. The
// way up comes first, then the rest breadth first, until there are limit
// records; limit = 0 means [DefaultChain].
//
// Package verifier/chain makes the picture of it.
func (l *Ledger) Chain(id record.ID, limit int) (*Chain, error) {
	switch {
	case limit == 0:
		limit = DefaultChain
	case limit < 0 || limit > MaxChain:
		return nil, &RangeError{"limit", fmt.Sprintf("is %d, but must be 1 to %d", limit, MaxChain)}
	}
	h := l.head.Load()
	g := &gathering{l: l, h: h, limit: limit, have: map[int64]bool{}, out: &Chain{Size: h.size}}
	if err := g.climb(id); err != nil {
		return nil, err
	}
	if err := g.descend(); err != nil {
		return nil, err
	}
	if err := g.lookElsewhere(); err != nil {
		return nil, err
	}
	slices.SortFunc(g.out.Entries, func(a, b *Entry) int { return cmp.Compare(a.Index, b.Index) })
	return g.out, nil
}

type gathering struct {
	l     *Ledger
	h     *head
	limit int
	have  map[int64]bool
	out   *Chain
}

// take adds the entry at index. It reports false if it is there already, if
// belongs says no to it, or if the limit is reached.
func (g *gathering) take(index int64, belongs func(*Entry) bool) (*Entry, bool, error) {
	if g.have[index] {
		return nil, false, nil
	}
	e, err := g.l.Entry(index)
	if err != nil {
		return nil, false, err
	}
	if belongs != nil && !belongs(e) {
		return nil, false, nil
	}
	if len(g.out.Entries) >= g.limit {
		g.out.Cut = true
		return nil, false, nil
	}
	g.have[index] = true
	g.out.Entries = append(g.out.Entries, e)
	return e, true, nil
}

// lookElsewhere looks up what the entries name and is not among them.
func (g *gathering) lookElsewhere() error {
	g.out.Elsewhere = map[record.ID]int64{}
	for _, e := range g.out.Entries {
		for _, s := range append([]string{e.Record.Msg.GetParent()}, e.Record.Msg.GetCauses()...) {
			if s == "" {
				continue
			}
			id, err := record.ParseID(s)
			if err != nil {
				return &CorruptionError{Key: fmt.Sprintf("entry %d", e.Index), What: err.Error()}
			}
			index, err := g.l.lookup(g.h, id)
			switch {
			case errors.Is(err, ErrNotFound):
			case err != nil:
				return err
			case !g.have[index]:
				g.out.Elsewhere[id] = index
			}
		}
	}
	return nil
}

// climb adds the record and those above it.
func (g *gathering) climb(id record.ID) error {
	for first := true; ; first = false {
		index, err := g.l.lookup(g.h, id)
		if errors.Is(err, ErrNotFound) && !first {
			return nil // a parent that has not come
		}
		if err != nil {
			return err
		}
		e, ok, err := g.take(index, nil)
		if err != nil || !ok {
			return err
		}
		parent := e.Record.Msg.GetParent()
		if parent == "" {
			return nil
		}
		if id, err = record.ParseID(parent); err != nil {
			return &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: err.Error()}
		}
	}
}

// descend adds what the records name as parent or cause, from the topmost
// down. Ids are hashes over parents and causes, so there is no cycle to guard
// against; a record reached twice is taken once.
func (g *gathering) descend() error {
	queue := slices.Clone(g.out.Entries)
	slices.Reverse(queue) // the topmost first
	for len(queue) > 0 && !g.out.Cut {
		e := queue[0]
		queue = queue[1:]
		id := e.Record.ID.String()
		for _, link := range []struct {
			kind  property
			names func(*Entry) bool
		}{
			{byParent, func(e *Entry) bool { return e.Record.Msg.GetParent() == id }},
			{byCause, func(e *Entry) bool { return slices.Contains(e.Record.Msg.GetCauses(), id) }},
		} {
			c, err := g.l.index.cursor(post(link.kind, id), 0, g.h.size)
			if err != nil {
				return err
			}
			for i := int64(0); !g.out.Cut; i++ {
				var ok bool
				if i, ok, err = c.ceil(i); err != nil || !ok {
					break
				}
				var child *Entry
				if child, ok, err = g.take(i, link.names); err != nil {
					break
				}
				if ok {
					queue = append(queue, child)
				}
			}
			if err = errors.Join(err, c.close()); err != nil {
				return err
			}
		}
	}
	return nil
}
