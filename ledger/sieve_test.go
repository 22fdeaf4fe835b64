package ledger

import (
	"encoding/binary"
	"testing"

	"github.com/onus-ledger/onus/verifier/record"
)

// The sieve never denies an id that it was given, and takes few others for
// known, through all its parts.
func TestSieve(t *testing.T) {
	rng := newRand(t)
	fresh := func() (id record.ID) {
		for i := 0; i < len(id); i += 8 {
			binary.BigEndian.PutUint64(id[i:], rng.Uint64())
		}
		return id
	}
	var s sieve
	if !s.lacks(fresh()) {
		t.Error("an empty sieve has an id")
	}
	var ids []record.ID
	for range 7*firstPart + 1 { // three parts full, and one begun
		id := fresh()
		ids = append(ids, id)
		s.add(id)
	}
	for _, id := range ids {
		if s.lacks(id) {
			t.Fatalf("the sieve denies %s, which it was given", id)
		}
	}
	if len(s.parts) != 4 {
		t.Errorf("%d parts, want 4", len(s.parts))
	}
	const asked = 100_000
	taken := 0
	for range asked {
		if !s.lacks(fresh()) {
			taken++
		}
	}
	if taken > asked/50 {
		t.Errorf("%d of %d new ids are taken for known", taken, asked)
	}
	t.Logf("%d of %d new ids are taken for known", taken, asked)
}

// With more ids than it has room for, the sieve denies none.
func TestSieveOver(t *testing.T) {
	var s sieve
	for i := range maxParts { // full, as far as add can tell
		s.parts = append(s.parts, sievePart{words: make([]uint64, blockWords<<i)})
	}
	s.add(record.ID{1})
	s.add(record.ID{2})
	if s.lacks(record.ID{1}) || s.lacks(record.ID{3}) || s.parts != nil {
		t.Errorf("the sieve answers, or keeps %d parts", len(s.parts))
	}
}
