package desk

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxTitle bounds each of what a title names, in bytes.
const maxTitle = 80

// title words what a case is about: "order:create at shop.example.com/orders,
// and 2 more operations".
func (s *state) title(k *kase) string {
	if k.opNamed == 0 {
		return "what cannot be read"
	}
	t := cut(s.terms.str(k.opNamed))
	if k.resNamed != 0 {
		res := s.terms.str(k.resNamed)
		if _, rest, ok := strings.Cut(res, "://"); ok {
			res = rest
		}
		t += " at " + cut(res)
	}
	more := 0
	for _, o := range k.terms() {
		if o != k.opNamed && s.terms.kinds[o] == kindOperation {
			more++
		}
	}
	switch more {
	case 0:
		return t
	case 1:
		return t + ", and 1 more operation"
	}
	return t + ", and " + strconv.Itoa(more) + " more operations"
}

// cut shortens a text between two characters.
func cut(s string) string {
	if len(s) <= maxTitle {
		return s
	}
	n := maxTitle - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
