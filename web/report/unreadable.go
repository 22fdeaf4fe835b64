package report

// Unreadable is the report of a file that is no evidence, or a damaged one: err
// is the *evidence.FormatError of who read it. Nothing was judged.
func Unreadable(err error, m Meta) *Page {
	p := &Page{Title: "Evidence report", Answer: "BROKEN", AnswerText: "Nothing in the file can be relied on: get it again from who supplied it."}
	p.Problems = []string{Clean(err.Error())}
	p.Facts = []Fact{{"File", Clean(m.File)}, {"SHA-256 of the file", m.Hash}, {"Made by", m.Tool + " " + m.Version}}
	return p
}
