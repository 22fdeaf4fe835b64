package record

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The rules for single values. What is a rule for members of lists too is a
// function that returns what is wrong, so that the member's name is put
// together only when something is.

func (c *checker) id(field, s string) {
	if s == "" {
		return
	}
	if _, err := ParseID(s); err != nil {
		c.fail(field, "is not a record id: "+err.Error(), "use the id that the ledger or the SDK gave")
	}
}

func (c *checker) spiffe(field, s string, optional bool) {
	if s == "" && optional {
		return
	}
	if why := CheckSPIFFE(s); why != "" {
		c.fail(field, "is not a SPIFFE ID: it "+why, "use a name such as spiffe://example.com/planner")
	}
}

func (c *checker) operatorID(field, s string) {
	c.want(IsOperatorID(s), field, "is missing, has characters other than a-z 0-9 . _ - /, or a segment that is empty, . or ..", "use the operator's registered id of at most 64 characters")
}

func (c *checker) instance(field, s string) {
	c.want(isInstance(s), field, "is missing, is . or .., or has characters other than A-Z a-z 0-9 . _ -", "give each process a fresh name of at most 64 characters")
}

func (c *checker) pseudonym(field, s string, prefixes ...string) {
	if s != "" && !IsPseudonym(s, prefixes...) {
		c.fail(field, "is not a pseudonym", "mint one with the ledger's Mint call; names do not go into the log")
	}
}

func (c *checker) key(field string, spki []byte) {
	if _, err := ParsePublicKey(spki); err != nil {
		c.fail(field, "is not accepted: "+err.Error(), "use DER SubjectPublicKeyInfo")
	}
}

func (c *checker) time(field string, t *timestamppb.Timestamp) {
	c.want(t != nil && isTime(t), field, "is missing or outside the years 1970 to 9999", "use the author's clock")
}

func (c *checker) optionalTime(field string, t *timestamppb.Timestamp) {
	c.want(t == nil || isTime(t), field, "is outside the years 1970 to 9999", "state another time, or leave it out")
}

// isTime: seconds of the year 10000 and later do not fit RFC 3339.
func isTime(t *timestamppb.Timestamp) bool { return t.CheckValid() == nil && t.GetSeconds() >= 0 }

func (c *checker) duration(field string, d *durationpb.Duration) {
	c.want(d != nil && d.CheckValid() == nil && d.GetSeconds() >= 0 && d.GetNanos() >= 0, field, "is missing or negative", "state it, such as 60s")
}

func (c *checker) text(field string, t *onusv1.Text) {
	if e := checkText(t); e != nil {
		c.fail(field+e.Field, e.Detail, e.Next)
	}
}

// checkText returns an error whose field is what comes after the text's own.
func checkText(t *onusv1.Text) *Error {
	if t == nil {
		return nil
	}
	switch f := t.GetForm().(type) {
	case *onusv1.Text_Commitment:
		if len(f.Commitment) != CommitmentSize {
			return invalid(".commitment", fmt.Sprintf("has %d bytes", len(f.Commitment)), "use SHA-256 over a 32-byte salt and the content")
		}
	case *onusv1.Text_Plain:
		if len(f.Plain) > MaxPlainText {
			return invalid(".plain", fmt.Sprintf("has %d bytes, at most %d are allowed", len(f.Plain), MaxPlainText), "commit to it instead")
		}
		if hasTerminalControl(f.Plain) {
			return invalid(".plain", "has a control character other than newline and tab", "leave it out, or commit to the text")
		}
	default:
		return invalid("", "is empty", "set commitment or plain, or leave it out")
	}
	return nil
}

// label is a short text for people that is plain by nature.
func (c *checker) label(field, s string, optional bool) {
	c.want(s != "" || optional, field, "is missing", "set it")
	c.want(isForeignID(s), field, badForeignID, "shorten it, and write it without them")
}

func (c *checker) foreignID(field, s string) {
	c.want(isForeignID(s), field, badForeignID, "use the other system's id, or a hash of it")
}

const badForeignID = "has more than 256 bytes, a space at an end, or characters that are not seen"

func isForeignID(s string) bool { return len(s) <= 256 && !hasUnseen(s) && !hasOuterSpace(s) }

func (c *checker) targetDecision(field string, d onusv1.TargetDecision) {
	c.want(d >= 0 && d <= onusv1.TargetDecision_TARGET_DECISION_DENIED, field, "is unknown", "use TARGET_DECISION_ALLOWED or TARGET_DECISION_DENIED, or leave it out")
}

func (c *checker) trace(t *onusv1.Trace) {
	if t == nil {
		return
	}
	if s := t.GetTraceparent(); s != "" {
		c.want(isTraceparent(s), "trace.traceparent", "is not a W3C traceparent", "write it as 00-<32 hex>-<16 hex>-<2 hex>")
	}
	c.foreignID("trace.a2a_context_id", t.GetA2AContextId())
	c.foreignID("trace.a2a_task_id", t.GetA2ATaskId())
	c.foreignID("trace.mcp_session_id", t.GetMcpSessionId())
	c.foreignID("trace.mcp_request_id", t.GetMcpRequestId())
}

// isTraceparent: W3C Trace Context, section 3.2, version 00.
func isTraceparent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	const hexdigits = "0123456789abcdef"
	id, span, flags := s[3:35], s[36:52], s[53:]
	return only(id, hexdigits) && only(span, hexdigits) && only(flags, hexdigits) && !only(id, "0") && !only(span, "0")
}

// hasUnseen reports whether s holds what a reader of a report cannot see or
// what changes how the text around it is shown: control characters, format
// characters (zero-width ones, and those that turn the direction of writing:
// with them one name can be shown as another), line and paragraph separators,
// what Unicode calls default-ignorable, private characters and those that are
// none.
func hasUnseen(s string) bool {
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			if r < ' ' || r == 0x7f {
				return true
			}
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point):
			return true
		}
	}
	return false
}

// hasOuterSpace reports whether s begins or ends with a space of any kind:
// then two names would look the same. What is blank does both.
func hasOuterSpace(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsSpace(first) || unicode.IsSpace(last)
}

// hasTerminalControl reports whether s holds a C0 control character other than
// newline and tab, or DEL: a text that is printed must not command the
// terminal. Text is what people wrote, so nothing else is refused in it.
func hasTerminalControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// isDatatype reports whether s names a class of data: words of printable
// ASCII, one space between two. Classes are compared, so they must not differ
// in what cannot be seen.
func isDatatype(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] == ' ' {
			if i == 0 || i == len(s)-1 || s[i-1] == ' ' {
				return false
			}
		} else if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
