package verifier

import (
	"cmp"
	"slices"
	"sync"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// joins says which entries hang together by parents and causes, as they come. A
// parent may come after its child.
type joins struct {
	// root leads from an entry to the first of its group; members holds each
	// group by that, in no order.
	root    []int32
	members map[int32][]int32
	// awaited are the entries that name a record which has not come.
	awaited map[record.ID][]int32
}

func newJoins() joins {
	return joins{members: map[int32][]int32{}, awaited: map[record.ID][]int32{}}
}

// join takes entry i, the next. at says where the entries before it are.
func (g *joins) join(i int32, k *kept, at map[record.ID]int32) {
	g.root = append(g.root, i)
	g.members[i] = []int32{i}
	for _, up := range k.up {
		if j, ok := at[up]; ok {
			g.unite(i, j)
		} else {
			g.awaited[up] = append(g.awaited[up], i)
		}
	}
	for _, j := range g.awaited[k.id] {
		g.unite(i, j)
	}
	delete(g.awaited, k.id)
}

func (g *joins) find(i int32) int32 {
	for g.root[i] != i {
		g.root[i] = g.root[g.root[i]]
		i = g.root[i]
	}
	return i
}

// unite joins two groups. The smaller list is copied, so that all joins of a log
// cost little more than its entries; the name is the earlier root.
func (g *joins) unite(i, j int32) {
	x, y := g.find(i), g.find(j)
	if x == y {
		return
	}
	x, y = min(x, y), max(x, y)
	g.root[y] = x
	a, b := g.members[x], g.members[y]
	if len(a) < len(b) {
		a, b = b, a
	}
	g.members[x] = append(a, b...)
	delete(g.members, y)
}

// groups returns the groups that have an entry from place since on, in the order
// of their first entries, and leaves out what stands alone and is nobody's doing:
// registrations.
func (l *logChains) groups(since int) [][]int32 {
	var groups [][]int32
	seen := map[int32]bool{}
	for i := since; i < len(l.entries); i++ {
		r := l.find(int32(i))
		if seen[r] {
			continue
		}
		seen[r] = true
		g := slices.Sorted(slices.Values(l.members[r]))
		if len(g) == 1 && l.entries[g[0]].other {
			continue
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b []int32) int { return cmp.Compare(a[0], b[0]) })
	return groups
}

// JudgeSince judges again the chains that have an entry from that index on, and
// tells of each; at a time, and in any order. If one of these entries revokes
// something, it may make older ones suspect: then it judges all. What a chain is
// told later only because time has passed takes JudgeSince(0, tell).
func (a *Audit) JudgeSince(index int64, tell func(ChainJudgement)) error {
	l := a.chains
	if l == nil || l.over {
		return ErrTooLarge
	}
	since, _ := slices.BinarySearchFunc(l.entries, index, func(k kept, index int64) int { return cmp.Compare(k.index, index) })
	if slices.ContainsFunc(l.entries[since:], func(k kept) bool { return k.revokes }) {
		since = 0
	}
	var mu sync.Mutex
	a.judgeGroups(l.groups(since), func(c ChainJudgement) {
		mu.Lock()
		defer mu.Unlock()
		tell(c)
	})
	return nil
}

// judgeGroups judges groups on all processors; tell is called by several
// goroutines.
func (a *Audit) judgeGroups(groups [][]int32, tell func(ChainJudgement)) {
	parallelWith(len(groups), func() *authority.State { return authority.New(a.registry, a.store) }, func(s *authority.State, i int) {
		first := a.chains.entries[groups[i][0]]
		_, j := a.judgeGroup(s, groups[i])
		tell(ChainJudgement{first.index, first.id, j})
	})
}

// Authority returns the state of grants, limits and approvals as the log has it so
// far, of its own: each is used by one goroutine, and not while entries are added.
func (a *Audit) Authority() *authority.State { return authority.New(a.registry, a.store) }
