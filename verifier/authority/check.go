package authority

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// Reasons why a record is refused. They are stable: programs may compare them.
const (
	// ReasonNotPermitted: the author has no right to revoke the grant, or to
	// answer the proposal.
	ReasonNotPermitted = "NOT_PERMITTED"
	// ReasonUnknownGrant: a revocation of a grant that is not in the log.
	ReasonUnknownGrant = "UNKNOWN_GRANT"
	// ReasonUnknownRecord: a review of a record that is not in the log.
	ReasonUnknownRecord = "UNKNOWN_RECORD"
	// ReasonNotAProposal: an answer to what is no proposal in the log.
	ReasonNotAProposal = "NOT_A_PROPOSAL"
	// ReasonTooManyLimits: an action that more limits count than a stamp holds.
	ReasonTooManyLimits = "TOO_MANY_LIMITS"
	// ReasonPathTooLong: a grant with more grants above it than are allowed.
	ReasonPathTooLong = "GRANT_PATH_TOO_LONG"
	// ReasonNotChecked: what has effect only with a user's token that was
	// checked.
	ReasonNotChecked = "TOKEN_NOT_CHECKED"
)

// Check reports whether r may become the entry at that index. It refuses only
// what would have effect without a right to it, or cannot be stamped; all that
// an agent may do wrong is logged, and is for [State.Judge]. The error is a
// *record.Error.
//
// Whether a user client's revocation was really the user's takes the stamp:
// [CheckWord]; whether the log has what a review is about, its ids:
// [CheckReviewed].
func (s *State) Check(r *record.Record, at, logTime int64) error {
	m := r.Msg
	switch b := m.GetBody().(type) {
	case *onusv1.Record_Revocation:
		if id := b.Revocation.GetGrant(); id != "" {
			return s.checkRevocation(m, mustID(id), at)
		}
	case *onusv1.Record_Approval, *onusv1.Record_Denial:
		w, _ := answerOf(m)
		p, ok := s.proposal(w.proposal, at)
		if !ok {
			return &record.Error{Reason: ReasonNotAProposal, Field: answerField(m) + ".proposal",
				Detail: fmt.Sprintf("names record %s, which holds no proposal in the log", short(w.proposal)),
				Next:   "log the decision with its proposal first, and name that record"}
		}
		if err := s.mayAnswer(m, p, at); err != nil {
			return err
		}
	case *onusv1.Record_Review:
		return s.checkReviewer(r, at, logTime)
	case *onusv1.Record_Delegation:
		if m.GetGrant() == "" {
			return nil
		}
		if p, _ := s.Path(mustID(m.GetGrant()), at); len(p) >= MaxPath {
			return &record.Error{Reason: ReasonPathTooLong, Field: "grant",
				Detail: fmt.Sprintf("has %d grants on its path, so that none may follow below it", len(p)),
				Next:   "pass on a grant that is nearer to the root"}
		}
	case *onusv1.Record_Stages:
		if us := s.Uses(r, at, logTime); len(us) > entry.MaxUses {
			return &record.Error{Reason: ReasonTooManyLimits, Field: "grant",
				Detail: fmt.Sprintf("leads to %d limits that count this action, at most %d fit an entry", len(us), entry.MaxUses),
				Next:   "act under a grant with fewer elements that have totals"}
		}
	}
	return nil
}

func answerField(m *onusv1.Record) string {
	if m.GetDenial() != nil {
		return "denial"
	}
	return "approval"
}

// checkRevocation: a grant is revoked by whoever gave it, by whoever gave one
// above it, or by an administrator. Of an agent any instance may do so: the one
// that gave it may be gone.
func (s *State) checkRevocation(m *onusv1.Record, id record.ID, at int64) error {
	p, _ := s.Path(id, at)
	if len(p) == 0 {
		return &record.Error{Reason: ReasonUnknownGrant, Field: "revocation.grant",
			Detail: fmt.Sprintf("names grant %s, which is not in the log", short(id)), Next: "use the id of the grant's record"}
	}
	a := m.GetAuthor()
	if a.GetAdministrator() != "" {
		return nil
	}
	for _, g := range p {
		if gave(g, m) {
			why := ""
			if a.GetClient() != "" {
				why = s.notTheClients(m, at)
			}
			if why == "" {
				return nil
			}
			return &record.Error{Reason: ReasonNotPermitted, Field: "token",
				Detail: "does not show that the user revokes it: " + why,
				Next:   "send the user's token that was issued to this client, or sign with the user's own key"}
		}
	}
	return &record.Error{Reason: ReasonNotPermitted, Field: "revocation.grant",
		Detail: fmt.Sprintf("names %s, which this author neither gave nor stands above", p[0]),
		Next:   "have its issuer, the issuer of a grant above it, or an administrator sign it"}
}

// gave reports whether the author of m is who issued g.
func gave(g *Grant, m *onusv1.Record) bool {
	a, by := m.GetAuthor(), g.Record.Msg.GetAuthor()
	switch {
	case g.Word.User != "":
		// What an agent says that a user gave is the user's only if it counts,
		// but ending it harms nobody's right.
		return (a.GetUser() != "" || a.GetClient() != "") && m.GetUser() == g.Word.User
	case by.GetAgent() != "":
		return a.GetAgent() == by.GetAgent()
	}
	return a.GetAgent() == "" && a.GetOperator() != "" && a.GetOperator() == by.GetOperator()
}

// CheckWord refuses a record that has effect only by a user's word that was
// checked, if the stamp that it gets says that it was not: the revocation of a
// grant by a user client. Unlike a grant or an approval, which then does not
// count, it could not be undone. The error is a *record.Error.
func CheckWord(r *record.Record, st *entry.Stamp) error {
	m := r.Msg
	if m.GetAuthor().GetClient() == "" || m.GetRevocation().GetGrant() == "" {
		return nil
	}
	if st.Assurance == 0 || st.User != m.GetUser() {
		return &record.Error{Reason: ReasonNotChecked, Field: "token",
			Detail: "could not be checked, and without it the revocation would only be the client's word",
			Next:   "send it again with the user's token when its issuer can be reached, or sign with the user's own key"}
	}
	return nil
}

// Add folds in r, which stands in the log at that index with that stamp. Every
// entry may be passed, and those that matter must come in log order; what does
// not concern authority changes nothing.
//
// It takes r as it is: whoever adds must have it from an admission, or from a
// log, whose records passed the registry and [State.Check].
func (s *State) Add(r *record.Record, index int64, st *entry.Stamp) {
	switch r.Msg.GetBody().(type) {
	case *onusv1.Record_Delegation:
		s.addGrant(r, index, st)
		s.holdsToken(r, index, st)
	case *onusv1.Record_Stages:
		s.holdsToken(r, index, st)
		s.addProposal(r, index)
		s.addAction(r, index)
	case *onusv1.Record_Outcome:
		s.addOutcome(r.Msg, index)
	case *onusv1.Record_Counter:
		s.addCounter(r.Msg, index)
	case *onusv1.Record_Approval, *onusv1.Record_Denial:
		s.addAnswer(r, index, st)
	}
}
