package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
)

// maxLanes is how many parties have a lane of their own.
const maxLanes = 40

// lane is a row of a picture: a party, or all those beyond the last row.
type lane struct {
	keys []string
	name string
	// below are lines under the name.
	below []string
	// full is the whole name.
	full string
	// tracks is how many lines run above the lane's records.
	tracks    int
	y, height int
}

// partyIn is who signed a record, as a picture has it.
type partyIn struct {
	// kind orders the lanes, and key tells parties apart.
	kind  int
	key   string
	name  string
	below []string
	full  string
}

// partyOf names who signed a record. What an application signs for a user
// stands in the user's lane; the record says by which application.
func partyOf(n *chain.Node) partyIn {
	m := n.Record.Msg
	a := m.GetAuthor()
	one := func(kind int, word, name string, below ...string) partyIn {
		full := strings.TrimSpace(word + " " + clean(name))
		for i, b := range below {
			full += ", " + b
			below[i] = cut(b, 34)
		}
		return partyIn{kind, full, cut(strings.TrimSpace(word+" "+clean(name)), 28), below, cut(full, 400)}
	}
	switch {
	case a.GetAgent() != "":
		id := strings.TrimPrefix(a.GetAgent(), "spiffe://")
		return one(2, "agent", id[strings.LastIndex(id, "/")+1:], clean(id), "operator "+clean(a.GetOperator()))
	case a.GetUser() != "":
		return one(0, "user", a.GetUser())
	case a.GetClient() != "" && m.GetUser() != "":
		return one(0, "user", m.GetUser())
	case a.GetClient() != "":
		return one(1, "client", a.GetClient())
	case a.GetOperator() != "":
		return one(3, "operator", a.GetOperator())
	case a.GetAdministrator() != "":
		return one(4, "administrator", a.GetAdministrator())
	case a.GetService() != "":
		id := strings.TrimPrefix(a.GetService(), "spiffe://")
		return one(5, "service", id[strings.LastIndex(id, "/")+1:], clean(id))
	case a.GetReviewer() != "":
		return one(6, "reviewer", a.GetReviewer())
	case a.GetHost():
		return one(7, "the log's host", "")
	}
	return one(8, "not shown", "")
}

// lanesOf returns the lanes of the records: users first, then agents, then
// those who answer for them; within a kind whoever signed first.
func lanesOf(ns []*chain.Node) []*lane {
	var parties []partyIn
	seen := map[string]bool{}
	for _, n := range ns {
		if p := partyOf(n); !seen[p.key] {
			seen[p.key] = true
			parties = append(parties, p)
		}
	}
	slices.SortStableFunc(parties, func(a, b partyIn) int { return cmp.Compare(a.kind, b.kind) })
	var lanes []*lane
	for i, p := range parties {
		if i >= maxLanes-1 && len(parties) > maxLanes {
			last := &lane{name: many(len(parties)-i, "more party", "more parties"), full: "all other parties"}
			for _, q := range parties[i:] {
				last.keys = append(last.keys, q.key)
			}
			return append(lanes, last)
		}
		lanes = append(lanes, &lane{keys: []string{p.key}, name: p.name, below: p.below, full: p.full})
	}
	return lanes
}

// drawLanes draws the rows, and who they are.
func (p *picture) drawLanes(s *svg) {
	for i, l := range p.lanes {
		fill := "#fff"
		if i%2 == 0 {
			fill = "#f6f6f6"
		}
		s.printf(`<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="#999" stroke-width="0.5"/>`,
			escape(l.full), margin, l.y, p.width-2*margin, l.height, fill)
		y := l.y + l.tracks*track + 36
		s.text(margin+8, y, `font-size="13" font-weight="bold"`, l.name)
		for j, b := range l.below {
			s.text(margin+8, y+16+14*j, `font-size="11"`, b)
		}
		// Who reads the far end of a long chain does not see the names.
		for c := again; c < len(p.drawn); c += again {
			s.text(margin+laneNames+c*column+8, l.y+l.height-4, `font-size="9" fill="#555"`, l.name)
		}
		s.printf("</g>\n")
	}
}
