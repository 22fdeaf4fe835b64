package registry

import "sort"

// What a reader who wants to see all of it asks for: neither is asked by
// anybody who judges.

// History returns the registrations of a party before that index, the oldest
// first.
func (g *Registry) History(p Party, at int64) []Registered {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var all []Registered
	for _, v := range until(g.registered[p], at) {
		all = append(all, Registered{Registration: v.value, Party: p, Index: v.index, First: g.registered[p][0].index})
	}
	return all
}

// AllRevocations returns the revocations before that index, in log order. Of a
// grant's it says that it is in the log, and not that its author had the right.
func (g *Registry) AllRevocations(at int64) []Revocation {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var all []Revocation
	for _, rs := range g.revoked {
		for _, r := range rs {
			if r.Index < at {
				all = append(all, r)
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Index < all[j].Index })
	return all
}
