package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
)

const (
	// maxLanes is how many parties have a lane of their own.
	maxLanes = 40
	// nameRoom is how many letters of a name fit beside a lane.
	nameRoom = 23
)

// lane is a row of a picture: a party, or all those beyond the last row.
type lane struct {
	name string
	// below are lines under the name.
	below []string
	// full is the whole name.
	full string
	// tracks is how many lines run above the lane's records, and lines how
	// many a record has below its shape.
	tracks, lines int
	y             int
	// taken are the numbers of the columns that have something in it.
	taken []int
}

// middle is where the shapes of its records are.
func (l *lane) middle() int { return l.y + l.tracks*track + 34 }

func (l *lane) height() int {
	return l.tracks*track + 34 + max(firstLine+12*max(l.lines, 1), 10+14*len(l.below)) + 9
}

// free reports whether nothing is drawn in the lane between two columns.
func (l *lane) free(a, b int) bool {
	i, _ := slices.BinarySearch(l.taken, a+1)
	return i == len(l.taken) || l.taken[i] >= b
}

// The kinds of parties, in the order of their lanes.
const (
	userLane = iota
	clientLane
	agentLane
	operatorLane
	administratorLane
	serviceLane
	reviewerLane
	hostLane
	unknownLane
)

// partyIn is who signed a record, as a picture has it.
type partyIn struct {
	// lane orders the lanes, and key tells parties apart.
	lane int
	key  string
	// kind and id are the party's, as Style.Name wants them.
	kind, id string
	// more says more of it: its operator.
	more string
}

// partyOf names who signed a record. What an application signs for a user
// stands in the user's lane; the record says by which application. What the
// host signs for an officer is the officer's.
func partyOf(n *chain.Node) partyIn {
	m := n.Record.Msg
	a := m.GetAuthor()
	one := func(lane int, kind, id string) partyIn { return partyIn{lane, kind + " " + id, kind, id, ""} }
	switch {
	case a.GetAgent() != "":
		p := one(agentLane, "agent", a.GetAgent())
		p.more = a.GetOperator()
		p.key += " " + p.more
		return p
	case a.GetUser() != "":
		return one(userLane, "user", a.GetUser())
	case a.GetClient() != "" && m.GetUser() != "":
		return one(userLane, "user", m.GetUser())
	case a.GetClient() != "":
		return one(clientLane, "client", a.GetClient())
	case a.GetOperator() != "":
		return one(operatorLane, "operator", a.GetOperator())
	case a.GetAdministrator() != "":
		return one(administratorLane, "administrator", a.GetAdministrator())
	case a.GetService() != "":
		return one(serviceLane, "service", a.GetService())
	case a.GetReviewer() != "":
		return one(reviewerLane, "reviewer", a.GetReviewer())
	case a.GetHost() && m.GetReview() != nil && m.GetUser() != "":
		return one(reviewerLane, "officer", m.GetUser())
	case a.GetHost():
		return one(hostLane, "the log's host", "")
	}
	return one(unknownLane, "not shown", "")
}

// short is the party's name: what people call it, or the end of its id.
func (p *picture) short(q partyIn) string {
	if p.style.Name != nil && q.id != "" {
		if name := p.style.Name(q.kind, q.id); name != "" {
			return Clean(name)
		}
	}
	switch q.lane {
	case agentLane, serviceLane:
		return Clean(q.id[strings.LastIndex(q.id, "/")+1:])
	case hostLane, unknownLane:
		return q.kind
	}
	return Clean(q.id)
}

// full is all there is to say of a party.
func (p *picture) full(q partyIn) string {
	s := q.kind
	if q.id != "" {
		s += " " + p.short(q)
	}
	if q.lane == userLane && p.short(q) != Clean(q.id) {
		s += ", " + Clean(q.id) // two people may be called the same
	}
	if q.lane == agentLane || q.lane == serviceLane {
		s += ", " + Clean(strings.TrimPrefix(q.id, "spiffe://"))
	}
	if q.lane == agentLane {
		s += ", operator " + Clean(q.more)
	}
	return cut(s, 400)
}

// parties counts who signed.
func (p *picture) parties() int {
	seen := map[string]bool{}
	for _, n := range p.chain.Nodes {
		seen[partyOf(n).key] = true
	}
	return len(seen)
}

// lay makes the lanes of the records that are drawn: users first, then agents,
// then those who answer for them; within a kind whoever signed first. Parties
// of which nothing is drawn share the last one.
func (p *picture) lay() {
	type row struct {
		partyIn
		first *chain.Node
	}
	var rows []row
	seen := map[string]bool{}
	for _, c := range p.columns {
		if c.folded {
			continue
		}
		if q := p.party(c.node()); !seen[q.key] {
			seen[q.key] = true
			rows = append(rows, row{q, cmp.Or(p.hits[c.node()], c.node())})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.lane, b.lane) })
	if len(rows) > maxLanes-1 {
		rows = rows[:maxLanes-1]
	}
	p.laneOf = map[string]*lane{}
	for _, r := range rows {
		l := &lane{name: p.short(r.partyIn), full: p.full(r.partyIn)}
		// Of a long address it is what stands before the @ that people know.
		if at := strings.LastIndexByte(l.name, '@'); at > 0 && cut(l.name, nameRoom) != l.name {
			l.name, l.below = l.name[:at], []string{cut(l.name[at:], 31)}
		}
		l.name = cut(l.name, nameRoom)
		if r.id != "" {
			what := r.kind
			if by := askedBy(r.partyIn, r.first); by != nil {
				what += ", asked by " + p.short(*by)
			}
			l.below = append(l.below, cut(what, 31))
		}
		if r.more != "" {
			unit := p.short(partyIn{operatorLane, "", "operator", r.more, ""})
			if unit == Clean(r.more) {
				unit = "operator " + unit
			}
			l.below = append(l.below, cut(unit, 31))
		}
		p.lanes = append(p.lanes, l)
		p.laneOf[r.key] = l
	}
	var rest *lane
	others := 0
	for _, n := range p.nodes {
		k := p.party(n).key
		if p.laneOf[k] != nil {
			continue
		}
		if rest == nil {
			rest = &lane{}
			p.lanes = append(p.lanes, rest)
		}
		others++
		p.laneOf[k] = rest
	}
	if rest != nil {
		rest.name, rest.full = many(others, "more party", "more parties"), "all other parties"
	}
}

// askedBy names the other agent that asked an agent to act, by its first record
// that is drawn.
func askedBy(q partyIn, first *chain.Node) *partyIn {
	if q.lane != agentLane || first.Parent == nil {
		return nil
	}
	if by := partyOf(first.Parent); by.lane == agentLane && by.key != q.key {
		return &by
	}
	return nil
}

// drawLanes draws the rows.
func (p *picture) drawLanes(s *svg, x, width int) {
	for i, l := range p.lanes {
		class := "pic-lane"
		if i%2 == 0 {
			class = "pic-lane2"
		}
		s.printf(`<rect x="%d" y="%d" width="%d" height="%d" stroke-width="0.5"%s/>`+"\n", x, l.y, width, l.height(), s.paint(class))
	}
}

// drawNames writes who the rows are.
func (p *picture) drawNames(s *svg, x int) {
	for _, l := range p.lanes {
		s.printf("<g><title>%s</title>", escape(l.full))
		y := l.middle() - 6
		s.text(x, y, `font-size="13" font-weight="bold"`, "pic-ink", l.name)
		for j, b := range l.below {
			s.text(x, y+16+14*j, `font-size="11"`, "pic-faint", b)
		}
		s.printf("</g>\n")
	}
}

// nameAgain writes the names further right too: who reads the far end of a long
// chain does not see them otherwise.
func (p *picture) nameAgain(s *svg) {
	for c := again; c < len(p.columns); c += again {
		for _, l := range p.lanes {
			if p.columns[c].spots[l] != nil {
				continue // its labels are there
			}
			s.text(p.columns[c].x-p.columns[c].width/2+8, l.y+l.height()-4, `font-size="9"`, "pic-faint", l.name)
		}
	}
}
