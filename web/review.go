package web

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// Bounds of what an officer writes.
const (
	maxNote     = 4000 // characters
	maxAssignee = 200
)

// reviewForm is the dot of the template "reviewform".
type reviewForm struct {
	Record, Finding, Back string
	Choices               []choice
	Note, Assignee        string
	Error                 string
}

type choice struct {
	Value, Word string
	Chosen      bool
}

// dispositions are those that an officer chooses from, in the order in which a
// matter usually moves.
var dispositions = []struct {
	value, word string
	is          onusv1.Disposition
}{
	{"open", "Open", onusv1.Disposition_DISPOSITION_OPEN},
	{"explained", "Explained", onusv1.Disposition_DISPOSITION_EXPLAINED},
	{"escalated", "Escalated", onusv1.Disposition_DISPOSITION_ESCALATED},
	{"incident", "Incident", onusv1.Disposition_DISPOSITION_INCIDENT},
	{"false-alarm", "False alarm", onusv1.Disposition_DISPOSITION_FALSE_ALARM},
}

// parseDisposition reads the value of a form or an address.
func parseDisposition(s string) (onusv1.Disposition, bool) {
	for _, d := range dispositions {
		if d.value == s {
			return d.is, true
		}
	}
	return 0, false
}

// newReviewForm returns an empty form: about a finding of a record or, with
// finding empty, the chain of the record. back is the page that shows it.
func newReviewForm(id any, finding string, current *desk.Review, back string) reviewForm {
	var is onusv1.Disposition
	if current != nil {
		is = current.Disposition
	}
	f := reviewForm{Record: fmt.Sprint(id), Finding: finding, Back: localPath(back)}
	f.choose(is)
	return f
}

func (f *reviewForm) choose(is onusv1.Disposition) {
	f.Choices = nil
	for _, d := range dispositions {
		f.Choices = append(f.Choices, choice{d.value, d.word, d.is == is})
	}
}

// review logs what an officer decided.
func (v *visit) review() error {
	switch {
	case v.Officer == nil:
		return forbidden("Review it where the ledger itself runs.", "This viewer only reads.")
	case !v.Reviews:
		return forbidden("Ask who runs this ledger for the role compliance.", "Your role, %s, may read and not review.", say(v.Role))
	}
	if err := v.form(); err != nil {
		return err
	}
	in := v.r.PostForm
	f := reviewForm{Record: in.Get("record"), Finding: in.Get("finding"), Back: localPath(in.Get("back")),
		Note: strings.TrimSpace(strings.ReplaceAll(in.Get("note"), "\r\n", "\n")), Assignee: strings.TrimSpace(in.Get("assignee"))}
	id, err := record.ParseID(f.Record)
	if err != nil {
		return badRequest("Open the chain, and send the form from there.", "The form names no record: %s.", err)
	}
	if f.Finding != "" && chain.TitleOf(f.Finding) == f.Finding {
		return badRequest("Open the chain, and send the form from there.", "There is no finding %q.", say(f.Finding))
	}
	is, ok := parseDisposition(in.Get("disposition"))
	f.choose(is)
	switch {
	case !ok:
		f.Error = "Choose what becomes of it."
	case f.Note == "" && is != onusv1.Disposition_DISPOSITION_OPEN:
		f.Error = "Say why: only “open” goes without a note."
	case utf8.RuneCountInString(f.Note) > maxNote:
		f.Error = fmt.Sprintf("The note has %d characters; %d are the most.", utf8.RuneCountInString(f.Note), maxNote)
	case utf8.RuneCountInString(f.Assignee) > maxAssignee:
		f.Error = fmt.Sprintf("The name has %d characters; %d are the most.", utf8.RuneCountInString(f.Assignee), maxAssignee)
	}
	if f.Error != "" {
		return v.reviewAgain(f)
	}
	if _, err := v.Log.Index(id); err != nil {
		return err
	}
	index, err := v.Officer.Review(v.r.Context(), v.Viewer, Review{Record: id, Finding: f.Finding, Disposition: is, Note: f.Note, Assignee: f.Assignee})
	var wrong *record.Error
	switch {
	case errors.As(err, &wrong):
		f.Error = say(sentence(err.Error())) + "."
		return v.reviewAgain(f)
	case err != nil:
		return fmt.Errorf("log review: %w", err)
	}
	if v.Desk != nil {
		// The page that is shown next counts it. A desk that is slow must not
		// keep the officer: the review is durable.
		v.catchUp(index + 1)
	}
	return v.redirect(f.Back)
}

// reviewAgain shows the form with what was typed, and what is wrong with it.
func (v *visit) reviewAgain(f reviewForm) error {
	return v.send(400, "reviewagain", v.frame("The review was not logged", "", f))
}
