package report

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed page.tmpl
var pageText string

// page has no script and loads nothing: it can be kept beside the evidence.
var page = template.Must(template.New("report").Parse(pageText))

// HTML writes the report as one page that stands by itself, and prints.
func (p *Page) HTML(w io.Writer) error {
	return page.Execute(w, struct {
		*Page
		CountText, Closing string
		Mixed              bool
		Glossary           []Fact
	}{p, p.counts(), closing, p.mixed(), glossary})
}
