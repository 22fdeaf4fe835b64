package authority

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
)

// How the elements of a grant lie within those of another. A field or a limit
// that a child leaves out is the parent's, so it never widens.

// insideField compares one field of a child with its parent's.
func insideField(parent, child string, same func(parent, child string) bool) bool {
	return parent == "" || parent == wildcard || child == "" || same(parent, child)
}

// inside reports whether a child's element lies within a parent's, limits
// included.
func inside(parent, child *onusv1.GrantElement) bool {
	p, c := parent.GetElement(), child.GetElement()
	return insideField(p.GetType(), c.GetType(), equal) &&
		insideField(p.GetAction(), c.GetAction(), equal) &&
		insideField(p.GetIdentifier(), c.GetIdentifier(), equal) &&
		insideField(p.GetLocation(), c.GetLocation(), within) &&
		insideField(p.GetRecipient(), c.GetRecipient(), equal) &&
		(len(c.GetDatatypes()) == 0 || datatypes(p.GetDatatypes(), c.GetDatatypes()) == Covered) &&
		insideLimit(parent.GetMaxItem(), parent.GetUnit(), child.GetMaxItem(), child.GetUnit()) &&
		insideLimit(parent.GetMaxTotal(), parent.GetUnit(), child.GetMaxTotal(), child.GetUnit())
}

// insideLimit: a limit in another unit is not shown to be lower.
func insideLimit(parent, parentUnit, child, childUnit string) bool {
	return parent == "" || child == "" || parentUnit == childUnit && units(child).Cmp(units(parent)) <= 0
}

// TokenCovers reports whether the authorization_details of a user's token
// (RFC 9396) hold what the elements claim, each within one of the details.
// Here a field or a limit that is left out is open, and so claims everything:
// a detail that restricts it does not cover it. What is not certain is not
// covered: a detail with members that were not read, with privileges, or with
// a limit of another name than max_item and max_total, covers nothing, and one
// that names no actions covers none.
//
// A detail with a limit in total holds one element, since two of them would
// each have the whole. No elements are nothing to hold, so the answer is no.
func TokenCovers(details []credential.Detail, elements []*onusv1.GrantElement) bool {
	f := fitting{details: details, elements: elements, holder: map[int]int{}}
	for n := range elements {
		if !f.place(n, map[int]bool{}) {
			return false
		}
	}
	return len(elements) > 0
}

// fitting finds a detail for each element.
type fitting struct {
	details  []credential.Detail
	elements []*onusv1.GrantElement
	holder   map[int]int // detail with a limit in total: the element it holds
}

// place finds a detail for an element; one that has its element already takes
// it if another can be found for that. No detail is tried twice.
func (f *fitting) place(element int, tried map[int]bool) bool {
	var once []int
	for d := range f.details {
		if !holds(&f.details[d], f.elements[element]) {
			continue
		}
		if f.details[d].Limits["max_total"] == "" {
			return true
		}
		once = append(once, d)
	}
	for _, d := range once {
		if tried[d] {
			continue
		}
		tried[d] = true
		if held, taken := f.holder[d]; !taken || f.place(held, tried) {
			f.holder[d] = element
			return true
		}
	}
	return false
}

// Requested turns the elements of an intent into what [TokenCovers] compares:
// an amount that is asked for is the most that one action and all of them
// together may amount to.
func Requested(elements []*onusv1.ScopeElement) []*onusv1.GrantElement {
	all := make([]*onusv1.GrantElement, len(elements))
	for i, e := range elements {
		g := &onusv1.GrantElement{Element: e, Unit: e.GetUnit(), MaxTotal: e.GetAmount()}
		if g.MaxTotal != "" && e.GetQuantity() == "" {
			g.MaxItem = g.MaxTotal
		}
		all[i] = g
	}
	return all
}

func holds(d *credential.Detail, g *onusv1.GrantElement) bool {
	e := g.GetElement()
	if len(d.Unread) > 0 || len(d.Privileges) > 0 || !named(d.Actions, e.GetAction()) {
		return false
	}
	if d.Type != wildcard && d.Type != e.GetType() {
		return false
	}
	if d.Identifier != "" && d.Identifier != wildcard && d.Identifier != e.GetIdentifier() {
		return false
	}
	if len(d.Locations) > 0 && !belowOne(d.Locations, e.GetLocation()) {
		return false
	}
	if datatypes(d.Datatypes, e.GetDatatypes()) != Covered {
		return false
	}
	for name, most := range d.Limits {
		switch name {
		case "max_item":
			if !lower(most, d.Unit, g.GetMaxItem(), g.GetUnit()) {
				return false
			}
		case "max_total":
			if !lower(most, d.Unit, g.GetMaxTotal(), g.GetUnit()) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func named(list []string, s string) bool {
	for _, l := range list {
		if l == wildcard || l == s && s != "" {
			return true
		}
	}
	return false
}

func belowOne(prefixes []string, location string) bool {
	for _, p := range prefixes {
		if location != "" && within(p, location) {
			return true
		}
	}
	return false
}

// lower reports whether a limit is stated and at most a token's. The token's
// is an issuer's, and may have more digits than a record's.
func lower(most, mostUnit, has, unit string) bool {
	m, ok := parseDecimal(most, 255)
	return ok && has != "" && mostUnit == unit && units(has).Cmp(m) <= 0
}
