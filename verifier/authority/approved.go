package authority

import (
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// What a verdict over a whole chain asks besides the findings.

// Approval is an approval that lets an action be done.
type Approval struct {
	ID    record.ID
	Index int64
	// User or Reviewer is who gave it. Of a user, Assurance is 1 to 3.
	User, Reviewer string
	Assurance      int
}

// Approved returns the approval that the action of r names, where r stands in
// the log at that index with that stamp, if it is valid: of this element, by
// whom it may be given, in force, and used for the first time.
func (s *State) Approved(r *record.Record, index int64, st *entry.Stamp) (Approval, bool) {
	a := r.Msg.GetStages().GetAction()
	if a == nil {
		return Approval{}, false
	}
	j := &judge{s: s, r: r, m: r.Msg, index: index, st: st, hit: map[record.ID]bool{}}
	ap := j.approval(a)
	if !ap.valid {
		return Approval{}, false
	}
	return Approval{ID: ap.id, Index: ap.index, User: ap.user, Reviewer: ap.reviewer, Assurance: int(ap.assurance)}, true
}

// WithinCeiling compares an action's element with the registered ceiling of an
// agent class, its limit of one item included, as the entries before that index
// have it. Without a ceiling everything is covered.
func (s *State) WithinCeiling(agent string, e *onusv1.ScopeElement, at int64) Answer {
	a, over := s.underCeiling(agent, e, at)
	if over {
		return Outside
	}
	return a
}

// NeedsUser reports whether a rule that names no approvers asks for an approval
// of the action of r, which the log has at that index, and it is not shown by
// the grants who "the user" is: on an operator's authority, or without a grant.
// Then an approval is the user's only if the chain shows that this user asked
// for the work, which an agent that names a user does not.
func (s *State) NeedsUser(r *record.Record, index int64) bool {
	a := r.Msg.GetStages().GetAction()
	if a == nil {
		return false
	}
	var path Path
	if id := r.Msg.GetGrant(); id != "" {
		path, _ = s.Path(mustID(id), index)
	}
	if path.User() != "" {
		return false
	}
	return slices.ContainsFunc(s.rules(path), func(rule *onusv1.ApprovalRule) bool {
		return len(rule.GetApprovers()) == 0 && applies(rule, a.GetElement())
	})
}
