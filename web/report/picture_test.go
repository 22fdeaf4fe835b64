package report_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
)

// chainIn returns the chain in the evidence of a scenario, without its
// registrations, and the marks that its judgement gives.
func chainIn(t *testing.T, name string) (*chain.Chain, report.Marks) {
	t.Helper()
	r := of(t, name)
	var entries []chain.Entry
	for _, l := range r.Evidence.Leaves {
		switch l.Record.Msg.GetBody().(type) {
		case *onusv1.Record_Registration, *onusv1.Record_Genesis, *onusv1.Record_KeySet, *onusv1.Record_TrustBundle:
			continue
		}
		entries = append(entries, chain.Entry{Index: l.Index, LogTime: l.Entry.Stamp.LogTime, Record: l.Record, Stamp: &l.Entry.Stamp})
	}
	return chain.Build(entries, nil, r.Evidence.Registry.History().Genesis().GetPolicy()), report.MarksOf(r.Judgement)
}

// draw returns a picture that is well formed, and loads and runs nothing.
func draw(t *testing.T, c *chain.Chain, m report.Marks) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Picture(c, m, &b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch e.Name.Local {
		case "svg", "title", "desc", "defs", "pattern", "g", "path", "rect", "circle", "text":
		default:
			t.Errorf("the picture has an element %s", e.Name.Local)
		}
		for _, a := range e.Attr {
			if n := a.Name.Local; strings.HasPrefix(n, "on") || n == "href" || n == "src" || n == "style" || strings.Contains(a.Value, "url(") && a.Value != "url(#onus-withheld)" {
				t.Errorf("the picture has %s=%q", n, a.Value)
			}
		}
	}
	return b.String()
}

// made returns a chain's entry of a record that was not signed.
func made(index int64, m *onusv1.Record) chain.Entry {
	id := record.ID{31: byte(index), 30: byte(index >> 8), 0: 1}
	return chain.Entry{Index: index, Record: &record.Record{ID: id, Msg: m}}
}

func id(index int64) string { return made(index, nil).Record.ID.String() }

func agent(name string) *onusv1.Author {
	return &onusv1.Author{Agent: "spiffe://example.com/" + name, Instance: "pod-1", Operator: "acme/it"}
}

func action(of *onusv1.Author, parent string) *onusv1.Record {
	return &onusv1.Record{Author: of, Parent: parent, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
		Action: &onusv1.Action{Element: &onusv1.ScopeElement{Type: "file", Action: "read"}}}}}
}

// The picture of the chain that went wrong, as people see it.
func TestPictureOfS4(t *testing.T) {
	c, m := chainIn(t, "S4")
	got := draw(t, c, m)
	golden(t, "S4.svg", []byte(got))
	if again := draw(t, c, m); again != got {
		t.Error("the same chain gives other bytes")
	}
}

// Every scenario can be drawn.
func TestPictureOfScenarios(t *testing.T) {
	for _, name := range []string{"S1", "S2", "S2-bad", "S3", "S5"} {
		c, m := chainIn(t, name)
		got := draw(t, c, m)
		for _, n := range c.Nodes {
			if !strings.Contains(got, fmt.Sprintf(">#%d<", n.Index)) {
				t.Errorf("%s: entry %d is not drawn", name, n.Index)
			}
		}
	}
}

// How a record came out is shown by signs and borders, not by colour alone.
func TestPictureMarks(t *testing.T) {
	const heavy, hatched = `stroke-width="3" fill="#fff" stroke="#9a1b1b"`, "url(#onus-withheld)"
	plain := strings.Count(draw(t, chain.Build(nil, nil, nil), report.Marks{}), ">!<")
	for _, tc := range []struct {
		outcome       chain.Outcome
		bang, ask     int
		heavy, dash   int
		word          string
		sentenceHolds string
	}{
		{chain.OutsideAuthority, 1, 0, 1, 0, "NOT ALLOWED", "outside authority"},
		{chain.EvidenceBroken, 1, 0, 1, 0, "BROKEN", "evidence broken"},
		{chain.CannotBeTold, 0, 1, 0, 0, "CANNOT TELL", "cannot be told"},
		{chain.NotJudgedHere, 0, 0, 0, 1, "", "not judged here"},
		{"", 0, 0, 0, 1, "", "not judged here"},
		{"an outcome of later rules", 0, 0, 0, 1, "", "not judged here"},
		{chain.WithinAuthority, 0, 0, 0, 0, "", "within authority"},
	} {
		empty := draw(t, chain.Build(nil, nil, nil), report.Marks{})
		got := draw(t, chain.Build([]chain.Entry{made(1, action(agent("a"), ""))}, nil, nil), report.Marks{Outcomes: map[int64]chain.Outcome{1: tc.outcome}})
		more := func(s string) int { return strings.Count(got, s) - strings.Count(empty, s) }
		if more(">!<") != tc.bang || more(">?<") != tc.ask || more(heavy) != tc.heavy || more(`stroke-dasharray="3 3"`) != tc.dash {
			t.Errorf("%q: %d of !, %d of ?, %d of the heavy border, %d dashed", tc.outcome, more(">!<"), more(">?<"), more(heavy), more(`stroke-dasharray="3 3"`))
		}
		for _, word := range []string{"NOT ALLOWED", "BROKEN", "CANNOT TELL"} {
			if got := more(">" + word + "<"); (got == 1) != (word == tc.word) || got > 1 {
				t.Errorf("%q: %q stands there %d times", tc.outcome, word, got)
			}
		}
		if !strings.Contains(got, "operator acme/it: "+tc.sentenceHolds) {
			t.Errorf("%q is not said in words", tc.outcome)
		}
	}
	held := made(1, &onusv1.Record{Author: agent("a")})
	held.Opaque = chain.Withheld
	got := draw(t, chain.Build([]chain.Entry{held}, nil, nil), report.Marks{})
	if strings.Count(got, hatched) != 2 || !strings.Contains(got, ">withheld<") { // one is the legend's
		t.Error("a withheld record is not hatched")
	}
	if plain != 3 {
		t.Errorf("the legend has %d marks, want one for each meaning", plain)
	}
}

// A record whose parent is not there does not look like a root.
func TestPictureMissingParent(t *testing.T) {
	elsewhere, err := record.ParseID(id(7))
	if err != nil {
		t.Fatal(err)
	}
	c := chain.Build([]chain.Entry{made(8, action(agent("a"), id(7))), made(9, action(agent("a"), id(6)))}, map[record.ID]int64{elsewhere: 7}, nil)
	got := draw(t, c, report.Marks{})
	for _, want := range []string{"its parent is in the log outside this chain", "its parent is not in the log", ">…</text>"} {
		if !strings.Contains(got, want) {
			t.Errorf("the picture does not say %q", want)
		}
	}
}

// A label fits into its column.
func TestPictureLabels(t *testing.T) {
	for _, tc := range []struct{ kind, action, want string }{
		{"file", "read", `>file:read</text>`},
		{"hardware-order", "create", `>hardware-order:</text>`},
		{"hardware-order", "create", `>create</text>`},
		{strings.Repeat("k", 30), "a", ">" + strings.Repeat("k", 15) + "…</text>"},
		{"文件", strings.Repeat("读", 30), ">" + strings.Repeat("读", 7) + "…</text>"},
	} {
		r := action(agent("a"), "")
		r.GetStages().Action.Element = &onusv1.ScopeElement{Type: tc.kind, Action: tc.action}
		if got := draw(t, chain.Build([]chain.Entry{made(1, r)}, nil, nil), report.Marks{}); !strings.Contains(got, tc.want) {
			t.Errorf("%s:%s has no label %s", tc.kind, tc.action, tc.want)
		}
	}
}

// Nothing that a record says becomes part of the picture, or passes for what
// the picture says.
func TestPictureOfLies(t *testing.T) {
	const lie = "x\"><script>alert(1)</script>\u202e✓\x1b]]>&amp;\n"
	lies := lie + strings.Repeat("long", 5000)
	who := &onusv1.Author{Agent: "spiffe://" + lies, Instance: lies, Operator: lies}
	say := action(who, "")
	say.GetStages().Action.Element = &onusv1.ScopeElement{Type: lies, Action: lies}
	var entries []chain.Entry
	for i, m := range []*onusv1.Record{say,
		{Author: &onusv1.Author{Service: lies}, Body: &onusv1.Record_Counter{Counter: &onusv1.CounterRecord{Element: &onusv1.ScopeElement{Type: lies}}}},
		{Author: &onusv1.Author{Client: lies}, User: lies, Body: &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: lies}}},
		{Author: &onusv1.Author{Reviewer: lies}, Body: &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: lies}}},
		{Author: &onusv1.Author{Administrator: lies}, Body: &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: lies}}}},
	} {
		entries = append(entries, made(int64(i), m))
	}
	got := draw(t, chain.Build(entries, nil, nil), report.Marks{})
	for _, r := range "✓\u202e\x1b" {
		if strings.ContainsRune(got, r) {
			t.Errorf("the picture holds %U", r)
		}
	}
	if strings.Contains(got, "<script") || len(got) > 40_000 {
		t.Errorf("foreign text is part of the picture, or not bounded: %d bytes", len(got))
	}
}
