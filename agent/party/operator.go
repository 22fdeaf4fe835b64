package party

import (
	"context"
	"crypto"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Operator answers for its agents: it gives them authority of its own, and
// takes it back.
type Operator struct{ voice }

// NewOperator returns the operator of that registered id.
func NewOperator(ledger *agent.Client, key crypto.Signer, id string) (*Operator, error) {
	v, err := newVoice(ledger, key, &onusv1.Author{Operator: id})
	if err != nil {
		return nil, err
	}
	return &Operator{v}, nil
}

// Grant gives authority of the operator's own to an agent class, or to one
// instance of it. Actions under it are of basis own.
func (o *Operator) Grant(ctx context.Context, d agent.Delegation) (*agent.Receipt, error) {
	return o.say(ctx, &onusv1.Record{Basis: agent.Own, Body: &onusv1.Record_Delegation{Delegation: d.Proto()}}, "")
}

// Trigger starts work without a user: a schedule, an alarm. Its link is the
// parent of what an agent does about it. Asks is the agent class that is to act.
func (o *Operator) Trigger(ctx context.Context, name, asks, detail string) (*agent.Receipt, error) {
	return o.say(ctx, &onusv1.Record{
		Asks: asks, Body: &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: name, Detail: agent.Plain(detail)}},
	}, "")
}

// BindKey registers a key for an agent class that the operator answers for, or
// for one instance of it; an empty instance means any. NotAfter is until when
// it may sign; zero sets no end.
func (o *Operator) BindKey(ctx context.Context, class, instance string, key *record.PublicKey, notAfter time.Time) (*agent.Receipt, error) {
	return o.say(ctx, &onusv1.Record{Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{
		Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
			PublicKey: key.SPKI(), Agent: class, Instance: instance, Operator: o.author.GetOperator(), NotAfter: timestamp(notAfter),
		}},
	}}}, "")
}

// RevokeGrant ends a grant that the operator gave, or one below it.
func (o *Operator) RevokeGrant(ctx context.Context, grant record.ID, reason string) (*agent.Receipt, error) {
	return o.revoke(ctx, &onusv1.Record{}, grantOf(grant), time.Time{}, reason, "")
}

// RevokeAgent ends an agent class of the operator, with all its instances and
// keys. Since is when it may have been taken over; zero means that nothing is
// suspected about the time before.
func (o *Operator) RevokeAgent(ctx context.Context, class string, since time.Time, reason string) (*agent.Receipt, error) {
	return o.revoke(ctx, &onusv1.Record{}, &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: class}}, since, reason, "")
}

// RevokeInstance ends one process of an agent class; since is as for
// RevokeAgent.
func (o *Operator) RevokeInstance(ctx context.Context, class, instance string, since time.Time, reason string) (*agent.Receipt, error) {
	return o.revoke(ctx, &onusv1.Record{}, &onusv1.Revocation{Target: &onusv1.Revocation_Instance{
		Instance: &onusv1.InstanceName{Agent: class, Instance: instance}}}, since, reason, "")
}

// RevokeAgentKey ends a key of an agent of the operator; since is as for
// RevokeAgent.
func (o *Operator) RevokeAgentKey(ctx context.Context, keyID string, since time.Time, reason string) (*agent.Receipt, error) {
	return o.revoke(ctx, &onusv1.Record{}, &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: keyID}}, since, reason, "")
}
