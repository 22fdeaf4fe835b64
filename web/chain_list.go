package web

import (
	"slices"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// chainList are all records of a chain, or those of one sort.
type chainList struct {
	Rows []listRow
	pages
	Filters []listFilter
}

type listFilter struct {
	Word, Href string
	N          int
	Open       bool
}

type listRow struct {
	Index int64
	ID    record.ID
	Who   partyName
	Kind  string
	What  string
	// Outcome is that of an action; empty for what is none, or was not judged.
	Outcome chain.Outcome
	Parent  *chainLink
	// Missing: it names a parent that is not in the chain.
	Missing  bool
	Causes   []chainLink
	More     int // causes beyond those
	Findings []listFinding
	// MoreFound is how many findings there are beyond those.
	MoreFound int
}

// chainLink leads to another record of the chain.
type chainLink struct {
	Index int64
	ID    record.ID
}

type listFinding struct {
	Title    string
	Severity chain.Severity
}

// sorts are what a list can be narrowed to.
var sorts = []struct {
	name, word string
	is         func(*chainView, *chain.Node) bool
}{
	{"", "all", func(*chainView, *chain.Node) bool { return true }},
	{"actions", "actions", func(c *chainView, n *chain.Node) bool {
		return n.Opaque == chain.Readable && n.Record.Msg.GetStages().GetAction() != nil
	}},
	{"outside", "not in order", func(c *chainView, n *chain.Node) bool {
		v := c.verdicts[n.Index]
		return v != nil && v.Outcome != chain.WithinAuthority || c.marks.Grave[n.Index]
	}},
	{"findings", "with findings", func(c *chainView, n *chain.Node) bool {
		for _, f := range c.findings[n.Index] {
			if f.Kind != chain.Coverage {
				return true
			}
		}
		return false
	}},
}

func (c *chainView) list() (*chainList, error) {
	l := &chainList{}
	only := c.r.URL.Query().Get("only")
	var chosen []*chain.Node
	known := false
	for _, s := range sorts {
		var some []*chain.Node
		for _, n := range c.Chain.Nodes {
			if s.is(c, n) {
				some = append(some, n)
			}
		}
		href := "/chain/" + c.root.Record.ID.String() + "?tab=records"
		if s.name != "" {
			href += "&only=" + s.name
		}
		l.Filters = append(l.Filters, listFilter{s.word, href, len(some), s.name == only})
		if s.name == only {
			chosen, known = some, true
		}
	}
	if !known {
		return nil, badRequest("Take one of the words above the list.", "The records of a chain cannot be narrowed to %q.", say(only))
	}
	nodes, err := c.paged(chosen, &l.pages, "records", only)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		l.Rows = append(l.Rows, c.row(n))
	}
	return l, nil
}

func (c *chainView) row(n *chain.Node) listRow {
	const some = 3
	r := listRow{Index: n.Index, ID: n.Record.ID, Who: c.author(n), Kind: c.kind(n)}
	if n.Opaque == chain.Readable {
		r.What = whatOf(n.Record.Msg)
	}
	if v := c.verdicts[n.Index]; v != nil {
		r.Outcome = v.Outcome
	}
	switch {
	case n.Parent != nil:
		r.Parent = &chainLink{n.Parent.Index, n.Parent.Record.ID}
	case n.Record.Msg.GetParent() != "":
		r.Missing = true
	}
	for i, x := range n.Causes {
		if i == some {
			r.More = len(n.Causes) - i
			break
		}
		r.Causes = append(r.Causes, chainLink{x.Index, x.Record.ID})
	}
	fs := slices.DeleteFunc(slices.Clone(c.findings[n.Index]), func(f chain.Finding) bool { return f.Kind == chain.Coverage })
	bySeverity(fs)
	for i, f := range fs {
		if i == 2 {
			r.MoreFound = len(fs) - i
			break
		}
		r.Findings = append(r.Findings, listFinding{f.Title, f.Severity})
	}
	return r
}
