package record_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

func TestReviews(t *testing.T) {
	type R = onusv1.Review
	in := func(change func(*R)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetReview()) }
	}
	testRefusals(t, review, []refusal{
		{"of nothing", "review.record", in(func(r *R) { r.Record = "" })},
		{"of what is no id", "review.record", in(func(r *R) { r.Record = "record" })},
		{"of what is no cause", "causes", func(m *onusv1.Record) { m.Causes = nil }},
		{"of another than its cause", "causes", func(m *onusv1.Record) { m.Causes = []string{idOf("another")} }},
		{"with a second cause", "causes", func(m *onusv1.Record) { m.Causes = append(m.Causes, idOf("another")) }},
		{"of a finding in lower case", "review.finding", in(func(r *R) { r.Finding = "limit_exceeded" })},
		{"of a finding with a digit", "review.finding", in(func(r *R) { r.Finding = "LIMIT_2" })},
		{"of a finding in words", "review.finding", in(func(r *R) { r.Finding = "LIMIT EXCEEDED" })},
		{"of a finding too long", "review.finding", in(func(r *R) { r.Finding = strings.Repeat("F", 65) })},
		{"with no disposition", "review.disposition", in(func(r *R) { r.Disposition = 0 })},
		{"with a negative disposition", "review.disposition", in(func(r *R) { r.Disposition = -1 })},
		{"with an unknown disposition", "review.disposition", in(func(r *R) { r.Disposition = 6 })},
		{"with an empty note", "review.note", in(func(r *R) { r.Note = &onusv1.Text{} })},
		{"with a note too long", "review.note.plain", in(func(r *R) { r.Note = plain(strings.Repeat("n", record.MaxPlainText+1)) })},
		{"for an assignee by name", "review.assignee", in(func(r *R) { r.Assignee = "alice" })},
		{"for a subject", "review.assignee", in(func(r *R) { r.Assignee = pseudonym("s-", 'a') })},
		{"with a parent", "parent", func(m *onusv1.Record) { m.Parent = idOf("action") }},
		{"that asks an agent", "asks", func(m *onusv1.Record) { m.Asks = planner }},
		{"under a grant", "grant", func(m *onusv1.Record) { m.Grant = idOf("grant") }},
		{"on a basis", "basis", func(m *onusv1.Record) { m.Basis = onusv1.Basis_BASIS_OWN }},
		{"in a session", "session", func(m *onusv1.Record) { m.Session = office }},
		{"beside a token", "token", func(m *onusv1.Record) { m.Session, m.Token = office, userToken() }},
		{"by an officer by name", "user", func(m *onusv1.Record) { m.User = "alice" }},
	})
	testRefusals(t, ownReview, []refusal{{"by a reviewer for a user", "user", func(m *onusv1.Record) { m.User = alice }}})
	testAccepted(t, review, []acceptance{
		{"by the host for nobody", func(m *onusv1.Record) { m.User = "" }},
		{"for nobody to see to", in(func(r *R) { r.Assignee = "" })},
		{"of the chain as a whole", in(func(r *R) { r.Finding = "" })},
		{"of the longest name", in(func(r *R) { r.Finding = strings.Repeat("F", 64) })},
		{"with a note in clear", in(func(r *R) { r.Note = plain("as agreed") })},
		{"about a customer", func(m *onusv1.Record) { m.Subjects = []string{pseudonym("s-", 'c')} }},
	})
	testAccepted(t, ownReview, []acceptance{{"open, with a note", in(func(r *R) { r.Note = commitment("later") })}})

	// Every disposition but open says why.
	for d := range onusv1.Disposition_name {
		d := onusv1.Disposition(d)
		m := review()
		m.GetReview().Disposition, m.GetReview().Note = d, nil
		_, err := parse(record.TypeProtobuf, marshal(t, m))
		switch d {
		case onusv1.Disposition_DISPOSITION_UNSPECIFIED:
			wantRefusal(t, err, record.ReasonInvalid, "review.disposition")
		case onusv1.Disposition_DISPOSITION_OPEN:
			if err != nil {
				t.Errorf("open, without a note: %v", err)
			}
		default:
			wantRefusal(t, err, record.ReasonInvalid, "review.note")
		}
	}
}
