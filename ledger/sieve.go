package ledger

import (
	"encoding/binary"

	"github.com/onus-ledger/onus/verifier/record"
)

// sieve says of most record ids that were never added that they were not, in
// one look at memory a part. Nearly every record that comes in is new, and the
// database would look through all its levels to say so: that was a fifth of the
// cost of a record, and grew with the log.
//
// It is a list of blocked Bloom filters, each with room for twice as many ids
// as the one before. An id is a SHA-256, so its own bits choose the block and
// the bits in it. At 16 bits an id about one look in four hundred says "maybe" of
// an id that is not there; then the database is asked.
//
// It has room for 134 million ids, in 268 MB. A log with more does without: then
// the database is asked about each record, once.
//
// Who chooses records can search for ids that are taken for known ones, and
// gains nothing but that question.
type sieve struct {
	parts []sievePart
	// over: there were more ids than it has room for, and it says nothing.
	over bool
}

const (
	// blockWords is a block's size in 64-bit words: a line of the processor's
	// cache.
	blockWords = 8
	bitsPerID  = 16
	bitsSet    = 7
	firstPart  = 1 << 16
	maxParts   = 11
	sieveRoom  = firstPart * (1<<maxParts - 1)
)

type sievePart struct {
	room  int
	words []uint64
}

func (s *sieve) add(id record.ID) {
	if s.over {
		return
	}
	if n := len(s.parts); n == 0 || s.parts[n-1].room == 0 {
		if n == maxParts {
			*s = sieve{over: true}
			return
		}
		ids := firstPart << n
		s.parts = append(s.parts, sievePart{room: ids, words: make([]uint64, ids*bitsPerID/64)})
	}
	p := &s.parts[len(s.parts)-1]
	p.room--
	block := p.block(id)
	bits := binary.BigEndian.Uint64(id[8:])
	for range bitsSet {
		block[bits>>6&(blockWords-1)] |= 1 << (bits & 63)
		bits >>= 9
	}
}

// lacks reports that an id was never added. False says nothing.
func (s *sieve) lacks(id record.ID) bool {
	for i := range s.parts {
		if s.parts[i].has(id) {
			return false
		}
	}
	return !s.over
}

func (p *sievePart) has(id record.ID) bool {
	block := p.block(id)
	bits := binary.BigEndian.Uint64(id[8:])
	for range bitsSet {
		if block[bits>>6&(blockWords-1)]&(1<<(bits&63)) == 0 {
			return false
		}
		bits >>= 9
	}
	return true
}

func (p *sievePart) block(id record.ID) []uint64 {
	n := uint64(len(p.words) / blockWords)
	at := binary.BigEndian.Uint64(id[:]) % n * blockWords
	return p.words[at : at+blockWords]
}
