// Package party is for those who have a say in what agents do, besides the
// agents: users and the applications they work in, reviewers, and operators.
// Each signs with a key of its own, through the [agent.Client] of a ledger, and
// gets a receipt that was checked, as agents do.
//
//   - A [UserClient] is an application, such as a chat window. With the token
//     of a user who is logged in it speaks for that [User].
//   - A user may also sign with the key of a device ([EnrolDevice]): nothing
//     stands between the user and the log then.
//   - A [User] asks for something, grants authority, answers proposals, and
//     ends grants and sessions.
//   - A [Reviewer] answers proposals, and reviews what agents did.
//   - An [Operator] grants what is its own to its agents, starts work without
//     a user, and revokes.
//
// A receipt's Link is what an agent needs to work on what was said: the link of
// an intent names it as the parent, the link of a grant carries the grant too.
//
//	user, err := app.User(ctx, idToken)
//	…
//	asked, err := user.Ask(ctx, planner, agent.Intent{Text: "optimise the supply"})
//	given, err := user.Grant(ctx, agent.Delegation{Agent: planner, Scope: scope})
//	link := asked.Link().Under(given.ID)
//
// Errors are those of [agent.Client.Log], and a [*record.Error] for what
// breaks a rule of records.
package party

import (
	"context"
	"crypto"
	"errors"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// voice signs what one party says.
type voice struct {
	ledger *agent.Client
	signer record.Signer
	author *onusv1.Author
}

func newVoice(ledger *agent.Client, key crypto.Signer, author *onusv1.Author) (voice, error) {
	if ledger == nil {
		return voice{}, errors.New("the ledger's client is missing: make one with agent.NewClient")
	}
	if key == nil {
		return voice{}, errors.New("the key is missing: set it to the party's registered key")
	}
	signer, err := record.NewSigner(key)
	if err != nil {
		return voice{}, err
	}
	return voice{ledger, signer, author}, nil
}

// say completes, signs and logs a record.
func (v *voice) say(ctx context.Context, m *onusv1.Record, token agent.Token, plain ...agent.Field) (*agent.Receipt, error) {
	m.Author = proto.CloneOf(v.author)
	signed, err := v.ledger.Sign(v.signer, m, token, plain...)
	if err != nil {
		return nil, err
	}
	return v.ledger.Log(ctx, signed)
}

// KeyID returns the id of the key that signs.
func (v *voice) KeyID() string { return v.signer.Public().ID() }

// RevokeKey ends the key that signs, as when it may have been stolen: it is the
// last record of this key. Since is when it may have been; zero means that
// nothing is suspected about the time before.
func (v *voice) RevokeKey(ctx context.Context, since time.Time, reason string) (*agent.Receipt, error) {
	r, err := v.revoke(ctx, &onusv1.Record{}, &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: v.KeyID()}}, since, reason, "")
	if r != nil {
		return r, nil // that the key is revoked now is what was asked for
	}
	return nil, err
}

func (v *voice) revoke(ctx context.Context, m *onusv1.Record, what *onusv1.Revocation, since time.Time, reason string, token agent.Token) (*agent.Receipt, error) {
	what.SuspectedSince, what.Reason = timestamp(since), agent.Plain(reason)
	m.Body = &onusv1.Record_Revocation{Revocation: what}
	return v.say(ctx, m, token)
}

// approval makes a record with an answer to a proposal, as a child of it: so
// whoever waits for the answer finds it.
func approval(proposal agent.Link, expires time.Time, reason string) *onusv1.Record {
	return &onusv1.Record{
		Parent: proposal.Record.String(), ParentAgent: proposal.Agent,
		Body: &onusv1.Record_Approval{Approval: &onusv1.Approval{
			Proposal: proposal.Record.String(), Expires: timestamp(expires), Reason: agent.Plain(reason)}},
	}
}

func denial(proposal agent.Link, reason string) *onusv1.Record {
	return &onusv1.Record{
		Parent: proposal.Record.String(), ParentAgent: proposal.Agent,
		Body: &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: proposal.Record.String(), Reason: agent.Plain(reason)}},
	}
}

func grantOf(id record.ID) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: id.String()}}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
