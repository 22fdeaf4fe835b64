// Package record turns bytes into valid records and back.
//
// A record is what one party says, such as an agent, a user or an operator: a
// protobuf message onus.v1.Record, marshalled once by its author and carried
// as those exact bytes inside a DSSE envelope with exactly one signature. The
// package knows four things about it:
//
//   - its id: SHA-256 of the DSSE pre-authentication encoding, that is, of
//     exactly the bytes that were signed. The author knows it before it
//     submits, and a retry that is signed anew has the same id;
//   - its form: a strict reader for binary protobuf and ProtoJSON, which
//     refuses unknown and repeated fields, varints longer than needed, values
//     that JSON could spell in another way, and trailing bytes;
//   - its rules: sizes, names, links and what may stand together;
//   - its signature: Ed25519, ECDSA P-256 and P-384, RSA-PSS.
//
// A *Record that exists is well-formed and obeys the rules. Whether its
// signature holds, and whether the key is bound to the author, is asked with
// [Record.VerifySignature] and of package registry.
//
// Nothing here reads a clock, a file or the network.
package record

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/proto"
)

// Sizes and counts that every record keeps to.
const (
	// MaxPayload is the most bytes a payload may have.
	MaxPayload = 60_000
	// MaxSignature is the most bytes a signature may have: RSA with 4,096
	// bits.
	MaxSignature = 512
	// MaxCauses and MaxSubjects bound a record's lists.
	MaxCauses   = 64
	MaxSubjects = 64
	// MaxElements bounds requested, chosen, a catalogue, a scope and a
	// ceiling.
	MaxElements = 64
	// MaxAlternatives bounds the alternatives of a decision.
	MaxAlternatives = 16
	// MaxPlainText is the most bytes a plain text may have.
	MaxPlainText = 4096
	// NonceSize is the size of a record's nonce.
	NonceSize = 16
)

// Record is a valid record together with the bytes that were signed. It is
// read-only once made, and safe for use by several goroutines.
type Record struct {
	// ID is the SHA-256 of the envelope's pre-authentication encoding.
	ID ID
	// Envelope holds the exact bytes.
	Envelope Envelope
	// Msg is the payload, decoded. It must not be changed.
	Msg *onusv1.Record
}

// Parse decodes the envelope's payload and checks every rule that needs
// nothing but the record itself. It does not check the signature. The error
// is an *[Error].
func Parse(env Envelope) (*Record, error) {
	if err := env.check(); err != nil {
		return nil, err
	}
	msg, err := decode(env.Type, env.Payload)
	if err != nil {
		return nil, err
	}
	if err := validate(msg); err != nil {
		return nil, err
	}
	return &Record{ID: env.ID(), Envelope: env, Msg: msg}, nil
}

// VerifySignature reports whether the envelope's signature is the key's. It
// also holds the record to the key: author.key_id must be the key's id. The
// error is an *[Error].
func (r *Record) VerifySignature(key *PublicKey) error {
	return r.VerifySignatureBy(key, key.Verify)
}

// VerifySignatureBy is [Record.VerifySignature] for a caller that has a quicker
// way to the answer of [PublicKey.Verify]: verify stands in for key.Verify, and
// must accept the same signatures.
func (r *Record) VerifySignatureBy(key *PublicKey, verify func(msg, sig []byte) bool) error {
	if r.Msg.GetAuthor().GetKeyId() != key.ID() {
		return &Error{Reason: ReasonBadSignature, Field: "author.key_id",
			Detail: fmt.Sprintf("is %s, but the key's thumbprint is %s", r.Msg.GetAuthor().GetKeyId(), key.ID()),
			Next:   "sign with the key that author.key_id names"}
	}
	if !verify(r.Envelope.PAE(), r.Envelope.Signature) {
		return &Error{Reason: ReasonBadSignature, Field: "envelope.signatures[0].sig",
			Detail: "does not verify over the DSSE pre-authentication encoding of the payload",
			Next:   "sign exactly the bytes that are sent, and send exactly the bytes that were signed"}
	}
	return nil
}

// Sign marshals msg once, as binary protobuf, and signs it with signer. It
// fills in author.key_id; msg must otherwise be complete and is not used
// afterwards. A message that breaks a rule gives an *[Error].
func Sign(msg *onusv1.Record, signer Signer) (*Record, error) {
	if msg.GetAuthor() == nil {
		return nil, invalid("author", "is missing", "name the signer")
	}
	msg.Author.KeyId = signer.Public().ID()
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		return nil, fmt.Errorf("marshal record: %w", err)
	}
	return SignPayload(TypeProtobuf, payload, signer)
}

// SignPayload signs a payload that is already marshalled, as binary protobuf
// or as ProtoJSON.
func SignPayload(t PayloadType, payload []byte, signer Signer) (*Record, error) {
	env := Envelope{Type: t, Payload: payload}
	sig, err := signer.Sign(env.PAE())
	if err != nil {
		return nil, fmt.Errorf("sign record: %w", err)
	}
	env.Signature = sig
	r, err := Parse(env)
	if err != nil {
		return nil, err
	}
	if err := r.VerifySignature(signer.Public()); err != nil {
		return nil, err
	}
	return r, nil
}
