package web

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// Bounds of a search.
const (
	maxSearch = 1000 // bytes of the field
	maxTerms  = 24
)

// search is what somebody looks for, from the field and the filters beside it.
// Its values are of the forms that they should have; whether such a user, agent
// or operation is there is another question.
type search struct {
	// Words are what has no name before it.
	Words []string
	// by name: the filters, and what the field says in the same terms.
	by map[string]string
}

// filter is one thing to filter by: the name that the field and the address
// have for it, what people read, and the check of its value, which may spell it
// in its one way.
type filter struct {
	name, label string
	check       func(string) (string, error)
}

// filters are all of them, in the order in which they are shown.
var filters = []filter{
	{"outcome", "Outcome", parseOutcome},
	{"severity", "At least", parseSeverity},
	{"finding", "Finding", parseFinding},
	{"open", "Open", parseFlag},
	{"review", "Review", parseReview},
	{"for", "Assigned to", plain(200)},
	{"agent", "Agent", plain(300)},
	{"unit", "Operator", plain(64)},
	{"user", "User", plain(200)},
	{"subject", "Subject", plain(200)},
	{"session", "Session", parseSession},
	{"op", "Operation", plain(200)},
	{"resource", "Resource", plain(1000)},
	{"data", "Data type", plain(200)},
	{"min", "At least", parseDecimal},
	{"max", "At most", parseDecimal},
	{"currency", "Unit", plain(32)},
	{"since", "Since", parseMoment},
	{"until", "Until", parseMoment},
}

func filterOf(name string) (filter, bool) {
	for _, f := range filters {
		if f.name == name {
			return f, true
		}
	}
	return filter{}, false
}

// otherNames are what people type for the same.
var otherNames = map[string]string{"operator": "unit", "operation": "op", "type": "data", "assignee": "for", "from": "since", "to": "until"}

// set puts a value under its name; each may be said once.
func (s *search) set(name, value string) error {
	f, ok := filterOf(name)
	if !ok {
		return fmt.Errorf("there is no filter %q", name)
	}
	value, err := f.check(value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if before, said := s.by[name]; said && before != value {
		return fmt.Errorf("%s is asked for twice, as %q and as %q: leave one out", name, say(before), say(value))
	}
	if s.by == nil {
		s.by = map[string]string{}
	}
	s.by[name] = value
	return nil
}

// parseSearch reads the search field. Its parts are separated by spaces: a word;
// words between quotation marks, which stay together; name:value, where the
// value may stand between quotation marks; amount>SUM UNIT or amount<SUM UNIT.
// A part with a colon whose name is none of ours is a word: locations and
// operations have colons.
func parseSearch(field string) (*search, error) {
	if len(field) > maxSearch {
		return nil, fmt.Errorf("the search has %d bytes; %d are the most", len(field), maxSearch)
	}
	s := &search{}
	terms, err := split(field)
	if err != nil {
		return nil, err
	}
	if len(terms) > maxTerms {
		return nil, fmt.Errorf("the search has %d parts; %d are the most", len(terms), maxTerms)
	}
	for i := 0; i < len(terms); i++ {
		t := terms[i]
		if rest, ok := strings.CutPrefix(t.name, "amount"); ok && t.named {
			unit := ""
			if _, after, joined := cutNumber(t.value); joined {
				unit = after
			} else if i+1 < len(terms) && !terms[i+1].named && !terms[i+1].quoted {
				i++
				unit = terms[i].value
			}
			if unit == "" {
				return nil, errors.New("amount: say in which unit, as in amount>1000 EUR")
			}
			bound := "min"
			if rest == "<" {
				bound = "max"
			}
			sum, _, _ := cutNumber(t.value)
			if err := s.set(bound, sum); err != nil {
				return nil, err
			}
			if err := s.set("currency", unit); err != nil {
				return nil, err
			}
			continue
		}
		if !t.named {
			s.Words = append(s.Words, t.value)
			continue
		}
		if err := s.set(t.name, t.value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// cutNumber cuts a value where its number ends: "1000EUR".
func cutNumber(s string) (number, rest string, more bool) {
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' })
	if end < 0 {
		return s, "", false
	}
	return s[:end], s[end:], true
}

// term is one part of the field.
type term struct {
	name, value   string
	named, quoted bool
}

// split takes the field apart.
func split(field string) ([]term, error) {
	var all []term
	rest := strings.TrimLeft(field, " \t\r\n")
	for rest != "" {
		var t term
		if name, after, ok := nameOfTerm(rest); ok {
			t.name, t.named, rest = name, true, after
		}
		if strings.HasPrefix(rest, `"`) {
			value, after, closed := strings.Cut(rest[1:], `"`)
			if !closed {
				return nil, errors.New("a quotation mark is not closed")
			}
			t.value, t.quoted, rest = strings.TrimSpace(value), true, after
		} else {
			end := strings.IndexAny(rest, " \t\r\n")
			if end < 0 {
				end = len(rest)
			}
			t.value, rest = rest[:end], rest[end:]
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
		switch {
		case t.value != "":
			all = append(all, t)
		case t.named:
			return nil, fmt.Errorf("%s: nothing comes after it", strings.TrimRight(t.name, "<>"))
		}
	}
	return all, nil
}

// nameOfTerm reads a name that is ours, and what comes after it. Of an amount
// the name holds the sign.
func nameOfTerm(s string) (name, rest string, ok bool) {
	if after, is := strings.CutPrefix(s, "amount"); is && after != "" && (after[0] == '>' || after[0] == '<') {
		return "amount" + after[:1], strings.TrimPrefix(after[1:], "="), true
	}
	colon := strings.IndexByte(s, ':')
	if colon < 0 {
		return "", s, false
	}
	name = strings.ToLower(s[:colon])
	if n, is := otherNames[name]; is {
		name = n
	}
	if name == "is" && strings.HasPrefix(s[colon+1:], "open") {
		return "open", s[colon+1:], true
	}
	if _, is := filterOf(name); !is || name == "min" || name == "max" || name == "currency" {
		return "", s, false
	}
	// "data:image/png" or "op://…" would be meant as words, if anybody writes
	// them: say so with quotation marks.
	return name, s[colon+1:], true
}

func plain(most int) func(string) (string, error) {
	return func(s string) (string, error) {
		s = strings.TrimSpace(s)
		switch {
		case s == "":
			return "", errors.New("nothing is given")
		case len(s) > most:
			return "", fmt.Errorf("has %d bytes; %d are the most", len(s), most)
		case !utf8.ValidString(s):
			return "", errors.New("is no text")
		}
		return s, nil
	}
}

// parseOutcome reads an outcome by its words, or by what style sheets call it.
func parseOutcome(s string) (string, error) {
	is := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(s), "-", " "))
	for o, name := range outcomeNames {
		if is == name || is == string(o) {
			return name, nil
		}
	}
	return "", errors.New("is none of broken, outside, untold, unjudged, within, nothing")
}

func outcomeNamed(name string) chain.Outcome {
	for o, n := range outcomeNames {
		if n == name {
			return o
		}
	}
	return ""
}

// severities, the gravest first.
var severities = []chain.Severity{chain.Critical, chain.High, chain.Warn, chain.Info}

func parseSeverity(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "warning" {
		s = string(chain.Warn)
	}
	for _, sev := range severities {
		if s == string(sev) {
			return s, nil
		}
	}
	return "", errors.New("is none of critical, high, warn, info")
}

func parseFinding(s string) (string, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	for _, r := range chain.Rules {
		if r.Code == s {
			return s, nil
		}
	}
	return "", errors.New("is no finding's code: choose it from the list")
}

func parseFlag(s string) (string, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "1", "on", "yes", "open":
		return "yes", nil
	}
	return "", errors.New("is yes, or left out")
}

func parseReview(s string) (string, error) {
	s = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(s), " ", "-"))
	if _, ok := parseDisposition(s); !ok {
		return "", errors.New("is none of open, explained, escalated, incident, false-alarm")
	}
	return s, nil
}

func parseSession(s string) (string, error) {
	s = strings.TrimSpace(s)
	if !record.IsPseudonym(s, record.SessionPrefix) {
		return "", errors.New("is not the pseudonym of a session, x- and 26 letters and digits")
	}
	return s, nil
}

// parseDecimal reads a sum as records have it, without signs between thousands.
func parseDecimal(s string) (string, error) {
	s = strings.TrimSpace(s)
	whole, rest, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !digits(whole) || point && !digits(rest) || len(s) > 28 {
		return "", errors.New("is no number, such as 1000 or 99.50")
	}
	return s, nil
}

// The forms of a moment. All are UTC.
const (
	dayForm    = "2006-01-02"
	momentForm = "2006-01-02T15:04:05Z"
)

// parseMoment reads a day or a moment, and spells it in its one way.
func parseMoment(s string) (string, error) {
	s = strings.TrimSpace(s)
	for _, form := range []string{dayForm, momentForm, "2006-01-02T15:04Z", "2006-01-02T15:04"} {
		t, err := time.Parse(form, s)
		switch {
		case err != nil || t.Year() < 1970 || t.Year() > 9999:
		case form == dayForm:
			return t.Format(dayForm), nil
		default:
			return t.Format(momentForm), nil
		}
	}
	return "", errors.New("is no day such as 2026-11-25, nor a moment such as 2026-11-25T18:00Z")
}

// moment is the log time of what parseMoment returned: of a day its first
// millisecond or, after it, that of the next day.
func moment(s string, after bool) int64 {
	if t, err := time.Parse(dayForm, s); err == nil {
		if after {
			t = t.AddDate(0, 0, 1)
		}
		return t.UnixMilli()
	}
	t, err := time.Parse(momentForm, s)
	if err != nil {
		panic("web: a moment that was not checked")
	}
	return t.UnixMilli()
}

// query makes the desk's question of a search whose names are pseudonyms.
func (s *search) query() (desk.Query, error) {
	by := s.by
	q := desk.Query{Words: s.Words, User: by["user"], Session: by["session"], Subject: by["subject"], Agent: by["agent"], Operator: by["unit"],
		Outcome: outcomeNamed(by["outcome"]), Finding: by["finding"], Severity: chain.Severity(by["severity"]), Operation: by["op"], Resource: by["resource"],
		DataType: by["data"], AtLeast: by["min"], AtMost: by["max"], Unit: by["currency"], Open: by["open"] != "", Assignee: by["for"]}
	q.Disposition, _ = parseDisposition(by["review"])
	if d := by["since"]; d != "" {
		q.Since = moment(d, false)
	}
	if d := by["until"]; d != "" {
		q.Before = moment(d, true)
	}
	switch {
	case (q.AtLeast != "" || q.AtMost != "") && q.Unit == "":
		return q, errors.New("an amount needs its unit, such as EUR")
	case q.Unit != "" && q.AtLeast == "" && q.AtMost == "":
		return q, errors.New("a unit needs an amount beside it: at least, or at most")
	case q.Since != 0 && q.Before != 0 && q.Before <= q.Since:
		return q, errors.New("it ends before it begins")
	}
	return q, nil
}
