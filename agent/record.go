package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Receipt says that a record is in the log. It has been checked: the log's
// pinned key signed a tree in which this record, with this agent's signature,
// stands at Index.
type Receipt struct {
	ID    record.ID
	Index int64
	// Duplicate: the record was in the log before the attempt that brought
	// this receipt; an attempt before it may have been this call's own.
	Duplicate bool
	// LogTime is the log's word for when.
	LogTime time.Time
	// Checkpoint is the tree that was signed.
	Checkpoint tree.Checkpoint
	// Unwitnessed says what the policy in the configuration misses, if it is not
	// satisfied: the record is in the log and durable all the same, and the
	// witnesses did not cosign in time. Nil if they did, or if there is no
	// policy; then Cosigned is empty.
	Unwitnessed error
	// Cosigned are the cosignatures of the policy's witnesses, checked, with
	// their times: the tree was there by then.
	Cosigned []tree.Cosignature
	// Proven is the record with its proof. Kept as a file, it can be checked
	// with onus-verify receipt for as long as the log key is known.
	Proven *onusv1.ProvenRecord
	// Assurance is how well the log checked the user's word: 0 not at all, 1
	// the user's token was verified, 2 and it holds the authority that the
	// record claims. Why says what kept a token from being checked; it is the
	// server's word.
	Assurance int
	Why       string
	// Revoked are the revocations that hit the record's author. An agent's
	// methods return them as a [*RevokedError].
	Revoked []*onusv1.RevocationNotice
	// Withheld are salts and texts of the fields that the step withheld.
	// Without them nobody can ever show what was committed to.
	Withheld []*onusv1.Content

	link Link
}

// Link returns the link by which other records, or another agent, name this
// record as the one that asked for their work.
func (r *Receipt) Link() Link { return r.link }

// Record signs the step as the instance's next record, logs it and returns the
// receipt, checked. When it returns without an error, the record is durable
// and proven.
//
// Errors: a [*record.Error] for a step that breaks a rule, a [*RefusedError],
// an [*OutageError], a [*ProofError], a [*ForkError], a [*RevokedError]. After
// the first two the record is not in the log; with the last one there is a
// receipt too if it is. A record whose fate is unknown is kept and
// submitted again, the same bytes with the same id, before the next one: so an
// error of Record may also be about an earlier record, which it then names,
// while the step itself was not recorded.
func (a *Agent) Record(ctx context.Context, step Step) (*Receipt, error) {
	if err := a.mayGoOn(); err != nil {
		return nil, err
	}
	step, err := a.named(ctx, step)
	if err != nil {
		return nil, err
	}
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	return a.record(ctx, step)
}

// linked fills in what a step takes from its context.
func (a *Agent) linked(ctx context.Context, step Step) Step {
	if step.loss != nil || step.Root {
		return step
	}
	given := grantFrom(ctx, a.name)
	if l, ok := LinkFrom(ctx); ok && step.Parent.IsZero() {
		step.Parent = l
	} else if step.Parent.Agent != a.name && !step.Parent.IsZero() {
		given = step.Parent.Grant
	}
	if step.Grant.IsZero() && step.Outcome == nil && step.Basis != Own {
		step.Grant = given
	}
	return step
}

// record does Record's work. The caller has the turn. Where the ledger says
// that the agent is revoked and logged the record all the same, it returns the
// receipt and a *RevokedError.
func (a *Agent) record(ctx context.Context, step Step) (*Receipt, error) {
	step = a.linked(ctx, step)
	if err := a.flush(ctx); err != nil {
		return nil, err
	}
	signed, err := a.author.Sign(step)
	if err != nil {
		return nil, err
	}
	return a.send(ctx, &sending{Signed: signed})
}

// send delivers a record that was just signed. The caller has the turn, and
// nothing is pending.
func (a *Agent) send(ctx context.Context, s *sending) (*Receipt, error) {
	a.pending = s
	r, err := a.deliver(ctx)
	if out := (*OutageError)(nil); errors.As(err, &out) && !out.Kept {
		a.undo()
	}
	if err != nil {
		return r, err
	}
	if e := revokedBy(r.ID, r.Revoked, nil); e != nil {
		return r, e
	}
	return r, nil
}

// deliver submits what is pending until it is logged, refused, or there is no
// more time, and checks the receipt. After that nothing is pending, unless the
// record's fate is unknown or it never left. The caller has the turn.
func (a *Agent) deliver(ctx context.Context) (*Receipt, error) {
	s := a.pending
	r, err := a.submit(ctx, s)
	switch e := err.(type) {
	case *RefusedError:
		if e.Spent {
			a.pending = nil
		} else {
			a.undo()
		}
		a.disown(s.Record.ID)
		if gone := revokedBy(s.Record.ID, nil, e); gone != nil {
			return nil, a.stop(gone)
		}
		return nil, err
	case *OutageError:
		e.Kept = e.Unknown
		return nil, err
	case *ProofError:
		return nil, err
	}
	a.pending = nil // logged, even where the log turned out to be forked
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.last = r.ID
	a.mu.Unlock()
	if s.logged != nil {
		s.logged()
	}
	_ = a.stop(revokedBy(r.ID, r.Revoked, nil)) // for the calls to come
	return r, nil
}

// undo makes the pending record unsigned: it cannot be in the log.
func (a *Agent) undo() {
	a.author.rewind(a.pending.Signed)
	a.pending = nil
}

// flush delivers what is kept: the pending record, then the outcomes that are
// owed. The caller has the turn.
func (a *Agent) flush(ctx context.Context) error {
	for {
		if s := a.pending; s != nil {
			if _, err := a.deliver(ctx); err != nil {
				return stillKept(s, err)
			}
		}
		step, ok := a.nextOwed()
		if !ok {
			return nil
		}
		signed, err := a.author.Sign(step)
		if err != nil {
			return fmt.Errorf("the outcome of %s cannot be recorded: %w", step.Parent.Record, err)
		}
		a.pending = &sending{Signed: signed}
	}
}

// stillKept makes the error of a call that did not come to its own record.
func stillKept(s *sending, err error) error {
	if no := (*RefusedError)(nil); errors.As(err, &no) {
		return fmt.Errorf("an earlier record, %s, was kept and is refused now: %w", s.Record.ID, err)
	}
	err = fmt.Errorf("an earlier record, %s, is still to be delivered: %w", s.Record.ID, err)
	if errors.As(err, new(*OutageError)) {
		return &OutageError{Err: err} // says that nothing was recorded
	}
	return err
}

// owe keeps an outcome that could not be recorded in time.
func (a *Agent) owe(step Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.owed = append(a.owed, step)
}

func (a *Agent) nextOwed() (Step, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.owed) == 0 {
		return Step{}, false
	}
	step := a.owed[0]
	a.owed = a.owed[1:]
	return step, true
}

// disown forgets the outcomes of a record that is not logged.
func (a *Agent) disown(id record.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.owed = slices.DeleteFunc(a.owed, func(s Step) bool { return s.Parent.Record == id })
}

// Flush delivers what is kept, so that a process can end without leaving
// anything behind: records whose fate is unknown, and outcomes that could not
// be delivered. They are kept in memory only.
func (a *Agent) Flush(ctx context.Context) error {
	if err := a.lock(ctx); err != nil {
		return err
	}
	defer a.unlock()
	return a.flush(ctx)
}

// Last returns the id of this instance's newest record in the log, for the
// Config.Follows of the process that replaces it; zero if there is none.
func (a *Agent) Last() record.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Lost declares that this instance's records from first to last, by sequence
// number, inclusive, will not be delivered, and why.
func (a *Agent) Lost(ctx context.Context, first, last int64, reason string) (*Receipt, error) {
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	return a.record(ctx, Step{loss: &loss{first, last, reason}})
}

func (a *Agent) lock(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &OutageError{Err: fmt.Errorf("another record is on its way: %w", context.Cause(ctx))}
	}
}

func (a *Agent) unlock() { <-a.turn }
