package web

import (
	"fmt"
	"html/template"

	"github.com/onus-ledger/onus/verifier/chain"
)

// tally is how many findings there are of each severity.
type tally map[chain.Severity]int

// with adds to a tally, which may be nil.
func (t tally) with(s chain.Severity, n int) tally {
	if t == nil {
		t = tally{}
	}
	t[s] += n
	return t
}

// split returns the gravest severity that was found, how many findings are of
// it, and how many of lesser ones. Where nothing was found it is empty.
func (t tally) split() (worst chain.Severity, gravest, lesser int) {
	for _, s := range severities {
		switch n := t[s]; {
		case n <= 0:
		case worst == "":
			worst, gravest = s, n
		default:
			lesser += n
		}
	}
	return worst, gravest, lesser
}

// tallied says in every table how much was found. Beside a severity stands the
// number of that severity alone: hundreds of findings for information are not
// hundreds of grave ones.
func tallied(t tally) template.HTML {
	worst, gravest, lesser := t.split()
	if worst == "" {
		return "0"
	}
	out := fmt.Sprintf(`<span class="tally">%s %s</span>`, thousands(gravest), severityMark(worst))
	if lesser > 0 {
		out += fmt.Sprintf(` <span class="sub">and %s lesser</span>`, thousands(lesser))
	}
	return template.HTML(out)
}
