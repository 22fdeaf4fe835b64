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

// link joins a record to one that it names.
type link struct {
	kind     linkKind
	from, to *chain.Node // from is the record named
	// track is the line above the lane of to on which it runs, from 0; -1 for
	// one that goes straight.
	track int
}

// maxTracks is how many lines run above a lane before they share.
const maxTracks = 24

// route finds a way for every link that passes through no record: out of a
// record to the right, up or down between two columns to the space above the
// other's lane, along there, and down into it. Columns have one record each,
// so that the last part is free; where lines would cover each other they take
// tracks of their own.
func (p *picture) route() {
	byID := map[string]*chain.Node{}
	for _, n := range p.drawn {
		byID[n.Record.ID.String()] = n
	}
	busy := map[*lane][][]span{}
	add := func(kind linkKind, from, to *chain.Node) {
		if from == nil || p.at[from] == nil {
			p.unseen++
			return
		}
		l := &link{kind: kind, from: from, to: to, track: -1}
		p.links = append(p.links, l)
		a, b := p.at[from], p.at[to]
		if kind == byParent && a.lane == b.lane && b.x == a.x+column {
			return
		}
		tracks := busy[b.lane]
		s := span{kind, from, min(a.x+column/2, b.x) - 16, max(a.x+column/2, b.x) + 16}
		l.track = freeTrack(tracks, s)
		if l.track == len(tracks) {
			tracks = append(tracks, nil)
		}
		tracks[l.track] = append(tracks[l.track], s)
		busy[b.lane] = tracks
		b.lane.tracks = len(tracks)
	}
	for _, n := range p.drawn {
		if n.Parent != nil {
			add(byParent, n.Parent, n)
		}
		causes := sorted(n.Causes)
		for _, c := range causes[:min(len(causes), maxCauses)] {
			add(byCause, c, n)
		}
		p.unseen += max(0, len(causes)-maxCauses)
		if g := byID[n.Record.Msg.GetGrant()]; g != nil && g != n {
			add(byGrant, g, n)
		}
	}
}

// span is a part of a track that is taken, by the lines of one kind from one
// record.
type span struct {
	kind   linkKind
	from   *chain.Node
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
	s.printf(`<g fill="none" stroke="#1a1a1a">` + "\n")
	for _, l := range p.links {
		a, b := p.at[l.from], p.at[l.to]
		side := aside[l.kind]
		if l.track < 0 {
			edge := b.x - p.shapeOf(l.to).rx - p.border(l.to)
			s.printf(`<path d="M%d %dH%d" %s/>%s`+"\n", a.x, a.y(), edge-6, strokes[l.kind], arrow(edge, b.y(), -7, 0))
			continue
		}
		along := b.lane.y + 8 + track*l.track
		shape := p.shapeOf(l.to)
		edge := b.y() - shape.ry - p.border(l.to)
		if side != 0 {
			edge += shape.drop
		}
		s.printf(`<path d="M%d %dH%dV%dH%dV%d" %s/>%s`+"\n", a.x, a.y()+side/2, a.x+column/2+side/2, along, b.x+side, edge-6, strokes[l.kind], arrow(b.x+side, edge, 0, -7))
	}
	for _, n := range p.drawn {
		p.drawStub(s, n)
	}
	s.printf("</g>\n")
}

// arrow draws the head of a line that ends at x, y and comes from dx, dy.
func arrow(x, y, dx, dy int) string {
	return fmt.Sprintf(`<path d="M%d %dL%d %dL%d %dZ" fill="#1a1a1a" stroke="none"/>`, x, y, x+dx+dy*4/7, y+dy+dx*4/7, x+dx-dy*4/7, y+dy-dx*4/7)
}

// drawStub draws a link to a parent that is not among the records: nobody who
// reads the picture shall take the record for a root.
func (p *picture) drawStub(s *svg, n *chain.Node) {
	word := p.parentless(n)
	if word == "" {
		return
	}
	at := p.at[n]
	edge := at.x - p.shapeOf(n).rx - p.border(n)
	x := at.x - column/2 + 18
	s.printf(`<path d="M%d %dH%d" %s/><circle cx="%d" cy="%d" r="8" fill="#fff" stroke-width="1.4" stroke-dasharray="2 2"/>`, x, at.y(), edge, strokes[byParent], x, at.y())
	s.text(x, at.y()+4, `font-size="12" font-weight="bold" text-anchor="middle" fill="#1a1a1a" stroke="none"`, map[bool]string{true: "…", false: "?"}[p.knownElsewhere(n)])
	s.printf("\n")
}

// parentless says where a record's parent is, if that is not drawn.
func (p *picture) parentless(n *chain.Node) string {
	switch {
	case n.Record.Msg.GetParent() == "":
		return ""
	case n.Parent == nil && p.knownElsewhere(n):
		return "its parent is in the log outside this chain"
	case n.Parent == nil:
		return "its parent is not in the log"
	case p.at[n.Parent] == nil:
		return fmt.Sprintf("its parent, entry %d, is not drawn", n.Parent.Index)
	}
	return ""
}

// knownElsewhere reports whether a record's parent is somewhere, though not
// drawn.
func (p *picture) knownElsewhere(n *chain.Node) bool {
	if n.Parent != nil {
		return true
	}
	for _, r := range p.chain.Elsewhere {
		if r.ID.String() == n.Record.Msg.GetParent() {
			return true
		}
	}
	return false
}
