package desk

import (
	"iter"
	"math"
	"slices"
	"strconv"
)

// The lists that every case has lie in one slice, one behind the other:
//
//	counts   of actions by outcome, the worst first: number<<3 | outcome
//	terms    sorted
//	grants   the entries of the grants that its records name, sorted
//	parts    term and actions, and of an agent recorded and expected
//	amounts  unit, the sum as a float32, the length of its text, and that, four
//	         bytes a word
//
// The first three have a word each, the number of parts is known, and amounts go
// on to the end.

const (
	// agentPart, in a part's first word, says that two more words follow. Terms
	// are fewer than that: their texts have places in 32 bits.
	agentPart = 1 << 31
	// manyGrants stands for a number of grants that is not kept, nor are they.
	manyGrants = 255
)

// lists are what goes into a case's arena.
type lists struct {
	counts  [5]uint32 // by place in outcomes
	terms   []term
	grants  []uint32
	parts   []part
	amounts []amount
}

type amount struct {
	unit term
	sum  string
}

// part is what a party had in a case.
type part struct {
	term    term
	actions uint32
	// recorded of expected: see [AgentSummary]. For agents alone.
	recorded, expected uint32
	agent              bool
}

// pack sets the lists of a case.
func (k *kase) pack(l lists) {
	var list []uint32
	k.nCounts = 0
	for at, n := range l.counts {
		if n > 0 {
			list = append(list, n<<3|uint32(at))
			k.nCounts++
		}
	}
	list = append(list, l.terms...)
	k.nTerms = uint32(len(l.terms))
	if k.nGrants = manyGrants; len(l.grants) < manyGrants {
		list = append(list, l.grants...)
		k.nGrants = uint8(len(l.grants))
	}
	for _, p := range l.parts {
		if p.agent {
			list = append(list, p.term|agentPart, p.actions, p.recorded, p.expected)
		} else {
			list = append(list, p.term, p.actions)
		}
	}
	k.nParts = uint32(len(l.parts))
	for _, a := range l.amounts {
		near, _ := strconv.ParseFloat(a.sum, 32) // too large is infinite
		list = append(list, a.unit, math.Float32bits(float32(near)), uint32(len(a.sum)))
		for four := range slices.Chunk([]byte(a.sum), 4) {
			var w uint32
			for i, c := range four {
				w |= uint32(c) << (8 * i)
			}
			list = append(list, w)
		}
	}
	k.list = slices.Clip(append([]uint32(nil), list...))
}

// counts yields the places in outcomes and the numbers, the worst first.
func (k *kase) counts() iter.Seq2[uint8, uint32] {
	return func(yield func(uint8, uint32) bool) {
		for _, w := range k.list[:k.nCounts] {
			if !yield(uint8(w&7), w>>3) {
				return
			}
		}
	}
}

func (k *kase) terms() []term {
	from := uint32(k.nCounts)
	return k.list[from : from+k.nTerms]
}

// grants returns the entries of the grants that are named, unless there are too
// many.
func (k *kase) grants() (all []uint32, known bool) {
	from := uint32(k.nCounts) + k.nTerms
	if k.nGrants == manyGrants {
		return nil, false
	}
	return k.list[from : from+uint32(k.nGrants)], true
}

// behind returns what follows the grants.
func (k *kase) behind() []uint32 {
	from := uint32(k.nCounts) + k.nTerms
	if k.nGrants != manyGrants {
		from += uint32(k.nGrants)
	}
	return k.list[from:]
}

func nextPart(w []uint32) (p part, rest []uint32) {
	if w[0]&agentPart != 0 {
		return part{w[0] &^ agentPart, w[1], w[2], w[3], true}, w[4:]
	}
	return part{term: w[0], actions: w[1]}, w[2:]
}

func (k *kase) parts() iter.Seq[part] {
	return func(yield func(part) bool) {
		w := k.behind()
		for range k.nParts {
			var p part
			if p, w = nextPart(w); !yield(p) {
				return
			}
		}
	}
}

// part returns what a party had in a case, if it had.
func (k *kase) part(t term) (p part, ok bool) {
	w := k.behind()
	for range k.nParts {
		if p, w = nextPart(w); p.term == t {
			return p, true
		}
	}
	return part{}, false
}

// hasPart reports whether one of a set had part in the case.
func (k *kase) hasPart(set termSet) bool {
	w := k.behind()
	for range k.nParts {
		if set.has(w[0] &^ agentPart) {
			return true
		}
		_, w = nextPart(w)
	}
	return false
}

// sum is an amount as it lies in the list.
type sum []uint32

func (s sum) unit() term    { return s[0] }
func (s sum) near() float64 { return float64(math.Float32frombits(s[1])) }
func (s sum) text() string {
	text := make([]byte, s[2])
	for i := range text {
		text[i] = byte(s[3+i/4] >> (8 * (i % 4)))
	}
	return string(text)
}

// sumWords is how many words a sum has, whose text has so many bytes.
func sumWords(bytes uint32) uint32 { return 3 + (bytes+3)/4 }

func (k *kase) amounts() iter.Seq[sum] {
	return func(yield func(sum) bool) {
		w := k.behind()
		for range k.nParts {
			_, w = nextPart(w)
		}
		for len(w) > 0 {
			n := sumWords(w[2])
			if !yield(w[:n]) {
				return
			}
			w = w[n:]
		}
	}
}

// fitsList reports whether the lists of a case that was read are whole, and
// which terms they name. Only then may they be asked.
func (k *kase) fitsList(all term, size int64) bool {
	w := k.list
	take := func(n uint32) (got []uint32, ok bool) {
		if uint64(n) > uint64(len(w)) {
			return nil, false
		}
		got, w = w[:n], w[n:]
		return got, true
	}
	counts, ok := take(uint32(k.nCounts))
	if !ok || slices.ContainsFunc(counts, func(c uint32) bool { return c&7 >= 5 }) {
		return false
	}
	terms, ok := take(k.nTerms)
	if !ok || slices.ContainsFunc(terms, func(t term) bool { return t >= all }) {
		return false
	}
	if k.nGrants != manyGrants {
		grants, ok := take(uint32(k.nGrants))
		if !ok || slices.ContainsFunc(grants, func(g uint32) bool { return int64(g) >= size }) {
			return false
		}
	}
	for range k.nParts {
		n := uint32(2)
		if len(w) > 0 && w[0]&agentPart != 0 {
			n = 4
		}
		if p, ok := take(n); !ok || p[0]&^agentPart >= all {
			return false
		}
	}
	for len(w) > 0 {
		if len(w) < 3 || w[0] >= all || w[2] > 1<<20 {
			return false
		}
		s, ok := take(sumWords(w[2]))
		if !ok || !isSum.MatchString(sum(s).text()) {
			return false
		}
	}
	return true
}
