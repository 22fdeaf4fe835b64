package authority_test

import (
	"fmt"
	"testing"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// What an action costs the sequencer: check, stamps and fold, with a path of
// three grants of which one has a total; and what judging it costs a reader.
// Neither grows with the number of uses.
func BenchmarkAction(b *testing.B) {
	for _, uses := range []int{0, 2_000} {
		l := newLog(b, nil)
		g1 := l.add(operator(acme), gives(depth(grantTo("planner", may(el("order", "create"), "50", "1000000")), 2)))
		g2 := l.add(agent("planner"), passes(g1, depth(grantTo("clerk", open(el("order", "create"))), 1)))
		g3 := l.add(agent("clerk"), passes(g2, grantTo("analyst", open(el("order", "create")))))
		var last *record.Record
		fold := func(at int64) *entry.Stamp {
			if err := l.s.Check(last, at, l.now.UnixMilli()); err != nil {
				b.Fatal(err)
			}
			st := &entry.Stamp{LogTime: l.now.UnixMilli(), KeySetEntry: -1, Uses: l.s.Uses(last, at, l.now.UnixMilli())}
			l.s.Add(last, at, st)
			return st
		}
		at := int64(len(l.entries))
		for range uses + 1 {
			last = l.sign(agent("analyst"), does(g3, buy("12.50")))
			fold(at)
			at++
		}
		b.Run(fmt.Sprintf("fold/uses=%d", uses), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fold(at)
				at++
			}
		})
		st := fold(at)
		b.Run(fmt.Sprintf("judge/uses=%d", uses), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if fs := l.s.Judge(last, at, st); len(fs) > 1 || len(fs) == 1 && fs[0].Code != authority.LimitExceeded {
					b.Fatal(texts(fs))
				}
			}
		})
	}
}
