package report

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/chain"
)

// linkKind says what joins two records.
type linkKind int

const (
	byParent linkKind = iota
	byCause
	byGrant
)

// strokes say how links are drawn: they differ without colour.
var strokes = map[linkKind]string{
	byParent: `stroke-width="1.8"`,
	byCause:  `stroke-width="1.4" stroke-dasharray="7 4"`,
	byGrant:  `stroke-width="1.8" stroke-dasharray="1.5 3.5" stroke-linecap="round"`,
}

// aside is how far the lines of each kind enter a record beside those of
// parents, so that none covers another; half as far where they leave one.
var aside = map[linkKind]int{byParent: 0, byCause: 12, byGrant: -12}

// link joins a record to one that it names, or to the fold that has it.
type link struct {
	kind linkKind
	from *spot // the record named
	to   *spot
	node *chain.Node // the record that names it
	// granted: its parent is also the grant that it acts under.
	granted bool
	way     way
	// track is the line above the lane of to, from 0, where the way goes round.
	track int
}

// way is how a link runs.
type way int

const (
	// round goes out of a record to the right, up or down between two columns
	// to the space above the other's lane, along there, and down into it.
	round way = iota
	// straight goes along the lane.
	straight
	// corner goes along the lane, and down into a record below.
	corner
)

// maxTracks is how many lines run above a lane before they share.
const maxTracks = 16

// route finds a way for every link that passes through no record. Columns have
// one record each, so that the way down into one is free; where lines would
// cover each other they take tracks of their own.
func (p *picture) route() {
	busy := map[*lane][][]span{}
	type joint struct {
		kind     linkKind
		from, to *spot
	}
	have := map[joint]bool{}
	add := func(kind linkKind, from, n *chain.Node, granted bool) {
		a, b := p.spotOf(from), p.spotOf(n)
		if a == nil || have[joint{kind, a, b}] {
			return
		}
		have[joint{kind, a, b}] = true
		l := &link{kind: kind, from: a, to: b, node: n, granted: granted, way: round}
		p.links = append(p.links, l)
		ahead := a.column.number < b.column.number && a.lane.free(a.column.number, b.column.number)
		switch {
		case ahead && a.lane == b.lane && kind == byParent:
			l.way = straight
			return
		case ahead && p.isAbove(a.lane, b.lane):
			l.way = corner
			return
		}
		tracks := busy[b.lane]
		s := span{kind, a, min(a.column.right(), b.column.x) - 16, max(a.column.right(), b.column.x) + 16}
		l.track = freeTrack(tracks, s)
		if l.track == len(tracks) {
			tracks = append(tracks, nil)
		}
		tracks[l.track] = append(tracks[l.track], s)
		busy[b.lane] = tracks
		b.lane.tracks = len(tracks)
	}
	for _, c := range p.columns {
		if c.folded {
			continue
		}
		n := c.node()
		g := p.ids[n.Record.Msg.GetGrant()]
		if n.Parent != nil {
			add(byParent, n.Parent, n, g == n.Parent)
		}
		causes := sorted(n.Causes)
		for _, cause := range causes[:min(len(causes), maxCauses)] {
			add(byCause, cause, n, false)
		}
		if more := len(causes) - maxCauses; more > 0 {
			p.bundled[n] = more
		}
		if g != nil && g != n && g != n.Parent {
			add(byGrant, g, n, false)
		}
	}
}

// isAbove reports whether a lane stands above another.
func (p *picture) isAbove(a, b *lane) bool {
	for _, l := range p.lanes {
		switch l {
		case b:
			return false
		case a:
			return true
		}
	}
	return false
}

// span is a part of a track that is taken, by the lines of one kind from one
// record.
type span struct {
	kind   linkKind
	from   *spot
	x1, x2 int
}

// freeTrack returns the first track on which s covers no line but those that
// come from the same record.
func freeTrack(tracks [][]span, s span) int {
	for i, t := range tracks {
		free := true
		for _, o := range t {
			if (o.from != s.from || o.kind != s.kind) && o.x1 < s.x2 && s.x1 < o.x2 {
				free = false
				break
			}
		}
		if free {
			return i
		}
	}
	if len(tracks) < maxTracks {
		return len(tracks)
	}
	return maxTracks - 1
}

// drawLinks draws the links, below the records: a line begins in the middle of
// one, and shows where it leaves its shape.
func (p *picture) drawLinks(s *svg) {
	s.printf(`<g fill="none"%s>`+"\n", s.paint("pic-line"))
	for _, l := range p.links {
		a, b := l.from, l.to
		side := aside[l.kind]
		shape := p.shapeOf(l.node)
		if l.way == straight {
			edge := b.column.x - shape.rx - p.border(l.node)
			p.drawLine(s, l, []point{{a.column.x, a.y()}, {edge - 6, b.y()}}, point{edge, b.y()}, point{-7, 0})
			continue
		}
		x, edge := b.column.x+side, b.y()-shape.ry-p.border(l.node)
		if side != 0 {
			edge += shape.drop
		}
		start, end := point{a.column.x, a.y() + side/2}, point{x, edge - 6}
		if l.way == corner {
			p.drawLine(s, l, []point{start, {x, start.y}, end}, point{x, edge}, point{0, -7})
			continue
		}
		turn, along := a.column.right()+side/2, b.lane.y+8+track*l.track
		p.drawLine(s, l, []point{start, {turn, start.y}, {turn, along}, {x, along}, end}, point{x, edge}, point{0, -7})
	}
	s.printf("</g>\n")
	for _, c := range p.columns {
		if !c.folded {
			p.drawStub(s, c)
		}
	}
}

type point struct{ x, y int }

// drawLine draws a link through points to its tip, and the tip's head.
func (p *picture) drawLine(s *svg, l *link, through []point, tip, back point) {
	s.printf(`<path d="%s" %s/>`, bent(through), strokes[l.kind])
	s.printf(`<path d="%s" stroke="none"%s/>`, arrow(tip.x, tip.y, back.x, back.y), s.paint("pic-solid"))
	if l.granted {
		s.printf(`<circle cx="%d" cy="%d" r="3.5" stroke="none"%s/>`, tip.x+back.x*2, tip.y+back.y*2, s.paint("pic-solid"))
	}
	s.printf("\n")
}

// bent is a path through points with rounded corners. All its lines are level
// or upright.
func bent(ps []point) string {
	const radius = 6
	d := fmt.Sprintf("M%d %d", ps[0].x, ps[0].y)
	for i := 1; i < len(ps); i++ {
		at := ps[i]
		if i+1 == len(ps) {
			d += fmt.Sprintf("L%d %d", at.x, at.y)
			break
		}
		before, after := ps[i-1], ps[i+1]
		r := min(radius, length(before, at)/2, length(at, after)/2)
		in, out := toward(at, before, r), toward(at, after, r)
		d += fmt.Sprintf("L%d %dQ%d %d %d %d", in.x, in.y, at.x, at.y, out.x, out.y)
	}
	return d
}

func length(a, b point) int { return max(a.x-b.x, b.x-a.x, a.y-b.y, b.y-a.y) }

// toward returns the point at distance r from a on the way to b.
func toward(a, b point, r int) point {
	step := func(from, to int) int { return max(-r, min(r, to-from)) }
	return point{a.x + step(a.x, b.x), a.y + step(a.y, b.y)}
}

// arrow is the head of a line that ends at x, y and comes from dx, dy.
func arrow(x, y, dx, dy int) string {
	return fmt.Sprintf("M%d %dL%d %dL%d %dZ", x, y, x+dx+dy*4/7, y+dy+dx*4/7, x+dx-dy*4/7, y+dy-dx*4/7)
}

// drawStub draws what a record names and the picture does not have: a parent
// that is not among the records, so that nobody takes it for a root, and the
// causes that have no line.
func (p *picture) drawStub(s *svg, c *column) {
	n := c.node()
	sp := p.spotOf(n)
	if more := p.bundled[n]; more > 0 {
		s.text(c.x+26, sp.y()-24, `font-size="10"`, "pic-ink", fmt.Sprintf("+%d", more))
	}
	if p.parentless(n) == "" {
		return
	}
	edge := c.x - p.shapeOf(n).rx - p.border(n)
	x := c.x - c.width/2 + 6
	s.printf(`<path d="M%d %dH%d" fill="none" %s%s/><circle cx="%d" cy="%d" r="7" stroke-width="1.4" stroke-dasharray="2 2"%s/>`,
		x, sp.y(), edge, strokes[byParent], s.paint("pic-line"), x, sp.y(), s.paint("pic-shape"))
	s.text(x, sp.y()+4, `font-size="11" font-weight="bold" text-anchor="middle"`, "pic-ink", map[bool]string{true: "…", false: "?"}[p.knownElsewhere(n)])
	s.printf("\n")
}

// parentless says where a record's parent is, if that is not in the chain.
func (p *picture) parentless(n *chain.Node) string {
	switch {
	case n.Record.Msg.GetParent() == "" || n.Parent != nil || p.isBeside(n):
		return ""
	case p.knownElsewhere(n):
		return "its parent is in the log outside this chain"
	}
	return "its parent is not in the log"
}

// knownElsewhere reports whether the log has a record's parent outside the
// chain.
func (p *picture) knownElsewhere(n *chain.Node) bool {
	for _, r := range p.chain.Elsewhere {
		if r.ID.String() == n.Record.Msg.GetParent() {
			return true
		}
	}
	return false
}
