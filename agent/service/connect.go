package service

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Interceptor is [Recorder.Middleware] for one Connect handler. A unary call is
// recorded before its answer goes out, a stream at its end; what a stream is
// about the handler says with [Saw]. The codes unauthenticated and
// permission_denied say that the caller was refused. On a client it does
// nothing.
func (r *Recorder) Interceptor() connect.Interceptor { return &interceptor{r} }

type interceptor struct{ recorder *Recorder }

func (i *interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (resp connect.AnyResponse, err error) {
		if req.Spec().IsClient {
			return next(ctx, req)
		}
		ctx, s, err := look(ctx, req.Header())
		if err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		if describe := i.recorder.cfg.DescribeCall; describe != nil {
			s.seen = describe(req)
		}
		err = i.around(s, func() error {
			resp, err = next(ctx, req)
			return err
		})
		return resp, err
	}
}

func (i *interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (i *interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, s, err := look(ctx, conn.RequestHeader())
		if err != nil {
			return connect.NewError(connect.CodeInvalidArgument, err)
		}
		return i.around(s, func() error { return next(ctx, conn) })
	}
}

// around runs a handler and records the call.
func (i *interceptor) around(s *sighting, handle func() error) (err error) {
	if !i.recorder.begin() {
		return connect.NewError(connect.CodeUnavailable, errors.New("the call was not carried out: it could not be recorded now: try again"))
	}
	returned := false
	defer func() {
		if !returned { // a panic, or runtime.Goexit
			err = connect.NewError(connect.CodeInternal, errors.New("the handler did not return"))
		}
		decision, status := judgeError(err)
		if connect.CodeOf(err) == connect.CodeUnauthenticated {
			s.header = nil // as in answer.tell
		}
		i.recorder.record(s, decision, status)
	}()
	err = handle()
	returned = true
	return err
}

func judgeError(err error) (onusv1.TargetDecision, onusv1.OutcomeStatus) {
	const allowed = onusv1.TargetDecision_TARGET_DECISION_ALLOWED
	if err == nil {
		return allowed, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return onusv1.TargetDecision_TARGET_DECISION_DENIED, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	case connect.CodeInvalidArgument, connect.CodeNotFound, connect.CodeAlreadyExists, connect.CodeFailedPrecondition,
		connect.CodeOutOfRange, connect.CodeResourceExhausted, connect.CodeUnimplemented:
		return allowed, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	}
	return allowed, onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN
}
