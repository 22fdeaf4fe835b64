package record_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// FuzzJSONSpelling: of a text that is accepted, what protojson writes is
// accepted too and says the same, and no reader of JSON sees a null in it.
func FuzzJSONSpelling(f *testing.F) {
	f.Add(jsonRecord())
	for _, name := range recordNames() {
		valid := everyRecord[name]
		b, err := protojson.Marshal(valid())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(record.TypeJSON, text)
		if err != nil {
			return
		}
		own, err := protojson.Marshal(r.Msg)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(record.TypeJSON, own)
		if err != nil || !proto.Equal(again.Msg, r.Msg) {
			t.Fatalf("protojson's own text: %v\n%s\nof\n%s", err, own, text)
		}
		// encoding/json reads the text alike: no value is lost, none is null.
		var v map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		wantNoNull(t, v)
		if v["origin"] != r.Msg.GetOrigin() {
			t.Fatalf("origin reads as %v and as %q", v["origin"], r.Msg.GetOrigin())
		}
	})
}

func wantNoNull(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Fatal("a null was accepted")
	case map[string]any:
		for _, m := range v {
			wantNoNull(t, m)
		}
	case []any:
		for _, m := range v {
			wantNoNull(t, m)
		}
	}
}
