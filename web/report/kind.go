package report

import (
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// KindOf names what a record is, for commands and pages alike: its stages,
// joined by a plus, or its body. A record whose body is not shown is withheld.
func KindOf(m *onusv1.Record) string {
	switch b := m.GetBody().(type) {
	case nil:
		return "withheld"
	case *onusv1.Record_Stages:
		return strings.Join(stagesOf(b.Stages), "+")
	case *onusv1.Record_Outcome:
		return "outcome"
	case *onusv1.Record_Registration:
		return "registration"
	case *onusv1.Record_Trigger:
		return "trigger"
	case *onusv1.Record_Loss:
		return "loss"
	case *onusv1.Record_Genesis:
		return "genesis"
	case *onusv1.Record_Delegation:
		return "grant"
	case *onusv1.Record_Approval:
		return "approval"
	case *onusv1.Record_Denial:
		return "denial"
	case *onusv1.Record_Rejection:
		return "rejection"
	case *onusv1.Record_Revocation:
		return "revocation"
	case *onusv1.Record_Counter:
		return "counter-record"
	case *onusv1.Record_KeySet:
		return "key set"
	case *onusv1.Record_TrustBundle:
		return "trust bundle"
	case *onusv1.Record_Read:
		return "read"
	case *onusv1.Record_Review:
		return "review"
	}
	return "unknown"
}

// stagesOf names the stages of a record, in their order.
func stagesOf(d *onusv1.DecisionRecord) []string {
	var ks []string
	if d.GetIntent() != nil {
		ks = append(ks, "intent")
	}
	if d.GetInterpretation() != nil {
		ks = append(ks, "interpretation")
	}
	if d.GetDecision() != nil {
		ks = append(ks, "decision")
	}
	if d.GetAction() != nil {
		ks = append(ks, "action")
	}
	return ks
}

// kindOf names a record of a chain, as short as a picture needs it.
func kindOf(n *chain.Node) string {
	switch n.Opaque {
	case chain.Withheld:
		return "withheld"
	case chain.Newer:
		return "of a newer format"
	}
	if ks := stagesOf(n.Record.Msg.GetStages()); len(ks) > 2 {
		return ks[0] + " to " + ks[len(ks)-1]
	}
	return KindOf(n.Record.Msg)
}
