package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// bundleRole is what an entry is in a bundle. The lower one counts, where it is
// several.
type bundleRole int

const (
	// ofChain: it belongs to a chain that was asked for.
	ofChain bundleRole = iota
	// asAuthority: a grant, a proposal or an answer on which a chain rests.
	asAuthority
	// asContext: it is counted in a total, or stands before or above.
	asContext
)

type collected struct {
	*Entry
	role bundleRole
	// registry: it is an entry of the registry, which everybody sees.
	registry bool
	seen     bool
}

// collector gathers the entries of one bundle.
type collector struct {
	ctx    context.Context
	l      *Ledger
	h      *head
	ask    *Ask
	bounds bundleBounds
	state  *authority.State

	entries map[int64]*collected
	members []*collected // of the chains, in the order in which they came
	bytes   int
	// rows counts the registry's entries beside them.
	rows int
	// until is up to where the registry must be known.
	until int64

	uses    int // that were added
	usesCut bool
	walked  map[walk]bool
	// looked are proposals whose answers were added.
	looked map[record.ID]bool
}

// room holds the bundle to its bounds before one more entry is added.
func (c *collector) room(size int) error {
	c.bytes += entryRoom + size
	switch {
	case len(c.entries)+c.rows >= c.bounds.entries:
		return tooLarge(fmt.Sprintf("lead to more than the %d entries that a bundle holds", c.bounds.entries), "ask for fewer records")
	case c.bytes > c.bounds.bytes:
		return tooLarge(fmt.Sprintf("lead to more than the %d bytes of entries that a bundle holds", c.bounds.bytes), "ask for fewer records")
	}
	return nil
}

// put takes an entry in. It returns what is there, and whether it is new.
func (c *collector) put(e *Entry, as bundleRole, seen bool) (*collected, bool, error) {
	if have := c.entries[e.Index]; have != nil {
		have.role = min(have.role, as)
		have.seen = have.seen || seen
		return have, false, nil
	}
	if err := c.ctx.Err(); err != nil {
		return nil, false, err
	}
	if err := c.room(len(e.Raw)); err != nil {
		return nil, false, err
	}
	own := registry.Concerns(e.Record)
	have := &collected{Entry: e, role: as, registry: own, seen: seen || own}
	c.entries[e.Index] = have
	c.until = max(c.until, e.Index)
	return have, true, nil
}

// add takes in an entry that is not of a chain.
func (c *collector) add(index int64, as bundleRole) (*collected, bool, error) {
	if have := c.entries[index]; have != nil {
		return c.put(have.Entry, as, have.seen)
	}
	if index >= c.h.size {
		return nil, false, nil // of a batch that was not durable at the beginning
	}
	e, err := c.l.Entry(index)
	if err != nil {
		return nil, false, err
	}
	return c.put(e, as, c.ask.Reader.Sees == nil || c.ask.Reader.Sees(e))
}

// find is add by the id that a record names; nil if the log does not have it.
func (c *collector) find(name string, as bundleRole) (*collected, error) {
	if name == "" {
		return nil, nil
	}
	id, err := record.ParseID(name)
	if err != nil {
		return nil, &CorruptionError{Key: "a link", What: err.Error()}
	}
	return c.findID(id, as)
}

func (c *collector) findID(id record.ID, as bundleRole) (*collected, error) {
	index, err := c.l.lookup(c.h, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e, _, err := c.add(index, as)
	return e, err
}

// chains gathers the chains that were asked for, each once, and then what they
// rest on.
func (c *collector) chains() error {
	tops := map[record.ID]record.ID{}
	done := map[record.ID]bool{}
	for _, id := range c.ask.IDs {
		top, err := c.top(id, tops)
		if err != nil {
			return err
		}
		if done[top] {
			continue
		}
		done[top] = true
		if err := c.chain(id); err != nil {
			return err
		}
	}
	for _, m := range c.members {
		if !m.seen {
			continue
		}
		if err := c.restOf(m); err != nil {
			return err
		}
	}
	// An answer is worth what whoever gave it is.
	for _, e := range c.entries {
		if m := e.Record.Msg; e.role == asAuthority && (m.GetApproval() != nil || m.GetDenial() != nil) {
			c.revoked(m.GetAuthor(), e.Index, e.Stamp.LogTime)
			c.revokedSession(m.GetSession(), m.GetUser())
		}
	}
	return nil
}

// top returns the topmost record above one. Those on the way are noted, so that
// the way up is gone once.
func (c *collector) top(id record.ID, tops map[record.ID]record.ID) (record.ID, error) {
	var way []record.ID
	top := id
	for {
		if known, ok := tops[top]; ok {
			top = known
			break
		}
		index, err := c.l.lookup(c.h, top)
		if errors.Is(err, ErrNotFound) && len(way) > 0 {
			top = way[len(way)-1] // a parent that has not come
			break
		}
		if err != nil {
			return top, err
		}
		if err := c.ctx.Err(); err != nil {
			return top, err
		}
		if way = append(way, top); len(way) > c.bounds.chain {
			return top, c.chainTooLarge(id)
		}
		e, err := c.l.Entry(index)
		if err != nil {
			return top, err
		}
		parent := e.Record.Msg.GetParent()
		if parent == "" {
			break
		}
		if top, err = record.ParseID(parent); err != nil {
			return top, &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: err.Error()}
		}
	}
	for _, w := range way {
		tops[w] = top
	}
	return top, nil
}

func (c *collector) chainTooLarge(id record.ID) error {
	return tooLarge(fmt.Sprintf("holds %s, whose chain has more than %d records", id, c.bounds.chain),
		"leave this record out: a chain is in a bundle as a whole or not at all")
}

// chain gathers one chain, and what its records name beside it.
func (c *collector) chain(id record.ID) error {
	g := &gathering{l: c.l, h: c.h, limit: c.bounds.chain, have: map[int64]bool{}, out: &Chain{Size: c.h.size}}
	if err := g.climb(id); err != nil {
		return err
	}
	if err := g.descend(); err != nil {
		return err
	}
	if g.out.Cut {
		return c.chainTooLarge(id)
	}
	if err := g.lookElsewhere(); err != nil {
		return err
	}
	slices.SortFunc(g.out.Entries, func(a, b *Entry) int { return cmp.Compare(a.Index, b.Index) })
	sees := func(*Entry) bool { return true }
	if of := c.ask.Reader.Chain; of != nil {
		var err error
		if sees, err = of(g.out); err != nil {
			return err
		}
	}
	for _, e := range g.out.Entries {
		m, fresh, err := c.put(e, ofChain, sees(e))
		if err != nil {
			return err
		}
		if fresh {
			c.members = append(c.members, m)
		}
	}
	for _, index := range g.out.Elsewhere {
		if _, _, err := c.add(index, asContext); err != nil {
			return err
		}
	}
	return nil
}
