package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
)

// maxColumns is how many columns a picture has, and maxCauses how many causes
// of one record have lines of their own: what is more can be read by nobody.
// What is folded has a column that says so, and the rest a number.
const (
	maxColumns = 100
	maxCauses  = 6
)

// Marks are what a picture shows of records beside their chain.
type Marks struct {
	// Outcomes are those of the actions, by index. An action without one was
	// not judged.
	Outcomes map[int64]chain.Outcome
	// Grave are the records, by index, that are no actions, and about which
	// something of severity high or critical was found.
	Grave map[int64]bool
	// Beside are records that are not of the chain, and are drawn with it.
	Beside []Beside
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

// Style says how a picture is drawn. The zero value draws one that stands by
// itself, for a file.
type Style struct {
	// Embedded draws for a page: colours come from the page's style sheet, by
	// classes that begin with "pic-", and ids begin with "pic-" too. The title
	// and the legend are the page's. Each record is a link.
	Embedded bool
	// Record returns the address of a record's page, and Window that of the
	// same picture from an index on. They are for an embedded picture.
	Record func(index int64) string
	Window func(from int64) string
	// From draws the records from that index on, one by one; 0 draws all that
	// stands out, wherever it is.
	From int64
	// Name returns what people call a party of a kind by its id, or "". Nil:
	// the ids are shown.
	Name func(kind, id string) string
}

// Drawing is a picture, and the same in words.
type Drawing struct {
	// SVG is the picture. An embedded one has the names of its lanes in Names,
	// a picture of the same height: a page holds it in place while the other
	// is moved.
	SVG, Names []byte
	// Width and Height are those of SVG in pixels.
	Width, Height int
	// Title and Counts are its headline; Notes say what it leaves out.
	Title, Counts string
	Notes         []string
	// Words has a sentence for each column, in log order.
	Words []Sentence
	// Folded counts the records that have no column of their own.
	Folded int
}

// Sentence says in words what a column shows.
type Sentence struct {
	// Index is the record's; -1 for those that are folded.
	Index int64
	Text  string
	// Link is the page's address; empty where the picture has none.
	Link string
}

// Draw draws a chain: each party has a lane, and each record a column, in log
// order. No colour is needed to read it, it runs nothing and loads nothing. The
// same chain, marks and style give the same bytes.
//
// A chain of more records than a picture has columns is folded: runs of records
// about which there is nothing to say share a column, which says how many they
// are and how they came out. What was not allowed is drawn before all else.
// Time and size are bounded by the number of columns, but for one pass over the
// records.
//
// What records say themselves is not drawn: only what they are, and what was
// done. The names in them are foreign text all the same, and made harmless.
func Draw(c *chain.Chain, m Marks, st Style) *Drawing {
	p := &picture{chain: c, marks: m, style: st, columnOf: map[*chain.Node]*column{}, bundled: map[*chain.Node]int{}}
	p.ids = make(map[string]*chain.Node, len(c.Nodes))
	for _, n := range c.Nodes {
		p.ids[n.Record.ID.String()] = n
	}
	p.beside()
	p.fold()
	p.place()
	p.route()
	p.stack()
	d := &Drawing{Title: p.title(), Counts: p.counts(), Notes: p.notes(), Words: p.words(), Folded: p.folded()}
	if st.Embedded {
		p.embed(d)
	} else {
		p.standAlone(d)
	}
	return d
}

// Picture writes the picture that stands by itself.
func Picture(c *chain.Chain, m Marks, w io.Writer) error {
	_, err := w.Write(Draw(c, m, Style{}).SVG)
	return err
}

// Sizes, in pixels. All are whole numbers: the same everywhere.
const (
	margin    = 16
	laneNames = 180 // the width of the lanes' names
	narrow    = 86  // the width of a record's column
	wide      = 132 // that of a fold's
	track     = 6   // the height of a line between records
	minWidth  = 960 // room for the legend
	firstLine = 35  // from a shape's middle to its number
	again     = 10  // columns after which the lanes are named again
	headings  = 50  // room above the lanes for what folds say
)

// picture is one picture in the making.
type picture struct {
	chain *chain.Chain
	marks Marks
	style Style

	ids map[string]*chain.Node
	// nodes are all that is drawn: the chain's records, and those beside it. Of
	// these hits has the record of whom each hits; nil where it stands in the
	// lane of its author.
	nodes    []*chain.Node
	hits     map[*chain.Node]*chain.Node
	columns  []*column
	columnOf map[*chain.Node]*column
	lanes    []*lane
	laneOf   map[string]*lane // by a party's key
	links    []*link
	// bundled counts the causes of a record that have no line of their own.
	bundled map[*chain.Node]int
	top     int // where the lanes begin
}

// column is a place in log order: of one record, or of a run of folded ones.
type column struct {
	number   int
	x, width int // x is its middle
	nodes    []*chain.Node
	folded   bool
	// spots are where links begin: one, or one per lane of a fold.
	spots map[*lane]*spot
}

// node returns the record of a column that is not folded.
func (c *column) node() *chain.Node { return c.nodes[0] }

// right returns where the column ends.
func (c *column) right() int { return c.x + c.width/2 }

// spot is where a column meets a lane, and how many of its records are there.
type spot struct {
	column *column
	lane   *lane
	count  int
}

// y returns the middle of a record's shape.
func (s *spot) y() int { return s.lane.middle() }

// spotOf returns where a record is drawn, itself or in its fold; nil if it is
// not among those of the picture.
func (p *picture) spotOf(n *chain.Node) *spot {
	c := p.columnOf[n]
	if c == nil {
		return nil
	}
	return c.spots[p.laneOf[p.party(n).key]]
}

// place gives each column its place, and each record its lane.
func (p *picture) place() {
	p.lay()
	x := margin + laneNames
	if p.style.Embedded {
		x = 4
	}
	for i, c := range p.columns {
		c.number, c.width = i, narrow
		if c.folded {
			c.width = wide
		}
		c.x = x + c.width/2
		x += c.width
		c.spots = map[*lane]*spot{}
		for _, n := range c.nodes {
			l := p.laneOf[p.party(n).key]
			s := c.spots[l]
			if s == nil {
				s = &spot{column: c, lane: l}
				c.spots[l] = s
				l.taken = append(l.taken, i)
			}
			s.count++
			if !c.folded {
				l.lines = max(l.lines, len(p.label(n)))
			}
		}
	}
}

// stack puts the lanes below each other, once it is known how many lines each
// has above its records.
func (p *picture) stack() {
	p.top = 0
	if !p.style.Embedded {
		p.top = 64 + 16*len(p.notes())
	}
	if p.folded() > 0 {
		p.top += headings
	}
	y := p.top
	for _, l := range p.lanes {
		l.y = y
		y += l.height()
	}
}

func (p *picture) bottom() int {
	if len(p.lanes) == 0 {
		return p.top
	}
	last := p.lanes[len(p.lanes)-1]
	return last.y + last.height()
}

// end returns where the last column does.
func (p *picture) end() int {
	if len(p.columns) == 0 {
		return margin + laneNames
	}
	return p.columns[len(p.columns)-1].right()
}

func (p *picture) folded() int {
	n := 0
	for _, c := range p.columns {
		if c.folded {
			n += len(c.nodes)
		}
	}
	return n
}

func (p *picture) title() string {
	if len(p.chain.Nodes) == 0 {
		return "A chain without records"
	}
	return fmt.Sprintf("The chain of entry %d", p.chain.Nodes[0].Index)
}

// counts says how many actions came out in which way.
func (p *picture) counts() string {
	return fmt.Sprintf("%s of %s. %s", many(len(p.chain.Nodes), "record", "records"), many(p.parties(), "party", "parties"), p.outcomes(p.chain.Nodes))
}

// outcomes counts those of the actions among records, the worst first.
func (p *picture) outcomes(of []*chain.Node) string {
	counts, actions, grave := p.tally(of)
	var parts []string
	for _, o := range chain.Outcomes() {
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

// tally counts the actions among records by outcome, and the records that are
// none and about which something grave was found.
func (p *picture) tally(of []*chain.Node) (counts map[chain.Outcome]int, actions, grave int) {
	counts = map[chain.Outcome]int{}
	for _, n := range of {
		if o, acts := p.outcome(n); acts {
			counts[o]++
			actions++
		} else if p.marks.Grave[n.Index] {
			grave++
		}
	}
	return counts, actions, grave
}

// notes say what the picture does not show.
func (p *picture) notes() []string {
	var lines []string
	if n := p.folded(); n > 0 {
		folds := 0
		for _, c := range p.columns {
			if c.folded {
				folds++
			}
		}
		lines = append(lines, fmt.Sprintf("%s drawn; %d more %s folded into %s.",
			many(len(p.nodes)-n, "record is", "records are"), n, map[bool]string{true: "is", false: "are"}[n == 1], many(folds, "column", "columns")))
	}
	if n := len(p.hits); n > 0 {
		lines = append(lines, many(n, "record", "records")+" beside the chain drawn with it: no link leads there, and something in the chain was ended or allowed there.")
	}
	if p.marks.Cut {
		lines = append(lines, "The chain goes on beyond these records, and was not judged.")
	}
	if len(p.bundled) > 0 {
		n := 0
		for _, m := range p.bundled {
			n += m
		}
		lines = append(lines, fmt.Sprintf("Of each record at most %d causes have a line: %s no line.", maxCauses, many(n, "has", "more have")))
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
