package desk

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// How much an agent recorded of what it did. Expected of it are
//
//   - its own actions in the log; but one without an outcome only once the
//     policy's window for it has passed, as it may still come;
//   - what a target service counter-recorded of a request by it, as having been
//     done, for which the agent has no action: neither above the counter-record
//     nor, by the request's id, in the same case. Who called is the service's
//     word.
//
// Recorded are those of its own actions that it recorded itself (capture self),
// with how they ended: an outcome by the same instance, a result, or that the
// target denied it.

// ended reports whether the acting instance said how an action ended, and
// whether nothing came of it: it, or the target, said that it failed or was
// denied, and no target that it took place.
func (s *summing) ended(n *chain.Node) (ended, undone bool) {
	a := n.Record.Msg.GetStages().GetAction()
	denied := a.GetTargetDecision() == onusv1.TargetDecision_TARGET_DECISION_DENIED
	ended, undone = denied || a.GetResult() != nil, denied
	took := false
	for _, c := range n.Children {
		if c.Opaque != chain.Readable {
			continue
		}
		by, who := c.Record.Msg.GetAuthor(), n.Record.Msg.GetAuthor()
		if o := c.Record.Msg.GetOutcome(); o != nil && by.GetAgent() == who.GetAgent() && by.GetInstance() == who.GetInstance() {
			ended = true
			undone = undone || o.GetStatus() == onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED || o.GetTargetDecision() == onusv1.TargetDecision_TARGET_DECISION_DENIED
		}
		if r := c.Record.Msg.GetCounter(); r != nil {
			if refused(r) {
				undone = true
			} else if tookPlace(r) {
				took = true
			}
		}
	}
	return ended, undone && !took
}

func refused(c *onusv1.CounterRecord) bool {
	return c.GetDecision() == onusv1.TargetDecision_TARGET_DECISION_DENIED || c.GetStatus() == onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
}

func tookPlace(c *onusv1.CounterRecord) bool {
	return c.GetDecision() == onusv1.TargetDecision_TARGET_DECISION_ALLOWED || c.GetStatus() == onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
}

// counted is a request as its target knows it.
type counted struct{ service, caller, request string }

// counter notes what a target service saw. An action of an agent that the
// service recorded, and that the agent did not, was expected of it: one for
// which no action of that agent stands above the counter-record, and none in
// the case has its request id. What was denied or failed did not happen.
func (s *summing) counter(n *chain.Node, c *onusv1.CounterRecord, seen map[counted]bool) {
	s.element(c.GetElement())
	if c.GetCaller() == "" {
		return
	}
	caller := s.part(s.put(kindAgent, c.GetCaller()))
	if refused(c) || s.recordedBy(n, c) {
		return
	}
	if id := c.GetExternalRequestId(); id != "" {
		key := counted{n.Record.Msg.GetAuthor().GetService(), c.GetCaller(), id}
		if seen[key] {
			return
		}
		seen[key] = true
	}
	caller.expected++
}

func (s *summing) recordedBy(n *chain.Node, c *onusv1.CounterRecord) bool {
	does := func(n *chain.Node) bool {
		return n != nil && n.Opaque == chain.Readable && n.Record.Msg.GetAuthor().GetAgent() == c.GetCaller() && n.Record.Msg.GetStages().GetAction() != nil
	}
	if does(n.Parent) {
		return true
	}
	id := c.GetExternalRequestId()
	if id == "" {
		return false
	}
	for _, m := range s.mine {
		if !does(m) {
			continue
		}
		if m.Record.Msg.GetStages().GetAction().GetExternalRequestId() == id {
			return true
		}
		for _, o := range m.Children {
			if o.Opaque == chain.Readable && o.Record.Msg.GetOutcome().GetExternalRequestId() == id {
				return true
			}
		}
	}
	return false
}
