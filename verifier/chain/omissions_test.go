package chain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// What the whole log shows to be missing, and where it shows that nothing is.
func TestOmissions(t *testing.T) {
	gap := func(d *draft) { d.Sequence, d.Previous = 7, strings.Repeat("ef", 32) }
	for _, c := range []struct {
		name string
		log  func(w *world)
		want []string
	}{
		{"nothing", func(w *world) { planned(w); act(w, "A1") }, nil},
		{"a gap", func(w *world) { planned(w); act(w, "A1", gap) }, []string{"A1 SEQUENCE_GAP"}},
		{"a gap that was declared", func(w *world) {
			planned(w)
			act(w, "A1", gap)
			w.log("L1", agent("planner"), func(d *draft) {
				d.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: 2, LastSequence: 6}}
			})
		}, nil},
		{"a gap that another instance declared", func(w *world) {
			planned(w)
			act(w, "A1", gap)
			w.log("L1", instance("planner", "2"), func(d *draft) {
				d.Sequence, d.Previous = 7, strings.Repeat("ef", 32)
				d.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: 2, LastSequence: 6}}
			})
		}, []string{"A1 SEQUENCE_GAP"}},
		{"not closed", func(w *world) { planned(w); act(w, "A1"); w.later(time.Hour) }, []string{"P1 INSTANCE_NOT_CLOSED"}},
		{"taken over", func(w *world) {
			planned(w)
			act(w, "A1")
			last := w.named("A1").ID.String()
			w.log("N1", instance("planner", "2"), decides("go on"), func(d *draft) { d.Previous = last })
			w.later(time.Hour)
		}, nil},
		{"a delegate that did nothing", func(w *world) {
			planned(w)
			passed(w, gives("market-analyst", open(el("prices", "read"))))
			w.later(time.Hour)
			w.log("", agent("planner"), decides("wait"))
		}, []string{"G2 DELEGATE_SILENT"}},
		{"a delegate that has time left", func(w *world) { planned(w); passed(w, gives("market-analyst", open(el("prices", "read")))) }, nil},
		{"a delegate that acted, in another chain", func(w *world) {
			planned(w)
			passed(w, gives("market-analyst", open(el("prices", "read"))))
			w.log("X", agent("market-analyst"), grant("G2"), reads(), forUser("strategist"))
			w.later(time.Hour)
			w.log("", agent("planner"), decides("wait"))
		}, nil},
		{"an agent that was asked", func(w *world) {
			planned(w)
			act(w, "A1", asks("mail-courier"))
			w.later(time.Hour)
			w.log("", agent("planner"), decides("wait"))
		}, []string{"A1 DELEGATE_SILENT"}},
	} {
		w := newWorld(t)
		c.log(w)
		whole := chain.NewWholeLog()
		for _, e := range w.entries {
			whole.Add(e)
		}
		es := chainOf(w.entries, w.named("P1").ID)
		var got []string
		for _, f := range w.judgeEntries(es, chain.Hand{Source: chain.FromLog, Log: whole}).Evidence.Omissions {
			i := slices.IndexFunc(w.entries, func(e chain.Entry) bool { return e.Index == f.Index })
			got = append(got, w.call(w.entries[i].Record.ID)+" "+f.Code)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// What a user asks for, grants or approves counts from its own index on, though
// a link to it counts whatever the order of the log.
func TestLoggedAfterwards(t *testing.T) {
	w := newWorld(t)
	r, a := w.sign("I1", device("strategist"), intent("delete it", el("k8s.pod", "delete")), asks("planner"))
	w.log("A1", agent("planner"), parent("I1"), forUser("strategist"), does(el("k8s.pod", "delete")))
	w.admit("I1", r, a)
	v := verdictOf(t, w, w.judge("A1"), "A1")
	if v.Code != chain.Unauthorized || !has(v, "GRANT_MISSING") || has(v, "NO_USER_INTENT_AT_ROOT") {
		t.Errorf("A1 is %s\n%s", v.Code, w.read(w.judge("A1")))
	}
	w.log("A2", agent("planner"), parent("I1"), forUser("strategist"), does(el("k8s.pod", "delete")))
	if v := verdictOf(t, w, w.judge("A1"), "A2"); v.Code != chain.UserDirected {
		t.Errorf("A2 is %s: %s", v.Code, v.Why)
	}

	w = newWorld(t)
	g, a := w.sign("G1", device("strategist"), gives("planner", open(el("k8s.pod", "delete"))))
	w.log("I1", device("strategist"), intent("clear up"))
	w.log("A1", agent("planner"), parent("I1"), grant("G1"), forUser("strategist"), does(el("k8s.pod", "delete")))
	w.admit("G1", g, a)
	if v := verdictOf(t, w, w.judge("A1"), "A1"); v.Code != chain.Unauthorized || !has(v, "GRANT_MISSING") {
		t.Errorf("with a grant that was logged afterwards: %s", v.Why)
	}
}
