package registry

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Rejected returns the revocation for which a record has to be rejected at
// that index, if genesis has records of revoked parties rejected: the first
// that hits its author, so that a record is rejected for the same one each
// time.
//
// Revocations are never rejected: who is revoked may have one more to make, of
// the own key or of a grant given, and whether it may is another question. The
// host says nothing that could be rejected.
func (g *Registry) Rejected(r *record.Record, at int64) (Revocation, bool) {
	if !g.rejects() || r.Msg.GetRevocation() != nil || r.Msg.GetAuthor().GetHost() {
		return Revocation{}, false
	}
	return g.firstToHit(r.Msg.GetAuthor(), at)
}

// CheckRejection holds a rejection at that index to what the log shows: that
// records of revoked parties are rejected here, and that the author was revoked
// by the entry that it names. The error is a *record.Error.
//
// What the refused record said, nobody can tell but who has it.
func (g *Registry) CheckRejection(r *onusv1.Rejection, at int64) error {
	const next = "log records of parties that are not revoked"
	if !g.rejects() {
		return &record.Error{Reason: ReasonNotPermitted, Field: "rejection",
			Detail: "is in a log whose genesis has no records rejected", Next: next}
	}
	first, ok := g.firstToHit(r.GetAuthor(), at)
	if !ok || first.Index != r.GetRevocation() {
		return &record.Error{Reason: ReasonNotPermitted, Field: "rejection.revocation",
			Detail: fmt.Sprintf("is %d, which is not the entry that first revoked the author", r.GetRevocation()), Next: next}
	}
	return nil
}

func (g *Registry) rejects() bool {
	return g.Genesis().GetPolicy().GetRevoked() == onusv1.RevokedRecords_REVOKED_RECORDS_REJECT
}

func (g *Registry) firstToHit(a *onusv1.Author, at int64) (first Revocation, found bool) {
	for _, r := range g.Revocations(a, at) {
		if !found || r.Index < first.Index {
			first, found = r, true
		}
	}
	return first, found
}
