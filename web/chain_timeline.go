package web

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
)

// maxRows is how many records a page of a list has.
const maxRows = 100

// chainTimeline are the records in log order, with both clocks.
type chainTimeline struct {
	Rows []timeRow
	pages
	// Apart: the clocks of some differ by a second or more.
	Apart bool
}

// pages leads through a long list.
type pages struct {
	First, Last, Total int
	Previous, Next     string
}

type timeRow struct {
	Index           int64
	ID              record.ID
	Logged, Claimed int64
	// Apart says how far the clocks are apart, where it is a second or more;
	// Ahead: the author's is ahead of the log's.
	Apart string
	Ahead bool
	Who   partyName
	// Sequence is its number in the count of its process.
	Sequence int64
	Counted  bool
	Kind     string
	What     string
	Outcome  chain.Outcome
	// Notes call out what is wrong with order and time.
	Notes []string
	// Elsewhere is how many records of the process, before this one and after
	// the one shown last, are not in this chain.
	Elsewhere int
}

// ofTime are the findings that a timeline calls out.
var ofTime = map[string]bool{"SEQUENCE_GAP": true, "INSTANCE_FORKED": true, "LOSS_DECLARED": true, "LATE_RECORDED": true, "CLOCK_SKEW": true,
	"CAUSE_LOGGED_LATER": true, "LOG_TIME_DISPUTED": true, "OUTCOME_MISSING": true}

func (c *chainView) timeline() (*chainTimeline, error) {
	t := &chainTimeline{}
	nodes, err := c.paged(c.Chain.Nodes, &t.pages, "timeline", "")
	if err != nil {
		return nil, err
	}
	last := map[string]int64{} // by process: the number before
	seen := func(n *chain.Node) (key string, number int64, ok bool) {
		a := n.Record.Msg.GetAuthor()
		return a.GetAgent() + " " + a.GetInstance(), n.Record.Msg.GetSequence(), a.GetAgent() != "" && n.Opaque == chain.Readable
	}
	for _, n := range c.Chain.Nodes {
		if n.Index >= nodes[0].Index {
			break
		}
		if key, number, ok := seen(n); ok {
			last[key] = number
		}
	}
	for _, n := range nodes {
		r := timeRow{Index: n.Index, ID: n.Record.ID, Logged: n.LogTime, Who: c.author(n), Kind: c.kind(n)}
		if n.Opaque == chain.Readable {
			r.What = whatOf(n.Record.Msg)
			if ct := n.Record.Msg.GetClaimedTime(); ct != nil {
				r.Claimed = ct.AsTime().UnixMilli()
				if d := n.LogTime - r.Claimed; d >= 1000 || d <= -1000 {
					r.Apart, r.Ahead, t.Apart = apart(d), d < 0, true
				}
			}
		}
		if key, number, ok := seen(n); ok {
			r.Sequence, r.Counted = number, true
			if before, known := last[key]; known && number > before+1 {
				r.Elsewhere = int(number - before - 1)
			}
			last[key] = number
		}
		if v := c.verdicts[n.Index]; v != nil {
			r.Outcome = v.Outcome
		}
		for _, f := range c.findings[n.Index] {
			if ofTime[f.Code] {
				r.Notes = append(r.Notes, f.Title)
			}
		}
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

// kind names what a record is.
func (c *chainView) kind(n *chain.Node) string {
	switch n.Opaque {
	case chain.Withheld:
		return "withheld"
	case chain.Newer:
		return "of a newer format"
	}
	return report.KindOf(n.Record.Msg)
}

// paged returns the page of a list that the address asks for: from the record
// after that number of them.
func (c *chainView) paged(all []*chain.Node, p *pages, tab, only string) ([]*chain.Node, error) {
	skip, err := c.number("skip", "A page of a list begins after a number of records: ?skip=400.")
	if err != nil {
		return nil, err
	}
	if skip >= int64(len(all)) && skip > 0 {
		return nil, notFound("Begin at the first page of the list.", "The list has %s.", count(len(all), "record"))
	}
	first := int(skip)
	last := min(len(all), first+maxRows)
	p.First, p.Last, p.Total = first+1, last, len(all)
	href := func(skip int) string {
		s := fmt.Sprintf("/chain/%s?tab=%s", c.root.Record.ID, tab)
		if only != "" {
			s += "&only=" + only
		}
		if skip > 0 {
			s += fmt.Sprintf("&skip=%d", skip)
		}
		return s
	}
	if first > 0 {
		p.Previous = href(max(0, first-maxRows))
	}
	if last < len(all) {
		p.Next = href(last)
	}
	return all[first:last], nil
}
