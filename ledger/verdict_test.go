package ledger

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// trigger is the operator's: nightly work without a user.
func (h *harness) trigger() *record.Record {
	h.t.Helper()
	m := h.step(nil)
	m.Author, m.Sequence, m.Previous = &onusv1.Author{Operator: testOperator}, 0, ""
	m.Body = &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "nightly"}}
	return h.sign(m, h.operatorKey())
}

func (h *harness) orderFor(parent, under *record.Record, amount string) *record.Record {
	h.t.Helper()
	return h.record(func(m *onusv1.Record) {
		m.Parent, m.Grant, m.Basis = parent.ID.String(), under.ID.String(), onusv1.Basis_BASIS_OWN
		m.GetStages().Decision = &onusv1.Decision{Chosen: []*onusv1.ScopeElement{{Type: "order", Action: "place"}}}
		m.GetStages().Action.Element = &onusv1.ScopeElement{Type: "order", Action: "place", Amount: amount, Unit: "EUR"}
	})
}

func (h *harness) judged(id record.ID) *chain.Judgement {
	h.t.Helper()
	c, err := h.ledger.Chain(id, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	j, err := h.ledger.Judge(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return j
}

// What the ledger says of a chain is what an auditor says who has read the log:
// byte for byte.
func TestJudgeAsAnAuditor(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	root, trigger := h.own(&onusv1.Grant{Scope: orders("100")}), h.trigger()
	h.log(root, trigger)
	within := h.orderFor(trigger, root, "60")
	h.log(within)
	over := h.orderFor(trigger, root, "50")
	h.log(over)
	j := h.judged(trigger.ID)
	if len(j.Actions) != 2 || j.Actions[0].Code != chain.OwnAuthority || j.Actions[1].Code != chain.Unauthorized {
		t.Fatalf("judged as %+v", j.Actions)
	}

	// The auditor's own fold, over entries alone.
	reg := registry.New()
	auth := authority.New(reg, authority.NewMemory())
	var entries []chain.Entry
	var last int64
	for i := range h.ledger.Size() {
		e, err := h.ledger.Entry(i)
		if err != nil {
			t.Fatal(err)
		}
		if err := reg.Add(e.Record, i, tree.LeafHash(e.Raw), &e.Stamp); err != nil {
			t.Fatal(err)
		}
		auth.Add(e.Record, i, &e.Stamp)
		last = e.Stamp.LogTime
		if m := e.Record.Msg; e.Record.ID == trigger.ID || m.GetParent() == trigger.ID.String() {
			entries = append(entries, chain.Entry{Index: i, LogTime: e.Stamp.LogTime, Record: e.Record, Stamp: &e.Stamp})
		}
	}
	built := chain.Build(entries, nil, reg.Genesis().GetPolicy())
	want := chain.Judge(built, chain.Basis{Registry: reg, Authority: auth, Size: h.ledger.Size(), Time: last, Hand: chain.Hand{Source: chain.FromLog}})
	if diff := cmp.Diff(string(want.VerdictJSON()), string(j.VerdictJSON())); diff != "" {
		t.Errorf("the auditor (-) and the ledger (+) differ:\n%s", diff)
	}
	cut, err := h.ledger.Chain(over.ID, 1)
	if err != nil || !cut.Cut {
		t.Fatal(cut, err)
	}
	var out *RangeError
	if _, err := h.ledger.Judge(cut); !errors.As(err, &out) || out.Field != "limit" {
		t.Errorf("a chain that was cut: %v", err)
	}
}

// Who asks before acting hears what is said afterwards, and the log has
// nothing of it.
func TestMayBeforeActing(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	root, trigger := h.own(&onusv1.Grant{Scope: orders("100")}), h.trigger()
	h.log(root, trigger, h.orderFor(trigger, root, "60"))
	for _, amount := range []string{"40", "40.01", "1"} {
		r := h.orderFor(trigger, root, amount)
		size := h.ledger.Size()
		v, err := h.ledger.May(r.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		if h.ledger.Size() != size {
			t.Fatal("asking was logged")
		}
		h.log(r)
		j := h.judged(r.ID)
		after := j.Actions[len(j.Actions)-1]
		if v.Code != after.Code || v.Why != after.Why || codesOf(v.Findings) != codesOf(after.Findings) {
			t.Errorf("%s: before %s %q %s, afterwards %s %q %s", amount, v.Code, v.Why, codesOf(v.Findings), after.Code, after.Why, codesOf(after.Findings))
		}
	}

	proposal := h.record(func(m *onusv1.Record) {
		m.Parent, m.Grant, m.Basis = trigger.ID.String(), root.ID.String(), onusv1.Basis_BASIS_OWN
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Decision: &onusv1.Decision{
			Proposal: &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "5", Unit: "EUR"}}}}
	})
	if v, err := h.ledger.May(proposal.Envelope); err != nil || v.Code != chain.Unauthorized {
		t.Errorf("a proposal beyond the limit: %+v, %v", v, err)
	}
	if v, err := h.ledger.May(h.orderFor(&record.Record{ID: record.ID{7}}, root, "1").Envelope); err != nil || v.Outcome == chain.WithinAuthority {
		t.Errorf("with a parent that is not in the log: %+v, %v", v, err)
	}
	intent := h.record(func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Interpretation: &onusv1.Interpretation{
			Text: &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: make([]byte, 32)}}}}}
	})
	_, err := h.ledger.May(intent.Envelope)
	wantReason(t, err, record.ReasonInvalid)
	forged := h.orderFor(trigger, root, "1").Envelope
	forged.Signature = make([]byte, len(forged.Signature))
	_, err = h.ledger.May(forged)
	wantReason(t, err, record.ReasonBadSignature)
}

func codesOf(fs []chain.Finding) (codes string) {
	for _, f := range fs {
		codes += f.Code + " "
	}
	return codes
}
