package authority

import (
	"math/big"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Answer says whether an element lies within another.
type Answer int

// The answers. The zero value is the cautious one.
const (
	// Outside: a field shows that it does not.
	Outside Answer = iota
	// Uncomparable: no field shows that it does not, but one that is
	// restricted is left open, or counted in another unit: it is not shown
	// that it does.
	Uncomparable
	// Covered: every field shows that it does.
	Covered
)

// String names the answer.
func (a Answer) String() string {
	return [...]string{"outside", "uncomparable", "covered"}[a]
}

const wildcard = "*"

// fit collects the answers of an element's fields: one that is outside decides.
type fit Answer

func (f *fit) see(a Answer) { *f = min(*f, fit(a)) }

// field compares one field of an action with that of a grant, where open is
// what a field that is left out means for the action's side.
func field(grant, has string, same func(grant, has string) bool) Answer {
	switch {
	case grant == "" || grant == wildcard:
		return Covered
	case has == "":
		return Uncomparable
	case same(grant, has):
		return Covered
	}
	return Outside
}

func equal(a, b string) bool { return a == b }

// covers compares an action's element with a grant's, by the fields alone:
// limits are asked with [perItem], and totals of the uses.
func covers(grant, action *onusv1.ScopeElement) Answer {
	f := fit(Covered)
	f.see(field(grant.GetType(), action.GetType(), equal))
	f.see(field(grant.GetAction(), action.GetAction(), equal))
	f.see(field(grant.GetIdentifier(), action.GetIdentifier(), equal))
	f.see(field(grant.GetLocation(), action.GetLocation(), within))
	f.see(field(grant.GetRecipient(), action.GetRecipient(), equal))
	f.see(datatypes(grant.GetDatatypes(), action.GetDatatypes()))
	return Answer(f)
}

// datatypes: each class of data of the action must be in the grant.
func datatypes(grant, action []string) Answer {
	switch {
	case len(grant) == 0 || slices.Contains(grant, wildcard):
		return Covered
	case len(action) == 0:
		return Uncomparable
	}
	for _, d := range action {
		if !slices.Contains(grant, d) {
			return Outside
		}
	}
	return Covered
}

// within reports whether a location is another or lies below it: the same
// scheme and host, and a prefix of whole path segments. Each place has one
// spelling (verifier/record), so bytes decide.
func within(prefix, location string) bool {
	rest, ok := strings.CutPrefix(location, prefix)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}

// Within reports whether an element lies within one of those that were asked
// for, chosen or catalogued: a bound intent's requested elements are a grant
// of this shape. Where such an element names an amount or a quantity, it is
// the most that may be.
func Within(elements []*onusv1.ScopeElement, element *onusv1.ScopeElement) Answer {
	best := Outside
	for _, e := range elements {
		f := fit(covers(e, element))
		f.see(atMost(e.GetAmount(), e.GetUnit(), element.GetAmount(), element.GetUnit()))
		f.see(atMost(e.GetQuantity(), "", element.GetQuantity(), ""))
		best = max(best, Answer(f))
	}
	return best
}

// atMost compares an amount with the most it may be; empty means any.
func atMost(most, mostUnit, has, unit string) Answer {
	switch {
	case most == "":
		return Covered
	case has == "" || mostUnit != unit:
		return Uncomparable
	case units(has).Cmp(units(most)) > 0:
		return Outside
	}
	return Covered
}

// perItem compares amount ÷ quantity with the limit of one item: without a
// quantity it is one item.
func perItem(g *onusv1.GrantElement, e *onusv1.ScopeElement) Answer {
	switch {
	case g.GetMaxItem() == "":
		return Covered
	case e.GetAmount() == "" || e.GetUnit() != g.GetUnit():
		return Uncomparable
	}
	// amount ÷ quantity > limit, without a division that would round.
	amount := new(big.Int).Mul(units(e.GetAmount()), billion)
	most := new(big.Int).Mul(units(g.GetMaxItem()), quantity(e))
	if amount.Cmp(most) > 0 {
		return Outside
	}
	return Covered
}

func quantity(e *onusv1.ScopeElement) *big.Int {
	if e.GetQuantity() == "" {
		return billion
	}
	return units(e.GetQuantity())
}

// counts reports whether the total of a grant's element counts an action: its
// fields cover it, and the amount is in its unit.
func counts(g *onusv1.GrantElement, e *onusv1.ScopeElement) bool {
	return g.GetMaxTotal() != "" && e.GetAmount() != "" && e.GetUnit() == g.GetUnit() && covers(g.GetElement(), e) == Covered
}
