package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// newRejecting is a ledger whose policy has records of revoked parties
// rejected.
func newRejecting(t *testing.T) *harness {
	h := bareHarness(t, nil, nil)
	h.policy = DefaultPolicy()
	h.policy.Revoked = onusv1.RevokedRecords_REVOKED_RECORDS_REJECT
	h.create()
	h.enrol()
	return h
}

// rejected wants err to be a rejection that the log holds, and returns its
// index.
func (h *harness) rejected(of *record.Record, revocation int64, err error) int64 {
	h.t.Helper()
	var e *RejectedError
	if !errors.As(err, &e) {
		h.t.Fatalf("error is %v (%T), want a RejectedError", err, err)
	}
	wantReason(h.t, err, registry.ReasonRevoked)
	if !strings.Contains(e.Err.Detail, testAgent) || e.Err.Next == "" {
		h.t.Errorf("the refusal says %q", e.Err)
	}
	got, err := h.ledger.Entry(e.Entry)
	if err != nil {
		h.t.Fatal(err)
	}
	want := &onusv1.Rejection{Record: of.ID.String(), Author: of.Msg.GetAuthor(), Revocation: revocation}
	if diff := cmp.Diff(want, got.Record.Msg.GetRejection(), protocmp.Transform()); diff != "" {
		h.t.Errorf("entry %d: %s", e.Entry, diff)
	}
	if !got.Record.Msg.GetAuthor().GetHost() || !got.Record.Msg.GetClaimedTime().AsTime().Equal(of.Msg.GetClaimedTime().AsTime()) {
		h.t.Errorf("the rejection is by %v at %v", got.Record.Msg.GetAuthor(), got.Record.Msg.GetClaimedTime())
	}
	if _, err := h.ledger.Index(of.ID); !errors.Is(err, ErrNotFound) {
		h.t.Errorf("the rejected record is in the log: %v", err)
	}
	return e.Entry
}

// A record of a revoked agent is refused, and the log says so, once for each
// record however often it is sent.
func TestRejection(t *testing.T) {
	h := newRejecting(t)
	ctx := context.Background()
	before, rev, after := h.record(nil), h.revocation(), h.record(nil)
	res := h.ledger.SubmitBatch(ctx, []Submission{{Envelope: before.Envelope}, {Envelope: rev.Envelope}, {Envelope: after.Envelope}, {Envelope: after.Envelope}})
	h.must(res[0].Logged, res[0].Err)
	at := h.must(res[1].Logged, res[1].Err).Receipt.Index
	first := h.rejected(after, at, res[2].Err)
	if again := h.rejected(after, at, res[3].Err); again != first {
		t.Errorf("the same record in one batch is rejected at %d and at %d", first, again)
	}
	size := h.ledger.Size()
	for range 2 {
		// Another revocation, of what comes first among targets, changes nothing.
		_, err := h.ledger.Submit(ctx, Submission{Envelope: after.Envelope})
		if again := h.rejected(after, at, err); again != first || h.ledger.Size() != size {
			t.Errorf("again: rejected at %d, want %d; %d entries, want %d", again, first, h.ledger.Size(), size)
		}
		h.must(h.ledger.Submit(ctx, Submission{Envelope: h.revocationOf(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: h.agent.Public().ID()}}, h.admin, &onusv1.Author{Administrator: "root"}).Envelope}))
		size++
		h.reopen()
	}
	if got := h.must(h.ledger.Submit(ctx, Submission{Envelope: before.Envelope})); !got.Duplicate {
		t.Error("what was logged before the revocation is not known any more")
	}
	h.checkLog()
	h.checkRows()
}

// revocationOf signs a revocation.
func (h *harness) revocationOf(rev *onusv1.Revocation, s record.Signer, by *onusv1.Author) *record.Record {
	h.t.Helper()
	return h.sign(&onusv1.Record{Origin: testOrigin, Nonce: NewNonce(), Author: by, Capture: onusv1.Capture_CAPTURE_SELF,
		ClaimedTime: timestamppb.Now(), Body: &onusv1.Record_Revocation{Revocation: rev}}, s)
}

// Who is revoked may still end its own key: that is never rejected. Nor is
// what others say.
func TestWhatIsNotRejected(t *testing.T) {
	h := newRejecting(t)
	ctx := context.Background()
	h.must(h.ledger.Submit(ctx, Submission{Envelope: h.revocation().Envelope}))
	own := h.revocationOf(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: h.agent.Public().ID()}}, h.agent,
		&onusv1.Author{Agent: testAgent, Instance: "pod-1", Operator: testOperator})
	h.must(h.ledger.Submit(ctx, Submission{Envelope: own.Envelope}))
	h.must(h.register(operatorReg("it/new")))
	if _, err := h.ledger.LogTrustBundle(ctx, "example.com", []byte(`{"keys":[]}`), h.ledger.cfg.Clock()); err == nil {
		t.Error("the host logged the first bundle of a domain")
	} else {
		wantReason(t, err, registry.ReasonNotPermitted)
	}
	h.checkLog()
}

// By default what a revoked party says is logged, and its author is told.
func TestRevokedAreTold(t *testing.T) {
	h := newHarness(t, nil, nil)
	ctx := context.Background()
	_, before := h.submit(nil)
	if len(before.Revoked) != 0 {
		t.Errorf("told of %v before there is a revocation", before.Revoked)
	}
	rev := h.must(h.ledger.Submit(ctx, Submission{Envelope: h.revocation().Envelope}))
	r, got := h.submit(nil)
	again := h.must(h.ledger.Submit(ctx, Submission{Envelope: r.Envelope}))
	for _, l := range []*Logged{got, again} {
		if len(l.Revoked) != 1 || l.Revoked[0].Index != rev.Receipt.Index || l.Revoked[0].Target() != "agent "+testAgent {
			t.Errorf("told of %v, want the revocation at %d", l.Revoked, rev.Receipt.Index)
		}
	}
	h.checkLog()
}
