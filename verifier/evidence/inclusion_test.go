package evidence_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

// The proof of each leaf out of the proof for all is the tree's own.
func TestInclusionOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	for size := int64(1); size <= 40; size++ {
		leaves := newTree(size)
		for range 20 {
			var indices []int64
			for i := range size {
				if rng.IntN(3) == 0 {
					indices = append(indices, i)
				}
			}
			if len(indices) == 0 {
				continue
			}
			proof, err := evidence.ProveLeaves(size, indices, leaves.node)
			if err != nil {
				t.Fatal(err)
			}
			for i := range size {
				got, err := evidence.InclusionOf(i, size, indices, leaves.at(indices), proof)
				if !slices.Contains(indices, i) {
					if err == nil {
						t.Fatalf("size %d, leaves %v: leaf %d, which is not among them, has a proof", size, indices, i)
					}
					continue
				}
				want, wantErr := tree.ProveInclusion(i, size, leaves.node)
				if err != nil || wantErr != nil || !slices.Equal(got, want) {
					t.Fatalf("size %d, leaves %v, index %d: %v (%v), want %v (%v)", size, indices, i, got, err, want, wantErr)
				}
			}
			if _, err := evidence.InclusionOf(indices[0], size, indices, leaves.at(indices), append(proof, tree.Hash{})); err == nil {
				t.Fatalf("size %d: a hash too many was taken", size)
			}
		}
	}
}
