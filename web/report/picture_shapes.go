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

func slanted(x, y, rx, ry int) string {
	return fmt.Sprintf("M%d %dH%dL%d %dH%dZ", x-rx+9, y-ry, x+rx, x+rx-9, y+ry, x-rx)
}

// The shapes, in the order of the legend.
var (
	intentShape         = &shape{name: "intent", rx: 34, ry: 17, path: rounded}
	interpretationShape = &shape{name: "interpretation", rx: 34, ry: 18, drop: 1, path: ellipse}
	decisionShape       = &shape{name: "decision", rx: 32, ry: 21, drop: 7, path: diamond}
	actionShape         = &shape{name: "action", rx: 32, ry: 17, path: rect}
	outcomeShape        = &shape{name: "outcome", rx: 13, ry: 13, drop: 6, path: ellipse}
	grantShape          = &shape{name: "grant", rx: 34, ry: 17, path: hexagon}
	approvalShape       = &shape{name: "approval", rx: 26, ry: 19, drop: 5, path: house, inside: "yes"}
	denialShape         = &shape{name: "denial", rx: 26, ry: 19, path: tag, inside: "no"}
	revocationShape     = &shape{name: "revocation", rx: 20, ry: 20, drop: 1, path: octagon, inside: "×"}
	counterShape        = &shape{name: "counter-record", rx: 32, ry: 17, path: barred}
	otherShape          = &shape{name: "any other", rx: 30, ry: 15, path: slanted}

	shapes = []*shape{intentShape, interpretationShape, decisionShape, actionShape, outcomeShape, grantShape, approvalShape, denialShape, revocationShape, counterShape, otherShape}
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
		return revocationShape
	case *onusv1.Record_Counter:
		return counterShape
	}
	return otherShape
}

// mark is how a record stands out.
type mark struct {
	// sign stands beside the shape; empty for none.
	sign string
	// double and dashed are its border.
	double, dashed bool
}

var (
	violation = mark{sign: "!", double: true}
	grave     = mark{sign: "!"}
	untold    = mark{sign: "?"}
	unjudged  = mark{dashed: true}
)

func (p *picture) markOf(n *chain.Node) mark {
	if o, acts := p.outcome(n); acts {
		switch o {
		case chain.EvidenceBroken, chain.OutsideAuthority:
			return violation
		case chain.CannotBeTold:
			return untold
		case chain.NotJudgedHere:
			return unjudged
		}
		return mark{}
	}
	if p.marks.Grave[n.Index] {
		return grave
	}
	return mark{}
}

// border returns how much a record's border adds to its shape.
func (p *picture) border(n *chain.Node) int {
	if p.markOf(n).double {
		return 6
	}
	return 0
}

func (p *picture) drawNode(s *svg, n *chain.Node) {
	at := p.at[n]
	s.printf(`<g><title>%s</title>`, escape(p.sentence(n)))
	drawShape(s, p.shapeOf(n), at.x, at.y(), p.markOf(n), hidden(n))
	below := at.y() + 37
	s.text(at.x, below, `font-size="12" font-weight="bold" text-anchor="middle"`, fmt.Sprintf("#%d", n.Index))
	s.text(at.x, below+13, `font-size="11" text-anchor="middle"`, cut(kindOf(n)+via(n), 20))
	for i, line := range twoLines(p.what(n), 20) {
		s.text(at.x, below+25+12*i, `font-size="11" text-anchor="middle"`, line)
	}
	s.printf("</g>\n")
}

// drawShape draws a shape and its mark around x, y.
func drawShape(s *svg, sh *shape, x, y int, m mark, hatched bool) {
	stroke := `stroke="#1a1a1a" stroke-width="1.6"`
	switch {
	case m.double:
		stroke = `stroke="#9a1b1b" stroke-width="3"`
		s.printf(`<path d="%s" fill="#fff" %s/>`, sh.path(x, y, sh.rx+6, sh.ry+6), stroke)
	case m == grave:
		stroke = `stroke="#9a1b1b" stroke-width="1.6"`
	case m.dashed:
		stroke += ` stroke-dasharray="3 3"`
	}
	d := sh.path(x, y, sh.rx, sh.ry)
	s.printf(`<path d="%s" fill="#fff" %s/>`, d, stroke)
	if hatched {
		s.printf(`<path d="%s" fill="url(#onus-withheld)"/>`, d)
	}
	if sh.inside != "" {
		s.text(x, y+6, `font-size="15" font-weight="bold" text-anchor="middle"`, sh.inside)
	}
	if m.sign == "" {
		return
	}
	bx, by := x+sh.rx+5, y-sh.ry
	if m.sign == "!" {
		s.printf(`<circle cx="%d" cy="%d" r="9" fill="#9a1b1b" stroke="#fff" stroke-width="1.5"/>`, bx, by)
		s.text(bx, by+5, `font-size="15" font-weight="bold" text-anchor="middle" fill="#fff"`, m.sign)
		return
	}
	s.printf(`<circle cx="%d" cy="%d" r="9" fill="#fff" stroke="#1a1a1a" stroke-width="1.8"/>`, bx, by)
	s.text(bx, by+5, `font-size="14" font-weight="bold" text-anchor="middle"`, m.sign)
}
