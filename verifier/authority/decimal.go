package authority

import (
	"math/big"
	"strings"
)

// Amounts are decimals with up to 18 digits and 9 decimals. They are compared
// and added as whole billionths, so nothing is ever rounded.
const scale = 9

var (
	billion = big.NewInt(1_000_000_000)
	// beyond is one more than any limit can be.
	beyond = new(big.Int).Exp(big.NewInt(10), big.NewInt(18+scale), nil)
)

// units reads a decimal of a valid record, in billionths.
func units(s string) *big.Int {
	n, ok := parseDecimal(s, 18)
	if !ok {
		panic("authority: a valid record has an amount that is no decimal: " + s)
	}
	return n
}

// parseDecimal reads digits without leading zeros, of at most that many, and
// maybe a point and up to 9 decimals.
func parseDecimal(s string, digits int) (*big.Int, bool) {
	whole, frac, point := strings.Cut(s, ".")
	if !isDigits(whole, digits) || len(whole) > 1 && whole[0] == '0' || point && !isDigits(frac, scale) {
		return nil, false
	}
	return new(big.Int).SetString(whole+frac+strings.Repeat("0", scale-len(frac)), 10)
}

func isDigits(s string, most int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// decimal writes billionths in their one form: no leading zeros, no zeros at
// the end of the decimals.
func decimal(n *big.Int) string {
	if n.Sign() < 0 {
		panic("authority: a sum is below zero")
	}
	s := n.String()
	if len(s) <= scale {
		s = strings.Repeat("0", scale+1-len(s)) + s
	}
	whole, frac := s[:len(s)-scale], strings.TrimRight(s[len(s)-scale:], "0")
	if frac == "" {
		return whole
	}
	return whole + "." + frac
}

// total writes a sum as a use stamp has it: a sum that no limit can reach is
// written as 10^18, since a stamp has room for no more.
func total(n *big.Int) string {
	if n.Cmp(beyond) > 0 {
		n = beyond
	}
	return decimal(n)
}

// parseTotal reads the total of a use stamp.
func parseTotal(s string) (*big.Int, bool) {
	n, ok := parseDecimal(s, 28)
	return n, ok && decimal(n) == s
}

// oneForm writes a decimal of a valid record in its one form; empty stays
// empty.
func oneForm(s string) string {
	if s == "" {
		return ""
	}
	return decimal(units(s))
}

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
