package chain

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Words for people.

// describe words an element: "hardware-order:create of 62,000 EUR for 40".
func describe(e *onusv1.ScopeElement) string {
	s := e.GetType() + ":" + e.GetAction()
	if e.GetAmount() != "" {
		s += " of " + money(e)
	}
	if e.GetQuantity() != "" {
		s += " for " + words(oneForm(e.GetQuantity()))
	}
	return s
}

// onData words the classes of data that an element is about, to stand behind
// it: one operation may be allowed on some data and not on other.
func onData(e *onusv1.ScopeElement) string {
	if len(e.GetDatatypes()) == 0 {
		return ""
	}
	return " on " + list(e.GetDatatypes())
}

// money words an amount with its unit, or "".
func money(e *onusv1.ScopeElement) string {
	if e.GetAmount() == "" {
		return ""
	}
	return words(oneForm(e.GetAmount())) + " " + e.GetUnit()
}

// oneForm writes a decimal of a valid record without zeros at the end; empty
// stays empty.
func oneForm(s string) string {
	if whole, frac, point := strings.Cut(s, "."); point {
		if frac = strings.TrimRight(frac, "0"); frac == "" {
			return whole
		}
		return whole + "." + frac
	}
	return s
}

// amount writes a sum for people.
func amount(r *big.Rat) string { return words(oneForm(r.FloatString(9))) }

// words writes a decimal for people, with commas between the thousands.
func words(s string) string {
	whole, frac, point := strings.Cut(s, ".")
	var b strings.Builder
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(whole[i])
	}
	if point {
		b.WriteString("." + frac)
	}
	return b.String()
}

// list words classes of data, in one order.
func list(s []string) string { return strings.Join(slices.Sorted(slices.Values(s)), ", ") }

func number(index int64) string { return strconv.FormatInt(index, 10) }

// clock writes a log time for people.
func clock(ms int64) string { return stamp(time.UnixMilli(ms).UTC()) }
