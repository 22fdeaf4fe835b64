package evidence

import (
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier/tree"
)

// InclusionOf returns the tree's own proof of one of the leaves, that at index,
// out of the proof for all of them: what [tree.VerifyInclusion] checks. The
// arguments are those of [RootOfLeaves].
func InclusionOf(index, size int64, indices []int64, leaves, proof []tree.Hash) ([]tree.Hash, error) {
	if _, err := RootOfLeaves(size, indices, leaves, proof); err != nil {
		return nil, err
	}
	if _, ok := slices.BinarySearch(indices, index); !ok {
		return nil, fmt.Errorf("index %d is not among the leaves", index)
	}
	path, _, _ := inclusion(index, 0, size, indices, leaves, proof)
	return path, nil
}

// inclusion is fold, which also returns the hashes beside the way up from the
// leaf at index: RFC 6962, section 2.1.1.
func inclusion(index, low, high int64, indices []int64, leaves, proof []tree.Hash) (path []tree.Hash, root tree.Hash, rest []tree.Hash) {
	if high-low == 1 {
		return nil, leaves[0], proof
	}
	mid := split(low, high)
	n, _ := slices.BinarySearch(indices, mid)
	var left, right tree.Hash
	if index < mid {
		path, left, proof = inclusion(index, low, mid, indices[:n], leaves[:n], proof)
		right, proof = fold(mid, high, indices[n:], leaves[n:], proof)
		return append(path, right), tree.NodeHash(left, right), proof
	}
	left, proof = fold(low, mid, indices[:n], leaves[:n], proof)
	path, right, proof = inclusion(index, mid, high, indices[n:], leaves[n:], proof)
	return append(path, left), tree.NodeHash(left, right), proof
}
