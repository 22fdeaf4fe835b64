package record_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The strict reader of binary protobuf. Field numbers below are those of
// record.proto.

func tag(n protowire.Number, t protowire.Type) []byte { return protowire.AppendTag(nil, n, t) }

func bytesField(n protowire.Number, val string) []byte {
	return protowire.AppendString(tag(n, protowire.BytesType), val)
}

func varintField(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(tag(n, protowire.VarintType), v)
}

// withTop returns a valid payload with raw bytes after its last field.
func withTop(t testing.TB, raw ...byte) []byte {
	t.Helper()
	return append(marshal(t, decision()), raw...)
}

// withNested returns a valid payload in which raw bytes stand after the last
// field of one inner message.
func withNested(t testing.TB, pick func(*onusv1.Record) proto.Message, raw ...byte) []byte {
	t.Helper()
	m := decision()
	pick(m).ProtoReflect().SetUnknown(protoreflect.RawFields(raw))
	return marshal(t, m)
}

func author(m *onusv1.Record) proto.Message  { return m.Author }
func claimed(m *onusv1.Record) proto.Message { return m.ClaimedTime }
func text(m *onusv1.Record) proto.Message    { return m.GetStages().Intent.Text }
func requested(m *onusv1.Record) proto.Message {
	return m.GetStages().Intent.Requested[0]
}

func TestWireRefusals(t *testing.T) {
	// bare lacks capture (4) and sequence (6), which some cases put back.
	m := decision()
	m.Capture, m.Sequence = 0, 0
	bare := marshal(t, m)
	put := func(raw ...byte) []byte { return append(slices.Clone(bare), raw...) }

	tests := []struct {
		name          string
		payload       []byte
		reason, field string
	}{
		{"empty payload", nil, record.ReasonMalformed, "envelope.payload"},

		{"unknown field", withTop(t, varintField(99, 1)...), record.ReasonUnknownField, "record"},
		{"reserved field", withTop(t, bytesField(56, "")...), record.ReasonUnknownField, "record"},
		{"field number zero", withTop(t, 0x02, 0x00), record.ReasonUnknownField, "record"},
		{"field number beyond the limit", withTop(t, protowire.AppendVarint(nil, 1<<35)...), record.ReasonUnknownField, "record"},
		{"unknown field in author", withNested(t, author, bytesField(10, "x")...), record.ReasonUnknownField, "author"},
		{"number for a flag of more than one bit", withNested(t, author, varintField(9, 2)...), record.ReasonMalformed, "author.host"},
		{"unknown field in a time", withNested(t, claimed, varintField(3, 1)...), record.ReasonUnknownField, "claimed_time"},
		{"unknown field in a text", withNested(t, text, varintField(3, 1)...), record.ReasonUnknownField, "stages.intent.text"},
		{"unknown field in an element", withNested(t, requested, varintField(10, 1)...), record.ReasonUnknownField, "stages.intent.requested"},

		{"field twice", withTop(t, bytesField(1, origin)...), record.ReasonDuplicateField, "origin"},
		{"number twice", withTop(t, varintField(6, 7)...), record.ReasonDuplicateField, "sequence"},
		{"message twice", withTop(t, bytesField(3, "")...), record.ReasonDuplicateField, "author"},
		{"body twice", withTop(t, bytesField(40, "")...), record.ReasonDuplicateField, "stages"},
		{"nested field twice", withNested(t, author, bytesField(1, planner)...), record.ReasonDuplicateField, "author.agent"},
		{"seconds twice", withNested(t, claimed, varintField(1, 1)...), record.ReasonDuplicateField, "claimed_time.seconds"},
		{"amount twice", withNested(t, requested, bytesField(6, "1")...), record.ReasonDuplicateField, "stages.intent.requested.amount"},

		{"two bodies", withTop(t, bytesField(43, "")...), record.ReasonDuplicateField, "trigger"},
		{"two forms of a text", withNested(t, text, bytesField(2, "x")...), record.ReasonDuplicateField, "stages.intent.text.plain"},

		{"long tag", put(0xa0, 0x00, 0x01), record.ReasonNonMinimal, "record"},
		{"long tag of an unknown field", put(0x98, 0x86, 0x00, 0x01), record.ReasonNonMinimal, "record"},
		{"long value", put(0x20, 0x81, 0x00), record.ReasonNonMinimal, "capture"},
		{"long zero", put(0x30, 0x80, 0x00), record.ReasonNonMinimal, "sequence"},
		{"value of more than 64 bits", put(0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), record.ReasonNonMinimal, "sequence"},
		{"value of eleven bytes", put(0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00), record.ReasonNonMinimal, "sequence"},
		{"long length of a cause", withTop(t, append([]byte{0x5a, 0xc0, 0x00}, idOf("cause 3")...)...), record.ReasonNonMinimal, "causes"},
		{"long value in a time", func() []byte {
			m := decision()
			m.ClaimedTime.Nanos = 0
			m.ClaimedTime.ProtoReflect().SetUnknown([]byte{0x10, 0x85, 0x00})
			return marshal(t, m)
		}(), record.ReasonNonMinimal, "claimed_time.nanos"},

		{"ends inside a tag", withTop(t, 0x80), record.ReasonTrailingBytes, "record"},
		{"ends after a tag", put(0x30), record.ReasonTrailingBytes, "sequence"},
		{"ends inside a value", put(0x30, 0x80), record.ReasonTrailingBytes, "sequence"},
		{"ends inside a length", withTop(t, 0x5a, 0x80), record.ReasonTrailingBytes, "causes"},
		{"says more than there is", withTop(t, 0x5a, 0x40, 'a'), record.ReasonMalformed, "causes"},
		{"says far more than there is", withTop(t, 0x5a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), record.ReasonMalformed, "causes"},
		{"zero byte after the end", withTop(t, 0), record.ReasonUnknownField, "record"},

		{"wrong wire type", put(varintField(1, 1)...), record.ReasonMalformed, "origin"},
		{"fixed64 for a varint", put(append(tag(6, protowire.Fixed64Type), make([]byte, 8)...)...), record.ReasonMalformed, "sequence"},
		{"group", put(tag(3, protowire.StartGroupType)...), record.ReasonMalformed, "author"},
		{"wire type that does not exist", put(0x07), record.ReasonUnknownField, "record"},
		{"text that is not UTF-8", withTop(t, bytesField(11, "\xff")...), record.ReasonMalformed, "causes"},
		{"nested text that is not UTF-8", withNested(t, author, bytesField(4, "a\xc0\x80")...), record.ReasonMalformed, "author.administrator"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(record.TypeProtobuf, tt.payload)
			wantRefusal(t, err, tt.reason, tt.field)
		})
	}
}

// Readers differ in what they make of an enum or an int32 beyond 32 bits: some
// drop the high bits, some refuse, some keep them. So there is one spelling
// of each value: 0 to 2^31-1, and negative numbers sign-extended.
func TestWireNumbersBeyond32Bits(t *testing.T) {
	m := decision()
	m.Capture = 0
	bare := marshal(t, m)
	for _, v := range []uint64{1<<32 + 1, 1<<63 + 1, 1<<33 + 1} {
		if _, err := parse(record.TypeProtobuf, append(slices.Clone(bare), varintField(4, v)...)); err == nil {
			t.Errorf("capture %#x was accepted as CAPTURE_SELF", v)
		}
	}
	m = decision()
	m.ClaimedTime.Nanos = 0
	m.ClaimedTime.ProtoReflect().SetUnknown(varintField(2, 1<<32+5))
	if _, err := parse(record.TypeProtobuf, marshal(t, m)); err == nil {
		t.Error("2^32+5 nanoseconds were accepted as 5")
	}
}

// The order of fields is the author's: only its bytes are signed.
func TestWireFieldOrderIsFree(t *testing.T) {
	b := marshal(t, decision())
	_, _, n := protowire.ConsumeField(b)
	moved := append(slices.Clone(b[n:]), b[:n]...)
	r, err := parse(record.TypeProtobuf, moved)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if !proto.Equal(r.Msg, decision()) {
		t.Errorf("got %v\nwant %v", r.Msg, decision())
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	for _, valid := range []func() *onusv1.Record{decision, outcome, loss, trigger, operator, agentClass, keyBinding, genesis} {
		b := marshal(t, valid())
		for n := range len(b) {
			if _, err := parse(record.TypeProtobuf, b[:n]); err == nil {
				t.Errorf("the first %d of %d bytes were accepted", n, len(b))
			}
		}
	}
}

func TestEveryTrailingByteIsRefused(t *testing.T) {
	b := marshal(t, decision())
	for c := range 256 {
		if _, err := parse(record.TypeProtobuf, append(slices.Clone(b), byte(c))); err == nil {
			t.Errorf("a trailing byte %#02x was accepted", c)
		}
	}
}

// What is refused is said in one sentence that ends with what to do.
func TestErrorText(t *testing.T) {
	_, err := parse(record.TypeProtobuf, withTop(t, bytesField(1, origin)...))
	if got, want := err.Error(), "origin appears twice: set it once"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// A hostile payload's own words do not come back in full.
	_, err = record.ParsePayloadType(strings.Repeat("x", 10_000))
	var e *record.Error
	if !errors.As(err, &e) || len(e.Error()) > 400 {
		t.Errorf("got %d bytes of %T, want a short *record.Error", len(err.Error()), err)
	}
}
