package agent

import (
	"errors"
	"net"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

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
