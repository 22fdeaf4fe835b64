package callee

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Interceptor is [Gate.Middleware] for one Connect handler, unary calls and
// streams alike: with the codes unauthenticated, permission_denied,
// invalid_argument and unavailable, and an onus.v1.Problem as the detail. On a
// client it does nothing.
func (g *Gate) Interceptor() connect.Interceptor { return &interceptor{g} }

type interceptor struct{ gate *Gate }

func (i *interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if req.Spec().IsClient {
			return next(ctx, req)
		}
		who, err := i.gate.check(ctx, call{req.Header(), req.HTTPMethod(), req.Spec().Procedure})
		if err != nil {
			return nil, connectError(err)
		}
		return next(with(ctx, who), req)
	}
}

func (i *interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (i *interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		who, err := i.gate.check(ctx, call{conn.RequestHeader(), http.MethodPost, conn.Spec().Procedure})
		if err != nil {
			return connectError(err)
		}
		return next(with(ctx, who), conn)
	}
}

func connectError(err error) error {
	r := refusalOf(err)
	e := connect.NewError(r.code, r.err)
	if d, err := connect.NewErrorDetail(&onusv1.Problem{Reason: r.err.Reason, Field: r.err.Field, Next: r.err.Next}); err == nil {
		e.AddDetail(d)
	}
	if r.code == connect.CodeUnauthenticated {
		e.Meta().Set("WWW-Authenticate", challenge)
	}
	return e
}
