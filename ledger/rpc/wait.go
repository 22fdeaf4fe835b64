package rpc

import (
	"context"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// How long a call waits for witnesses: what it asks for, and the bounds.
const (
	defaultWitnessWait = 10 * time.Second
	maxWitnessWait     = time.Minute
)

// waiting is a call that may wait for witnesses. It waits until one moment,
// for however many records.
type waiting struct {
	s     *service
	until time.Time // zero: it does not wait
}

// waits reads what a call says about waiting, before anything is logged.
func (s *service) waits(ctx context.Context, w onusv1.Wait, timeout *durationpb.Duration) (waiting, error) {
	switch w {
	case onusv1.Wait_WAIT_UNSPECIFIED:
		if timeout != nil {
			return waiting{}, &record.Error{Reason: record.ReasonInvalid, Field: "wait_timeout", Detail: "is set, but wait is not", Next: "set wait to WAIT_WITNESSED, or leave it out"}
		}
		return waiting{}, nil
	case onusv1.Wait_WAIT_WITNESSED:
	default:
		return waiting{}, &record.Error{Reason: record.ReasonInvalid, Field: "wait", Detail: "is unknown", Next: "use WAIT_WITNESSED, or leave it out"}
	}
	if !s.ledger.HasWitnesses() {
		return waiting{}, ledger.ErrNoWitnesses
	}
	d := defaultWitnessWait
	if timeout != nil {
		if d = timeout.AsDuration(); timeout.CheckValid() != nil || d <= 0 || d > maxWitnessWait {
			return waiting{}, &record.Error{Reason: record.ReasonInvalid, Field: "wait_timeout", Detail: "is not above 0 and at most a minute", Next: "give such a time, or leave it out"}
		}
	}
	now := time.Now()
	until := now.Add(d)
	// An answer that comes after the caller went away tells nobody that the
	// record is logged.
	if end, ok := ctx.Deadline(); ok {
		left := end.Sub(now)
		if before := end.Add(-min(left/4, 500*time.Millisecond)); before.Before(until) {
			until = before
		}
	}
	return waiting{s, until}, nil
}

// receipt returns the receipt at a witnessed tree; or, when the time is over
// or the server stops, as it is, with the witnesses that are missing.
func (w waiting) receipt(ctx context.Context, r *onusv1.Receipt) (*onusv1.Receipt, []string, error) {
	if w.until.IsZero() {
		return r, nil, nil
	}
	ctx, cancel := context.WithDeadline(ctx, w.until)
	defer cancel()
	defer context.AfterFunc(w.s.stopping, cancel)()
	return w.s.ledger.WitnessReceipt(ctx, r)
}

func (s *service) GetStatus(context.Context, *onusv1.GetStatusRequest) (*onusv1.GetStatusResponse, error) {
	st := s.ledger.Status()
	resp := &onusv1.GetStatusResponse{
		Size: st.Size, Checkpoint: string(st.Checkpoint),
		WitnessedSize: st.WitnessedSize, WitnessedCheckpoint: string(st.Witnessed),
		Quorum: st.Quorum,
	}
	for _, w := range st.Witnesses {
		m := &onusv1.WitnessStatus{Name: w.Name, Url: w.URL, Size: w.Size, Attempts: w.Attempts, Failures: w.Failures}
		if w.Size > 0 {
			m.Time = &timestamppb.Timestamp{Seconds: w.Time}
		}
		if w.Err != nil {
			m.Error = w.Err.Error()
		}
		resp.Witnesses = append(resp.Witnesses, m)
	}
	if st.HasGuard {
		resp.GuardSize = &st.Guarded
		if st.GuardErr != nil {
			resp.GuardError = st.GuardErr.Error()
		}
	}
	return resp, nil
}
