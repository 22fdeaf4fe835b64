package agent

import (
	"errors"
	"fmt"
	"net"
	"time"

	"connectrpc.com/connect"
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
	// ID is the record's id.
	ID record.ID
	// Receipt is what the ledger answered.
	Receipt *onusv1.Receipt
	Err     error
}

func (e *ProofError) Error() string {
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

// result says what is known after a call that failed.
type result int

const (
	refused   result = iota // it will not do it, however often asked
	notDone                 // it did not do it, and may later
	uncertain               // it may have done it
)

// judge says what an error of a call means.
func judge(err error) (result, *onusv1.Problem) {
	p := problemOf(err)
	code := connect.CodeOf(err)
	switch code {
	case connect.CodeUnavailable, connect.CodeResourceExhausted:
		if p != nil {
			return notDone, p
		}
		if code == connect.CodeResourceExhausted {
			return refused, nil // too large for a limit on the way
		}
		// Nothing can have arrived where no connection came about.
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			return notDone, nil
		}
		return uncertain, nil
	case connect.CodeCanceled, connect.CodeDeadlineExceeded, connect.CodeAborted,
		connect.CodeUnknown, connect.CodeInternal, connect.CodeDataLoss:
		return uncertain, p
	}
	return refused, p
}

func problemOf(err error) *onusv1.Problem {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return nil
	}
	for _, d := range ce.Details() {
		if m, err := d.Value(); err == nil {
			if p, ok := m.(*onusv1.Problem); ok {
				return p
			}
		}
	}
	return nil
}

func retryAfter(p *onusv1.Problem) time.Duration {
	if d := p.GetRetryAfter(); d != nil && d.CheckValid() == nil {
		return max(0, min(d.AsDuration(), time.Minute))
	}
	return 0
}

// refusal makes the error of a call that was refused.
func refusal(err error, p *onusv1.Problem) *RefusedError {
	e := &RefusedError{Code: connect.CodeOf(err).String(), Problem: p, Message: err.Error()}
	var ce *connect.Error
	if errors.As(err, &ce) {
		e.Message = ce.Message()
	}
	return e
}

// itemError turns one item's error of a batch into the error of a call.
func itemError(e *onusv1.ItemError) error {
	var code connect.Code
	if code.UnmarshalText([]byte(e.GetCode())) != nil {
		code = connect.CodeUnknown
	}
	ce := connect.NewError(code, errors.New(e.GetMessage()))
	if e.GetProblem() != nil {
		if d, err := connect.NewErrorDetail(e.GetProblem()); err == nil {
			ce.AddDetail(d)
		}
	}
	return ce
}
