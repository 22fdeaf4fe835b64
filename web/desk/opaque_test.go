package desk

import (
	"slices"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// A record of a newer format is of its case, and what it says is not: the case
// is not clean, as it may be an action.
func TestNewerRecords(t *testing.T) {
	w := newWorld(t)
	g := w.log(platform, grantTo(byAgent("planner", ""), "prices:read"))
	top := w.log(byAgent("planner", "1"), decides)
	ok := w.log(byAgent("planner", "1"), under(top), underGrant(g), does("prices:read", ""))
	newer := w.log(byAgent("buyer", "1"), under(top), does("order:create", "https://shop.example.com/a", costs("9", "EUR")))
	below := w.log(byAgent("reader", "1"), under(newer), decides)
	byNobody := w.log(platform, trigger) // by no agent: nobody can see what it is
	alone := w.log(byAgent("reader", "2"), decides)
	w.mu.Lock()
	for _, r := range []int64{w.byID[alone.ID], w.byID[newer.ID], w.byID[byNobody.ID]} {
		w.entries[r].Opaque = chain.Newer
	}
	w.mu.Unlock()
	d, _ := running(t, "", w)
	c := mustCase(t, d, below)
	wantCase(t, c, top, 4, 1)
	if c.Outcome != chain.CannotBeTold || !slices.Contains(codesOf(c), "NOT_JUDGED") || c.Unjudged != "" || len(c.Amounts) > 0 || !slices.Equal(c.Operations, []string{"prices:read"}) ||
		!slices.Contains(c.Agents, agentID("buyer")) {
		t.Errorf("case %+v", c)
	}
	for _, r := range []*record.Record{ok, newer} {
		wantCase(t, mustCase(t, d, r), top, 4, 1)
	}
	c = mustCase(t, d, alone)
	wantCase(t, c, alone, 1, 0)
	if c.Outcome != chain.NotJudgedHere {
		t.Errorf("case %+v", c)
	}
	noCase(t, d, byNobody)
	if o := d.Overview(Period{}); o.Damage != 0 || o.Unjudged != 0 || o.Cases != 2 {
		t.Errorf("overview %+v", o)
	}
	if f, err := d.Find(Query{Open: true}, 10, ""); err != nil || f.Total != 2 {
		t.Errorf("%d open, %v", f.Total, err)
	}
}
