package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
)

// BoundKey is a key with the party that the log binds it to. The binding is
// proven: the pinned log key signed a tree that holds the entry. That it is not
// revoked or replaced is the server's word.
type BoundKey struct {
	Key *record.PublicKey
	// Party is whom the key is bound to, without a key id. For an agent's key
	// that is good for every instance, Instance is empty.
	Party *onusv1.Author
	// Index is that of the entry that binds it.
	Index int64
	// Level is how well the binding was established, "K0" to "K2".
	Level string
	// NotAfter is until when it may sign; zero means that no end is set.
	NotAfter time.Time
	// Revoked is the index of the revocation that ended it; -1 if none did.
	Revoked int64
}

// Ended says why a key may not sign at a time; empty if it may.
func (k *BoundKey) Ended(at time.Time) string {
	switch {
	case k.Revoked >= 0:
		return fmt.Sprintf("is revoked, by entry %d", k.Revoked)
	case !k.NotAfter.IsZero() && !at.Before(k.NotAfter):
		return "ended at " + k.NotAfter.UTC().Format(time.RFC3339)
	}
	return ""
}

// Key returns the key of that id and whom the log binds it to. A key that the
// log does not know gives a [*RefusedError] with the code "not_found"; an answer
// that proves nothing a [*ProofError].
func (c *Client) Key(ctx context.Context, id string) (*BoundKey, error) {
	var resp *onusv1.GetKeyResponse
	err := c.retry(ctx, new(bool), func(ctx context.Context) (err error) {
		resp, err = c.rpc.GetKey(ctx, &onusv1.GetKeyRequest{KeyId: id})
		return err
	})
	if err != nil {
		return nil, err
	}
	proven, err := c.proven(ctx, resp.GetProven())
	if err != nil {
		return nil, err
	}
	k, err := bindingIn(proven.Record.Msg, id)
	if err != nil {
		return nil, &ProofError{ID: proven.Record.ID, Receipt: resp.GetProven().GetReceipt(), Err: err}
	}
	k.Index, k.Level, k.Revoked = proven.Index, resp.GetKey().GetLevel(), -1
	if t := resp.GetKey().GetNotAfter(); t != nil {
		k.NotAfter = t.AsTime()
	}
	if resp.GetKey() != nil && resp.GetKey().Revoked != nil {
		k.Revoked = resp.GetKey().GetRevoked()
	}
	return k, nil
}

// bindingIn reads from a registration, or the genesis, what it says about a key.
func bindingIn(m *onusv1.Record, id string) (*BoundKey, error) {
	if g := m.GetGenesis(); g != nil {
		for _, a := range g.GetAdministrators() {
			if p, err := record.ParsePublicKey(a.GetPublicKey()); err == nil && p.ID() == id {
				return &BoundKey{Key: p, Party: &onusv1.Author{Administrator: a.GetName()}}, nil
			}
		}
		if p, err := record.ParsePublicKey(g.GetHostKey()); err == nil && p.ID() == id {
			return &BoundKey{Key: p, Party: &onusv1.Author{Host: true}}, nil
		}
		return nil, fmt.Errorf("the genesis does not bind key %s", id)
	}
	b := m.GetRegistration().GetKey()
	if b == nil {
		return nil, fmt.Errorf("the entry is no registration of a key, as one would be that binds %s", id)
	}
	p, err := record.ParsePublicKey(b.GetPublicKey())
	if err != nil {
		return nil, err
	}
	if p.ID() != id {
		return nil, fmt.Errorf("the entry binds key %s, not %s", p.ID(), id)
	}
	return &BoundKey{Key: p, Party: &onusv1.Author{
		Agent: b.GetAgent(), Instance: b.GetInstance(), Operator: b.GetOperator(),
		Service: b.GetService(), Client: b.GetClient(), Reviewer: b.GetReviewer(), User: b.GetUser(),
	}}, nil
}

// proven checks a record that the ledger showed, and its receipt.
func (c *Client) proven(ctx context.Context, p *onusv1.ProvenRecord) (*verifier.Proven, error) {
	bad := func(err error) error { return &ProofError{Receipt: p.GetReceipt(), Err: err} }
	if p.GetReceipt() == nil {
		return nil, bad(errors.New("there is none"))
	}
	env, err := record.EnvelopeFromProto(p.GetEnvelope())
	if err != nil {
		return nil, bad(err)
	}
	proven, err := c.receipts.Open(p.GetReceipt(), env.Type, env.Payload, nil)
	if err != nil {
		return nil, bad(err)
	}
	return proven, c.observe(ctx, p.GetReceipt().GetCheckpoint(), proven.Checkpoint)
}
