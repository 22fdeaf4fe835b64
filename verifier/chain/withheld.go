package chain

import (
	"errors"
	"slices"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// A grant or an approval that is in the log and not readable here neither
// allows an action nor shows that it was not allowed.

// saidForWant are the findings that are said because a grant, or an approval,
// is not at hand.
var (
	saidForWantOfGrant    = []string{"GRANT_MISSING", "PRINCIPAL_CHANGED", "OWN_AUTHORITY_USED", "OWN_AUTHORITY_UNDECLARED", "OUTSIDE_DELEGATED_SCOPE", "SCOPE_UNCOMPARABLE"}
	saidForWantOfApproval = []string{"APPROVAL_MISSING", "APPROVAL_MISMATCH", "DENIED_BUT_DONE", "OUTSIDE_DELEGATED_SCOPE", "SCOPE_UNCOMPARABLE", "LIMIT_EXCEEDED"}
)

// unreadable finds out whether an action stands on a record that is not
// readable here, and takes back what was only said for want of it. It comes
// after all else that is said of the action.
func (j *judge) unreadable(n *Node, p *place) {
	take := func(id record.ID, codes []string) {
		p.stands.hidden, p.missing = true, id
		p.findings = slices.DeleteFunc(p.findings, func(f Finding) bool { return slices.Contains(codes, f.Code) })
	}
	if id, hidden := j.hiddenGrant(n); hidden {
		take(id, saidForWantOfGrant)
	}
	if id, hidden := j.hiddenApproval(n); hidden {
		take(id, saidForWantOfApproval)
	}
}

// opaque reports whether a record stands here, and cannot be read.
func (j *judge) opaque(id record.ID) bool {
	if j.hidden == nil {
		j.hidden = map[record.ID]bool{}
		for _, n := range j.chain.Nodes {
			if n.Opaque != Readable {
				j.hidden[n.Record.ID] = true
			}
		}
	}
	return j.hidden[id]
}

// hiddenGrant returns the grant at which the action's grant path breaks off,
// if that one cannot be read.
func (j *judge) hiddenGrant(n *Node) (record.ID, bool) {
	if n.Record.Msg.GetGrant() == "" {
		return record.ID{}, false
	}
	_, err := j.Authority.Path(mustID(n.Record.Msg.GetGrant()), n.Index)
	var broken *authority.PathError
	if !errors.As(err, &broken) || !j.opaque(broken.Missing) {
		return record.ID{}, false
	}
	return broken.Missing, true
}

// hiddenApproval returns the approval that an action names, or the proposal
// that it answers, if that cannot be read.
func (j *judge) hiddenApproval(n *Node) (record.ID, bool) {
	name := n.Record.Msg.GetStages().GetAction().GetApproval()
	if name == "" {
		return record.ID{}, false
	}
	id := mustID(name)
	if j.opaque(id) {
		return id, true
	}
	for _, a := range j.chain.Nodes {
		if s := a.Record.Msg.GetApproval().GetProposal(); a.Record.ID == id && a.Opaque == Readable && s != "" {
			return mustID(s), j.opaque(mustID(s))
		}
	}
	return record.ID{}, false
}
