package agent

import (
	"context"
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// prove checks that an entry which the ledger shows stands in the log that the
// pinned key signs, where the ledger says, and returns the record in it.
func (c *Client) prove(ctx context.Context, l *onusv1.LoggedRecord) (*record.Record, error) {
	bad := func(err error) error {
		return &ProofError{Err: fmt.Errorf("entry %d, shown as record %.64s: %w", l.GetIndex(), l.GetId(), err)}
	}
	if len(l.GetEntry()) == 0 {
		return nil, bad(errors.New("the entry itself is not shown"))
	}
	e, err := entry.Parse(l.GetEntry())
	if err != nil {
		return nil, bad(err)
	}
	r, err := record.Parse(e.Envelope)
	if err != nil {
		return nil, bad(err)
	}
	var signed *onusv1.GetCheckpointResponse
	var inclusion *onusv1.GetInclusionResponse
	var cp tree.Checkpoint
	err = c.retry(ctx, new(bool), func(ctx context.Context) (err error) {
		if signed, err = c.rpc.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{}); err != nil {
			return err
		}
		if cp, err = c.key.Open([]byte(signed.GetCheckpoint())); err != nil {
			return bad(err)
		}
		inclusion, err = c.rpc.GetInclusion(ctx, &onusv1.GetInclusionRequest{Index: l.GetIndex(), Size: cp.Size})
		return err
	})
	if err != nil {
		return nil, err
	}
	proof, err := tree.ParseProof(inclusion.GetInclusion())
	if err != nil {
		return nil, bad(err)
	}
	if err := tree.VerifyInclusion(l.GetIndex(), cp.Size, tree.LeafHash(l.GetEntry()), proof, cp.Root); err != nil {
		return nil, bad(err)
	}
	return r, c.observe(ctx, signed.GetCheckpoint(), cp)
}

// Grant is a grant as the log has it, with what became of it. What it says is
// proven; whether it was revoked is the server's word.
type Grant struct {
	ID    record.ID
	Index int64
	// Grant says who may do what, and Author who gave it.
	Grant  *onusv1.Grant
	Author *onusv1.Author
	// User is on whose behalf it was given, and Session the user's session, by
	// pseudonym; empty if nobody's. Who acts under the grant acts for the same
	// user.
	User, Session string
	// Status is the server's reading of the grant, and Above of those above
	// it, up to the root.
	Status *onusv1.GrantStatus
	Above  []*onusv1.GrantStatus
}

// Revoked reports whether the grant, or one above it, was revoked.
func (g *Grant) Revoked() bool { return g.Status.Revoked != nil }

// Grant returns a grant. The caller must be one that the ledger shows it to:
// who gave it, who holds it, or a reader of all records. A record that is no
// grant, or is not shown, gives a [*RefusedError].
func (c *Client) Grant(ctx context.Context, id record.ID) (*Grant, error) {
	var resp *onusv1.GetGrantResponse
	err := c.retry(ctx, new(bool), func(ctx context.Context) (err error) {
		resp, err = c.rpc.GetGrant(ctx, &onusv1.GetGrantRequest{Id: id.String()})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(resp.GetPath()) == 0 {
		return nil, &ProofError{Err: fmt.Errorf("grant %s: the answer is empty", id)}
	}
	status := resp.GetPath()[0]
	r, err := c.prove(ctx, status.GetRecord())
	if err != nil {
		return nil, err
	}
	if r.ID != id || r.Msg.GetDelegation() == nil {
		return nil, &ProofError{Err: fmt.Errorf("record %s is shown as the grant %s", r.ID, id)}
	}
	return &Grant{ID: id, Index: status.GetRecord().GetIndex(), Grant: r.Msg.GetDelegation(), Author: r.Msg.GetAuthor(),
		User: r.Msg.GetUser(), Session: r.Msg.GetSession(), Status: status, Above: resp.GetPath()[1:]}, nil
}
