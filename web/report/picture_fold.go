package report

import (
	"cmp"
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// How far records of less and less interest fill a picture, in columns.
const (
	fillGrants = 80
	fillOthers = 40
)

// fold decides which records have a column of their own.
func (p *picture) fold() {
	ns := p.nodes
	drawn := make([]bool, len(ns))
	switch {
	case p.style.From > 0:
		// One column is left for what is before, and one for what is after.
		first, _ := slices.BinarySearchFunc(ns, p.style.From, func(n *chain.Node, at int64) int { return cmp.Compare(n.Index, at) })
		first = max(0, min(first, len(ns)-1))
		for i := first; i < min(len(ns), first+maxColumns-2); i++ {
			drawn[i] = true
		}
	case len(ns) <= maxColumns:
		for i := range drawn {
			drawn[i] = true
		}
	default:
		p.choose(drawn)
	}
	for i, n := range ns {
		if !drawn[i] && i > 0 && !drawn[i-1] {
			last := p.columns[len(p.columns)-1]
			last.nodes = append(last.nodes, n)
		} else {
			p.columns = append(p.columns, &column{nodes: []*chain.Node{n}, folded: !drawn[i]})
		}
		p.columnOf[n] = p.columns[len(p.columns)-1]
	}
}

// choose takes the records that stand out most, as far as there are columns.
func (p *picture) choose(drawn []bool) {
	ns := p.nodes
	weights := p.weights()
	order := make([]int, len(ns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weights[a], weights[b]) })
	columns := 1
	for _, i := range order {
		// A record that is taken out of the middle of a fold leaves two; at its
		// end it only takes its own column.
		more := 0
		if i > 0 && !drawn[i-1] {
			more++
		}
		if i+1 < len(ns) && !drawn[i+1] {
			more++
		}
		room := maxColumns
		switch weights[i] {
		case isGrant:
			room = fillGrants
		case isOther:
			room = fillOthers
		}
		if more == 0 || columns+more <= room {
			drawn[i] = true
			columns += more
		}
	}
}

// What makes a record stand out, the most first.
const (
	isGrave = iota
	isRoot
	isAnswer
	isAbove
	isGrant
	isOther
)

// weights says what makes each record stand out.
func (p *picture) weights() []int {
	ns := p.nodes
	weights := make([]int, len(ns))
	above := map[*chain.Node]bool{}
	for i, n := range ns {
		weights[i] = p.weight(n)
		if weights[i] != isGrave {
			continue
		}
		if g := p.ids[n.Record.Msg.GetGrant()]; g != nil {
			above[g] = true
		}
		// Who is above one is often above many: the way up ends where another
		// has been.
		for a := n.Parent; a != nil && !above[a]; a = a.Parent {
			above[a] = true
		}
	}
	for i, n := range ns {
		if n == p.chain.Nodes[0] {
			weights[i] = min(weights[i], isRoot)
		}
		if above[n] {
			weights[i] = min(weights[i], isAbove)
		}
	}
	return weights
}

func (p *picture) weight(n *chain.Node) int {
	if o, acts := p.outcome(n); p.marks.Grave[n.Index] || acts && o != chain.WithinAuthority && o != chain.NotJudgedHere {
		return isGrave
	}
	if hidden(n) {
		return isOther
	}
	switch n.Record.Msg.GetBody().(type) {
	case *onusv1.Record_Approval, *onusv1.Record_Denial, *onusv1.Record_Rejection, *onusv1.Record_Revocation, *onusv1.Record_Review:
		return isAnswer
	case *onusv1.Record_Delegation:
		return isGrant
	}
	return isOther
}

// grave reports whether something is folded that must not be overlooked.
func (p *picture) grave(c *column) bool {
	counts, _, grave := p.tally(c.nodes)
	return counts[chain.EvidenceBroken]+counts[chain.OutsideAuthority]+grave > 0
}

// foldLines says in a few short lines what is folded.
func (p *picture) foldLines(c *column) []string {
	lines := []string{many(len(c.nodes), "record", "records")}
	counts, actions, grave := p.tally(c.nodes)
	switch {
	case actions == 0 && grave == 0:
		return append(lines, "no action")
	case actions > 0 && counts[chain.WithinAuthority] == actions && grave == 0:
		return append(lines, "all within authority")
	}
	for _, o := range chain.Outcomes() {
		if counts[o] > 0 {
			lines = append(lines, fmt.Sprintf("%d %s", counts[o], o))
		}
	}
	if grave > 0 {
		lines = append(lines, many(grave, "other grave finding", "other grave findings"))
	}
	return lines
}

// foldWords says in a sentence what is folded.
func (p *picture) foldWords(c *column) string {
	first, last := c.nodes[0].Index, c.nodes[len(c.nodes)-1].Index
	return fmt.Sprintf("Folded: %s, from entry %d to entry %d. %s", many(len(c.nodes), "record", "records"), first, last, p.outcomes(c.nodes))
}

// window returns the address of the picture that has a fold's records.
func (p *picture) window(c *column) string {
	if p.style.Window == nil {
		return ""
	}
	from := c.nodes[0]
	// Before a window that is shown, the one that ends where it begins.
	if p.style.From > 0 && c.number == 0 {
		from = c.nodes[max(0, len(c.nodes)-(maxColumns-2))]
	}
	return p.style.Window(max(1, from.Index))
}

// drawFold draws what stands for folded records: in each lane their number, and
// above all lanes what they are.
func (p *picture) drawFold(s *svg, c *column) {
	href := p.window(c)
	s.open(href, "pic-fold", p.foldWords(c))
	x, w := c.x-c.width/2+6, c.width-12
	mark := "pic-band"
	if p.grave(c) {
		mark = "pic-band pic-bad"
	}
	s.printf(`<rect x="%d" y="%d" width="%d" height="%d" rx="6" stroke-dasharray="4 4"%s/>`, x, p.top-headings+2, w, p.bottom()-p.top+headings-4, s.paint(mark))
	for i, line := range p.foldLines(c) {
		if i > 2 {
			break // the tooltip and the sentence have all of it
		}
		size := `font-size="11"`
		if i == 0 {
			size = `font-size="13" font-weight="bold"`
		}
		s.text(c.x, p.top-headings+19+14*i, size+` text-anchor="middle"`, "pic-ink", line)
	}
	for _, l := range p.lanes {
		sp := c.spots[l]
		if sp == nil {
			continue
		}
		s.printf(`<rect x="%d" y="%d" width="52" height="24" rx="12" stroke-width="1.2"%s/>`, c.x-26, sp.y()-12, s.paint("pic-shape"))
		s.text(c.x, sp.y()+4, `font-size="12" text-anchor="middle"`, "pic-ink", fmt.Sprintf("%d", sp.count))
	}
	if p.grave(c) {
		drawFlag(s, x+w-6, p.top-headings+4)
	}
	s.close(href)
}
