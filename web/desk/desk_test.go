package desk

import (
	"errors"
	"slices"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

func mustCase(t testing.TB, d *Desk, r *record.Record) *Case {
	t.Helper()
	caughtUp(t, d)
	c, err := d.Case(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func noCase(t testing.TB, d *Desk, r *record.Record) {
	t.Helper()
	caughtUp(t, d)
	if c, err := d.Case(r.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("case %+v, %v; want ErrNotFound", c, err)
	}
}

func codesOf(c *Case) []string {
	var all []string
	for _, f := range c.Findings {
		all = append(all, f.Code)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func wantCase(t testing.TB, c *Case, root *record.Record, records, actions int) {
	t.Helper()
	if c.Root != root.ID || c.Records != records || c.Actions != actions {
		t.Errorf("case of root %d (%s) has %d records and %d actions; want root %s, %d and %d", c.RootIndex, c.Root, c.Records, c.Actions, root.ID, records, actions)
	}
}

func TestCaseOfAParentAndItsChildren(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	p := byAgent("planner", "1")
	top := w.log(p, decides, func(m *onusv1.Record) { m.User, m.Session, m.Subjects = aUser, aSession, []string{aSubject} })
	act := w.log(byAgent("buyer", "1"), under(top), does("order:create", "https://shop.example.com/orders", costs("12.50", "EUR")), func(m *onusv1.Record) { m.User, m.Session = aUser, aSession })
	w.log(byAgent("buyer", "1"), under(act), outcome(onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	other := w.log(p, decides)
	c := mustCase(t, d, act)
	wantCase(t, c, top, 3, 1)
	if c.Outcome != chain.OutsideAuthority || c.User != aUser || c.Session != aSession || !slices.Equal(c.Subjects, []string{aSubject}) ||
		!slices.Equal(c.Agents, []string{agentID("buyer"), agentID("planner")}) || !slices.Equal(c.Operators, []string{"it/platform", "procurement"}) ||
		!slices.Equal(c.Amounts, []Amount{{"12.5", "EUR"}}) || !slices.Equal(c.Operations, []string{"order:create"}) {
		t.Errorf("case %+v", c)
	}
	if c.Title != "order:create at shop.example.com/orders" || c.Answers != "Acme, Procurement: Head of Procurement" {
		t.Errorf("title %q, answers %q", c.Title, c.Answers)
	}
	if len(c.Findings) == 0 || c.Findings[0].Severity != chain.High {
		t.Errorf("findings %+v", c.Findings)
	}
	for _, f := range c.Findings {
		if f.Kind == chain.Coverage || f.Who == "" || f.Time != w.entries[f.Index].LogTime {
			t.Errorf("finding %+v", f)
		}
	}
	c = mustCase(t, d, other)
	wantCase(t, c, other, 1, 0)
	if c.Outcome != chain.NothingDone {
		t.Errorf("outcome %q", c.Outcome)
	}
}

func TestWhatMakesNoCaseAlone(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	g := w.log(platform, grantTo(byAgent("planner", ""), "prices:read"))
	sub := w.log(byAgent("planner", "1"), under(g), underGrant(g), grantTo(byAgent("reader", ""), "prices:read"))
	rev := w.log(boss, reviews(g, "", onusv1.Disposition_DISPOSITION_INCIDENT))
	noCase(t, d, g)
	noCase(t, d, sub)
	noCase(t, d, rev)
	if f, err := d.Find(Query{}, 10, ""); err != nil || f.Total != 0 {
		t.Errorf("%+v, %v; want none", f, err)
	}
	// A record that makes a case below them makes them a part of it, and what
	// was said of them before counts.
	act := w.log(byAgent("reader", "1"), under(sub), underGrant(sub), does("prices:read", ""))
	for _, r := range []*record.Record{g, sub, act, rev} {
		wantCase(t, mustCase(t, d, r), g, 3, 1)
	}
	if r := mustCase(t, d, g).Review; r == nil || r.Disposition != onusv1.Disposition_DISPOSITION_INCIDENT {
		t.Errorf("review %+v", r)
	}
}

func TestChildrenBeforeParents(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	p := byAgent("planner", "1")
	var line []*record.Record
	for i := range 6 {
		if i == 0 {
			line = append(line, w.sign(p, decides))
		} else {
			line = append(line, w.sign(p, under(line[i-1]), does("prices:read", "")))
		}
	}
	for i, r := range slices.Backward(line) {
		w.admit(r)
		c := mustCase(t, d, line[5])
		wantCase(t, c, r, 6-i, min(6-i, 5))
		if has := slices.Contains(codesOf(c), "PARENT_NOT_IN_LOG"); has != (i > 0) {
			t.Errorf("after %d: findings %v", i, codesOf(c))
		}
	}
	if f, err := d.Find(Query{}, 10, ""); err != nil || f.Total != 1 {
		t.Errorf("%d cases, %v; want one", f.Total, err)
	}
}

// A cause that comes later is found then; and a review before its record.
func TestNamedBeforeTheyCome(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	late := w.sign(byAgent("reader", "1"), decides)
	r := w.log(byAgent("planner", "1"), decides, causedBy(late))
	if c := mustCase(t, d, r); !slices.Contains(codesOf(c), "CAUSE_NOT_IN_LOG") {
		t.Errorf("findings %v", codesOf(c))
	}
	w.log(boss, reviews(late, "", onusv1.Disposition_DISPOSITION_EXPLAINED))
	w.admit(late)
	if c := mustCase(t, d, r); slices.Contains(codesOf(c), "CAUSE_NOT_IN_LOG") {
		t.Errorf("findings %v", codesOf(c))
	}
	if c := mustCase(t, d, late); c.Review == nil || c.Records != 1 {
		t.Errorf("case %+v", c)
	}
}

func TestReviewsCloseAndOpen(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	act := w.log(byAgent("buyer", "1"), does("order:create", "https://shop.example.com/orders"))
	open := func() (n int) {
		caughtUp(t, d)
		for _, o := range d.Overview(Period{}).Open {
			if o.Severity == chain.High {
				n = o.Ages[0]
			}
		}
		f, err := d.Find(Query{Open: true}, 10, "")
		if err != nil || (f.Total == 1) != (n > 0 || mustCase(t, d, act).Review.Open()) {
			t.Errorf("%d high findings open, %d cases found, %v", n, f.Total, err)
		}
		return n
	}
	before := open()
	if before < 2 {
		t.Fatalf("%d open findings", before)
	}
	code := mustCase(t, d, act).Findings[0].Code
	w.log(boss, reviews(act, code, onusv1.Disposition_DISPOSITION_EXPLAINED))
	if n := open(); n != before-1 {
		t.Errorf("%d open after one was explained, of %d", n, before)
	}
	w.log(boss, reviews(act, code, onusv1.Disposition_DISPOSITION_ESCALATED))
	if n := open(); n != before {
		t.Errorf("%d open after it was escalated, of %d", n, before)
	}
	w.log(boss, reviews(act, "", onusv1.Disposition_DISPOSITION_INCIDENT))
	if n := open(); n != 1 { // the one that was escalated still is
		t.Errorf("%d open after the case was closed", n)
	}
	w.log(boss, reviews(act, code, onusv1.Disposition_DISPOSITION_FALSE_ALARM))
	if n := open(); n != 0 {
		t.Errorf("%d open at the end", n)
	}
	for q, want := range map[*Query]int{
		{Disposition: onusv1.Disposition_DISPOSITION_INCIDENT}: 1, {Disposition: onusv1.Disposition_DISPOSITION_FALSE_ALARM}: 1,
		{Disposition: onusv1.Disposition_DISPOSITION_ESCALATED}: 0, {Open: true}: 0,
	} {
		if f, err := d.Find(*q, 10, ""); err != nil || f.Total != want {
			t.Errorf("%+v: %d, %v; want %d", q, f.Total, err, want)
		}
	}
}

func TestRevocationAfterwards(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	old := w.log(byAgent("buyer", "1"), does("order:create", ""))
	w.later(time.Hour)
	since := w.now
	act := w.log(byAgent("buyer", "1"), does("order:create", ""))
	w.later(time.Minute)
	w.log(root, revokesAgent("buyer", since))
	if c := mustCase(t, d, act); !slices.Contains(codesOf(c), "SUSPECT_WINDOW") {
		t.Errorf("findings %v", codesOf(c))
	}
	if c := mustCase(t, d, old); slices.Contains(codesOf(c), "SUSPECT_WINDOW") {
		t.Errorf("findings %v", codesOf(c))
	}
}

func TestTimePasses(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	act := w.log(byAgent("buyer", "1"), does("order:create", ""))
	w.later(window)
	w.log(byAgent("planner", "1"), decides)
	c := mustCase(t, d, act)
	if slices.Contains(codesOf(c), "OUTCOME_MISSING") {
		t.Errorf("findings %v", codesOf(c))
	}
	judged := d.judged
	w.later(time.Millisecond)
	w.log(byAgent("planner", "1"), decides)
	if c = mustCase(t, d, act); !slices.Contains(codesOf(c), "OUTCOME_MISSING") {
		t.Errorf("findings %v", codesOf(c))
	}
	if n := d.judged - judged; n != 2 {
		t.Errorf("%d judgements, want 2: that which time changed, and the new one", n)
	}
}

// A request counts twice by a counter-record in another case.
func TestEffectInAnotherCase(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	p := byAgent("planner", "1")
	top := w.log(p, decides)
	other := w.log(byAgent("buyer", "1"), does("order:create", "https://shop.example.com/a", requestID("r-1")), causedBy(top))
	act := w.log(p, under(top), does("order:create", "https://shop.example.com/a", requestID("r-1")))
	severity := func() chain.Severity {
		for _, f := range mustCase(t, d, act).Findings {
			if f.Code == "DUPLICATE_EFFECT" {
				return f.Severity
			}
		}
		return ""
	}
	if s := severity(); s != chain.Info {
		t.Errorf("severity %q", s)
	}
	w.log(shop, under(act), counters(p, "order:create", "https://shop.example.com/a", "r-1", onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	w.log(shop, under(other), counters(byAgent("buyer", "1"), "order:create", "https://shop.example.com/a", "r-1", onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	if s := severity(); s != chain.High {
		t.Errorf("severity %q", s)
	}
	if c := mustCase(t, d, act); c.Records != 3 || c.Actions != 1 {
		t.Errorf("case %+v", c)
	}
}

// What a service saw and the agent did not record is expected of the agent.
func TestCoverage(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	b := byAgent("buyer", "1")
	const op, at = "order:create", "https://shop.example.com/orders"
	ok := onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	want := func(recorded, expected int) {
		t.Helper()
		caughtUp(t, d)
		for _, a := range d.Overview(Period{}).Agents {
			if a.Agent == b.Agent && (a.Recorded != recorded || a.Expected != expected) {
				t.Errorf("%d of %d, want %d of %d", a.Recorded, a.Expected, recorded, expected)
			}
		}
	}
	act := w.log(b, does(op, at, requestID("r-1")))
	want(0, 0) // its outcome may still come
	w.log(b, under(act), outcome(ok))
	want(1, 1)
	w.log(shop, under(act), counters(b, op, at, "r-1", ok))
	want(1, 1)
	w.log(shop, counters(b, op, at, "r-2", ok)) // not recorded by the agent
	want(1, 2)
	w.log(shop, counters(b, op, at, "r-3", onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED)) // did not happen
	want(1, 2)
	w.log(b, does(op, at, requestID("r-4")))
	w.later(window + time.Second)
	w.log(byAgent("planner", "1"), decides)
	want(1, 3)
	w.log(b, does(op, at), func(m *onusv1.Record) { m.Capture = onusv1.Capture_CAPTURE_IMPORT })
	want(1, 4)
}

func TestSilence(t *testing.T) {
	w := newWorld(t)
	d, _ := running(t, "", w)
	silent := func(name string) bool {
		caughtUp(t, d)
		i := slices.IndexFunc(d.Overview(Period{}).Agents, func(a AgentSummary) bool { return a.Agent == agentID(name) })
		return i >= 0 && d.Overview(Period{}).Agents[i].Silent
	}
	w.log(byAgent("reader", "1"), decides) // once: it did not use to
	for range 3 {
		w.log(byAgent("planner", "1"), decides)
		w.later(4 * time.Hour)
	}
	w.later(16 * time.Hour) // 20 h after its last
	w.log(byAgent("buyer", "1"), decides)
	w.later(4 * time.Hour)
	w.log(byAgent("buyer", "1"), decides) // 24 h, and five pauses are 20
	if silent("planner") {
		t.Error("silent after a day")
	}
	w.later(time.Second)
	w.log(byAgent("buyer", "1"), decides)
	if !silent("planner") || silent("reader") || silent("buyer") {
		t.Errorf("planner %t, reader %t, buyer %t", silent("planner"), silent("reader"), silent("buyer"))
	}
	w.log(root, revokesAgent("planner", time.Time{}))
	if silent("planner") {
		t.Error("a revoked agent is waited for")
	}
	w.log(byAgent("planner", "1"), decides)
	w.later(30 * time.Hour) // its longest pause was a day
	w.log(byAgent("buyer", "1"), decides)
	if silent("planner") {
		t.Error("silent after a day and a half, where it paused for a day before")
	}
}

func TestTooLarge(t *testing.T) {
	w := newWorld(t)
	w.limit = 5
	d, _ := running(t, "", w)
	top := w.log(byAgent("planner", "1"), decides)
	for range 9 {
		w.log(byAgent("planner", "1"), under(top), does("prices:read", ""))
	}
	c := mustCase(t, d, top)
	wantCase(t, c, top, 10, 9)
	if !c.TooLarge || c.Outcome != "" || len(c.Counts) > 0 {
		t.Errorf("case %+v", c)
	}
	if f, err := d.Find(Query{Open: true}, 10, ""); err != nil || f.Total != 1 || len(f.Counts) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestEntriesThatAreNotShown(t *testing.T) {
	w := newWorld(t)
	top := w.log(byAgent("planner", "1"), decides)
	act := w.log(byAgent("planner", "1"), under(top), does("prices:read", ""))
	w.hidden[w.byID[top.ID]] = true
	d, _ := running(t, "", w)
	wantCase(t, mustCase(t, d, act), act, 1, 1)
	noCase(t, d, top)
}
