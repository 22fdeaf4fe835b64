package registry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/registry"
)

// A history is told up to an index, the oldest first; and so are revocations,
// of whatever kind.
func TestListings(t *testing.T) {
	l := revocableLog(t)
	first, _ := l.reg.Agent(planner, 1<<62)
	again := l.add(newAgent(t, planner, acme, "model-2"))
	byKey := l.add(revoke(t, admin("root"), "root", ofKey(t, "planner")))
	byAgent := l.add(revoke(t, admin("root"), "root", ofAgent(planner)))
	byOperator := l.add(revoke(t, admin("root"), "root", ofOperator(globex)))
	p := registry.Party{Kind: registry.KindAgent, ID: planner}
	for at, want := range map[int64][]string{0: nil, 2: nil, 3: {first.GetModel()}, again: {first.GetModel()}, again + 1: {first.GetModel(), "model-2"}, 1 << 62: {first.GetModel(), "model-2"}} {
		var got []string
		for _, r := range l.reg.History(p, at) {
			got = append(got, r.Registration.GetAgent().GetModel())
			if r.Party != p || r.First != 2 || r.Index < r.First || r.Index >= at {
				t.Errorf("at %d: %+v", at, r)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history at %d (-want +got)\n%s", at, diff)
		}
	}
	for at, want := range map[int64][]int64{0: nil, byKey: nil, byAgent: {byKey}, byOperator: {byKey, byAgent}, 1 << 62: {byKey, byAgent, byOperator}} {
		var got []int64
		for _, r := range l.reg.AllRevocations(at) {
			got = append(got, r.Index)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("revocations at %d (-want +got)\n%s", at, diff)
		}
	}
	if got := l.reg.History(registry.Party{Kind: registry.KindAgent, ID: "spiffe://example.com/nobody"}, 1<<62); got != nil {
		t.Errorf("nobody has a history: %v", got)
	}
}
