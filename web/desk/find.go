package desk

import (
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier/chain"
)

// Find returns a page of the cases that match, at most limit, from the page
// that cursor names on. The error wraps [ErrCursor], or is a [*QueryError] that
// says which field of the query is not good.
//
// Pages hold together while the log grows: a page begins behind the last case of
// the one before. A case that moved up meanwhile, because it got a record, is
// found from the first page on, and never twice.
func (d *Desk) Find(q Query, limit int, cursor string) (*Found, error) {
	if limit < 1 || limit > MaxPage {
		return nil, bad("limit", "%d, but a page has 1 to %d cases", limit, MaxPage)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := d.state
	matches, err := d.compile(&q)
	if err != nil {
		return nil, err
	}
	from, err := d.start(&q, cursor)
	if err != nil {
		return nil, fmt.Errorf("find cases: %w", err)
	}
	f := &Found{AsOf: s.asOf, Behind: max(0, d.log.Size()-s.asOf)}
	var byOutcome [6]int
	page := pageOf{most: limit + 1}
	for i := range slices.Backward(s.cases) { // the newest are found first, and few displace others
		n, k := uint32(i), s.cases[i]
		if !k.seen() || slices.ContainsFunc(matches, func(m match) bool { return !m(n, k) }) {
			continue
		}
		f.Total++
		if k.outcome != tooLarge {
			byOutcome[k.outcome]++
		}
		at := q.Order.place(n, k)
		if from == nil || from.last.before(at) && (q.Order != Oldest || k.last <= from.time) {
			page.add(at)
		}
	}
	for i, n := range byOutcome {
		if n > 0 {
			f.Counts = append(f.Counts, chain.Count{Outcome: outcomes[i], Actions: n})
		}
	}
	got := page.places
	if len(got) > limit {
		got = got[:limit]
		end := cursorEnd(got[limit-1], from, s.time)
		f.Next = d.cursorOf(&q, end)
	}
	for _, p := range got {
		f.Cases = append(f.Cases, s.expand(s.cases[p.n]))
	}
	return f, nil
}

// start reads the cursor; nil for the first page.
func (d *Desk) start(q *Query, s string) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	c, err := d.parseCursor(q, s)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

func cursorEnd(last place, from *cursor, now int64) cursor {
	if from != nil {
		now = from.time // of the first page
	}
	return cursor{last, now}
}

// seen: it is one that is listed.
func (k *kase) seen() bool { return k != nil && k.made && k.asOf > 0 }

// place says where a case stands in an order.
func (o Order) place(n uint32, k *kase) place {
	switch o {
	case Oldest:
		return place{-k.last, 0, n}
	case Largest:
		return place{int64(k.records), k.last, n}
	case Gravest:
		outcome, worst := int64(k.outcome), int64(k.worst())+1
		if k.outcome == tooLarge {
			outcome = int64(outcomeAt(chain.NotJudgedHere))
		}
		if k.worst() == noSeverity {
			worst = 0
		}
		return place{-outcome*16 + worst, k.last, n}
	}
	return place{k.last, 0, n}
}

// pageOf keeps the first places, in order, of all that are added.
type pageOf struct {
	most   int
	places []place
}

func (p *pageOf) add(at place) {
	if len(p.places) == p.most {
		if !at.before(p.places[p.most-1]) {
			return
		}
		p.places = p.places[:p.most-1]
	}
	i, _ := slices.BinarySearchFunc(p.places, at, func(q, at place) int {
		if q.before(at) {
			return -1
		}
		return 1
	})
	p.places = slices.Insert(p.places, i, at)
}
