package authority

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// checkReviewer refuses a review by who has no say any more. An agent's record
// is logged all the same, so that what it did is known. A review does nothing
// but close or open a matter, and whoever was revoked would have that effect.
func (s *State) checkReviewer(r *record.Record, at, logTime int64) error {
	a := r.Msg.GetAuthor()
	if revs := s.reg.Revocations(a, at); len(revs) > 0 {
		return &record.Error{Reason: registry.ReasonRevoked, Field: "author",
			Detail: fmt.Sprintf("is revoked: entry %d ended %s", revs[0].Index, revs[0].Target()),
			Next:   "have another reviewer sign it"}
	}
	if end, _, ended := s.reg.Ended(a.GetKeyId(), at, logTime); ended {
		return &record.Error{Reason: registry.ReasonKeyEnded, Field: "author.key_id",
			Detail: "is of a key that ended at " + clock(end), Next: "sign with the reviewer's newer key"}
	}
	return nil
}

// CheckReviewed refuses a review of what is not in the log before it: it would
// be part of no chain, and nobody would find it. Logged reports whether the log
// has a record before this one. What is no review passes. The error is a
// *record.Error.
//
// It is no part of [State.Check], because the state does not keep every id.
func CheckReviewed(r *record.Record, logged func(record.ID) bool) error {
	v := r.Msg.GetReview()
	if v == nil {
		return nil
	}
	id := mustID(v.GetRecord())
	if logged(id) {
		return nil
	}
	return &record.Error{Reason: ReasonUnknownRecord, Field: "review.record",
		Detail: fmt.Sprintf("names record %s, which is not in the log", short(id)),
		Next:   "use the id of a record that is logged; onus list shows them"}
}
