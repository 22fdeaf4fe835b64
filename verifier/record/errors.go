package record

import "errors"

// Reasons why a record is refused. They are stable: programs may compare
// them.
const (
	ReasonMalformed          = "MALFORMED"
	ReasonUnknownPayloadType = "UNKNOWN_PAYLOAD_TYPE"
	ReasonTooLarge           = "TOO_LARGE"
	ReasonUnknownField       = "UNKNOWN_FIELD"
	ReasonDuplicateField     = "DUPLICATE_FIELD"
	ReasonNonMinimal         = "NON_MINIMAL_ENCODING"
	ReasonTrailingBytes      = "TRAILING_BYTES"
	ReasonInvalid            = "INVALID_FIELD"
	ReasonBadSignature       = "BAD_SIGNATURE"
)

// Error says which field of a record breaks which rule, and what to do.
type Error struct {
	// Reason is one of the Reason constants, or a caller's own.
	Reason string
	// Field is the path of the field, such as "author.agent"; empty if the
	// record as a whole is meant.
	Field string
	// Detail completes the sentence that Field begins.
	Detail string
	// Next says what to do about it.
	Next string
}

// What returns what an error says is wrong. Of an [*Error] it leaves out what
// to do about it, which is meant for the author: whoever finds the record in a
// log later can do nothing about it.
func What(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + " " + e.Detail
}

// Error returns "FIELD DETAIL: NEXT".
func (e *Error) Error() string {
	s := What(e)
	if e.Next != "" {
		s += ": " + e.Next
	}
	return s
}

func invalid(field, detail, next string) *Error {
	return &Error{Reason: ReasonInvalid, Field: field, Detail: detail, Next: next}
}

func malformed(field, detail string) *Error {
	return &Error{Reason: ReasonMalformed, Field: field, Detail: detail, Next: "send a marshalled onus.v1.Record"}
}
