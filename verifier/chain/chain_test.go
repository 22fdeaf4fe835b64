package chain_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

func wantPicture(t *testing.T, c *chain.Chain, want string) {
	t.Helper()
	if diff := cmp.Diff(want, picture(c)); diff != "" {
		t.Errorf("chain (-want +got):\n%s", diff)
	}
}

func TestBuild(t *testing.T) {
	m := newMaker(t)
	root := m.linked(nil)
	a := m.linked(root)
	b := m.linked(a)
	c := m.linked(root, b)
	effect := m.linked(nil, a, c)
	below := m.linked(effect)
	wantPicture(t, chain.Build(logged(10, root, a, b, c, effect, below), nil, policy), `10 children 11 13
11 under 10 children 12 effects 14
12 under 11 effects 13
13 under 10 causes 12 effects 14
14 children 15 causes 11 13
15 under 14
roots 10 14
`)
}

func TestBuildOfNothing(t *testing.T) {
	wantPicture(t, chain.Build(nil, nil, policy), "roots\n")
}

// A parent and a cause that were logged after the record are found all the
// same; that a cause was logged later is said.
func TestBuildOutOfOrder(t *testing.T) {
	m := newMaker(t)
	parent, cause := m.linked(nil), m.linked(nil)
	child := m.linked(parent, cause)
	c := chain.Build(logged(3, child, parent, cause), nil, policy)
	wantPicture(t, c, `3 under 4 causes 5 CAUSE_LOGGED_LATER
4 children 3
5 effects 3
roots 4 5
`)
	if got, want := c.Nodes[0].Findings[0].Text, "names entry 5 as a cause, which was logged after it"; got != want {
		t.Errorf("text is %q, want %q", got, want)
	}
}

// What is missing is listed once, by the first that names it.
func TestBuildMissing(t *testing.T) {
	m := newMaker(t)
	gone, lost := m.linked(nil), m.linked(nil)
	a := m.linked(gone)
	b := m.linked(gone, lost)
	c := m.linked(lost, gone)
	got := chain.Build(logged(0, a, b, c), nil, policy)
	wantPicture(t, got, `0 PARENT_NOT_IN_LOG
1 PARENT_NOT_IN_LOG CAUSE_NOT_IN_LOG
2 PARENT_NOT_IN_LOG CAUSE_NOT_IN_LOG
roots 0 1 2
missing by 0, parent true
missing by 1, parent false
`)
	if got.Missing[0].ID != gone.ID || got.Missing[1].ID != lost.ID {
		t.Errorf("missing are %v and %v", got.Missing[0].ID, got.Missing[1].ID)
	}
	if f, want := got.Nodes[0].Findings[0], gone.ID.String()[:12]; f.Severity != chain.High || f.Text != "names "+want+"… as its parent, which is not in the log" {
		t.Errorf("finding is %+v", f)
	}
	if f := got.Nodes[1].Findings[1]; f.Severity != chain.Warn {
		t.Errorf("finding is %+v", f)
	}
}

// A record can be its parent's cause's child and so on; one entry that is
// given twice counts once.
func TestBuildSameTwice(t *testing.T) {
	m := newMaker(t)
	root := m.linked(nil)
	child := m.linked(root, root) // parent and cause at once
	es := logged(1, root, child)
	wantPicture(t, chain.Build(append(es, es...), nil, policy), `1 children 2 effects 2
2 under 1 causes 1
roots 1
`)
}

// The same entries give the same chain, in whatever order they come.
func TestBuildOrderDoesNotMatter(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	m := newMaker(t)
	var rs []*record.Record
	lost := m.linked(nil)
	for i := range 60 {
		rs = append(rs, m.record(func(msg *onusv1.Record) {
			switch {
			case i == 0:
			case rng.IntN(8) == 0:
				msg.Parent = lost.ID.String()
			case rng.IntN(5) > 0:
				msg.Parent = rs[rng.IntN(i)].ID.String()
			}
			for range rng.IntN(3) {
				if i > 0 {
					if id := rs[rng.IntN(i)].ID.String(); !slices.Contains(msg.Causes, id) {
						msg.Causes = append(msg.Causes, id)
					}
				}
			}
		}))
	}
	rng.Shuffle(len(rs), func(i, j int) { rs[i], rs[j] = rs[j], rs[i] }) // logged out of order, too
	es := logged(100, rs...)
	want := picture(chain.Build(es, nil, policy))
	for range 50 {
		rng.Shuffle(len(es), func(i, j int) { es[i], es[j] = es[j], es[i] })
		if diff := cmp.Diff(want, picture(chain.Build(es, nil, policy))); diff != "" {
			t.Fatalf("seed %d: in another order (-want +got):\n%s", seed, diff)
		}
	}
	// One record at two indices, as no honest log has it.
	twice := append(slices.Clone(es), chain.Entry{Index: 500, LogTime: es[0].LogTime, Record: es[0].Record})
	want = picture(chain.Build(twice, nil, policy))
	slices.Reverse(twice)
	if diff := cmp.Diff(want, picture(chain.Build(twice, nil, policy))); diff != "" {
		t.Errorf("one record at two indices, in another order (-want +got):\n%s", diff)
	}
}

// A long chain and a wide one are built in linear time, without recursion.
func TestBuildLarge(t *testing.T) {
	m := newMaker(t)
	rs := []*record.Record{m.linked(nil)}
	for range 3000 {
		rs = append(rs, m.linked(rs[len(rs)-1]))
	}
	top := rs[0]
	for range 1000 {
		rs = append(rs, m.linked(top))
	}
	c := chain.Build(logged(0, rs...), nil, policy)
	if len(c.Nodes) != 4001 || len(c.Roots) != 1 || len(c.Roots[0].Children) != 1001 {
		t.Errorf("%d nodes, %d roots, %d children", len(c.Nodes), len(c.Roots), len(c.Roots[0].Children))
	}
}
