package desk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// scenario is the whole log of a scenario, out of its evidence file.
func scenario(t *testing.T, name string) (w *world, asked record.ID) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "verifier", "chain", "testdata", "bundles", name+".onus"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := evidence.Read(f, evidence.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	w = emptyWorld(t)
	w.origin = b.Origin()
	for i, l := range b.Leaves {
		e, err := entry.Parse(l.Raw)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		r, err := record.Parse(e.Envelope)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if err := w.fold(l.Raw, chain.Entry{Index: l.Index, LogTime: e.Stamp.LogTime, Record: r, Stamp: &e.Stamp}); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	return w, b.Scope.Asked[0]
}

// Of S4 the desk says what the scenario is about: what was not allowed, who
// answers first, and how much each agent recorded.
func TestS4(t *testing.T) {
	w, asked := scenario(t, "S4")
	d, _ := running(t, "", w)
	caughtUp(t, d)
	c, err := d.Case(asked)
	if err != nil {
		t.Fatal(err)
	}
	j, err := w.Judge(asked)
	if err != nil {
		t.Fatal(err)
	}
	if c.Outcome != chain.OutsideAuthority || c.Outcome != j.Judgement.Outcome {
		t.Errorf("outcome %q, want %q", c.Outcome, j.Judgement.Outcome)
	}
	if !strings.Contains(c.Answers, "Head of") {
		t.Errorf("answers %q", c.Answers)
	}
	// One action of its chain is at home in another case, which this one caused.
	o := d.Overview(Period{})
	if c.Actions != 2 || o.Actions != 3 || len(j.Judgement.Actions) != 3 {
		t.Errorf("%d actions, %d in all cases, %d in the chain", c.Actions, o.Actions, len(j.Judgement.Actions))
	}
	want := func(all map[string][2]int) {
		t.Helper()
		caughtUp(t, d)
		for _, a := range d.Overview(Period{}).Agents {
			if got := [2]int{a.Recorded, a.Expected}; got != all[a.Name] {
				t.Errorf("%s recorded %d of %d, want %v", a.Name, a.Recorded, a.Expected, all[a.Name])
			}
		}
	}
	// Two of the three have no outcome yet. It is missing once time has passed.
	want(map[string][2]int{"market analyst": {1, 1}})
	w.now = time.UnixMilli(w.entries[len(w.entries)-1].LogTime).Add(16 * time.Minute)
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: "new", Organisation: "Acme", Unit: "New", AccountablePost: "Head"}}})
	want(map[string][2]int{"market analyst": {1, 1}, "contract reader": {0, 1}, "mail courier": {0, 1}})
}

// Every scenario is one case or more, as its judgement has it.
func TestScenarios(t *testing.T) {
	all, err := filepath.Glob(filepath.Join("..", "..", "verifier", "chain", "testdata", "bundles", "*.onus"))
	if err != nil || len(all) == 0 {
		t.Fatalf("%d scenarios, %v", len(all), err)
	}
	for _, file := range all {
		name := strings.TrimSuffix(filepath.Base(file), ".onus")
		w, asked := scenario(t, name)
		d, stop := running(t, "", w)
		caughtUp(t, d)
		c, err := d.Case(asked)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := d.asNaive(t)[c.Root], w.naive()[c.Root]; got.Outcome != want.Outcome || got.Records != want.Records || strings.Join(got.Findings, ",") != strings.Join(want.Findings, ",") {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		stop()
	}
}
