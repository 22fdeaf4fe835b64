package verifier_test

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/tree"
)

// prefixRoots returns the root of every prefix, as the log that signed knows
// them.
func prefixRoots(entries [][]byte) []tree.Hash {
	f := tree.NewFrontier()
	roots := []tree.Hash{f.Root()}
	for _, e := range entries {
		f.Append(tree.LeafHash(e), nil)
		roots = append(roots, f.Root())
	}
	return roots
}

// Locate narrows a difference down to one entry in a small log, and to a
// stretch of 1/4,096 or so of a long one, with few questions.
func TestLocate(t *testing.T) {
	for _, size := range []int{1, 2, 3, 100, 4095, 4096, 4097, 9000, 20000} {
		entries := make([][]byte, size)
		for i := range entries {
			entries[i] = fmt.Append(nil, "entry ", i) // hashes are all that counts here
		}
		roots := prefixRoots(entries)
		for _, changed := range []int{0, 1, size / 3, size / 2, size - 2, size - 1} {
			if changed < 0 || changed >= size {
				continue
			}
			bent := slices.Clone(entries)
			bent[changed] = []byte("changed")
			a := audit(bent, 1000)
			asked := 0
			low, high, err := a.Locate(func(n int64, root tree.Hash) (bool, error) {
				asked++
				return roots[n] == root, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if int64(changed) < low || int64(changed) >= high {
				t.Errorf("size %d: entry %d was changed, located in [%d, %d)", size, changed, low, high)
			}
			if width := high - low; width > int64(1+size/2048) || size < 4096 && width != 1 {
				t.Errorf("size %d: entry %d was changed, located in [%d, %d), %d wide", size, changed, low, high, width)
			}
			if most := bits.Len(4096) + 1; asked > most {
				t.Errorf("size %d: %d questions, want at most %d", size, asked, most)
			}
		}
	}
}

func TestLocateStopsAtError(t *testing.T) {
	a := verifier.NewAudit()
	a.Add([][]byte{{1}, {2}, {3}})
	want := errors.New("no answer")
	if _, _, err := a.Locate(func(int64, tree.Hash) (bool, error) { return false, want }); !errors.Is(err, want) {
		t.Errorf("Locate: %v, want %v", err, want)
	}
}
