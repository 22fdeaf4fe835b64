package ledger

import (
	"crypto/sha256"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// RejectedError says that a record of a revoked party was refused, as the
// log's policy asks, and which entry of the log says so.
type RejectedError struct {
	Err *record.Error
	// Entry is the index of the rejection.
	Entry int64
}

func (e *RejectedError) Error() string { return e.Err.Error() }

// Unwrap returns the refusal.
func (e *RejectedError) Unwrap() error { return e.Err }

// orRejection returns what is to be logged at index for a record: itself, or,
// where the policy asks for that and a revocation hits its author, the host's
// rejection of it, with the refusal that the submitter gets.
func (l *Ledger) orRejection(p *pending, index int64) (*pending, *record.Error, error) {
	if l.host == nil {
		return p, nil, nil
	}
	by, ok := l.growing.registry.Rejected(p.rec, index)
	if !ok {
		return p, nil, nil
	}
	r, err := l.host.reject(p.rec, by.Index)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the rejection of %s: %w", p.rec.ID, err)
	}
	return newPending(r, nil), &record.Error{Reason: registry.ReasonRevoked, Field: "author",
		Detail: fmt.Sprintf("is revoked: entry %d ended %s, and this log rejects what it says", by.Index, by.Target()),
		Next:   "use a key, an instance or an agent class that is not revoked"}, nil
}

// reject signs the rejection of a record. All of it follows from the record
// and the revocation: whoever submits the refused record again makes no second
// rejection, but meets the first.
func (h *host) reject(r *record.Record, revocation int64) (*record.Record, error) {
	nonce := sha256.Sum256(append([]byte("onus/v1 rejection"), r.ID[:]...))
	return h.sign(nonce[:record.NonceSize], r.Msg.GetClaimedTime(), func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Rejection{Rejection: &onusv1.Rejection{
			Record: r.ID.String(), Author: r.Msg.GetAuthor(), Revocation: revocation}}
	})
}
