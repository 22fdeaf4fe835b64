package chain_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

var update = flag.Bool("update", false, "write the files below testdata anew")

// scenario is a chain with exact verdicts and findings, as docs/attribution.md
// has it. Its log is made of real signed records; the verdict part of the
// judgement, byte for byte, is in testdata/scenarios.
type scenario struct {
	name string
	log  func(w *world)
	// of is a record of the chain that is judged.
	of, want string
}

func TestScenarios(t *testing.T) {
	for _, group := range [][]scenario{simple, capabilityGap, purchase, wentWrong, autonomous} {
		for _, s := range group {
			t.Run(s.name, func(t *testing.T) {
				w := newWorld(t)
				s.log(w)
				out := w.judge(s.of)
				if diff := cmp.Diff(strings.TrimPrefix(s.want, "\n"), w.read(out)); diff != "" {
					t.Errorf("judgement (-want +got):\n%s\n%s", diff, out.VerdictJSON())
				}
				golden(t, filepath.Join("testdata", "scenarios", strings.ReplaceAll(s.name, " ", "-")+".json"), out.VerdictJSON())
			})
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// S1: why is my pod failing? A tool-like agent, where the user's own identity
// is right.
func podFails(w *world) {
	w.log("I1", agent("k8s-agent"), intent("why is my pod failing?", k8sCatalogue()...), forUser("sre"), inSession("s"), token("k8s-agent", 1))
	w.later(time.Second)
	w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "get")), forUser("sre"), inSession("s"))
	w.log("A2", agent("k8s-agent"), parent("I1"), does(el("k8s.log", "get")), forUser("sre"), inSession("s"))
	for _, a := range []string{"A1", "A2"} {
		w.log("", agent("k8s-agent"), ends(a, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	}
}

const podFailed = `
A1 USER_DIRECTED
  first user sre, requested (attested)
  also k8s-agent, executed, decided
  declared by the operator
A2 USER_DIRECTED
  first user sre, requested (attested)
  also k8s-agent, executed, decided
  declared by the operator
`

var simple = []scenario{
	{"S1", podFails, "I1", podFailed + "within authority\n"},
	{"S1 a", func(w *world) {
		podFails(w)
		w.later(20*time.Minute - time.Second)
		w.log("A3", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "get")), forUser("sre"), inSession("s"))
	}, "I1", podFailed + `A3 UNAUTHORIZED
  first k8s-agent, decided, executed
  found GRANT_EXPIRED on I1; ACTION_WITHOUT_DECISION; USER_TOKEN_EXPIRED_BEFORE_ACTION
outside authority
`},
	{"S1 b", func(w *world) {
		podFails(w)
		w.log("A3", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "delete")), forUser("sre"), inSession("s"))
	}, "I1", podFailed + `A3 UNAUTHORIZED
  first k8s-agent, decided, executed
  found OUTSIDE_DELEGATED_SCOPE on I1; ACTION_WITHOUT_DECISION
outside authority
`},
}

// S2: capability gap. A compliance agent reads what its user must not.
func campaignCheck(a2 func(*draft), a4 ...string) func(*world) {
	return func(w *world) {
		marketing := forUser("marketing-manager")
		analyst := agent("gdpr-compliance-agent")
		w.log("G0", operator("legal/privacy"), gives("gdpr-compliance-agent",
			open(el("campaign", "read", data("*"))), open(el("audit-log", "read", data("*"))),
			open(el("report", "send", data("*"), to(user("marketing-manager"))))))
		w.log("I1", analyst, intent("is field campaign Q3 GDPR-compliant?", el("campaign", "*", data("own campaigns"))), marketing, token("gdpr", 2))
		w.log("P1", analyst, parent("I1"), interprets("needs all departments, access logs and history"), marketing)
		w.log("D1", analyst, parent("P1"), decides("scan on own authority"), marketing)
		w.log("A1", analyst, parent("D1"), grant("G0"), own, does(el("campaign", "read", data("campaigns"))), marketing)
		w.log("A2", analyst, parent("D1"), grant("G0"), a2, does(el("campaign", "read", data("campaigns", "customer rows"))), marketing)
		w.log("A3", analyst, parent("D1"), grant("G0"), own, does(el("audit-log", "read", data("access logs"))), marketing)
		w.log("A4", analyst, parent("D1"), grant("G0"), own, does(el("report", "send", data(append(a4, "findings")...), to(user("marketing-manager")))), marketing)
	}
}

const ownAuthority = ` OWN_AUTHORITY
  first operator legal/privacy, enabled; gdpr-compliance-agent, decided, executed, interpreted
  also user marketing-manager, requested (attested)
  found OWN_AUTHORITY_USED on G0
`

var capabilityGap = []scenario{
	{"S2", campaignCheck(own), "I1", "A1" + ownAuthority + "A2" + ownAuthority + "A3" + ownAuthority + "A4" + ownAuthority + "within authority\n"},
	{"S2 bad", campaignCheck(own, "customer rows"), "I1", "A1" + ownAuthority + "A2" + ownAuthority + "A3" + ownAuthority + `A4 UNAUTHORIZED
  first gdpr-compliance-agent, decided, executed, interpreted
  also operator legal/privacy, enabled
  found OWN_AUTHORITY_USED on G0; DISCLOSED_BEYOND_PRINCIPAL on A2
outside authority
`},
	{"S2 silent", campaignCheck(delegated), "I1", "A1" + ownAuthority + `A2 UNAUTHORIZED
  first gdpr-compliance-agent, decided, executed, interpreted
  also operator legal/privacy, enabled
  found OWN_AUTHORITY_UNDECLARED on G0
` + "A3" + ownAuthority + "A4" + ownAuthority + "outside authority\n"},
}

// S3: decision attribution, a purchase order. total is what the planner lets
// the optimizer spend; empty leaves it as the user said.
func order(w *world, total string) {
	lead := forUser("hardware-lead")
	planner := agent("supply-chain-planner")
	w.log("G0", operator("procurement"), gives("supply-chain-planner", open(el("finance", "read"))))
	w.log("I1", chat(), intent("optimise the hardware supply to enable timely onboarding and refresh"), lead, token("chat-web", 1), asks("supply-chain-planner"))
	w.log("G1", device("hardware-lead"), parent("I1"), gives("supply-chain-planner", open(el("inventory", "read")), open(el("supplier", "read")),
		may(el("hardware-order", "create"), "5000", "50000")), depth(2), until(w.now.AddDate(0, 0, 30)))
	w.log("P1", planner, parent("I1"), grant("G1"), interprets("forecast: 40 joiners in the quarter"), lead)
	w.log("D1", planner, parent("P1"), grant("G1"), decides("read the budget"), lead)
	w.log("A0", planner, parent("D1"), grant("G0"), own, does(el("finance", "read")), lead)
	w.log("G2", planner, parent("D1"), grant("G1"), gives("supply-chain-optimizer", may(el("hardware-order", "create"), "5000", total)), lead)
	w.later(time.Minute)
}

func decidesOn(w *world, what ...func(*draft)) {
	w.log("D2", agent("supply-chain-optimizer"), append([]func(*draft){parent("G2"), grant("G2"), decides("supplier V, 40 laptops"), forUser("hardware-lead")}, what...)...)
}

func orders(w *world, name, total string, edit ...func(*onusv1.Action)) {
	w.log(name, agent("supply-chain-optimizer"), parent("D2"), grant("G2"), delegated, forUser("hardware-lead"),
		does(el("hardware-order", "create", eur(total), quantity("40"), at("https://erp.example.com/orders")), edit...))
}

const readsBudget = `
A0 OWN_AUTHORITY
  first operator procurement, enabled; supply-chain-planner, decided, executed, interpreted
  also user hardware-lead, requested (attested)
  found OWN_AUTHORITY_USED on G0
`

const agentDecided = ` AGENT_DECIDED
  first supply-chain-optimizer, decided, executed
  also user hardware-lead, requested (attested), authorised; supply-chain-planner, authorised, interpreted
`

var purchase = []scenario{
	{"S3", func(w *world) {
		order(w, "")
		decidesOn(w)
		orders(w, "A1", "48000")
	}, "I1", readsBudget + "A1" + agentDecided + "within authority\n"},
	{"S3 a", func(w *world) {
		order(w, "")
		decidesOn(w)
		orders(w, "A1", "62000")
	}, "I1", readsBudget + `A1 UNAUTHORIZED
  first supply-chain-optimizer, decided, executed
  also supply-chain-planner, authorised, interpreted
  found LIMIT_EXCEEDED on G1
outside authority
`},
	{"S3 b", func(w *world) {
		order(w, "80000")
		decidesOn(w)
		orders(w, "A1", "62000")
	}, "I1", readsBudget + `A1 UNAUTHORIZED
  first supply-chain-planner, authorised, interpreted
  also supply-chain-optimizer, decided, executed
  found SCOPE_WIDENED on G2; LIMIT_EXCEEDED on G1
besides G2 SCOPE_WIDENED
outside authority
`},
	{"S3 c", func(w *world) {
		order(w, "")
		decidesOn(w, proposes(el("hardware-order", "create", eur("62000"), quantity("40"), at("https://erp.example.com/orders"))))
		w.log("OK", device("hardware-lead"), approves("D2"))
		orders(w, "A1", "62000", w.approvedBy("OK"))
	}, "I1", readsBudget + `A1 USER_APPROVED
  first user hardware-lead, authorised; supply-chain-optimizer, executed, decided
  also supply-chain-planner, interpreted
within authority
`},
	{"S3 d", func(w *world) {
		order(w, "")
		decidesOn(w)
		orders(w, "A1", "48000")
		w.log("C1", service("erp"), saw("A1", el("hardware-order", "create", eur("48000"), quantity("400"), at("https://erp.example.com/orders"))))
	}, "I1", readsBudget + "A1" + agentDecided + "  found EFFECT_DISAGREES\nwithin authority\n"},
	{"S3 e", func(w *world) {
		order(w, "")
		decidesOn(w)
		orders(w, "A1", "48000", request("po-1"))
		orders(w, "A2", "48000", request("po-1"))
	}, "I1", readsBudget + "A1" + agentDecided + "A2" + agentDecided + "  found DUPLICATE_EFFECT on A1\nwithin authority\n"},
}

// S4: the chain that went wrong.
func negotiation(w *world) {
	public := open(el("prices", "read", data("public prices")))
	strategist := forUser("strategist")
	w.log("G5", operator("globex"), gives("mail-courier", open(el("mail", "send"))))
	w.log("I1", chat(), intent("Prepare the Q4 supplier negotiation"), strategist, token("chat-web", 1), asks("planner"))
	w.log("G1", device("strategist"), parent("I1"), gives("planner", public), depth(3))
	w.log("P1", agent("planner"), parent("I1"), grant("G1"), interprets("needs vendor prices and margins"), strategist)
	w.log("G2", agent("planner"), parent("P1"), grant("G1"), gives("market-analyst", public), strategist)
	w.log("G3", agent("planner"), parent("P1"), grant("G1"), gives("vendor-manager", public), depth(1), strategist)
	w.log("A6", agent("market-analyst"), parent("G2"), grant("G2"), decides("read the price lists"), does(el("prices", "read", data("public prices"))), strategist)
	w.log("", agent("market-analyst"), ends("A6", onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	w.log("D1", agent("vendor-manager"), parent("G3"), grant("G3"), decides("margins need the contracts"), strategist)
	w.log("G4", agent("vendor-manager"), parent("D1"), grant("G3"), gives("contract-reader", open(el("prices", "read", data("restricted contracts")))), strategist)
	w.later(time.Hour)
	w.log("R1", security(), revokes(theAgent("contract-reader")))
	w.later(3 * time.Minute)
	w.log("A7", agent("contract-reader"), parent("D1"), grant("G4"), does(el("prices", "read", data("restricted contracts"))), strategist,
		claims(w.now.Add(-5*time.Minute)))
	w.log("A8", agent("mail-courier"), parentLost, causes("A7"), grant("G5"), own, decides("send the figures"), does(el("mail", "send")))
}

var wentWrong = []scenario{{"S4", negotiation, "I1", `
A6 AGENT_DECIDED
  first market-analyst, decided, executed
  also user strategist, requested (attested), authorised; planner, authorised, interpreted
A7 UNAUTHORIZED
  first vendor-manager, authorised, decided
  also contract-reader, executed; planner, authorised, interpreted; operator legal/contracts, should have prevented
  found AGENT_REVOKED; SCOPE_WIDENED on G4; OUTSIDE_DELEGATED_SCOPE on G3; LATE_RECORDED
A8 UNATTRIBUTABLE
  first operator globex, unknown
  also mail-courier, decided, executed
  until it produces the missing record
  found NO_USER_INTENT_AT_ROOT; PARENT_NOT_IN_LOG
besides G4 SCOPE_WIDENED
outside authority
`}}

// S5: an autonomous root.
func nightly(root func(*draft)) func(*world) {
	return func(w *world) {
		w.log("G0", operator("it/platform"), gives("k8s-agent", open(el("k8s.pod", "restart"))))
		w.log("T1", operator("it/platform"), trigger("nightly-reconciliation"))
		w.log("A1", agent("k8s-agent"), root, grant("G0"), own, interprets("restart what hangs"), decides("restart the pod"), does(el("k8s.pod", "restart")))
	}
}

var autonomous = []scenario{
	{"S5", nightly(parent("T1")), "A1", `
A1 OWN_AUTHORITY
  first operator it/platform, enabled; k8s-agent, decided, executed, interpreted
within authority
`},
	{"S5 without the trigger", nightly(func(*draft) {}), "A1", `
A1 UNATTRIBUTABLE
  first operator it/platform, unknown
  also k8s-agent, decided, executed, interpreted
  found NO_USER_INTENT_AT_ROOT
cannot be told
`},
}
