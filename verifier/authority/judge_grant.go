package authority

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// delegation judges a grant: whether its issuer has what it gives.
func (j *judge) delegation() {
	p := Path{j.s.asGrant(j.r, j.index, j.st)}
	if !p[0].Parent.IsZero() {
		above, err := j.s.Path(p[0].Parent, j.index)
		if err != nil {
			j.missing(nil, "names grant %s above it, whose path breaks off: %s", short(p[0].Parent), err)
		}
		p = append(p, above...)
	}
	j.revoked(p, 1)
	for i := 1; i < len(p); i++ {
		j.inForce(p, i)
	}
	j.bond(p, 0)
	j.wider(p)
	j.principal(p)
}

// wider: what it gives beyond the grants above it. It is logged all the same,
// and gives no more than they do.
func (j *judge) wider(p Path) {
	g := p[0]
	for n, wide := range p.widened()[0] {
		if wide {
			j.find(ScopeWidened, nil, "gives %s (scope %d), which the grants above it do not hold, or not with these limits", describeGrant(g.Msg.GetScope()[n]), n)
		}
	}
	if len(p) == 1 {
		return
	}
	switch {
	case g.Expires >= 0 && endedBy(p.ends(1), g.Expires-1):
		j.find(ExpiryWidened, nil, "lasts until %s, but its parent only until %s", clock(g.Expires), clock(p.ends(1)))
	case g.NotBefore >= 0 && g.NotBefore < p.begins(1):
		j.find(ExpiryWidened, nil, "begins at %s, but its parent only at %s", clock(g.NotBefore), clock(p.begins(1)))
	}
	switch {
	case p.standsTooDeep(0):
		j.find(DepthExceeded, nil, "stands deeper than a grant above it allows: it is number %d on its path", len(p))
	case p.givesTooDeep(0):
		j.find(DepthExceeded, nil, "lets %d grants follow, which is more than those above it leave", g.Msg.GetMaxDepth())
	}
}

// describeGrant words an element of a grant, for people.
func describeGrant(e *onusv1.GrantElement) string {
	s := describe(e.GetElement())
	for _, d := range e.GetElement().GetDatatypes() {
		s += ", " + d
	}
	if e.GetMaxItem() != "" {
		s += ", up to " + words(e.GetMaxItem()) + " " + e.GetUnit() + " an item"
	}
	if e.GetMaxTotal() != "" {
		s += ", up to " + words(e.GetMaxTotal()) + " " + e.GetUnit() + " in total"
	}
	return s
}
