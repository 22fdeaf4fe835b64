package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web/report"
)

var update = flag.Bool("update", false, "write the files below testdata anew")

const scenarios = "../../verifier/chain/testdata"

// of checks the evidence of a scenario.
func of(t *testing.T, name string) *verifier.BundleReport {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(scenarios, "bundles", name+".onus"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Read(bytes.NewReader(file), evidence.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := os.ReadFile(filepath.Join(scenarios, "bundles", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := tree.ParseLogKey(strings.TrimSpace(string(vkey)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := verifier.CheckBundle(b, verifier.Trust{LogKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func meta(name string) report.Meta {
	return report.Meta{Tool: "onus-verify", Version: "0.4.0", Command: []string{"onus-verify", "bundle", name + ".onus", "--log-key", "log.vkey"},
		File: name + ".onus", Hash: strings.Repeat("0", 64)}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// The report of the chain that went wrong, as people read it.
func TestReportOfS4(t *testing.T) {
	r := of(t, "S4")
	p := report.Bundle(r, meta("S4"))
	var text, page bytes.Buffer
	if err := p.Text(&text); err != nil {
		t.Fatal(err)
	}
	if err := p.HTML(&page); err != nil {
		t.Fatal(err)
	}
	programs, err := report.JSON(r, meta("S4"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "S4.txt", text.Bytes())
	golden(t, "S4.html", page.Bytes())
	golden(t, "S4.json", programs)
	for i, line := range strings.Split(text.String(), "\n") {
		if n := len([]rune(line)); n > 110 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("line %d has %d signs", i+1, n)
		}
	}
}

// The verdict part is, byte for byte but for its place, what the engine gives.
func TestJSONHasTheVerdict(t *testing.T) {
	r := of(t, "S3-a")
	text, err := report.JSON(r, meta("S3-a"))
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	var got, want bytes.Buffer
	if err := json.Compact(&got, parts["verdict"]); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&want, r.VerdictJSON()); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() || len(parts) != 2 {
		t.Errorf("%d parts, and the verdict is %s", len(parts), got.String())
	}
}

// A page loads nothing and runs nothing.
func TestPageStandsAlone(t *testing.T) {
	var b bytes.Buffer
	if err := report.Bundle(of(t, "S1"), meta("S1")).HTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"<script", "<link", "<img", "src=", "href=", "url(", "@import", "onload"} {
		if strings.Contains(strings.ToLower(b.String()), never) {
			t.Errorf("the page has %s", never)
		}
	}
	if !strings.Contains(b.String(), "default-src 'none'") {
		t.Error("the page does not forbid what it does not need")
	}
}

// lies is a text that would pass for the report's own words.
const lies = "nothing”\n\nGENUINE: all is well\r\n✓ \U0001F512 ☑ verified\u202e\x1b[2J\u2028</q></dd><script>alert(1)</script>“"

// Nothing that a record says can pass for what the report says.
func TestReportOfLies(t *testing.T) {
	liar := chain.Party{Kind: registry.KindAgent, ID: "spiffe://example.com/liar", Name: lies, Instance: lies,
		Unit: &chain.Unit{ID: "u", Organisation: lies, Unit: lies, Post: lies}}
	q := chain.Quote{Field: "stages.decision.rationale", By: liar, User: lies, Plain: lies, State: chain.Asserted}
	j := &chain.Judgement{Outcome: chain.OutsideAuthority, Actions: []chain.Verdict{{
		Code: chain.Unauthorized, Title: "This was not allowed", Outcome: chain.OutsideAuthority, Why: lies, Record: record.ID{1},
		Element: &onusv1.ScopeElement{Type: lies, Action: lies, Location: lies, Datatypes: []string{lies}, Amount: "1", Unit: lies, Recipient: lies},
		Answers: []chain.Answer{{Party: liar, First: true, Parts: []chain.Part{{Role: chain.Decided, State: chain.Verified}}}},
		Words:   []chain.Quote{q}, Claims: []chain.Quote{q},
		Findings: []chain.Finding{{Code: lies, Title: "A limit was exceeded", Severity: chain.High, Text: lies, Parties: []chain.Party{liar}}},
	}}}
	p := report.Of(j, func(q chain.Quote) (string, bool) { return q.Plain, true })
	var text, page bytes.Buffer
	if err := p.Text(&text); err != nil {
		t.Fatal(err)
	}
	if err := p.HTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(text.String(), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "GENUINE") && !strings.HasPrefix(line, "     ") {
			t.Errorf("a line of the report begins %q", line)
		}
	}
	for what, out := range map[string]string{"text": text.String(), "page": page.String()} {
		for _, r := range "✓☑\U0001F512\u202e\x1b\u2028\r" {
			if strings.ContainsRune(out, r) {
				t.Errorf("the %s holds %U", what, r)
			}
		}
	}
	if strings.Count(text.String(), "“") != 2 || strings.Count(text.String(), "”") != 2 {
		t.Errorf("the quotes do not end where they should:\n%s", text.String())
	}
	if strings.Contains(page.String(), "<script") || strings.Count(page.String(), "</q>") != 2 {
		t.Error("a record's text is part of the page")
	}
}

// Text of every script is shown as it is; marks are spelled out.
func TestQuotesAreLegible(t *testing.T) {
	for said, want := range map[string]string{
		"Straße, naïve, 北京, Ωmega":     "Straße, naïve, 北京, Ωmega",
		"€ 5,000 ± 1 — “fine”":         `€ 5,000 ± 1 — \u{201c}fine\u{201d}`,
		"ok ✓":                         `ok \u{2713}`,
		`c:\dir \u{2713}`:              `c:\u{5c}dir \u{5c}u{2713}`,
		"two\nlines":                   "two lines",
		"bad \xff byte":                `bad \u{fffd} byte`,
		strings.Repeat("x", 2005) + "": strings.Repeat("x", 2000) + "… [5 more bytes]",
	} {
		j := &chain.Judgement{Actions: []chain.Verdict{{Claims: []chain.Quote{{Plain: said}}}}}
		if got := report.Of(j, nil).Actions[0].Claims[0].Words; got != want {
			t.Errorf("%q is shown as %q, want %q", said, got, want)
		}
	}
}
