package desk

import (
	"bytes"
	"sort"
	"strings"
)

// containing adds the terms whose text has the word, which is in lower case. Of
// an item only the identifier is looked at, and what lies across the #: a case
// that has an item has its location too.
func (t *terms) containing(word string, s termSet) {
	t.text.search(word, t.start[1:], func(i int) { s.add(term(i + 1)) })
	t.folded.search(word, t.foldedStart, func(i int) { s.add(t.foldedTerm[i]) })
	if !strings.Contains(word, "#") {
		return
	}
	// One pass, however often the sign is in the word.
	lower := map[term]string{}
	for at, base := range t.base {
		if base == 0 {
			continue
		}
		location, ok := lower[base]
		if !ok {
			location = strings.ToLower(t.str(base))
			lower[base] = location
		}
		if strings.Contains(location+strings.ToLower(string(t.own(term(at)))), word) {
			s.add(term(at))
		}
	}
}

// search calls found for each of the texts that begin at these places which has
// the word. No word has a zero byte, so none is found across two texts.
func (b *blocks) search(word string, start []uint32, found func(int)) {
	w := []byte(word)
	next := 0 // texts before it are behind
	for block, text := range b.all {
		for at := 0; at < len(text); {
			i := bytes.Index(text[at:], w)
			if i < 0 {
				break
			}
			here := uint32(block*blockSize + at + i)
			// The text before the first that begins behind it has it. Where many
			// have the word it is near the last one: steps double from there.
			step := 1
			for next+step < len(start) && start[next+step] <= here {
				next += step
				step *= 2
			}
			rest := start[next:min(next+step, len(start))]
			next += sort.Search(len(rest), func(k int) bool { return rest[k] > here })
			found(next - 1)
			if next == len(start) {
				return
			}
			if at = int(start[next]) - block*blockSize; at >= blockSize {
				break // the next text is in the next block
			}
		}
	}
}
