package peers

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/tlog"
)

// references are the trees of others over the entries of our log.
type references struct {
	merkle *testonly.Tree
	stored []tlog.Hash // x/mod's
	roots  map[int64]tree.Hash
}

// add appends the log's entries from where the references end.
func (r *references) add(s *served) {
	s.t.Helper()
	if r.merkle == nil {
		r.merkle = testonly.New(rfc6962.DefaultHasher)
	}
	for i := int64(r.merkle.Size()); i < s.ledger.Size(); i++ {
		entry, err := s.ledger.Raw(i)
		must(s.t, err)
		r.merkle.AppendData(entry)
		hs, err := tlog.StoredHashes(i, entry, r)
		must(s.t, err)
		r.stored = append(r.stored, hs...)
	}
}

// ReadHashes is x/mod's way to its stored hashes.
func (r *references) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hs := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		hs[i] = r.stored[x]
	}
	return hs, nil
}

// root is that of both references, which have to agree.
func (r *references) root(t testing.TB, size int64) tree.Hash {
	t.Helper()
	if root, ok := r.roots[size]; ok {
		return root
	}
	root := tree.Hash(r.merkle.HashAt(uint64(size)))
	if size > 0 { // x/mod has another for a tree without leaves
		got, err := tlog.TreeHash(size, r)
		must(t, err)
		if root != tree.Hash(got) {
			t.Fatalf("the references disagree on the root of %d", size)
		}
	}
	if r.roots == nil {
		r.roots = map[int64]tree.Hash{}
	}
	r.roots[size] = root
	return root
}

// inclusion compares the proof that the ledger makes of its tiles with those of
// the references, and has each verify the other's.
func (r *references) inclusion(t *testing.T, s *served, index, size int64) {
	t.Helper()
	_, ours, err := s.ledger.Inclusion(index, size)
	must(t, err)
	want, err := r.merkle.InclusionProof(uint64(index), uint64(size))
	must(t, err)
	theirs, err := tlog.ProveRecord(size, index, r)
	must(t, err)
	if !sameHashes(ours, theirs) || fmt.Sprint(want) != fmt.Sprint(tree.FormatProof(ours)) {
		t.Errorf("inclusion of %d in %d: ours %v, x/mod's %v", index, size, ours, theirs)
		return
	}
	leaf := tree.Hash(r.merkle.LeafHash(uint64(index)))
	root := r.root(t, size)
	converted := make(tlog.RecordProof, len(ours))
	for i, h := range ours {
		converted[i] = tlog.Hash(h)
	}
	if err := tlog.CheckRecord(converted, size, tlog.Hash(root), index, tlog.Hash(leaf)); err != nil {
		t.Errorf("x/mod refuses our proof of %d in %d: %v", index, size, err)
	}
	if err := tree.VerifyInclusion(index, size, leaf, ours, root); err != nil {
		t.Errorf("inclusion of %d in %d: %v", index, size, err)
	}
}

func (r *references) consistency(t *testing.T, s *served, old, size int64) {
	t.Helper()
	_, _, ours, err := s.ledger.Consistency(old, size)
	must(t, err)
	if err := tree.VerifyConsistency(old, size, r.root(t, old), r.root(t, size), ours); err != nil {
		t.Errorf("consistency of %d with %d: %v", old, size, err)
	}
	if old == 0 {
		// The references have no proof from the empty tree; ours has no hashes.
		if len(ours) != 0 {
			t.Errorf("consistency of 0 with %d: %v", size, ours)
		}
		return
	}
	want, err := r.merkle.ConsistencyProof(uint64(old), uint64(size))
	must(t, err)
	if fmt.Sprint(want) != fmt.Sprint(tree.FormatProof(ours)) {
		t.Errorf("consistency of %d with %d: ours %v, merkle's %v", old, size, ours, want)
	}
	theirs, err := tlog.ProveTree(size, old, r)
	must(t, err)
	if !sameHashes(ours, theirs) {
		t.Errorf("consistency of %d with %d: ours %v, x/mod's %v", old, size, ours, theirs)
	}
	converted := make(tlog.TreeProof, len(ours))
	for i, h := range ours {
		converted[i] = tlog.Hash(h)
	}
	if err := tlog.CheckTree(converted, size, tlog.Hash(r.root(t, size)), old, tlog.Hash(r.root(t, old))); err != nil {
		t.Errorf("x/mod refuses our proof that %d extends %d: %v", size, old, err)
	}
}

// Every inclusion and every consistency proof of every size up to 300, and
// random ones of a larger log, are those of transparency-dev/merkle and of x/mod,
// which share no code.
func TestProofsAreThoseOfOthers(t *testing.T) {
	s := serveLog(t, nil)
	r := &references{}
	s.growTo(300)
	r.add(s)
	if got := r.root(t, 300); got != s.root() {
		t.Fatalf("root %s, the references have %s", s.root(), got)
	}
	for size := int64(1); size <= 300; size++ {
		for i := range size {
			r.inclusion(t, s, i, size)
		}
		for old := range size + 1 {
			r.consistency(t, s, old, size)
		}
		if t.Failed() {
			return
		}
	}
	s.growTo(3000)
	r.add(s)
	r.random(t, s, 1000)
}

// random compares that many proofs of random places and sizes.
func (r *references) random(t *testing.T, s *served, n int) {
	t.Helper()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range n {
		size := 1 + rnd.Int64N(s.ledger.Size())
		r.inclusion(t, s, rnd.Int64N(size), size)
		r.consistency(t, s, rnd.Int64N(size+1), size)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}
