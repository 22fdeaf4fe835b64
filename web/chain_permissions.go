package web

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// Bounds of the permissions of a chain.
const (
	// maxGrants is how many grants of a chain are looked up, and maxActs how
	// many actions stand below one.
	maxGrants, maxActs = 200, 12
)

// chainPermissions are the grants that a chain's actions stand on, from their
// roots down.
type chainPermissions struct {
	Hops []hop
	// Without are the actions that name no grant, or one that is not shown.
	Without []hopAct
	// WithoutLeft is how many more of them there are.
	WithoutLeft int
	// Left says that there are more grants than were looked up.
	Left bool
}

// hop is one grant: who gave what to whom.
type hop struct {
	Depth  int
	Index  int64
	ID     record.ID
	From   partyName
	To     partyName
	Root   string // on whose authority, at a root
	Scope  []hopScope
	Ends   int64
	Starts int64
	// Passed says whether it may be passed on, Session that it ends with it.
	Passed    string
	Session   bool
	Approvals []string
	// Revoked is the entry that ended it; -1 if none did.
	Revoked  int64
	Findings []listFinding
	Acts     []hopAct
	ActsLeft int
	// Here: the grant is a record of the chain.
	Here bool
}

// hopScope is one thing that a grant allows.
type hopScope struct {
	Did, On string
	Limits  []string
	// Used is what was used of the total; Over: it is more than that.
	Used string
}

// hopAct is an action under a grant.
type hopAct struct {
	Index    int64
	ID       record.ID
	Who      partyName
	Did, On  string
	Amount   string
	Outcome  chain.Outcome
	Findings []listFinding
}

func (c *chainView) permissions() (*chainPermissions, error) {
	p := &chainPermissions{}
	grants := map[record.ID]*Grant{}
	looked := map[record.ID]bool{}
	look := func(id record.ID) error {
		if looked[id] || grants[id] != nil {
			return nil
		}
		if len(looked) == maxGrants {
			p.Left = true
			return nil
		}
		looked[id] = true
		path, err := c.Log.GrantPath(id)
		if errors.Is(err, desk.ErrNotFound) || errors.Is(err, desk.ErrNotShown) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("grants above %s: %w", id, err)
		}
		for _, g := range path {
			grants[g.Record.ID] = g
		}
		return nil
	}
	// Those that actions stand on come first, if not all can be looked up.
	for _, v := range c.gravest() {
		if id, ok := c.grantOf(v.Index); ok {
			if err := look(id); err != nil {
				return nil, err
			}
		}
	}
	for _, n := range c.Chain.Nodes {
		if n.Opaque == chain.Readable && n.Record.Msg.GetDelegation() != nil {
			if err := look(n.Record.ID); err != nil {
				return nil, err
			}
		}
	}
	c.tree(p, grants)
	c.acts(p)
	return p, nil
}

// grantOf returns the grant that a record of the chain names.
func (c *chainView) grantOf(index int64) (record.ID, bool) {
	n := c.at[index]
	if n == nil || n.Record.Msg.GetGrant() == "" {
		return record.ID{}, false
	}
	id, err := record.ParseID(n.Record.Msg.GetGrant())
	return id, err == nil
}

// tree lists the grants, each below the one that it was given under.
func (c *chainView) tree(p *chainPermissions, grants map[record.ID]*Grant) {
	below := map[record.ID][]*Grant{}
	var roots []*Grant
	for _, g := range grants {
		up, err := record.ParseID(g.Record.Msg.GetGrant())
		if err == nil && grants[up] != nil {
			below[up] = append(below[up], g)
		} else {
			roots = append(roots, g)
		}
	}
	inOrder := func(a, b *Grant) int { return int(a.Index - b.Index) }
	// Those that are part of the chain come before those that its records name.
	slices.SortFunc(roots, func(a, b *Grant) int {
		if here, there := c.at[a.Index] != nil, c.at[b.Index] != nil; here != there {
			return map[bool]int{true: -1, false: 1}[here]
		}
		return inOrder(a, b)
	})
	var walk func(g *Grant, depth int)
	walk = func(g *Grant, depth int) {
		p.Hops = append(p.Hops, c.hop(g, depth))
		slices.SortFunc(below[g.Record.ID], inOrder)
		for _, b := range below[g.Record.ID] {
			walk(b, depth+1)
		}
	}
	for _, g := range roots {
		walk(g, 0)
	}
}

func (c *chainView) hop(g *Grant, depth int) hop {
	m := g.Record.Msg
	d := m.GetDelegation()
	h := hop{Depth: depth, Index: g.Index, ID: g.Record.ID, Revoked: -1, Session: d.GetEndsWithSession(), Here: c.at[g.Index] != nil}
	if issuer := partyOfIssuer(g.Status.GetIssuer()); issuer.ID != "" {
		h.From = c.nameOf(issuer, g.Index+1)
	} else {
		h.From = c.authorName(m.GetAuthor(), g.Index)
	}
	h.To = c.nameOf(registry.Party{Kind: registry.KindAgent, ID: d.GetAgent()}, g.Index+1)
	h.To.Instance = report.Clean(d.GetInstance())
	if depth == 0 {
		h.Root = map[string]string{"delegated": "the user’s own authority", "own": "the operator’s own authority"}[g.Status.GetBasis()]
	}
	used := map[int32]*onusv1.LimitUse{}
	for _, u := range g.Status.GetUses() {
		used[u.GetLimit()] = u
	}
	for i, e := range d.GetScope() {
		s := hopScope{Did: report.Clean(record.Operation(e.GetElement()))}
		s.On, _ = c.onWhat(e.GetElement())
		if e.GetMaxItem() != "" {
			s.Limits = append(s.Limits, "at most "+amount(e.GetMaxItem(), e.GetUnit())+" an item")
		}
		if e.GetMaxTotal() != "" {
			s.Limits = append(s.Limits, "at most "+amount(e.GetMaxTotal(), e.GetUnit())+" in all")
			s.Used = "nothing used"
			if u := used[int32(i)]; u != nil && u.GetLast() >= 0 {
				s.Used = amount(u.GetTotal(), u.GetUnit()) + " used, by this log"
			}
		}
		h.Scope = append(h.Scope, s)
	}
	if t := d.GetNotBefore(); t != nil {
		h.Starts = t.AsTime().UnixMilli()
	}
	if t := g.Status.GetEnds(); t != nil {
		h.Ends = t.AsTime().UnixMilli()
	} else if t := d.GetExpires(); t != nil {
		h.Ends = t.AsTime().UnixMilli()
	}
	switch n := d.GetMaxDepth(); n {
	case 0:
		h.Passed = "It may not be passed on."
	default:
		h.Passed = fmt.Sprintf("It may be passed on, %s deep.", count(int(n), "step"))
	}
	for _, a := range d.GetApprovals() {
		h.Approvals = append(h.Approvals, approvalRule(a))
	}
	if g.Status != nil && g.Status.Revoked != nil {
		h.Revoked = g.Status.GetRevoked()
	}
	for _, f := range c.findings[g.Index] {
		if f.Kind != chain.Coverage {
			h.Findings = append(h.Findings, listFinding{f.Title, f.Severity})
		}
	}
	return h
}

// approvalRule says what needs a person's approval.
func approvalRule(a *onusv1.ApprovalRule) string {
	ops := a.GetOperations()
	s := report.Clean(strings.Join(ops, ", "))
	if len(ops) == 1 && ops[0] == "*" {
		s = "everything"
	}
	if a.GetAbove() != "" {
		s += " above " + amount(a.GetAbove(), a.GetUnit())
	}
	s += " needs the approval of "
	if len(a.GetApprovers()) == 0 {
		return s + "the user"
	}
	return s + report.Clean(strings.Join(a.GetApprovers(), " or "))
}

// acts puts each action below the grant that it names, the gravest first.
func (c *chainView) acts(p *chainPermissions) {
	at := map[record.ID]*hop{}
	for i := range p.Hops {
		at[p.Hops[i].ID] = &p.Hops[i]
	}
	for _, v := range c.gravest() {
		a := hopAct{Index: v.Index, ID: v.Record, Outcome: v.Outcome, Did: report.Clean(record.Operation(v.Element))}
		a.On, a.Amount = c.onWhat(v.Element)
		if n := c.at[v.Index]; n != nil {
			a.Who = c.author(n)
		}
		for _, f := range v.Findings {
			if f.Forces == chain.ForcesUnauthorized {
				a.Findings = append(a.Findings, listFinding{f.Title, f.Severity})
			}
		}
		id, _ := c.grantOf(v.Index)
		h := at[id]
		switch {
		case h != nil && len(h.Acts) < maxActs:
			h.Acts = append(h.Acts, a)
		case h != nil:
			h.ActsLeft++
		case len(p.Without) < maxActs:
			p.Without = append(p.Without, a)
		default:
			p.WithoutLeft++
		}
	}
}
