package desk

import (
	"hash/maphash"
	"strings"
)

// kind says what a term is.
type kind uint8

// The kinds. Their numbers are stored.
const (
	kindAgent kind = iota + 1
	kindOperator
	kindUser
	kindSubject
	kindSession
	kindOperation
	kindResource
	kindDatatype
	// kindParty is a service, a client or a reviewer who signed something.
	kindParty
	// kindWho is who answers, in words.
	kindWho
	kindUnit
	kindCode
	kindsEnd
)

// term is the number of a term; 0 is none.
type term = uint32

// terms is a dictionary that only grows: each kind and text once, by number.
// Texts lie in blocks, so that looking for a word is one search per block, and
// not one per term. An item, "location#identifier", has the text from the # on
// and the number of its location: there are many at each.
type terms struct {
	seed maphash.Seed
	// table holds the numbers at the places of their hashes, or behind these;
	// its length is a power of two, a third of it free, or more.
	table []term
	kinds []kind
	// start is where each text begins in the blocks. It ends before the next.
	start []uint32
	text  blocks
	// base is the location of an item, 0 for all else.
	base []term
	// folded holds the texts that differ in lower case. A word in lower case
	// that is found in the text as it stands is in its lower case too.
	folded      blocks
	foldedTerm  []term
	foldedStart []uint32
}

func newTerms() *terms {
	return &terms{seed: maphash.MakeSeed(), table: make([]term, 1<<10), kinds: []kind{0}, start: []uint32{0}, base: []term{0}}
}

// blocks are texts, one after the other, with a zero byte behind each. A place
// is the block's number times blockSize, and the place in it.
type blocks struct{ all [][]byte }

const blockSize = 256 << 10

// add adds a text, which is shorter than a block, and returns its place.
func (b *blocks) add(s string) uint32 {
	if len(s) >= blockSize {
		panic("desk: a record has a text that is longer than a record")
	}
	if n := len(b.all); n == 0 || len(b.all[n-1])+len(s)+1 > blockSize {
		b.all = append(b.all, make([]byte, 0, blockSize))
	}
	n := len(b.all) - 1
	at := uint32(n*blockSize + len(b.all[n]))
	b.all[n] = append(append(b.all[n], s...), 0)
	return at
}

// get returns the text between a place and the one where the next begins; after
// is 0 for the last text.
func (b *blocks) get(at, after uint32) []byte {
	block := b.all[at/blockSize]
	if after/blockSize == at/blockSize && after > at {
		return block[at%blockSize : after%blockSize-1]
	}
	return block[at%blockSize : len(block)-1]
}

// own returns what is stored of a term's text: all, or of an item its end.
func (t *terms) own(at term) []byte {
	after := uint32(0)
	if int(at)+1 < len(t.start) {
		after = t.start[at+1]
	}
	return t.text.get(t.start[at], after)
}

// slot finds a term's place in the table: its own, or a free one.
func (t *terms) slot(k kind, base term, text string) int {
	mask := uint64(len(t.table) - 1)
	for i := t.hash(k, base, text) & mask; ; i = (i + 1) & mask {
		if at := t.table[i]; at == 0 || t.kinds[at] == k && t.base[at] == base && string(t.own(at)) == text {
			return int(i)
		}
	}
}

func (t *terms) hash(k kind, base term, text string) uint64 {
	return maphash.String(t.seed, text) + (uint64(k)<<32|uint64(base))*0x9e3779b97f4a7c15
}

// find returns the number of a term, 0 if it is not there.
func (t *terms) find(k kind, s string) term { return t.table[t.slot(k, 0, s)] }

// add puts a term, or with a base an item.
func (t *terms) add(k kind, base term, text string) term {
	i := t.slot(k, base, text)
	if at := t.table[i]; at != 0 {
		return at
	}
	at := term(len(t.kinds))
	t.table[i] = at
	t.kinds = append(t.kinds, k)
	t.base = append(t.base, base)
	t.start = append(t.start, t.text.add(text))
	if low := strings.ToLower(text); low != text {
		t.foldedTerm = append(t.foldedTerm, at)
		t.foldedStart = append(t.foldedStart, t.folded.add(low))
	}
	if 3*len(t.kinds) > 2*len(t.table) {
		t.grow()
	}
	return at
}

func (t *terms) grow() {
	t.table = make([]term, 2*len(t.table))
	mask := uint64(len(t.table) - 1)
	for at := term(1); int(at) < len(t.kinds); at++ {
		i := t.hash(t.kinds[at], t.base[at], string(t.own(at))) & mask
		for t.table[i] != 0 {
			i = (i + 1) & mask
		}
		t.table[i] = at
	}
}

// str returns a term's text; that of 0 is empty.
func (t *terms) str(at term) string {
	if at == 0 {
		return ""
	}
	return t.str(t.base[at]) + string(t.own(at))
}

// len is how many numbers are given, 0 included.
func (t *terms) len() int { return len(t.kinds) }

// termSet is a set of terms; nil is empty.
type termSet []uint64

func (t *terms) newSet() termSet { return make(termSet, (t.len()+63)/64) }

func (s termSet) add(at term)      { s[at/64] |= 1 << (at % 64) }
func (s termSet) has(at term) bool { return int(at/64) < len(s) && s[at/64]&(1<<(at%64)) != 0 }
