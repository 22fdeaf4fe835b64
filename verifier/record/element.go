package record

import (
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

func (c *checker) elements(field string, es []*onusv1.ScopeElement, wildcards bool) {
	c.want(len(es) <= MaxElements, field, fmt.Sprintf("has %d elements, at most %d are allowed", len(es), MaxElements), "group them, or split the record")
	for i, e := range clip(es, MaxElements) {
		c.element(fmt.Sprintf("%s[%d]", field, i), e, wildcards)
	}
}

// element checks one scope element. With wildcards, "*" stands for any type,
// action, identifier or data type, and fields may be left open; an action's
// element has neither.
func (c *checker) element(field string, e *onusv1.ScopeElement, wildcards bool) {
	if e == nil {
		return
	}
	word := func(name, s string, n int, chars string, required bool) {
		if s == "*" {
			c.want(wildcards, field+"."+name, `is "*", but an action is one thing`, "name what was done")
			return
		}
		c.want(s != "" || !required, field+"."+name, "is missing", "set it")
		c.want(s == "" || isName(s, n, chars), field+"."+name, fmt.Sprintf("has more than %d bytes or characters other than A-Z a-z 0-9 . _ : / -", n), "use a short technical name")
	}
	word("type", e.GetType(), 128, alnum+"._:/-", true)
	word("action", e.GetAction(), 64, alnum+"._/-", true)
	if s := e.GetLocation(); s != "" {
		if why := checkLocation(s); why != "" {
			c.fail(field+".location", why, "use a URL or URN such as https://erp.example.com/orders")
		}
	}
	if s := e.GetIdentifier(); s == "*" {
		c.want(wildcards, field+".identifier", `is "*", but an action is one thing`, "name what was touched")
	} else {
		c.foreignID(field+".identifier", s)
	}
	c.want(len(e.GetDatatypes()) <= 32, field+".datatypes", "has more than 32 entries", "use broader classes of data")
	for i, s := range clip(e.GetDatatypes(), 32) {
		f := fmt.Sprintf("%s.datatypes[%d]", field, i)
		c.want(s != "", f, "is empty", "leave it out")
		c.want(s != "*" || wildcards, f, `is "*", but an action touches known data`, "name the class of data")
		c.want(len(s) <= 128 && !hasControl(s), f, "has more than 128 bytes or control characters", "use a short name")
		c.want(!slices.Contains(e.GetDatatypes()[:i], s), f, "stands there twice", "name each class once")
	}
	c.want(e.GetAmount() == "" || isDecimal(e.GetAmount()), field+".amount", "is not a decimal without sign and exponent", `write it as "48000.00"`)
	c.want((e.GetAmount() == "") == (e.GetUnit() == ""), field+".unit", "and amount do not stand together", "set both or neither")
	c.want(e.GetUnit() == "" || isName(e.GetUnit(), 32, alnum+"._/%-"), field+".unit", "has more than 32 bytes or characters other than A-Z a-z 0-9 . _ / % -", `use a code such as "EUR"`)
	c.want(e.GetQuantity() == "" || isDecimal(e.GetQuantity()) && !isZeroDecimal(e.GetQuantity()), field+".quantity", "is not a decimal above 0", "leave it out, or say how many")
	c.pseudonym(field+".recipient", e.GetRecipient(), UserPrefix, SubjectPrefix)
}

// Operation names what an element does, "type:action", the way listings
// filter by it.
func Operation(e *onusv1.ScopeElement) string { return e.GetType() + ":" + e.GetAction() }

// Resources names what an element touches, the way listings filter by it: the
// location, and location#identifier where there is an identifier.
func Resources(e *onusv1.ScopeElement) []string {
	loc, id := e.GetLocation(), e.GetIdentifier()
	switch {
	case loc == "" && id == "":
		return nil
	case id == "":
		return []string{loc}
	case loc == "":
		return []string{"#" + id}
	}
	return []string{loc, loc + "#" + id}
}
