package rpc_test

import (
	"context"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A reviewer's key decides, not who carries the review. Its note is for
// compliance, administrators and those who answer for the reviewer; to the
// agent that it is about it shows that it is there.
func TestReviewsByRole(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	anna := newSigner(t)
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "anna", Operator: hr, Post: "Officer"}}})
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: anna.Public().SPKI(), Reviewer: "anna"}}})
	text, content := record.NewText([]byte("agreed by phone"))
	review := func(by *onusv1.Author, key record.Signer, of string) *onusv1.SubmitRequest {
		t.Helper()
		m := &onusv1.Record{Origin: origin, Nonce: ledger.NewNonce(), Author: by, Causes: []string{of},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Review{Review: &onusv1.Review{Record: of, Disposition: onusv1.Disposition_DISPOSITION_EXPLAINED, Note: text}}}
		r, err := record.Sign(m, key)
		must(t, err)
		return &onusv1.SubmitRequest{Envelope: r.Envelope.Proto(), Contents: []*onusv1.Content{content}}
	}
	// Carried by an agent that is known.
	own, err := w.as("agent").Submit(ctx, review(&onusv1.Author{Reviewer: "anna"}, anna, w.intent.id))
	must(t, err)
	hosts, err := w.ledger.Review(ctx, &onusv1.Review{Record: w.intent.id, Disposition: onusv1.Disposition_DISPOSITION_INCIDENT}, "seen in the viewer", "")
	must(t, err)
	// Signed with an agent's key as the reviewer, even by an administrator's
	// hand; and of what is not there.
	for _, c := range []struct {
		key    record.Signer
		of     string
		code   connect.Code
		reason string
	}{
		{w.agent, w.intent.id, connect.CodePermissionDenied, "KEY_NOT_BOUND"},
		{anna, record.ID{1}.String(), connect.CodeFailedPrecondition, "UNKNOWN_RECORD"},
	} {
		_, err := w.as("administrator").Submit(ctx, review(&onusv1.Author{Reviewer: "anna"}, c.key, c.of))
		if code, p := problem(t, err); code != c.code || p.GetReason() != c.reason || p.GetNext() == "" {
			t.Errorf("refused with %v, %v; want %v, %s", code, p, c.code, c.reason)
		}
	}

	for caller, want := range map[string][2]string{ // c: with the note, r: without, -: redacted, or denied
		"agent":         {"-", "-"},
		"operator":      {"-", "-"},
		"hr":            {"c", "-"},
		"auditor":       {"r", "r"},
		"compliance":    {"c", "c"},
		"administrator": {"c", "c"},
	} {
		var read, shown [2]string
		resp, err := w.as(caller).GetChain(ctx, &onusv1.GetChainRequest{Id: w.intent.id, Contents: true})
		must(t, err)
		for i, index := range []int64{own.GetReceipt().GetIndex(), hosts.Receipt.GetIndex()} {
			for _, r := range resp.GetRecords() {
				switch {
				case r.GetIndex() != index:
				case r.GetRedacted() && r.GetRecord().GetReview() == nil:
					shown[i] = "-"
				case len(r.GetContents()) > 0:
					shown[i] = "c"
				default:
					shown[i] = "r"
				}
			}
			one, err := w.as(caller).GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: index}, Contents: true})
			switch {
			case err != nil && answer(t, err) == "permission_denied":
				read[i] = "-"
			case err == nil && len(one.GetRecord().GetContents()) > 0:
				read[i] = "c"
			case err == nil:
				read[i] = "r"
			}
		}
		if diff := cmp.Diff([2][2]string{want, want}, [2][2]string{shown, read}); diff != "" {
			t.Errorf("%s, in the chain and by record (-want +got):\n%s", caller, diff)
		}
	}
	w.checkLog()
}
