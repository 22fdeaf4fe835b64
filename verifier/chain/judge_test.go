package chain_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// What is at hand decides the evidence part, and never a verdict.
func TestEvidencePart(t *testing.T) {
	w := newWorld(t)
	podFails(w)
	w.later(time.Hour)
	w.log("A3", agent("k8s-agent"), parentLost, does(el("k8s.pod", "get")), forUser("sre"))
	es := append(chainOf(w.entries, w.named("I1").ID), w.entries[w.index("A3")])
	i1, a1 := w.index("I1"), w.index("A1")
	whole := chain.NewWholeLog()
	for _, e := range w.entries {
		whole.Add(e)
	}
	seen := []chain.Seen{{Size: a1 + 1, Time: 3000, By: "witness"}, {Size: a1, Time: 2000, By: "auditor"}, {Size: 5, Time: 1000, By: "witness"}}
	type hand struct {
		chain.Hand
		want chain.Evidence
	}
	var verdict []byte
	for name, c := range map[string]hand{
		"a server": {chain.Hand{}, chain.Evidence{Source: chain.FromServer, Totals: chain.Attested,
			Tokens: []chain.TokenEvidence{{Index: i1, State: chain.Attested}}, ByMaker: []string{"PARENT_NOT_IN_LOG"},
			NotLookedFor: []string{"SEQUENCE_GAP", "INSTANCE_NOT_CLOSED", "DELEGATE_SILENT"}}},
		"a bundle with the token": {chain.Hand{Source: chain.FromBundle, Tokens: map[record.ID]bool{w.named("I1").ID: true}},
			chain.Evidence{Source: chain.FromBundle, Totals: chain.Attested,
				Tokens: []chain.TokenEvidence{{Index: i1, State: chain.Verified}}, ByMaker: []string{"PARENT_NOT_IN_LOG"},
				NotLookedFor: []string{"SEQUENCE_GAP", "INSTANCE_NOT_CLOSED", "DELEGATE_SILENT"}}},
		"the whole log": {chain.Hand{Source: chain.FromLog, Log: whole, Uses: true}, chain.Evidence{Source: chain.FromLog, Totals: chain.Verified,
			Tokens: []chain.TokenEvidence{{Index: i1, State: chain.Attested}}}},
	} {
		c.Hand.Seen = seen
		out := w.judgeEntries(es, c.Hand)
		got := out.Evidence
		got.Limits, got.Bounds, got.Omissions = nil, nil, nil
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if b := out.Evidence.Bounds[0]; b.Index != a1 || b.NotBefore == nil || b.NotBefore.Time != 2000 || b.NotAfter == nil || b.NotAfter.Time != 3000 {
			t.Errorf("%s: A1 is bounded by %+v", name, b)
		}
		if last := out.Evidence.Bounds[2]; last.NotBefore == nil || last.NotBefore.Time != 3000 || last.NotAfter != nil {
			t.Errorf("%s: A3 is bounded by %+v", name, last)
		}
		if verdict == nil {
			verdict = out.VerdictJSON()
		} else if diff := cmp.Diff(string(verdict), string(out.VerdictJSON())); diff != "" {
			t.Errorf("%s: another verdict part:\n%s", name, diff)
		}
		var parts struct {
			Verdict, Evidence map[string]any
		}
		if err := json.Unmarshal(out.JSON(), &parts); err != nil || parts.Verdict["outcome"] != "outside authority" || len(parts.Evidence["limits"].([]any)) != 3 {
			t.Errorf("%s: JSON is %s (%v)", name, out.JSON(), err)
		}
	}
	if out := w.judgeEntries(es, chain.Hand{}); !strings.Contains(string(out.JSON()), chain.HostsWord) {
		t.Errorf("with no outsider it does not say %q", chain.HostsWord)
	}
}

// What is withheld, or stands outside of what is at hand, is not judged: it
// never counts as clean, and what it does not decide is decided.
func TestWithheld(t *testing.T) {
	w := newWorld(t)
	planned(w)
	act(w, "A1")
	act(w, "A2", buys("101"))
	act(w, "A3", func(d *draft) { d.Grant = "" })
	act(w, "A4", func(d *draft) { d.Grant = "" }, intent("so the user said"), token("x", 1))
	es := chainOf(w.entries, w.named("I1").ID)
	want := map[string]chain.Code{"A1": chain.NotJudged, "A2": chain.Unauthorized, "A3": chain.NotJudged, "A4": chain.NotJudged}
	check := func(what string, es []chain.Entry, elsewhere map[record.ID]int64) {
		t.Helper()
		out := chain.Judge(chain.Build(es, elsewhere, w.reg.Genesis().GetPolicy()), w.basis(chain.Hand{}))
		for name, code := range want {
			if v := verdictOf(t, w, out, name); v.Code != code {
				t.Errorf("%s: %s is %s (%s), want %s", what, name, v.Code, v.Why, code)
			}
		}
		if out.Outcome != chain.OutsideAuthority {
			t.Errorf("%s: the headline is %s", what, out.Outcome)
		}
	}
	shown := slices.DeleteFunc(slices.Clone(es), func(e chain.Entry) bool { return e.Record.ID == w.named("P1").ID })
	check("elsewhere", shown, elsewhere(w.entries))

	p1 := w.entries[w.index("P1")]
	withheld := func(parent string) chain.Entry {
		return chain.Entry{Index: p1.Index, Opaque: chain.Withheld, Record: &record.Record{ID: p1.Record.ID, Msg: &onusv1.Record{
			Author: p1.Record.Msg.GetAuthor(), Parent: parent}}}
	}
	check("withheld", append(slices.Clone(shown), withheld(p1.Record.Msg.GetParent())), nil)
	// Its maker could make up a circle.
	check("withheld in a circle", append(slices.Clone(shown), withheld(w.named("A1").ID.String())), nil)
	check("withheld below itself", append(slices.Clone(shown), withheld(p1.Record.ID.String())), nil)

	// With nothing worse, the headline is that something is not judged.
	one := []chain.Entry{w.entries[w.index("A1")]}
	if out := chain.Judge(chain.Build(one, elsewhere(w.entries), nil), w.basis(chain.Hand{})); out.Outcome != chain.NotJudgedHere {
		t.Errorf("the headline is %s", out.Outcome)
	}
	if out := chain.Judge(chain.Build(nil, nil, nil), w.basis(chain.Hand{})); out.Outcome != chain.NothingDone || len(out.Actions) != 0 {
		t.Errorf("of nothing it says %s", out.Outcome)
	}
}

// Coverage is counted per agent.
func TestCoverage(t *testing.T) {
	w := newWorld(t)
	planned(w)
	act(w, "A1", capture(onusv1.Capture_CAPTURE_RECORDER))
	act(w, "A2", capture(onusv1.Capture_CAPTURE_RECORDER), intent("quickly"), decides("so"))
	out := w.judge("I1")
	var got []string
	for _, c := range out.Coverage {
		got = append(got, c.Agent.String()+": "+c.Code+" "+strings.Join([]string{string(rune('0' + c.Found)), string(rune('0' + c.Of))}, " of "))
	}
	want := []string{"planner of Acme, Pricing: Head of Pricing: INTENT_NOT_BOUND_TO_TOKEN 1 of 1",
		"planner of Acme, Pricing: Head of Pricing: NOT_SELF_RECORDED 2 of 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

// Parties are named as they were registered when they did what they answer for.
func TestPartiesAreThoseOfTheIndex(t *testing.T) {
	w := newWorld(t)
	planned(w)
	act(w, "A1")
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: "pricing", Organisation: "Acme", Unit: "Revenue", AccountablePost: "Chief Revenue Officer"}}})
	act(w, "A2", decides("again"))
	out := w.judge("I1")
	for name, want := range map[string]string{"A1": "planner (pod-1) of Acme, Pricing: Head of Pricing", "A2": "planner (pod-1) of Acme, Revenue: Chief Revenue Officer"} {
		if got := verdictOf(t, w, out, name).Answers[0].Party.String(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// After a revocation, the operator of who was revoked should have prevented
// what was done; and the user is never among those who answer for it.
func TestShouldHavePrevented(t *testing.T) {
	for _, c := range []struct {
		name string
		rev  func(w *world) *onusv1.Revocation
		want string
	}{
		{"of the agent", func(*world) *onusv1.Revocation { return theAgent("contract-reader") }, "legal/contracts"},
		{"of its grant", func(w *world) *onusv1.Revocation { return w.theGrant("G2") }, "legal/contracts"},
		{"of the agent above", func(*world) *onusv1.Revocation { return theAgent("planner") }, "pricing"},
		{"of the grant above", func(w *world) *onusv1.Revocation { return w.theGrant("G1") }, "pricing"},
	} {
		w := newWorld(t)
		planned(w)
		passed(w, gives("contract-reader", open(el("prices", "read"))))
		w.log("R1", security(), revokes(c.rev(w)))
		w.log("A1", agent("contract-reader"), parent("G2"), grant("G2"), forUser("strategist"), reads())
		v := verdictOf(t, w, w.judge("I1"), "A1")
		var got []string
		for _, a := range v.Answers {
			for _, p := range a.Parts {
				if p.Role == chain.ShouldHavePrevented {
					got = append(got, a.Party.ID)
				}
			}
			if a.Party.Kind == "user" {
				t.Errorf("%s: a user answers", c.name)
			}
		}
		if diff := cmp.Diff([]string{c.want}, got); diff != "" {
			t.Errorf("revocation %s: should have prevented (-want +got):\n%s\n%s", c.name, diff, w.read(w.judge("I1")))
		}
	}
}

// What a forged record would show is not held against anybody, and clears
// nobody: nothing but its fault is said of it.
func TestForgedRecordsShowNothing(t *testing.T) {
	forged := []chain.Fault{{Code: "BROKEN_SIGNATURE", Text: "does not verify"}}
	for _, c := range []struct {
		name, code string // that A1 would have, were F genuine
		log        func(w *world)
	}{
		{"another history", "INSTANCE_FORKED", func(w *world) {
			planned(w)
			act(w, "F")
			act(w, "A1", func(d *draft) { d.Sequence, d.Previous = d.Sequence-1, w.named("P1").ID.String() })
		}},
		{"the same request before", "DUPLICATE_EFFECT", func(w *world) {
			planned(w)
			act(w, "F", buys("50", request("r")))
			act(w, "A1", buys("50", request("r")))
		}},
		{"what the target recorded", "EFFECT_DISAGREES", func(w *world) {
			planned(w)
			act(w, "A1", buys("50"))
			w.log("F", service("billing"), saw("A1", el("order", "create", eur("99"))))
		}},
		{"what it read before", "DISCLOSED_BEYOND_PRINCIPAL", func(w *world) {
			onOwn(w, own)
			w.names["F"] = w.names["A1"]
			act(w, "A1", grant("G2"), own, does(el("report", "send", data("margins"), to(user("strategist")))))
		}},
		{"a cause for another user", "MIXED_PRINCIPALS", func(w *world) {
			planned(w)
			w.log("F", chat(), parent("I1"), intent("and the margins"), forUser("other"), token("chat-web", 1))
			act(w, "A1", causes("F"))
		}},
	} {
		w := newWorld(t)
		c.log(w)
		if v := verdictOf(t, w, w.judge("A1"), "A1"); !has(v, c.code) {
			t.Errorf("%s: a genuine one shows no %s", c.name, c.code)
		}
		w.faults[w.index("F")] = forged
		out := w.judge("A1")
		if v := verdictOf(t, w, out, "A1"); has(v, c.code) || v.Code == chain.Unverifiable {
			t.Errorf("%s: a forged one shows %s: %s", c.name, c.code, v.Why)
		}
		if out.Outcome != chain.EvidenceBroken {
			t.Errorf("%s: the headline is %s", c.name, out.Outcome)
		}
	}
	// A user's request that was forged clears no disclosure.
	w := newWorld(t)
	onOwn(w, own)
	w.log("F", device("strategist"), parent("I1"), intent("the margins", el("margins", "read")), asks("planner"))
	act(w, "A1", grant("G2"), own, does(el("report", "send", data("margins"), to(user("strategist")))))
	w.faults[w.index("F")] = forged
	if v := verdictOf(t, w, w.judge("A1"), "A1"); v.Code != chain.Unauthorized {
		t.Errorf("a forged request clears: %s", v.Why)
	}
}

// A chain with an entry that cannot be read is not clean: it may be an action.
func TestUnreadableIsNotClean(t *testing.T) {
	w := newWorld(t)
	planned(w)
	act(w, "A1")
	if out := w.judge("A1"); out.Outcome != chain.WithinAuthority {
		t.Fatalf("without it the headline is %s", out.Outcome)
	}
	w.newer("N1", agent("planner"), parent("A1"), grant("G1"), reads(), forUser("strategist"))
	es := append(chainOf(w.entries, w.named("A1").ID), w.entries[w.index("N1")])
	out := w.judgeEntries(es, chain.Hand{})
	if v := verdictOf(t, w, out, "A1"); v.Code != chain.AgentDecided || out.Outcome != chain.NotJudgedHere || len(out.Findings) != 1 || out.Findings[0].Code != "NOT_JUDGED" {
		t.Errorf("A1 is %s, the headline %s, with %v", v.Code, out.Outcome, out.Findings)
	}
}

// A verdict says what it rests on.
func TestStateOfVerdict(t *testing.T) {
	for _, c := range []struct {
		name string
		log  func(w *world)
		want chain.State
	}{
		{"a grant that the user signed", func(w *world) { planned(w); act(w, "A1") }, chain.Verified},
		{"with a running total", func(w *world) { planned(w); act(w, "A1", buys("5")) }, chain.Attested},
		{"a grant through the user's client", func(w *world) {
			planned(w)
			w.log("G2", chat(), gives("planner", open(el("prices", "read"))), forUser("strategist"), token("chat-web", 1))
			act(w, "A1", grant("G2"))
		}, chain.Attested},
		{"as a gateway saw it", func(w *world) { planned(w); act(w, "A1", capture(onusv1.Capture_CAPTURE_RECORDER)) }, chain.Asserted},
		{"what was asked for with a token", func(w *world) {
			podFails(w)
			w.names["A1"] = w.names["A2"]
		}, chain.Attested},
		{"outside of the scope", func(w *world) { planned(w); act(w, "A1", does(el("contracts", "read"))) }, chain.Verified},
		{"too late, by the log's clock", func(w *world) {
			planned(w)
			w.log("G2", device("strategist"), gives("planner", open(el("prices", "read"))), until(nine.Add(time.Hour)))
			w.later(time.Hour)
			act(w, "A1", grant("G2"))
		}, chain.Attested},
		{"approved by a reviewer", func(w *world) {
			planned(w)
			w.log("G2", device("strategist"), gives("planner", open(el("order", "create"))), func(d *draft) {
				d.GetDelegation().Approvals = []*onusv1.ApprovalRule{{Operations: []string{"*"}, Approvers: []string{"boss"}}}
			})
			w.log("D1", agent("planner"), parent("P1"), grant("G2"), forUser("strategist"), proposes(el("order", "create")))
			w.log("OK", boss(), approves("D1"))
			act(w, "A1", parent("D1"), grant("G2"), does(el("order", "create"), w.approvedBy("OK")))
		}, chain.Attested}, // that the approval was not used before is stamped
	} {
		w := newWorld(t)
		c.log(w)
		if v := verdictOf(t, w, w.judge("A1"), "A1"); v.State != c.want {
			t.Errorf("%s: %s is %s, want %s", c.name, v.Code, v.State, c.want)
		}
	}
}
