package record

import (
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

const (
	maxType     = 128
	maxAction   = 64
	typeChars   = alnum + "._:/-"
	actionChars = alnum + "._/-"
)

func (c *checker) elements(list string, es []*onusv1.ScopeElement, wildcards bool) {
	if len(es) > MaxElements {
		c.fail(list, fmt.Sprintf("has %d elements, at most %d are allowed", len(es), MaxElements), "group them, or split the record")
	}
	for i, e := range clip(es, MaxElements) {
		if err := checkElement(e, wildcards); err != nil {
			c.fail(fmt.Sprintf("%s[%d]%s", list, i, err.Field), err.Detail, err.Next)
		}
	}
}

func (c *checker) element(field string, e *onusv1.ScopeElement, wildcards bool) {
	if err := checkElement(e, wildcards); err != nil {
		c.fail(field+err.Field, err.Detail, err.Next)
	}
}

// checkElement checks one scope element; the error's field is what comes after
// the element's own. With wildcards, "*" stands for any type, action,
// identifier or data type, and fields may be left open; an action's element
// has neither. A location covers by prefix and has no wildcard in either.
func checkElement(e *onusv1.ScopeElement, wildcards bool) *Error {
	if e == nil {
		return nil
	}
	c := &checker{}
	c.word(".type", e.GetType(), maxType, typeChars, wildcards)
	c.word(".action", e.GetAction(), maxAction, actionChars, wildcards)
	if s := e.GetLocation(); s != "" {
		if why := checkLocation(s); why != "" {
			c.fail(".location", why, "use a URL or URN such as https://erp.example.com/orders")
		}
	}
	if s := e.GetIdentifier(); s == "*" {
		c.want(wildcards, ".identifier", `is "*", but an action is one thing`, "name what was touched")
	} else {
		c.foreignID(".identifier", s)
	}
	c.want(len(e.GetDatatypes()) <= 32, ".datatypes", "has more than 32 entries", "use broader classes of data")
	for i, s := range clip(e.GetDatatypes(), 32) {
		if why, next := checkDatatype(s, e.GetDatatypes()[:i], wildcards); why != "" {
			c.fail(fmt.Sprintf(".datatypes[%d]", i), why, next)
		}
	}
	c.decimal(".amount", e.GetAmount())
	c.want((e.GetAmount() == "") == (e.GetUnit() == ""), ".unit", "and amount do not stand together", "set both or neither")
	c.unit(".unit", e.GetUnit())
	c.want(e.GetQuantity() == "" || isDecimal(e.GetQuantity()) && !isZeroDecimal(e.GetQuantity()), ".quantity", "is not a decimal above 0", "leave it out, or say how many")
	c.pseudonym(".recipient", e.GetRecipient(), UserPrefix, SubjectPrefix)
	return c.err
}

func (c *checker) word(field, s string, n int, chars string, wildcards bool) {
	switch {
	case s == "*":
		c.want(wildcards, field, `is "*", but an action is one thing`, "name what was done")
	case s == "":
		c.fail(field, "is missing", "set it")
	case !isName(s, n, chars):
		c.fail(field, fmt.Sprintf("has more than %d bytes or characters other than A-Z a-z 0-9 . _ : / -", n), "use a short technical name")
	}
}

func (c *checker) decimal(field, s string) {
	c.want(s == "" || isDecimal(s), field, "is not a decimal without sign and exponent", `write it as "48000.00"`)
}

func (c *checker) unit(field, s string) {
	c.want(s == "" || isName(s, 32, alnum+"._/%-"), field, "has more than 32 bytes or characters other than A-Z a-z 0-9 . _ / % -", `use a code such as "EUR"`)
}

func checkDatatype(s string, before []string, wildcards bool) (why, next string) {
	switch {
	case s == "":
		return "is empty", "leave it out"
	case s == "*" && !wildcards:
		return `is "*", but an action touches known data`, "name the class of data"
	case !isDatatype(s):
		return "has more than 128 bytes, or is not words of printable ASCII with one space between two", "use a short name"
	case slices.Contains(before, s):
		return "stands there twice", "name each class once"
	}
	return "", ""
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
