package record_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

func TestTextRefusals(t *testing.T) {
	set := func(txt *onusv1.Text) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.GetStages().Intent.Text = txt }
	}
	sum := func(n int) *onusv1.Text {
		return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: make([]byte, n)}}
	}
	testRefusals(t, decision, []refusal{
		{"no form", "stages.intent.text", set(&onusv1.Text{})},
		{"empty commitment", "stages.intent.text.commitment", set(sum(0))},
		{"short commitment", "stages.intent.text.commitment", set(sum(31))},
		{"long commitment", "stages.intent.text.commitment", set(sum(33))},
		{"plain text too long", "stages.intent.text.plain", set(plain(strings.Repeat("x", record.MaxPlainText+1)))},
		{"plain text too long in bytes", "stages.intent.text.plain", set(plain(strings.Repeat("ä", record.MaxPlainText/2+1)))},
	})
	testAccepted(t, decision, []acceptance{
		{"plain text of the size allowed", set(plain(strings.Repeat("x", record.MaxPlainText)))},
		{"empty plain text", set(plain(""))},
	})
}

func mustParse(t *testing.T, m *onusv1.Record) *record.Record {
	t.Helper()
	r, err := parse(record.TypeProtobuf, marshal(t, m))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return r
}

// everyText makes one record per body that holds text, with all its texts
// set.
func everyText() []*onusv1.Record {
	return []*onusv1.Record{decision(), outcome(), trigger(), loss(), revocation(), delegation(), approval(), denial(), review()}
}

func TestTextFieldsNamesThemAll(t *testing.T) {
	var got []string
	for _, m := range everyText() {
		for _, f := range mustParse(t, m).Texts() {
			got = append(got, f.Path)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(record.TextFields(), slices.Compact(got)); diff != "" {
		t.Errorf("TextFields and the texts of records with all texts set differ: (-TextFields +Texts)\n%s", diff)
	}
}

func TestPlainTextNeedsThePolicy(t *testing.T) {
	m := decision()
	m.GetStages().Intent.Text = plain("order paper")
	intent := mustParse(t, m)
	m = decision()
	m.GetStages().Decision.Alternatives[0] = plain("order at B")
	alternative := mustParse(t, m)

	allow := func(paths ...string) *onusv1.Policy { return &onusv1.Policy{PlainText: paths} }
	for _, tt := range []struct {
		name   string
		r      *record.Record
		policy *onusv1.Policy
		field  string // of the refusal, empty if there is none
	}{
		{"commitments need no policy", mustParse(t, decision()), nil, ""},
		{"nothing is allowed", intent, allow(), "stages.intent.text.plain"},
		{"no policy", intent, nil, "stages.intent.text.plain"},
		{"another field is allowed", intent, allow("outcome.result"), "stages.intent.text.plain"},
		{"the field is allowed", intent, allow("outcome.result", "stages.intent.text"), ""},
		{"all is allowed", intent, allow("*"), ""},
		{"another member of a list", alternative, allow("stages.intent.text"), "stages.decision.alternatives.plain"},
		{"a member of an allowed list", alternative, allow("stages.decision.alternatives"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.r.CheckPlainText(tt.policy)
			if tt.field == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, "PLAIN_TEXT_FORBIDDEN", tt.field)
		})
	}
}

func TestCommit(t *testing.T) {
	salt := bytes.Repeat([]byte{1}, record.SaltSize)
	got := record.Commit(salt, []byte("data"))
	if want := sha256.Sum256(append(slices.Clone(salt), "data"...)); got != want {
		t.Errorf("Commit = %x, want %x", got, want)
	}
	a, ca := record.NewText([]byte("same"))
	b, cb := record.NewText([]byte("same"))
	if bytes.Equal(a.GetCommitment(), b.GetCommitment()) || bytes.Equal(ca.GetSalt(), cb.GetSalt()) {
		t.Error("two commitments to the same text can be told to be the same")
	}
	if len(ca.GetSalt()) != record.SaltSize || len(a.GetCommitment()) != record.CommitmentSize {
		t.Errorf("salt has %d bytes, commitment %d", len(ca.GetSalt()), len(a.GetCommitment()))
	}
}

func TestOpenContents(t *testing.T) {
	intent, intentContent := record.NewText([]byte("order paper"))
	result, resultContent := record.NewText([]byte("ordered"))
	m := decision()
	m.GetStages().Intent.Text = intent
	m.GetStages().Action.Result = result
	m.GetStages().Interpretation.Text = plain("three boxes")
	r := mustParse(t, m)

	open, err := r.OpenContents([]*onusv1.Content{resultContent, intentContent})
	if err != nil {
		t.Fatal(err)
	}
	for txt, want := range map[*onusv1.Text]string{intent: "order paper", result: "ordered"} {
		if got := string(open[[32]byte(txt.GetCommitment())].GetData()); got != want {
			t.Errorf("opened %q, want %q", got, want)
		}
	}
	if open, err := r.OpenContents(nil); err != nil || len(open) != 0 {
		t.Errorf("OpenContents(nil) = %v, %v; want nothing", open, err)
	}
	salted := func(salt []byte, data string) *onusv1.Content { return &onusv1.Content{Salt: salt, Data: []byte(data)} }
	plainSalt := make([]byte, record.SaltSize)
	for _, tt := range []struct {
		name, reason, field string
		contents            []*onusv1.Content
	}{
		{"other data", "PAYLOAD_MISMATCH", "contents[0]", []*onusv1.Content{salted(intentContent.Salt, "order pens")}},
		{"other salt", "PAYLOAD_MISMATCH", "contents[1]", []*onusv1.Content{intentContent, salted(plainSalt, "ordered")}},
		{"of a plain text", "PAYLOAD_MISMATCH", "contents[0]", []*onusv1.Content{salted(plainSalt, "three boxes")}},
		{"no salt", record.ReasonInvalid, "contents[0].salt", []*onusv1.Content{salted(nil, "order paper")}},
		{"short salt", record.ReasonInvalid, "contents[0].salt", []*onusv1.Content{salted(intentContent.Salt[:31], "order paper")}},
		// The split between salt and data must not move.
		{"salt that took a byte of the data", record.ReasonInvalid, "contents[0].salt",
			[]*onusv1.Content{salted(append(slices.Clone(intentContent.Salt), 'o'), "rder paper")}},
		{"twice", record.ReasonInvalid, "contents[1]", []*onusv1.Content{intentContent, intentContent}},
		{"null", record.ReasonInvalid, "contents[0].salt", []*onusv1.Content{nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.OpenContents(tt.contents)
			wantRefusal(t, err, tt.reason, tt.field)
		})
	}
}
