package chain

import (
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// ReviewOf is what was said last of a record of a chain, or of one finding
// about it. Reviews stand beside a judgement: none changes a verdict, a finding
// or what is covered.
type ReviewOf struct {
	// Node is the review's own record.
	Node *Node
	// Record is what it is about, and About its node; nil if that is not here.
	Record record.ID
	About  *Node
	// Finding is the finding's name; empty for the chain as a whole.
	Finding string
	Review  *onusv1.Review
}

// ReviewsOf returns the newest review of each record and finding, in log
// order. Those before it stay in the chain as nodes.
//
// It takes the records as they are. Whoever found the evidence for one broken
// has to say so beside it: such a review may be anybody's.
func ReviewsOf(c *Chain) []ReviewOf {
	type matter struct {
		record  record.ID
		finding string
	}
	seen := map[matter]bool{}
	var all []ReviewOf
	for _, n := range slices.Backward(c.Nodes) { // the newest first
		v := n.Record.Msg.GetReview()
		if v == nil || n.Opaque != Readable {
			continue
		}
		k := matter{mustID(v.GetRecord()), v.GetFinding()}
		if seen[k] {
			continue
		}
		seen[k] = true
		r := ReviewOf{Node: n, Record: k.record, Finding: k.finding, Review: v}
		if len(n.Causes) > 0 { // it names one
			r.About = n.Causes[0]
		}
		all = append(all, r)
	}
	slices.Reverse(all)
	return all
}

// DispositionWord names a disposition for people.
func DispositionWord(d onusv1.Disposition) string {
	switch d {
	case onusv1.Disposition_DISPOSITION_OPEN:
		return "open"
	case onusv1.Disposition_DISPOSITION_EXPLAINED:
		return "explained"
	case onusv1.Disposition_DISPOSITION_ESCALATED:
		return "escalated"
	case onusv1.Disposition_DISPOSITION_INCIDENT:
		return "incident"
	case onusv1.Disposition_DISPOSITION_FALSE_ALARM:
		return "false alarm"
	}
	return "unknown"
}
