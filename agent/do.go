package agent

import (
	"context"
	"errors"
	"time"
)

// Done is what [Agent.Do] recorded.
type Done struct {
	// Action is the receipt from before the effect. It is nil if the action
	// could not be recorded; then the effect did not run.
	Action *Receipt
	// Outcome is the receipt from after the effect. It is nil if it could not
	// be delivered; then the agent keeps it, as the [*OutageError] says.
	Outcome *Receipt
	// Result is what was recorded as the outcome.
	Result Outcome
}

// Do carries out an action with a record on each side. It logs the step, which
// must hold an action, and has the proof before effect runs; then it runs
// effect; then it logs the outcome. Without the first record nothing is done,
// whatever Config.OnOutage says.
//
// The context that effect gets carries the link to the action, so that records
// made in it, and agents called with it, name the action as what asked for
// them.
//
// The outcome is what effect returns, as [Outcome] says. If effect panics, or
// ends its goroutine, the outcome is recorded as unknown and the panic goes on.
// The outcome's record has the step's user, session, subjects and trace, and
// what Plain, Withhold and Under say about [OutcomeResult].
//
// Where the ledger's answer to the action says that the agent is revoked,
// effect does not run: the outcome is recorded as failed, "not carried out:
// revoked", and Do returns a [*RevokedError].
//
// If effect fails, Do returns its error. Errors of recording are those of
// [Agent.Record]; Done tells which record they are about. An outcome is tried to
// be delivered for Config.Timeout after the context has ended, and is kept if
// that fails, as [Agent.Flush] says; one that breaks a rule, or that the ledger refuses, is
// not in the log: record another, with the action as its parent.
func (a *Agent) Do(ctx context.Context, step Step, effect func(ctx context.Context) (Outcome, error)) (Done, error) {
	if step.Action == nil {
		return Done{}, invalid("stages.action", "is missing", "say what is about to be done, or use Record")
	}
	if err := a.mayGoOn(); err != nil {
		return Done{}, err
	}
	step, err := a.named(ctx, step)
	if err != nil {
		return Done{}, err
	}
	receipt, err := a.recordAction(ctx, step)
	if gone := (*RevokedError)(nil); errors.As(err, &gone) && receipt != nil {
		return a.notDone(ctx, step, receipt, err)
	}
	if err != nil {
		return Done{}, err
	}
	done := Done{Action: receipt}
	returned := false
	defer func() {
		if !returned { // a panic, or runtime.Goexit
			done.Result = Outcome{Status: Unknown, Result: "the effect did not return"}
			if _, err := a.recordOutcome(ctx, step, receipt.Link(), done.Result); err != nil {
				a.log.Error("outcome of a panic not recorded", "record", receipt.ID.String(), "err", err)
			}
		}
	}()
	out, failure := effect(WithLink(ctx, receipt.Link()))
	returned = true
	done.Result = settle(ctx, out, failure)
	done.Outcome, err = a.recordOutcome(ctx, step, receipt.Link(), done.Result)
	if err == nil {
		return done, failure
	}
	return done, errors.Join(failure, err)
}

// notDone ends an action that was logged, with the answer that the agent is
// revoked: it is not carried out, and the log says so.
func (a *Agent) notDone(ctx context.Context, step Step, action *Receipt, revoked error) (Done, error) {
	done := Done{Action: action, Result: Outcome{Status: Failed, Result: "not carried out: revoked"}}
	var err error
	done.Outcome, err = a.recordOutcome(ctx, step, action.Link(), done.Result)
	if done.Outcome != nil {
		return done, revoked // err says the same again
	}
	return done, errors.Join(revoked, err)
}

// settle fills in what the effect left open.
func settle(ctx context.Context, out Outcome, failure error) Outcome {
	if out.Status == 0 {
		switch {
		case failure == nil:
			out.Status = Succeeded
		case ctx.Err() != nil:
			out.Status = Unknown
		default:
			out.Status = Failed
		}
	}
	if out.Result == "" && failure != nil {
		out.Result = failure.Error()
	}
	return out
}

// recordAction records the step. If the record may have reached the log
// although the effect will not run, the log must not be left with an action
// that looks done: then an outcome that says so is owed.
func (a *Agent) recordAction(ctx context.Context, step Step) (*Receipt, error) {
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	if err := a.flush(ctx); err != nil {
		return nil, err
	}
	r, err := a.record(ctx, step)
	if err != nil && a.pending != nil {
		a.owe(a.outcomeStep(step, a.pending.Link(), Outcome{Status: Failed, Result: "not carried out: the record of the action was not proven in time"}))
	}
	return r, err
}

// recordOutcome records the outcome, or owes it.
func (a *Agent) recordOutcome(ctx context.Context, step Step, action Link, out Outcome) (*Receipt, error) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(a.Client.cfg.Timeout, func() { cancel(context.Cause(ctx)) })
	})()
	step = a.outcomeStep(step, action, out)
	if err := a.lock(late); err != nil {
		a.owe(step)
		return nil, &OutageError{Kept: true, Err: err}
	}
	defer a.unlock()
	if err := a.flush(late); err != nil {
		a.owe(step)
		return nil, &OutageError{Kept: true, Err: err}
	}
	r, err := a.record(late, step)
	if lost := (*OutageError)(nil); errors.As(err, &lost) && !lost.Kept {
		a.owe(step)
		lost.Kept = true
	}
	return r, err
}

func (a *Agent) outcomeStep(step Step, action Link, out Outcome) Step {
	return Step{
		Outcome: &out, Parent: action,
		User: step.User, Session: step.Session, Subjects: step.Subjects, Trace: step.Trace,
		Plain: step.Plain, Withhold: step.Withhold, Under: step.Under,
		at: a.author.cfg.Clock(),
	}
}
