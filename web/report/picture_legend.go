package report

// item is one thing that the legend explains.
type item struct {
	words string
	draw  func(s *svg, x, y int)
}

const (
	itemWidth  = 230
	itemHeight = 54
)

// legend explains all that a picture can show.
var legend = legendItems()

func legendItems() []item {
	var all []item
	for _, sh := range shapes {
		all = append(all, item{sh.name, func(s *svg, x, y int) { drawShape(s, sh, x, y, mark{}, false) }})
	}
	marked := func(words string, m mark) {
		all = append(all, item{words, func(s *svg, x, y int) { drawShape(s, &shape{rx: 26, ry: 13, path: rect}, x, y, m, false) }})
	}
	marked("outside authority, broken", violation)
	marked("grave finding, no action", grave)
	marked("cannot be told", untold)
	marked("action not judged", unjudged)
	all = append(all, item{"withheld, not readable", func(s *svg, x, y int) { drawShape(s, otherShape, x, y, mark{}, true) }})
	line := func(words string, kind linkKind) {
		all = append(all, item{words, func(s *svg, x, y int) {
			s.printf(`<path d="M%d %dH%d" fill="none" stroke="#1a1a1a" %s/>%s`, x-32, y, x+26, strokes[kind], arrow(x+32, y, -7, 0))
		}})
	}
	line("asked for (parent)", byParent)
	line("influenced (cause)", byCause)
	line("permitted (grant)", byGrant)
	return append(all, item{"? missing, … elsewhere", func(s *svg, x, y int) {
		s.printf(`<circle cx="%d" cy="%d" r="8" fill="#fff" stroke="#1a1a1a" stroke-width="1.4" stroke-dasharray="2 2"/><path d="M%d %dH%d" stroke="#1a1a1a" %s/>`, x-14, y, x-6, y, x+26, strokes[byParent])
		s.text(x-14, y+4, `font-size="12" font-weight="bold" text-anchor="middle"`, "?")
	}})
}

// perRow is how many items stand beside each other.
func perRow(width int) int { return (min(width, 1500) - 2*margin) / itemWidth }

func legendHeight(width int) int {
	rows := (len(legend) + perRow(width) - 1) / perRow(width)
	return 48 + rows*itemHeight + 24
}

func drawLegend(s *svg, y, width int) {
	s.text(margin, y+28, `font-size="13" font-weight="bold"`, "What the signs mean")
	for i, it := range legend {
		x := margin + i%perRow(width)*itemWidth + 40
		at := y + 48 + i/perRow(width)*itemHeight + 22
		s.printf("<g>")
		it.draw(s, x, at)
		s.text(x+46, at+4, `font-size="11"`, it.words)
		s.printf("</g>\n")
	}
	s.text(margin, y+legendHeight(width)-10, `font-size="11"`, "Columns stand in log order. The names are as the records have them.")
}
