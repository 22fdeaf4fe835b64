package tree

import (
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
)

// MaxProof bounds the hashes of a proof: a tree of 2^62 leaves needs fewer.
const MaxProof = 128

// ParseProof takes a proof from a list of byte strings.
func ParseProof(b [][]byte) ([]Hash, error) {
	if len(b) > MaxProof {
		return nil, fmt.Errorf("a proof has at most %d hashes, this has %d", MaxProof, len(b))
	}
	hs := make([]Hash, len(b))
	for i, x := range b {
		h, err := ParseHash(x)
		if err != nil {
			return nil, fmt.Errorf("proof hash %d: %w", i, err)
		}
		hs[i] = h
	}
	return hs, nil
}

// FormatProof is the inverse of [ParseProof].
func FormatProof(hs []Hash) [][]byte {
	b := make([][]byte, len(hs))
	for i := range hs {
		b[i] = hs[i][:]
	}
	return b
}

// VerifyInclusion checks that leaf stands at index in the tree of that size
// and root. RFC 6962, section 2.1.1.
func VerifyInclusion(index, size int64, leaf Hash, p []Hash, root Hash) error {
	if index < 0 || index >= size {
		return fmt.Errorf("index %d is not in a tree of %d leaves", index, size)
	}
	return legible(proof.VerifyInclusion(hasher{}, uint64(index), uint64(size), leaf[:], FormatProof(p), root[:]))
}

// VerifyConsistency checks that the tree of size1 and root1 is a prefix of
// that of size2 and root2. RFC 6962, section 2.1.2. Every tree extends the
// empty one, whose proof is empty.
func VerifyConsistency(size1, size2 int64, root1, root2 Hash, p []Hash) error {
	switch {
	case size1 < 0 || size2 < size1:
		return fmt.Errorf("sizes %d and %d are not in order", size1, size2)
	case size1 == 0:
		if root1 != Empty {
			return errors.New("a tree without leaves has another root")
		}
		if size2 == 0 && root2 != Empty {
			return errors.New("a tree without leaves has another root")
		}
		if len(p) != 0 {
			return errors.New("a proof from the empty tree has no hashes")
		}
		return nil
	}
	return legible(proof.VerifyConsistency(hasher{}, uint64(size1), uint64(size2), FormatProof(p), root1[:], root2[:]))
}

// legible says a root mismatch in the form in which checkpoints have roots.
func legible(err error) error {
	var m proof.RootMismatchError
	if errors.As(err, &m) && len(m.CalculatedRoot) == HashSize && len(m.ExpectedRoot) == HashSize {
		return fmt.Errorf("the proof leads to root %s, not to %s", Hash(m.CalculatedRoot), Hash(m.ExpectedRoot))
	}
	return err
}

// A NodeReader returns the hash of a complete subtree: the node at level
// (leaves are 0) with that index, left to right.
type NodeReader func(level uint, index int64) (Hash, error)

// ProveInclusion builds the proof that [VerifyInclusion] checks.
func ProveInclusion(index, size int64, read NodeReader) ([]Hash, error) {
	if index < 0 || index >= size {
		return nil, fmt.Errorf("index %d is not in a tree of %d leaves", index, size)
	}
	nodes, err := proof.Inclusion(uint64(index), uint64(size))
	if err != nil {
		return nil, err
	}
	return readProof(nodes, read)
}

// ProveConsistency builds the proof that [VerifyConsistency] checks.
func ProveConsistency(size1, size2 int64, read NodeReader) ([]Hash, error) {
	if size1 < 0 || size2 < size1 {
		return nil, fmt.Errorf("sizes %d and %d are not in order", size1, size2)
	}
	if size1 == 0 {
		return nil, nil
	}
	nodes, err := proof.Consistency(uint64(size1), uint64(size2))
	if err != nil {
		return nil, err
	}
	return readProof(nodes, read)
}

func readProof(nodes proof.Nodes, read NodeReader) ([]Hash, error) {
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		h, err := read(id.Level, int64(id.Index))
		if err != nil {
			return nil, err
		}
		hashes[i] = h[:]
	}
	hashes, err := nodes.Rehash(hashes, nodeHash)
	if err != nil {
		return nil, err
	}
	return ParseProof(hashes)
}

var ranges = &compact.RangeFactory{Hash: nodeHash}

// Frontier is the right edge of a growing tree: enough to append leaves and
// to know the root, in memory of logarithmic size. It is not safe for
// concurrent use.
type Frontier struct{ r *compact.Range }

// NewFrontier returns the frontier of the empty tree.
func NewFrontier() *Frontier { return &Frontier{ranges.NewEmptyRange(0)} }

// LoadFrontier returns the frontier of a tree of that size, whose nodes read
// supplies.
func LoadFrontier(size int64, read NodeReader) (*Frontier, error) {
	if size < 0 {
		return nil, fmt.Errorf("a tree has no %d leaves", size)
	}
	ids := compact.RangeNodes(0, uint64(size), nil)
	hashes := make([][]byte, len(ids))
	for i, id := range ids {
		h, err := read(id.Level, int64(id.Index))
		if err != nil {
			return nil, err
		}
		hashes[i] = h[:]
	}
	r, err := ranges.NewRange(0, uint64(size), hashes)
	if err != nil {
		return nil, err
	}
	return &Frontier{r}, nil
}

// Append adds a leaf. If visit is not nil, it is told each node that the leaf
// completes, the leaf itself included, in the order of their levels.
func (f *Frontier) Append(leaf Hash, visit func(level uint, index int64, h Hash)) {
	var v compact.VisitFn
	if visit != nil {
		v = func(id compact.NodeID, h []byte) { visit(id.Level, int64(id.Index), Hash(h)) }
	}
	if err := f.r.Append(leaf[:], v); err != nil {
		panic("tree: append to a frontier that begins at 0: " + err.Error())
	}
}

// Size returns the number of leaves.
func (f *Frontier) Size() int64 { return int64(f.r.End()) }

// Root returns the root.
func (f *Frontier) Root() Hash {
	if f.r.End() == 0 {
		return Empty
	}
	h, err := f.r.GetRootHash(nil)
	if err != nil {
		panic("tree: root of a frontier that begins at 0: " + err.Error())
	}
	return Hash(h)
}

// Clone returns an independent copy.
func (f *Frontier) Clone() *Frontier {
	hashes := make([][]byte, len(f.r.Hashes()))
	for i, h := range f.r.Hashes() {
		hashes[i] = append([]byte(nil), h...)
	}
	r, err := ranges.NewRange(0, f.r.End(), hashes)
	if err != nil {
		panic("tree: copy of a frontier: " + err.Error())
	}
	return &Frontier{r}
}
