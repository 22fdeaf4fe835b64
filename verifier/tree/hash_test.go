package tree_test

import (
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// The leaves and roots that Certificate Transparency's implementations
// compare with.
var (
	ctLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	ctRoots  = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
)

func TestRootsOfCertificateTransparency(t *testing.T) {
	f := tree.NewFrontier()
	for size := range len(ctRoots) {
		if got := f.Root(); hex.EncodeToString(got[:]) != ctRoots[size] || f.Size() != int64(size) {
			t.Errorf("size %d: root %x of size %d, want %s", size, got, f.Size(), ctRoots[size])
		}
		if size < len(ctLeaves) {
			b, err := hex.DecodeString(ctLeaves[size])
			if err != nil {
				t.Fatal(err)
			}
			f.Append(tree.LeafHash(b), nil)
		}
	}
}

func TestHashForms(t *testing.T) {
	if got, want := tree.Empty.String(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; got != want {
		t.Errorf("Empty = %s, want %s", got, want)
	}
	b, err := base64.StdEncoding.DecodeString(tree.Empty.String())
	if err != nil {
		t.Fatal(err)
	}
	if h, err := tree.ParseHash(b); err != nil || h != tree.Empty {
		t.Errorf("ParseHash = %v, %v; want %v", h, err, tree.Empty)
	}
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := tree.ParseHash(make([]byte, n)); err == nil {
			t.Errorf("a hash of %d bytes was accepted", n)
		}
	}
	// A leaf is not a node: otherwise an entry could pose as a subtree.
	if tree.LeafHash(make([]byte, 2*tree.HashSize)) == tree.NodeHash(tree.Hash{}, tree.Hash{}) {
		t.Error("leaf and node hashes are not apart")
	}
}
