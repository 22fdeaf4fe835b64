package verifier_test

import (
	"fmt"
	"testing"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// Evidence of so many records, from the parsed file to the verdicts.
func BenchmarkCheckBundle(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		l := newLog(b)
		l.fill(n)
		file := &evidence.Bundle{Checkpoint: l.checkpoint()}
		asked := map[record.ID]bool{}
		for i, raw := range l.entries {
			file.Leaves = append(file.Leaves, evidence.Shown(int64(i), raw))
			if i >= 4 {
				asked[recordOf(b, file.Leaves[i]).ID] = true
			}
		}
		for id := range asked {
			file.Scope.Asked = append(file.Scope.Asked, id)
		}
		sortIDs(file.Scope.Asked)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if r, err := verifier.CheckBundle(file, verifier.Trust{LogKey: l.log.Key()}); err != nil || r.Standing != verifier.Genuine || len(r.Judgement.Actions) != n {
					b.Fatal(err, r)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// A whole log, audited and judged.
func BenchmarkJudgeLog(b *testing.B) {
	l := newLog(b)
	l.fill(10_000)
	for b.Loop() {
		a := verifier.NewAudit()
		a.KeepChains()
		a.Add(l.entries)
		if j, err := a.Judge(); err != nil || j.Chains != 10_000 {
			b.Fatal(err, j)
		}
	}
	b.ReportMetric(float64(b.N*10_000)/b.Elapsed().Seconds(), "records/s")
}
