package record

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Sizes of commitments and their salts.
const (
	CommitmentSize = sha256.Size
	SaltSize       = 32
)

// Commit returns the commitment to data under salt: SHA-256(salt ‖ data). The
// salt has a fixed size, so the split between the two is not ambiguous.
func Commit(salt, data []byte) [CommitmentSize]byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(data)
	return [CommitmentSize]byte(h.Sum(nil))
}

// NewText commits to data under a fresh random salt. It returns what goes
// into the record and what travels beside it.
func NewText(data []byte) (*onusv1.Text, *onusv1.Content) {
	salt := make([]byte, SaltSize)
	rand.Read(salt) // never fails, see crypto/rand
	sum := Commit(salt, data)
	return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: sum[:]}},
		&onusv1.Content{Salt: salt, Data: data}
}

// A TextField is one text of a record.
type TextField struct {
	// Path names the field, such as "stages.intent.text". Members of a list
	// share their list's path.
	Path string
	Text *onusv1.Text
}

// Texts returns the texts that are set in r, in the order of the schema.
func (r *Record) Texts() []TextField { return Texts(r.Msg) }

// Texts returns the texts that are set in m, for an author who turns them
// into commitments before signing.
func Texts(m *onusv1.Record) []TextField {
	var ts []TextField
	for f := range textsOf(m) {
		if f.Text != nil {
			ts = append(ts, f)
		}
	}
	return ts
}

// textsOf is the one list of all fields that hold text.
func textsOf(m *onusv1.Record) iter.Seq[TextField] {
	return func(yield func(TextField) bool) {
		d := m.GetStages()
		for _, f := range [...]TextField{
			{"stages.intent.text", d.GetIntent().GetText()},
			{"stages.interpretation.text", d.GetInterpretation().GetText()},
			{"stages.decision.text", d.GetDecision().GetText()},
			{"stages.decision.rationale", d.GetDecision().GetRationale()},
			{"stages.decision.alternatives", nil},
			{"stages.action.arguments", d.GetAction().GetArguments()},
			{"stages.action.result", d.GetAction().GetResult()},
			{"outcome.result", m.GetOutcome().GetResult()},
			{"trigger.detail", m.GetTrigger().GetDetail()},
			{"loss.reason", m.GetLoss().GetReason()},
			{"delegation.purpose", m.GetDelegation().GetPurpose()},
			{"approval.reason", m.GetApproval().GetReason()},
			{"denial.reason", m.GetDenial().GetReason()},
			{"revocation.reason", m.GetRevocation().GetReason()},
			{"review.note", m.GetReview().GetNote()},
		} {
			if !yield(f) {
				return
			}
		}
		for _, a := range d.GetDecision().GetAlternatives() {
			if !yield(TextField{"stages.decision.alternatives", a}) {
				return
			}
		}
	}
}

// TextFields returns the paths of all fields that may hold text, sorted.
func TextFields() []string {
	var paths []string
	for f := range textsOf(nil) {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	return paths
}

// CheckPlainText holds r to the log's policy on plain text.
func (r *Record) CheckPlainText(p *onusv1.Policy) error {
	for f := range textsOf(r.Msg) {
		if _, plain := f.Text.GetForm().(*onusv1.Text_Plain); !plain {
			continue
		}
		if !slices.Contains(p.GetPlainText(), f.Path) && !slices.Contains(p.GetPlainText(), "*") {
			allowed := "no field"
			if len(p.GetPlainText()) > 0 {
				allowed = strings.Join(p.GetPlainText(), ", ")
			}
			return &Error{Reason: "PLAIN_TEXT_FORBIDDEN", Field: f.Path + ".plain",
				Detail: "is plain text, which this log's policy allows for " + allowed,
				Next:   "commit to the text and send it as content"}
		}
	}
	return nil
}

// OpenContents matches contents to r's commitments. It returns, for each
// commitment that is opened, the content; contents that open nothing are
// refused.
func (r *Record) OpenContents(contents []*onusv1.Content) (map[[CommitmentSize]byte]*onusv1.Content, error) {
	if len(contents) == 0 {
		return nil, nil
	}
	want := map[[CommitmentSize]byte]bool{}
	for _, f := range r.Texts() {
		if sum := f.Text.GetCommitment(); len(sum) == CommitmentSize {
			want[[CommitmentSize]byte(sum)] = true
		}
	}
	open := make(map[[CommitmentSize]byte]*onusv1.Content, len(contents))
	for i, c := range contents {
		field := fmt.Sprintf("contents[%d]", i)
		if len(c.GetSalt()) != SaltSize {
			return nil, invalid(field+".salt", fmt.Sprintf("has %d bytes", len(c.GetSalt())), "use 32 random bytes")
		}
		sum := Commit(c.GetSalt(), c.GetData())
		if !want[sum] {
			return nil, &Error{Reason: "PAYLOAD_MISMATCH", Field: field,
				Detail: "opens no commitment of the record", Next: "send the salt and the bytes that were committed to"}
		}
		if open[sum] != nil {
			return nil, invalid(field, "stands there twice", "send each content once")
		}
		open[sum] = c
	}
	return open, nil
}
