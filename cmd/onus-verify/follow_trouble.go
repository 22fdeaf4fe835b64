package main

import (
	"errors"
	"fmt"

	"github.com/onus-ledger/onus/verifier/tree"
)

// What may go wrong between a log and who follows it, and what each shows.

// brokenError: what the log answers is not what it signed, or not signed by it.
type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

// unwitnessedError: the checkpoint lacks cosignatures that the reader asks for.
type unwitnessedError struct {
	size int64
	err  error
}

func (e *unwitnessedError) Error() string {
	return fmt.Sprintf("the checkpoint of %d entries: %v", e.size, e.err)
}

// stateError: what follow remembers could not be written. It cannot go on.
type stateError struct{ error }

// trouble says what a round ran into; ended says that follow ends with the error.
// final: it is not tried again.
func (f *follower) trouble(err error, final bool) (ended bool, _ error) {
	var state *stateError
	var broken *brokenError
	var unseen *unwitnessedError
	var back *rollbackError
	kind, code, text := "unreachable", exitUsage, ""
	switch {
	case errors.As(err, &state):
		return true, err
	case refused(err):
		return true, fmt.Errorf("NOT JUDGED: %w", err)
	case errors.As(err, &broken):
		kind, code, text = "broken", exitBroken, "BROKEN: "+err.Error()
	case errors.As(err, &back):
		kind, code, text = "rollback", exitBroken, fmt.Sprintf("ROLLED BACK: %v. Either an old copy of the log was put back, or an old answer was kept on the way. "+
			"That proves nothing yet: both checkpoints are kept, in %s and %s. If the log grows from there, it will have signed two histories, and follow will have the proof", err, f.state, f.rollbackFile())
	case withheld(err):
		kind, code, text = "withheld", exitBroken, "WITHHELD: the log does not show what it signed: "+err.Error()+". That is no proof of two histories"
	case errors.As(err, &unseen):
		kind, code, text = "unwitnessed", exitUnanchored, "NOT WITNESSED: "+err.Error()
	default:
		text = "NOT JUDGED: " + err.Error()
	}
	if text != f.lastSaid {
		f.lastSaid = text
		f.out.trouble(kind, text, f.diary)
	}
	if final {
		return true, exitError(code)
	}
	return false, nil
}

func (f *follower) rollbackFile() string { return f.state + ".rollback" }

// rolledBack keeps the smaller checkpoint too. Where the larger one's leaves are
// known, they tell whether the smaller is of another history.
func (f *follower) rolledBack(back *rollbackError) error {
	fork, err := forkFromLeaves(f.key, back.seen, back.now, f.leaves)
	if err != nil {
		return err
	}
	if fork != nil {
		return &forkError{fork}
	}
	if err := writeAtomic(f.rollbackFile(), back.now.signed); err != nil {
		return &stateError{fmt.Errorf("--state: %w", err)}
	}
	return back
}

// forked writes the proof, and ends.
func (f *follower) forked(fork *tree.Fork) error {
	path, err := writeFork(f.forkFile, fork, f.key)
	if err != nil {
		return err
	}
	f.out.fork(sayFork(fork, f.key), path)
	return exitError(exitFork)
}
