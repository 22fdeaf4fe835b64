package ledger

import (
	"fmt"
	"maps"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// The stamp of an action says of each limit which use was the one before, and
// what all before came to. Who holds those uses, one before the other, adds
// them up and need not take the log's word.

// walk is a place on the way back through the uses of one limit or approval.
type walk struct {
	approval bool
	id       record.ID
	limit    uint16
	index    int64
}

// usesBefore adds the uses before those of an action of a chain.
func (c *collector) usesBefore(e *collected) error {
	for _, u := range e.Stamp.Uses {
		if u.Denial >= 0 && u.Approval {
			if err := c.denial(u.Denial); err != nil {
				return err
			}
		}
		if err := c.walkBack(e, u); err != nil {
			return err
		}
	}
	return nil
}

// walkBack goes from a use to the one before it, until there is none, or one
// that was met before, or that the reader may not see: what is before that is
// of no use to the reader.
func (c *collector) walkBack(e *collected, u entry.Use) error {
	for at := e; ; {
		w := walk{u.Approval, u.ID, u.Limit, at.Index}
		if c.walked[w] {
			return nil
		}
		c.walked[w] = true
		if u.Previous < 0 {
			return nil
		}
		if u.Previous >= at.Index {
			return &CorruptionError{Key: fmt.Sprintf("entry %d", at.Index), What: "its stamp names a use before it that is not"}
		}
		if c.entries[u.Previous] == nil {
			if c.uses == c.bounds.uses {
				c.usesCut = true
				return nil
			}
			c.uses++
		}
		before, fresh, err := c.add(u.Previous, asContext)
		if err != nil {
			return err
		}
		if !before.seen {
			return nil
		}
		if fresh {
			if err := c.counts(before); err != nil {
				return err
			}
		}
		if u, err = sameUse(before.Entry, u); err != nil {
			return err
		}
		at = before
	}
}

// sameUse returns the use of the same limit or approval in an earlier entry.
func sameUse(e *Entry, of entry.Use) (entry.Use, error) {
	i := slices.IndexFunc(e.Stamp.Uses, func(u entry.Use) bool {
		return u.Approval == of.Approval && u.ID == of.ID && u.Limit == of.Limit
	})
	if i < 0 {
		return entry.Use{}, &CorruptionError{Key: fmt.Sprintf("entry %d", e.Index), What: "is named as a use of what its stamp does not name"}
	}
	return e.Stamp.Uses[i], nil
}

// counts adds by what a use elsewhere counts: the grants that it was under, and
// what was said of how it ended.
func (c *collector) counts(e *collected) error {
	if err := c.grants(e, asContext); err != nil {
		return err
	}
	return c.children(e.Entry, asContext, func(m *onusv1.Record) bool {
		return m.GetOutcome() != nil || m.GetCounter() != nil
	})
}

// children adds the entries that name e as their parent, of those kinds.
func (c *collector) children(e *Entry, as bundleRole, which func(*onusv1.Record) bool) (err error) {
	id := e.Record.ID.String()
	cur, err := c.l.index.cursor(post(byParent, id), e.Index, c.h.size)
	if err != nil {
		return err
	}
	defer func() {
		if e := cur.close(); err == nil {
			err = e
		}
	}()
	for i := e.Index; ; i++ {
		var ok bool
		if i, ok, err = cur.ceil(i); err != nil || !ok {
			return err
		}
		child, err := c.l.Entry(i)
		if err != nil {
			return err
		}
		// Postings are hashes: the record itself says whose child it is.
		if m := child.Record.Msg; m.GetParent() != id || !which(m) {
			continue
		}
		if _, _, err := c.add(i, as); err != nil {
			return err
		}
	}
}

// incomplete judges the authority of the chains' entries by what was collected
// alone, and returns the indices of those on which the whole log says
// something else. That they are told is better than that a reader wonders.
func (c *collector) incomplete() ([]int64, error) {
	held := authority.New(c.l.registry, authority.NewMemory())
	for _, index := range slices.Sorted(maps.Keys(c.entries)) {
		e := c.entries[index]
		held.Add(e.Record, e.Index, &e.Stamp)
	}
	var left []int64
	for _, m := range c.members {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		if m.seen && !slices.Equal(c.state.Judge(m.Record, m.Index, &m.Stamp), held.Judge(m.Record, m.Index, &m.Stamp)) {
			left = append(left, m.Index)
		}
	}
	slices.Sort(left)
	return left, nil
}
