package party

import (
	"context"
	"crypto"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// UserClient is an application in which users work. Its key is registered by an
// administrator, with the OAuth client that it is.
type UserClient struct{ voice }

// NewUserClient returns the user client of that registered id.
func NewUserClient(ledger *agent.Client, key crypto.Signer, id string) (*UserClient, error) {
	v, err := newVoice(ledger, key, &onusv1.Author{Client: id})
	if err != nil {
		return nil, err
	}
	return &UserClient{v}, nil
}

// User returns the user whose token that is: an ID token that was issued to
// this application. It travels beside each record that is signed for the user,
// so it must be in force then; make another User of a newer one.
func (c *UserClient) User(ctx context.Context, token agent.Token) (*User, error) {
	user, session, err := c.ledger.TokenUser(ctx, token)
	if err != nil {
		return nil, err
	}
	return &User{voice: c.voice, user: user, session: session, token: token}, nil
}

// EnrolDevice registers the key of a user's device, and returns the user. The
// token must be bound to the key: by a nonce that is the key's id, in the login,
// or by cnf.
func EnrolDevice(ctx context.Context, ledger *agent.Client, key crypto.Signer, token agent.Token) (*User, error) {
	user, session, err := ledger.TokenUser(ctx, token)
	if err != nil {
		return nil, err
	}
	u, err := Device(ledger, key, user, session)
	if err != nil {
		return nil, err
	}
	_, err = ledger.EnrolKey(ctx, u.author, key, agent.Credential{UserToken: token})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// Device returns the user, by pseudonym, who signs with the key of a device
// that is enrolled. Session is the pseudonym of the session that the user is
// in; empty means none.
func Device(ledger *agent.Client, key crypto.Signer, user, session string) (*User, error) {
	v, err := newVoice(ledger, key, &onusv1.Author{User: user})
	if err != nil {
		return nil, err
	}
	return &User{voice: v, user: user, session: session}, nil
}

// User is a user who says something, by the key of a device or through a user
// client.
type User struct {
	voice
	user, session string
	token         agent.Token
}

// Pseudonym returns the user's pseudonym, and Session that of the session;
// empty if there is none.
func (u *User) Pseudonym() string { return u.user }

// Session returns the pseudonym of the user's session; empty if there is none.
func (u *User) Session() string { return u.session }

func (u *User) tell(ctx context.Context, m *onusv1.Record, plain ...agent.Field) (*agent.Receipt, error) {
	m.User, m.Session = u.user, u.session
	return u.say(ctx, m, u.token, plain...)
}

// Ask records what the user asks an agent class for; in.Requested in terms that
// can be compared. Plain names fields whose text is to stand in the log, where
// its policy allows that.
func (u *User) Ask(ctx context.Context, asks string, in agent.Intent, plain ...agent.Field) (*agent.Receipt, error) {
	intent := &onusv1.Intent{Text: agent.Plain(in.Text)}
	for _, e := range in.Requested {
		intent.Requested = append(intent.Requested, e.Proto())
	}
	return u.tell(ctx, &onusv1.Record{
		Asks: asks, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: intent}},
	}, plain...)
}

// Grant gives authority to an agent class, or to one instance of it.
func (u *User) Grant(ctx context.Context, d agent.Delegation) (*agent.Receipt, error) {
	return u.tell(ctx, &onusv1.Record{Basis: agent.Delegated, Body: &onusv1.Record_Delegation{Delegation: d.Proto()}})
}

// Approve lets the action of a proposal be done, once, before expires; a zero
// time means until it is denied. The link's Agent is who proposes it.
func (u *User) Approve(ctx context.Context, proposal agent.Link, expires time.Time, reason string) (*agent.Receipt, error) {
	return u.tell(ctx, approval(proposal, expires, reason))
}

// Deny refuses a proposal. It takes back an approval that is not used yet.
func (u *User) Deny(ctx context.Context, proposal agent.Link, reason string) (*agent.Receipt, error) {
	return u.tell(ctx, denial(proposal, reason))
}

// RevokeGrant ends a grant that the user gave, or one below it.
func (u *User) RevokeGrant(ctx context.Context, grant record.ID, reason string) (*agent.Receipt, error) {
	return u.revoke(ctx, &onusv1.Record{User: u.user, Session: u.session}, grantOf(grant), time.Time{}, reason, u.token)
}

// EndSession ends a session of the user, by pseudonym, with what was asked for
// in it and the grants that end with it. Empty means the session that the user
// is in.
func (u *User) EndSession(ctx context.Context, session, reason string) (*agent.Receipt, error) {
	if session == "" {
		session = u.session
	}
	return u.revoke(ctx, &onusv1.Record{User: u.user, Session: u.session},
		&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: session}}, time.Time{}, reason, u.token)
}

// RevokeKey ends the key that signs: of the device, or of the client with all
// its users.
func (u *User) RevokeKey(ctx context.Context, since time.Time, reason string) (*agent.Receipt, error) {
	if u.author.GetUser() == "" {
		return u.voice.RevokeKey(ctx, since, reason)
	}
	r, err := u.revoke(ctx, &onusv1.Record{User: u.user}, &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: u.KeyID()}}, since, reason, "")
	if r != nil {
		return r, nil
	}
	return nil, err
}
