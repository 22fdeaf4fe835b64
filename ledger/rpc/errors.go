package rpc

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/durationpb"
)

// codes is the one table from reasons to Connect codes. A reason that is not
// here is invalid_argument: most say that a field is wrong.
var codes = map[string]connect.Code{
	record.ReasonBadSignature:      connect.CodeUnauthenticated,
	registry.ReasonKeyNotBound:     connect.CodePermissionDenied,
	registry.ReasonRevoked:         connect.CodePermissionDenied,
	registry.ReasonNotPermitted:    connect.CodePermissionDenied,
	registry.ReasonNotRegistered:   connect.CodeFailedPrecondition,
	registry.ReasonNoGenesis:       connect.CodeFailedPrecondition,
	registry.ReasonGenesisMisplace: connect.CodeFailedPrecondition,
	registry.ReasonConflict:        connect.CodeAlreadyExists,
	registry.ReasonKeyEnded:        connect.CodePermissionDenied,
	registry.ReasonNoCredential:    connect.CodePermissionDenied,
	registry.ReasonNoKeySet:        connect.CodeUnavailable,
	registry.ReasonNoPossession:    connect.CodePermissionDenied,
	registry.ReasonOtherWorkload:   connect.CodePermissionDenied,
	registry.ReasonOlder:           connect.CodeFailedPrecondition,
	authority.ReasonUnknownGrant:   connect.CodeFailedPrecondition,
	authority.ReasonUnknownRecord:  connect.CodeFailedPrecondition,
	authority.ReasonNotAProposal:   connect.CodeFailedPrecondition,
	authority.ReasonTooManyLimits:  connect.CodeFailedPrecondition,
	authority.ReasonPathTooLong:    connect.CodeFailedPrecondition,
	authority.ReasonNotChecked:     connect.CodeFailedPrecondition,
	ledger.ReasonPending:           connect.CodeFailedPrecondition,
	reasonUnauthenticated:          connect.CodeUnauthenticated,
	reasonUnavailable:              connect.CodeUnavailable,
	reasonNotFound:                 connect.CodeNotFound,
	reasonOutOfRange:               connect.CodeOutOfRange,
	reasonBusy:                     connect.CodeResourceExhausted,
	reasonStopping:                 connect.CodeUnavailable,
	reasonIdle:                     connect.CodeUnavailable,
	reasonNotHTTP2:                 connect.CodeUnimplemented,
	reasonCanceled:                 connect.CodeCanceled,
	reasonDeadline:                 connect.CodeDeadlineExceeded,
	reasonDamaged:                  connect.CodeDataLoss,
	reasonNoWitnesses:              connect.CodeFailedPrecondition,
	reasonInternal:                 connect.CodeInternal,
}

// Reasons that begin here and not in a record.
const (
	reasonUnauthenticated = "UNAUTHENTICATED"
	reasonUnavailable     = "IDENTITY_UNAVAILABLE"
	reasonNotFound        = "NOT_FOUND"
	reasonOutOfRange      = "OUT_OF_RANGE"
	reasonPageToken       = "PAGE_TOKEN"
	reasonBusy            = "QUEUE_FULL"
	reasonStopping        = "STOPPING"
	reasonIdle            = "STREAM_IDLE"
	reasonNotHTTP2        = "NOT_HTTP2"
	reasonCanceled        = "CANCELED"
	reasonDeadline        = "DEADLINE_EXCEEDED"
	reasonDamaged         = "DATABASE_DAMAGED"
	reasonNoWitnesses     = "NO_WITNESSES"
	reasonInternal        = "INTERNAL"
)

// problemOf turns an error of the ledger into what the caller is told.
func problemOf(err error, log *slog.Logger) (*onusv1.Problem, string) {
	var (
		refused *record.Error
		reject  *ledger.RejectedError
		busy    *ledger.BusyError
		outside *ledger.RangeError
		damaged *ledger.CorruptionError
		unknown *identity.RefusedError
		unsure  *identity.UnavailableError
		denied  *notPermittedError
	)
	switch {
	case errors.As(err, &reject):
		return &onusv1.Problem{Reason: reject.Err.Reason, Field: reject.Err.Field, Next: reject.Err.Next, Entry: &reject.Entry}, err.Error()
	case errors.As(err, &refused):
		return &onusv1.Problem{Reason: refused.Reason, Field: refused.Field, Next: refused.Next}, err.Error()
	case errors.As(err, &busy):
		return &onusv1.Problem{Reason: reasonBusy, Next: "wait for retry_after and send it again; a repeat is safe",
			RetryAfter: durationpb.New(busy.RetryAfter)}, err.Error()
	case errors.As(err, &outside):
		return &onusv1.Problem{Reason: reasonOutOfRange, Field: outside.Field, Next: "ask within the range"}, err.Error()
	case errors.Is(err, ledger.ErrPageToken):
		return &onusv1.Problem{Reason: reasonPageToken, Field: "page_token", Next: "repeat the query as it was, or begin again without a token"}, err.Error()
	case errors.Is(err, ledger.ErrNotFound):
		return &onusv1.Problem{Reason: reasonNotFound, Next: "check the id; a record may not have come yet"}, err.Error()
	case errors.Is(err, ledger.ErrNoWitnesses):
		return &onusv1.Problem{Reason: reasonNoWitnesses, Field: "wait", Next: "leave wait out, or ask the ledger's operator for witnesses (onus serve --witness-policy)"},
			"this ledger has no witnesses to wait for; nothing was logged"
	case errors.Is(err, ledger.ErrStopped):
		return &onusv1.Problem{Reason: reasonStopping, Next: "send it again when the ledger is back; a repeat is safe",
			RetryAfter: durationpb.New(time.Second)}, err.Error()
	case errors.Is(err, errIdle):
		return &onusv1.Problem{Reason: reasonIdle, Next: "open a stream again when there is something to log"}, err.Error()
	case errors.Is(err, errNotHTTP2):
		return &onusv1.Problem{Reason: reasonNotHTTP2, Next: "call it over HTTP/2 (without TLS by prior knowledge, h2c; a proxy in between must pass it on), or call SubmitBatch"}, err.Error()
	case errors.Is(err, identity.ErrNone):
		return &onusv1.Problem{Reason: reasonUnauthenticated, Next: "send a token (--token @FILE, ONUS_TOKEN, or the header Authorization: Bearer TOKEN) or a client certificate; the ledger's operator makes tokens with onus token new"},
			"this ledger answers known callers only, and the call brings no credential"
	case errors.As(err, &unsure):
		log.Error("callers cannot be known", "err", unsure.Err)
		return &onusv1.Problem{Reason: reasonUnavailable, Next: "try again; if it stays so, tell the ledger's operator", RetryAfter: durationpb.New(time.Second)}, unsure.What
	case errors.As(err, &unknown):
		return &onusv1.Problem{Reason: reasonUnauthenticated, Next: unknown.Next}, unknown.Why
	case errors.As(err, &denied):
		return &onusv1.Problem{Reason: registry.ReasonNotPermitted, Field: denied.field, Next: denied.next}, denied.what
	case errors.Is(err, context.DeadlineExceeded):
		return &onusv1.Problem{Reason: reasonDeadline, Next: "the record may be logged or not: send it again to find out"}, "the deadline passed before the record was durable"
	case errors.Is(err, context.Canceled):
		return &onusv1.Problem{Reason: reasonCanceled, Next: "the record may be logged or not: send it again to find out"}, "the call was cancelled before the record was durable"
	case errors.As(err, &damaged):
		log.Error("database is damaged", "err", err)
		return &onusv1.Problem{Reason: reasonDamaged, Next: "tell the ledger's operator to run onus fsck"}, err.Error()
	}
	// What an unexpected error says is for the operator's log.
	log.Error("unexpected error", "err", err)
	return &onusv1.Problem{Reason: reasonInternal, Next: "tell the ledger's operator; the log has the details"}, "internal error"
}

func codeOf(p *onusv1.Problem) connect.Code {
	if c, ok := codes[p.GetReason()]; ok {
		return c
	}
	return connect.CodeInvalidArgument
}

// fail makes the Connect error of an error, with its problem attached.
func (s *service) fail(err error) error {
	return connectError(problemOf(err, s.log))
}

func connectError(p *onusv1.Problem, text string) *connect.Error {
	e := connect.NewError(codeOf(p), errors.New(text))
	if d, err := connect.NewErrorDetail(p); err == nil {
		e.AddDetail(d)
	}
	return e
}

// itemError is the same for one item of a batch.
func (s *service) itemError(err error) *onusv1.SubmitResult {
	p, text := problemOf(err, s.log)
	return &onusv1.SubmitResult{Result: &onusv1.SubmitResult_Error{
		Error: &onusv1.ItemError{Code: codeOf(p).String(), Message: text, Problem: p}}}
}
