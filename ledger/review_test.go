package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func incident(r *record.Record) *onusv1.Review {
	return &onusv1.Review{Record: r.ID.String(), Finding: "GRANT_MISSING", Disposition: onusv1.Disposition_DISPOSITION_INCIDENT}
}

// reviewed is a review by a reviewer's own key, signed.
func (h *harness) reviewed(s record.Signer, v *onusv1.Review) *record.Record {
	h.t.Helper()
	return h.sign(&onusv1.Record{
		Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Reviewer: "controller"}, Causes: []string{v.GetRecord()},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(), Body: &onusv1.Record_Review{Review: v},
	}, s)
}

// An officer's review is logged, signed by the host, and is part of the chain
// that it is about; its note is stored under the officer's key.
func TestReview(t *testing.T) {
	h := newHarness(t, nil, nil)
	ctx := context.Background()
	about, _ := h.submit(nil)
	ps := h.mint(NameUser, "officer@example.com", "deputy@example.com")
	asked := incident(about)
	asked.Assignee = ps[1]
	got := h.must(h.ledger.Review(ctx, asked, "nobody was asked", ps[0]))
	if asked.Note != nil {
		t.Error("Review changed what it was given")
	}
	e, err := h.ledger.Entry(got.Receipt.Index)
	if err != nil {
		t.Fatal(err)
	}
	m := e.Record.Msg
	if len(m.GetReview().GetNote().GetCommitment()) != record.CommitmentSize {
		t.Errorf("the note is %v, want a commitment", m.GetReview().GetNote())
	}
	if diff := cmp.Diff(asked, m.GetReview(), protocmp.Transform(), protocmp.IgnoreFields(&onusv1.Review{}, "note")); diff != "" ||
		!m.GetAuthor().GetHost() || m.GetUser() != ps[0] || m.GetToken() != nil || !slices.Equal(m.GetCauses(), []string{about.ID.String()}) {
		t.Errorf("logged %v: %s", m, diff)
	}
	cs, err := h.ledger.Contents(e)
	if err != nil || len(cs) != 1 || string(cs[0].GetData()) != "nobody was asked" || cs[0].GetSubject() != ps[0] {
		t.Errorf("contents %v, %v", cs, err)
	}
	// Without an officer the host holds the note, and open needs none.
	anonymous := h.must(h.ledger.Review(ctx, incident(about), "found by a script", ""))
	open := &onusv1.Review{Record: about.ID.String(), Disposition: onusv1.Disposition_DISPOSITION_OPEN}
	h.must(h.ledger.Review(ctx, open, "", ps[1]))
	e2, err := h.ledger.Entry(anonymous.Receipt.Index)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.contents(e2.Record); !slices.Equal(got, []string{"found by a script"}) {
		t.Errorf("the host's contents: %q", got)
	}

	c, err := h.ledger.Chain(about.ID, 100)
	if err != nil {
		t.Fatal(err)
	}
	j, err := h.ledger.Judge(c)
	if err != nil {
		t.Fatal(err)
	}
	built := chain.Build(entriesOf(c), c.Elsewhere, h.ledger.Registry().Genesis().GetPolicy())
	var newest []string
	for _, r := range chain.ReviewsOf(built) {
		newest = append(newest, strings.TrimSpace(r.Finding+" "+chain.DispositionWord(r.Review.GetDisposition())))
		if r.About == nil || r.About.Record.ID != about.ID {
			t.Errorf("%s is about %v", r.Finding, r.About)
		}
	}
	if want := []string{"GRANT_MISSING incident", "open"}; !slices.Equal(newest, want) {
		t.Errorf("reviews %q, want %q", newest, want)
	}
	if len(c.Entries) != 4 || len(j.Actions) != 1 || len(j.Findings) != 0 {
		t.Errorf("%d records, %d verdicts, findings %v; want 4 records, one verdict, and nothing to say of the reviews", len(c.Entries), len(j.Actions), j.Findings)
	}

	// The evidence has the reviews, with their notes if contents are asked for.
	b, _ := h.bundle(Ask{IDs: []record.ID{about.ID}, Reader: Reader{Contents: func(*Entry) bool { return true }}})
	rep, err := verifier.CheckBundle(b, verifier.Trust{LogKey: h.key})
	if err != nil {
		t.Fatal(err)
	}
	reviews, notes := 0, map[string]bool{}
	for _, l := range rep.Evidence.Leaves {
		if l.Record != nil && l.Record.Msg.GetReview() != nil {
			reviews++
		}
	}
	for _, data := range rep.Opened {
		notes[string(data)] = true
	}
	if rep.FaultCount != 0 || reviews != 3 || rep.Chained != 4 || !notes["nobody was asked"] || !notes["found by a script"] {
		t.Errorf("%d faults, %d reviews of %d records of the chain, notes %v", rep.FaultCount, reviews, rep.Chained, notes)
	}
	if diff := cmp.Diff(string(j.VerdictJSON()), string(rep.Judgement.VerdictJSON())); diff != "" {
		t.Errorf("who reads the bundle judges otherwise (-server +bundle):\n%s", diff)
	}

	// To forget the officer is to destroy one key: the review stays, and what
	// the note said is gone.
	h.change(func(db *pebble.DB) error { return db.Delete(keyHolder(ps[0]), nil) })
	h.open()
	if e, err = h.ledger.Entry(got.Receipt.Index); err != nil {
		t.Fatal(err)
	}
	if cs, err := h.ledger.Contents(e); err != nil || len(cs) != 0 {
		t.Errorf("the officer was forgotten, and the note says %v, %v", cs, err)
	}
	h.checkLog()
	h.checkRows()
}

func TestReviewRefused(t *testing.T) {
	h := newHarness(t, nil, nil)
	ctx := context.Background()
	about, _ := h.submit(nil)
	controller := h.reviewer()
	officer := h.mint(NameUser, "officer@example.com")[0]
	before := h.ledger.Size()
	unknown, other := incident(about), incident(about)
	unknown.Record = strings.Repeat("ab", 32)
	other.Assignee = "u-" + strings.Repeat("a", 26)
	for _, c := range []struct {
		name, note, officer, reason, field string
		review                             *onusv1.Review
	}{
		{"of what is not logged", "why", officer, authority.ReasonUnknownRecord, "review.record", unknown},
		{"of nothing", "why", officer, record.ReasonInvalid, "review.record", &onusv1.Review{Disposition: 1}},
		{"of what is no id", "why", officer, record.ReasonInvalid, "review.record", &onusv1.Review{Record: "4711", Disposition: 1}},
		{"with no note", "", officer, record.ReasonInvalid, "review.note", incident(about)},
		{"by a name", "why", "officer@example.com", record.ReasonInvalid, "user", incident(about)},
		{"by an officer whom nobody minted", "why", other.Assignee, "UNKNOWN_PSEUDONYM", "user", incident(about)},
		{"for an assignee whom nobody minted", "why", officer, "UNKNOWN_PSEUDONYM", "review.assignee", other},
	} {
		_, err := h.ledger.Review(ctx, c.review, c.note, c.officer)
		wantReason(t, err, c.reason)
		var e *record.Error
		if errors.As(err, &e) && (e.Field != c.field || e.Next == "") {
			t.Errorf("%s: refused at %q: %v", c.name, e.Field, e)
		}
	}
	// By a reviewer's own key the same; and not once the reviewer is revoked,
	// because the review would close the matter.
	for _, k := range []struct {
		name string
		v    *onusv1.Review
	}{{"of what is not logged", unknown}, {"by an agent's key", incident(about)}} {
		k.v.Note = &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: make([]byte, 32)}}
		r := h.reviewed(controller, k.v)
		want := authority.ReasonUnknownRecord
		if k.v != unknown {
			r = h.reviewed(h.agent, k.v)
			want = registry.ReasonKeyNotBound
		}
		_, err := h.ledger.Submit(ctx, Submission{Envelope: r.Envelope})
		wantReason(t, err, want)
	}
	if h.ledger.Size() != before {
		t.Errorf("%d entries, want %d: what was refused left a trace", h.ledger.Size(), before)
	}
	good := incident(about)
	good.Note = &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: make([]byte, 32)}}
	h.must(h.ledger.Submit(ctx, Submission{Envelope: h.reviewed(controller, good).Envelope}))
	m := h.registration()
	m.Body = &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: controller.Public().ID()}}}
	h.must(h.ledger.Submit(ctx, Submission{Envelope: h.sign(m, h.admin).Envelope}))
	_, err := h.ledger.Submit(ctx, Submission{Envelope: h.reviewed(controller, good).Envelope})
	wantReason(t, err, registry.ReasonRevoked)
	h.checkLog()
}

// What is reviewed may stand in the same batch before the review, and not
// after it.
func TestReviewInOneBatch(t *testing.T) {
	h := newHarness(t, nil, nil)
	controller := h.reviewer()
	first, second := h.record(nil), h.record(nil)
	open := func(r *record.Record) Submission {
		return Submission{Envelope: h.reviewed(controller, &onusv1.Review{Record: r.ID.String(), Disposition: onusv1.Disposition_DISPOSITION_OPEN}).Envelope}
	}
	got := h.ledger.SubmitBatch(context.Background(), []Submission{{Envelope: first.Envelope}, open(first), open(second), {Envelope: second.Envelope}})
	for _, i := range []int{0, 1, 3} {
		if got[i].Err != nil {
			t.Errorf("record %d: %v", i, got[i].Err)
		}
	}
	wantReason(t, got[2].Err, authority.ReasonUnknownRecord)
	h.checkLog()
}

func TestReviewWithoutHostKey(t *testing.T) {
	h := newHarness(t, nil, nil)
	about, _ := h.submit(nil)
	h.close()
	h.cfg.HostKey = nil
	h.open()
	_, err := h.ledger.Review(context.Background(), incident(about), "why", "")
	wantReason(t, err, ReasonNoHost)
	h.close()
	h.cfg.HostKey = ed25519.NewKeyFromSeed(seed("host"))
	h.open()
	h.must(h.ledger.Review(context.Background(), incident(about), "why", ""))
	h.stop()
	h.stop = func() {}
	if _, err := h.ledger.Review(context.Background(), incident(about), "why", ""); !errors.Is(err, ErrStopped) {
		t.Errorf("Review after the stop: %v, want ErrStopped", err)
	}
}

// The way back of Name makes nothing.
func TestPseudonymOf(t *testing.T) {
	h := newHarness(t, nil, nil)
	user := h.mint(NameUser, "officer@example.com")[0]
	if got, err := h.ledger.PseudonymOf(NameUser, "officer@example.com"); err != nil || got != user {
		t.Errorf("PseudonymOf: %q, %v; want %q", got, err, user)
	}
	for _, c := range []struct {
		kind NameKind
		name string
	}{{NameSubject, "officer@example.com"}, {NameUser, "deputy@example.com"}, {NameUser, ""}} {
		for range 2 { // asking does not mint
			got, err := h.ledger.PseudonymOf(c.kind, c.name)
			if got != "" || !errors.Is(err, ErrNotFound) || c.name != "" && strings.Contains(err.Error(), c.name) {
				t.Errorf("PseudonymOf(%q, %q): %q, %v; want ErrNotFound without the name", c.kind, c.name, got, err)
			}
		}
	}
	h.reopen()
	if got, err := h.ledger.PseudonymOf(NameUser, "officer@example.com"); err != nil || got != user {
		t.Errorf("PseudonymOf after a restart: %q, %v; want %q", got, err, user)
	}
}
