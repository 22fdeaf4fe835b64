package authority

import (
	"fmt"
	"math/big"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// weight is what one grant says to an action.
type weight struct {
	answer Answer
	// allowing are the elements that cover it, limits included. If there are
	// any, the rest is of no account.
	allowing []int
	// item and sum are elements that cover it by their fields, but whose limit
	// of one item, or in total, it exceeds: the first of each, or -1.
	item, sum int
	// before and after are the totals at sum, without and with the action.
	before, after *big.Int
}

// ok reports whether the grant allows the action.
func (w *weight) ok() bool { return len(w.allowing) > 0 }

// weights are those of a path.
type weights []weight

func (ws weights) covered() bool {
	for i := range ws {
		if !ws[i].ok() {
			return false
		}
	}
	return true
}

// totals returns what was used up of a limit before an action, and with it.
type totals func(limit) (before, after *big.Int)

// weighPath asks each grant of a path about an action.
func (s *State) weighPath(p Path, e *onusv1.ScopeElement, used totals) weights {
	ws := make(weights, len(p))
	for i, g := range p {
		ws[i] = weigh(g, e, used)
	}
	return ws
}

func weigh(g *Grant, e *onusv1.ScopeElement, used totals) weight {
	w := weight{item: -1, sum: -1}
	for n, ge := range g.Msg.GetScope() {
		a := covers(ge.GetElement(), e)
		item := perItem(ge, e)
		if a == Covered && (item == Uncomparable || ge.GetMaxTotal() != "" && !counts(ge, e)) {
			a = Uncomparable
		}
		w.answer = max(w.answer, a)
		if a != Covered {
			continue
		}
		allowed := item == Covered
		if !allowed && w.item < 0 {
			w.item = n
		}
		if ge.GetMaxTotal() != "" && used != nil {
			before, after := used(limit{g.ID, uint16(n)})
			if after.Cmp(units(ge.GetMaxTotal())) > 0 {
				allowed = false
				if w.sum < 0 {
					w.sum, w.before, w.after = n, before, after
				}
			}
		}
		if allowed {
			w.allowing = append(w.allowing, n)
		}
	}
	return w
}

// total takes what was used up before the action from its stamp. One that tells
// an effect again adds nothing, and stands to the limit as the first did.
func (j *judge) total(l limit) (before, after *big.Int) {
	before = new(big.Int)
	for _, u := range j.st.Uses {
		if !u.Approval && u.ID == l.grant && u.Limit == l.number {
			if n, ok := parseTotal(u.Total); ok {
				before = n
			}
		}
	}
	if n, ok := parseTotal(j.s.again(j.r, j.index, l)); ok {
		before = n
	}
	return before, new(big.Int).Add(before, units(j.m.GetStages().GetAction().GetElement().GetAmount()))
}

// again returns the total before the action that told the same effect first, if
// a limit counted it already when r was logged, or does, if r is not in the
// log; else it is empty.
func (s *State) again(r *record.Record, index int64, l limit) string {
	a := r.Msg.GetStages().GetAction()
	w, ok := row(s, key(kindAction, r.ID), parseActionRow)
	if !ok || w.index != index {
		effect, _ := effectSum(a)
		return s.told(effect, l)
	}
	for i := range w.limits {
		if w.limits[i] == l {
			return w.again[i]
		}
	}
	return ""
}

// scope says what is not covered, each kind once, by the nearest grant that
// does not.
func (j *judge) scope(p Path, ws weights, e *onusv1.ScopeElement) {
	for i := range ws {
		w, g := &ws[i], p[i]
		switch {
		case w.ok():
		case w.item >= 0 || w.sum >= 0:
			j.exceeded(g, w, e)
		case w.answer == Uncomparable && !j.said(ScopeUncomparable):
			j.find(ScopeUncomparable, g, "%s is not shown to be covered by %s: what the grant restricts, the action leaves open or counts in another unit", describe(e), g)
		case w.answer == Outside && !j.said(OutsideDelegatedScope) && !j.said(OwnAuthorityUndeclared):
			j.outside(p, g, e)
		}
	}
}

// exceeded says each kind of limit once: for one item, and in total.
func (j *judge) exceeded(g *Grant, w *weight, e *onusv1.ScopeElement) {
	scope := g.Msg.GetScope()
	if w.item >= 0 && !j.overItem {
		j.overItem = true
		l := scope[w.item]
		j.find(LimitExceeded, g, "%s is more than the %s %s an item that %s allows", describe(e), words(oneForm(l.GetMaxItem())), l.GetUnit(), g)
		j.findings[len(j.findings)-1].Limit = words(oneForm(l.GetMaxItem())) + " " + l.GetUnit()
	}
	if w.sum >= 0 && !j.overTotal {
		j.overTotal = true
		l := scope[w.sum]
		j.find(LimitExceeded, g, "%s brings the sum to %s %s, where %s allows %s in total: %s were used before",
			describe(e), words(decimal(w.after)), l.GetUnit(), g, words(oneForm(l.GetMaxTotal())), words(decimal(w.before)))
		f := &j.findings[len(j.findings)-1]
		f.Limit, f.Sum = words(oneForm(l.GetMaxTotal()))+" "+l.GetUnit(), words(decimal(w.after))+" "+l.GetUnit()
	}
}

// outside: what a user's grant does not cover, but an operator's would, was
// done on undeclared authority.
func (j *judge) outside(p Path, g *Grant, e *onusv1.ScopeElement) {
	a := j.m.GetAuthor()
	if j.m.GetBasis() == onusv1.Basis_BASIS_DELEGATED && p.User() != "" {
		if own, ok := j.s.OwnGrant(a.GetAgent(), a.GetInstance(), e, j.index, j.st.LogTime); ok {
			j.find(OwnAuthorityUndeclared, own, "says that it acts on a user's authority, which does not cover %s; only %s does", describe(e), own)
			return
		}
	}
	j.find(OutsideDelegatedScope, g, "%s is outside what %s covers", describe(e), g)
}

// ceilings: no authority of an agent reaches beyond its class's ceiling, and so
// nothing that it passes on does. It returns the least that any of them says.
func (j *judge) ceilings(p Path, e *onusv1.ScopeElement) Answer {
	least := Covered
	for _, g := range p {
		agent := g.Msg.GetAgent()
		a, over := j.s.underCeiling(agent, e, j.index)
		least = min(least, a)
		switch {
		case over && !j.overItem:
			j.overItem = true
			j.find(LimitExceeded, nil, "%s is more than the ceiling of %s allows for an item", describe(e), agent)
		case over || a == Covered:
		case a == Uncomparable && !j.said(ScopeUncomparable):
			j.find(ScopeUncomparable, nil, "%s is not shown to be within the ceiling of %s", describe(e), agent)
		case a == Outside && !j.said(OutsideDelegatedScope):
			j.find(OutsideDelegatedScope, nil, "%s is outside the ceiling of %s", describe(e), agent)
		}
	}
	return least
}

// underCeiling compares an action with the ceiling of an agent class; over: the
// fields cover it, but it is too much for an item.
func (s *State) underCeiling(agent string, e *onusv1.ScopeElement, at int64) (a Answer, over bool) {
	c, _ := s.reg.Agent(agent, at)
	if len(c.GetCeiling()) == 0 {
		return Covered, false
	}
	w := weigh(&Grant{Msg: &onusv1.Grant{Scope: c.GetCeiling()}}, e, nil)
	if w.ok() {
		return Covered, false
	}
	if w.item >= 0 {
		return Outside, true
	}
	return w.answer, false
}

// excess: the findings on the grants of the path become the action's where it
// lies inside the grant and outside of what its issuer had.
func (j *judge) excess(p Path, ws weights) {
	if ws.covered() {
		return
	}
	wide := p.widened()
	for i := range p {
		if ws[i].ok() && !ws[i+1:].covered() && all(ws[i].allowing, wide[i]) {
			j.find(ScopeWidened, p[i], "lies in what %s gives beyond its parent", p[i])
		}
	}
}

// all reports whether each of the numbered elements is marked.
func all(numbers []int, marked []bool) bool {
	for _, n := range numbers {
		if !marked[n] {
			return false
		}
	}
	return true
}

// late: logged while a grant lasts by its own words, and the one above it does
// not.
func (j *judge) late(p Path) {
	now := j.st.LogTime
	for i := range p[:len(p)-1] {
		g := p[i]
		past := g.Expires >= 0 && now < g.Expires && endedBy(p.ends(i+1), now)
		early := g.NotBefore >= 0 && now >= g.NotBefore && now < p.begins(i+1)
		if past || early {
			j.find(ExpiryWidened, g, "was logged at %s, when %s lasted by its own words and its parent did not", clock(now), g)
		}
	}
}

func endedBy(end, now int64) bool { return end >= 0 && now >= end }

// deep: each action under a grant that stands too deep lies in the excess. It
// is the fault of a grant above that let it follow, if there is one.
func (j *judge) deep(p Path) {
	i := p.tooDeep()
	if i < 0 {
		return
	}
	fault := p[i]
	for above := i + 1; above < len(p); above++ {
		if p.givesTooDeep(above) && above-i <= int(p[above].Msg.GetMaxDepth()) {
			fault = p[above]
		}
	}
	j.find(DepthExceeded, fault, "acts under %s, which stands deeper than a grant above it allows", p[i])
}

// maxOwn bounds how many of an agent's own grants are looked at.
const maxOwn = 64

// OwnGrant returns a grant that an operator gave to an agent, and that covers
// an element as of that index and log time: in force, not revoked, and within
// the agent's ceiling. Totals are not asked: who does not act under a grant
// does not use it up. Of more than one it is the newest; only the newest 64 are
// looked at.
func (s *State) OwnGrant(agent, instance string, e *onusv1.ScopeElement, at, logTime int64) (*Grant, bool) {
	if a, _ := s.underCeiling(agent, e, at); a != Covered {
		return nil, false
	}
	asked := at
	for range maxOwn {
		v, ok := s.latest(kindOwn+agent, at)
		if !ok {
			return nil, false
		}
		at = v.index
		g, ok := s.Grant(record.ID(v.value), at+1)
		if !ok {
			panic(fmt.Sprintf("authority: a row is broken: the own grant of entry %d is not there", v.index))
		}
		if !g.HeldBy(agent, instance) || endedBy(g.Expires, logTime) || logTime < g.NotBefore || s.isRevoked(g, asked) {
			continue
		}
		if w := weigh(g, e, nil); w.ok() {
			return g, true
		}
	}
	return nil, false
}
