package desk

import (
	"slices"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// A revocation has only those cases judged again that it can make suspect, and
// all of these. The model test holds random revocations to the engine.
func TestRevocationsJudgeWhatTheyHit(t *testing.T) {
	const planner, buyer, granted, passed, old = 0, 1, 2, 3, 4
	for _, c := range []struct {
		what string
		of   func(w *world, grant, sub *record.Record) *onusv1.Revocation
		hit  []int
	}{
		{"an agent class", func(*world, *record.Record, *record.Record) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: agentID("buyer")}}
		}, []int{buyer}},
		{"an agent's key", func(w *world, _, _ *record.Record) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, agentID("buyer")).Public().ID()}}
		}, []int{buyer}},
		{"an operator", func(*world, *record.Record, *record.Record) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Operator{Operator: "procurement"}}
		}, []int{buyer}},
		{"a grant", func(_ *world, grant, _ *record.Record) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: grant.ID.String()}}
		}, []int{granted, passed}},
		{"a grant below it", func(_ *world, _, sub *record.Record) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: sub.ID.String()}}
		}, []int{passed}},
		{"who passed a grant on", func(*world, *record.Record, *record.Record) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: agentID("planner")}}
		}, []int{planner, granted, passed}},
		{"a service that wrote nothing", func(w *world, _, _ *record.Record) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(w.t, shop.Service).Public().ID()}}
		}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			grant := w.log(platform, grantTo(byAgent("planner", ""), "prices:read"))
			sub := w.log(byAgent("planner", "1"), underGrant(grant), grantTo(byAgent("reader", ""), "prices:read"))
			before := w.log(byAgent("buyer", "1"), does("order:create", ""))
			w.log(byAgent("buyer", "1"), under(before), outcome(onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
			w.later(time.Hour)
			since := w.now
			var acts []*record.Record
			for _, a := range []struct {
				by    *onusv1.Author
				grant *record.Record
			}{{byAgent("planner", "1"), nil}, {byAgent("buyer", "1"), nil}, {byAgent("planner", "1"), grant}, {byAgent("reader", "1"), sub}} {
				edit := []func(*onusv1.Record){does("prices:read", "")}
				if a.grant != nil {
					edit = append(edit, underGrant(a.grant))
				}
				acts = append(acts, w.log(a.by, edit...))
			}
			acts = append(acts, before)
			d, _ := running(t, "", w)
			caughtUp(t, d)
			judged := d.judged
			w.later(time.Second)
			w.log(root, revokes(c.of(w, grant, sub), since))
			caughtUp(t, d)
			if n := d.judged - judged; n != len(c.hit) {
				t.Errorf("%d cases were judged again, want %d", n, len(c.hit))
			}
			for i, act := range acts {
				suspect := slices.Contains(codesOf(mustCase(t, d, act)), "SUSPECT_WINDOW")
				if suspect != slices.Contains(c.hit, i) || i == old && suspect {
					t.Errorf("case %d is suspect: %t", i, suspect)
				}
			}
		})
	}
}
