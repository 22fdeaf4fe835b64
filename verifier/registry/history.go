package registry

import (
	"slices"
	"sort"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
)

// What was in force at an index. Each list here is in log order, so each
// answer is a binary search: a question about the past, which an audit asks
// for every entry, costs no more than one about the present.

// Stamp returns what an entry at that index carries: the number of registry
// entries before it and their root.
func (g *Registry) Stamp(at int64) (count int64, root tree.Hash) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := sort.Search(len(g.stamps), func(i int) bool { return g.stamps[i].index >= at })
	if n == 0 {
		return 0, tree.Empty
	}
	return int64(n), g.stamps[n-1].root
}

// Genesis returns the genesis, or nil before it was added.
func (g *Registry) Genesis() *onusv1.Genesis {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.genesis
}

// LogKey returns the key that genesis names.
func (g *Registry) LogKey() tree.LogKey {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.logKey
}

// Agent returns an agent class as registered before that index, and the index
// of that registration; nil if it was not.
func (g *Registry) Agent(id string, at int64) (*onusv1.AgentClass, int64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return latest(g.agents[id], at)
}

// Operator returns an operator as registered before that index, and the index
// of that registration; nil if it was not.
func (g *Registry) Operator(id string, at int64) (*onusv1.Operator, int64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return latest(g.operators[id], at)
}

// Agents returns the ids of the agent classes registered before that index,
// in the order of their first registration.
func (g *Registry) Agents(at int64) []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := sort.Search(len(g.order), func(i int) bool { return g.agents[g.order[i]][0].index >= at })
	return slices.Clone(g.order[:n])
}

// Key returns the binding of the key with that id, as the entries before that
// index have it; nil if there is none. Whether the key may speak for an author
// is asked with [Registry.Bound].
func (g *Registry) Key(id string, at int64) *Binding {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if b := g.keys[id]; b != nil && b.Index < at {
		return b
	}
	return nil
}

// Keys returns the keys bound to an agent class before that index, in log
// order.
func (g *Registry) Keys(agent string, at int64) []*Binding {
	g.mu.RLock()
	defer g.mu.RUnlock()
	bs := g.agentKeys[agent]
	n := sort.Search(len(bs), func(i int) bool { return bs[i].Index >= at })
	return bs[:n:n]
}

// latest returns the version in force before that index.
func latest[T any](vs []version[T], at int64) (v T, index int64) {
	n := sort.Search(len(vs), func(i int) bool { return vs[i].index >= at })
	if n == 0 {
		return v, -1
	}
	return vs[n-1].value, vs[n-1].index
}
