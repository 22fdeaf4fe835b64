package registry_test

import (
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A key that a suspect key bound is suspect, and so is one that this one bound:
// a stolen key would otherwise outlive its revocation in another. What it signs
// is suspect whenever it is logged.
func TestSuspectBindings(t *testing.T) {
	l := fullLog(t)
	a := agent(planner, "i", acme)
	first := l.addAt(now, rotate(t, a, "planner", "before", plannerKey("i")))
	since := now.Add(time.Hour)
	second := l.addAt(since, rotate(t, a, "planner", "stolen", plannerKey("i")))
	third := l.addAt(since, rotate(t, a, "stolen", "hidden", plannerKey("i")))
	elsewhere := l.addAt(since, newKey(t, "other", planner, "j", acme)) // by an administrator
	rev := ofKey(t, "planner")
	rev.SuspectedSince = timestamppb.New(since)
	at := l.addAt(since, revoke(t, admin("root"), "root", rev))
	for _, c := range []struct {
		name, key    string
		index, asked int64
		want         int
	}{
		{"bound before the suspicion", "before", first + 1, at + 1, 0},
		{"bound since", "stolen", second + 1, at + 1, 1},
		{"bound since, logged after the revocation", "stolen", at + 5, at + 1, 1},
		{"bound by such a key", "hidden", third + 1, at + 1, 1},
		{"bound by such a key, logged after the revocation", "hidden", at + 5, at + 1, 1},
		{"before the revocation is known", "hidden", third + 1, at, 0},
		{"bound by somebody else", "other", elsewhere + 1, at + 1, 0},
		{"the key itself, once and not twice", "planner", third + 1, at + 1, 1},
		{"the key itself, after the revocation", "planner", at + 5, at + 1, 0},
		{"a key that nobody knows", "nobody", third + 1, at + 1, 0},
	} {
		a := &onusv1.Author{Agent: planner, Instance: "i", Operator: acme, KeyId: keyID(t, c.key)}
		revs := l.reg.Suspicions(a, c.index, since.UnixMilli(), c.asked)
		if len(revs) != c.want {
			t.Errorf("%s: %d suspicions, want %d", c.name, len(revs), c.want)
		}
		for _, r := range revs {
			if r.Index != at || r.Key != keyID(t, "planner") {
				t.Errorf("%s: suspect by %+v, want the revocation of entry %d", c.name, r, at)
			}
		}
	}
	// The key that is bound on the suspect word is itself revoked too: both are
	// said.
	rev = ofKey(t, "hidden")
	rev.SuspectedSince = timestamppb.New(since)
	again := l.addAt(since, revoke(t, admin("root"), "root", rev))
	hidden := &onusv1.Author{Agent: planner, Instance: "i", Operator: acme, KeyId: keyID(t, "hidden")}
	if got := l.reg.Suspicions(hidden, third+1, since.UnixMilli(), again+1); len(got) != 2 {
		t.Errorf("%d suspicions, want those of both keys", len(got))
	}
	// Nobody bound a key of the genesis.
	root := &onusv1.Author{Administrator: "root", KeyId: keyID(t, "root")}
	if got := l.reg.Suspicions(root, 1, since.UnixMilli(), again+1); len(got) != 0 {
		t.Errorf("the first administrator is suspect: %v", got)
	}
}
