package chain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// finding returns the finding of that name of an action, or nil.
func finding(v chain.Verdict, code string) *chain.Finding {
	i := slices.IndexFunc(v.Findings, func(f chain.Finding) bool { return f.Code == code })
	if i < 0 {
		return nil
	}
	return &v.Findings[i]
}

// What the agent and the target say of an action is compared field by field;
// what one of them leaves out says nothing.
func TestEffectDisagrees(t *testing.T) {
	place := at("https://billing.example.com/orders")
	said := el("order", "create", eur("50.0"), quantity("5"), place, data("public prices", "orders"), to(user("other")))
	for _, c := range []struct {
		name string
		by   string
		saw  *onusv1.ScopeElement
		edit func(*onusv1.CounterRecord)
		want string // empty: they agree
	}{
		{"the same, written otherwise", "billing", el("order", "create", eur("50"), quantity("5.00"), place, data("orders", "public prices"), to(user("other"))), nil, ""},
		{"less said", "billing", el("order", "create"), nil, ""},
		{"a place below", "billing", el("order", "create", at("https://billing.example.com/orders/7")), nil, ""},
		{"another place", "billing", el("order", "create", at("https://billing.example.com/refunds")), nil, "location"},
		{"another amount", "billing", el("order", "create", eur("62000")), nil, "the agent says amount 50 EUR, the target 62,000 EUR"},
		{"another quantity", "billing", el("order", "create", quantity("400")), nil, "the agent says quantity 5, the target 400"},
		{"another thing", "billing", el("refund", "create"), nil, "the agent says type order, the target refund"},
		{"other data", "billing", el("order", "create", data("orders")), nil, "data"},
		{"another recipient", "billing", el("order", "create", to(user("sre"))), nil, "recipient"},
		{"it failed", "billing", el("order", "create"), func(c *onusv1.CounterRecord) { c.Status = onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED }, "the agent says outcome succeeded, the target failed"},
		{"it was denied", "billing", el("order", "create"), func(c *onusv1.CounterRecord) { c.Decision = onusv1.TargetDecision_TARGET_DECISION_DENIED }, "the agent says decision allowed, the target denied"},
		{"a service that does not serve the place", "erp", el("order", "create", quantity("400")), nil, ""},
		{"a request of another agent", "billing", el("order", "create", quantity("400")), func(c *onusv1.CounterRecord) { c.Caller = agentID("vendor-manager") }, ""},
		{"a request of another instance", "billing", el("order", "create", quantity("400")), func(c *onusv1.CounterRecord) { c.CallerInstance = "pod-9" }, ""},
		{"a request of nobody who is shown", "billing", el("order", "create", quantity("400")), func(c *onusv1.CounterRecord) { c.Caller, c.CallerInstance = "", "" }, "the agent says quantity 5, the target 400"},
	} {
		w := newWorld(t)
		planned(w)
		act(w, "A1", does(said, func(a *onusv1.Action) { a.TargetDecision = onusv1.TargetDecision_TARGET_DECISION_ALLOWED }))
		w.log("", agent("planner"), ends("A1", onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
		edit := []func(*onusv1.CounterRecord){func(c *onusv1.CounterRecord) {}}
		if c.edit != nil {
			edit[0] = c.edit
		}
		w.log("C1", service(c.by), saw("A1", c.saw, edit...))
		f := finding(verdictOf(t, w, w.judge("A1"), "A1"), "EFFECT_DISAGREES")
		switch {
		case f == nil && c.want != "":
			t.Errorf("%s: no finding, want %q", c.name, c.want)
		case f != nil && (c.want == "" || !strings.Contains(f.Text, c.want) || len(f.Parties) != 2):
			t.Errorf("%s: %s (%v), want %q", c.name, f.Text, f.Parties, c.want)
		}
	}
}

// A request that is made twice is one effect, unless it is another one, or the
// target saw both.
func TestDuplicateEffect(t *testing.T) {
	for _, c := range []struct {
		name   string
		second func(*draft)
		seen   []string
		want   chain.Severity // empty: no finding
	}{
		{"the same", buys("50.0", request("r")), nil, chain.Info},
		{"another amount", buys("51", request("r")), nil, chain.High},
		{"another request", buys("50", request("s")), nil, ""},
		{"another target", does(el("order", "create", eur("50"), at("https://erp.example.com/orders")), request("r")), nil, ""},
		{"the target saw one", buys("50", request("r")), []string{"A2"}, chain.Info},
		{"the target saw both", buys("50", request("r")), []string{"A1", "A2"}, chain.High},
	} {
		w := newWorld(t)
		planned(w)
		act(w, "A1", buys("50", request("r")))
		act(w, "A2", c.second)
		for _, name := range c.seen {
			w.log("", service("billing"), saw(name, el("order", "create", eur("50"))))
		}
		out := w.judge("A1")
		var got chain.Severity
		if f := finding(verdictOf(t, w, out, "A2"), "DUPLICATE_EFFECT"); f != nil {
			got = f.Severity
		}
		if got != c.want || finding(verdictOf(t, w, out, "A1"), "DUPLICATE_EFFECT") != nil {
			t.Errorf("%s: %q, want %q, and of the second alone", c.name, got, c.want)
		}
	}
}

// An outcome and a counter-record are missing only once the window has passed,
// by the log's time.
func TestPending(t *testing.T) {
	logged := func(after time.Duration, edit func(w *world)) (outcome, counter bool) {
		w := newWorld(t)
		planned(w)
		act(w, "A1", buys("50"))
		if edit != nil {
			edit(w)
		}
		w.later(after)
		v := verdictOf(t, w, w.judge("A1"), "A1")
		return has(v, "OUTCOME_MISSING"), has(v, "NO_COUNTER_RECORD")
	}
	for _, c := range []struct {
		name             string
		after            time.Duration
		edit             func(w *world)
		outcome, counter bool
	}{
		{"pending", 15 * time.Minute, nil, false, false},
		{"over", 15*time.Minute + time.Millisecond, nil, true, true},
		{"the agent said how it ended", time.Hour, func(w *world) {
			w.log("", agent("planner"), ends("A1", onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN))
		}, false, true},
		{"another instance said so", time.Hour, func(w *world) {
			w.log("", instance("planner", "2"), ends("A1", onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
		}, true, true},
		{"the target recorded it", time.Hour, func(w *world) { w.log("", service("billing"), saw("A1", el("order", "create"))) }, true, false},
		{"another service did", time.Hour, func(w *world) { w.log("", service("erp"), saw("A1", el("order", "create"))) }, true, true},
	} {
		if o, n := logged(c.after, c.edit); o != c.outcome || n != c.counter {
			t.Errorf("%s: outcome missing %t, want %t; counter-record missing %t, want %t", c.name, o, c.outcome, n, c.counter)
		}
	}
}

// Impersonation: the target saw the user's token and no actor in it. Where the
// user's own identity is right, nothing is said.
func TestImpersonation(t *testing.T) {
	facts := &onusv1.TokenFacts{Sub: user("strategist")}
	acted := &onusv1.TokenFacts{Sub: user("strategist"), Act: []string{agentID("planner")}}
	for _, c := range []struct {
		name string
		log  func(w *world)
		want bool
	}{
		{"as the target said to the agent", func(w *world) {
			planned(w)
			act(w, "A1", does(el("prices", "read", data("public prices")), showsToken(facts)))
		}, true},
		{"with an actor", func(w *world) {
			planned(w)
			act(w, "A1", does(el("prices", "read", data("public prices")), showsToken(acted)))
		}, false},
		{"as the target recorded", func(w *world) {
			planned(w)
			act(w, "A1", buys("50"))
			w.log("", service("billing"), saw("A1", el("order", "create"), func(c *onusv1.CounterRecord) { c.Token = facts }))
		}, true},
		{"what the user asked for", func(w *world) {
			podFails(w)
			w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "get"), showsToken(&onusv1.TokenFacts{Sub: user("sre")})), forUser("sre"), inSession("s"))
		}, false},
	} {
		w := newWorld(t)
		c.log(w)
		if v := verdictOf(t, w, w.judge("A1"), "A1"); has(v, "IMPERSONATION_SUSPECTED") != c.want {
			t.Errorf("%s: %s, want suspected %t", c.name, v.Code, c.want)
		}
	}
}

// What was read on the operator's authority may be told to a user only if that
// user has it.
func TestDisclosed(t *testing.T) {
	tells := func(w *world, edit ...func(*draft)) {
		act(w, "A1", append([]func(*draft){grant("G2"), own, does(el("report", "send", data("margins"), to(user("strategist"))))}, edit...)...)
	}
	reading := func(w *world) {
		onOwn(w, own)
	}
	for _, c := range []struct {
		name string
		log  func(w *world)
		want bool
	}{
		{"what it read before", func(w *world) { reading(w); tells(w) }, true},
		{"other data", func(w *world) {
			reading(w)
			tells(w, does(el("report", "send", data("findings"), to(user("strategist")))))
		}, false},
		{"to nobody", func(w *world) { reading(w); tells(w, does(el("report", "send", data("margins")))) }, false},
		{"another instance read it", func(w *world) {
			planned(w)
			w.log("G2", operator("pricing"), gives("planner", open(el("margins", "read")), open(el("report", "send"))))
			w.log("A0", instance("planner", "2"), parent("I1"), grant("G2"), own, forUser("strategist"), does(el("margins", "read", data("margins"))))
			tells(w)
		}, false},
		{"under another root", func(w *world) {
			reading(w)
			w.log("T", operator("pricing"), trigger("nightly"))
			tells(w, parent("T"))
		}, false},
		{"read on the user's authority", func(w *world) {
			planned(w)
			w.log("G3", device("strategist"), gives("planner", open(el("margins", "read"))))
			w.log("G2", operator("pricing"), gives("planner", open(el("report", "send"))))
			act(w, "A0", grant("G3"), does(el("margins", "read", data("margins"))))
			tells(w)
		}, false},
		{"the user's grant names the data", func(w *world) {
			w.log("G", device("strategist"), gives("vendor-manager", open(el("report", "read", data("margins")))))
			reading(w)
			w.log("U", agent("vendor-manager"), parent("I1"), grant("G"), decides("look at it"), forUser("strategist"))
			tells(w)
		}, false},
		{"the user asked for the very thing", func(w *world) {
			reading(w)
			w.log("I2", device("strategist"), parent("I1"), intent("the margins", el("margins", "read")), asks("planner"))
			tells(w)
		}, false},
		{"the agent says that the user asked for it", func(w *world) {
			reading(w)
			w.log("I2", agent("planner"), parent("P1"), intent("the margins", el("margins", "read")), forUser("strategist"))
			tells(w)
		}, true},
		{"asked for with a revoked key", func(w *world) {
			reading(w)
			w.log("R", security(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, user("strategist")).Public().ID()}}))
			w.log("I2", device("strategist"), parent("I1"), intent("the margins", el("margins", "read")), asks("planner"))
			tells(w)
		}, true},
		{"a tool's catalogue covers it", func(w *world) {
			w.log("I1", agent("k8s-agent"), intent("why?"), forUser("strategist"), token("k8s-agent", 1))
			w.log("G2", operator("it/platform"), gives("k8s-agent", open(el("k8s.log", "get")), open(el("report", "send"))))
			w.log("A0", agent("k8s-agent"), parent("I1"), grant("G2"), own, does(el("k8s.log", "get", data("secrets"))), forUser("strategist"))
			w.log("A1", agent("k8s-agent"), parent("I1"), grant("G2"), own, does(el("report", "send", data("secrets"), to(user("strategist")))), forUser("strategist"))
		}, true},
		{"the user asks for it afterwards", func(w *world) {
			reading(w)
			tells(w)
			w.log("I2", device("strategist"), parent("I1"), intent("the margins", el("margins", "read")), asks("planner"))
		}, true},
	} {
		w := newWorld(t)
		c.log(w)
		v := verdictOf(t, w, w.judge("A1"), "A1")
		if has(v, "DISCLOSED_BEYOND_PRINCIPAL") != c.want || (v.Code == chain.Unauthorized) != c.want {
			t.Errorf("%s: %s, want disclosed %t\n%s", c.name, v.Code, c.want, w.read(w.judge("A1")))
		}
	}
}

// What the user's sign-in and session no longer justify.
func TestTokenAndSession(t *testing.T) {
	for _, c := range []struct {
		name             string
		log              func(w *world)
		expired, outside bool
	}{
		{"under a grant the user need not be signed in", func(w *world) { planned(w); w.later(time.Hour); act(w, "A1") }, false, false},
		{"but a token beside the action counts", func(w *world) {
			planned(w)
			act(w, "A1", token("x", 1), func(d *draft) { d.Token.Expires.Seconds -= 3600; d.Token.Issued.Seconds -= 7200 })
		}, true, false},
		{"a grant that ends with its session", func(w *world) {
			planned(w)
			w.log("G2", device("strategist"), gives("planner", open(el("prices", "read"))), inSession("s"), func(d *draft) { d.GetDelegation().EndsWithSession = true })
			act(w, "A1", grant("G2"), inSession("other"))
		}, false, true},
		{"in that session", func(w *world) {
			planned(w)
			w.log("G2", device("strategist"), gives("planner", open(el("prices", "read"))), inSession("s"), func(d *draft) { d.GetDelegation().EndsWithSession = true })
			act(w, "A1", grant("G2"), inSession("s"))
		}, false, false},
		{"without a grant and a session", func(w *world) {
			podFails(w)
			w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "get")), forUser("sre"))
		}, false, true},
	} {
		w := newWorld(t)
		c.log(w)
		v := verdictOf(t, w, w.judge("A1"), "A1")
		if has(v, "USER_TOKEN_EXPIRED_BEFORE_ACTION") != c.expired || has(v, "ACTED_OUTSIDE_SESSION") != c.outside || v.Code == chain.UserDirected {
			t.Errorf("%s: %s, want expired %t, outside %t\n%s", c.name, v.Code, c.expired, c.outside, w.read(w.judge("A1")))
		}
	}
}
