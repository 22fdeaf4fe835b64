package report

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// shape is how a kind of record is drawn.
type shape struct {
	name string
	// rx and ry are half its width and height; drop is how much lower than its
	// top its edge is beside the middle, where links of other kinds enter.
	rx, ry, drop int
	// path draws it around x, y with that half width and height.
	path func(x, y, rx, ry int) string
	// inside is a word that stands in it.
	inside string
}

func rect(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dH%dV%dH%dZ", x-rx, y-ry, x+rx, y+ry, x-rx)
}

func rounded(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dH%dA%d %d 0 0 1 %d %dH%dA%d %d 0 0 1 %d %dZ", x-rx+ry, y-ry, x+rx-ry, ry, ry, x+rx-ry, y+ry, x-rx+ry, ry, ry, x-rx+ry, y-ry)
}

func ellipse(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dA%d %d 0 0 1 %d %dA%d %d 0 0 1 %d %dZ", x-rx, y, rx, ry, x+rx, y, rx, ry, x-rx, y)
}

func diamond(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dL%d %dL%d %dL%d %dZ", x-rx, y, x, y-ry, x+rx, y, x, y+ry)
}

func hexagon(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dL%d %dH%dL%d %dL%d %dH%dZ", x-rx, y, x-rx+12, y-ry, x+rx-12, x+rx, y, x+rx-12, y+ry, x-rx+12)
}

func octagon(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dL%d %dH%dL%d %dV%dL%d %dH%dL%d %dZ", x-rx, y-ry/2, x-rx/2, y-ry, x+rx/2, x+rx, y-ry/2, y+ry/2, x+rx/2, y+ry, x-rx/2, x-rx, y+ry/2)
}

// stop is an octagon in another: it ends what goes on in its lane.
func stop(x, y, rx, ry int) string { return octagon(x, y, rx, ry) + octagon(x, y, rx-5, ry-5) }

func house(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dL%d %dL%d %dV%dH%dZ", x-rx, y-ry/3, x, y-ry, x+rx, y-ry/3, y+ry, x-rx)
}

func tag(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dH%dV%dL%d %dL%d %dZ", x-rx, y-ry, x+rx, y+ry/3, x, y+ry, x-rx, y+ry/3)
}

// barred is a rectangle with two bars: a second hand saw it.
func barred(x, y, rx, ry int) string {
	return rect(x, y, rx, ry) + fmt.Sprintf("M%d %dV%dM%d %dV%d", x-rx+7, y-ry, y+ry, x+rx-7, y-ry, y+ry)
}

// sheet is a page with a folded corner.
func sheet(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dH%dL%d %dV%dH%dZM%d %dV%dH%d", x-rx, y-ry, x+rx-9, x+rx, y-ry+9, y+ry, x-rx, x+rx-9, y-ry, y-ry+9, x+rx)
}

func slanted(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dH%dL%d %dH%dZ", x-rx+9, y-ry, x+rx, x+rx-9, y+ry, x-rx)
}

// The shapes, in the order of the legend.
var (
	intentShape         = &shape{name: "intent", rx: 30, ry: 16, path: rounded}
	interpretationShape = &shape{name: "interpretation", rx: 30, ry: 16, drop: 1, path: ellipse}
	decisionShape       = &shape{name: "decision", rx: 30, ry: 19, drop: 7, path: diamond}
	actionShape         = &shape{name: "action", rx: 29, ry: 16, path: rect}
	outcomeShape        = &shape{name: "outcome", rx: 12, ry: 12, drop: 6, path: ellipse}
	grantShape          = &shape{name: "grant", rx: 30, ry: 16, path: hexagon}
	approvalShape       = &shape{name: "approval", rx: 25, ry: 18, drop: 5, path: house, inside: "yes"}
	denialShape         = &shape{name: "denial", rx: 25, ry: 18, path: tag, inside: "no"}
	revocationShape     = &shape{name: "revocation", rx: 19, ry: 19, drop: 1, path: octagon, inside: "×"}
	endedShape          = &shape{name: "ended, by a record beside", rx: 21, ry: 21, drop: 1, path: stop, inside: "×"}
	counterShape        = &shape{name: "counter-record", rx: 30, ry: 16, path: barred}
	reviewShape         = &shape{name: "review", rx: 22, ry: 17, path: sheet, inside: "§"}
	otherShape          = &shape{name: "any other", rx: 28, ry: 14, path: slanted}

	shapes = []*shape{intentShape, interpretationShape, decisionShape, actionShape, outcomeShape, grantShape, approvalShape, denialShape, revocationShape, endedShape, counterShape, reviewShape, otherShape}
)

// shapeOf returns the shape of a record: of several stages that of the last.
func (p *picture) shapeOf(n *chain.Node) *shape {
	if hidden(n) {
		return otherShape
	}
	switch b := n.Record.Msg.GetBody().(type) {
	case *onusv1.Record_Stages:
		switch d := b.Stages; {
		case d.GetAction() != nil:
			return actionShape
		case d.GetDecision() != nil:
			return decisionShape
		case d.GetInterpretation() != nil:
			return interpretationShape
		}
		return intentShape
	case *onusv1.Record_Outcome:
		return outcomeShape
	case *onusv1.Record_Delegation:
		return grantShape
	case *onusv1.Record_Approval:
		return approvalShape
	case *onusv1.Record_Denial, *onusv1.Record_Rejection:
		return denialShape
	case *onusv1.Record_Revocation:
		if p.hits[n] != nil {
			return endedShape
		}
		return revocationShape
	case *onusv1.Record_Counter:
		return counterShape
	case *onusv1.Record_Review:
		return reviewShape
	}
	return otherShape
}

// mark is how a record stands out.
type mark struct {
	// word stands on its lower edge; empty for none.
	word string
	// flag stands on its corner, and heavy is its border; ask is a question
	// mark there.
	flag, heavy, ask bool
	// dashed is its border.
	dashed bool
}

func (p *picture) markOf(n *chain.Node) mark {
	if o, acts := p.outcome(n); acts {
		switch o {
		case chain.EvidenceBroken:
			return mark{word: "BROKEN", flag: true, heavy: true}
		case chain.OutsideAuthority:
			return mark{word: "NOT ALLOWED", flag: true, heavy: true}
		case chain.CannotBeTold:
			return mark{word: "CANNOT TELL", ask: true}
		case chain.NotJudgedHere:
			return mark{dashed: true}
		}
		return mark{}
	}
	if p.marks.Grave[n.Index] {
		return mark{flag: true}
	}
	return mark{}
}

// border returns how much a record's border adds to its shape.
func (p *picture) border(n *chain.Node) int {
	if p.markOf(n).heavy {
		return 5
	}
	return 0
}

// label is what stands below a record's shape, under its number.
func (p *picture) label(n *chain.Node) []string {
	if p.isBeside(n) && !hidden(n) {
		what := kindOf(n)
		if r := n.Record.Msg.GetRevocation(); r != nil {
			what = ended(r)
		}
		return []string{cut(what, 17), cut("by "+p.short(partyOf(n)), 17)}
	}
	return append([]string{cut(kindOf(n)+p.via(n), 17)}, twoLines(p.what(n), 16)...)
}

func (p *picture) drawNode(s *svg, c *column) {
	n := c.node()
	y := p.spotOf(n).y()
	href := p.link(n)
	s.open(href, "pic-record", p.sentence(n))
	if href != "" {
		// What can be clicked, and where the focus shows, is all of it.
		s.printf(`<rect x="%d" y="%d" width="%d" height="%d" rx="6"%s/>`, c.x-c.width/2+1, y-28, c.width-2, 28+firstLine+6+12*len(p.label(n)), s.paint("pic-hit"))
	}
	m := p.markOf(n)
	drawShape(s, p.shapeOf(n), c.x, y, m, hidden(n))
	below := y + firstLine
	s.printf(`<g font-size="11" text-anchor="middle"%s><text x="%d" y="%d" font-size="12" font-weight="bold">#%d</text>`, s.paint("pic-ink"), c.x, below, n.Index)
	for i, line := range p.label(n) {
		s.printf(`<text x="%d" y="%d">%s</text>`, c.x, below+12+12*i, escape(line))
	}
	s.printf("</g>")
	s.close(href)
}

// link is the address of a record's page; empty where a picture has none.
func (p *picture) link(n *chain.Node) string {
	if !p.style.Embedded || p.style.Record == nil {
		return ""
	}
	return p.style.Record(n.Index)
}

// drawShape draws a shape and its mark around x, y.
func drawShape(s *svg, sh *shape, x, y int, m mark, hatched bool) {
	class, stroke := "pic-shape", `stroke-width="1.6"`
	switch {
	case m.heavy:
		class, stroke = "pic-shape pic-bad", `stroke-width="3"`
		s.printf(`<path d="%s" %s%s/>`, sh.path(x, y, sh.rx+5, sh.ry+5), stroke, s.paint(class))
		stroke = `stroke-width="2"`
	case m.flag:
		class = "pic-shape pic-bad"
	case m.dashed:
		stroke += ` stroke-dasharray="3 3"`
	}
	d := sh.path(x, y, sh.rx, sh.ry)
	s.printf(`<path d="%s" stroke-linejoin="round" %s%s/>`, d, stroke, s.paint(class))
	if hatched {
		s.printf(`<path d="%s" fill="url(#%s)"/>`, d, s.id("withheld"))
	}
	if sh.inside != "" {
		s.text(x, y+5, `font-size="14" font-weight="bold" text-anchor="middle"`, "pic-ink", sh.inside)
	}
	if m.word != "" {
		w := 8 + 6*len(m.word)
		if m.heavy {
			s.printf(`<rect x="%d" y="%d" width="%d" height="13" rx="3"%s/>`, x-w/2, y+sh.ry-5, w, s.paint("pic-flag"))
			s.text(x, y+sh.ry+5, `font-size="8.5" font-weight="bold" letter-spacing="0.3" text-anchor="middle"`, "pic-on", m.word)
		} else {
			s.printf(`<rect x="%d" y="%d" width="%d" height="13" rx="3" stroke-width="1.2"%s/>`, x-w/2, y+sh.ry-6, w, s.paint("pic-shape"))
			s.text(x, y+sh.ry+4, `font-size="8.5" font-weight="bold" letter-spacing="0.3" text-anchor="middle"`, "pic-ink", m.word)
		}
	}
	if m.flag {
		drawFlag(s, x+sh.rx+1, y-sh.ry-1)
	}
	if m.ask {
		s.printf(`<circle cx="%d" cy="%d" r="8" stroke-width="1.6"%s/>`, x+sh.rx+2, y-sh.ry, s.paint("pic-shape"))
		s.text(x+sh.rx+2, y-sh.ry+4, `font-size="12" font-weight="bold" text-anchor="middle"`, "pic-ink", "?")
	}
}

// drawFlag draws the flag of what was not allowed, on a corner.
func drawFlag(s *svg, x, y int) {
	s.printf(`<path d="M%d %dV%d" stroke-width="2"%s/><path d="M%d %dH%dL%d %dL%d %dH%dZ"%s/>`,
		x, y+8, y-13, s.paint("pic-bad"), x, y-13, x+17, x+13, y-7, x+17, y-1, x, s.paint("pic-flag"))
	s.text(x+6, y-3, `font-size="11" font-weight="bold" text-anchor="middle"`, "pic-on", "!")
}
