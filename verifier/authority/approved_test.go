package authority_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// The approval of an action is that which it names, as long as nothing is to be
// said against it.
func TestApproved(t *testing.T) {
	l := newLog(t, nil)
	g := l.add(device("lead"), gives(grantTo("planner", may(el("order", "create"), "", "100"))))
	proposal := l.add(agent("planner"), proposes(g, el("order", "create", amount("500", "EUR")), forUser("lead")))
	ok := l.add(device("lead"), approves(proposal))
	ask := func(r *record.Record) (authority.Approval, bool) {
		for _, e := range l.entries {
			if e.r.ID == r.ID {
				return l.s.Approved(r, e.index, e.st)
			}
		}
		t.Fatal("the record is not in the log")
		return authority.Approval{}, false
	}
	order := func(n string, edit ...func(*onusv1.Record)) *record.Record {
		return l.add(agent("planner"), does(g, el("order", "create", amount(n, "EUR")), append(edit, forUser("lead"))...))
	}
	index := int64(len(l.entries)) - 1
	for _, c := range []struct {
		name string
		r    *record.Record
		want authority.Approval
		ok   bool
	}{
		{"names none", order("1"), authority.Approval{}, false},
		{"for another amount", order("501", approvedBy(ok)), authority.Approval{}, false},
		{"what was approved", order("500", approvedBy(ok)), authority.Approval{ID: ok.ID, Index: index, User: user("lead"), Assurance: 3}, true},
		{"again", order("500", approvedBy(ok)), authority.Approval{}, false},
		{"no action at all", proposal, authority.Approval{}, false},
	} {
		got, is := ask(c.r)
		if diff := cmp.Diff(c.want, got); diff != "" || is != c.ok {
			t.Errorf("%s: valid %t, want %t (-want +got):\n%s", c.name, is, c.ok, diff)
		}
	}
}

func TestWithinCeiling(t *testing.T) {
	l := newLog(t, nil)
	l.agent("planner", acme, func(a *onusv1.AgentClass) {
		a.Ceiling = []*onusv1.GrantElement{may(el("order", "create", data("public")), "100", "")}
	})
	now := int64(len(l.entries))
	for _, c := range []struct {
		name, agent string
		e           *onusv1.ScopeElement
		at          int64
		want        authority.Answer
	}{
		{"within", "planner", el("order", "create", data("public"), amount("100", "EUR")), now, authority.Covered},
		{"too much for an item", "planner", el("order", "create", data("public"), amount("101", "EUR")), now, authority.Outside},
		{"something else", "planner", el("order", "delete", data("public")), now, authority.Outside},
		{"it does not say which data", "planner", el("order", "create", amount("1", "EUR")), now, authority.Uncomparable},
		{"before it was registered", "planner", el("order", "delete"), now - 1, authority.Covered},
		{"an agent without one", "clerk", el("order", "delete"), now, authority.Covered},
	} {
		if got := l.s.WithinCeiling(agentID(c.agent), c.e, c.at); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The values of a limit are told apart from the sentence.
func TestLimitValues(t *testing.T) {
	l := newLog(t, nil)
	g := l.add(device("lead"), gives(grantTo("planner", may(el("order", "create"), "5000", "50000"))))
	for _, c := range []struct{ total, items, limit, sum string }{
		{"6000", "1", "5,000 EUR", ""},
		{"62000.5", "40", "50,000 EUR", "68,000.5 EUR"}, // the one before counts, allowed or not
	} {
		fs := l.findings(l.add(agent("planner"), does(g, el("order", "create", amount(c.total, "EUR"), quantity(c.items)), forUser("lead"))))
		if len(fs) != 1 || fs[0].Code != authority.LimitExceeded || fs[0].Limit != c.limit || fs[0].Sum != c.sum {
			t.Errorf("%s for %s: %+v, want limit %s and sum %q", c.total, c.items, fs, c.limit, c.sum)
		}
	}
}
