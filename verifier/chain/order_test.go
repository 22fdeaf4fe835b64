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

// shuffled calls f with the entries in many orders.
func shuffled(rng *rand.Rand, es []chain.Entry, f func([]chain.Entry)) {
	es = slices.Clone(es)
	f(es)
	slices.Reverse(es)
	f(es)
	for range 50 {
		rng.Shuffle(len(es), func(i, j int) { es[i], es[j] = es[j], es[i] })
		f(es)
	}
}

// Of a record at two indices, as no honest log has it, the lowest counts, in
// whatever order the entries come; and with several records at one index, too,
// all orders give one chain.
func TestBuildDishonestOrders(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	m := newMaker(t)
	var rs []*record.Record
	for i := range 40 {
		rs = append(rs, m.record(func(msg *onusv1.Record) {
			if i > 0 && i%7 != 0 {
				msg.Parent = rs[rng.IntN(i)].ID.String()
			}
			if i > 2 {
				msg.Causes = []string{rs[rng.IntN(i)].ID.String()}
			}
		}))
	}
	rng.Shuffle(len(rs), func(i, j int) { rs[i], rs[j] = rs[j], rs[i] })
	once := logged(100, rs...)
	twice := slices.Clone(once)
	for i := range 20 {
		again := once[i]
		again.Index += 100 + int64(i%3)
		twice = append(twice, again)
	}
	crowded := slices.Clone(twice)
	for i := range crowded {
		crowded[i].Index /= 4
	}
	for name, c := range map[string]struct {
		entries []chain.Entry
		want    string
	}{
		"one record at two indices":     {twice, picture(chain.Build(once, nil, policy))},
		"several records at one index":  {crowded, picture(chain.Build(crowded, nil, policy))},
		"each record once, for the eye": {once, picture(chain.Build(once, nil, policy))},
	} {
		shuffled(rng, c.entries, func(es []chain.Entry) {
			given := slices.Clone(es)
			if diff := cmp.Diff(c.want, picture(chain.Build(es, nil, policy))); diff != "" {
				t.Fatalf("%s, seed %d: in another order (-want +got):\n%s", name, seed, diff)
			}
			if !slices.Equal(given, es) {
				t.Fatalf("%s: Build changed its caller's slice", name)
			}
		})
	}
}

// A record at two indices has the log time of the lowest.
func TestBuildTakesTheLowestIndex(t *testing.T) {
	r := newMaker(t).linked(nil)
	late := logTime.UnixMilli() + 24*3600*1000
	es := []chain.Entry{{Index: 9, LogTime: late, Record: r}, {Index: 3, LogTime: logTime.UnixMilli(), Record: r}}
	shuffled(rand.New(rand.NewPCG(1, 0)), es, func(es []chain.Entry) {
		c := chain.Build(es, nil, policy)
		if len(c.Nodes) != 1 || c.Nodes[0].Index != 3 || len(c.Nodes[0].Findings) != 0 {
			t.Errorf("chain is\n%s", picture(c))
		}
	})
}
