package desk

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

var (
	seeds = flag.Uint64("seeds", 6, "random logs of the model test")
	seed  = flag.Uint64("seed", 0, "the one random log to try, plus one; 0: -seeds of them")
)

// naive is what a case says, told from the whole log at once, without any of the
// desk's code.
type naive struct {
	Root             string
	Records, Actions int
	First, Last      int64
	Outcome          chain.Outcome
	Findings         []string
	Review           string
}

func (w *world) naive() map[record.ID]naive {
	top := map[record.ID]record.ID{}
	made := map[record.ID]bool{}
	attached := map[record.ID]record.ID{}
	for _, e := range w.entries {
		m := e.Record.Msg
		var target string
		switch b := m.GetBody().(type) {
		case *onusv1.Record_Approval:
			target = b.Approval.GetProposal()
		case *onusv1.Record_Denial:
			target = b.Denial.GetProposal()
		case *onusv1.Record_Review:
			target = b.Review.GetRecord()
		}
		if target != "" {
			attached[e.Record.ID] = linkOf(target)
			continue
		}
		at := e
		for at.Record.Msg.GetParent() != "" {
			i, ok := w.byID[linkOf(at.Record.Msg.GetParent())]
			if !ok {
				break
			}
			at = w.entries[i]
		}
		id := at.Record.ID
		top[e.Record.ID] = id
		switch m.GetBody().(type) {
		case *onusv1.Record_Stages, *onusv1.Record_Outcome, *onusv1.Record_Trigger, *onusv1.Record_Loss, *onusv1.Record_Counter:
			made[id] = true
		}
	}
	caseOf := func(e chain.Entry) (record.ID, bool) {
		id := e.Record.ID
		for attached[id] != (record.ID{}) {
			id = attached[id]
		}
		r, ok := top[id]
		return r, ok && made[r]
	}
	out := map[record.ID]naive{}
	for id := range made {
		out[id] = naive{Root: id.String(), First: 1 << 60}
	}
	newest := map[record.ID]map[string]string{}
	for _, e := range w.entries {
		id, ok := caseOf(e)
		if !ok {
			continue
		}
		if v := e.Record.Msg.GetReview(); v != nil {
			if newest[id] == nil {
				newest[id] = map[string]string{}
			}
			key := ""
			if v.GetFinding() != "" {
				key = v.GetFinding() + v.GetRecord()
			}
			newest[id][key] = v.GetDisposition().String()
			continue
		}
		n := out[id]
		n.Records++
		n.First, n.Last = min(n.First, e.LogTime), max(n.Last, e.LogTime)
		if e.Record.Msg.GetStages().GetAction() != nil {
			n.Actions++
		}
		out[id] = n
	}
	for id, n := range out {
		j, err := w.Judge(id)
		if err != nil {
			w.t.Fatal(err)
		}
		mine := func(index int64) bool {
			return top[w.entries[index].Record.ID] == id && attached[w.entries[index].Record.ID] == record.ID{}
		}
		n.Outcome = chain.NothingDone
		worst := len(chain.Outcomes())
		var fs []chain.Finding
		for _, f := range j.Judgement.Findings {
			if mine(f.Index) {
				fs = append(fs, f)
			}
		}
		for _, v := range j.Judgement.Actions {
			if mine(v.Index) {
				fs = append(fs, v.Findings...)
				if i := slices.Index(chain.Outcomes(), v.Outcome); i < worst {
					worst, n.Outcome = i, v.Outcome
				}
			}
		}
		for _, f := range fs {
			if f.Kind == chain.Coverage {
				continue
			}
			about := w.entries[f.Index].Record.ID.String()
			n.Findings = append(n.Findings, fmt.Sprintf("%s %s %d %s", f.Code, f.Severity, f.Index, cmp.Or(newest[id][f.Code+about], newest[id][""])))
		}
		slices.Sort(n.Findings)
		n.Review = newest[id][""]
		out[id] = n
	}
	return out
}

func (d *Desk) asNaive(t *testing.T) map[record.ID]naive {
	out := map[record.ID]naive{}
	for cursor := ""; ; {
		f, err := d.Find(Query{Order: Oldest}, 7, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Cases {
			n := naive{Root: c.Root.String(), Records: c.Records, Actions: c.Actions, First: c.First, Last: c.Last, Outcome: c.Outcome}
			word := func(r *Review) string {
				if r == nil {
					return ""
				}
				return r.Disposition.String()
			}
			for _, f := range c.Findings {
				n.Findings = append(n.Findings, fmt.Sprintf("%s %s %d %s", f.Code, f.Severity, f.Index, word(f.Review)))
			}
			slices.Sort(n.Findings)
			n.Review = word(c.Review)
			if _, twice := out[c.Root]; twice {
				t.Fatalf("case %s is on two pages", c.Root)
			}
			out[c.Root] = n
		}
		if cursor = f.Next; cursor == "" {
			if f.Total != len(out) {
				t.Fatalf("%d cases on all pages, of %d", len(out), f.Total)
			}
			return out
		}
	}
}

// answers are what the desk says of everything, for comparison.
func (d *Desk) answers(t *testing.T, w *world) map[string]any {
	all := map[string]any{}
	for _, e := range w.entries {
		if c, err := d.Case(e.Record.ID); err == nil {
			c.AsOf = 0 // it may have been judged as of a later size
			all["case of "+strconv.FormatInt(e.Index, 10)] = c
		}
	}
	day := Period{From: nine.Add(2 * time.Hour).UnixMilli(), To: nine.Add(6 * time.Hour).UnixMilli()}
	for _, p := range []Period{{}, day} {
		all[fmt.Sprint("overview ", p)] = d.Overview(p)
		all[fmt.Sprint("parties ", p)] = []Party{d.Agent(agentID("buyer"), p), d.Operator("it/platform", p), d.User(aUser, p), d.Subject(aSubject, p)}
	}
	return all
}

// The desk says the same whether it was there all the time, was stopped and
// opened again, or reads the log at once; and what it says of each case is what
// the engine says of the whole log.
func TestModel(t *testing.T) {
	for s := range *seeds {
		if *seed > 0 {
			s = *seed - 1
		}
		t.Run(fmt.Sprint(s), func(t *testing.T) { model(t, s) })
		if *seed > 0 {
			return
		}
	}
}

func model(t *testing.T, s uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("replay with: go test ./web/desk -run TestModel -seed %d", s+1)
		}
	}()
	g := &gamble{world: newWorld(t), rng: rand.New(rand.NewPCG(s, 0))}
	dir := t.TempDir()
	d, stop := running(t, dir, g.world)
	for i := range 260 {
		g.step()
		switch g.rng.IntN(30) {
		case 0, 1, 2:
			caughtUp(t, d)
		case 3:
			stop() // at a time when it may be in the middle of something
			d, stop = running(t, dir, g.world)
		}
		if i%65 == 64 {
			caughtUp(t, d)
			if diff := gocmp.Diff(g.naive(), d.asNaive(t)); diff != "" {
				t.Fatalf("after %d entries (-want +got):\n%s", len(g.entries), diff)
			}
		}
	}
	caughtUp(t, d)
	was := d.answers(t, g.world)
	stop()
	again, err := Open(dir, g.world) // without running: what was written
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(was, again.answers(t, g.world)); diff != "" {
		t.Errorf("opened again (-was +now):\n%s", diff)
	}
	if again.judged != 0 {
		t.Errorf("%d judgements at opening", again.judged)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	anew, _ := running(t, "", g.world)
	caughtUp(t, anew)
	if diff := gocmp.Diff(was, anew.answers(t, g.world)); diff != "" {
		t.Errorf("from the log at once (-was +now):\n%s", diff)
	}
}
