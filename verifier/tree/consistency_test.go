package tree_test

import (
	"math"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// Every pair of sizes up to maxSize is proven, and no other statement can be
// made from its proof.
func TestConsistencyExhaustive(t *testing.T) {
	f := grow(maxSize + 1)
	verify := func(size1, size2 int64, root1, root2 tree.Hash, p []tree.Hash) bool {
		return tree.VerifyConsistency(size1, size2, root1, root2, p) == nil
	}
	for size2 := int64(0); size2 <= maxSize; size2++ {
		for size1 := int64(0); size1 <= size2; size1++ {
			root1, root2 := f.roots[size1], f.roots[size2]
			p := mustProve(t)(tree.ProveConsistency(size1, size2, f.at(size2)))
			if !verify(size1, size2, root1, root2, p) {
				t.Fatalf("the proof from %d to %d does not verify", size1, size2)
			}
			for what, bad := range tampered(p) {
				if verify(size1, size2, root1, root2, bad) {
					t.Errorf("%d to %d: %s, and accepted", size1, size2, what)
				}
			}
			flip := func(h tree.Hash) tree.Hash { h[31] ^= 0x80; return h }
			if verify(size1, size2, flip(root1), root2, p) {
				t.Errorf("%d to %d: another older root was accepted", size1, size2)
			}
			// The empty tree is a prefix of every tree, so nothing is said of
			// the newer root; but a tree has one root.
			if size1 > 0 && verify(size1, size2, root1, flip(root2), p) {
				t.Errorf("%d to %d: another newer root was accepted", size1, size2)
			}
			if size1 > 0 && verify(size1, size2+1, root1, f.roots[size2+1], p) {
				t.Errorf("the proof from %d to %d was accepted to %d", size1, size2, size2+1)
			}
			if size1 < size2 && size1 > 0 && verify(size1+1, size2, f.roots[size1+1], root2, p) {
				t.Errorf("the proof from %d to %d was accepted from %d", size1, size2, size1+1)
			}
			if size1 > 1 && verify(size1-1, size2, f.roots[size1-1], root2, p) {
				t.Errorf("the proof from %d to %d was accepted from %d", size1, size2, size1-1)
			}
			if size1 < size2 && verify(size2, size1, root2, root1, p) {
				t.Errorf("the proof from %d to %d was accepted backwards", size1, size2)
			}
		}
	}
}

// Two trees of one size have one root; the empty tree is no exception.
func TestConsistencyOfTheEmptyTree(t *testing.T) {
	f := grow(2)
	for _, tt := range []struct {
		name         string
		size1, size2 int64
		root1, root2 tree.Hash
		p            []tree.Hash
		ok           bool
	}{
		{"with itself", 0, 0, tree.Empty, tree.Empty, nil, true},
		{"with a later one", 0, 2, tree.Empty, f.roots[2], nil, true},
		{"with a root that it has not", 0, 2, f.roots[1], f.roots[2], nil, false},
		{"with a proof that it needs not", 0, 2, tree.Empty, f.roots[2], []tree.Hash{f.roots[1]}, false},
		{"with itself under another root", 0, 0, tree.Empty, f.roots[2], nil, false},
	} {
		err := tree.VerifyConsistency(tt.size1, tt.size2, tt.root1, tt.root2, tt.p)
		if (err == nil) != tt.ok {
			t.Errorf("the empty tree %s: got %v, want ok = %v", tt.name, err, tt.ok)
		}
	}
}

func TestConsistencyOutOfRange(t *testing.T) {
	f := grow(8)
	for _, r := range []struct{ size1, size2 int64 }{
		{-1, 8}, {9, 8}, {-1, -1}, {math.MinInt64, 8}, {1, 0}, {0, -1}, {math.MaxInt64, 8},
	} {
		if _, err := tree.ProveConsistency(r.size1, r.size2, f.read); err == nil {
			t.Errorf("%d to %d was proven", r.size1, r.size2)
		}
		if tree.VerifyConsistency(r.size1, r.size2, f.roots[8], f.roots[8], nil) == nil {
			t.Errorf("%d to %d was accepted", r.size1, r.size2)
		}
	}
}
