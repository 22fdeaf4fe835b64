package authority_test

import (
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func reviewOf(r *record.Record) *onusv1.Record {
	return &onusv1.Record{Causes: []string{r.ID.String()}, Body: &onusv1.Record_Review{Review: &onusv1.Review{
		Record: r.ID.String(), Disposition: onusv1.Disposition_DISPOSITION_OPEN}}}
}

// Whoever is revoked, or signs with a key that has ended, closes no matter.
func TestWhoMayReview(t *testing.T) {
	l := newLog(t, nil)
	a := l.add(agent("planner"), does(nil, el("file", "read")))
	l.want(l.add(boss(), reviewOf(a)), nil) // nothing is found of it
	l.bind(&onusv1.KeyBinding{Reviewer: "boss", NotAfter: timestamppb.New(l.now.Add(time.Hour))}, "boss, for an hour")
	brief := func() *record.Record {
		m := reviewOf(a)
		l.n++
		m.Author, m.Origin, m.Capture, m.ClaimedTime = boss(), origin, onusv1.Capture_CAPTURE_SELF, timestamppb.New(l.now)
		m.Nonce = append(make([]byte, record.NonceSize-1), byte(l.n))
		r, err := record.Sign(m, signer(t, "boss, for an hour"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if err := l.submit(brief(), 0); err != nil {
		t.Errorf("with a key that has not ended: %v", err)
	}
	l.now = l.now.Add(time.Hour)
	wantRefusal(t, l.submit(brief(), 0), registry.ReasonKeyEnded, "author.key_id")
	l.add(admin(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, "boss").Public().ID()}}))
	wantRefusal(t, l.submit(l.sign(boss(), reviewOf(a)), 0), registry.ReasonRevoked, "author")
	l.check()
}

func TestCheckReviewed(t *testing.T) {
	l := newLog(t, nil)
	a := l.add(agent("planner"), does(nil, el("file", "read")))
	review := l.sign(boss(), reviewOf(a))
	asked := record.ID{}
	logged := func(answer bool) func(record.ID) bool {
		return func(id record.ID) bool { asked = id; return answer }
	}
	if err := authority.CheckReviewed(review, logged(true)); err != nil || asked != a.ID {
		t.Errorf("of what is in the log: %v, asked about %s", err, asked)
	}
	wantRefusal(t, authority.CheckReviewed(review, logged(false)), authority.ReasonUnknownRecord, "review.record")
	if err := authority.CheckReviewed(a, nil); err != nil {
		t.Errorf("what is no review: %v", err)
	}
}
