package agent

import (
	"context"
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// RevokedError says that this agent was revoked: its key, its instance, its
// class, or its operator. The agent stops: once it has seen that, every later
// call returns the same error at once and sends nothing. Only what was begun
// before is still delivered: the outcomes of effects that ran, and what
// [Agent.Flush] keeps. Nothing un-revokes; a new key, instance or class takes
// over, with an agent of its own.
type RevokedError struct {
	// Index is that of the revocation; -1 if the ledger did not say.
	Index int64
	// Target is what was revoked, for people: "agent
	// spiffe://example.com/planner". Empty if the ledger did not say.
	Target string
	// ID is that of the record whose answer said so.
	ID record.ID
	// Logged: that record is in the log, flagged. If not, this log refuses
	// records of revoked parties, and Refusal says what it answered.
	Logged  bool
	Refusal *RefusedError
}

func (e *RevokedError) Error() string {
	target := e.Target
	if target == "" {
		target = "this agent"
	}
	s := target + " is revoked"
	if e.Index >= 0 {
		s += fmt.Sprintf(", by entry %d", e.Index)
	}
	if !e.Logged {
		s += "; the ledger did not log the record"
	}
	return s + ": the agent stops; ask its operator"
}

// Unwrap returns Refusal, if there is one.
func (e *RevokedError) Unwrap() error {
	if e.Refusal == nil {
		return nil
	}
	return e.Refusal
}

// revokedBy returns the error that an answer amounts to; nil if it does not
// speak of a revocation.
func revokedBy(id record.ID, notices []*onusv1.RevocationNotice, refusal *RefusedError) *RevokedError {
	switch {
	case len(notices) > 0:
		return &RevokedError{Index: notices[0].GetIndex(), Target: notices[0].GetTarget(), ID: id, Logged: true}
	case refusal != nil && refusal.Problem.GetReason() == registry.ReasonRevoked:
		return &RevokedError{Index: -1, ID: id, Refusal: refusal}
	}
	return nil
}

// Revoked returns the error that made the agent stop; nil if nothing did.
func (a *Agent) Revoked() *RevokedError {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.revoked
}

// mayGoOn returns the error that stays.
func (a *Agent) mayGoOn() error {
	if e := a.Revoked(); e != nil {
		return e
	}
	return nil
}

// stop makes the agent stop, if e is not nil. The first reason stays.
func (a *Agent) stop(e *RevokedError) error {
	if e == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revoked == nil {
		a.revoked = e
		a.log.Error("revoked, stopping", "agent", a.name, "instance", a.instance, "target", e.Target, "entry", e.Index)
	}
	return e
}

// enter takes the turn for something new.
func (a *Agent) enter(ctx context.Context) error {
	if err := a.mayGoOn(); err != nil {
		return err
	}
	if err := a.lock(ctx); err != nil {
		return err
	}
	if err := a.mayGoOn(); err != nil {
		a.unlock()
		return err
	}
	return nil
}

// Submit is [Client.Submit] for this agent: it stops where an answer says that
// the agent is revoked.
func (a *Agent) Submit(ctx context.Context, signed ...*Signed) ([]*Receipt, error) {
	if err := a.mayGoOn(); err != nil {
		return make([]*Receipt, len(signed)), err
	}
	receipts, err := a.Client.Submit(ctx, signed...)
	for _, r := range receipts {
		if r != nil && len(r.Revoked) > 0 {
			return receipts, errors.Join(err, a.stop(revokedBy(r.ID, r.Revoked, nil)))
		}
	}
	if no := (*RefusedError)(nil); errors.As(err, &no) {
		if e := revokedBy(no.ID, nil, no); e != nil {
			return receipts, errors.Join(err, a.stop(e))
		}
	}
	return receipts, err
}

// RevokeGrant ends a grant that this agent gave, or one below it.
func (a *Agent) RevokeGrant(ctx context.Context, grant record.ID, reason string) (*Receipt, error) {
	return a.Record(ctx, Step{Root: true, revocation: &onusv1.Revocation{
		Target: &onusv1.Revocation_Grant{Grant: grant.String()}, Reason: Plain(reason)}})
}

// RevokeKey ends the key that the agent signs with, as when it may have been
// stolen. It is the agent's last record: the call succeeds, and all later ones
// return a [*RevokedError].
func (a *Agent) RevokeKey(ctx context.Context, reason string) (*Receipt, error) {
	key := a.KeyID()
	r, err := a.Record(ctx, Step{Root: true, revocation: &onusv1.Revocation{
		Target: &onusv1.Revocation_Key{Key: key}, Reason: Plain(reason)}})
	if r == nil {
		return nil, err
	}
	_ = a.stop(&RevokedError{Index: r.Index, Target: "key " + key, ID: r.ID, Logged: true}) // says what this call did
	return r, nil
}
