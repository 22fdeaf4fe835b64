package verifier

import (
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// judge judges the chains of the records that were asked for, together: every
// action gets one verdict.
//
// What is withheld, or of a newer version, may belong to them: nobody can see
// where. So all of it is taken as part of them, and they are never clean then.
func (c *bundleCheck) judge() {
	g := c.gather(c.chained(c.res.Scope.Asked))
	c.members = g.members
	c.rep.Chained = g.readable
	for i := range c.res.Leaves {
		l := &c.res.Leaves[i]
		if l.ID.IsZero() || g.members[l.Index] || c.bundle.Leaves[i].Registry {
			continue
		}
		c.rep.Beside++
		if e, ok := entryOf(l); ok && e.Record.Msg.GetStages().GetAction() != nil {
			c.rep.BesideActions++
		}
	}
	c.spread()
	_, c.rep.Judgement = c.judged(g)
	c.rep.check = c
}

// gathered are the entries that are judged together.
type gathered struct {
	entries   []chain.Entry
	elsewhere map[record.ID]int64
	members   map[int64]bool
	readable  int // of the entries
}

func (c *bundleCheck) gather(chained map[record.ID]bool) gathered {
	g := gathered{elsewhere: map[record.ID]int64{}, members: map[int64]bool{}}
	for i := range c.res.Leaves {
		l := &c.res.Leaves[i]
		if l.ID.IsZero() {
			continue
		}
		e, ok := entryOf(l)
		if !ok || e.Opaque == chain.Readable && !chained[l.ID] {
			g.elsewhere[l.ID] = l.Index
			continue
		}
		g.entries = append(g.entries, e)
		g.members[l.Index] = true
		if e.Opaque == chain.Readable {
			g.readable++
		}
	}
	return g
}

func (c *bundleCheck) judged(g gathered) (*chain.Chain, *chain.Judgement) {
	hand := chain.Hand{Source: chain.FromBundle, Seen: c.seen, Tokens: c.tokens, Uses: true}
	for index := range g.members {
		if l := c.leaf(index); l.Entry != nil && len(l.Entry.Stamp.Uses) > 0 && !c.counted[index] {
			hand.Uses = false
		}
	}
	reg := c.res.Registry.History()
	built := chain.Build(g.entries, g.elsewhere, reg.Genesis().GetPolicy())
	return built, chain.Judge(built, chain.Basis{
		Registry: reg, Authority: c.state, Size: c.res.Checkpoint.Size, Time: c.logTime, Faults: c.faults, Hand: hand})
}

// Chain returns the chain of one record and its judgement, as a server gives
// them, where all of that chain that is in the evidence belongs to the chains
// that it is for. Else the file may hold only a part of it: what leads to it by
// a cause is then judged with the chains that were asked for, as the report has
// it. Of a record that is shown beside these, or not at all, Chain returns nil.
// It is called by one goroutine at a time.
func (r *BundleReport) Chain(id record.ID) (*chain.Chain, *chain.Judgement) {
	c := r.check
	in := c.chained([]record.ID{id})
	member, alone := false, true
	for i := range c.res.Leaves {
		l := &c.res.Leaves[i]
		if in[l.ID] && !c.members[l.Index] {
			alone = false
		}
		if l.ID == id && in[id] && c.members[l.Index] {
			member = true
		}
	}
	switch {
	case !member:
		return nil, nil
	case alone:
		return c.judged(c.gather(in))
	}
	return c.judged(c.gather(c.chained(c.res.Scope.Asked)))
}

// Authority returns the state of grants, limits and approvals as the evidence
// shows it. It is used by one goroutine at a time, and not while [BundleReport.Chain] runs.
func (r *BundleReport) Authority() *authority.State { return r.check.state }

// LogTime returns the newest log time that the evidence shows, in milliseconds.
func (r *BundleReport) LogTime() int64 { return r.check.logTime }

// spread hands the evidence's faults to the entries that they are about. What
// is wrong with the file as a whole is wrong with every entry of it.
func (c *bundleCheck) spread() {
	for _, f := range c.rep.Faults {
		fault := chain.Fault{Code: f.Finding, Text: f.Detail}
		if f.Index >= 0 {
			if !slices.Contains(c.faults[f.Index], fault) {
				c.faults[f.Index] = append(c.faults[f.Index], fault)
			}
			continue
		}
		for index := range c.members {
			c.faults[index] = append(c.faults[index], fault)
		}
	}
	if c.rep.FaultCount > int64(len(c.rep.Faults)) {
		// More than are kept: no entry that is not sound may pass as one.
		for index := range c.members {
			if l := c.leaf(index); !l.Sound() && len(c.faults[index]) == 0 && !l.Withheld && l.NotJudged == "" {
				c.faults[index] = append(c.faults[index], chain.Fault{Code: BrokenEntry, Text: "is one of more than can be listed"})
			}
		}
	}
}

func (c *bundleCheck) leaf(index int64) *evidence.Checked {
	i, _ := slices.BinarySearchFunc(c.res.Leaves, index, func(l evidence.Checked, at int64) int { return int(l.Index - at) })
	return &c.res.Leaves[i]
}

// entryOf returns an entry as a chain needs it; false for what has no record
// that a chain can show.
func entryOf(l *evidence.Checked) (chain.Entry, bool) {
	switch {
	case l.Withheld:
		return chain.Entry{Index: l.Index, Opaque: chain.Withheld, Record: &record.Record{ID: l.ID,
			Msg: &onusv1.Record{Author: &onusv1.Author{Operator: l.Party}}}}, true
	case l.NotJudged != "":
		e := chain.Entry{Index: l.Index, Opaque: chain.Newer, Record: &record.Record{ID: l.ID, Msg: &onusv1.Record{}}}
		if l.Entry != nil {
			e.LogTime, e.Stamp = l.Entry.Stamp.LogTime, &l.Entry.Stamp
		}
		if l.Record != nil {
			e.Record = l.Record
		}
		return e, true
	case l.Record == nil || l.Entry == nil:
		return chain.Entry{}, false
	}
	return chain.Entry{Index: l.Index, LogTime: l.Entry.Stamp.LogTime, Record: l.Record, Stamp: &l.Entry.Stamp}, true
}

// chained returns the records of the chains of some records, as far as they are
// linked here.
func (c *bundleCheck) chained(of []record.ID) map[record.ID]bool {
	l := newLinks()
	for i := range c.res.Leaves {
		switch leaf := &c.res.Leaves[i]; {
		case leaf.ID.IsZero():
		case leaf.Record == nil || leaf.NotJudged != "":
			l.add(leaf.ID, nil)
		default:
			l.add(leaf.ID, leaf.Record.Msg)
		}
	}
	return l.chain(of)
}
