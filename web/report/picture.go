package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
)

// maxDrawn is how many records a picture has, and maxCauses how many causes of
// one record: what is more can be read by nobody. The picture says so.
const (
	maxDrawn  = 400
	maxCauses = 8
)

// Marks are what a picture shows of records beside their chain.
type Marks struct {
	// Outcomes are those of the actions, by index. An action without one was
	// not judged.
	Outcomes map[int64]chain.Outcome
	// Grave are the records, by index, that are no actions, and about which
	// something of severity high or critical was found.
	Grave map[int64]bool
	// Cut says that the chain goes on beyond the records given.
	Cut bool
}

// MarksOf returns the marks that a judgement gives.
func MarksOf(j *chain.Judgement) Marks {
	m := Marks{Outcomes: map[int64]chain.Outcome{}, Grave: map[int64]bool{}}
	for _, v := range j.Actions {
		m.Outcomes[v.Index] = v.Outcome
	}
	for _, f := range j.Findings {
		if f.Kind != chain.Coverage && (f.Severity == chain.High || f.Severity == chain.Critical) {
			m.Grave[f.Index] = true
		}
	}
	return m
}

// Picture draws a chain as one SVG that stands by itself: no script, nothing
// loaded, and no colour needed to read it. Each party has a lane, and each
// record a column, in log order. The same chain and marks give the same bytes.
//
// What records say themselves is not drawn: only what they are, and what was
// done. The names in them are foreign text all the same, and made harmless.
func Picture(c *chain.Chain, m Marks, w io.Writer) error {
	p := &picture{chain: c, marks: m, at: map[*chain.Node]*spot{}}
	p.place()
	p.route()
	p.stack()

	bottom := p.bottom()
	height := bottom + legendHeight(p.width)
	s := &svg{}
	s.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="onus-title onus-desc" font-family="'Liberation Sans', Arial, sans-serif" fill="#1a1a1a">`,
		p.width, height, p.width, height)
	s.printf("\n<title id=\"onus-title\">%s</title>\n<desc id=\"onus-desc\">%s</desc>\n", escape(p.title()), escape(p.description()))
	s.printf(`<defs><pattern id="onus-withheld" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0 6L6 0" stroke="#1a1a1a" stroke-width="1.2"/></pattern></defs>`)
	s.printf("\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", p.width, height)
	s.text(margin, 26, `font-size="17" font-weight="bold"`, p.title())
	s.text(margin, 46, `font-size="13"`, p.counts())
	for i, line := range p.notes() {
		s.text(margin, 64+16*i, `font-size="12"`, line)
	}
	s.printf("\n")
	p.drawLanes(s)
	p.drawLinks(s)
	for _, n := range p.drawn {
		p.drawNode(s, n)
	}
	p.drawFolded(s)
	drawLegend(s, bottom, p.width)
	s.printf("\n</svg>\n")
	_, err := w.Write(s.b.Bytes())
	return err
}

// Sizes, in pixels. All are whole numbers: the same everywhere.
const (
	margin    = 16
	laneNames = 216 // the width of the lanes' names
	column    = 136 // that of a record
	cell      = 132 // the height of a record
	track     = 7   // that of a line between records
	minWidth  = 960 // room for the legend
	again     = 10  // columns after which the lanes are named again
)

// picture is one picture in the making.
type picture struct {
	chain *chain.Chain
	marks Marks
	// drawn are the records that have a column, in log order.
	drawn []*chain.Node
	at    map[*chain.Node]*spot
	lanes []*lane
	links []*link
	// unseen counts links to records that are not drawn, or not followed.
	unseen int
	width  int
}

// spot is where a record stands.
type spot struct {
	lane *lane
	x    int // the middle of its column
}

// y returns the middle of a record's shape.
func (s *spot) y() int { return s.lane.y + s.lane.tracks*track + 42 }

// place gives each record its column and its lane.
func (p *picture) place() {
	p.drawn = p.chain.Nodes[:min(len(p.chain.Nodes), maxDrawn)]
	p.lanes = lanesOf(p.drawn)
	byKey := map[string]*lane{}
	for _, l := range p.lanes {
		for _, k := range l.keys {
			byKey[k] = l
		}
	}
	for i, n := range p.drawn {
		p.at[n] = &spot{byKey[partyOf(n).key], margin + laneNames + i*column + column/2}
	}
	columns := len(p.drawn)
	if p.folded() > 0 {
		columns++
	}
	p.width = max(minWidth, 2*margin+laneNames+columns*column)
}

// stack puts the lanes below each other, once it is known how many lines each
// has above its records.
func (p *picture) stack() {
	y := 64 + 16*len(p.notes())
	for _, l := range p.lanes {
		l.y, l.height = y, cell+l.tracks*track
		y += l.height
	}
}

func (p *picture) bottom() int {
	if len(p.lanes) == 0 {
		return 64 + 16*len(p.notes())
	}
	last := p.lanes[len(p.lanes)-1]
	return last.y + last.height
}

func (p *picture) folded() int { return len(p.chain.Nodes) - len(p.drawn) }

func (p *picture) title() string {
	if len(p.chain.Nodes) == 0 {
		return "A chain without records"
	}
	return fmt.Sprintf("The chain of entry %d", p.chain.Nodes[0].Index)
}

// counts says how many actions came out in which way.
func (p *picture) counts() string {
	parties := map[string]bool{}
	for _, n := range p.chain.Nodes {
		parties[partyOf(n).key] = true
	}
	return fmt.Sprintf("%s of %s. %s", many(len(p.chain.Nodes), "record", "records"), many(len(parties), "party", "parties"), p.outcomes(p.chain.Nodes))
}

// outcomes counts those of the actions among records, the worst first.
func (p *picture) outcomes(of []*chain.Node) string {
	counts, actions, grave := map[chain.Outcome]int{}, 0, 0
	for _, n := range of {
		if o, acts := p.outcome(n); acts {
			counts[o]++
			actions++
		} else if p.marks.Grave[n.Index] {
			grave++
		}
	}
	var parts []string
	for _, o := range []chain.Outcome{chain.EvidenceBroken, chain.OutsideAuthority, chain.CannotBeTold, chain.NotJudgedHere, chain.WithinAuthority} {
		if counts[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[o], o))
		}
	}
	s := "No action"
	if actions > 0 {
		s = many(actions, "action", "actions") + ": " + strings.Join(parts, ", ")
	}
	if grave > 0 {
		s += "; grave findings about " + many(grave, "record that is no action", "records that are no actions")
	}
	return s + "."
}

// notes say what the picture does not show.
func (p *picture) notes() []string {
	var lines []string
	if n := p.folded(); n > 0 {
		lines = append(lines, fmt.Sprintf("The first %d records are drawn. … %d more are not: %s", len(p.drawn), n, p.outcomes(p.chain.Nodes[len(p.drawn):])))
	}
	if p.marks.Cut {
		lines = append(lines, "The chain goes on beyond these records, and was not judged.")
	}
	if p.unseen > 0 {
		lines = append(lines, fmt.Sprintf("%s to records that are not drawn, or beyond %d causes of a record, are left out.", many(p.unseen, "link", "links"), maxCauses))
	}
	return lines
}

// outcome returns that of an action; false for what is none, or not readable.
// What nobody judged is said to be so: it never passes as clean.
func (p *picture) outcome(n *chain.Node) (chain.Outcome, bool) {
	if hidden(n) || n.Record.Msg.GetStages().GetAction() == nil {
		return "", false
	}
	switch o := p.marks.Outcomes[n.Index]; o {
	case chain.EvidenceBroken, chain.OutsideAuthority, chain.CannotBeTold, chain.WithinAuthority:
		return o, true
	}
	return chain.NotJudgedHere, true
}

// hidden reports whether a record cannot be read here: it is withheld, or of a
// newer format, or there is nothing in it.
func hidden(n *chain.Node) bool {
	return n.Opaque != chain.Readable || n.Record.Msg.GetBody() == nil
}

// description says in words what the picture shows, for who cannot see it.
func (p *picture) description() string {
	var b strings.Builder
	b.WriteString(p.counts())
	for _, line := range p.notes() {
		b.WriteString(" " + line)
	}
	for _, n := range p.drawn {
		b.WriteString("\n" + p.sentence(n))
	}
	return b.String()
}

// drawFolded draws what stands for the records that are not drawn.
func (p *picture) drawFolded(s *svg) {
	if p.folded() == 0 {
		return
	}
	x := margin + laneNames + len(p.drawn)*column + column/2
	s.text(x, (p.lanes[0].y+p.bottom())/2, `font-size="15" font-weight="bold" text-anchor="middle"`, fmt.Sprintf("… %d more", p.folded()))
}

func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// byIndex orders records as the log does.
func byIndex(a, b *chain.Node) int { return cmp.Compare(a.Index, b.Index) }

// sorted returns records in log order, each once.
func sorted(ns []*chain.Node) []*chain.Node {
	ns = slices.SortedFunc(slices.Values(ns), byIndex)
	return slices.Compact(ns)
}
