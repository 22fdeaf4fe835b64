package party

import (
	"context"
	"crypto"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Reviewer is a person who may answer proposals where a rule for approvals
// names them, and who says what came of looking into a matter.
type Reviewer struct{ voice }

// NewReviewer returns the reviewer of that registered name.
func NewReviewer(ledger *agent.Client, key crypto.Signer, name string) (*Reviewer, error) {
	v, err := newVoice(ledger, key, &onusv1.Author{Reviewer: name})
	if err != nil {
		return nil, err
	}
	return &Reviewer{v}, nil
}

// Approve lets the action of a proposal be done, once, before expires; a zero
// time means until it is denied. The link's Agent is who proposes it.
func (r *Reviewer) Approve(ctx context.Context, proposal agent.Link, expires time.Time, reason string) (*agent.Receipt, error) {
	return r.say(ctx, approval(proposal, expires, reason), "")
}

// Deny refuses a proposal. It takes back an approval that is not used yet.
func (r *Reviewer) Deny(ctx context.Context, proposal agent.Link, reason string) (*agent.Receipt, error) {
	return r.say(ctx, denial(proposal, reason), "")
}

// Review is what a reviewer found out about a record, or about one finding.
type Review struct {
	// Record is the one that the finding is about or, without a finding, any of
	// the chain, by custom its first.
	Record record.ID
	// Finding is the finding's name, such as "LIMIT_EXCEEDED"; empty means the
	// chain as a whole.
	Finding     string
	Disposition onusv1.Disposition
	// Note is why. Every disposition but open needs it. It is committed to, and
	// stored beside the log under the reviewer's key.
	Note string
	// Assignee is who is to see to it, a user's pseudonym; empty means nobody.
	Assignee string
}

// Review says what came of looking into a record. It changes no verdict and
// hides nothing; the newest review of a record and finding counts.
func (r *Reviewer) Review(ctx context.Context, v Review) (*agent.Receipt, error) {
	id := v.Record.String()
	return r.say(ctx, &onusv1.Record{
		Causes: []string{id},
		Body: &onusv1.Record_Review{Review: &onusv1.Review{
			Record: id, Finding: v.Finding, Disposition: v.Disposition, Note: agent.Plain(v.Note), Assignee: v.Assignee}},
	}, "")
}
