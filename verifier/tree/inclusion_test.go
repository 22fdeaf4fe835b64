package tree_test

import (
	"math"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// Every leaf of every tree up to maxSize is proven, and no other statement
// can be made from its proof.
func TestInclusionExhaustive(t *testing.T) {
	f := grow(maxSize + 1)
	for size := int64(1); size <= maxSize; size++ {
		root := f.roots[size]
		for i := range size {
			p := mustProve(t)(tree.ProveInclusion(i, size, f.at(size)))
			leaf := f.leaves[i]
			verify := func(index, size int64, leaf tree.Hash, p []tree.Hash, root tree.Hash) bool {
				return tree.VerifyInclusion(index, size, leaf, p, root) == nil
			}
			if !verify(i, size, leaf, p, root) {
				t.Fatalf("the proof of %d in %d does not verify", i, size)
			}
			for what, bad := range tampered(p) {
				if verify(i, size, leaf, bad, root) {
					t.Errorf("%d in %d: %s, and accepted", i, size, what)
				}
			}
			if verify(i, size, f.leaves[i+1], p, root) {
				t.Errorf("%d in %d: another leaf was accepted", i, size)
			}
			// The indices whose path differs at one level only.
			for bit := int64(1); bit < size; bit <<= 1 {
				if j := i ^ bit; j < size && verify(j, size, leaf, p, root) {
					t.Errorf("the proof of %d in %d was accepted for %d", i, size, j)
				}
			}
			// A size is known with its root, from a checkpoint.
			for _, other := range []int64{size - 1, size + 1} {
				if other > i && verify(i, other, leaf, p, f.roots[other]) {
					t.Errorf("the proof of %d in %d was accepted for size %d", i, size, other)
				}
			}
		}
	}
}

func TestInclusionOutOfRange(t *testing.T) {
	f := grow(8)
	p := mustProve(t)(tree.ProveInclusion(3, 8, f.read))
	for _, r := range []struct{ index, size int64 }{
		{-1, 8}, {8, 8}, {9, 8}, {0, 0}, {0, -1}, {-1, -1}, {math.MinInt64, 8}, {math.MaxInt64, math.MaxInt64}, {-1, math.MinInt64},
	} {
		if _, err := tree.ProveInclusion(r.index, r.size, f.read); err == nil {
			t.Errorf("%d in %d was proven", r.index, r.size)
		}
		if tree.VerifyInclusion(r.index, r.size, f.leaves[3], p, f.roots[8]) == nil {
			t.Errorf("%d in %d was accepted", r.index, r.size)
		}
	}
	if tree.VerifyInclusion(0, 1, f.leaves[0], nil, f.roots[1]) != nil {
		t.Error("the only leaf needs no hashes, and was refused")
	}
}

// A size beyond any real log must not cost time or memory.
func TestInclusionInHugeTrees(t *testing.T) {
	f := grow(1)
	for _, size := range []int64{1 << 40, 1 << 62, math.MaxInt64} {
		if tree.VerifyInclusion(size-1, size, f.leaves[0], make([]tree.Hash, 3), f.roots[1]) == nil {
			t.Errorf("a proof of 3 hashes was accepted in %d leaves", size)
		}
	}
}
