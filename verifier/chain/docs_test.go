package chain_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
)

// docs/attribution.md is the specification that users read: its tables are
// those of the code.
func TestDocs(t *testing.T) {
	raw, err := os.ReadFile("../../docs/attribution.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(raw)
	rows := map[string]bool{}
	for l := range strings.Lines(docs) {
		rows[strings.TrimSpace(l)] = true
	}
	codes := map[string]bool{}
	for _, r := range chain.Rules {
		codes[r.Code] = true
		if row := ruleRow(r); !rows[row] {
			t.Errorf("docs/attribution.md lacks the row\n%s", row)
		}
	}
	number := 0
	for _, v := range chain.Verdicts {
		row := "–" // it says what is not known here, and is no row of its own
		if v.Code != chain.NotJudged {
			number++
			row = fmt.Sprint(number)
		}
		begins := fmt.Sprintf("| %s | %s | %s | %s |", row, v.Code, v.Title, v.Outcome)
		found := false
		for l := range rows {
			found = found || strings.HasPrefix(l, begins)
		}
		if !found {
			t.Errorf("docs/attribution.md lacks a row that begins\n%s", begins)
		}
	}
	if want := fmt.Sprintf("rule version %d", chain.RuleVersion); !strings.Contains(docs, want) {
		t.Errorf("docs/attribution.md does not say %q", want)
	}
	for l := range rows {
		f := strings.Split(l, "|")
		if len(f) != 9 {
			continue
		}
		if code := strings.TrimSpace(f[1]); len(code) > 1 && code != "Finding" && !strings.HasPrefix(code, "---") && !strings.HasPrefix(code, "–") && !codes[code] {
			t.Errorf("docs/attribution.md has a row for %q, which is no finding", code)
		}
	}
}

func ruleRow(r chain.Rule) string {
	forces := string(r.Forces)
	if forces == "" {
		forces = "–"
	}
	who := string(r.Who)
	if r.Pending {
		who += " (pending)"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |", r.Code, r.Severity, forces, r.Kind, r.Needs, r.Title, who)
}
