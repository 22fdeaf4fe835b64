package web

import (
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

// reviewed finds what officers said of the chain, and adds what a reader of it
// has to know: that a reviewer belongs to the unit whose matter it is, and that
// the evidence for a review is broken. Such a review is shown, and closes
// nothing.
func (c *chainView) reviewed(entries []chain.Entry) {
	c.reviews = report.ReviewsIn(entries, c.said)
	if len(c.reviews) == 0 {
		return
	}
	reg := c.Log.Registry()
	units := unitsByHead(c.Chain, reg)
	for i := range c.reviews {
		r := &c.reviews[i]
		if isOwn(reg, c.at[r.Entry], c.at[r.Of], r.Code != "", units[r.Root]) {
			r.By += ", " + ofOwnUnit
		}
	}
	for i := len(c.reviews) - 1; i >= 0; i-- {
		if r := &c.reviews[i]; c.isBroken(r.Entry) {
			r.By += ", by broken evidence: anybody may have said so"
			c.passOver(i)
		}
	}
}

// passOver has the review before this one of the same matter stand in its place.
func (c *chainView) passOver(i int) {
	r := &c.reviews[i]
	if !r.Latest {
		return
	}
	r.Latest = false
	for j := i - 1; j >= 0; j-- {
		b := &c.reviews[j]
		same := b.Code == r.Code && b.Of == r.Of
		if r.Code == "" {
			same = b.Code == "" && b.Root == r.Root
		}
		if same {
			b.Latest = true
			return
		}
	}
}

func (c *chainView) isBroken(index int64) bool {
	for _, f := range c.findings[index] {
		if f.Forces == chain.ForcesUnverifiable {
			return true
		}
	}
	return false
}

// ofOwnUnit is said of a reviewer whose own matter it is.
const ofOwnUnit = "of the unit that this is about"

// isOwn reports whether a reviewer who signs with an own key belongs to who
// answers for what is reviewed: the author of the record that a finding is about
// or, of the chain as a whole, any of the units that acted in it. Of officers for
// whom the host signs the log does not say where they belong.
func isOwn(reg *registry.Registry, review, about *chain.Node, finding bool, units map[string]bool) bool {
	if review == nil || reg == nil || review.Record.Msg.GetAuthor().GetReviewer() == "" {
		return false
	}
	own := reg.OperatorOf(review.Record.Msg.GetAuthor(), review.Index)
	if own != "" && finding && about != nil {
		return reg.OperatorOf(about.Record.Msg.GetAuthor(), about.Index) == own
	}
	return own != "" && !finding && units[own]
}

// unitsByHead are the operators of who acted in each chain that is at hand, by
// the entry at its head.
func unitsByHead(ch *chain.Chain, reg *registry.Registry) map[int64]map[string]bool {
	units := map[int64]map[string]bool{}
	if reg == nil {
		return units
	}
	heads := map[*chain.Node]*chain.Node{}
	for _, n := range ch.Nodes {
		if n.Record.Msg.GetStages().GetAction() == nil {
			continue
		}
		head := headOf(n, heads).Index
		if units[head] == nil {
			units[head] = map[string]bool{}
		}
		units[head][reg.OperatorOf(n.Record.Msg.GetAuthor(), n.Index)] = true
	}
	return units
}

// headOf returns the topmost record above one, and notes it for all on the way.
// Links of withheld records can form a circle: then it is where the way ends.
func headOf(n *chain.Node, heads map[*chain.Node]*chain.Node) *chain.Node {
	var way []*chain.Node
	at := n
	for {
		if known := heads[at]; known != nil {
			at = known
			break
		}
		heads[at] = at
		way = append(way, at)
		if at.Parent == nil {
			break
		}
		at = at.Parent
	}
	for _, w := range way {
		heads[w] = at
	}
	return at
}
