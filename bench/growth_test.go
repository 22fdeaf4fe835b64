package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
)

// Steps run in processes of their own: in a test, in the test's program.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "step" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A growth run of a small ledger of each shape, all steps in it, and a process
// that is killed.
func TestGrowth(t *testing.T) {
	out, dir := t.TempDir(), t.TempDir()
	o := growthOptions{sizes: []int64{3000}, shapes: []string{shapePlain, shapeReal}, submitters: 20}
	o.seconds, o.warm, o.dir, o.out = 0.3, 0.2, dir, out
	if err := o.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(out, "*-growth.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("results are in %v, %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var res growthResults
	if err := json.Unmarshal(raw, &res); err != nil {
		t.Fatal(err)
	}
	if len(res.Points) != 2 {
		t.Fatalf("there are %d points, want 2", len(res.Points))
	}
	for _, p := range res.Points {
		if w := p.Window; w.From < p.Size || w.Rate <= 0 || w.P99 < w.P50 || w.CPU <= 0 || w.Peak < w.Before || w.Before <= 0 || w.Written <= 0 || w.Disk < p.EntryBytes {
			t.Errorf("%s, %d: the window is %+v, of %d bytes", p.Shape, p.Size, w, p.EntryBytes)
		}
		if q := p.Proofs; q.Cold.Count != 2000 || q.Warm.Count == 0 || q.Warm.P50 <= 0 || q.Open <= 0 || q.Size != p.Window.To {
			t.Errorf("%s, %d: the proofs are %+v", p.Shape, p.Size, q)
		}
		if p.Hashes.Entries != p.Window.To || p.Audit.Entries != p.Window.To || p.Hashes.Bytes != p.Audit.Bytes || p.Hashes.Rate <= 0 {
			t.Errorf("%s, %d: verified %+v and %+v", p.Shape, p.Size, p.Hashes, p.Audit)
		}
		// What counts as logged is what the audit read, save the registry.
		if p.Audit.Bytes < p.EntryBytes {
			t.Errorf("%s, %d: the audit read %d bytes of entries, and %d were logged", p.Shape, p.Size, p.Audit.Bytes, p.EntryBytes)
		}
		if p.Killed.Size < p.KilledAt || p.KilledAt <= p.Window.To || p.Killed.First < p.Killed.Open {
			t.Errorf("%s, %d: killed at %d, opened again %+v", p.Shape, p.Size, p.KilledAt, p.Killed)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the run left %v, %v", left, err)
	}
	if page := res.markdown(); strings.Contains(page, "%!") || strings.Contains(page, "NaN") || strings.Contains(page, "no figure") {
		t.Errorf("the page is\n%s", page)
	}
}

func sampleGrowth() *growthResults {
	r := &growthResults{Submitters: 512}
	for _, shape := range []string{shapePlain, shapeReal} {
		for _, size := range []int64{100_000, 1_000_000} {
			p := growthPoint{Shape: shape, Size: size, Window: &windowFigures{outcome: outcome{Rate: 1000}}, Hashes: &verified{Rate: 1e5}}
			if size > 100_000 {
				p.Error, p.Hashes = "proofs: did not end", nil
			}
			r.Points = append(r.Points, p)
		}
	}
	return r
}

// Where a step failed the page says so, and has what there is.
func TestGrowthFailed(t *testing.T) {
	page := sampleGrowth().markdown()
	for _, want := range []string{"## What failed", "- real, 1,000,000 entries: proofs: did not end", "| 1kB | 1,000,000 | no figure |"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// Chains of the real shape are what they are said to be, as the ledger takes
// them: each instance counts without a gap and names its record before, parents
// and causes are in the log before, and all kinds of records are there.
func TestRealShape(t *testing.T) {
	o, err := createOnusLog(t.Context(), filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	w := newWorld(o)
	grants, err := w.setUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.settle(grants); err != nil {
		t.Fatal(err)
	}
	src := w.source(32)
	count, sequence, before, seen := map[string]int{}, map[string]int64{}, map[string]string{}, map[string]bool{}
	agents := map[string]int{}
	const n = 4000
	for i := 0; i < n; {
		subs := make([]ledger.Submission, 200)
		for k := range subs {
			d, err := src.next()
			if err != nil {
				t.Fatal(err)
			}
			if subs[k], err = d.sign(); err != nil {
				t.Fatal(err)
			}
		}
		for k, res := range o.ledger.SubmitBatch(t.Context(), subs) {
			i++
			if res.Err != nil {
				t.Fatalf("record %d: %v", i, res.Err)
			}
			r, err := record.Parse(subs[k].Envelope)
			if err != nil {
				t.Fatal(err)
			}
			m := r.Msg
			name := m.GetAuthor().GetAgent() + " " + m.GetAuthor().GetInstance()
			if agent := m.GetAuthor().GetAgent(); agent == "" {
				name = r.ID.String() // an operator does not count
			} else {
				agents[agent]++
			}
			if m.GetSequence() != sequence[name] || m.GetPrevious() != before[name] {
				t.Fatalf("%s: record %d after %q, want %d after %q", name, m.GetSequence(), m.GetPrevious(), sequence[name], before[name])
			}
			sequence[name], before[name] = m.GetSequence()+1, r.ID.String()
			for _, id := range append(m.GetCauses(), m.GetParent()) {
				if id != "" && !seen[id] {
					t.Fatalf("record %d rests on %s, which is not there", i, id)
				}
			}
			seen[r.ID.String()] = true
			switch {
			case m.GetOutcome() != nil:
				count["outcome"]++
			case m.GetDelegation() != nil:
				count["delegation"]++
			case m.GetTrigger() != nil:
				count["trigger"]++
			case m.GetStages().GetIntent() != nil:
				count["intent"]++
			}
			if m.GetGrant() != "" && m.GetStages().GetAction() != nil {
				count["action under a grant"]++
			}
			if m.GetUser() != "" {
				count["user"]++
			}
			if len(subs[k].Contents) > 0 {
				count["contents"]++
			}
			if e, err := o.ledger.Entry(res.Logged.Receipt.GetIndex()); err != nil {
				t.Fatal(err)
			} else if len(e.Raw) > largestEntry*105/100 {
				t.Errorf("an entry has %d bytes", len(e.Raw))
			} else if len(e.Stamp.Uses) > 0 {
				count["use of a limit"]++
			}
		}
	}
	for _, what := range []string{"outcome", "delegation", "trigger", "intent", "action under a grant", "user", "contents", "use of a limit"} {
		if count[what] == 0 {
			t.Errorf("no record has %s", what)
		}
	}
	most := 0
	for _, c := range agents {
		most = max(most, c)
	}
	if len(agents) < 50 || most < 5*n/len(agents) {
		t.Errorf("%d agents wrote, the busiest %d records of %d: that is not by Zipf's law", len(agents), most, n)
	}
	if err := o.audit(t.Context()); err != nil {
		t.Error(err)
	}
}

// A supply gives back what was signed, in the order of its chains.
func TestSupply(t *testing.T) {
	o, err := createOnusLog(t.Context(), filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	sup, err := writeSupply(t.Context(), t.TempDir(), plain{o}, 1500)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; ; n++ {
		sub, err := sup.take()
		if errors.Is(err, errSpent) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if n%100 == 0 {
			if _, err := o.ledger.Submit(t.Context(), sub); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n < 1500 {
		t.Errorf("the supply has %d records, want 1,500 at least", n)
	}
	if err := sup.remove(); err != nil {
		t.Error(err)
	}
}

// A step that fails or takes too long says so; what ends it is told apart.
func TestSpawn(t *testing.T) {
	var failed *stepError
	if _, err := spawn[filled](t.Context(), "fill", fillAsk{logAsk: logAsk{Dir: t.TempDir(), Seed: newSeed()}}, time.Minute); !errors.As(err, &failed) || !strings.Contains(err.Error(), "no ledger") {
		t.Errorf("a fill without a ledger: %v", err)
	}
	long := cell{System: "onus", Submitters: 1, Measured: 50 * time.Second, Dir: t.TempDir()}
	if _, err := spawn[outcome](t.Context(), "cell", long, 100*time.Millisecond); !errors.As(err, &failed) || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("a cell that takes too long: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := spawn[outcome](ctx, "cell", long, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("a cell that is cancelled: %v", err)
	}
}
