package record_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
)

// protojson reads each of these, and each has another spelling that it writes.
// The refusal names the field and that spelling.
func TestJSONSpellingRefusals(t *testing.T) {
	const (
		nonce   = `"BwcHBwcHBwcHBwcHBwcHBw=="`
		self    = `"CAPTURE_SELF"`
		at      = `"2026-09-21T14:13:20Z"`
		top     = `"capture": "CAPTURE_SELF",`
		author  = `"instance": "i-1"`
		element = `"action": "create"`
	)
	sequence := func(s string) []byte { return jsonRecord(top, top+`"sequence": `+s+`, "previous": "`+idOf("p")+`",`) }
	claimed := func(s string) []byte { return jsonRecord(at, `"`+s+`"`) }
	// A nonce whose base64 differs between the alphabets.
	bytes := base64.StdEncoding.EncodeToString([]byte("\xfb\xff\xfe0123456789abc"))
	for _, tt := range []struct {
		name, field, says string
		payload           []byte
	}{
		{"base64 without padding", "nonce", nonce, jsonRecord(nonce, `"BwcHBwcHBwcHBwcHBwcHBw"`)},
		{"base64 with bits after the end", "nonce", nonce, jsonRecord(nonce, `"BwcHBwcHBwcHBwcHBwcHBx=="`)},
		{"base64url", "nonce", bytes, jsonRecord(nonce, `"`+strings.NewReplacer("+", "-", "/", "_").Replace(bytes)+`"`)},

		{"enum by its number", "capture", self, jsonRecord(self, "1")},
		{"enum by its number with an exponent", "capture", self, jsonRecord(self, "1e0")},
		{"unset enum by its number", "basis", "leave it out", jsonRecord(top, top+`"basis": 0,`)},

		{"integer with an exponent", "sequence", `"1"`, sequence("1e0")},
		{"integer with a fraction", "sequence", `"1"`, sequence("1.0")},
		{"quoted integer with an exponent", "sequence", `"1"`, sequence(`"1e0"`)},
		{"quoted integer with a fraction", "sequence", `"10"`, sequence(`"10.0"`)},
		{"minus zero", "sequence", "leave it out", sequence("-0")},
		{"quoted minus zero", "sequence", "leave it out", sequence(`"-0"`)},
		{"zero with a fraction", "sequence", "leave it out", sequence("0.0")},

		{"offset of zero", "claimed_time", at, claimed("2026-09-21T14:13:20+00:00")},
		{"offset", "claimed_time", at, claimed("2026-09-21T16:13:20+02:00")},
		{"offset of a day", "claimed_time", `"2026-09-20T14:13:20Z"`, claimed("2026-09-21T14:13:20+24:00")},
		{"hour of one digit", "claimed_time", `"2026-09-21T01:00:00Z"`, claimed("2026-09-21T1:00:00Z")},
		{"comma", "claimed_time", `"2026-09-21T00:00:00.500Z"`, claimed("2026-09-21T00:00:00,5Z")},
		{"one digit of a fraction", "claimed_time", `"2026-09-21T00:00:00.500Z"`, claimed("2026-09-21T00:00:00.5Z")},
		{"four digits of a fraction", "claimed_time", `"2026-09-21T00:00:00.500Z"`, claimed("2026-09-21T00:00:00.5000Z")},
		{"one zero", "claimed_time", `"2026-09-21T00:00:00Z"`, claimed("2026-09-21T00:00:00.0Z")},

		{"body that is null", "stages", "leave it out", jsonRecord(`{"action": {"element": {"type": "order", "action": "create"}}}`, "null")},
		{"another body that is null", "outcome", "leave it out", jsonRecord(top, top+`"outcome": null,`)},
		{"text that is null", "user", "leave it out", jsonRecord(top, top+`"user": null,`)},
		{"list that is null", "causes", "leave it out", jsonRecord(top, top+`"causes": null,`)},
		{"number that is null", "sequence", "leave it out", jsonRecord(top, top+`"sequence": null,`)},
		{"message that is null", "trace", "leave it out", jsonRecord(top, top+`"trace": null,`)},
		{"nested null", "stages.action.element.location", "leave it out", jsonRecord(element, element+`, "location": null`)},

		{"name of the schema", "claimed_time", "claimedTime", jsonRecord("claimedTime", "claimed_time")},
		{"nested name of the schema", "author.key_id", "keyId", jsonRecord("keyId", "key_id")},
		{"name of a field that is not set", "author.key_id", "keyId", jsonRecord(`"keyId": "`+keyID, `"key_id": "`)},
		{"in a list", "stages.intent.requested[1].identifier", "leave it out",
			jsonRecord(`"stages": {`, `"stages": {"intent": {"requested": [{"type": "a", "action": "b"}, {"type": "a", "action": "b", "identifier": null}]},`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := protojson.Unmarshal(tt.payload, new(onusv1.Record)); err != nil {
				t.Fatalf("protojson refuses it too: %v", err)
			}
			_, err := parse(record.TypeJSON, tt.payload)
			wantRefusal(t, err, record.ReasonMalformed, tt.field)
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %s", err, tt.says)
			}
		})
	}
	// Duration stands in genesis alone.
	b, err := protojson.Marshal(genesis())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"60.000s", "60.0s", "+60s", "060s"} {
		text := strings.Replace(string(b), `"60s"`, `"`+s+`"`, 1)
		_, err := parse(record.TypeJSON, []byte(text))
		if !isMalformed(err) {
			t.Errorf("duration %q: %v", s, err)
		}
	}
}

// Beside what protojson writes: digits without quotes, defaults that are
// written out, a clock's zeros, and what JSON itself leaves open.
func TestJSONSpellingsAccepted(t *testing.T) {
	const top = `"capture": "CAPTURE_SELF",`
	const at = "2026-09-21T14:13:20Z"
	previous := `"previous": "` + idOf("p") + `",`
	for name, payload := range map[string][]byte{
		"quoted integer":         jsonRecord(top, top+previous+`"sequence": "7",`),
		"plain integer":          jsonRecord(top, top+previous+`"sequence": 7,`),
		"largest plain integer":  jsonRecord(top, top+previous+`"sequence": 9223372036854775807,`),
		"zero":                   jsonRecord(top, top+`"sequence": 0,`),
		"quoted zero":            jsonRecord(top, top+`"sequence": "0",`),
		"empty text":             jsonRecord(top, top+`"user": "", "parent": "",`),
		"empty list":             jsonRecord(top, top+`"causes": [], "subjects": [],`),
		"first name of an enum":  jsonRecord(top, top+`"basis": "BASIS_UNSPECIFIED",`),
		"empty message":          jsonRecord(top, top+`"trace": {},`),
		"milliseconds of zero":   jsonRecord(at, "2026-09-21T14:13:20.000Z"),
		"nanoseconds of zero":    jsonRecord(at, "2026-09-21T14:13:20.000000000Z"),
		"milliseconds":           jsonRecord(at, "2026-09-21T14:13:20.500Z"),
		"microseconds with zero": jsonRecord(at, "2026-09-21T14:13:20.500000Z"),
		"microseconds":           jsonRecord(at, "2026-09-21T14:13:20.000500Z"),
		"escapes":                jsonRecord("i-1", `\u0069-\u0031`, "acme/it", `acme\/it`),
		"spaces":                 jsonRecord(top, "\n\t"+`"capture" : "CAPTURE_SELF" ,`),
	} {
		if _, err := parse(record.TypeJSON, payload); err != nil {
			t.Errorf("%s: refused: %v", name, err)
		}
	}
}

// An author whose encoder writes another dialect of ProtoJSON is told.
func TestJSONDialects(t *testing.T) {
	for name, opts := range map[string]protojson.MarshalOptions{
		"names of the schema": {UseProtoNames: true}, "numbers of enums": {UseEnumNumbers: true}, "nulls": {EmitUnpopulated: true},
	} {
		b, err := opts.Marshal(trigger())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(record.TypeJSON, b); !isMalformed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isMalformed(err error) bool {
	var e *record.Error
	return errors.As(err, &e) && e.Reason == record.ReasonMalformed
}

// Kinds of value that no decision record holds: small integers, flags, bytes
// in a list, and text that stands in a choice.
func TestJSONSpellingOfOtherKinds(t *testing.T) {
	deep := compactJSON(t, delegation())
	flat := delegation()
	flat.GetDelegation().MaxDepth = 0
	bare := compactJSON(t, flat)
	const scope = `"scope":`
	for _, tt := range []struct {
		name, field string
		text        []byte
		old, new    string
	}{
		{"quoted small integer", "delegation.max_depth", deep, `"maxDepth":2`, `"maxDepth":"2"`},
		{"small integer with a fraction", "delegation.max_depth", deep, `"maxDepth":2`, `"maxDepth":2.0`},
		{"small integer with an exponent", "delegation.max_depth", deep, `"maxDepth":2`, `"maxDepth":2e0`},
		{"quoted small zero", "delegation.max_depth", bare, scope, `"maxDepth":"0",` + scope},
		{"small zero that is null", "delegation.max_depth", bare, scope, `"maxDepth":null,` + scope},
		{"flag that is null", "author.host", deep, `"author":{`, `"author":{"host":null,`},
		{"body of the schema's name", "key_set", compactJSON(t, keySet()), `"keySet"`, `"key_set"`},
		{"bytes in a list without padding", "registration.key.svid.chain[0]", compactJSON(t, enrolment()), `["MA==",`, `["MA",`},
		{"choice that is null", "registration.key.workload_token", compactJSON(t, enrolment()), `"svid":`, `"workloadToken":null,"svid":`},
		{"offset of zero in a grant", "delegation.expires", deep, `"expires":"2026-09-22T18:00:00Z"`, `"expires":"2026-09-22T18:00:00+00:00"`},
	} {
		text := strings.Replace(string(tt.text), tt.old, tt.new, 1)
		if text == string(tt.text) {
			t.Errorf("%s: %s does not hold %s", tt.name, tt.text, tt.old)
			continue
		}
		_, err := parse(record.TypeJSON, []byte(text))
		if err := protojson.Unmarshal([]byte(text), new(onusv1.Record)); err != nil {
			t.Errorf("%s: protojson refuses it too: %v", tt.name, err)
		}
		wantRefusal(t, err, record.ReasonMalformed, tt.field)
	}
	for name, text := range map[string]string{
		"small zero":             strings.Replace(string(bare), scope, `"maxDepth":0,`+scope, 1),
		"flag that is not set":   strings.Replace(string(deep), `"author":{`, `"author":{"host":false,`, 1),
		"milliseconds of a time": strings.Replace(string(deep), `"expires":"2026-09-22T18:00:00Z"`, `"expires":"2026-09-22T18:00:00.000Z"`, 1),
	} {
		if _, err := parse(record.TypeJSON, []byte(text)); err != nil {
			t.Errorf("%s: refused: %v", name, err)
		}
	}
}
