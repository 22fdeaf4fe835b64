package chain

import (
	"cmp"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Losses are the numbers of one process's count that it declared as lost. A
// process may declare as often as it likes: however often it does, a number is
// looked up in a list without overlaps. It is used by one goroutine.
type Losses struct {
	spans []span
	// rough: the list is not in order.
	rough bool
}

// span is all numbers from the first to the last.
type span struct{ first, last int64 }

// Add takes a declaration.
func (l *Losses) Add(d *onusv1.Loss) {
	s := span{d.GetFirstSequence(), d.GetLastSequence()}
	if s.last < s.first {
		return
	}
	if n := len(l.spans); n > 0 && s.first <= l.spans[n-1].last {
		l.rough = true
	}
	l.spans = append(l.spans, s)
}

// Has reports whether a number was declared.
func (l *Losses) Has(sequence int64) bool {
	if l.rough {
		l.order()
	}
	i, at := slices.BinarySearchFunc(l.spans, sequence, func(s span, n int64) int { return cmp.Compare(s.first, n) })
	return at || i > 0 && sequence <= l.spans[i-1].last
}

// order sorts the list, and makes one of those that overlap.
func (l *Losses) order() {
	slices.SortFunc(l.spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	kept := l.spans[:1]
	for _, s := range l.spans[1:] {
		if last := &kept[len(kept)-1]; s.first <= last.last {
			last.last = max(last.last, s.last)
		} else {
			kept = append(kept, s)
		}
	}
	l.spans, l.rough = kept, false
}
