package authority_test

import (
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// S2: an agent may read what its user must not, if its operator gave it that
// and it says so.
func TestCapabilityGap(t *testing.T) {
	l := newLog(t, nil)
	g0 := l.add(operator(acme), gives(grantTo("analyst",
		open(el("campaign", "read", data("all marketing data", "customer rows"))), open(el("audit-log", "read")), open(el("report", "send")))))
	names := map[record.ID]string{g0.ID: "G0"}
	a1 := l.add(agent("analyst"), does(g0, el("campaign", "read", data("all marketing data")), own, forUser("lead")))
	a4 := l.add(agent("analyst"), does(g0, el("report", "send", data("findings"), to(user("lead"))), own, forUser("lead")))
	silent := l.add(agent("analyst"), does(g0, el("campaign", "read", data("all marketing data")), delegated, forUser("lead")))
	l.want(a1, names, "OWN_AUTHORITY_USED G0")
	l.want(a4, names, "OWN_AUTHORITY_USED G0")
	l.want(silent, names, "OWN_AUTHORITY_UNDECLARED G0")
	// Without a user there is no gap (S5).
	l.want(l.add(agent("analyst"), does(g0, el("audit-log", "read"), own)), names)

	// The user's own grant, in the token, does not cover it; the operator's does.
	g1 := l.addWith(agent("analyst"), with(gives(grantTo("analyst", open(el("campaign", "read", data("own campaigns"))))), forUser("lead"), token("analyst")), 2)
	names[g1.ID] = "G1"
	l.want(g1, names)
	l.want(l.add(agent("analyst"), does(g1, el("campaign", "read", data("own campaigns")), delegated, forUser("lead"))), names)
	l.want(l.add(agent("analyst"), does(g1, el("campaign", "read", data("customer rows")), delegated, forUser("lead"))), names, "OWN_AUTHORITY_UNDECLARED G0")
	l.want(l.add(agent("analyst"), does(g1, el("payroll", "read", data("salaries")), delegated, forUser("lead"))), names, "OUTSIDE_DELEGATED_SCOPE G1")
	// An own grant that was ended covers nothing.
	l.add(operator(acme), revokes(theGrant(g0)))
	l.want(l.add(agent("analyst"), does(g1, el("campaign", "read", data("customer rows")), delegated, forUser("lead"))), names, "OUTSIDE_DELEGATED_SCOPE G1")
	l.check()
}

func order(total, items string, edit ...func(*onusv1.ScopeElement)) *onusv1.ScopeElement {
	return el("hardware-order", "create", append(edit, amount(total, "EUR"), quantity(items))...)
}

// purchase is S3 up to the order.
func purchase(t *testing.T, g2 *onusv1.Grant) (l *testLog, g1, child *record.Record, names map[record.ID]string) {
	l = newLog(t, nil)
	g0 := l.add(operator(acme), gives(grantTo("planner", open(el("finance", "read")))))
	g1 = l.add(device("lead"), gives(until(depth(grantTo("planner", open(el("inventory", "read")), open(el("supplier", "read")),
		may(el("hardware-order", "create"), "5000", "50000")), 2), start.Add(30*24*time.Hour))))
	child = l.add(agent("planner"), passes(g1, g2))
	names = map[record.ID]string{g0.ID: "G0", g1.ID: "G1", child.ID: "G2"}
	l.want(g1, names)
	l.want(l.add(agent("planner"), does(g0, el("finance", "read"), own, forUser("lead"))), names, "OWN_AUTHORITY_USED G0")
	return l, g1, child, names
}

func TestPurchaseOrder(t *testing.T) {
	t.Run("within", func(t *testing.T) {
		l, _, g2, names := purchase(t, grantTo("optimizer", may(el("hardware-order", "create"), "5000", "")))
		l.want(g2, names)
		l.want(l.add(agent("optimizer"), does(g2, order("48000", "40"))), names)
		// First logged, first served: the next one finds 48,000 used.
		next := l.add(agent("optimizer"), does(g2, order("2000.01", "1")))
		l.want(next, names, "LIMIT_EXCEEDED G1")
		if got, want := texts(l.findings(next)), "brings the sum to 50,000.01 EUR"; !strings.Contains(got, want) {
			t.Errorf("the finding does not say %q:\n%s", want, got)
		}
		l.want(l.add(agent("optimizer"), does(g2, order("5001", "1"))), names, "LIMIT_EXCEEDED G1", "LIMIT_EXCEEDED G2")
		l.check()
	})
	t.Run("a: more than in total", func(t *testing.T) {
		l, _, g2, names := purchase(t, grantTo("optimizer", may(el("hardware-order", "create"), "5000", "")))
		a := l.add(agent("optimizer"), does(g2, order("62000", "40")))
		l.want(a, names, "LIMIT_EXCEEDED G1")
		for _, want := range []string{"62,000", "50,000"} {
			if got := texts(l.findings(a)); !strings.Contains(got, want) {
				t.Errorf("the finding does not say %q:\n%s", want, got)
			}
		}
		l.check()
	})
	t.Run("b: a grant that gives more than its issuer has", func(t *testing.T) {
		l, _, g2, names := purchase(t, grantTo("optimizer", may(el("hardware-order", "create"), "5000", "80000")))
		l.want(g2, names, "SCOPE_WIDENED")
		l.want(l.add(agent("optimizer"), does(g2, order("62000", "40"))), names, "SCOPE_WIDENED G2", "LIMIT_EXCEEDED G1")
		l.check()
	})
	t.Run("b: an action that is not in the excess", func(t *testing.T) {
		l, _, g2, names := purchase(t, grantTo("optimizer", may(el("hardware-order", "create"), "5000", "80000")))
		l.want(l.add(agent("optimizer"), does(g2, order("48000", "40"))), names)
		l.check()
	})
	t.Run("c: approved", func(t *testing.T) {
		l, _, g2, names := purchase(t, grantTo("optimizer", may(el("hardware-order", "create"), "5000", "")))
		d2 := l.add(agent("optimizer"), proposes(g2, order("62000", "40"), forUser("lead")))
		ok := l.addWith(chat(), with(approves(d2), forUser("lead"), token("chat-web")), 1)
		l.want(l.add(agent("optimizer"), does(g2, order("62000.00", "40"), approvedBy(ok))), names)
		l.want(l.add(agent("optimizer"), does(g2, order("62000", "40"), approvedBy(ok))), names, "APPROVAL_REUSED", "LIMIT_EXCEEDED G1")
		l.check()
	})
	t.Run("e: told twice", func(t *testing.T) {
		l, g1, g2, names := purchase(t, grantTo("optimizer", may(el("hardware-order", "create"), "5000", "")))
		erp := at("https://erp.example.com/orders")
		first := l.add(agent("optimizer"), does(g2, order("48000", "40", erp), request("r-1")))
		again := l.add(agent("optimizer"), does(g2, order("48000.0", "40", erp), request("r-1")))
		l.want(again, names) // it is the same effect, and adds nothing
		l.want(l.add(agent("optimizer"), does(g2, order("3000", "1", erp), request("r-1"))), names, "LIMIT_EXCEEDED G1")
		l.wantTotal(g1, "51000")
		// The target saw both: each counts.
		l.add(service("erp"), saw(first, onusv1.TargetDecision_TARGET_DECISION_ALLOWED))
		l.wantTotal(g1, "51000")
		l.add(service("erp"), saw(again, onusv1.TargetDecision_TARGET_DECISION_ALLOWED))
		l.wantTotal(g1, "99000")
		l.check()
	})
}

// wantTotal asks what was used up of a grant's total limit, of which it has
// one.
func (l *testLog) wantTotal(grant *record.Record, want string) {
	l.t.Helper()
	g, ok := l.s.Grant(grant.ID, int64(len(l.entries)))
	if !ok {
		l.t.Fatal("the grant is not there")
	}
	us := l.s.LimitUses(g, int64(len(l.entries)))
	if len(us) != 1 || us[0].Total != want {
		l.t.Errorf("uses are %+v, want a total of %s", us, want)
	}
}

// S4: revocation goes down along grant links, and nowhere else.
func TestCascade(t *testing.T) {
	l := newLog(t, nil)
	public, restricted := data("public prices"), data("restricted contracts")
	g1 := l.add(device("lead"), gives(depth(grantTo("planner", open(el("prices", "read", public))), 3)))
	g2 := l.add(agent("planner"), passes(g1, grantTo("analyst", open(el("prices", "read", public)))))
	g3 := l.add(agent("planner"), passes(g1, depth(grantTo("clerk", open(el("prices", "read", public))), 1)))
	g4 := l.add(agent("clerk"), passes(g3, grantTo("optimizer", open(el("prices", "read", restricted)))))
	mail := l.add(operator(globex), gives(grantTo("courier", open(el("mail", "send")))))
	names := map[record.ID]string{g1.ID: "G1", g2.ID: "G2", g3.ID: "G3", g4.ID: "G4"}
	l.want(g4, names, "SCOPE_WIDENED")

	l.now = l.now.Add(time.Hour)
	rev := theAgent("optimizer")
	early := l.add(agent("optimizer"), does(g4, el("prices", "read", restricted)))
	l.want(early, names, "SCOPE_WIDENED G4", "OUTSIDE_DELEGATED_SCOPE G3")
	l.add(admin(), revokes(rev))
	a6 := l.add(agent("analyst"), does(g2, el("prices", "read", public)))
	a7 := l.add(agent("optimizer"), does(g4, el("prices", "read", restricted)))
	a8 := l.add(agent("courier"), does(mail, el("mail", "send")))
	l.want(a6, names)
	l.want(a7, names, "SCOPE_WIDENED G4", "OUTSIDE_DELEGATED_SCOPE G3", "AGENT_REVOKED")
	l.want(a8, names)
	l.want(l.add(agent("clerk"), does(g3, el("prices", "read", public))), names)

	// The one above: those below fall, the sibling stays.
	l.add(agent("planner"), revokes(theGrant(g3)))
	l.want(l.add(agent("clerk"), does(g3, el("prices", "read", public))), names, "GRANT_REVOKED G3")
	l.want(l.add(agent("optimizer"), does(g4, el("prices", "read", restricted))), names,
		"SCOPE_WIDENED G4", "OUTSIDE_DELEGATED_SCOPE G3", "AGENT_REVOKED", "ANCESTOR_REVOKED G3")
	l.want(l.add(agent("clerk"), passes(g3, grantTo("courier", open(el("prices", "read", public))))), names, "ANCESTOR_REVOKED G3")
	l.want(l.add(agent("analyst"), does(g2, el("prices", "read", public))), names)

	// Whoever gave it: all that passes through.
	l.add(admin(), revokes(theAgent("planner")))
	l.want(l.add(agent("analyst"), does(g2, el("prices", "read", public))), names, "ANCESTOR_REVOKED G2")
	l.want(l.add(agent("courier"), does(mail, el("mail", "send"))), names)
	l.check()
}
