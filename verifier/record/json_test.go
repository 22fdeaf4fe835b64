package record_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// jsonDecision is what a script with curl would send.
const jsonDecision = `{
  "origin": "log.example.com/prod",
  "nonce": "BwcHBwcHBwcHBwcHBwcHBw==",
  "author": {"agent": "spiffe://example.com/planner", "instance": "i-1", "operator": "acme/it", "keyId": "KEYID"},
  "capture": "CAPTURE_SELF",
  "claimedTime": "2026-09-21T14:13:20Z",
  "stages": {"action": {"element": {"type": "order", "action": "create"}}}
}`

func jsonRecord(edits ...string) []byte {
	s := strings.Replace(jsonDecision, "KEYID", keyID, 1)
	return []byte(strings.NewReplacer(edits...).Replace(s))
}

func TestJSON(t *testing.T) {
	r, err := parse(record.TypeJSON, jsonRecord())
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if got, want := r.Msg.GetAuthor().GetAgent(), planner; got != want {
		t.Errorf("author.agent = %q, want %q", got, want)
	}
	for _, name := range recordNames() {
		valid := everyRecord[name]
		for _, opts := range []protojson.MarshalOptions{{}, {Multiline: true}, {EmitDefaultValues: true}} {
			b, err := opts.Marshal(valid())
			if err != nil {
				t.Fatal(err)
			}
			r, err := parse(record.TypeJSON, b)
			if err != nil {
				t.Errorf("refused: %v\n%s", err, b)
				continue
			}
			if !proto.Equal(r.Msg, valid()) {
				t.Errorf("got %v\nwant %v", r.Msg, valid())
			}
		}
	}
}

func TestJSONRefusals(t *testing.T) {
	const top = `"capture": "CAPTURE_SELF",`
	const element = `{"type": "order", "action": "create"}`
	const field = "envelope.payload"
	tests := []struct {
		name, reason, field string
		payload             []byte
	}{
		{"empty", record.ReasonMalformed, field, nil},
		{"white space", record.ReasonMalformed, field, []byte(" ")},
		{"null", record.ReasonMalformed, field, []byte("null")},
		{"array", record.ReasonMalformed, field, []byte("[]")},
		{"protobuf", record.ReasonMalformed, field, marshal(t, decision())},
		{"byte order mark", record.ReasonMalformed, field, append([]byte("\xef\xbb\xbf"), jsonRecord()...)},
		{"text after the end", record.ReasonMalformed, field, append(jsonRecord(), "{}"...)},
		{"zero byte after the end", record.ReasonMalformed, field, append(jsonRecord(), 0)},
		{"two records", record.ReasonMalformed, field, append(jsonRecord(), jsonRecord()...)},
		{"trailing comma", record.ReasonMalformed, field, jsonRecord("}\n}", "},\n}", `}}}
}`, `}}},
}`)},
		{"comment", record.ReasonMalformed, field, jsonRecord(top, top+"// self")},
		{"not UTF-8", record.ReasonMalformed, field, jsonRecord("i-1", "\xff")},
		{"lone surrogate", record.ReasonMalformed, field, jsonRecord("i-1", `\ud800`)},
		{"wrong type", record.ReasonMalformed, field, jsonRecord(`"i-1"`, "1")},
		{"unknown name of an enum", record.ReasonMalformed, field, jsonRecord("CAPTURE_SELF", "CAPTURE_WHATEVER")},
		{"sequence beyond int64", record.ReasonMalformed, field, jsonRecord(top, top+`"sequence": "9223372036854775808",`)},
		{"sequence with a fraction", record.ReasonMalformed, field, jsonRecord(top, top+`"sequence": 1.5,`)},
		{"time with an offset out of range", record.ReasonMalformed, field, jsonRecord("2026-09-21T14:13:20Z", "10000-01-01T00:00:00Z")},

		{"unknown field", record.ReasonUnknownField, field, jsonRecord(top, top+`"severity": 1,`)},
		{"unknown field that is null", record.ReasonUnknownField, field, jsonRecord(top, top+`"severity": null,`)},
		{"name in another case", record.ReasonUnknownField, field, jsonRecord(`"capture"`, `"Capture"`)},
		{"extension", record.ReasonUnknownField, field, jsonRecord(top, top+`"[onus.v1.extra]": 1,`)},
		{"nested unknown field", record.ReasonUnknownField, field, jsonRecord(element, `{"type": "order", "action": "create", "price": "1"}`)},

		{"field twice", record.ReasonDuplicateField, field, jsonRecord(top, top+top)},
		{"field twice, once null", record.ReasonDuplicateField, field, jsonRecord(top, top+`"capture": null,`)},
		{"both spellings of a name", record.ReasonDuplicateField, field, jsonRecord(top, top+`"claimed_time": "2026-09-21T14:13:20Z",`)},
		{"nested field twice", record.ReasonDuplicateField, field, jsonRecord(element, `{"type": "order", "type": "order", "action": "create"}`)},
		{"two bodies", record.ReasonDuplicateField, field, jsonRecord(top, top+`"trigger": {"name": "x"},`)},
		{"two forms of a text", record.ReasonDuplicateField, field, jsonRecord(element, element+`, "result": {"plain": "x", "commitment": ""}`)},

		{"unknown number of an enum", record.ReasonInvalid, "capture", jsonRecord(`"CAPTURE_SELF"`, "7")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(record.TypeJSON, tt.payload)
			wantRefusal(t, err, tt.reason, tt.field)
		})
	}
}

// protojson varies its messages from build to build so that nobody compares
// them; ours are one sentence in every build.
func TestJSONErrorText(t *testing.T) {
	_, err := parse(record.TypeJSON, jsonRecord(`"capture"`, `"Capture"`))
	got := err.Error()
	if strings.Contains(got, "\u00a0") || strings.Contains(got, "  ") || strings.Contains(got, "proto:") {
		t.Errorf("error text %q has odd spaces or names the parser", got)
	}
	if want := `unknown field "Capture"`; !strings.Contains(got, want) {
		t.Errorf("error text %q does not name the field: want %q in it", got, want)
	}
}

// What an author's text says is repeated in an error only so far, and does not
// decide its reason.
func TestJSONErrorIsBounded(t *testing.T) {
	_, err := parse(record.TypeJSON, jsonRecord(`"capture"`, `"`+strings.Repeat("ä", 10_000)+`"`))
	wantRefusal(t, err, record.ReasonUnknownField, "envelope.payload")
	if n := len(err.Error()); n > 400 || !utf8.ValidString(err.Error()) {
		t.Errorf("error has %d bytes: %q", n, err)
	}
	for _, echo := range []string{"unknown field ", "duplicate field ", "): unknown field ", "is already set"} {
		_, err := parse(record.TypeJSON, jsonRecord(`"CAPTURE_SELF"`, `"`+echo+`"`))
		wantRefusal(t, err, record.ReasonMalformed, "envelope.payload")
	}
}
