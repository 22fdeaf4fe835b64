package registry

import (
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

// Registration returns the registration of a party in force before that index,
// and its index; nil if there is none.
func (g *Registry) Registration(p Party, at int64) (*onusv1.Registration, int64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return latest(g.registered[p], at)
}

// Agent returns an agent class as registered before that index, and the index
// of that registration; nil if it was not.
func (g *Registry) Agent(id string, at int64) (*onusv1.AgentClass, int64) {
	r, index := g.Registration(Party{KindAgent, id}, at)
	return r.GetAgent(), index
}

// Operator returns an operator as registered before that index, and the index
// of that registration; nil if it was not.
func (g *Registry) Operator(id string, at int64) (*onusv1.Operator, int64) {
	r, index := g.Registration(Party{KindOperator, id}, at)
	return r.GetOperator(), index
}

// Service is [Registry.Agent] for a target service.
func (g *Registry) Service(id string, at int64) (*onusv1.Service, int64) {
	r, index := g.Registration(Party{KindService, id}, at)
	return r.GetService(), index
}

// Client is [Registry.Agent] for a user client.
func (g *Registry) Client(id string, at int64) (*onusv1.UserClient, int64) {
	r, index := g.Registration(Party{KindClient, id}, at)
	return r.GetClient(), index
}

// Reviewer is [Registry.Agent] for a reviewer.
func (g *Registry) Reviewer(name string, at int64) (*onusv1.Reviewer, int64) {
	r, index := g.Registration(Party{KindReviewer, name}, at)
	return r.GetReviewer(), index
}

// Issuer is [Registry.Agent] for an issuer of tokens.
func (g *Registry) Issuer(url string, at int64) (*onusv1.Issuer, int64) {
	r, index := g.Registration(Party{KindIssuer, url}, at)
	return r.GetIssuer(), index
}

// Agents returns the ids of the agent classes registered before that index,
// in the order of their first registration.
func (g *Registry) Agents(at int64) []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var ids []string
	for _, p := range until(g.order, at) {
		if p.value.Kind == KindAgent {
			ids = append(ids, p.value.ID)
		}
	}
	return ids
}

// Registered is a registration in force, of anything but a key.
type Registered struct {
	Registration *onusv1.Registration
	Party        Party
	// Index is that of its entry; First that of the party's first one.
	Index, First int64
}

// Registrations returns the registrations in force before that index, in the
// order in which each party was first registered.
func (g *Registry) Registrations(at int64) []Registered {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var all []Registered
	for _, p := range until(g.order, at) {
		r, index := latest(g.registered[p.value], at)
		all = append(all, Registered{Registration: r, Party: p.value, Index: index, First: p.index})
	}
	return all
}

// Key returns the binding of the key with that id, as the entries before that
// index have it; nil if there is none. Whether the key may speak for an author
// is asked with [Registry.Bound].
func (g *Registry) Key(id string, at int64) *Binding {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.key(id, at)
}

func (g *Registry) key(id string, at int64) *Binding {
	if b := g.keys[id]; b != nil && b.Index < at {
		return b
	}
	return nil
}

// Keys returns the keys bound to an agent class before that index, in log
// order.
func (g *Registry) Keys(agent string, at int64) []*Binding {
	return g.KeysOf(Party{KindAgent, agent}, at)
}

// KeysOf returns the keys bound to a party before that index, in log order. Of
// an agent these are the keys of the class and of all its instances.
func (g *Registry) KeysOf(p Party, at int64) []*Binding {
	g.mu.RLock()
	defer g.mu.RUnlock()
	bs := g.partyKeys[p]
	n := sort.Search(len(bs), func(i int) bool { return bs[i].Index >= at })
	return bs[:n:n]
}

// OperatorOf returns the operator who answers for an author, as registered
// before that index: itself, if it is one; empty for an administrator, a user
// and the host.
func (g *Registry) OperatorOf(a *onusv1.Author, at int64) string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.operatorOf(a, at)
}

func (g *Registry) operatorOf(a *onusv1.Author, at int64) string {
	if a.GetOperator() != "" {
		return a.GetOperator()
	}
	return g.answersFor(PartyOf(a), at)
}

// answersFor returns who answers for a registered party. It is the same in
// each of the party's registrations.
func (g *Registry) answersFor(p Party, at int64) string {
	r, _ := latest(g.registered[p], at)
	_, operator := partyOfRegistration(r)
	return operator
}

// latest returns the version in force before that index.
func latest[T any](vs []version[T], at int64) (v T, index int64) {
	vs = until(vs, at)
	if len(vs) == 0 {
		return v, -1
	}
	last := vs[len(vs)-1]
	return last.value, last.index
}

// until returns the versions before that index.
func until[T any](vs []version[T], at int64) []version[T] {
	return vs[:sort.Search(len(vs), func(i int) bool { return vs[i].index >= at })]
}

// end is an index after every entry: with it, a question is about the end of
// the registry.
const end = 1<<63 - 1
