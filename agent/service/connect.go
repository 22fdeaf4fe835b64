package service

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Interceptor is [Recorder.Middleware] for one Connect handler. A unary call is
// recorded before its answer goes out, a stream at its end. Of a stream the
// service's and the method's name are seen; what it is about the handler says
// with [Saw]. A call that could not be recorded gets invalid_argument, with an
// onus.v1.Problem as the detail, and is not carried out. The codes unauthenticated and
// permission_denied say that the caller was refused. On a client it does
// nothing.
func (r *Recorder) Interceptor() connect.Interceptor { return &interceptor{r} }

type interceptor struct{ recorder *Recorder }

func (i *interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (resp connect.AnyResponse, err error) {
		if req.Spec().IsClient {
			return next(ctx, req)
		}
		ctx, s, err := i.recorder.look(ctx, req.Header())
		if err != nil {
			return nil, invalidArgument(err)
		}
		s.seen = called(req.Spec())
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
		ctx, s, err := i.recorder.look(ctx, conn.RequestHeader())
		if err != nil {
			return invalidArgument(err)
		}
		s.seen = called(conn.Spec())
		return i.around(s, func() error { return next(ctx, conn) })
	}
}

// called is what is seen of a call before anybody says more.
func called(spec connect.Spec) Seen {
	service, method, _ := strings.Cut(strings.TrimPrefix(spec.Procedure, "/"), "/")
	return Seen{Element: agent.Element{Type: service, Action: method}}
}

// around runs a handler and records the call.
func (i *interceptor) around(s *sighting, handle func() error) (err error) {
	if err := i.recorder.check(s); err != nil {
		return invalidArgument(err)
	}
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
			s.token = nil // as in answer.tell
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
