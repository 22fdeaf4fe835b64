package record_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
)

// DSSE, protocol: PAE(type, body) is
// "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body.
// The protocol's own example is
// "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; our payload types
// are fixed, so the shape is what is compared.
func TestPAE(t *testing.T) {
	pae := func(typ, body string) string {
		return fmt.Sprintf("DSSEv1 %d %s %d %s", len(typ), typ, len(body), body)
	}
	if got, want := pae("http://example.com/HelloWorld", "hello world"), "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Fatalf("the test's own encoding is %q, DSSE's example is %q", got, want)
	}
	tests := []struct {
		typ        record.PayloadType
		body, want string
	}{
		{record.TypeProtobuf, "hello world", "DSSEv1 39 application/vnd.onus.record.v1+protobuf 11 hello world"},
		{record.TypeJSON, "hello world", "DSSEv1 35 application/vnd.onus.record.v1+json 11 hello world"},
		{record.TypeJSON, "", "DSSEv1 35 application/vnd.onus.record.v1+json 0 "},
		{record.TypeJSON, "hällo\x00\n", "DSSEv1 35 application/vnd.onus.record.v1+json 8 hällo\x00\n"},
	}
	for _, tt := range tests {
		env := record.Envelope{Type: tt.typ, Payload: []byte(tt.body)}
		got := string(env.PAE())
		if got != tt.want || got != pae(tt.typ.String(), tt.body) {
			t.Errorf("PAE(%v, %q)\ngot  %q\nwant %q", tt.typ, tt.body, got, tt.want)
		}
		if got, want := env.ID(), record.ID(sha256.Sum256([]byte(tt.want))); got != want {
			t.Errorf("id = %v, want %v", got, want)
		}
	}
}

// A record keeps its id when it is signed again, and only then.
func TestIDs(t *testing.T) {
	s := signerOf(t, ecdsaKey(t)) // signs differently each time
	sign := func(change func(*onusv1.Record)) *record.Record {
		t.Helper()
		m := decision()
		change(m)
		r, err := record.Sign(m, s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	same := func(*onusv1.Record) {}
	first, retry := sign(same), sign(same)
	if first.ID != retry.ID {
		t.Errorf("a retry has id %v, the first try %v", retry.ID, first.ID)
	}
	if string(first.Envelope.Signature) == string(retry.Envelope.Signature) {
		t.Error("ECDSA gave the same signature twice: this test shows nothing")
	}
	if other := sign(func(m *onusv1.Record) { m.Nonce[0]++ }); other.ID == first.ID {
		t.Error("another nonce gives the same id")
	}
	// The same message in another encoding is another record.
	m := decision()
	m.Author.KeyId = s.Public().ID()
	b, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	j, err := record.SignPayload(record.TypeJSON, b, s)
	if err != nil {
		t.Fatal(err)
	}
	if j.ID == first.ID {
		t.Error("JSON and protobuf give the same id")
	}
	// The payload type is signed too: the same bytes under another type are
	// not what was signed.
	relabelled := record.Envelope{Type: record.TypeJSON, Payload: first.Envelope.Payload}
	if relabelled.ID() == first.ID {
		t.Error("the id does not depend on the payload type")
	}
}

func TestParseID(t *testing.T) {
	good := idOf("x")
	id, err := record.ParseID(good)
	if err != nil || id.String() != good || id.IsZero() {
		t.Errorf("ParseID(%q) = %v, %v", good, id, err)
	}
	if !(record.ID{}).IsZero() {
		t.Error("the zero id does not say so")
	}
	for _, s := range []string{
		"", good[:63], good + "0", " " + good[1:], good[:63] + "\n", strings.ToUpper(good), "g" + good[1:],
		"0x" + good[2:], strings.Repeat("0", 64), "é" + good[2:],
	} {
		if id, err := record.ParseID(s); err == nil || !id.IsZero() {
			t.Errorf("ParseID(%q) = %v, %v; want the zero id and an error", s, id, err)
		}
	}
}

func TestPayloadTypes(t *testing.T) {
	for _, typ := range []record.PayloadType{record.TypeProtobuf, record.TypeJSON} {
		if got, err := record.ParsePayloadType(typ.String()); err != nil || got != typ {
			t.Errorf("ParsePayloadType(%q) = %d, %v; want %d", typ, got, err, typ)
		}
	}
	for _, s := range []string{
		"", "application/json", "application/vnd.in-toto+json", "Application/vnd.onus.record.v1+json",
		"application/vnd.onus.record.v2+protobuf", "application/vnd.onus.record.v1+json; charset=utf-8", record.PayloadType(0).String(),
	} {
		_, err := record.ParsePayloadType(s)
		wantRefusal(t, err, record.ReasonUnknownPayloadType, "envelope.payloadType")
	}
	for _, typ := range []record.PayloadType{0, 3, 255} {
		_, err := parse(typ, marshal(t, decision()))
		wantRefusal(t, err, record.ReasonUnknownPayloadType, "envelope.payloadType")
	}
}

func TestEnvelopeRefusals(t *testing.T) {
	valid := func() *onusv1.Envelope {
		r, err := record.Sign(decision(), signerOf(t, edKey(1)))
		if err != nil {
			t.Fatal(err)
		}
		return r.Envelope.Proto()
	}
	if env, err := record.EnvelopeFromProto(valid()); err != nil {
		t.Fatalf("the envelope to break is not valid: %v", err)
	} else if _, err := record.Parse(env); err != nil {
		t.Fatalf("the record to break is not valid: %v", err)
	}
	tests := []struct {
		name, reason, field string
		spoil               func(*onusv1.Envelope)
	}{
		{"unknown payload type", record.ReasonUnknownPayloadType, "envelope.payloadType", func(e *onusv1.Envelope) { e.PayloadType = "text/plain" }},
		{"no signature", record.ReasonBadSignature, "envelope.signatures", func(e *onusv1.Envelope) { e.Signatures = nil }},
		{"two signatures", record.ReasonBadSignature, "envelope.signatures", func(e *onusv1.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }},
		{"signature that is null", record.ReasonBadSignature, "envelope.signatures[0].sig", func(e *onusv1.Envelope) { e.Signatures[0] = nil }},
		{"empty signature", record.ReasonBadSignature, "envelope.signatures[0].sig", func(e *onusv1.Envelope) { e.Signatures[0].Sig = nil }},
		{"signature too long", record.ReasonBadSignature, "envelope.signatures[0].sig", func(e *onusv1.Envelope) {
			e.Signatures[0].Sig = make([]byte, record.MaxSignature+1)
		}},
		{"no payload", record.ReasonMalformed, "envelope.payload", func(e *onusv1.Envelope) { e.Payload = nil }},
		{"payload too large", record.ReasonTooLarge, "envelope.payload", func(e *onusv1.Envelope) {
			e.Payload = make([]byte, record.MaxPayload+1)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := valid()
			tt.spoil(m)
			_, err := record.EnvelopeFromProto(m)
			wantRefusal(t, err, tt.reason, tt.field)
		})
	}
	_, err := record.EnvelopeFromProto(nil)
	wantRefusal(t, err, record.ReasonInvalid, "envelope")
}

// Parse asks for the same sizes, for envelopes that came another way.
func TestParseSizes(t *testing.T) {
	payload := marshal(t, decision())
	_, err := record.Parse(record.Envelope{Type: record.TypeProtobuf, Payload: payload})
	wantRefusal(t, err, record.ReasonBadSignature, "envelope.signatures[0].sig")
	_, err = record.Parse(record.Envelope{Type: record.TypeProtobuf, Payload: payload, Signature: make([]byte, 513)})
	wantRefusal(t, err, record.ReasonBadSignature, "envelope.signatures[0].sig")
	_, err = parse(record.TypeProtobuf, make([]byte, record.MaxPayload+1))
	wantRefusal(t, err, record.ReasonTooLarge, "envelope.payload")

	// A payload of just the size that is allowed.
	spaces := func(n int) []byte { return append(jsonRecord(), strings.Repeat(" ", n-len(jsonRecord()))...) }
	if _, err := parse(record.TypeJSON, spaces(record.MaxPayload)); err != nil {
		t.Errorf("%d bytes refused: %v", record.MaxPayload, err)
	}
	_, err = parse(record.TypeJSON, spaces(record.MaxPayload+1))
	wantRefusal(t, err, record.ReasonTooLarge, "envelope.payload")
}

func TestKeyIDOfEnvelope(t *testing.T) {
	r, err := record.Sign(decision(), signerOf(t, edKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	for keyid, ok := range map[string]bool{"": true, keyID: true, "other": false, keyID + "=": false} {
		err := r.CheckKeyID(keyid)
		if ok && err != nil {
			t.Errorf("keyid %q refused: %v", keyid, err)
		}
		if !ok {
			wantRefusal(t, err, record.ReasonInvalid, "envelope.signatures[0].keyid")
		}
	}
}
