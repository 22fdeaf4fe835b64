package evidence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

// A leafTree is a tree of that many leaves, each of its own.
type leafTree []tree.Hash

func newTree(size int64) leafTree {
	t := make(leafTree, size)
	for i := range t {
		t[i] = tree.LeafHash(fmt.Append(nil, "leaf ", i))
	}
	return t
}

func (t leafTree) node(level uint, i int64) (tree.Hash, error) {
	if end := (i + 1) << level; end > int64(len(t)) {
		return tree.Hash{}, fmt.Errorf("node %d of level %d is not complete", i, level)
	}
	if level == 0 {
		return t[i], nil
	}
	left, err := t.node(level-1, 2*i)
	if err != nil {
		return tree.Hash{}, err
	}
	right, err := t.node(level-1, 2*i+1)
	return tree.NodeHash(left, right), err
}

func (t leafTree) root() tree.Hash {
	f := tree.NewFrontier()
	for _, h := range t {
		f.Append(h, nil)
	}
	return f.Root()
}

func (t leafTree) at(indices []int64) []tree.Hash {
	var hs []tree.Hash
	for _, i := range indices {
		hs = append(hs, t[i])
	}
	return hs
}

// checkProof holds the proof for some leaves to the tree's own proofs for each.
func checkProof(t *testing.T, leaves leafTree, root tree.Hash, indices []int64) {
	t.Helper()
	size := int64(len(leaves))
	proof, err := evidence.ProveLeaves(size, indices, leaves.node)
	if err != nil {
		t.Fatalf("ProveLeaves(%d, %v): %v", size, indices, err)
	}
	if n, err := evidence.ProofLen(size, indices); err != nil || n != len(proof) {
		t.Fatalf("ProofLen(%d, %v) = %d, %v; the proof has %d", size, indices, n, err, len(proof))
	}
	got, err := evidence.RootOfLeaves(size, indices, leaves.at(indices), proof)
	if err != nil || got != root {
		t.Fatalf("RootOfLeaves(%d, %v) = %s, %v; want %s", size, indices, got, err, root)
	}
	// Every hash stands in the tree's own proof of one of the leaves, and none
	// of them twice: there is nothing in it that one leaf alone would not need.
	need := map[tree.Hash]bool{}
	for _, i := range indices {
		single, err := tree.ProveInclusion(i, size, leaves.node)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range single {
			need[h] = true
		}
		if len(indices) == 1 && len(single) != len(proof) {
			t.Fatalf("proof of leaf %d of %d has %d hashes, tree's own %d", i, size, len(proof), len(single))
		}
	}
	for i, h := range proof {
		if !need[h] {
			t.Fatalf("size %d, leaves %v: hash %d of the proof is in no proof of a leaf, or stands twice", size, indices, i)
		}
		delete(need, h)
	}
	// What the tree's proofs have besides, the reader computes: the roots of
	// subtrees that hold a leaf.
	for h := range need {
		if !computable(leaves, indices, h) {
			t.Fatalf("size %d, leaves %v: a hash that the tree's proofs need is not in the proof", size, indices)
		}
	}
}

// computable reports whether h is the root of a subtree that holds one of the
// leaves.
func computable(leaves leafTree, indices []int64, h tree.Hash) bool {
	var search func(low, high int64) (tree.Hash, bool)
	search = func(low, high int64) (tree.Hash, bool) {
		if high-low == 1 {
			return leaves[low], leaves[low] == h && slices.Contains(indices, low)
		}
		k := int64(1)
		for 2*k < high-low {
			k *= 2
		}
		left, found1 := search(low, low+k)
		right, found2 := search(low+k, high)
		sum := tree.NodeHash(left, right)
		holds := slices.ContainsFunc(indices, func(i int64) bool { return i >= low && i < high })
		return sum, found1 || found2 || sum == h && holds
	}
	_, found := search(0, int64(len(leaves)))
	return found
}

func TestProofOfEverySetOfLeavesOfSmallTrees(t *testing.T) {
	for size := int64(1); size <= 10; size++ {
		leaves := newTree(size)
		root := leaves.root()
		for set := 1; set < 1<<size; set++ {
			var indices []int64
			for i := range size {
				if set>>i&1 == 1 {
					indices = append(indices, i)
				}
			}
			checkProof(t, leaves, root, indices)
		}
	}
}

func TestProofOfSomeSetsOfLeavesOfLargerTrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for size := int64(11); size <= 300; size++ {
		leaves := newTree(size)
		root := leaves.root()
		checkProof(t, leaves, root, []int64{0})
		checkProof(t, leaves, root, []int64{size - 1})
		for range 2 {
			var indices []int64
			for i := range size {
				if rng.IntN(1+int(size)/8) == 0 {
					indices = append(indices, i)
				}
			}
			if len(indices) > 0 {
				checkProof(t, leaves, root, indices)
			}
		}
	}
}

// Nothing of a proof may be missing, added, changed or in another place, and
// no leaf may be another's or stand elsewhere.
func TestProofIsExact(t *testing.T) {
	for size := int64(1); size <= 9; size++ {
		leaves := newTree(size)
		root := leaves.root()
		for set := 1; set < 1<<size; set++ {
			var indices []int64
			for i := range size {
				if set>>i&1 == 1 {
					indices = append(indices, i)
				}
			}
			proof, err := evidence.ProveLeaves(size, indices, leaves.node)
			if err != nil {
				t.Fatal(err)
			}
			hashes := leaves.at(indices)
			wrong := func(what string, size int64, indices []int64, hashes, proof []tree.Hash) {
				t.Helper()
				if got, err := evidence.RootOfLeaves(size, indices, hashes, proof); err == nil && got == root {
					t.Fatalf("size %d, leaves %v: %s leads to the root", size, indices, what)
				}
			}
			wrong("a proof with a hash more", size, indices, hashes, append(slices.Clone(proof), tree.Empty))
			if len(proof) > 0 {
				wrong("a proof with a hash less", size, indices, hashes, proof[1:])
				other := slices.Clone(proof)
				other[len(other)-1][0] ^= 1
				wrong("a changed proof", size, indices, hashes, other)
			}
			if len(proof) > 1 {
				other := slices.Clone(proof)
				other[0], other[1] = other[1], other[0]
				wrong("a proof in another order", size, indices, hashes, other)
			}
			if len(hashes) > 1 {
				other := slices.Clone(hashes)
				other[0], other[1] = other[1], other[0]
				wrong("leaves in another order", size, indices, other, proof)
			}
			other := slices.Clone(hashes)
			other[0][31] ^= 1
			wrong("another leaf", size, indices, other, proof)
		}
	}
}

func TestProofRefuses(t *testing.T) {
	leaves := newTree(5)
	for name, indices := range map[string][]int64{
		"no leaf":       {},
		"a leaf twice":  {1, 1},
		"another order": {2, 1},
		"beyond":        {1, 5},
		"negative":      {-1, 2},
	} {
		if _, err := evidence.ProveLeaves(5, indices, leaves.node); err == nil {
			t.Errorf("%s: ProveLeaves(5, %v) has no error", name, indices)
		}
		if _, err := evidence.RootOfLeaves(5, indices, make([]tree.Hash, len(indices)), nil); err == nil {
			t.Errorf("%s: RootOfLeaves(5, %v) has no error", name, indices)
		}
	}
	if _, err := evidence.RootOfLeaves(5, []int64{0, 1}, make([]tree.Hash, 1), nil); err == nil {
		t.Error("RootOfLeaves of two indices and one leaf has no error")
	}
	// A tree of the largest size takes 63 levels, and no more.
	if n, err := evidence.ProofLen(1<<63-1, []int64{1<<63 - 2}); err != nil || n > 63 {
		t.Errorf("ProofLen of the last leaf of the largest tree = %d, %v", n, err)
	}
}
