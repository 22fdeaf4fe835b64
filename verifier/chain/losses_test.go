package chain_test

import (
	"math/rand/v2"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// Losses say of each number what looking through all declarations says, in
// whatever order these come, and whenever it is asked.
func TestLosses(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	for range 200 {
		var l chain.Losses
		var all []*onusv1.Loss
		for range rng.IntN(12) {
			first := int64(rng.IntN(30))
			d := &onusv1.Loss{FirstSequence: first, LastSequence: first + int64(rng.IntN(6)) - 1}
			l.Add(d)
			all = append(all, d)
			if rng.IntN(3) > 0 {
				continue
			}
			for n := range int64(40) {
				want := false
				for _, d := range all {
					want = want || d.GetFirstSequence() <= n && n <= d.GetLastSequence()
				}
				if got := l.Has(n); got != want {
					t.Fatalf("number %d: %t, want %t after %v", n, got, want, all)
				}
			}
		}
	}
}
