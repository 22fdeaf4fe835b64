package report_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/report"
)

// Every word of fixed meaning is explained at the end.
func TestWordsAreExplained(t *testing.T) {
	var b bytes.Buffer
	if err := report.Of(&chain.Judgement{Outcome: chain.NothingDone}, nil).Text(&b); err != nil {
		t.Fatal(err)
	}
	_, explained, _ := strings.Cut(b.String(), "WHAT THE WORDS MEAN\n")
	words := []string{"genuine"}
	for _, r := range []chain.Role{chain.Requested, chain.Interpreted, chain.Decided, chain.Executed, chain.Authorised, chain.Enabled, chain.ShouldHavePrevented} {
		words = append(words, string(r))
	}
	for _, r := range chain.Rules {
		words = append(words, string(r.Severity))
	}
	for _, s := range []chain.State{chain.Verified, chain.Attested, chain.Asserted, chain.Broken} {
		words = append(words, string(s))
	}
	for _, w := range words {
		if !strings.Contains("\n"+explained, "\n  "+w+" ") {
			t.Errorf("%q is not explained in\n%s", w, explained)
		}
	}
}

// The worst outcome does not stand before the number of all actions, as if it
// were that of each.
func TestOutcomeOfSeveral(t *testing.T) {
	both := []chain.Count{{Outcome: chain.OutsideAuthority, Actions: 1}, {Outcome: chain.WithinAuthority, Actions: 2}}
	for _, c := range []struct {
		outcome chain.Outcome
		counts  []chain.Count
		want    string
	}{
		{chain.OutsideAuthority, both, "OUTCOME: 3 actions: 1 outside authority, 2 within authority.\nWorst: outside authority.\n"},
		{chain.OutsideAuthority, both[:1], "OUTCOME: outside authority (1 action: 1 outside authority)\n"},
		{chain.NotJudgedHere, both[1:], "OUTCOME: not judged here (2 actions: 2 within authority)\n"},
		{chain.NothingDone, nil, "OUTCOME: nothing was done (no action)\n"},
	} {
		var b bytes.Buffer
		if err := report.Of(&chain.Judgement{Outcome: c.outcome, Counts: c.counts}, nil).Text(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), c.want) {
			t.Errorf("the report begins\n%.120s\nwant\n%s", b.String(), c.want)
		}
	}
}

// What a file holds adds up, and what it lacks is said of the file.
func TestReportSpeaksOfTheFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scenarios, "bundles", "*.onus"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".onus")
		p := report.Bundle(of(t, name), meta(name))
		for _, fact := range p.Facts {
			if fact.Name != "In the file" {
				continue
			}
			var all, chains, beside, registry, withheld, later int
			if _, err := fmt.Sscanf(fact.Value, "%d entries: %d of these chains, %d that they rest on, %d of the registry, %d withheld, %d that", &all, &chains, &beside, &registry, &withheld, &later); err != nil {
				t.Errorf("%s: %q: %v", name, fact.Value, err)
			}
			if sum := chains + beside + registry + withheld + later; sum != all || registry == 0 {
				t.Errorf("%s: the parts of %q add up to %d", name, fact.Value, sum)
			}
		}
		for _, a := range p.Actions {
			if said := a.Why + fmt.Sprint(a.Findings); strings.Contains(said, "not in the log") {
				t.Errorf("%s: of the log, the report says %s", name, said)
			}
		}
	}
}
