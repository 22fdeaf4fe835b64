package main

import (
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// scopeUsage says how scope elements are typed. They are read from flags and
// never from a log.
const scopeUsage = "as type:action@location, and after spaces any of data=TYPE, id=IDENTIFIER, max-item=N, max-total=N, unit=UNIT"

// elementUsage is for one concrete thing.
const elementUsage = "as type:action@location, and after spaces any of data=TYPE, id=IDENTIFIER, amount=N, unit=UNIT, quantity=N, recipient=PSEUDONYM"

// parseGrantElements reads what a grant allows:
//
//	order:create@https://shop.example.com/orders max-item=5000 max-total=50000 unit=EUR
func parseGrantElements(flag string, words []string) ([]*onusv1.GrantElement, error) {
	var all []*onusv1.GrantElement
	for _, w := range words {
		e := &onusv1.GrantElement{}
		var err error
		e.Element, err = parseWords(flag, w, func(key, value string) bool {
			switch key {
			case "max-item":
				e.MaxItem = value
			case "max-total":
				e.MaxTotal = value
			case "unit":
				e.Unit = value
			default:
				return false
			}
			return true
		}, scopeUsage)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// parseElements reads what is asked for or done.
func parseElements(flag string, words []string) ([]*onusv1.ScopeElement, error) {
	var all []*onusv1.ScopeElement
	for _, w := range words {
		more := &onusv1.ScopeElement{}
		e, err := parseWords(flag, w, func(key, value string) bool {
			switch key {
			case "amount":
				more.Amount = value
			case "unit":
				more.Unit = value
			case "quantity":
				more.Quantity = value
			case "recipient":
				more.Recipient = value
			default:
				return false
			}
			return true
		}, elementUsage)
		if err != nil {
			return nil, err
		}
		e.Amount, e.Unit, e.Quantity, e.Recipient = more.Amount, more.Unit, more.Quantity, more.Recipient
		all = append(all, e)
	}
	return all, nil
}

// parseWords reads one element. What it does not know itself it offers to
// other.
func parseWords(flag, text string, other func(key, value string) bool, usage string) (*onusv1.ScopeElement, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, usageError{fmt.Errorf("%s is empty: give it %s", flag, usage)}
	}
	op, location, _ := strings.Cut(words[0], "@")
	e := &onusv1.ScopeElement{Location: location}
	var ok bool
	if e.Type, e.Action, ok = cutLast(op, ":"); !ok && op == "*" {
		e.Type, e.Action = "*", "*"
	} else if !ok || e.Type == "" || e.Action == "" {
		return nil, usageError{fmt.Errorf("%s %q is not type:action, such as k8s.pod:get: give it %s", flag, text, usage)}
	}
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		switch {
		case !ok || value == "":
			return nil, usageError{fmt.Errorf("%s %q: %q is not KEY=VALUE: give it %s", flag, text, w, usage)}
		case key == "data":
			e.Datatypes = append(e.Datatypes, value)
		case key == "id":
			e.Identifier = value
		case !other(key, value):
			return nil, usageError{fmt.Errorf("%s %q: %q is not known: give it %s", flag, text, key, usage)}
		}
	}
	return e, nil
}

// parseApprovals reads what needs a person's approval:
//
//	order:create above=10000 unit=EUR approvers=anna,ben assurance=2
func parseApprovals(flag string, rules []string) ([]*onusv1.ApprovalRule, error) {
	const usage = "as type:action, and after spaces any of above=N, unit=UNIT, approvers=NAME,NAME, assurance=1, 2 or 3"
	var all []*onusv1.ApprovalRule
	for _, text := range rules {
		r := &onusv1.ApprovalRule{}
		for _, w := range strings.Fields(text) {
			key, value, ok := strings.Cut(w, "=")
			switch {
			case !ok:
				r.Operations = append(r.Operations, w)
			case key == "above":
				r.Above = value
			case key == "unit":
				r.Unit = value
			case key == "approvers":
				r.Approvers = strings.Split(value, ",")
			case key == "assurance" && len(value) == 1 && value >= "1" && value <= "3":
				r.Assurance = int32(value[0] - '0')
			default:
				return nil, usageError{fmt.Errorf("%s %q: %q is not known: give it %s", flag, text, w, usage)}
			}
		}
		if len(r.Operations) == 0 {
			return nil, usageError{fmt.Errorf("%s %q names no operation: give it %s", flag, text, usage)}
		}
		all = append(all, r)
	}
	return all, nil
}

// parsePairs reads ISSUER=NAME flags. An issuer's URL may hold "=" too; a name
// does not.
func parsePairs(flag string, pairs []string, add func(issuer, name string)) error {
	for _, p := range pairs {
		issuer, name, ok := cutLast(p, "=")
		if !ok || issuer == "" || name == "" {
			return usageError{fmt.Errorf("%s %q is not ISSUER=NAME, such as https://login.example.com=k8s-agent", flag, p)}
		}
		add(issuer, name)
	}
	return nil
}
