package report

// item is one thing that the legend explains.
type item struct {
	words string
	draw  func(s *svg, x, y int)
}

const (
	itemWidth  = 230
	itemHeight = 52
)

// legend explains all that a picture can show.
var legend = legendItems()

func legendItems() []item {
	var all []item
	for _, sh := range shapes {
		all = append(all, item{sh.name, func(s *svg, x, y int) { drawShape(s, sh, x, y, mark{}, false) }})
	}
	marked := func(words string, m mark) {
		all = append(all, item{words, func(s *svg, x, y int) { drawShape(s, actionShape, x, y, m, false) }})
	}
	marked("outside authority", mark{word: "NOT ALLOWED", flag: true, heavy: true})
	marked("evidence broken", mark{word: "BROKEN", flag: true, heavy: true})
	marked("cannot be told", mark{word: "CANNOT TELL", ask: true})
	marked("action not judged", mark{dashed: true})
	marked("grave finding, no action", mark{flag: true})
	all = append(all, item{"withheld, not readable", func(s *svg, x, y int) { drawShape(s, otherShape, x, y, mark{}, true) }})
	line := func(words string, kind linkKind, granted bool) {
		all = append(all, item{words, func(s *svg, x, y int) {
			s.printf(`<path d="M%d %dH%d" fill="none" %s%s/><path d="%s"%s/>`, x-32, y, x+26, strokes[kind], s.paint("pic-line"), arrow(x+32, y, -7, 0), s.paint("pic-solid"))
			if granted {
				s.printf(`<circle cx="%d" cy="%d" r="3.5"%s/>`, x+18, y, s.paint("pic-solid"))
			}
		}})
	}
	line("asked for (parent)", byParent, false)
	line("asked for and permitted", byParent, true)
	line("permitted (grant)", byGrant, false)
	line("influenced (cause)", byCause, false)
	return append(all, item{"? missing, … elsewhere", func(s *svg, x, y int) {
		s.printf(`<path d="M%d %dH%d" %s%s/><circle cx="%d" cy="%d" r="7" stroke-width="1.4" stroke-dasharray="2 2"%s/>`, x-7, y, x+26, strokes[byParent], s.paint("pic-line"), x-14, y, s.paint("pic-shape"))
		s.text(x-14, y+4, `font-size="11" font-weight="bold" text-anchor="middle"`, "pic-ink", "?")
	}})
}

// perRow is how many items stand beside each other.
func perRow(width int) int { return (min(width, 1500) - 2*margin) / itemWidth }

func legendHeight(width int) int {
	rows := (len(legend) + perRow(width) - 1) / perRow(width)
	return 48 + rows*itemHeight + 24
}

// drawLegend draws the legend of a picture that stands by itself.
func drawLegend(s *svg, y, width int) {
	s.text(margin, y+28, `font-size="13" font-weight="bold"`, "pic-ink", "What the signs mean")
	for i, it := range legend {
		x := margin + i%perRow(width)*itemWidth + 40
		at := y + 48 + i/perRow(width)*itemHeight + 22
		s.printf("<g>")
		it.draw(s, x, at)
		s.text(x+46, at+4, `font-size="11"`, "pic-ink", it.words)
		s.printf("</g>\n")
	}
	s.text(margin, y+legendHeight(width)-10, `font-size="11"`, "pic-ink", "Columns stand in log order. The names are as the records have them.")
}

// Sign is one sign of an embedded picture, and what it means.
type Sign struct {
	SVG   []byte
	Words string
}

// Legend explains the signs of an embedded picture, for the page around it.
func Legend() []Sign {
	var all []Sign
	for _, it := range legend {
		s := &svg{embedded: true}
		s.printf(`<svg width="96" height="54" viewBox="-48 -30 96 54" aria-hidden="true" class="pic">`)
		it.draw(s, -4, 0)
		s.printf(`</svg>`)
		all = append(all, Sign{s.b.Bytes(), it.words})
	}
	return all
}
