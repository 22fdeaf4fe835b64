package tree_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/tlog"
)

// Our roots and proofs are those of golang.org/x/mod/sumdb/tlog, which shares
// no code with the implementation underneath ours.
func TestSameAsTlog(t *testing.T) {
	const maxSize = 300 // past a tile of 256
	f := grow(maxSize)
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			hs[i] = stored[x]
		}
		return hs, nil
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	same := func(what string, a, b int64, got []tree.Hash, want []tlog.Hash) {
		t.Helper()
		conv := make([]tree.Hash, len(want))
		for i, h := range want {
			conv[i] = tree.Hash(h)
		}
		if !slices.Equal(conv, got) {
			t.Errorf("%s proof of %d in %d (-tlog +ours)\n%s", what, a, b, cmp.Diff(conv, got))
		}
	}
	for size := int64(1); size <= maxSize; size++ {
		hs, err := tlog.StoredHashes(size-1, data(size-1), reader)
		must(err)
		stored = append(stored, hs...)
		root, err := tlog.TreeHash(size, reader)
		must(err)
		if got := f.roots[size]; got != tree.Hash(root) {
			t.Errorf("root of %d = %v, tlog has %v", size, got, root)
		}
		for i := range size {
			want, err := tlog.ProveRecord(size, i, reader)
			must(err)
			same("inclusion", i, size, mustProve(t)(tree.ProveInclusion(i, size, f.read)), want)
			must(tlog.CheckRecord(want, size, root, i, tlog.RecordHash(data(i))))
		}
		for old := int64(1); old <= size; old++ {
			want, err := tlog.ProveTree(size, old, reader)
			must(err)
			same("consistency", old, size, mustProve(t)(tree.ProveConsistency(old, size, f.read)), want)
		}
	}
}
