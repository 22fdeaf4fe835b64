package record_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
)

// FuzzParse: no payload panics; what is accepted is one record under one id,
// holds nothing unknown, and says the same again when an author re-encodes
// it.
func FuzzParse(f *testing.F) {
	for _, name := range recordNames() {
		valid := everyRecord[name]
		f.Add(byte(record.TypeProtobuf), marshal(f, valid()))
	}
	f.Add(byte(record.TypeJSON), jsonRecord())
	f.Add(byte(record.TypeProtobuf), withTop(f, varintField(99, 1)...))
	f.Fuzz(func(t *testing.T, typ byte, payload []byte) {
		r, err := parse(record.PayloadType(typ), payload)
		if err != nil {
			var e *record.Error
			if !errors.As(err, &e) || e.Reason == "" || e.Detail == "" {
				t.Fatalf("refused with %T: %v", err, err)
			}
			return
		}
		if !bytes.Equal(r.Envelope.Payload, payload) {
			t.Fatal("the payload was changed")
		}
		again, err := parse(record.PayloadType(typ), bytes.Clone(payload))
		if err != nil || again.ID != r.ID || !proto.Equal(again.Msg, r.Msg) {
			t.Fatalf("the second reading differs: %v\n%v\n%v", err, r.Msg, again)
		}
		wantNothingUnknown(t, r.Msg)
		reencoded, err := parse(record.TypeProtobuf, marshal(t, r.Msg))
		if err != nil {
			var e *record.Error
			if errors.As(err, &e) && e.Reason == record.ReasonTooLarge {
				return // JSON can be shorter than protobuf
			}
			t.Fatalf("a valid record is refused once re-encoded: %v", err)
		}
		if !proto.Equal(reencoded.Msg, r.Msg) {
			t.Fatalf("re-encoded: %v\nwas: %v", reencoded.Msg, r.Msg)
		}
	})
}

func wantNothingUnknown(t *testing.T, m proto.Message) {
	t.Helper()
	err := protorange.Range(m.ProtoReflect(), func(v protopath.Values) error {
		if v.Index(-1).Step.Kind() == protopath.UnknownAccessStep {
			return errors.New("unknown fields at " + v.Path.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(idOf("x"))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := record.ParseID(s)
		if err != nil {
			if !id.IsZero() {
				t.Fatalf("a refused id is %v", id)
			}
			return
		}
		if id.String() != s || id.IsZero() {
			t.Fatalf("%q reads as %v", s, id)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	for _, k := range allKeys(f) {
		f.Add(spkiOf(f, k))
	}
	f.Fuzz(func(t *testing.T, spki []byte) {
		p, err := record.ParsePublicKey(spki)
		if err != nil {
			return
		}
		if !bytes.Equal(p.SPKI(), spki) {
			t.Fatalf("%x reads as %x", spki, p.SPKI())
		}
		q, err := record.NewPublicKey(p.Crypto())
		if err != nil || q.ID() != p.ID() || len(p.ID()) != 43 {
			t.Fatalf("id %q, made anew %v: %v", p.ID(), q, err)
		}
		p.Verify(nil, nil)
		p.Verify(spki, spki)
	})
}
