package authority

import (
	"crypto/sha256"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// sum names something by its content.
type sum [sha256.Size]byte

// sumOf hashes texts; none can be mistaken for a part of another.
func sumOf(texts ...string) sum {
	var b []byte
	for _, s := range texts {
		b = appendText(b, s)
	}
	return sha256.Sum256(b)
}

// elementSum is equal for elements that say the same: decimals in their one
// form, data types in any order.
func elementSum(e *onusv1.ScopeElement) sum {
	texts := []string{e.GetType(), e.GetAction(), e.GetLocation(), e.GetIdentifier(),
		oneForm(e.GetAmount()), e.GetUnit(), oneForm(e.GetQuantity()), e.GetRecipient()}
	return sumOf(append(texts, slices.Sorted(slices.Values(e.GetDatatypes()))...)...)
}

// effectSum is equal for actions that are one effect told twice: the same
// element, at the same target, with the same request id. Without a request id
// nothing shows that, and ok is false.
func effectSum(a *onusv1.Action) (s sum, ok bool) {
	if a.GetExternalRequestId() == "" {
		return s, false
	}
	e := elementSum(a.GetElement())
	return sumOf(string(e[:]), a.GetExternalRequestId()), true
}

// SameElement reports whether two elements say the same, however they spell it:
// what was done, and what was proposed or what the target saw.
func SameElement(a, b *onusv1.ScopeElement) bool { return elementSum(a) == elementSum(b) }

// SameEffect reports whether two actions are one effect told twice: the same
// element, at the same target, with the same request id.
func SameEffect(a, b *onusv1.Action) bool {
	x, ok := effectSum(a)
	y, _ := effectSum(b)
	return ok && x == y
}

// describe words an element, for people.
func describe(e *onusv1.ScopeElement) string {
	s := e.GetType() + ":" + e.GetAction()
	if e.GetAmount() != "" {
		s += " of " + words(e.GetAmount()) + " " + e.GetUnit()
	}
	if e.GetQuantity() != "" {
		s += " for " + words(e.GetQuantity())
	}
	return s
}
