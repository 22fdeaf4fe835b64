package chain

import (
	"slices"
	"strings"
)

// gaveBeyond words what is wrong with a grant that gave more than its issuer
// held.
var gaveBeyond = map[string]string{
	"SCOPE_WIDENED":                "passed on a permission wider than it held",
	"EXPIRY_WIDENED":               "passed on a permission for longer than it held it",
	"DEPTH_EXCEEDED":               "passed on a permission too often",
	"GRANT_ISSUER_LACKS_AUTHORITY": "gave a permission that it did not hold",
}

// whyFirst words why a party answers first for what was not allowed: by what it
// did, and by what was wrong with the grants that it gave.
func (j *judge) whyFirst(p *place, a Answer) string {
	var did []string
	has := func(r Role) bool { return slices.ContainsFunc(a.Parts, func(p Part) bool { return p.Role == r }) }
	if has(Decided) {
		did = append(did, "decided on it")
	}
	if has(Executed) {
		did = append(did, "did it")
	}
	for _, g := range j.widening(p) {
		by := &answering{}
		j.addIssuer(by, g, true)
		if len(by.all) == 0 || !by.all[0].Party.is(a.Party) {
			continue
		}
		for _, f := range p.findings {
			if s := gaveBeyond[f.Code]; s != "" && f.About == g.ID && !slices.Contains(did, s) {
				did = append(did, s)
			}
		}
	}
	if last := len(did) - 1; last > 0 {
		return strings.Join(did[:last], ", ") + ", and " + did[last]
	}
	return strings.Join(did, "")
}
