package ledger

import (
	"context"
	"errors"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// revocation signs a revocation of the test agent as the administrator.
func (h *harness) revocation() *record.Record {
	h.t.Helper()
	return h.sign(&onusv1.Record{
		Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Administrator: "root"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: testAgent}}},
	}, h.admin)
}

// From the revoke call to its effect is one commit: in one batch, what comes
// before it is not hit and what comes after it is, and all of it is logged.
func TestRevokeAndSubmitInOneBatch(t *testing.T) {
	h := newHarness(t, nil, nil)
	before, rev, after := h.record(nil), h.revocation(), h.record(nil)
	var at [3]int64
	for i, res := range h.ledger.SubmitBatch(context.Background(), []Submission{{Envelope: before.Envelope}, {Envelope: rev.Envelope}, {Envelope: after.Envelope}}) {
		at[i] = h.must(res.Logged, res.Err).Receipt.Index
	}
	check := func() {
		t.Helper()
		for i, want := range []int{0, 0, 1} {
			e, err := h.ledger.Entry(at[i])
			if err != nil {
				t.Fatal(err)
			}
			if got := len(h.ledger.Registry().Revocations(e.Record.Msg.GetAuthor(), e.Index)); got != want {
				t.Errorf("entry %d: %d revocations hit it, want %d", e.Index, got, want)
			}
		}
	}
	check()
	if rep := h.checkLog(); rep.RegistryEntries != 5 {
		t.Errorf("the audit saw %d registry entries, want 5", rep.RegistryEntries)
	}
	h.reopen() // the registry is folded again from the log
	check()
	h.checkLog()
}

// What a revoked party would bind is refused, even where the revocation stands
// earlier in the same batch, and leaves no trace.
func TestRevokedAgentGetsNoKey(t *testing.T) {
	h := newHarness(t, nil, nil)
	key := h.sign(&onusv1.Record{
		Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Administrator: "root"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
			PublicKey: newSigner(t).Public().SPKI(), Agent: testAgent, Operator: testOperator}}}},
	}, h.admin)
	res := h.ledger.SubmitBatch(context.Background(), []Submission{{Envelope: h.revocation().Envelope}, {Envelope: key.Envelope}})
	h.must(res[0].Logged, res[0].Err)
	var e *record.Error
	if !errors.As(res[1].Err, &e) || e.Reason != registry.ReasonRevoked {
		t.Errorf("a key for the revoked agent: %v, want %s", res[1].Err, registry.ReasonRevoked)
	}
	if got, want := h.ledger.Size(), res[0].Logged.Receipt.Index+1; got != want {
		t.Errorf("size %d, want %d", got, want)
	}
	h.checkLog()
}
