package service

import (
	"errors"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// check holds the counter-record that a request will have to the rules of
// records, before anything is done. What it lets through can be recorded,
// however the request ends: otherwise a caller could word a request so that it
// is carried out and the log says nothing of it. The error is a *record.Error.
func (r *Recorder) check(s *sighting) error {
	m := r.message(s, onusv1.TargetDecision_TARGET_DECISION_ALLOWED, onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN)
	if t := s.token; t != nil {
		m.GetCounter().Token = tokenIDs(t)
	}
	// What signing fills in.
	m.Origin, m.Nonce = r.cfg.Ledger.Origin(), make([]byte, record.NonceSize)
	m.Capture, m.Author.KeyId = onusv1.Capture_CAPTURE_SELF, r.signer.Public().ID()
	payload, err := proto.Marshal(m)
	if err != nil {
		return &record.Error{Reason: record.ReasonInvalid, Field: "counter",
			Detail: "would have text that is not UTF-8", Next: "send the request in UTF-8"}
	}
	_, err = record.Parse(record.Envelope{Type: record.TypeProtobuf, Payload: payload, Signature: []byte{0}})
	return err
}

// problemOf returns what an error says.
func problemOf(err error) *record.Error {
	if e := (*record.Error)(nil); errors.As(err, &e) {
		return e
	}
	return &record.Error{Reason: record.ReasonInvalid, Detail: err.Error(), Next: "change the request"}
}

func invalidArgument(err error) *connect.Error {
	p := problemOf(err)
	e := connect.NewError(connect.CodeInvalidArgument, p)
	if d, err := connect.NewErrorDetail(&onusv1.Problem{Reason: p.Reason, Field: p.Field, Next: p.Next}); err == nil {
		e.AddDetail(d)
	}
	return e
}
