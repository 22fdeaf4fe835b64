package party

import (
	"context"
	"crypto"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Reviewer is a person who may answer proposals where a rule for approvals
// names them.
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
