package agent

import (
	"context"
	"crypto"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// RotateOption says more about the key that [Agent.Rotate] and
// [Client.RotateKey] register.
type RotateOption func(*onusv1.KeyBinding)

// KeyUntil sets until when the next key may sign, by log time: the end of the
// SVID that it is of, say. Without it, or with a zero time, it may until it is
// replaced or revoked.
func KeyUntil(notAfter time.Time) RotateOption {
	return func(b *onusv1.KeyBinding) { b.NotAfter = timestamp(notAfter) }
}

// Rotate goes on with another key: the old key registers the new one, which
// shows that it is at hand, and from the next record on the new one signs. The
// old key ends when overlap has passed, by log time; 0 means at once. Other
// instances that share it, and an [Author] made before, must have changed by
// then.
//
// A key of a class stays one of the class, a key of an instance one of the
// instance. So an agent that signs with the key of an SVID enrols once, by its
// chain, and rotates with each new SVID:
//
//	r, err := a.Rotate(ctx, svid.PrivateKey, 10*time.Minute, agent.KeyUntil(svid.Certificates[0].NotAfter))
//
// An error is one of [Agent.Record]. After one the agent signs with the old
// key; where the record's fate is unknown it is kept, and the agent changes
// keys when it is delivered.
func (a *Agent) Rotate(ctx context.Context, next crypto.Signer, overlap time.Duration, more ...RotateOption) (*Receipt, error) {
	signer, err := record.NewSigner(next)
	if err != nil {
		return nil, err
	}
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	if err := a.flush(ctx); err != nil { // may change keys too
		return nil, err
	}
	old := a.signs()
	bound, err := a.Key(ctx, old.Public().ID())
	if err != nil {
		return nil, fmt.Errorf("look up the key that signs now: %w", err)
	}
	reg, err := rotation(a.Origin(), bound.Party, old, signer, overlap, more)
	if err != nil {
		return nil, err
	}
	signed, err := a.author.Sign(Step{Root: true, registration: reg})
	if err != nil {
		return nil, err
	}
	return a.send(ctx, &sending{Signed: signed, logged: func() {
		a.author.signer = signer // the turn is ours wherever a record is delivered
		a.mu.Lock()
		defer a.mu.Unlock()
		a.signer = signer
	}})
}

// RotateKey registers the next key of a party that is no agent, signed with
// its old key, which ends when overlap has passed. An agent uses
// [Agent.Rotate].
func (c *Client) RotateKey(ctx context.Context, party *onusv1.Author, old, next crypto.Signer, overlap time.Duration, more ...RotateOption) (*Receipt, error) {
	was, err := record.NewSigner(old)
	if err != nil {
		return nil, err
	}
	signer, err := record.NewSigner(next)
	if err != nil {
		return nil, err
	}
	reg, err := rotation(c.Origin(), party, was, signer, overlap, more)
	if err != nil {
		return nil, err
	}
	signed, err := c.Sign(was, &onusv1.Record{
		Author: proto.CloneOf(party), User: party.GetUser(),
		Body: &onusv1.Record_Registration{Registration: reg},
	}, "")
	if err != nil {
		return nil, err
	}
	return c.Log(ctx, signed)
}

// rotation makes the registration of a party's next key.
func rotation(origin string, party *onusv1.Author, old, next record.Signer, overlap time.Duration, more []RotateOption) (*onusv1.Registration, error) {
	b := keyBinding(party, next.Public())
	b.Replaces = old.Public().ID()
	if overlap > 0 {
		b.ReplacedUntil = timestamp(time.Now().Add(overlap))
	}
	for _, set := range more {
		set(b)
	}
	var err error
	b.Possession, err = next.Sign(record.BindingStatement(origin, next.Public().ID(), old.Public().ID()))
	if err != nil {
		return nil, fmt.Errorf("sign the binding statement: %w", err)
	}
	return &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: b}}, nil
}
