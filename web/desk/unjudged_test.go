package desk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// spoil has an entry fail to be read, or with nil read again.
func (w *world) spoil(r *record.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if delete(w.spoilt, w.byID[r.ID]); err != nil {
		w.spoilt[w.byID[r.ID]] = err
	}
}

// ill is a log that cannot judge some chains.
type ill struct {
	*world
	mu  sync.Mutex
	bad map[record.ID]error
}

func (l *ill) Judge(id record.ID) (*Judged, error) {
	l.mu.Lock()
	err := l.bad[id]
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.world.Judge(id)
}

func (l *ill) set(r *record.Record, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad[r.ID] = err
}

func wantUnjudged(t testing.TB, c *Case, o chain.Outcome, reason string) {
	t.Helper()
	broken := len(c.Findings) > 0 && c.Findings[0].Code == brokenEntry && c.Findings[0].Severity == chain.Critical && c.Findings[0].Record == c.Root && c.Findings[0].Who == "the host of the log"
	if c.Outcome != o || !strings.Contains(c.Unjudged, reason) || len(c.Counts) > 0 || c.TooLarge || broken != (o == chain.EvidenceBroken) || c.Title == "" || c.First == 0 {
		t.Errorf("case %+v; want %q because of %q", c, o, reason)
	}
}

// A damaged entry spoils the cases it is in, which say so, and no other.
func TestDamagedEntry(t *testing.T) {
	w := newWorld(t)
	top := w.log(byAgent("planner", "1"), decides)
	act := w.log(byAgent("buyer", "1"), under(top), does("order:create", "https://shop.example.com/a"))
	end := w.log(byAgent("buyer", "1"), under(act), outcome(onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	w.log(boss, reviews(act, "", onusv1.Disposition_DISPOSITION_EXPLAINED))
	alone := w.log(byAgent("reader", "1"), does("prices:read", ""))
	w.spoil(act, fmt.Errorf("a bad sector: %w", ErrDamaged))
	dir := filepath.Join(t.TempDir(), "desk")
	d, stop := running(t, dir, w)
	check := func() {
		t.Helper()
		wantUnjudged(t, mustCase(t, d, top), chain.EvidenceBroken, "bad sector")
		c := mustCase(t, d, end) // nobody knows any more that it is below the other
		wantCase(t, c, end, 1, 0)
		wantUnjudged(t, c, chain.EvidenceBroken, "bad sector")
		if c := mustCase(t, d, alone); c.Outcome != chain.OutsideAuthority || c.Unjudged != "" {
			t.Errorf("case %+v", c)
		}
		o := d.Overview(Period{})
		if want := []Damaged{{w.byID[act.ID], "a bad sector: the log is damaged"}}; o.Damage != 1 || !slices.Equal(o.Damaged, want) || o.Unjudged != 2 || o.Cases != 3 {
			t.Errorf("overview %+v", o)
		}
		if len(o.Open) == 0 || o.Open[0].Severity != chain.Critical || o.Open[0].Ages != [4]int{2} || len(o.Outcomes) != 2 || o.Outcomes[0] != (chain.Count{Outcome: chain.EvidenceBroken, Actions: 2}) {
			t.Errorf("open %+v, outcomes %+v", o.Open, o.Outcomes)
		}
		for q, want := range map[*Query]int{{Outcome: chain.EvidenceBroken}: 2, {Severity: chain.Critical, Open: true}: 2, {Agent: agentID("planner")}: 1, {}: 3} {
			if f, err := d.Find(*q, 10, ""); err != nil || f.Total != want {
				t.Errorf("%+v: %d, %v; want %d", q, f.Total, err, want)
			}
		}
		if f, err := d.Find(Query{Words: []string{act.ID.String()}}, 10, ""); err != nil || f.Total != 0 {
			t.Errorf("the damaged one: %d, %v", f.Total, err)
		}
	}
	check()
	stop()
	d, stop = running(t, dir, w)
	check()
	stop()
	w.spoil(act, nil) // the log was restored
	d, stop = running(t, dir, w)
	caughtUp(t, d)
	if diff := gocmp.Diff(w.naive(), d.asNaive(t)); diff != "" || d.Overview(Period{}).Damage != 0 {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	stop()
}

// What becomes damaged when it was taken in shows when its case is judged again;
// what was found stays.
func TestDamagedLater(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	act := w.log(byAgent("buyer", "1"), does("order:create", "https://shop.example.com/a"))
	was := mustCase(t, d, act)
	w.spoil(act, fmt.Errorf("a bad sector: %w", ErrDamaged))
	w.log(byAgent("buyer", "1"), under(act), outcome(onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	c := mustCase(t, d, act)
	wantCase(t, c, act, 2, 1)
	wantUnjudged(t, c, chain.EvidenceBroken, "bad sector")
	if !slices.Contains(codesOf(c), "GRANT_MISSING") || len(c.Findings) != len(was.Findings)+1 || c.Title != was.Title {
		t.Errorf("case %+v, was %+v", c, was)
	}
	w.spoil(act, nil)
	w.log(byAgent("planner", "1"), decides) // something else: the case is tried again
	if c := mustCase(t, d, act); c.Outcome != was.Outcome || c.Unjudged != "" || slices.Contains(codesOf(c), brokenEntry) || c.Records != 2 {
		t.Errorf("case %+v", c)
	}
}

// An entry that is another record than the log has under its id is damaged,
// before it was taken in and after.
func TestChangedEntry(t *testing.T) {
	w := newWorld(t)
	top := w.log(byAgent("planner", "1"), decides)
	act := w.log(byAgent("planner", "1"), under(top), does("prices:read", ""))
	at := w.byID[act.ID]
	before, stop := running(t, "", w)
	if c := mustCase(t, before, top); c.Unjudged != "" {
		t.Errorf("case %+v", c)
	}
	other := w.sign(byAgent("planner", "2"), under(top), does("order:create", ""))
	w.mu.Lock()
	w.entries[at].Record = other
	w.mu.Unlock()
	w.log(byAgent("planner", "3"), under(top), decides)
	wantUnjudged(t, mustCase(t, before, top), chain.EvidenceBroken, "another one")
	stop()
	d, _ := running(t, "", w)
	wantUnjudged(t, mustCase(t, d, top), chain.EvidenceBroken, "could not be taken in")
	if o := d.Overview(Period{}); o.Damage != 1 || o.Damaged[0].Index != at || !strings.Contains(o.Damaged[0].Reason, "finds nothing") {
		t.Errorf("overview %+v", o)
	}
}

// A chain that cannot be judged says why, by what the reason tells, and is tried
// again if it may be judged another time.
func TestChainsThatCannotBeJudged(t *testing.T) {
	for _, c := range []struct {
		err     error
		outcome chain.Outcome
		again   bool
	}{
		{fmt.Errorf("entry 7: %w", ErrDamaged), chain.EvidenceBroken, true},
		{fmt.Errorf("record 7: %w", ErrNotFound), chain.EvidenceBroken, true},
		{fmt.Errorf("entry 7: %w", ErrNotShown), chain.NotJudgedHere, false},
		{errors.New("too many open files"), chain.NotJudgedHere, true},
		{errors.New(strings.Repeat("long \xff", 1000)), chain.NotJudgedHere, true},
	} {
		w := newWorld(t)
		l := &ill{world: w, bad: map[record.ID]error{}}
		act := w.log(byAgent("buyer", "1"), does("order:create", "https://shop.example.com/a"))
		l.set(act, c.err)
		other := w.log(byAgent("reader", "1"), decides)
		dir := t.TempDir()
		d, stop := running(t, dir, l)
		wantUnjudged(t, mustCase(t, d, act), c.outcome, reasonOf(c.err))
		if len(reasonOf(c.err)) > 2*maxReason {
			t.Errorf("a reason of %d bytes", len(reasonOf(c.err)))
		}
		if k := mustCase(t, d, other); k.Unjudged != "" || k.Outcome != chain.NothingDone {
			t.Errorf("%v: another case: %+v", c.err, k)
		}
		judged := d.judged
		w.log(byAgent("reader", "2"), decides)
		caughtUp(t, d)
		if again := d.judged - judged; again != map[bool]int{true: 2, false: 1}[c.again] {
			t.Errorf("%v: %d judgements after another record", c.err, again)
		}
		stop()
		l.set(act, nil)
		if d, stop = running(t, dir, l); c.again { // at once, with nothing new
			for mustCase(t, d, act).Unjudged != "" {
				d.mu.RLock()
				changed := d.changed
				d.mu.RUnlock()
				if mustCase(t, d, act).Unjudged != "" {
					<-changed
				}
			}
		}
		stop()
		if k := mustCase(t, d, act); (k.Outcome == chain.OutsideAuthority) != c.again {
			t.Errorf("%v: judged again: %+v", c.err, k)
		}
	}
}

// However much of a log is damaged, all else is told, and told again the same.
func TestDamagedAnywhere(t *testing.T) {
	for s := range uint64(4) {
		g := &gamble{world: newWorld(t), rng: rand.New(rand.NewPCG(s, 1))}
		for range 200 {
			g.step()
		}
		n := 0
		for _, e := range g.entries[1:] {
			if g.one(8) {
				n++
				g.spoil(e.Record, pick(g.rng, []error{ErrDamaged, ErrNotFound, errors.New("i/o error")}))
			}
		}
		dir := t.TempDir()
		d, stop := running(t, dir, g.world)
		caughtUp(t, d)
		if o := d.Overview(Period{}); o.Damage != n || len(o.Damaged) != min(n, maxDamaged) || o.Unjudged == 0 {
			t.Errorf("%d damaged, %d told, %d cases not judged; want %d damaged", o.Damage, len(o.Damaged), o.Unjudged, n)
		}
		for _, e := range g.entries {
			if _, err := d.Case(e.Record.ID); makesCase(e) && g.spoilt[e.Index] == nil && err != nil {
				t.Errorf("entry %d: %v", e.Index, err)
			}
		}
		was := d.answers(t, g.world)
		stop()
		again, stop := running(t, dir, g.world)
		caughtUp(t, again)
		if diff := gocmp.Diff(was, again.answers(t, g.world)); diff != "" {
			t.Errorf("seed %d: opened again (-was +now):\n%s", s, diff)
		}
		stop()
	}
}
