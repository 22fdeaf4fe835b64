package record

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// ID identifies a record: the SHA-256 of the bytes that were signed.
type ID [sha256.Size]byte

// String returns the id as 64 lower-case hexadecimal characters.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero value, which no record has.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads what [ID.String] writes, and nothing else.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, fmt.Errorf("a record id has %d characters, this has %d", 2*len(id), len(s))
	}
	for i := range len(s) {
		n := strings.IndexByte("0123456789abcdef", s[i])
		if n < 0 {
			return ID{}, fmt.Errorf("a record id is lower-case hexadecimal, character %d is %q", i, s[i])
		}
		id[i/2] = id[i/2]<<4 | byte(n)
	}
	if id.IsZero() {
		return ID{}, fmt.Errorf("a record id is not all zeros")
	}
	return id, nil
}

// PayloadType says how a payload is encoded. Its value is the code that an
// entry stores.
type PayloadType uint8

// The payload types.
const (
	TypeProtobuf PayloadType = 1
	TypeJSON     PayloadType = 2
)

// String returns the DSSE payload type.
func (t PayloadType) String() string {
	switch t {
	case TypeProtobuf:
		return "application/vnd.onus.record.v1+protobuf"
	case TypeJSON:
		return "application/vnd.onus.record.v1+json"
	}
	return "unknown payload type " + strconv.Itoa(int(t))
}

// ParsePayloadType reads what [PayloadType.String] writes.
func ParsePayloadType(s string) (PayloadType, error) {
	for _, t := range []PayloadType{TypeProtobuf, TypeJSON} {
		if s == t.String() {
			return t, nil
		}
	}
	return 0, &Error{Reason: ReasonUnknownPayloadType, Field: "envelope.payloadType",
		Detail: fmt.Sprintf("is %.80q", s),
		Next:   "send " + TypeProtobuf.String() + " or " + TypeJSON.String()}
}

// Envelope is a DSSE envelope with exactly one signature.
type Envelope struct {
	Type      PayloadType
	Payload   []byte
	Signature []byte
}

// PAE returns the pre-authentication encoding: the bytes that are signed.
// DSSE protocol, "Signature Definition".
func (e Envelope) PAE() []byte {
	t := e.Type.String()
	b := make([]byte, 0, len("DSSEv1")+len(t)+len(e.Payload)+24)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(t)), 10)
	b = append(b, ' ')
	b = append(b, t...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(e.Payload)), 10)
	b = append(b, ' ')
	return append(b, e.Payload...)
}

// ID returns the id of the record inside.
func (e Envelope) ID() ID { return sha256.Sum256(e.PAE()) }

// Proto returns the envelope as a message. The bytes are shared.
func (e Envelope) Proto() *onusv1.Envelope {
	return &onusv1.Envelope{
		PayloadType: e.Type.String(),
		Payload:     e.Payload,
		Signatures:  []*onusv1.Signature{{Sig: e.Signature}},
	}
}

// EnvelopeFromProto takes an envelope off the wire. It wants a known payload
// type and exactly one signature; its keyid is for [Record.CheckKeyID]. The
// bytes are shared.
func EnvelopeFromProto(m *onusv1.Envelope) (Envelope, error) {
	if m == nil {
		return Envelope{}, invalid("envelope", "is missing", "send the signed record")
	}
	t, err := ParsePayloadType(m.GetPayloadType())
	if err != nil {
		return Envelope{}, err
	}
	if n := len(m.GetSignatures()); n != 1 {
		return Envelope{}, &Error{Reason: ReasonBadSignature, Field: "envelope.signatures",
			Detail: fmt.Sprintf("has %d signatures", n), Next: "send exactly one"}
	}
	env := Envelope{Type: t, Payload: m.GetPayload(), Signature: m.GetSignatures()[0].GetSig()}
	return env, env.check()
}

// CheckKeyID holds the envelope's keyid, which nobody signed, to the record's
// author.key_id, so that a reader of the envelope is not misled.
func (r *Record) CheckKeyID(keyid string) error {
	if keyid != "" && keyid != r.Msg.GetAuthor().GetKeyId() {
		return invalid("envelope.signatures[0].keyid", "is not the record's author.key_id", "leave it empty")
	}
	return nil
}

func (e Envelope) check() error {
	if e.Type != TypeProtobuf && e.Type != TypeJSON {
		return &Error{Reason: ReasonUnknownPayloadType, Field: "envelope.payloadType", Detail: e.Type.String(),
			Next: "send " + TypeProtobuf.String() + " or " + TypeJSON.String()}
	}
	if len(e.Payload) == 0 {
		return malformed("envelope.payload", "is empty")
	}
	if len(e.Payload) > MaxPayload {
		return &Error{Reason: ReasonTooLarge, Field: "envelope.payload",
			Detail: fmt.Sprintf("has %d bytes, at most %d are allowed", len(e.Payload), MaxPayload),
			Next:   "commit to long texts and send them as contents"}
	}
	if len(e.Signature) == 0 {
		return &Error{Reason: ReasonBadSignature, Field: "envelope.signatures[0].sig", Detail: "is empty",
			Next: "sign the record"}
	}
	if len(e.Signature) > MaxSignature {
		return &Error{Reason: ReasonBadSignature, Field: "envelope.signatures[0].sig",
			Detail: fmt.Sprintf("has %d bytes, at most %d are allowed", len(e.Signature), MaxSignature),
			Next:   "use Ed25519, ECDSA P-256 or P-384, or RSA up to 4,096 bits"}
	}
	return nil
}
