package agent

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// RefusedError says that the ledger will not log a record, now or later, as it
// is.
type RefusedError struct {
	// ID is the record's id; zero if no record was involved.
	ID record.ID
	// Sequence is the record's number. If Spent, an earlier attempt may have
	// reached the ledger, so that the number cannot be used again: declare it
	// with [Agent.Lost]. Otherwise the next record takes it.
	Sequence int64
	Spent    bool
	// Code is the Connect code, such as "invalid_argument".
	Code string
	// Problem is what the ledger says about it; nil if it said nothing that
	// can be read, as a server that is not a ledger.
	Problem *onusv1.Problem
	// Message is the ledger's sentence.
	Message string
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("the ledger refused (%s): %s", e.Code, e.Message)
	if e.Problem == nil {
		s += ": is Server the URL of an onus ledger?"
	}
	if e.Spent {
		s += fmt.Sprintf("; its sequence number %d is spent: declare it with Lost", e.Sequence)
	}
	return s
}

// OutageError says that the ledger could not be reached in the time there was,
// or that it cannot work now.
type OutageError struct {
	// ID is the record's id; zero if the record was not made yet.
	ID record.ID
	// Unknown: the record may have reached the ledger, and be logged or not.
	// If not Unknown, it is not in the log.
	Unknown bool
	// Kept: the agent keeps the record and delivers it, the same bytes, before
	// the next one or in [Agent.Flush]. If not Kept, its number is free. A
	// record is kept if its fate is unknown, and an outcome always is.
	Kept bool
	// Err is the last attempt's error, joined with the context's if that has
	// ended.
	Err error
}

func (e *OutageError) Error() string {
	state := "nothing was recorded"
	if e.Unknown {
		state = fmt.Sprintf("record %s may be logged or not", e.ID)
	}
	if e.Kept {
		state += ", it is kept and sent before the next one"
	}
	return fmt.Sprintf("the ledger cannot be reached: %s: %v", state, e.Err)
}

// Unwrap returns Err.
func (e *OutageError) Unwrap() error { return e.Err }

// ProofError says that the ledger answered with something that does not prove
// what it says: a receipt of another record, a proof that does not fit, a
// checkpoint that the pinned key did not sign. The record is kept as after an
// outage; whether it is in the log is unknown.
type ProofError struct {
	// ID is the record's id; zero if it is about none that was submitted.
	ID record.ID
	// Receipt is what the ledger answered; nil if that was no receipt.
	Receipt *onusv1.Receipt
	Err     error
}

func (e *ProofError) Error() string {
	if e.ID.IsZero() {
		return fmt.Sprintf("what the ledger shows is not proven: %v", e.Err)
	}
	return fmt.Sprintf("the ledger's receipt for record %s proves nothing: %v", e.ID, e.Err)
}

// Unwrap returns Err.
func (e *ProofError) Unwrap() error { return e.Err }

// ForkError says that the log did not prove that one checkpoint it signed
// grew from another. Once an agent has seen that, it returns the same error
// for ever: there is no one log to record in.
//
// Two checkpoints of the same size with different roots convict the log: each
// carries its signature, so anybody can check them. With different sizes they
// convict it only together with a proof that leads elsewhere; a log that lost
// its last entries, as after a backup was restored, looks the same to an agent.
//
// What is compared: each receipt's checkpoint with the last one that was
// proven, if it has the same size or is smaller; and, at most every
// Config.CheckEvery, a larger one by a consistency proof. A checkpoint of a
// side branch that is shown in between, and not again, goes unseen.
type ForkError struct {
	// Older and Newer are the signed checkpoints, by size.
	Older, Newer string
	// Proof is what the log offered, if it offered anything.
	Proof [][]byte
	Err   error
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("the log contradicts itself: %v: keep both checkpoints and tell an auditor", e.Err)
}

// Unwrap returns Err.
func (e *ForkError) Unwrap() error { return e.Err }
