package tree_test

import (
	"fmt"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// maxSize is past half a tile of 256 and past a power of two by two.
const maxSize = 130

// A forest holds the nodes of a tree that grew leaf by leaf, and its root at
// every size on the way.
type forest struct {
	nodes  map[node]tree.Hash
	leaves []tree.Hash
	roots  []tree.Hash // by size
}

type node struct {
	level uint
	index int64
}

func data(i int64) []byte { return fmt.Appendf(nil, "entry %d", i) }

func grow(size int64) *forest {
	f := &forest{nodes: map[node]tree.Hash{}}
	fr := tree.NewFrontier()
	f.roots = append(f.roots, fr.Root())
	for i := range size {
		leaf := tree.LeafHash(data(i))
		f.leaves = append(f.leaves, leaf)
		fr.Append(leaf, func(level uint, index int64, h tree.Hash) { f.nodes[node{level, index}] = h })
		f.roots = append(f.roots, fr.Root())
	}
	return f
}

// read is a NodeReader that knows complete subtrees only.
func (f *forest) read(level uint, index int64) (tree.Hash, error) {
	h, ok := f.nodes[node{level, index}]
	if !ok {
		return tree.Hash{}, fmt.Errorf("node %d at level %d is not complete", index, level)
	}
	return h, nil
}

// at reads as a tree of that size does, which has no later nodes.
func (f *forest) at(size int64) tree.NodeReader {
	return func(level uint, index int64) (tree.Hash, error) {
		if (index+1)<<level > size {
			return tree.Hash{}, fmt.Errorf("node %d at level %d is beyond %d leaves", index, level, size)
		}
		return f.read(level, index)
	}
}

// tampered returns proofs that differ from p in one way each.
func tampered(p []tree.Hash) map[string][]tree.Hash {
	out := map[string][]tree.Hash{}
	clone := func() []tree.Hash { return append([]tree.Hash(nil), p...) }
	for i := range p {
		flipped := clone()
		flipped[i][i%tree.HashSize] ^= 1 << (i % 8)
		out[fmt.Sprintf("bit flipped in hash %d", i)] = flipped
		out[fmt.Sprintf("hash %d dropped", i)] = append(clone()[:i], p[i+1:]...)
		out[fmt.Sprintf("hash %d doubled", i)] = append(append(clone()[:i+1], p[i]), p[i+1:]...)
		if i > 0 && p[i] != p[i-1] {
			swapped := clone()
			swapped[i], swapped[i-1] = p[i-1], p[i]
			out[fmt.Sprintf("hashes %d and %d swapped", i-1, i)] = swapped
		}
	}
	out["hash added in front"] = append([]tree.Hash{tree.Empty}, p...)
	out["hash added at the end"] = append(clone(), tree.Empty)
	return out
}

func mustProve(t *testing.T) func(p []tree.Hash, err error) []tree.Hash {
	return func(p []tree.Hash, err error) []tree.Hash {
		t.Helper()
		if err != nil {
			t.Fatalf("prove: %v", err)
		}
		return p
	}
}
