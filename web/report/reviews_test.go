package report_test

import (
	"bytes"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/report"
)

func review(by *onusv1.Author, user string, of int64, finding string, d onusv1.Disposition, note string) *onusv1.Record {
	return &onusv1.Record{Author: by, User: user, Causes: []string{id(of)}, Body: &onusv1.Record_Review{Review: &onusv1.Review{
		Record: id(of), Finding: finding, Disposition: d, Note: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: note}}}}}
}

// What was done about it stands in a part of its own, and the newest of each
// matter counts, while those before stay.
func TestReportOfReviews(t *testing.T) {
	boss := &onusv1.Author{Reviewer: "boss"}
	host := &onusv1.Author{Host: true}
	entries := []chain.Entry{
		made(9, review(host, "u-officer", 1, "", onusv1.Disposition_DISPOSITION_INCIDENT, lies)), // not in log order
		made(1, action(agent("a"), "")),
		made(5, review(boss, "", 1, "LIMIT_EXCEEDED", onusv1.Disposition_DISPOSITION_OPEN, "look")),
		made(6, review(agent("a"), "", 1, "LIMIT_EXCEEDED", onusv1.Disposition_DISPOSITION_FALSE_ALARM, "says the agent")),
		made(7, review(boss, "", 1, "LIMIT_EXCEEDED", onusv1.Disposition_DISPOSITION_ESCALATED, "ask legal")),
		made(8, review(boss, "", 4, lies, onusv1.Disposition_DISPOSITION_EXPLAINED, "of what is not here")),
	}
	rs := report.ReviewsIn(entries, nil)
	var got []string
	for _, r := range rs {
		got = append(got, r.Disposition)
		if r.Latest == (r.Entry == 5) {
			t.Errorf("the review in entry %d is the latest: %v", r.Entry, r.Latest)
		}
	}
	if s := strings.Join(got, ", "); s != "open, escalated, explained, incident" {
		t.Errorf("the reviews are %s", s)
	}
	p := report.Of(&chain.Judgement{Outcome: chain.NothingDone}, nil)
	p.Reviews = rs
	var text, page bytes.Buffer
	if err := p.Text(&text); err != nil {
		t.Fatal(err)
	}
	if err := p.HTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"WHAT WAS DONE ABOUT IT", "A limit was exceeded (entry 1): open, since changed, by reviewer boss", "A limit was exceeded (entry 1): escalated, by reviewer boss",
		"Why: “ask legal”", "The chain as a whole: incident, by officer u-officer, on the word of the log's host"} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), want) {
			t.Errorf("the report does not say %q:\n%s", want, text.String())
		}
	}
	if !strings.Contains(page.String(), "<h2>What was done about it</h2>") || strings.Contains(page.String(), "<script") {
		t.Error("the page does not show reviews as it should")
	}
	for _, r := range "✓☑\u202e\x1b" {
		if strings.ContainsRune(text.String()+page.String(), r) {
			t.Errorf("the report holds %U", r)
		}
	}
}

// Every body that a record can have has a name.
func TestKinds(t *testing.T) {
	body := (&onusv1.Record{}).ProtoReflect().Descriptor().Oneofs().ByName("body")
	if n := body.Fields().Len(); n < 15 {
		t.Fatalf("a record has %d bodies", n)
	}
	names := map[string]bool{}
	for i := range body.Fields().Len() {
		f := body.Fields().Get(i)
		m := &onusv1.Record{}
		m.ProtoReflect().Set(f, m.ProtoReflect().NewField(f))
		k := report.KindOf(m)
		if f.Name() == "stages" {
			m.GetStages().Decision, m.GetStages().Action = &onusv1.Decision{}, &onusv1.Action{}
			if k = report.KindOf(m); k != "decision+action" {
				t.Errorf("two stages are %q", k)
			}
		}
		if k == "unknown" || k == "" || names[k] {
			t.Errorf("%s is called %q", f.Name(), k)
		}
		names[k] = true
	}
	if k := report.KindOf(&onusv1.Record{}); k != "withheld" {
		t.Errorf("a record that is not shown is %q", k)
	}
}

// What one chain caused in another is at hand with it. A review of the other
// says nothing of this one, and takes the place of none of this one's.
func TestReviewsOfChainsBeside(t *testing.T) {
	boss := &onusv1.Author{Reviewer: "boss"}
	other := action(agent("b"), "")
	other.Causes = []string{id(1)}
	below := action(agent("b"), id(2))
	entries := []chain.Entry{
		made(1, action(agent("a"), "")),
		made(2, other),
		made(3, below),
		made(4, review(boss, "", 1, "", onusv1.Disposition_DISPOSITION_ESCALATED, "look")),
		made(5, review(boss, "", 3, "", onusv1.Disposition_DISPOSITION_EXPLAINED, "agreed")),
		made(6, review(boss, "", 4, "", onusv1.Disposition_DISPOSITION_INCIDENT, "of the review")),
	}
	type said struct {
		root         int64
		latest, next bool
	}
	want := []said{{1, false, false}, {2, true, true}, {1, true, false}}
	for i, r := range report.ReviewsIn(entries, nil) {
		if got := (said{r.Root, r.Latest, r.Beside}); got != want[i] {
			t.Errorf("the review in entry %d: %+v, want %+v (%s)", r.Entry, got, want[i], r)
		}
		if s := r.About(); (s == "The chain as a whole") == r.Beside {
			t.Errorf("the review in entry %d is about %q", r.Entry, s)
		}
	}
}
