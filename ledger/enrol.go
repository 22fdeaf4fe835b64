package ledger

import (
	"context"
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// ReasonPending: the key is noted, and waits for an administrator.
const ReasonPending = "KEY_PENDING"

// Enrol logs the registration of a key that is signed with that same key. A
// workload's credential in it, or for the key of a user's device the user's
// token beside it, shows that the party may have the key. Without one the key
// is noted as knocking, for an administrator to admit, and the answer is a
// *record.Error with [ReasonPending].
func (l *Ledger) Enrol(ctx context.Context, s Submission) (*Logged, error) {
	if k := knocking(s.Envelope); k != nil {
		return nil, l.knock(s, k)
	}
	r, err := record.Parse(s.Envelope)
	if err != nil {
		return nil, err
	}
	if record.SelfEnrolment(r.Msg) == nil {
		return nil, &record.Error{Reason: record.ReasonInvalid, Field: "registration.key",
			Detail: "is not a key that signs its own registration", Next: "enrol a key with a record that the key signs; submit other records"}
	}
	return l.Submit(ctx, s)
}

// checkCredential verifies the credential by which a workload enrols its key.
// Whoever does so is a stranger: the credential is verified here, beside
// others, before apply verifies it again in the one place where all wait.
//
// If it is a token by a key of its issuer that the log does not have, the
// issuer is asked for its keys, once.
func (l *Ledger) checkCredential(ctx context.Context, r *record.Record, k *onusv1.KeyBinding) error {
	check := func() error {
		h := l.head.Load()
		at := max(l.cfg.Clock().UnixMilli(), h.logTime)
		return l.registry.Check(r, h.size, &entry.Stamp{LogTime: at, KeySetEntry: -1})
	}
	err := check()
	var refused *record.Error
	if !errors.As(err, &refused) || refused.Reason != credential.ReasonUnknownKey && refused.Reason != registry.ReasonNoKeySet {
		return err
	}
	hint, peekErr := credential.Peek(k.GetWorkloadToken())
	if peekErr != nil {
		return err
	}
	size := l.head.Load().size
	if reg, _ := l.registry.Issuer(hint.Issuer, size); !reg.GetWorkloads() {
		return err
	}
	known := l.registry.KeySet(hint.Issuer, size)
	var newer *registry.KeySetVersion
	var fetchErr error
	l.pause(func() { newer, fetchErr = l.newerKeys(ctx, hint.Issuer, known) })
	var away *unreachableError
	switch {
	case errors.As(fetchErr, &away):
		l.cfg.Logger.Warn("a workload's token cannot be checked: its issuer's keys cannot be had", "issuer", hint.Issuer, "why", away.Error())
		return err
	case fetchErr != nil:
		return fetchErr
	case newer == known:
		return err
	}
	return check()
}

// knocking returns the record by which a workload's key enrols itself without
// a credential, or nil if the envelope holds anything else. Such a record is
// none: the rules ask for the credential. So it is held to them as if it had
// one, and nothing of it reaches the log.
func knocking(env record.Envelope) *onusv1.Record {
	if len(env.Payload) > record.MaxPayload {
		return nil
	}
	m := &onusv1.Record{}
	var err error
	switch env.Type {
	case record.TypeJSON:
		err = protojson.Unmarshal(env.Payload, m)
	default:
		err = proto.Unmarshal(env.Payload, m)
	}
	k := m.GetRegistration().GetKey()
	if err != nil || k == nil || k.GetCredential() != nil || k.GetUser() != "" || record.SelfEnrolment(m) == nil {
		return nil
	}
	k.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: "none"}
	payload, err := proto.Marshal(m)
	if err != nil {
		return nil
	}
	r, err := record.Parse(record.Envelope{Type: record.TypeProtobuf, Payload: payload, Signature: env.Signature})
	if err != nil {
		return nil // what else is wrong with it, Parse of the original says
	}
	return r.Msg
}

// knock notes a key whose holder showed that it has it.
func (l *Ledger) knock(s Submission, m *onusv1.Record) error {
	if origin := l.signer.Key().Origin(); m.GetOrigin() != origin {
		return &record.Error{Reason: registry.ReasonWrongOrigin, Field: "origin",
			Detail: fmt.Sprintf("is %.200q, but this log is %q", m.GetOrigin(), origin), Next: "sign the record for this log"}
	}
	spki := m.GetRegistration().GetKey().GetPublicKey()
	key, err := record.ParsePublicKey(spki)
	if err != nil {
		return err // the record's own rules have checked it
	}
	if !key.Verify(s.Envelope.PAE(), s.Envelope.Signature) {
		return &record.Error{Reason: record.ReasonBadSignature, Field: "envelope.signatures[0].sig",
			Detail: "does not verify with the key that is to be registered", Next: "sign exactly the bytes that are sent, with that key"}
	}
	if b := l.registry.Key(key.ID(), l.head.Load().size); b != nil {
		return &record.Error{Reason: registry.ReasonConflict, Field: "registration.key.public_key",
			Detail: fmt.Sprintf("is registered, by entry %d", b.Index), Next: "sign with it"}
	}
	l.knocks.note(m.GetAuthor(), spki, l.cfg.Clock())
	return &record.Error{Reason: ReasonPending, Field: "registration.key",
		Detail: "has no credential: key " + key.ID() + " is noted, and waits to be let in",
		Next:   "have an administrator admit it: onus agent pending, onus agent admit"}
}
