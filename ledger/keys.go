package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/onus-ledger/onus/verifier/record"
)

// All rows of the database. A key is its prefix byte and what follows;
// integers are big-endian, so that rows sort by them. "Truth" rows are lost
// with the database; "derived" rows are rebuilt from the entries at any time.
//
//	prefix  then                      value                              kind
//	v       –                         format version u8, check of the
//	                                  content key, 16 bytes              truth
//	h       –                         head, see below                    truth
//	e       index u64                 entry                              truth
//	t       level u8, tile u64        256 hashes: a full tile            truth
//	l       index u64                 leaf hashes from that entry on,    truth
//	                                  until their tile is full
//	g       registry number u64       index u64                          truth
//	a       what package authority    state of grants, limits, approvals truth
//	        names it
//	c       index u64, commitment     sealed content of that entry       truth
//	u       index u64                 sealed user's token beside it      truth
//	k       holder                    wrapped key of the holder          truth
//	n       pseudonym                 sealed name                        truth
//	p       keyed hash of the name    pseudonym                          truth
//	o       size u64                  checkpoint of that size with the
//	                                  witnesses' cosignatures            truth
//	w       set of properties u8      watermark: index u64               derived
//	i       record id                 index u64                          derived
//	x       kind u8, hash 16, idx u64 the entries that have the property, derived
//	                                  from that one on: the distance
//	                                  from each to the next, uvarints
//	q       key id                    a key that knocked: PendingKey     neither
//
// The rows under a follow from the entries, as the registry does. They are
// truth all the same: apply reads them, so they stand in the batch of the
// entries that they come from, and Check makes them again and compares.
//
// The rows under q are a note for administrators of what was refused. They are
// at most 1,000, nothing rests on them, and a crash may lose the newest.
//
// The rows under o come behind the head, as witnesses answer. Without them the
// log is whole, but what was witnessed when is known to others alone. Those that
// are older than an hour are thinned: thin.go says which are kept.
//
// Partial tiles are not stored: the right edge is made again from at most 255
// leaf hashes, and 255 tiles a level, when the ledger opens.
//
// The head is: size u64, log time u64, registry count u64, checkpoint.
//
// A change to a row's meaning is a new format version, and a test that reads
// a database of the old one.
const (
	formatVersion = 3

	prefixVersion   = 'v'
	prefixHead      = 'h'
	prefixEntry     = 'e'
	prefixTile      = 't'
	prefixLeaf      = 'l'
	prefixID        = 'i'
	prefixRegistry  = 'g'
	prefixAuthority = 'a'
	prefixContent   = 'c'
	prefixUserToken = 'u'
	prefixHolder    = 'k'
	prefixName      = 'n'
	prefixPseudonym = 'p'
	prefixCosigned  = 'o'
	prefixWatermark = 'w'
	prefixPosting   = 'x'
	prefixKnock     = 'q'
)

var (
	keyVersion = []byte{prefixVersion}
	keyHead    = []byte{prefixHead}
	// A new property of entries is a new set: the watermark of the one before is
	// not looked at, and the rows are made again when the ledger opens.
	keyWatermark = []byte{prefixWatermark, 3}
)

func u64(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

func keyEntry(index int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixEntry}, uint64(index))
}

func keyTile(level int, n int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixTile, byte(level)}, uint64(n))
}

func keyID(id record.ID) []byte { return append([]byte{prefixID}, id[:]...) }

func keyRegistry(n int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixRegistry}, uint64(n))
}

func keyLeaf(index int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixLeaf}, uint64(index))
}

func keyContent(index int64, sum [record.CommitmentSize]byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{prefixContent}, uint64(index)), sum[:]...)
}

func keyAuthority(key string) []byte { return append([]byte{prefixAuthority}, key...) }

func keyUserToken(index int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixUserToken}, uint64(index))
}

func keyCosigned(size int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixCosigned}, uint64(size))
}

func keyKnock(keyID string) []byte { return append([]byte{prefixKnock}, keyID...) }

func keyHolder(holder string) []byte       { return append([]byte{prefixHolder}, holder...) }
func keyName(pseudonym string) []byte      { return append([]byte{prefixName}, pseudonym...) }
func keyPseudonym(nameHash []byte) []byte  { return append([]byte{prefixPseudonym}, nameHash...) }
func keyPosting(p posting, i int64) []byte { return append(p.prefix(), u64(i)...) }

// keyAfter returns the first key after all that begin with prefix.
func keyAfter(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// parseIndex reads a row that holds one index.
func parseIndex(key, v []byte) (int64, error) {
	if len(v) != 8 || v[0] > 0x7f {
		return 0, &CorruptionError{Key: fmt.Sprintf("%q", key), What: "is not an index"}
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}
