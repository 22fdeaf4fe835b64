package tree_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onus-ledger/onus/verifier/tree"
)

// A frontier that is loaded from stored nodes is the one that was grown, and
// goes on as it would have.
func TestLoadFrontier(t *testing.T) {
	f := grow(maxSize)
	for size := int64(0); size <= maxSize; size++ {
		fr, err := tree.LoadFrontier(size, f.at(size))
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		for n := size; ; n++ {
			if fr.Size() != n || fr.Root() != f.roots[n] {
				t.Fatalf("loaded at %d, grown to %d: root %v of size %d, want %v", size, n, fr.Root(), fr.Size(), f.roots[n])
			}
			if n == maxSize {
				break
			}
			fr.Append(f.leaves[n], nil)
		}
	}
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	if _, err := tree.LoadFrontier(7, func(uint, int64) (tree.Hash, error) { return tree.Hash{}, broken }); !errors.Is(err, broken) {
		t.Errorf("error is %v, want the reader's", err)
	}
	if fr, err := tree.LoadFrontier(-1, func(uint, int64) (tree.Hash, error) { return tree.Hash{}, nil }); err == nil {
		t.Errorf("a frontier of size %d was loaded", fr.Size())
	}
	read := func(uint, int64) (tree.Hash, error) { return tree.Hash{}, broken }
	if _, err := tree.ProveInclusion(3, 8, read); !errors.Is(err, broken) {
		t.Errorf("ProveInclusion gives %v, want the reader's error", err)
	}
	if _, err := tree.ProveConsistency(3, 8, read); !errors.Is(err, broken) {
		t.Errorf("ProveConsistency gives %v, want the reader's error", err)
	}
}

func TestCloneIsIndependent(t *testing.T) {
	f := grow(maxSize)
	for _, size := range []int64{0, 1, 2, 3, 63, 64, 65, 127} {
		fr, err := tree.LoadFrontier(size, f.at(size))
		if err != nil {
			t.Fatal(err)
		}
		c := fr.Clone()
		if c.Root() != fr.Root() || c.Size() != fr.Size() {
			t.Fatalf("size %d: the clone differs", size)
		}
		c.Append(tree.LeafHash([]byte("only in the clone")), nil)
		c.Append(tree.LeafHash([]byte("this one too")), nil)
		if fr.Size() != size || fr.Root() != f.roots[size] {
			t.Errorf("size %d: the original moved with its clone", size)
		}
		kept := c.Root()
		fr.Append(f.leaves[size], nil)
		if fr.Root() != f.roots[size+1] || c.Root() != kept {
			t.Errorf("size %d: clone and original share memory", size)
		}
	}
}

// Append tells the nodes that a leaf completes, leaf first, and each node
// once.
func TestAppendVisitsCompletedNodes(t *testing.T) {
	fr := tree.NewFrontier()
	seen := map[node]tree.Hash{}
	for i := range int64(maxSize) {
		var got []node
		fr.Append(tree.LeafHash(data(i)), func(level uint, index int64, h tree.Hash) {
			n := node{level, index}
			got = append(got, n)
			if _, twice := seen[n]; twice {
				t.Errorf("node %v was told twice", n)
			}
			seen[n] = h
			if level > 0 && h != tree.NodeHash(seen[node{level - 1, 2 * index}], seen[node{level - 1, 2*index + 1}]) {
				t.Errorf("node %v is not the hash of its children", n)
			}
		})
		var want []node
		for level := uint(0); (i+1)%(1<<level) == 0; level++ {
			want = append(want, node{level, (i+1)>>level - 1})
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(node{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("leaf %d (-want +told)\n%s", i, diff)
		}
	}
}

func TestProofForms(t *testing.T) {
	hs := grow(5).leaves
	got, err := tree.ParseProof(tree.FormatProof(hs))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hs, got); diff != "" {
		t.Errorf("(-formatted +parsed)\n%s", diff)
	}
	if p, err := tree.ParseProof(nil); err != nil || len(p) != 0 {
		t.Errorf("ParseProof(nil) = %v, %v", p, err)
	}
	long := make([][]byte, tree.MaxProof+1)
	for i := range long {
		long[i] = make([]byte, tree.HashSize)
	}
	if _, err := tree.ParseProof(long); err == nil {
		t.Errorf("%d hashes were accepted", len(long))
	}
	if _, err := tree.ParseProof(long[1:]); err != nil {
		t.Errorf("%d hashes were refused: %v", tree.MaxProof, err)
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := tree.ParseProof([][]byte{long[0], make([]byte, n)}); err == nil {
			t.Errorf("a hash of %d bytes was accepted", n)
		}
	}
}
