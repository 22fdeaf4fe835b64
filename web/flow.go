package web

import (
	"html/template"
	"strings"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/record"
)

// longWord is from how many characters on a word is given places to break at.
// Those of a language are left to the browser.
const longWord = 20

// flow escapes a text, and says where its lines may break: in long words, such
// as paths and ids, behind a slash, a hyphen or a full stop; in a pseudonym
// nowhere. What it is given was made harmless before.
func flow(text string) template.HTML {
	var b strings.Builder
	for i, word := range strings.Split(text, " ") {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch bare := strings.Trim(word, "“”\"'(),.;:"); {
		case isPseudonym(bare):
			b.WriteString(`<span class="nowrap">` + template.HTMLEscapeString(word) + `</span>`)
		case utf8.RuneCountInString(word) >= longWord:
			breakable(&b, word)
		default:
			b.WriteString(template.HTMLEscapeString(word))
		}
	}
	return template.HTML(b.String())
}

func breakable(b *strings.Builder, word string) {
	const behind = "/-."
	from := 0
	for i := range len(word) - 1 {
		if strings.IndexByte(behind, word[i]) >= 0 && strings.IndexByte(behind, word[i+1]) < 0 {
			b.WriteString(template.HTMLEscapeString(word[from:i+1]) + "<wbr>")
			from = i + 1
		}
	}
	b.WriteString(template.HTMLEscapeString(word[from:]))
}

// isPseudonym reports whether a text is a pseudonym of any kind.
func isPseudonym(s string) bool {
	return record.IsPseudonym(s, record.UserPrefix, record.SubjectPrefix, record.SessionPrefix)
}
