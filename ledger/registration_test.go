package ledger

import (
	"context"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (h *harness) adminRecord(reg *onusv1.Registration) Submission {
	h.t.Helper()
	m := h.registration()
	m.Body = &onusv1.Record_Registration{Registration: reg}
	return Submission{Envelope: h.sign(m, h.admin).Envelope}
}

func operatorReg(id string) *onusv1.Registration {
	return &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: id, Organisation: "Example", Unit: "U", AccountablePost: "Head of U"}}}
}

func agentReg(id, operator string) *onusv1.Registration {
	return &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: id, Operator: operator, DisplayName: "A"}}}
}

func keyReg(k record.Signer, agent, instance, operator string) *onusv1.Registration {
	return &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: k.Public().SPKI(), Agent: agent, Instance: instance, Operator: operator}}}
}

// Registrations in one batch are judged in the batch's order, each against
// those before it: the first of two that conflict wins.
func TestRegistrationsInOneBatch(t *testing.T) {
	h := newHarness(t, nil, nil)
	key, second := newSigner(t), newSigner(t)
	const a = "spiffe://example.com/new"
	steps := []struct {
		name, reason string
		reg          *onusv1.Registration
	}{
		{"agent before its operator", registry.ReasonNotRegistered, agentReg(a, "it/new")},
		{"operator", "", operatorReg("it/new")},
		{"agent of the operator before it", "", agentReg(a, "it/new")},
		{"the agent for another operator", registry.ReasonConflict, agentReg(a, testOperator)},
		{"key of the agent before it", "", keyReg(key, a, "", "it/new")},
		{"the key for another agent", registry.ReasonConflict, keyReg(key, testAgent, "", testOperator)},
		{"the key once more", registry.ReasonConflict, keyReg(key, a, "", "it/new")},
		{"key with another operator than its agent's", registry.ReasonConflict, keyReg(second, a, "", testOperator)},
		{"key of an agent that is not there", registry.ReasonNotRegistered, keyReg(second, "spiffe://example.com/no", "", testOperator)},
		{"the administrator's key", registry.ReasonConflict, keyReg(h.admin, a, "", "it/new")},
		{"second key, of one instance", "", keyReg(second, a, "pod-7", "it/new")},
	}
	var subs []Submission
	want := h.ledger.Size()
	for _, s := range steps {
		subs = append(subs, h.adminRecord(s.reg))
	}
	for i, res := range h.ledger.SubmitBatch(context.Background(), subs) {
		switch {
		case steps[i].reason != "":
			wantReason(t, res.Err, steps[i].reason)
		case res.Err != nil:
			t.Errorf("%s: %v", steps[i].name, res.Err)
		case res.Logged.Receipt.Index != want:
			t.Errorf("%s is at %d, want %d", steps[i].name, res.Logged.Receipt.Index, want)
		default:
			want++
		}
	}
	if got := h.ledger.Size(); got != want {
		t.Errorf("%d entries, want %d", got, want)
	}

	say := func(k record.Signer, instance string) error {
		r := h.sign(h.step(func(m *onusv1.Record) {
			m.Author = &onusv1.Author{Agent: a, Instance: instance, Operator: "it/new"}
		}), k)
		_, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope})
		return err
	}
	for range 2 {
		if err := say(key, "any"); err != nil {
			t.Error(err)
		}
		if err := say(second, "pod-7"); err != nil {
			t.Error(err)
		}
		wantReason(t, say(second, "pod-8"), registry.ReasonKeyNotBound)
		h.checkLog()
		h.reopen()
	}
	h.checkRows()
}

// A record cannot rest on a registration in its own batch.
func TestKeyCountsAfterItsEntry(t *testing.T) {
	h := newHarness(t, nil, nil)
	key := newSigner(t)
	r := h.sign(h.step(nil), key)
	got := h.ledger.SubmitBatch(context.Background(), []Submission{
		h.adminRecord(keyReg(key, testAgent, "", testOperator)), {Envelope: r.Envelope}})
	if got[0].Err != nil {
		t.Fatal(got[0].Err)
	}
	wantReason(t, got[1].Err, registry.ReasonKeyNotBound)
	h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}))
	h.checkLog()
}

// Only administrators register, only under their own name.
func TestWhoMayRegister(t *testing.T) {
	h := newHarness(t, nil, nil)
	m := &onusv1.Record{Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Administrator: "root"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Registration{Registration: operatorReg("it/evil")}}
	_, err := h.ledger.Submit(context.Background(), Submission{Envelope: h.sign(m, h.agent).Envelope})
	wantReason(t, err, registry.ReasonKeyNotBound)
	m.Author = &onusv1.Author{Administrator: "other"}
	_, err = h.ledger.Submit(context.Background(), Submission{Envelope: h.sign(m, h.admin).Envelope})
	wantReason(t, err, registry.ReasonKeyNotBound)
	if op, _ := h.ledger.Registry().Operator("it/evil", h.ledger.Size()); op != nil {
		t.Errorf("registered %v", op)
	}
}

// An operator's key signs triggers, and nothing that is an agent's.
func TestOperatorKey(t *testing.T) {
	h := newHarness(t, nil, nil)
	key := newSigner(t)
	h.must(h.register(keyReg(key, "", "", testOperator)))
	m := &onusv1.Record{Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Operator: testOperator},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "nightly"}}}
	h.must(h.ledger.Submit(context.Background(), Submission{Envelope: h.sign(m, key).Envelope}))
	_, err := h.ledger.Submit(context.Background(), Submission{Envelope: h.sign(h.step(nil), key).Envelope})
	wantReason(t, err, registry.ReasonKeyNotBound)
	h.checkLog()
}
