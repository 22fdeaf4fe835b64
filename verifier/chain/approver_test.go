package chain_test

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// On an operator's authority "the user" who must approve is one who is shown to
// have asked for the work, and not whomever the agent names.
func TestApproverAsked(t *testing.T) {
	order := el("order", "create", eur("60"))
	for _, c := range []struct {
		name string
		log  func(w *world) // up to the intent I1
		want chain.Code
	}{
		{"a user whom the agent names", func(w *world) { w.log("I1", agent("planner"), intent("buy it"), forUser("other")) }, chain.Unauthorized},
		{"a user whose token the agent has: a session, not a request", func(w *world) {
			w.log("I1", agent("planner"), intent("buy it"), forUser("other"), token("x", 1))
		}, chain.Unauthorized},
		{"another user asked, by the own key", func(w *world) { w.log("I1", device("strategist"), intent("buy it"), asks("planner")) }, chain.Unauthorized},
		{"a trigger, and no user", func(w *world) { w.log("I1", operator("pricing"), trigger("nightly")) }, chain.Unauthorized},
		{"the user asked, by the own key", func(w *world) { w.log("I1", device("other"), intent("buy it"), asks("planner")) }, chain.OwnAuthority},
		{"the user asked, through a client", func(w *world) {
			w.log("I1", chat(), intent("buy it"), forUser("other"), token("chat-web", 1), asks("planner"))
		}, chain.OwnAuthority},
		{"through a client whose token was not checked", func(w *world) {
			w.log("I1", chat(), intent("buy it"), forUser("other"), token("chat-web", 0), asks("planner"))
		}, chain.Unauthorized},
		{"the user's token holds it", func(w *world) {
			w.log("I1", agent("planner"), intent("buy it", order), forUser("other"), token("x", 2))
		}, chain.OwnAuthority},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.log("G", operator("pricing"), gives("planner", open(el("order", "create"))), func(d *draft) {
				d.GetDelegation().Approvals = []*onusv1.ApprovalRule{{Above: "50", Unit: "EUR", Operations: []string{"order:create"}}}
			})
			c.log(w)
			w.log("D1", agent("planner"), parent("I1"), grant("G"), own, forUser("other"), proposes(order))
			w.log("OK", device("other"), approves("D1"))
			w.log("A1", agent("planner"), parent("D1"), grant("G"), own, forUser("other"), does(order, w.approvedBy("OK")))
			v := verdictOf(t, w, w.judge("A1"), "A1")
			if v.Code != c.want || has(v, "APPROVAL_MISSING") != (c.want == chain.Unauthorized) {
				t.Errorf("%s, want %s: %s\n%s", v.Code, c.want, v.Why, w.read(w.judge("A1")))
			}
		})
	}
}

// Who asked only after the approval, had not asked when it was given.
func TestApproverAskedLater(t *testing.T) {
	w := newWorld(t)
	order := el("order", "create", eur("60"))
	w.log("G", operator("pricing"), gives("planner", open(el("order", "create"))), func(d *draft) {
		d.GetDelegation().Approvals = []*onusv1.ApprovalRule{{Operations: []string{"*"}}}
	})
	asked, assurance := w.sign("I1", device("other"), intent("buy it"), asks("planner"))
	w.log("D1", agent("planner"), parent("I1"), grant("G"), own, forUser("other"), proposes(order))
	w.log("OK", device("other"), approves("D1"))
	w.admit("I1", asked, assurance)
	w.log("A1", agent("planner"), parent("D1"), grant("G"), own, forUser("other"), does(order, w.approvedBy("OK")))
	if v := verdictOf(t, w, w.judge("A1"), "A1"); !has(v, "APPROVAL_MISSING") {
		t.Errorf("%s: %s", v.Code, v.Why)
	}
}
