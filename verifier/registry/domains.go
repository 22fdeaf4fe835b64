package registry

import (
	"maps"
	"slices"
)

// Domains returns the SPIFFE trust domains that have a trust bundle before
// that index, sorted.
func (g *Registry) Domains(at int64) []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var all []string
	for _, d := range slices.Sorted(maps.Keys(g.bundles)) {
		if b, _ := latest(g.bundles[d], at); b != nil {
			all = append(all, d)
		}
	}
	return all
}
