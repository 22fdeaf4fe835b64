package chain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// verdictOf returns the verdict of a named action.
func verdictOf(t *testing.T, w *world, out *chain.Judgement, name string) chain.Verdict {
	t.Helper()
	i := slices.IndexFunc(out.Actions, func(v chain.Verdict) bool { return v.Record == w.named(name).ID })
	if i < 0 {
		t.Fatalf("no verdict for %s", name)
	}
	return out.Actions[i]
}

func has(v chain.Verdict, code string) bool {
	return slices.ContainsFunc(v.Findings, func(f chain.Finding) bool { return f.Code == code })
}

// A parent link counts only in five cases; any other is PARENT_AGENT_MISMATCH.
func TestParentLinks(t *testing.T) {
	mail := func(w *world) {
		w.log("G", operator("globex"), gives("mail-courier", open(el("mail", "send"))))
	}
	send := func(w *world, edit ...func(*draft)) {
		w.log("A1", agent("mail-courier"), append([]func(*draft){grant("G"), own, does(el("mail", "send"))}, edit...)...)
	}
	for _, c := range []struct {
		name string
		ok   bool
		log  func(w *world)
	}{
		{"(i) an earlier record of the same instance", true, func(w *world) {
			w.log("T", operator("globex"), trigger("nightly"))
			w.log("D", agent("mail-courier"), parent("T"), decides("send"))
			send(w, parent("D"))
		}},
		{"another instance of the same class", false, func(w *world) {
			w.log("T", operator("globex"), trigger("nightly"))
			w.log("D", instance("mail-courier", "2"), parent("T"), decides("send"))
			send(w, parent("D"))
		}},
		{"(ii) of who issued a grant on the path", true, func(w *world) {
			planned(w)
			passed(w, gives("market-analyst", open(el("prices", "read"))))
			analyst(w, parent("P1"))
		}},
		{"of an agent that issued none", false, func(w *world) {
			planned(w)
			w.log("D", agent("vendor-manager"), parent("I1"), forUser("strategist"), decides("send it"))
			send(w, parent("D"), forUser("strategist"))
		}},
		{"(iii) an intent of the same user", true, func(w *world) { planned(w); send(w, parent("I1"), forUser("strategist")) }},
		{"an intent of another user", false, func(w *world) { planned(w); send(w, parent("I1"), forUser("other")) }},
		{"an intent, for nobody", false, func(w *world) { planned(w); send(w, parent("I1")) }},
		{"(iv) of an agent that asks this one", true, func(w *world) {
			planned(w)
			w.log("D", agent("planner"), parent("P1"), decides("mail it"), asks("mail-courier"), forUser("strategist"))
			send(w, parent("D"))
		}},
		{"(iv) and an own record below it, under a user's grant", false, func(w *world) {
			planned(w)
			w.log("U", device("strategist"), gives("mail-courier", open(el("mail", "send"))))
			w.log("D", agent("vendor-manager"), parent("I1"), decides("mail it"), asks("mail-courier"), forUser("strategist"))
			w.log("E", agent("mail-courier"), parent("D"), decides("send"), forUser("strategist"))
			w.log("A1", agent("mail-courier"), parent("E"), grant("U"), forUser("strategist"), does(el("mail", "send")))
		}},
		{"(iv) under a user's grant", false, func(w *world) {
			planned(w)
			w.log("U", device("strategist"), gives("mail-courier", open(el("mail", "send"))))
			w.log("D", agent("vendor-manager"), parent("I1"), decides("mail it"), asks("mail-courier"), forUser("strategist"))
			w.log("A1", agent("mail-courier"), parent("D"), grant("U"), forUser("strategist"), does(el("mail", "send")))
		}},
		{"(iv) under a grant of the user's that is not its word", false, func(w *world) {
			planned(w)
			w.log("U", chat(), gives("mail-courier", open(el("mail", "send"))), forUser("strategist"))
			w.log("D", agent("vendor-manager"), parent("I1"), decides("mail it"), asks("mail-courier"), forUser("strategist"))
			w.log("A1", agent("mail-courier"), parent("D"), grant("U"), forUser("strategist"), does(el("mail", "send")))
		}},
		{"(iv) of who also issued a grant on the path, of a record that does not name it", true, func(w *world) {
			planned(w)
			passed(w, gives("market-analyst", open(el("prices", "read"))))
			w.log("D", agent("planner"), parent("P1"), decides("compare"), asks("market-analyst"), forUser("strategist"))
			w.log("E", agent("market-analyst"), parent("D"), decides("read"), forUser("strategist"))
			analyst(w, parent("E"))
		}},
		{"of an agent that asks another", false, func(w *world) {
			planned(w)
			w.log("D", agent("planner"), parent("P1"), decides("mail it"), asks("vendor-manager"), forUser("strategist"))
			send(w, parent("D"))
		}},
		{"(v) a trigger of the agent's operator", true, func(w *world) { w.log("T", operator("globex"), trigger("nightly")); send(w, parent("T")) }},
		{"(v) of an administrator", true, func(w *world) { w.log("T", admin(), trigger("nightly")); send(w, parent("T")) }},
		{"(v) of a service", true, func(w *world) { w.log("T", service("erp"), trigger("nightly")); send(w, parent("T")) }},
		{"a trigger of another operator", false, func(w *world) { w.log("T", operator("pricing"), trigger("nightly")); send(w, parent("T")) }},
		{"an intent for nobody, of an agent", false, func(w *world) {
			w.log("I1", agent("planner"), intent("mail it"))
			send(w, parent("I1"))
		}},
		{"who is named did not sign it", false, func(w *world) {
			w.log("T", operator("globex"), trigger("nightly"))
			w.log("D", agent("mail-courier"), parent("T"), decides("send"))
			send(w, parent("D"), parentAgent("planner"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			mail(w)
			c.log(w)
			v := verdictOf(t, w, w.judge("A1"), "A1")
			within := v.Outcome == chain.WithinAuthority
			if within != c.ok || has(v, "PARENT_AGENT_MISMATCH") == c.ok || has(v, "NO_USER_INTENT_AT_ROOT") == c.ok {
				t.Errorf("%s: %s; counts: want %t\n%s", v.Code, v.Why, c.ok, w.read(w.judge("A1")))
			}
		})
	}
}

// What a user asked for is an implicit grant only where it is the user's word,
// to the agent that it names.
func TestAsked(t *testing.T) {
	pod := el("k8s.pod", "delete")
	act := func(w *world, edit ...func(*draft)) {
		w.log("A1", agent("planner"), append([]func(*draft){parent("I1"), forUser("strategist"), does(pod)}, edit...)...)
	}
	for _, c := range []struct {
		name string
		want chain.Code
		find string
		log  func(w *world)
	}{
		{"L0, by the agent", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", agent("planner"), intent("delete it", pod), forUser("strategist"))
			act(w)
		}},
		{"L1, by the agent", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", agent("planner"), intent("delete it", pod), forUser("strategist"), token("x", 1))
			act(w)
		}},
		{"(i) L2", chain.UserDirected, "", func(w *world) {
			w.log("I1", agent("planner"), intent("delete it", pod), forUser("strategist"), token("x", 2))
			act(w)
		}},
		{"L2, by another agent that asks this one", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", agent("vendor-manager"), intent("delete it", pod), forUser("strategist"), token("x", 2), asks("planner"))
			act(w)
		}},
		{"(ii) L3", chain.UserDirected, "", func(w *world) {
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"))
			act(w)
		}},
		{"L3, of another agent", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", device("strategist"), intent("delete it", pod), asks("vendor-manager"))
			act(w)
		}},
		{"L3, naming nobody", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", device("strategist"), intent("delete it", pod))
			act(w)
		}},
		{"(iii) a user client", chain.UserDirected, "", func(w *world) {
			w.log("I1", chat(), intent("delete it", pod), forUser("strategist"), token("chat-web", 1), asks("planner"))
			act(w)
		}},
		{"a user client with a token of another", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", chat(), intent("delete it", pod), forUser("strategist"), token("x", 1), asks("planner"))
			act(w)
		}},
		{"a user client whose token was not checked", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", chat(), intent("delete it", pod), forUser("strategist"), token("chat-web", 0), asks("planner"))
			act(w)
		}},
		{"more than was asked for", chain.Unauthorized, "OUTSIDE_DELEGATED_SCOPE", func(w *world) {
			w.log("I1", device("strategist"), intent("look", el("k8s.pod", "get")), asks("planner"))
			act(w)
		}},
		{"an amount, once", chain.UserDirected, "", func(w *world) {
			w.log("I1", device("strategist"), intent("buy one", el("order", "create", eur("100"))), asks("planner"))
			act(w, does(el("order", "create", eur("100"))))
		}},
		{"an amount, and again", chain.Unauthorized, "LIMIT_EXCEEDED", func(w *world) {
			w.log("I1", device("strategist"), intent("buy one", el("order", "create", eur("100"))), asks("planner"))
			act(w, does(el("order", "create", eur("100"))))
			act(w, does(el("order", "create", eur("0.01"))))
		}},
		{"for another user", chain.Unauthorized, "PRINCIPAL_CHANGED", func(w *world) {
			w.log("I1", agent("planner"), intent("delete it", pod), forUser("strategist"), token("x", 2))
			act(w, forUser("other"))
		}},
		{"for nobody", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("I1", agent("planner"), intent("delete it", pod), forUser("strategist"), token("x", 2))
			act(w, func(d *draft) { d.User = "" })
		}},
		{"what was chosen goes beyond it", chain.AgentDecided, "", func(w *world) {
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"))
			act(w, decides("and the volume", pod, el("k8s.volume", "delete")))
		}},
		{"what was chosen lies within it", chain.UserDirected, "", func(w *world) {
			w.log("I1", device("strategist"), intent("clear up", el("k8s.pod", "*")), asks("planner"))
			act(w, decides("delete it", pod))
		}},
		{"as an import says", chain.AgentDecided, "", func(w *world) {
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"))
			act(w, capture(onusv1.Capture_CAPTURE_IMPORT))
		}},
		{"beyond the agent's ceiling", chain.Unauthorized, "OUTSIDE_DELEGATED_SCOPE", func(w *world) {
			w.agent("planner", func(a *onusv1.AgentClass) { a.Ceiling = []*onusv1.GrantElement{open(el("k8s.pod", "get"))} })
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"))
			act(w)
		}},
		{"after the user's key was revoked", chain.Unauthorized, "ANCESTOR_REVOKED", func(w *world) {
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"))
			w.log("R", device("strategist"), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, user("strategist")).Public().ID()}}))
			act(w)
		}},
		{"signed with a revoked key", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.log("R", device("strategist"), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, user("strategist")).Public().ID()}}))
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"))
			act(w)
		}},
		{"after the user's key ended", chain.Unauthorized, "GRANT_EXPIRED", func(w *world) {
			w.bind(&onusv1.KeyBinding{User: user("strategist"), NotAfter: timestamppb.New(nine.Add(time.Hour))}, "second device")
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"), func(d *draft) { d.key = "second device" })
			w.later(time.Hour)
			act(w)
		}},
		{"approved beyond it", chain.UserApproved, "", func(w *world) {
			w.log("I1", device("strategist"), intent("look", el("k8s.pod", "get")), asks("planner"))
			w.log("D1", agent("planner"), parent("I1"), forUser("strategist"), proposes(pod))
			w.log("OK", device("strategist"), approves("D1"))
			act(w, parent("D1"), does(pod, w.approvedBy("OK")))
		}},
		{"a catalogue, narrowed by what was asked for", chain.Unauthorized, "OUTSIDE_DELEGATED_SCOPE", func(w *world) {
			w.log("I1", agent("k8s-agent"), intent("look", el("k8s.pod", "get")), forUser("sre"), token("k8s-agent", 1))
			w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.log", "get")), forUser("sre"))
		}},
		{"a catalogue, and nothing more asked for", chain.UserDirected, "", func(w *world) {
			w.log("I1", agent("k8s-agent"), intent("look"), forUser("sre"), token("k8s-agent", 1))
			w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.log", "get")), forUser("sre"))
		}},
		{"by the second intent above, and not by the nearest", chain.UserDirected, "", func(w *world) {
			w.log("I0", device("strategist"), intent("delete it", pod), asks("planner"))
			w.log("I1", agent("planner"), parent("I0"), intent("look", el("k8s.pod", "get")), forUser("strategist"), token("x", 2))
			act(w)
		}},
		{"an approved proposal, as an import says", chain.AgentDecided, "", func(w *world) {
			planned(w)
			w.log("D1", agent("planner"), parent("P1"), grant("G1"), forUser("strategist"), proposes(el("order", "create", eur("50"))))
			w.log("OK", device("strategist"), approves("D1"))
			w.log("A1", agent("planner"), parent("D1"), grant("G1"), forUser("strategist"), capture(onusv1.Capture_CAPTURE_IMPORT),
				does(el("order", "create", eur("50")), w.approvedBy("OK")))
		}},
		{"for another user, who gave the grant", chain.AgentDecided, "", func(w *world) {
			planned(w)
			w.log("G2", device("other"), gives("planner", open(el("prices", "read"))))
			w.log("A1", agent("planner"), parent("P1"), grant("G2"), forUser("other"), reads())
		}},
		{"observed, by its own word below a trigger", chain.OwnAuthority, "GRANT_MISSING", func(w *world) {
			w.log("T", operator("it/platform"), trigger("nightly"))
			w.log("A1", agent("probe"), parent("T"), intent("look"), does(pod), forUser("strategist"))
		}},
		{"observed, with a token of the user", chain.OwnAuthority, "GRANT_MISSING", func(w *world) {
			w.log("A1", agent("probe"), intent("look"), does(pod), forUser("strategist"), token("x", 1))
		}},
		{"signed with a key that had ended", chain.Unauthorized, "GRANT_MISSING", func(w *world) {
			w.bind(&onusv1.KeyBinding{User: user("strategist"), NotAfter: timestamppb.New(nine.Add(time.Hour))}, "second device")
			w.later(time.Hour)
			w.log("I1", device("strategist"), intent("delete it", pod), asks("planner"), token("x", 1), func(d *draft) { d.key = "second device" })
			act(w)
		}},
		{"observed, asked by a user", chain.OwnAuthority, "GRANT_MISSING", func(w *world) {
			w.log("I1", chat(), intent("look"), forUser("strategist"), token("chat-web", 1))
			w.log("A1", agent("probe"), parent("I1"), does(pod), forUser("strategist"))
		}},
		{"observed, and only it says so", chain.Unattributable, "GRANT_MISSING", func(w *world) {
			w.log("A1", agent("probe"), intent("look"), does(pod), forUser("strategist"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.log(w)
			v := verdictOf(t, w, w.judge("A1"), "A1")
			if v.Code != c.want || c.find != "" && !has(v, c.find) || c.find == "" && strings.Contains(v.Why, "not allowed") {
				t.Errorf("%s: %s\nwant %s with %s\n%s", v.Code, v.Why, c.want, c.find, w.read(w.judge("A1")))
			}
		})
	}
}

// Who had been revoked begins nothing: the link counts, and leads nowhere.
func TestRevokedBeginnings(t *testing.T) {
	for name, begin := range map[string]func(w *world){
		"a trigger": func(w *world) {
			w.log("R", admin(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, agentID("erp")).Public().ID()}}))
			w.log("T", service("erp"), trigger("nightly"))
		},
		"an intent": func(w *world) {
			w.log("R", admin(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, user("strategist")).Public().ID()}}))
			w.log("T", device("strategist"), intent("mail it"))
		},
	} {
		w := newWorld(t)
		w.log("G", operator("globex"), gives("mail-courier", open(el("mail", "send"))))
		begin(w)
		w.log("A1", agent("mail-courier"), parent("T"), grant("G"), own, forUser("strategist"), does(el("mail", "send")))
		v := verdictOf(t, w, w.judge("A1"), "A1")
		if v.Code != chain.Unattributable || !has(v, "NO_USER_INTENT_AT_ROOT") || has(v, "PARENT_AGENT_MISMATCH") {
			t.Errorf("%s: %s\n%s", name, v.Why, w.read(w.judge("A1")))
		}
	}
}
