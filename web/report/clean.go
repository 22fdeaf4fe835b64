package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWords is how much of one text is shown.
const maxWords = 2000

// Clean makes foreign text harmless in a line of a report. It has no line
// breaks, nothing that steers the direction of text or the terminal, and no
// sign that could pass for a mark: ticks, padlocks, boxes, emoji. These are
// spelled out, as \u{2713}. So is the quotation mark that ends a quote, and the
// backslash itself, so that nothing can be written that looks spelled out; what
// shows nothing at all, such as the filler that is a letter by name; and accents
// without a letter, or so many on one that they would cover other lines.
func Clean(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	accents := maxAccents // on the sign before: none may come first
	for i, n := 0, 0; i < len(s); n++ {
		r, size := utf8.DecodeRuneInString(s[i:])
		if n == maxWords {
			fmt.Fprintf(&b, "… [%d more bytes]", len(s)-i)
			break
		}
		i += size
		accent := unicode.In(r, unicode.Mn, unicode.Mc)
		if accent {
			accents++
		} else {
			accents = 0
		}
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\u{fffd}`)
		case r == '\\' || r == '“' || r == '”' || accent && accents > maxAccents || !shows(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isPlain reports whether a text is shown as it is, without a look at each sign in
// the tables: nearly all ids, locations and operations are, and a page has
// thousands of them.
func isPlain(s string) bool {
	if len(s) > maxWords {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// maxAccents is how many accents a letter may carry: as many as writing needs.
const maxAccents = 4

// shows reports whether a sign is shown as it is: letters, digits, punctuation,
// the mathematical and currency signs of ordinary text.
func shows(r rune) bool {
	switch {
	case r == ' ':
		return true
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return false // letters and accents by name, of which nothing is seen
	case unicode.In(r, unicode.L, unicode.N):
		return true
	case r < 0x80:
		return unicode.IsPrint(r)
	case unicode.In(r, unicode.Mn, unicode.Mc): // accents; those that enclose are no letters
		return true
	case unicode.In(r, unicode.P, unicode.Sc):
		return r != '‼' && r != '⁉'
	case unicode.Is(unicode.Sm, r):
		return r < 0x2190 // no arrows and roots, which look like ticks
	}
	return false
}
