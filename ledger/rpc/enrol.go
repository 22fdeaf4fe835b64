package rpc

import (
	"context"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger/identity"
)

func (s *service) Enrol(ctx context.Context, req *onusv1.EnrolRequest) (*onusv1.EnrolResponse, error) {
	sub, err := submission(&onusv1.SubmitRequest{Envelope: req.GetEnvelope(), UserToken: req.GetUserToken()})
	if err != nil {
		return nil, s.fail(err)
	}
	logged, err := s.ledger.Enrol(ctx, sub)
	if err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.EnrolResponse{Receipt: logged.Receipt, Duplicate: logged.Duplicate}, nil
}

// ListPending shows an operator the keys that say they are its own.
func (s *service) ListPending(ctx context.Context, _ *onusv1.ListPendingRequest) (*onusv1.ListPendingResponse, error) {
	operator := ""
	if v := s.view(ctx); v.Scoped() {
		if operator = v.Scope; v.Role != identity.Operator || operator == "" {
			return nil, s.denied(ctx, onusv1connect.LedgerServiceListPendingProcedure,
				&notPermittedError{what: "ListPending needs the role " + listRoles(admitters), next: nextRole})
		}
	}
	return &onusv1.ListPendingResponse{Keys: s.ledger.Pending(operator)}, nil
}
