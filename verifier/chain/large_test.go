package chain_test

import (
	"fmt"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
)

// tall makes a chain of actions of the planner, each below the one before, or
// all below the first. They are signed and not admitted: only the size matters.
func tall(w *world, n int, wide bool) []chain.Entry {
	planned(w)
	es := chainOf(w.entries, w.named("I1").ID)
	for i := range n {
		name := fmt.Sprint("A", i)
		above := "P1"
		if i > 0 && !wide {
			above = fmt.Sprint("A", i-1)
		}
		r, _ := w.sign(name, agent("planner"), parent(above), grant("G1"), forUser("strategist"), reads())
		es = append(es, chain.Entry{Index: int64(len(w.entries) + i), LogTime: w.now.UnixMilli(), Record: r})
	}
	return es
}

// A deep chain and a wide one are judged without recursion, each action once.
func TestJudgeLarge(t *testing.T) {
	for _, wide := range []bool{false, true} {
		w := newWorld(t)
		es := tall(w, 1500, wide)
		out := w.judgeEntries(es, chain.Hand{})
		if len(out.Actions) != 1500 || out.Outcome != chain.WithinAuthority {
			t.Errorf("%d verdicts, %s", len(out.Actions), out.Outcome)
		}
		last := out.Actions[len(out.Actions)-1]
		if last.Code != chain.AgentDecided || len(last.Words) != 1 {
			t.Errorf("the last verdict is %s, with %d words of the user", last.Why, len(last.Words))
		}
	}
}

// A chain of 100 records is to be judged in less than 20 ms; the time grows
// with the records.
func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			c := chain.Build(tall(w, n, false), nil, w.reg.Genesis().GetPolicy())
			for b.Loop() {
				chain.Judge(c, w.basis(chain.Hand{}))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/record")
		})
	}
}
