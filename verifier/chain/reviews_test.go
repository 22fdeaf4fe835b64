package chain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// reviews makes a record that reviews a named one.
func reviews(name, finding string, d onusv1.Disposition) func(*draft) {
	return func(r *draft) {
		id := r.w.named(name).ID.String()
		r.Causes = []string{id}
		r.Body = &onusv1.Record_Review{Review: &onusv1.Review{Record: id, Finding: finding, Disposition: d,
			Note: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "so it is"}}}}
	}
}

const (
	isOpen    = onusv1.Disposition_DISPOSITION_OPEN
	explained = onusv1.Disposition_DISPOSITION_EXPLAINED
	escalated = onusv1.Disposition_DISPOSITION_ESCALATED
	incident  = onusv1.Disposition_DISPOSITION_INCIDENT
	mistaken  = onusv1.Disposition_DISPOSITION_FALSE_ALARM
)

// The newest of each record and finding counts, by log order and not by the
// order in which the entries come; those before stay in the chain.
func TestReviewsOf(t *testing.T) {
	w := newWorld(t)
	order(w, "")
	decidesOn(w)
	orders(w, "A1", "62000")
	w.log("R1", boss(), reviews("A1", "LIMIT_EXCEEDED", isOpen))
	w.log("R2", boss(), reviews("I1", "", escalated))
	w.log("R3", boss(), reviews("A1", "LIMIT_EXCEEDED", incident))
	w.log("R4", boss(), reviews("A1", "APPROVAL_MISSING", mistaken))
	w.log("R5", boss(), reviews("I1", "", explained))
	w.log("R6", boss(), reviews("A1", "", isOpen))
	es := chainOf(w.entries, w.named("A1").ID)
	said := func(c *chain.Chain) (all []string) {
		for _, r := range chain.ReviewsOf(c) {
			s := fmt.Sprintf("%s: %s", w.called[r.Node.Record.ID], chain.DispositionWord(r.Review.GetDisposition()))
			if r.Finding != "" {
				s += ", " + r.Finding
			}
			if r.About != nil {
				s += " of " + w.called[r.About.Record.ID]
			}
			if w.called[r.Record] == "" {
				t.Errorf("%s is about %s", s, r.Record)
			}
			all = append(all, s)
		}
		return all
	}
	want := []string{"R3: incident, LIMIT_EXCEEDED of A1", "R4: false alarm, APPROVAL_MISSING of A1", "R5: explained of I1", "R6: open of A1"}
	shuffled(rand.New(rand.NewPCG(1, 0)), es, func(es []chain.Entry) {
		if diff := cmp.Diff(want, said(chain.Build(es, nil, policy))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
	// Without what it is about; and one that cannot be read says nothing, so
	// that the one before it does.
	alone := slices.DeleteFunc(slices.Clone(es), func(e chain.Entry) bool { return e.Record.ID == w.named("I1").ID })
	for i := range alone {
		if alone[i].Record.ID == w.named("R3").ID {
			alone[i].Opaque = chain.Withheld
		}
	}
	want = []string{"R1: open, LIMIT_EXCEEDED of A1", "R4: false alarm, APPROVAL_MISSING of A1", "R5: explained", "R6: open of A1"}
	if diff := cmp.Diff(want, said(chain.Build(alone, nil, policy))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := chain.ReviewsOf(chain.Build(nil, nil, policy)); len(got) != 0 {
		t.Errorf("no chain has the reviews %v", got)
	}
}

// Reviews stand beside: any chain has the same verdict, byte for byte, with
// them and without.
func TestReviewsChangeNoVerdict(t *testing.T) {
	for seed := range *seeds {
		g := randomLog(newWorld(t), seed, 0, nil)
		rng := rand.New(rand.NewPCG(seed, 2)) // the log itself is as without reviews
		written := 0
		for range steps {
			g.step()
			for range rng.IntN(3) {
				all := append(slices.Clone(g.records), g.actions...)
				if len(all) == 0 {
					break
				}
				about := pick(rng, all)
				finding := pick(rng, []string{"", chain.Rules[rng.IntN(len(chain.Rules))].Code})
				g.log("", boss(), reviews(about, finding, onusv1.Disposition(1+rng.IntN(5))))
				written++
			}
		}
		with := g.all()
		without := slices.DeleteFunc(slices.Clone(with), func(e chain.Entry) bool { return e.Record.Msg.GetReview() != nil })
		if written == 0 || len(with)-len(without) != written {
			t.Fatalf("seed %d: %d reviews written, and %d in the log", seed, written, len(with)-len(without))
		}
		if len(chain.ReviewsOf(chain.Build(with, elsewhere(g.entries), policy))) == 0 {
			t.Fatalf("seed %d: no reviews are found", seed)
		}
		for _, hand := range []chain.Hand{{}, byHand} {
			want, got := g.judgeEntries(without, hand), g.judgeEntries(with, hand)
			if diff := cmp.Diff(string(want.VerdictJSON()), string(got.VerdictJSON())); diff != "" {
				t.Errorf("seed %d (-without +with reviews):\n%s", seed, diff)
			}
			if diff := cmp.Diff(string(want.JSON()), string(got.JSON())); diff != "" {
				t.Errorf("seed %d, with what was at hand (-without +with reviews):\n%s", seed, diff)
			}
		}
	}
}

// The officer in a review is nobody for whom work is done, neither in the
// review nor in what names it as a cause. What is wrong with the review itself
// is told of it, and of nothing else.
func TestReviewsAreNobodysWork(t *testing.T) {
	w := newWorld(t)
	order(w, "")
	decidesOn(w)
	orders(w, "A1", "4000")
	before := w.judge("A1")
	// A review by the host for an officer. Its key is in no genesis here, so it
	// is put beside the log.
	r := w.log("R1", boss(), reviews("A1", "", mistaken))
	msg := &onusv1.Record{Origin: origin, Nonce: r.Msg.GetNonce(), Author: &onusv1.Author{Host: true}, User: user("officer"),
		Capture: r.Msg.GetCapture(), ClaimedTime: r.Msg.GetClaimedTime(), Causes: r.Msg.GetCauses(), Body: r.Msg.GetBody()}
	hosts, err := record.Sign(msg, signer(t, "host"))
	if err != nil {
		t.Fatal(err)
	}
	es := append(chainOf(w.entries, w.named("A1").ID), chain.Entry{Index: int64(len(w.entries)), LogTime: w.now.UnixMilli(), Record: hosts})
	after := w.judgeEntries(es, chain.Hand{Source: chain.FromLog})
	after.Size = before.Size
	if diff := cmp.Diff(string(before.VerdictJSON()), string(after.VerdictJSON())); diff != "" {
		t.Errorf("(-before +after the host's review):\n%s", diff)
	}
	if rs := chain.ReviewsOf(chain.Build(es, nil, policy)); len(rs) != 1 || rs[0].Node.Record.Msg.GetUser() != user("officer") {
		t.Errorf("reviews %v", rs)
	}

	w.log("D9", agent("supply-chain-planner"), decides("as reviewed"), forUser("hardware-lead"), func(d *draft) { d.Causes = []string{hosts.ID.String()} })
	es = append(es, w.entries[len(w.entries)-1])
	for _, f := range w.judgeEntries(es, chain.Hand{}).Findings {
		if f.Code == "MIXED_PRINCIPALS" {
			t.Errorf("entry %d: %s", f.Index, f.Text)
		}
	}

	w.log("R2", boss(), reviews("A1", "", isOpen), func(d *draft) { d.claimed = d.w.now.Add(time.Hour) })
	found := 0
	for _, f := range w.judge("A1").Findings {
		if f.Code == "CLOCK_SKEW" && f.Index == w.index("R2") {
			found++
		}
	}
	if v := verdictOf(t, w, w.judge("A1"), "A1"); found != 1 || v.Code != before.Actions[len(before.Actions)-1].Code {
		t.Errorf("a review from a clock that runs ahead: %d findings of it, and the verdict %s", found, v.Why)
	}
}

// A later revocation leaves a review, and says that it may be somebody else's.
func TestReviewMayBeSomebodyElses(t *testing.T) {
	w := newWorld(t)
	order(w, "")
	decidesOn(w)
	orders(w, "A1", "4000")
	before := verdictText(verdictOf(t, w, w.judge("A1"), "A1"))
	w.log("R1", boss(), reviews("A1", "", mistaken))
	w.later(time.Minute)
	w.log("", admin(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, "boss").Public().ID()}}),
		func(d *draft) { d.GetRevocation().SuspectedSince = timestamppb.New(nine) })
	out := w.judge("A1")
	if diff := cmp.Diff(before, verdictText(verdictOf(t, w, out, "A1"))); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if fs := out.Findings; len(fs) != 1 || fs[0].Code != "SUSPECT_WINDOW" || fs[0].Index != w.index("R1") {
		t.Errorf("findings %v, want SUSPECT_WINDOW of the review alone", fs)
	}
}
