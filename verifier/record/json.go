package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// decodeJSON reads a ProtoJSON payload. protojson refuses unknown and repeated
// names, two members of one oneof, invalid UTF-8 and trailing text; what it
// lets through is then held to one spelling.
func decodeJSON(b []byte) (*onusv1.Record, error) {
	msg := new(onusv1.Record)
	if err := (protojson.UnmarshalOptions{}).Unmarshal(b, msg); err != nil {
		s := runtimeText(err)
		e := malformed("envelope.payload", "is not a ProtoJSON record: "+clipText(s))
		// The reason stands at the front, after the position; behind it the
		// message repeats the input, which is the author's word.
		_, what, _ := strings.Cut(s, "): ")
		switch {
		case strings.HasPrefix(what, "unknown field "):
			e.Reason = ReasonUnknownField
		case strings.HasPrefix(what, "duplicate field "), strings.HasPrefix(what, "error parsing ") && strings.HasSuffix(what, " is already set"):
			e.Reason = ReasonDuplicateField
		}
		return nil, e
	}
	if err := oneSpelling(b, msg); err != nil {
		return nil, err
	}
	return msg, nil
}

// runtimeText is an error of the protobuf runtime, which varies its spaces on
// purpose; ours do not vary.
func runtimeText(err error) string {
	s := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return strings.ReplaceAll(strings.TrimPrefix(s, "proto: "), "  ", " ")
}

// clipText bounds what of an author's payload is repeated in an error.
func clipText(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// oneSpelling holds a ProtoJSON text to the values that protojson itself
// writes for the message. protojson reads far more than it writes: base64 of
// two alphabets, with and without padding; enums by number; integers as 1e0
// and -0; times as T1:00:00Z, 00:00:00,5Z or with an offset of 24 hours; null
// for what is not there; two names for each field. Other readers of ProtoJSON
// accept other parts of that, so that two of them could disagree on what was
// signed, or on whether it is a record at all. What is left here all of them
// read alike.
//
// Allowed besides: integers as plain numbers with the same digits, defaults
// that are written out, and zeros at the end of a second's fraction, as clocks
// write them. White space, the order of members and escapes in strings are
// JSON's, and every reader knows them.
//
// The text has no depth of its own: unknown fields were refused before.
func oneSpelling(text []byte, msg *onusv1.Record) error {
	own, err := protojson.Marshal(msg)
	if err != nil {
		return malformed("envelope.payload", "has no ProtoJSON form: "+clipText(runtimeText(err)))
	}
	var got, want map[string]any
	if err := decodeAny(text, &got); err != nil {
		return malformed("envelope.payload", "is not JSON: "+clipText(err.Error()))
	}
	if err := decodeAny(own, &want); err != nil {
		return malformed("envelope.payload", "has no JSON form: "+clipText(err.Error()))
	}
	if e := sameMembers(got, want, msg.ProtoReflect().Descriptor()); e != nil {
		return e
	}
	return nil
}

func decodeAny(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // a float64 would forget how a number was written
	return d.Decode(v)
}

// sameMembers compares an object with its own form. The error's field is the
// path below that object, in the schema's names, as all errors have it.
func sameMembers(got, want map[string]any, md protoreflect.MessageDescriptor) *Error {
	for _, name := range slices.Sorted(maps.Keys(got)) { // the same error in every run
		fd := md.Fields().ByJSONName(name)
		if fd == nil {
			fd = md.Fields().ByTextName(name)
			if fd == nil { // protojson has refused it
				return malformed(name, "is not a field")
			}
			return spelling(string(fd.Name()), fmt.Sprintf("is named %q", name), fd.JSONName())
		}
		w, set := want[name]
		var e *Error
		switch {
		case !set && isDefault(got[name], fd):
		case !set:
			e = &Error{Reason: ReasonMalformed, Detail: "is spelled " + show(got[name]) + ", which sets nothing", Next: "leave it out"}
		default:
			e = sameValue(got[name], w, fd)
		}
		if e != nil {
			e.Field = string(fd.Name()) + e.Field
			return e
		}
	}
	return nil
}

// sameValue compares a value with its own form. The error's field is what
// comes after the value's own.
func sameValue(got, want any, fd protoreflect.FieldDescriptor) *Error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		e := sameMembers(g, w, fd.Message())
		if e != nil {
			e.Field = "." + e.Field
		}
		return e
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range g {
			if e := sameValue(g[i], w[i], fd); e != nil {
				e.Field = fmt.Sprintf("[%d]%s", i, e.Field)
				return e
			}
		}
		return nil
	case string:
		switch g := got.(type) {
		case string:
			if g == w || isTimestamp(fd) && trimZeros(g) == trimZeros(w) {
				return nil
			}
		case json.Number: // 64-bit integers, which protojson quotes
			if fd.Kind() == protoreflect.Int64Kind && g.String() == w {
				return nil
			}
		}
	default: // numbers, booleans
		if got == want {
			return nil
		}
	}
	return spelling("", "is spelled "+show(got), show(want))
}

// isDefault reports whether v is a default that is written out, for a field
// that is not set. A message has none: not null either, which some readers
// take for a message that is there.
func isDefault(v any, fd protoreflect.FieldDescriptor) bool {
	if fd.IsList() {
		l, ok := v.([]any)
		return ok && len(l) == 0
	}
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		return v == ""
	case protoreflect.BoolKind:
		return v == false
	case protoreflect.EnumKind:
		return v == string(fd.Enum().Values().ByNumber(0).Name())
	case protoreflect.MessageKind:
		return false
	}
	return v == json.Number("0") || v == "0" && fd.Kind() == protoreflect.Int64Kind
}

func isTimestamp(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && fd.Message().FullName() == "google.protobuf.Timestamp"
}

// trimZeros takes thousandths that are zero off a time's fraction: a clock
// that counts milliseconds writes 20.000Z, protojson 20Z. Both are ProtoJSON's
// 0, 3, 6 or 9 digits, and protojson has refused more.
func trimZeros(s string) string {
	s, ok := strings.CutSuffix(s, "Z")
	if !ok {
		return s
	}
	if i := strings.LastIndexByte(s, '.'); i >= 0 && (len(s)-i-1)%3 == 0 {
		for strings.HasSuffix(s[i:], "000") {
			s = s[:len(s)-3]
		}
		s = strings.TrimSuffix(s, ".")
	}
	return s + "Z"
}

func spelling(field, detail, want string) *Error {
	return &Error{Reason: ReasonMalformed, Field: field, Detail: detail, Next: "write " + want}
}

// show writes a value as JSON has it, cut short.
func show(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // it was decoded from JSON
		return "a value that has no JSON form"
	}
	return clipText(strings.TrimSuffix(b.String(), "\n"))
}
