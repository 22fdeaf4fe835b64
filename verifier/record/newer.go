package record

import (
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// IsNewer reports whether err, from [Parse], says that a record has a field
// that this version does not know: it may be a valid record of a newer one.
func IsNewer(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == ReasonUnknownField
}

// NamedKey reads the id of the signing key out of a payload that may be of a
// newer version, and nothing else: what this version does not know is skipped.
// It is for an auditor, who can then check the signature over bytes that it
// cannot judge. It is lenient where [Parse] is strict, so a record is never
// made from it. No version of a record fails to decode so, and an error means
// that this is none.
func NamedKey(env Envelope) (string, error) {
	if err := env.check(); err != nil {
		return "", err
	}
	msg := new(onusv1.Record)
	var err error
	if env.Type == TypeJSON {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(env.Payload, msg)
	} else {
		err = proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(env.Payload, msg)
	}
	if err != nil {
		return "", fmt.Errorf("not a record of any version: %s", clipText(runtimeText(err)))
	}
	return msg.GetAuthor().GetKeyId(), nil
}
