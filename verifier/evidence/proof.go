package evidence

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/onus-ledger/onus/verifier/tree"
)

// A proof for many leaves is the hashes of the largest subtrees of the RFC 6962
// tree that hold none of the leaves, from left to right. There is one such
// list for each set of leaves, and no hash in it follows from the rest.

// ProveLeaves builds the proof that the leaves at these indices, which ascend,
// stand in the tree of that size. It asks read for complete subtrees only.
func ProveLeaves(size int64, indices []int64, read tree.NodeReader) ([]tree.Hash, error) {
	if err := checkIndices(size, indices); err != nil {
		return nil, err
	}
	var proof []tree.Hash
	for _, g := range gaps(nil, 0, size, indices) {
		h, err := subtree(g.low, g.high, read)
		if err != nil {
			return nil, err
		}
		proof = append(proof, h)
	}
	return proof, nil
}

// ProofLen returns the number of hashes that [ProveLeaves] gives.
func ProofLen(size int64, indices []int64) (int, error) {
	if err := checkIndices(size, indices); err != nil {
		return 0, err
	}
	return countGaps(0, size, indices), nil
}

// RootOfLeaves returns the root of the tree of that size to which the proof
// leads from these leaves. A proof with a hash too few or too many is refused.
func RootOfLeaves(size int64, indices []int64, leaves, proof []tree.Hash) (tree.Hash, error) {
	if len(leaves) != len(indices) {
		return tree.Hash{}, fmt.Errorf("%d indices have %d leaves", len(indices), len(leaves))
	}
	n, err := ProofLen(size, indices)
	if err != nil {
		return tree.Hash{}, err
	}
	if n != len(proof) {
		return tree.Hash{}, fmt.Errorf("the proof for these leaves has %d hashes, this has %d", n, len(proof))
	}
	root, _ := fold(0, size, indices, leaves, proof)
	return root, nil
}

func checkIndices(size int64, indices []int64) error {
	if len(indices) == 0 {
		return errors.New("a proof is for at least one leaf")
	}
	last := int64(-1)
	for _, i := range indices {
		if i <= last {
			return fmt.Errorf("index %d does not come after %d", i, last)
		}
		last = i
	}
	if last >= size {
		return fmt.Errorf("index %d is not in a tree of %d leaves", last, size)
	}
	return nil
}

// split returns where the tree over [low, high) divides: after the largest
// power of two of leaves that is smaller than all. RFC 6962, section 2.1.
func split(low, high int64) int64 {
	return low + 1<<(bits.Len64(uint64(high-low-1))-1)
}

type gap struct{ low, high int64 }

// gaps appends the largest subtrees within [low, high) that hold none of the
// leaves at these indices. Each call of it and of fold goes one level down, so
// no more than 63 are open at a time.
func gaps(gs []gap, low, high int64, indices []int64) []gap {
	if len(indices) == 0 {
		return append(gs, gap{low, high})
	}
	if high-low == 1 {
		return gs
	}
	mid := split(low, high)
	n, _ := slices.BinarySearch(indices, mid)
	return gaps(gaps(gs, low, mid, indices[:n]), mid, high, indices[n:])
}

// countGaps is the length of gaps, in no memory.
func countGaps(low, high int64, indices []int64) int {
	if len(indices) == 0 {
		return 1
	}
	if high-low == 1 {
		return 0
	}
	mid := split(low, high)
	n, _ := slices.BinarySearch(indices, mid)
	return countGaps(low, mid, indices[:n]) + countGaps(mid, high, indices[n:])
}

// fold returns the root over [low, high), and what is left of the proof.
func fold(low, high int64, indices []int64, leaves, proof []tree.Hash) (tree.Hash, []tree.Hash) {
	if len(indices) == 0 {
		return proof[0], proof[1:]
	}
	if high-low == 1 {
		return leaves[0], proof
	}
	mid := split(low, high)
	n, _ := slices.BinarySearch(indices, mid)
	left, proof := fold(low, mid, indices[:n], leaves[:n], proof)
	right, proof := fold(mid, high, indices[n:], leaves[n:], proof)
	return tree.NodeHash(left, right), proof
}

// subtree returns the root over [low, high), which begins where a subtree
// does. Only at the right edge of a tree is it not complete.
func subtree(low, high int64, read tree.NodeReader) (tree.Hash, error) {
	if n := uint64(high - low); bits.OnesCount64(n) == 1 {
		level := uint(bits.TrailingZeros64(n))
		return read(level, low>>level)
	}
	mid := split(low, high)
	left, err := subtree(low, mid, read)
	if err != nil {
		return tree.Hash{}, err
	}
	right, err := subtree(mid, high, read)
	if err != nil {
		return tree.Hash{}, err
	}
	return tree.NodeHash(left, right), nil
}
