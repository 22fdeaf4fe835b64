package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What is registered is listed with what is in force of it: an issuer with its
// newest key set, and at the end the trust bundles.
func TestRegistrations(t *testing.T) {
	h, is := newUserHarness(t, nil)
	ctx := context.Background()
	_, sub := h.intent(is.token(nil), nil)
	h.must(h.ledger.Submit(ctx, sub))
	is.rotate()
	_, sub = h.intent(is.token(nil), nil)
	h.must(h.ledger.Submit(ctx, sub))
	now := time.Now()
	m := h.registration()
	m.Body = &onusv1.Record_TrustBundle{TrustBundle: &onusv1.TrustBundle{Domain: "example.com", Bundle: trustBundleOf(t, "example.com", 1), Fetched: timestamppb.New(now)}}
	h.must(h.ledger.Submit(ctx, Submission{Envelope: h.sign(m, h.admin).Envelope}))
	newer := trustBundleOf(t, "example.com", 2)
	at, err := h.ledger.LogTrustBundle(ctx, "example.com", newer, now)
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		var all []*onusv1.Registered
		for from := 0; ; {
			page, next, err := h.ledger.Registrations(from, 1)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page...)
			if from = next; from == 0 {
				break
			}
		}
		if len(all) != 5 { // operator, agent, issuer, client; bundle
			t.Fatalf("%d are listed: %v", len(all), all)
		}
		keys := h.ledger.Registry().KeySet(issuerURL, h.ledger.Size())
		if of := all[2]; string(of.GetKeySet().GetJwks()) != string(is.jwks()) || of.GetKeySetIndex() != keys.Index {
			t.Errorf("the issuer is listed with key set %d: %s", of.GetKeySetIndex(), of.GetKeySet().GetJwks())
		}
		if of := all[3]; of.GetRegistration().GetClient().GetId() != "chat" || len(of.GetKeys()) != 1 || of.GetKeys()[0].GetKeyId() != h.chat().Public().ID() {
			t.Errorf("the client is listed as %v", of)
		}
		want := &onusv1.Registered{Index: at, TrustBundle: &onusv1.TrustBundle{Domain: "example.com", Bundle: newer, Fetched: timestamppb.New(now)}}
		if diff := cmp.Diff(want, all[4], protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
	check()
	h.reopen()
	check()
	var re *RangeError
	if _, _, err := h.ledger.Registrations(0, MaxPage+1); !errors.As(err, &re) {
		t.Errorf("a page that is too large: %v", err)
	}
	if _, _, err := h.ledger.Registrations(99, 0); !errors.Is(err, ErrPageToken) {
		t.Errorf("a position beyond the end: %v", err)
	}
}
