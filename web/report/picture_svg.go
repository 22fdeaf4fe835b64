package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// svg writes a drawing. All text goes through text or escape.
type svg struct {
	b        bytes.Buffer
	embedded bool
}

// inks are the colours of a picture that stands by itself. An embedded one has
// classes in their place, so that a page can be dark, or printed.
var inks = map[string]string{
	"pic-ink":           `fill="#1a1a1a"`,
	"pic-faint":         `fill="#555"`,
	"pic-line":          `stroke="#1a1a1a"`,
	"pic-solid":         `fill="#1a1a1a"`,
	"pic-shape":         `fill="#fff" stroke="#1a1a1a"`,
	"pic-shape pic-bad": `fill="#fff" stroke="#9a1b1b"`,
	"pic-bad":           `fill="none" stroke="#9a1b1b"`,
	"pic-flag":          `fill="#9a1b1b"`,
	"pic-on":            `fill="#fff"`,
	"pic-lane":          `fill="#fff" stroke="#999"`,
	"pic-lane2":         `fill="#f6f6f6" stroke="#999"`,
	"pic-band":          `fill="#ececec" stroke="#555"`,
	"pic-band pic-bad":  `fill="#ececec" stroke="#9a1b1b"`,
	"pic-hit":           `fill="none"`,
}

// paint is the attribute of an element's colours.
func (s *svg) paint(class string) string {
	if s.embedded {
		return ` class="` + class + `"`
	}
	ink, ok := inks[class]
	if !ok {
		panic("report: a class without colours: " + class)
	}
	return " " + ink
}

// id is the name of an element that others refer to.
func (s *svg) id(name string) string {
	if s.embedded {
		return "pic-" + name
	}
	return "onus-" + name
}

func (s *svg) printf(format string, args ...any) { fmt.Fprintf(&s.b, format, args...) }

func (s *svg) text(x, y int, how, class, words string) {
	s.printf(`<text x="%d" y="%d" %s%s>%s</text>`, x, y, how, s.paint(class), escape(words))
}

// open begins a group with its meaning in words: a link, where it has an
// address.
func (s *svg) open(href, class, words string) {
	if href == "" {
		s.printf(`<g><title>%s</title>`, escape(words))
		return
	}
	s.printf(`<a href="%s" class="%s"><title>%s</title>`, escape(href), class, escape(words))
}

func (s *svg) close(href string) {
	if href == "" {
		s.printf("</g>\n")
		return
	}
	s.printf("</a>\n")
}

// hatch defines the pattern of what is withheld.
func (s *svg) hatch() {
	s.printf(`<defs><pattern id="%s" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0 6L6 0" stroke-width="1.2"%s/></pattern></defs>`, s.id("withheld"), s.paint("pic-line"))
}

// standAlone draws the whole of it, with title and legend.
func (p *picture) standAlone(d *Drawing) {
	width := max(minWidth, p.end()+margin)
	bottom := p.bottom()
	d.Width, d.Height = width, bottom+legendHeight(width)
	s := &svg{}
	s.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="onus-title onus-desc" font-family="'Liberation Sans', Arial, sans-serif" fill="#1a1a1a">`,
		d.Width, d.Height, d.Width, d.Height)
	s.printf("\n<title id=\"onus-title\">%s</title>\n<desc id=\"onus-desc\">%s</desc>\n", escape(d.Title), escape(d.description()))
	s.hatch()
	s.printf("\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", d.Width, d.Height)
	s.text(margin, 26, `font-size="17" font-weight="bold"`, "pic-ink", d.Title)
	s.text(margin, 46, `font-size="13"`, "pic-ink", d.Counts)
	for i, line := range d.Notes {
		s.text(margin, 64+16*i, `font-size="12"`, "pic-ink", line)
	}
	s.printf("\n")
	p.drawLanes(s, margin, width-2*margin)
	p.drawNames(s, margin+8)
	p.nameAgain(s)
	p.drawRecords(s)
	drawLegend(s, bottom, width)
	s.printf("\n</svg>\n")
	d.SVG = s.b.Bytes()
}

// widest is how wide a page's frame may be, beyond which lanes do not reach.
const widest = 4000

// embed draws it in two parts, for a page.
func (p *picture) embed(d *Drawing) {
	d.Width, d.Height = max(p.end()+12, 320), p.bottom()+4
	s := &svg{embedded: true}
	s.printf(`<svg class="pic" width="%d" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="xMinYMin" role="group" aria-labelledby="pic-title" aria-describedby="pic-desc">`, d.Width, d.Height, d.Width, d.Height)
	s.printf("\n<title id=\"pic-title\">%s</title>\n<desc id=\"pic-desc\">%s</desc>\n", escape(d.Title), escape(strings.Join(append([]string{d.Counts}, d.Notes...), " ")))
	s.hatch()
	p.drawLanes(s, 0, max(d.Width, widest)) // a frame may be wider than the picture
	p.drawRecords(s)
	s.printf("</svg>\n")
	d.SVG = s.b.Bytes()

	names := &svg{embedded: true}
	names.printf(`<svg class="pic" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="The lanes: %s">`, laneNames, d.Height, laneNames, d.Height, escape(p.laneList()))
	p.drawLanes(names, 0, laneNames)
	p.drawNames(names, 12)
	names.printf("</svg>\n")
	d.Names = names.b.Bytes()
}

// laneList names the lanes from above.
func (p *picture) laneList() string {
	var names []string
	for _, l := range p.lanes {
		names = append(names, l.full)
	}
	return cut(strings.Join(names, "; "), 2000)
}

// drawRecords draws what is in the lanes. The records stand in log order, and so
// does the keyboard's way through them.
func (p *picture) drawRecords(s *svg) {
	for _, c := range p.columns {
		if c.folded {
			p.drawFold(s, c)
		}
	}
	p.drawLinks(s)
	for _, c := range p.columns {
		if !c.folded {
			p.drawNode(s, c)
		}
	}
}

// description says in words what the picture shows, for who cannot see it.
func (d *Drawing) description() string {
	var b strings.Builder
	b.WriteString(d.Counts)
	for _, line := range d.Notes {
		b.WriteString(" " + line)
	}
	for _, w := range d.Words {
		b.WriteString("\n" + w.Text)
	}
	return b.String()
}

// escape makes text safe between tags and in attributes.
func escape(s string) string {
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		xml.EscapeText(&b, []byte(line)) // a strings.Builder never fails
	}
	return b.String()
}
