package chain_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// cause is how one finding comes about. It logs A1, which gets that verdict.
type cause struct {
	code    string
	verdict chain.Code
	log     func(w *world)
}

// A user's request and grant; the planner, who may read public prices, and order
// for at most 100 EUR an item and 1,000 in total, and pass that on once.
func planned(w *world) {
	w.log("I1", chat(), intent("get us good prices"), forUser("strategist"), token("chat-web", 1), asks("planner"))
	w.log("G1", device("strategist"), parent("I1"), gives("planner", open(el("prices", "read", data("public prices"))),
		may(el("order", "create"), "100", "1000")), depth(1))
	w.log("P1", agent("planner"), parent("I1"), grant("G1"), interprets("compare prices"), decides("read them"), forUser("strategist"))
}

func reads(edit ...func(*draft)) func(*draft) {
	return func(d *draft) {
		does(el("prices", "read", data("public prices")))(d)
		for _, f := range edit {
			f(d)
		}
	}
}

// act is an action of the planner for its user, under G1 below P1.
func act(w *world, name string, edit ...func(*draft)) {
	w.log(name, agent("planner"), append([]func(*draft){parent("P1"), grant("G1"), forUser("strategist"), reads()}, edit...)...)
}

// buys is an order: what it is for, and how it was made.
func buys(n string, edit ...func(*onusv1.Action)) func(*draft) {
	return does(el("order", "create", eur(n), at("https://billing.example.com/orders")), edit...)
}

// passed: the planner passes G1 on to the analyst, who acts under it.
func passed(w *world, g func(*draft), edit ...func(*draft)) {
	w.log("G2", agent("planner"), append([]func(*draft){parent("P1"), grant("G1"), g, forUser("strategist")}, edit...)...)
}
func analyst(w *world, edit ...func(*draft)) {
	w.log("A1", agent("market-analyst"), append([]func(*draft){parent("G2"), grant("G2"), forUser("strategist"), reads()}, edit...)...)
}

// broken says that the evidence for A1 is not in order.
func broken(code string, v chain.Code) cause {
	return cause{code, v, func(w *world) {
		planned(w)
		act(w, "A1")
		w.faults[w.index("A1")] = []chain.Fault{{Code: code, Text: "does not verify"}}
	}}
}

// revoked acts after a revocation.
func revoked(code string, rev func(w *world) *onusv1.Revocation) cause {
	return cause{code, chain.Unauthorized, func(w *world) {
		planned(w)
		w.log("R1", security(), revokes(rev(w)))
		act(w, "A1")
	}}
}

func simply(code string, v chain.Code, edit ...func(*draft)) cause {
	return cause{code, v, func(w *world) {
		planned(w)
		act(w, "A1", edit...)
	}}
}

// approvable lets the planner's second grant ask for an approval above 50 EUR.
func approvable(w *world) {
	planned(w)
	w.log("G2", device("strategist"), gives("planner", open(el("order", "create"))), func(d *draft) {
		d.GetDelegation().Approvals = []*onusv1.ApprovalRule{{Above: "50", Unit: "EUR", Operations: []string{"order:create"}}}
	})
	w.log("D1", agent("planner"), parent("P1"), grant("G2"), forUser("strategist"), proposes(el("order", "create", eur("60"), at("https://billing.example.com/orders"))))
}

var causesOf = []cause{
	broken("BROKEN_SIGNATURE", chain.Unverifiable), broken("KEY_NOT_BOUND", chain.Unverifiable), broken("BROKEN_ENTRY", chain.Unverifiable),
	broken("BROKEN_STAMP", chain.Unverifiable), broken("NOT_ADMISSIBLE", chain.Unverifiable), broken("RECORD_LOGGED_TWICE", chain.AgentDecided),
	broken("NOT_INCLUDED", chain.Unverifiable), broken("INCONSISTENT_LOG", chain.Unverifiable), broken("PAYLOAD_MISMATCH", chain.Unverifiable),
	broken("LOG_TIME_DISPUTED", chain.AgentDecided), broken("UNWITNESSED", chain.AgentDecided),

	revoked("AGENT_REVOKED", func(*world) *onusv1.Revocation { return theAgent("planner") }),
	revoked("KEY_REVOKED", func(w *world) *onusv1.Revocation {
		return &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, agentID("planner")).Public().ID()}}
	}),
	revoked("GRANT_REVOKED", func(w *world) *onusv1.Revocation { return w.theGrant("G1") }),
	{"ANCESTOR_REVOKED", chain.Unauthorized, func(w *world) {
		planned(w)
		passed(w, gives("market-analyst", open(el("prices", "read"))))
		w.log("R1", device("strategist"), revokes(w.theGrant("G1")))
		analyst(w)
	}},
	{"SESSION_REVOKED", chain.Unauthorized, func(w *world) {
		podFails(w)
		w.log("R1", security(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: session("s")}}))
		w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "get")), forUser("sre"), inSession("s"))
	}},
	{"SUSPECT_WINDOW", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A1")
		w.later(time.Minute)
		w.log("R1", security(), revokes(theAgent("planner")), func(d *draft) { d.GetRevocation().SuspectedSince = timestamppb.New(nine) })
	}},
	{"CREDENTIAL_EXPIRED", chain.Unauthorized, func(w *world) {
		w.bind(&onusv1.KeyBinding{Agent: agentID("planner"), Operator: "pricing", NotAfter: timestamppb.New(nine.Add(time.Hour))}, "spare")
		planned(w)
		w.later(2 * time.Hour)
		act(w, "A1", func(d *draft) { d.key = "spare" })
	}},

	{"DENIED_BUT_DONE", chain.Unauthorized, func(w *world) {
		approvable(w)
		w.log("NO", device("strategist"), denies("D1"))
		act(w, "A1", parent("D1"), grant("G2"), buys("60"))
	}},
	simply("GRANT_MISSING", chain.Unauthorized, func(d *draft) { d.Grant = "" }),
	{"GRANT_EXPIRED", chain.Unauthorized, func(w *world) {
		planned(w)
		w.log("G2", device("strategist"), gives("planner", open(el("prices", "read"))), until(nine.Add(time.Hour)))
		w.later(time.Hour)
		act(w, "A1", grant("G2"))
	}},
	{"GRANT_NOT_YET_VALID", chain.Unauthorized, func(w *world) {
		planned(w)
		w.log("G2", device("strategist"), gives("planner", open(el("prices", "read"))), from(nine.Add(time.Hour)))
		act(w, "A1", grant("G2"))
	}},
	{"GRANT_NOT_BOUND_TO_USER", chain.Unauthorized, func(w *world) {
		planned(w)
		w.log("G2", agent("planner"), parent("P1"), gives("planner", open(el("prices", "read"))), forUser("strategist"))
		act(w, "A1", grant("G2"))
	}},
	{"SCOPE_WIDENED", chain.Unauthorized, func(w *world) {
		planned(w)
		passed(w, gives("market-analyst", open(el("prices", "read", data("restricted contracts")))))
		analyst(w, does(el("prices", "read", data("restricted contracts"))))
	}},
	{"EXPIRY_WIDENED", chain.Unauthorized, func(w *world) {
		planned(w)
		w.log("G1", device("strategist"), gives("planner", open(el("prices", "read"))), depth(1), until(nine.Add(time.Hour)))
		passed(w, gives("market-analyst", open(el("prices", "read"))), until(nine.Add(5*time.Hour)))
		w.later(2 * time.Hour)
		analyst(w)
	}},
	{"DEPTH_EXCEEDED", chain.Unauthorized, func(w *world) {
		planned(w)
		w.log("G1", device("strategist"), gives("planner", open(el("prices", "read"))))
		passed(w, gives("market-analyst", open(el("prices", "read"))))
		analyst(w)
	}},
	{"GRANT_ISSUER_LACKS_AUTHORITY", chain.Unauthorized, func(w *world) {
		planned(w)
		w.log("G2", agent("vendor-manager"), grant("G1"), gives("market-analyst", open(el("prices", "read"))), forUser("strategist"))
		analyst(w)
	}},
	{"SELF_GRANTED", chain.Unauthorized, func(w *world) {
		planned(w)
		passed(w, gives("planner", open(el("prices", "read"))))
		act(w, "A1", grant("G2"))
	}},
	simply("OUTSIDE_DELEGATED_SCOPE", chain.Unauthorized, does(el("contracts", "read"))),
	simply("SCOPE_UNCOMPARABLE", chain.Unauthorized, does(el("prices", "read"))),
	simply("LIMIT_EXCEEDED", chain.Unauthorized, buys("101")),
	{"APPROVAL_MISSING", chain.Unauthorized, func(w *world) {
		approvable(w)
		act(w, "A1", parent("D1"), grant("G2"), buys("60"))
	}},
	{"APPROVAL_MISMATCH", chain.Unauthorized, func(w *world) {
		approvable(w)
		w.log("OK", device("strategist"), approves("D1"))
		act(w, "A1", parent("D1"), grant("G2"), buys("61", w.approvedBy("OK")))
	}},
	{"APPROVAL_REUSED", chain.Unauthorized, func(w *world) {
		approvable(w)
		w.log("OK", device("strategist"), approves("D1"))
		act(w, "A0", parent("D1"), grant("G2"), buys("60", w.approvedBy("OK")))
		act(w, "A1", parent("D1"), grant("G2"), buys("60", w.approvedBy("OK")))
	}},
	{"OWN_AUTHORITY_USED", chain.OwnAuthority, func(w *world) { onOwn(w, own) }},
	{"OWN_AUTHORITY_UNDECLARED", chain.Unauthorized, func(w *world) { onOwn(w, delegated) }},
	{"DISCLOSED_BEYOND_PRINCIPAL", chain.Unauthorized, func(w *world) {
		onOwn(w, own)
		w.names["A0"] = w.names["A1"]
		act(w, "A1", grant("G2"), own, does(el("report", "send", data("margins"), to(user("strategist")))))
	}},
	simply("PRINCIPAL_CHANGED", chain.Unauthorized, forUser("other")),
	{"MIXED_PRINCIPALS", chain.AgentDecided, func(w *world) {
		planned(w)
		w.log("I2", chat(), parent("I1"), intent("and the margins"), forUser("other"), token("chat-web", 1))
		act(w, "A1", causes("I1", "I2"))
	}},
	simply("IMPERSONATION_SUSPECTED", chain.AgentDecided, does(el("prices", "read", data("public prices")), showsToken(&onusv1.TokenFacts{Sub: user("strategist")}))),
	simply("PARENT_AGENT_MISMATCH", chain.Unauthorized, parentAgent("vendor-manager")),
	{"NO_USER_INTENT_AT_ROOT", chain.Unattributable, func(w *world) { planned(w); act(w, "A1", func(d *draft) { d.Parent = "" }) }},
	simply("PARENT_NOT_IN_LOG", chain.Unattributable, parentLost),
	simply("CAUSE_NOT_IN_LOG", chain.AgentDecided, func(d *draft) { d.Causes = []string{strings.Repeat("cd", 32)} }),
	{"CAUSE_LOGGED_LATER", chain.AgentDecided, func(w *world) {
		planned(w)
		r, a := w.sign("C1", chat(), parent("I1"), intent("hurry"), forUser("strategist"), token("chat-web", 1))
		act(w, "A1", causes("C1"))
		w.admit("C1", r, a)
	}},
	simply("ACTION_WITHOUT_DECISION", chain.AgentDecided, parent0),
	{"DECISION_WITHOUT_INTERPRETATION", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A1", parent("I1"), decides("read them"))
	}},
	{"INTENT_NOT_BOUND_TO_TOKEN", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A1", parent("P1"), intent("and quickly"))
	}},
	{"USER_TOKEN_EXPIRED_BEFORE_ACTION", chain.Unauthorized, func(w *world) {
		podFails(w)
		w.later(time.Hour)
		w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "get")), forUser("sre"), inSession("s"))
	}},
	{"ACTED_OUTSIDE_SESSION", chain.AgentDecided, func(w *world) {
		podFails(w)
		w.log("A1", agent("k8s-agent"), parent("I1"), does(el("k8s.pod", "get")), forUser("sre"), inSession("other"))
	}},
	{"EFFECT_DISAGREES", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A1", buys("50"))
		w.log("C1", service("billing"), saw("A1", el("order", "create", eur("500"))))
	}},
	{"DUPLICATE_EFFECT", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A0", buys("50", request("r-1")))
		act(w, "A1", buys("51", request("r-1")))
	}},
	{"OUTCOME_MISSING", chain.AgentDecided, func(w *world) { planned(w); act(w, "A1"); w.later(time.Hour) }},
	{"NO_COUNTER_RECORD", chain.AgentDecided, func(w *world) { planned(w); act(w, "A1", buys("50")); w.later(time.Hour) }},
	simply("NOT_SELF_RECORDED", chain.AgentDecided, capture(onusv1.Capture_CAPTURE_RECORDER)),
	{"INSTANCE_FORKED", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A1")
		act(w, "A2", func(d *draft) { d.Sequence, d.Previous = d.Sequence-1, w.named("P1").ID.String() })
	}},
	simply("SEQUENCE_GAP", chain.AgentDecided, func(d *draft) { d.Sequence, d.Previous = 7, strings.Repeat("ef", 32) }),
	{"INSTANCE_NOT_CLOSED", chain.AgentDecided, func(w *world) { planned(w); act(w, "A1"); w.later(time.Hour) }},
	{"DELEGATE_SILENT", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A1")
		passed(w, gives("market-analyst", open(el("prices", "read"))))
		w.later(time.Hour)
	}},
	{"LOSS_DECLARED", chain.AgentDecided, func(w *world) {
		planned(w)
		act(w, "A1")
		w.log("L1", agent("planner"), parent("A1"), func(d *draft) {
			d.Sequence += 3
			d.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: d.Sequence - 3, LastSequence: d.Sequence - 1}}
		})
	}},
	simply("CLOCK_SKEW", chain.AgentDecided, claims(nine.Add(time.Hour))),
	simply("LATE_RECORDED", chain.AgentDecided, claims(nine.Add(-time.Hour))),
	{"NOT_JUDGED", chain.NotJudged, func(w *world) {
		planned(w)
		w.newer("N1", agent("planner"), parent("P1"), grant("G1"), decides("in a way that these rules do not know"), forUser("strategist"))
		act(w, "A1", parent("N1"))
	}},
}

// parent0 puts the user's request right above the action.
func parent0(d *draft) { parent("I1")(d) }

// onOwn: the planner reads margins on its operator's permissions.
func onOwn(w *world, basis func(*draft)) {
	planned(w)
	w.log("G2", operator("pricing"), gives("planner", open(el("margins", "read")), open(el("report", "send"))))
	act(w, "A1", grant("G2"), basis, does(el("margins", "read", data("margins"))))
}

// Each finding comes about as the table says, and its vector is as it was made.
func TestFindings(t *testing.T) {
	base := newWorld(t)
	golden(t, filepath.Join("testdata", "findings", "log.json"), pretty(t, base.raw))
	made := map[string]bool{}
	for _, c := range causesOf {
		made[c.code] = true
		t.Run(c.code, func(t *testing.T) {
			w := newWorld(t)
			c.log(w)
			r := newReader(t, w.raw)
			out := r.judge(w.named("A1").ID, w.now.UnixMilli(), w.faults)
			rule := chain.Rules[0]
			for _, x := range chain.Rules {
				if x.Code == c.code {
					rule = x
				}
			}
			found := 0
			check := func(fs []chain.Finding) {
				for _, f := range fs {
					if f.Code != c.code {
						continue
					}
					found++
					if f.Title != rule.Title || f.Kind != rule.Kind || f.Who != rule.Who || f.Text == "" {
						t.Errorf("finding is %+v, its rule is %+v", f, rule)
					}
					if len(f.Parties) == 0 && f.Who != chain.WhoSupplier && f.Who != chain.WhoNobody && f.Who != chain.WhoService {
						t.Errorf("nobody is named for %s", f.Who)
					}
				}
			}
			check(out.Findings)
			check(out.Evidence.Omissions)
			for _, v := range out.Actions {
				check(v.Findings)
				if v.Record == w.named("A1").ID && v.Code != c.verdict {
					t.Errorf("verdict is %s (%s), want %s\n%s", v.Code, v.Why, c.verdict, w.read(out))
				}
			}
			if found == 0 {
				t.Errorf("not found\n%s", w.read(out))
			}
			v := vector{Entries: w.raw[len(base.raw):], Of: w.named("A1").ID.String(), Time: w.now.UnixMilli(), Want: told(out)}
			for i := range w.entries {
				for _, f := range w.faults[int64(i)] {
					v.Faults = append(v.Faults, fault{int64(i), f.Code})
				}
			}
			golden(t, filepath.Join("testdata", "findings", c.code+".json"), pretty(t, v))
		})
	}
	var missing []string
	for _, r := range chain.Rules {
		if made[r.Code] == r.Pending {
			missing = append(missing, r.Code)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("without a cause, or pending with one: %s", diff)
	}
}

func pretty(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// newer logs a record with a field that is not known here.
func (w *world) newer(name string, by *onusv1.Author, edit ...func(*draft)) {
	w.t.Helper()
	known, _ := w.sign("", by, edit...)
	env := record.Envelope{Type: record.TypeProtobuf, Payload: append(known.Envelope.Payload, 0xfa, 0x3f, 1, 'x')} // field 1023
	sig, err := signer(w.t, keyOf(by)).Sign(env.PAE())
	if err != nil {
		w.t.Fatal(err)
	}
	env.Signature = sig
	if _, err := record.Parse(env); !record.IsNewer(err) {
		w.t.Fatalf("error is %v, want that of a newer record", err)
	}
	at := int64(len(w.entries))
	st := &entry.Stamp{LogTime: w.now.UnixMilli(), KeySetEntry: -1, KeyEntry: w.reg.Key(known.Msg.GetAuthor().GetKeyId(), at).Index}
	st.RegistryCount, st.RegistryRoot = w.reg.Stamp(at)
	raw, err := (&entry.Entry{Stamp: *st, Envelope: env}).Marshal()
	if err != nil {
		w.t.Fatal(err)
	}
	r := &record.Record{ID: env.ID(), Envelope: env}
	w.entries = append(w.entries, chain.Entry{Index: at, LogTime: st.LogTime, Record: r, Stamp: st, Opaque: chain.Newer})
	w.raw = append(w.raw, raw)
	w.names[name], w.called[r.ID] = r, name
	w.heads[by.GetAgent()+" "+by.GetInstance()] = &record.Record{ID: r.ID, Msg: known.Msg}
}
