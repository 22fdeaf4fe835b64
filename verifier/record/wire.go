package record

import (
	"fmt"
	"unicode/utf8"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// decode reads a payload strictly: what it accepts has one meaning.
func decode(t PayloadType, b []byte) (*onusv1.Record, error) {
	if t == TypeJSON {
		return decodeJSON(b)
	}
	if err := scanWire(b, wireRecord); err != nil {
		if err.Field == "" {
			err.Field = "record"
		}
		return nil, err
	}
	msg := new(onusv1.Record)
	if err := proto.Unmarshal(b, msg); err != nil {
		return nil, malformed("envelope.payload", "is not a protobuf record: "+runtimeText(err))
	}
	return msg, nil
}

// A wireMessage is what the scanner has to know of a message type: its fields
// by number. The protobuf runtime accepts more encodings of a message than
// one (unknown fields, a singular field twice, a long varint); a signature
// covers all of them, so two readers could disagree on what was signed. The
// scanner leaves one reading, without asking authors for a canonical order.
type wireMessage struct {
	fields map[protowire.Number]*wireField
}

type wireField struct {
	name     string
	wire     protowire.Type
	repeated bool
	text     bool
	// narrow is set for 32-bit numbers, which are sign-extended on the wire.
	narrow, flag bool
	// bit and oneof number the singular fields and the oneofs of a message;
	// -1 if there is none.
	bit, oneof int
	message    *wireMessage
}

var wireRecord = buildWire((*onusv1.Record)(nil).ProtoReflect().Descriptor(), map[protoreflect.FullName]*wireMessage{})

func buildWire(md protoreflect.MessageDescriptor, done map[protoreflect.FullName]*wireMessage) *wireMessage {
	if w := done[md.FullName()]; w != nil {
		return w
	}
	w := &wireMessage{fields: map[protowire.Number]*wireField{}}
	done[md.FullName()] = w
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		f := &wireField{name: string(fd.Name()), repeated: fd.IsList(), bit: i, oneof: -1}
		if o := fd.ContainingOneof(); o != nil {
			f.oneof = o.Index()
		}
		switch fd.Kind() {
		case protoreflect.MessageKind:
			f.wire, f.message = protowire.BytesType, buildWire(fd.Message(), done)
		case protoreflect.StringKind:
			f.wire, f.text = protowire.BytesType, true
		case protoreflect.BytesKind:
			f.wire = protowire.BytesType
		case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.Int32Kind, protoreflect.Int64Kind:
			f.wire = protowire.VarintType
			f.narrow = fd.Kind() == protoreflect.EnumKind || fd.Kind() == protoreflect.Int32Kind
			f.flag = fd.Kind() == protoreflect.BoolKind
			if f.repeated {
				panic("record: packed fields are not read by the scanner: " + fd.FullName())
			}
		default:
			panic("record: a kind that the scanner does not read: " + fd.FullName())
		}
		w.fields[fd.Number()] = f
	}
	if md.Fields().Len() > 64 {
		panic("record: more than 64 fields: " + md.FullName())
	}
	return w
}

// scanWire walks b, a message of type w. The error's field is the path below
// that message: each caller puts its own name in front.
func scanWire(b []byte, w *wireMessage) *Error {
	var seen, oneofs uint64
	for len(b) > 0 {
		tag, n := minimalVarint(b)
		if n <= 0 {
			return varintError(n, "", "tag")
		}
		b = b[n:]
		num, typ := protowire.DecodeTag(tag)
		f := w.fields[num]
		if f == nil {
			return &Error{Reason: ReasonUnknownField,
				Detail: fmt.Sprintf("has field number %d, which this version does not know", num),
				Next:   "send only fields of onus.v1"}
		}
		if typ != f.wire {
			return malformed(f.name, fmt.Sprintf("has wire type %d, not %d", typ, f.wire))
		}
		if !f.repeated {
			if seen&(1<<f.bit) != 0 {
				return duplicate(f.name, "appears twice")
			}
			seen |= 1 << f.bit
		}
		if f.oneof >= 0 {
			if oneofs&(1<<f.oneof) != 0 {
				return duplicate(f.name, "stands beside another alternative of the same choice")
			}
			oneofs |= 1 << f.oneof
		}
		v, n := minimalVarint(b)
		if n <= 0 {
			return varintError(n, f.name, "value")
		}
		b = b[n:]
		if f.narrow && int64(v) != int64(int32(v)) || f.flag && v > 1 {
			return malformed(f.name, fmt.Sprintf("has value %d, which does not fit its type", v))
		}
		if f.wire == protowire.VarintType {
			continue
		}
		if v > uint64(len(b)) {
			return malformed(f.name, fmt.Sprintf("says %d bytes, but %d are left", v, len(b)))
		}
		val := b[:v]
		b = b[v:]
		if f.text && !utf8.Valid(val) {
			return malformed(f.name, "is not UTF-8")
		}
		if f.message != nil {
			if err := scanWire(val, f.message); err != nil {
				err.Field = join(f.name, err.Field)
				return err
			}
		}
	}
	return nil
}

// minimalVarint reads a varint in its shortest form. It returns n = 0 if b
// ends too early and n < 0 if the form is too long.
func minimalVarint(b []byte) (v uint64, n int) {
	for i := 0; i < len(b) && i < 10; i++ {
		c := b[i]
		if i == 9 && c > 1 {
			return 0, -1
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c == 0 && i > 0 {
				return 0, -1
			}
			return v, i + 1
		}
	}
	if len(b) >= 10 {
		return 0, -1
	}
	return 0, 0
}

func varintError(n int, path, what string) *Error {
	if n < 0 {
		return &Error{Reason: ReasonNonMinimal, Field: path, Detail: "has a " + what + " that is encoded longer than needed",
			Next: "use a standard protobuf encoder"}
	}
	return &Error{Reason: ReasonTrailingBytes, Field: path, Detail: "ends inside a " + what,
		Next: "send exactly the marshalled record"}
}

func duplicate(field, detail string) *Error {
	return &Error{Reason: ReasonDuplicateField, Field: field, Detail: detail, Next: "set it once"}
}

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}
