package authority

import (
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// assent is the approval that an action names, as far as it is one.
type assent struct {
	answerRow
	valid bool
	// whyNot it does not count, though it is one for this action; or "".
	whyNot string
}

// approvals judges the approval that an action names, whether its element was
// denied, and whether an approval is asked for that is not there.
func (j *judge) approvals(a *onusv1.Action, path Path) assent {
	n := len(j.findings)
	ap := j.approval(a)
	j.denied(a, ap)
	if len(j.findings) > n {
		return ap // what is wrong with the approval is said
	}
	for _, rule := range j.s.rules(path) {
		if !applies(rule, a.GetElement()) || j.satisfies(rule, ap, path) {
			continue
		}
		switch {
		case ap.valid:
			j.find(ApprovalMissing, nil, "%s needs the approval of %s, and was approved by %s", describe(a.GetElement()), approvers(rule), ap.by())
		case ap.whyNot != "":
			j.find(ApprovalMissing, nil, "%s needs the approval of %s, and names none that counts: %s", describe(a.GetElement()), approvers(rule), ap.whyNot)
		default:
			j.find(ApprovalMissing, nil, "%s needs the approval of %s, and names none that counts", describe(a.GetElement()), approvers(rule))
		}
		break
	}
	return ap
}

// approval checks the approval that an action names: of this element, by this
// instance, in force, and for the first time.
func (j *judge) approval(a *onusv1.Action) assent {
	if a.GetApproval() == "" {
		return assent{}
	}
	ans, ok := j.s.namedApproval(a, j.index)
	if !ok {
		j.find(ApprovalMismatch, nil, "names %s as its approval, which is no approval in the log before it", short(mustID(a.GetApproval())))
		return assent{}
	}
	if ans.why == "" {
		ans.why = j.s.suspect(ans, j.index)
	}
	if ans.why != "" {
		return assent{whyNot: ans.why} // none is there
	}
	p, ok := j.s.proposal(ans.proposal, ans.index)
	if !ok {
		return assent{}
	}
	if why := mismatch(j.m, a.GetElement(), p); why != "" {
		j.find(ApprovalMismatch, nil, "names the approval of entry %d, which %s", ans.index, why)
		return assent{}
	}
	if endedBy(ans.expires, j.st.LogTime) {
		j.find(ApprovalMismatch, nil, "was logged at %s, but the approval of entry %d expired at %s", clock(j.st.LogTime), ans.index, clock(ans.expires))
		return assent{}
	}
	if now := j.s.answered(ans.proposal, j.index); now.denial > ans.index {
		if !now.denies {
			j.find(ApprovalMismatch, nil, "names the approval of entry %d, which entry %d denied; the one that came after is another", ans.index, now.denial)
		}
		return assent{} // if it is denied still, that is said of the element
	}
	if previous := j.used(ans); previous >= 0 {
		j.find(ApprovalReused, nil, "names the approval of entry %d, which the action of entry %d used up", ans.index, previous)
		return assent{}
	}
	return assent{answerRow: ans, valid: true}
}

// used returns the use of an approval before the action, by its stamp, or -1.
// An action that tells the same effect again is no second use.
func (j *judge) used(ans answerRow) int64 {
	for _, u := range j.st.Uses {
		if u.Approval && u.ID == ans.id {
			if w, ok := j.s.usedApproval(ans.id, j.index); ok && w.effect != (sum{}) {
				if effect, _ := effectSum(j.m.GetStages().GetAction()); effect == w.effect {
					return -1
				}
			}
			return u.Previous
		}
	}
	return -1
}

// denied: the newest answer to what this instance proposed says no, and no
// approval after it lets it.
func (j *judge) denied(a *onusv1.Action, ap assent) {
	author := j.m.GetAuthor()
	k := thingKey(author.GetAgent(), author.GetInstance(), elementSum(a.GetElement()))
	now := j.s.answeredAt(k, j.index)
	if !now.denies && now.denial >= 0 {
		// Only a suspect approval may have come after the denial.
		over, ok := j.s.answer(now.answer, j.index)
		now.denies = ok && j.s.suspect(over, j.index) != ""
	}
	if now.denies && !(ap.valid && ap.index > now.denial) {
		j.find(DeniedButDone, nil, "%s was done, but entry %d denied it to this instance", describe(a.GetElement()), now.denial)
	}
}

// satisfies reports whether a valid approval is one that a rule asks for.
func (j *judge) satisfies(rule *onusv1.ApprovalRule, ap assent, path Path) bool {
	switch {
	case !ap.valid:
		return false
	case len(rule.GetApprovers()) > 0:
		return ap.reviewer != "" && slices.Contains(rule.GetApprovers(), ap.reviewer)
	}
	return ap.user != "" && ap.user == j.asked(path) && int32(ap.assurance) >= max(rule.GetAssurance(), 1)
}

// asked returns the user whom a rule means that names no approvers: who gave
// the root of the path. On an operator's authority, or without a grant, it is
// the user whom the work is for. That the agent says so is not enough, but who
// asked for the work is for whoever sees the chain to say: see
// [State.NeedsUser]. Here nobody asked if no record stands above the action.
func (j *judge) asked(path Path) string {
	switch {
	case path.User() != "":
		return path.User()
	case j.m.GetParent() == "" && j.m.GetStages().GetIntent() == nil:
		return ""
	}
	return j.m.GetUser()
}

// approvers names who may approve, for people.
func approvers(rule *onusv1.ApprovalRule) string {
	if len(rule.GetApprovers()) > 0 {
		return "reviewer " + strings.Join(rule.GetApprovers(), " or ")
	}
	return "the user"
}
