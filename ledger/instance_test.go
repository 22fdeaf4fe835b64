package ledger

import (
	"context"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/registry"
)

// One process does not take the place of another that signs with the class's
// key: not of one with records in the log, and not of one that is logged
// earlier in the same batch.
func TestInstanceOfTheClassKey(t *testing.T) {
	h, is := newUserHarness(t, nil)
	h.enrolWorkloads(is)
	ctx := context.Background()
	enrols := func(instance string) Submission {
		key := newSigner(t)
		return h.enrolment(key, instance, withWorkloadToken(is, key, nil))
	}
	h.submit(nil) // pod-1 is alive, and signs with the class's key
	_, err := h.ledger.Enrol(ctx, enrols("pod-1"))
	wantReason(t, err, registry.ReasonConflict)

	// Another class's instance of that name is nobody's business here.
	other := newSigner(t)
	const id = "spiffe://example.com/other"
	h.must(h.register(agentReg(id, testOperator)))
	h.must(h.register(keyReg(other, id, "", testOperator)))
	theirs := h.sign(h.step(func(m *onusv1.Record) {
		m.Author.Agent, m.Author.Instance, m.Sequence, m.Previous = id, "pod-2", 0, ""
	}), other)
	h.log(theirs)
	h.must(h.ledger.Enrol(ctx, enrols("pod-2")))

	of := func(instance string) Submission {
		return h.envelopes(1, func(_ int, m *onusv1.Record) { m.Author.Instance = instance })[0]
	}
	res := h.ledger.SubmitBatch(ctx, []Submission{of("pod-3"), enrols("pod-3"), enrols("pod-4"), of("pod-5")})
	h.must(res[0].Logged, res[0].Err)
	wantReason(t, res[1].Err, registry.ReasonConflict)
	h.must(res[2].Logged, res[2].Err)
	h.must(res[3].Logged, res[3].Err)
	h.reopen()
	_, err = h.ledger.Enrol(ctx, enrols("pod-5"))
	wantReason(t, err, registry.ReasonConflict)

	// Admission saw none of it, and the log grew meanwhile.
	p, _, err := h.ledger.admit(ctx, enrols("pod-6"))
	if err != nil {
		t.Fatal(err)
	}
	h.submitAll([]Submission{of("pod-6")})
	if err := h.ledger.enqueue(p); err != nil {
		t.Fatal(err)
	}
	_, err = h.ledger.await(ctx, p)
	wantReason(t, err, registry.ReasonConflict)
	h.checkLog()
	h.checkRows()
}
