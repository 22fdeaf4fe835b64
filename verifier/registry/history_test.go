package registry_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Every question takes an index and is answered as the entries before it have
// it.
func TestHistory(t *testing.T) {
	l := smallLog(t)                                         // 0 to 3
	l.add(action(t, agent(planner, "i-1", acme), "planner")) // 4: not a registry entry
	l.add(newOperator(t, acme, "new@acme.example"))          // 5
	l.add(newAgent(t, planner, acme, "model-2"))             // 6
	l.add(newKey(t, "planner 2", planner, "i-2", acme))      // 7
	l.add(newOperator(t, globex, ""))                        // 8
	l.add(newAgent(t, clerk, globex, "model-1"))             // 9
	l.add(newKey(t, "clerk", clerk, "", globex))             // 10
	l.add(trigger(t, admin("root"), "root"))                 // 11: not one either
	g := l.reg

	for _, tt := range []struct {
		at      int64
		contact string // of acme; none before its registration
		since   int64
	}{
		{0, "", -1}, {1, "", -1}, {2, "old@acme.example", 1}, {5, "old@acme.example", 1},
		{6, "new@acme.example", 5}, {12, "new@acme.example", 5}, {1 << 62, "new@acme.example", 5},
	} {
		op, since := g.Operator(acme, tt.at)
		if op.GetContact() != tt.contact || since != tt.since || (op == nil) != (tt.since < 0) {
			t.Errorf("operator at %d: %q since %d, want %q since %d", tt.at, op.GetContact(), since, tt.contact, tt.since)
		}
	}
	for _, tt := range []struct {
		at    int64
		model string
		since int64
	}{
		{0, "", -1}, {2, "", -1}, {3, "model-1", 2}, {6, "model-1", 2}, {7, "model-2", 6}, {12, "model-2", 6},
	} {
		a, since := g.Agent(planner, tt.at)
		if a.GetModel() != tt.model || since != tt.since || (a == nil) != (tt.since < 0) {
			t.Errorf("agent at %d: %q since %d, want %q since %d", tt.at, a.GetModel(), since, tt.model, tt.since)
		}
	}
	for _, tt := range []struct {
		at   int64
		want []string
	}{
		{0, nil}, {2, nil}, {3, []string{planner}}, {9, []string{planner}}, {10, []string{planner, clerk}}, {12, []string{planner, clerk}},
	} {
		if diff := cmp.Diff(tt.want, g.Agents(tt.at), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("agents at %d (-want +got)\n%s", tt.at, diff)
		}
	}
	for _, tt := range []struct {
		agent string
		at    int64
		want  []int64 // indices of the bindings
	}{
		{planner, 0, nil}, {planner, 3, nil}, {planner, 4, []int64{3}}, {planner, 7, []int64{3}}, {planner, 8, []int64{3, 7}},
		{clerk, 10, nil}, {clerk, 11, []int64{10}}, {"spiffe://example.com/nobody", 11, nil},
	} {
		var got []int64
		for _, b := range g.Keys(tt.agent, tt.at) {
			got = append(got, b.Index)
			if b.Agent != tt.agent {
				t.Errorf("key of %s is bound to %s", tt.agent, b.Agent)
			}
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("keys of %s at %d (-want +got)\n%s", tt.agent, tt.at, diff)
		}
	}
	if op, since := g.Operator("nobody", 12); op != nil || since != -1 {
		t.Errorf("nobody is registered as %v since %d", op, since)
	}
	if got := g.LogKey().Origin(); got != origin {
		t.Errorf("log key is of %q, want %q", got, origin)
	}
	if got := g.Genesis().GetAdministrators()[1].GetName(); got != "deputy" {
		t.Errorf("second administrator is %q", got)
	}
}

// A binding counts for entries after it: what was in force at an index can be
// asked for ever.
func TestAuthenticateAtAnIndex(t *testing.T) {
	l := smallLog(t)
	r := action(t, agent(planner, "i-1", acme), "planner")
	for at := int64(1); at < 3; at++ {
		_, err := l.reg.Authenticate(r, at)
		wantRefusal(t, err, registry.ReasonKeyNotBound, "author.key_id")
	}
	_, err := l.reg.Authenticate(r, 3) // the entry that binds the key
	wantRefusal(t, err, registry.ReasonKeyNotBound, "author.key_id")
	for _, at := range []int64{4, 5, 1000} {
		b, err := l.reg.Authenticate(r, at)
		if err != nil {
			t.Errorf("at %d: %v", at, err)
			continue
		}
		if b.Index != 3 || b.Agent != planner || b.Operator != acme || b.Instance != "" || b.Administrator != "" {
			t.Errorf("at %d: binding is %+v", at, b)
		}
	}
}

func TestKeyAtAnIndex(t *testing.T) {
	l := smallLog(t) // binds planner's key at 3
	for _, tt := range []struct {
		name string
		at   int64
		want int64 // -1: none
	}{
		{"root", 0, -1}, {"root", 1, 0}, {"deputy", 1, 0}, {"planner", 3, -1}, {"planner", 4, 3}, {"planner", 1 << 62, 3}, {"stranger", 10, -1},
	} {
		got := int64(-1)
		if b := l.reg.Key(signer(t, tt.name).Public().ID(), tt.at); b != nil {
			got = b.Index
		}
		if got != tt.want {
			t.Errorf("key of %s at %d: bound at %d, want %d", tt.name, tt.at, got, tt.want)
		}
	}
}

// Each answer is that of a scan of the whole history, at every index.
func TestHistoryAtEveryIndex(t *testing.T) {
	l := smallLog(t)
	contacts := map[int64]string{1: "old@acme.example"}
	keys := map[int64]bool{3: true}
	for i := range 60 {
		switch i % 4 {
		case 0, 1: // the registry does not grow with every entry
			l.add(action(t, agent(planner, "i-1", acme), "planner"))
		case 2:
			c := fmt.Sprint("contact ", i)
			contacts[l.add(newOperator(t, acme, c))] = c
		case 3:
			keys[l.add(newKey(t, fmt.Sprint("planner ", i), planner, "", acme))] = true
		}
	}
	for at := range l.size + 2 {
		contact, since, n := "", int64(-1), 0
		for i := range at {
			if c, ok := contacts[i]; ok {
				contact, since = c, i
			}
			if keys[i] {
				n++
			}
		}
		if op, got := l.reg.Operator(acme, at); op.GetContact() != contact || got != since {
			t.Errorf("operator at %d: %q since %d, want %q since %d", at, op.GetContact(), got, contact, since)
		}
		if got := len(l.reg.Keys(planner, at)); got != n {
			t.Errorf("keys at %d: %d, want %d", at, got, n)
		}
	}
	l.checkStamps()
}

func TestEmptyRegistry(t *testing.T) {
	g := registry.New()
	if g.Genesis() != nil || !g.LogKey().IsZero() || len(g.Agents(5)) != 0 || len(g.Keys(planner, 5)) != 0 {
		t.Error("an empty registry knows something")
	}
}
