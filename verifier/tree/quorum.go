package tree

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// witnessed says for each node whether it has witnessed the checkpoint.
func (p *Policy) witnessed(cosigned []Cosignature) []bool {
	by := map[WitnessKey]bool{}
	for _, c := range cosigned {
		by[c.Key] = true
	}
	done := make([]bool, len(p.nodes))
	for i, n := range p.nodes {
		if n.members == nil {
			done[i] = by[n.Key]
			continue
		}
		have := 0
		for _, m := range n.members {
			if done[m] {
				have++
			}
		}
		done[i] = have >= n.need
	}
	return done
}

// Satisfied reports whether the cosignatures make the quorum. Each is counted
// for the witness whose key made it, once.
func (p *Policy) Satisfied(cosigned []Cosignature) bool {
	switch {
	case p.isZero():
		return false
	case p.none:
		return true
	}
	return p.witnessed(cosigned)[p.top]
}

// lacking marks the nodes that could still help: the quorum, and of each such
// group the members that have not witnessed. If the quorum is met, there are
// none.
func (p *Policy) lacking(done []bool) []bool {
	lack := make([]bool, len(p.nodes))
	lack[p.top] = !done[p.top]
	for i := p.top; i >= 0; i-- { // members come before their group
		for _, m := range p.nodes[i].members {
			lack[m] = lack[m] || lack[i] && !done[m]
		}
	}
	return lack
}

// Missing returns the names of the witnesses whose cosignatures could bring
// the quorum closer, in the policy's order. Not all of them need be necessary;
// [Policy.Check] says how many are. It is empty if the quorum is met.
func (p *Policy) Missing(cosigned []Cosignature) []string {
	if p.isZero() || p.none {
		return nil
	}
	var names []string
	for i, lack := range p.lacking(p.witnessed(cosigned)) {
		if lack && p.nodes[i].members == nil {
			names = append(names, p.nodes[i].Name)
		}
	}
	return names
}

// Check returns nil if the quorum is met, and else an error that says what is
// missing, from the quorum downwards.
func (p *Policy) Check(cosigned []Cosignature) error {
	switch {
	case p.isZero():
		return errors.New("no policy was given")
	case p.none:
		return nil
	}
	done := p.witnessed(cosigned)
	if done[p.top] {
		return nil
	}
	if n := p.nodes[p.top]; n.members == nil {
		return fmt.Errorf("the quorum is not met: witness %q has not cosigned", n.Name)
	}
	lack := p.lacking(done)
	var groups []string
	for i := p.top; i >= 0; i-- {
		n := p.nodes[i]
		if !lack[i] || n.members == nil {
			continue
		}
		have, without := 0, []string{}
		for _, m := range n.members {
			if done[m] {
				have++
			} else {
				without = append(without, fmt.Sprintf("%q", p.nodes[m].Name))
			}
		}
		groups = append(groups, fmt.Sprintf("group %q has %d of %d, without %s", n.Name, have, n.need, strings.Join(without, ", ")))
	}
	return fmt.Errorf("the quorum is not met: %s", strings.Join(groups, "; "))
}

// EarliestCosigned returns the outside bound on time: the first second, by the
// witnesses' clocks, at which those who had cosigned by then made the quorum.
// Whoever trusts the policy knows that the tree was there by then. There is no
// such time if the quorum is not met, nor if it is "none".
func (p *Policy) EarliestCosigned(cosigned []Cosignature) (time int64, ok bool) {
	if p.isZero() || p.none || !p.Satisfied(cosigned) {
		return 0, false
	}
	byTime := slices.SortedFunc(slices.Values(cosigned), func(a, b Cosignature) int { return cmp.Compare(a.Time, b.Time) })
	// More cosignatures never undo a quorum, so the shortest prefix that makes
	// it ends at the time.
	n := sort.Search(len(byTime), func(i int) bool { return p.Satisfied(byTime[:i]) })
	return byTime[n-1].Time, true
}
