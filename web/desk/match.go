package desk

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// Bounds of a query.
const (
	MaxWords     = 16
	MaxWordBytes = 1000 // of all words together
	MaxFieldSize = 4096
)

// QueryError says which field of a query is not good, and why.
type QueryError struct{ Field, Detail string }

func (e *QueryError) Error() string { return "query: " + e.Field + ": " + e.Detail }

func bad(field, format string, args ...any) error {
	return &QueryError{field, fmt.Sprintf(format, args...)}
}

// isDecimal: as in a record.
var isDecimal = regexp.MustCompile(`^[0-9]{1,40}(\.[0-9]{1,40})?$`)

// isSum: of decimals, however many.
var isSum = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// check says what is wrong with a query.
func (q *Query) check() error {
	if len(q.Words) > MaxWords {
		return bad("words", "%d words, but at most %d are looked for: leave some out", len(q.Words), MaxWords)
	}
	n := 0
	for _, w := range q.Words {
		if n += len(w); strings.ContainsRune(w, 0) {
			return bad("words", "a word has a zero byte in it")
		}
	}
	if n > MaxWordBytes {
		return bad("words", "%d bytes, but at most %d are looked for: shorten them", n, MaxWordBytes)
	}
	for _, f := range []struct{ name, value string }{
		{"user", q.User}, {"session", q.Session}, {"subject", q.Subject}, {"agent", q.Agent}, {"operator", q.Operator}, {"finding", q.Finding},
		{"operation", q.Operation}, {"resource", q.Resource}, {"datatype", q.DataType}, {"unit", q.Unit}, {"assignee", q.Assignee},
	} {
		if len(f.value) > MaxFieldSize {
			return bad(f.name, "%d bytes, but at most %d are looked for", len(f.value), MaxFieldSize)
		}
	}
	if q.Outcome != "" && !slices.Contains(outcomes, q.Outcome) {
		return bad("outcome", "%.40q is none: it is one of %q", q.Outcome, outcomes)
	}
	if q.Severity != "" && !slices.Contains(severities, q.Severity) {
		return bad("severity", "%.40q is none: it is one of %q", q.Severity, severities)
	}
	if q.Operation != "" && q.Operation != "*" && !strings.Contains(q.Operation, ":") {
		return bad("operation", "%.40q has no colon: write type:action, either may be *", q.Operation)
	}
	for _, f := range []struct{ name, value string }{{"atleast", q.AtLeast}, {"atmost", q.AtMost}} {
		switch {
		case f.value == "":
		case len(f.value) > 81 || !isDecimal.MatchString(f.value):
			return bad(f.name, "%.40q is no decimal, such as 48000.00", f.value)
		case q.Unit == "":
			return bad("unit", "is missing: say of what the amount is, such as EUR")
		}
	}
	if q.Since < 0 || q.Before < 0 {
		return bad("time", "is before 1970")
	}
	if _, ok := onusv1.Disposition_name[int32(q.Disposition)]; !ok {
		return bad("disposition", "%d is none", q.Disposition)
	}
	if !slices.Contains([]Order{Newest, Oldest, Gravest, Largest}, q.Order) {
		return bad("order", "%.40q is none: it is newest (empty), oldest, gravest or largest", q.Order)
	}
	return nil
}

// match reports whether a case is found.
type match func(n uint32, k *kase) bool

// compile turns a query into conditions, those that are cheap or rare first.
func (d *Desk) compile(q *Query) ([]match, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	s := d.state
	var all []match
	add := func(m match) { all = append(all, m) }
	if q.Outcome != "" {
		at := outcomeAt(q.Outcome)
		add(func(_ uint32, k *kase) bool { return k.outcome == at })
	}
	if q.Since > 0 {
		add(func(_ uint32, k *kase) bool { return k.last >= q.Since })
	}
	if q.Before > 0 {
		add(func(_ uint32, k *kase) bool { return k.last < q.Before })
	}
	if q.Severity != "" {
		rank := rankOf(q.Severity)
		add(func(_ uint32, k *kase) bool { return k.worst() != noSeverity && k.worst() >= rank })
	}
	if q.Finding != "" {
		code := s.terms.find(kindCode, q.Finding)
		add(func(_ uint32, k *kase) bool {
			return code != 0 && slices.ContainsFunc(k.findings(), func(f finding) bool { return f.code == code })
		})
	}
	for _, p := range []struct {
		kind kind
		id   string
	}{{kindAgent, q.Agent}, {kindOperator, q.Operator}, {kindUser, q.User}, {kindSubject, q.Subject}} {
		if p.id != "" {
			t := s.terms.find(p.kind, p.id)
			add(func(_ uint32, k *kase) bool {
				_, had := k.part(t)
				return had && t != 0
			})
		}
	}
	for _, p := range []struct {
		kind kind
		text string
	}{{kindSession, q.Session}, {kindDatatype, q.DataType}} {
		if p.text != "" {
			t := s.terms.find(p.kind, p.text)
			add(func(_ uint32, k *kase) bool { return t != 0 && slices.Contains(k.terms(), t) })
		}
	}
	if q.Operation != "" {
		add(s.anyOf(kindOperation, operations(q.Operation)))
	}
	if q.Resource != "" {
		add(s.resources(q.Resource))
	}
	if q.Unit != "" {
		add(s.amounts(q))
	}
	if q.Open {
		add(func(_ uint32, k *kase) bool { return k.waits() })
	}
	if q.Disposition != 0 {
		add(func(_ uint32, k *kase) bool {
			return k.stands(func(r *Review) bool { return r.Disposition == q.Disposition })
		})
	}
	if q.Assignee != "" {
		add(func(_ uint32, k *kase) bool {
			return k.stands(func(r *Review) bool { return r.Assignee == q.Assignee })
		})
	}
	return append(all, d.words(q.Words)...), nil
}

// stands reports whether the review in force of the case, or of one of its
// findings, is so.
func (k *kase) stands(is func(*Review) bool) bool {
	if k.more == nil || len(k.more.reviews) == 0 {
		return false
	}
	if r := k.reviewOf(nil, 0); r != nil && is(r) {
		return true
	}
	findings := k.findings()
	for i := range findings {
		if r := k.reviewOf(&findings[i], 0); r != nil && is(r) {
			return true
		}
	}
	return false
}

// operations matches "type:action", where either side may be "*".
func operations(pattern string) func([]byte) bool {
	switch {
	case pattern == "*" || pattern == "*:*":
		return func([]byte) bool { return true }
	case strings.HasPrefix(pattern, "*:"):
		return func(text []byte) bool { return strings.HasSuffix(string(text), pattern[1:]) }
	case strings.HasSuffix(pattern, ":*"):
		return func(text []byte) bool { return strings.HasPrefix(string(text), pattern[:len(pattern)-1]) }
	}
	return func(text []byte) bool { return string(text) == pattern }
}

// anyOf matches cases with a term of a kind whose text is so.
func (s *state) anyOf(k kind, is func([]byte) bool) match {
	set := s.terms.newSet()
	for t := 1; t < s.terms.len(); t++ {
		if s.terms.kinds[t] == k && s.terms.base[t] == 0 && is(s.terms.own(term(t))) {
			set.add(term(t))
		}
	}
	return func(_ uint32, k *kase) bool { return slices.ContainsFunc(k.terms(), set.has) }
}

// resources matches cases with a resource that begins so. A case with an item
// has its location too, so that items matter only where the prefix goes into an
// identifier.
func (s *state) resources(prefix string) match {
	if !strings.Contains(prefix, "#") {
		return s.anyOf(kindResource, func(text []byte) bool { return bytes.HasPrefix(text, []byte(prefix)) })
	}
	set := s.terms.newSet()
	for t := 1; t < s.terms.len(); t++ {
		if s.terms.kinds[t] == kindResource && strings.HasPrefix(s.terms.str(term(t)), prefix) {
			set.add(term(t))
		}
	}
	return func(_ uint32, k *kase) bool { return slices.ContainsFunc(k.terms(), set.has) }
}

// amounts compares sums: nearly first, and exactly where that decides.
func (s *state) amounts(q *Query) match {
	unit := s.terms.find(kindUnit, q.Unit)
	type bound struct {
		exact *big.Rat
		near  float64
	}
	read := func(text string) *bound {
		if text == "" {
			return nil
		}
		r := decimal(text)
		f, _ := r.Float64()
		return &bound{r, f}
	}
	least, most := read(q.AtLeast), read(q.AtMost)
	compare := func(a sum, b *bound) int {
		switch gap, same := a.near()-b.near, 1e-6*max(a.near(), b.near); { // a float32 has seven digits
		case gap > same:
			return 1
		case -gap > same:
			return -1
		}
		return decimal(a.text()).Cmp(b.exact)
	}
	return func(_ uint32, k *kase) bool {
		for a := range k.amounts() {
			if a.unit() == unit && unit != 0 {
				return (least == nil || compare(a, least) >= 0) && (most == nil || compare(a, most) <= 0)
			}
		}
		return false
	}
}

// words matches cases that name each word somewhere.
func (d *Desk) words(words []string) []match {
	var all []match
	var names map[term]string
	for _, w := range words {
		w = strings.ToLower(w)
		if w == "" {
			continue
		}
		if names == nil {
			names = d.names()
		}
		set := d.state.terms.newSet()
		d.state.terms.containing(w, set)
		for t, name := range names {
			if strings.Contains(name, w) {
				set.add(t)
			}
		}
		ids := d.casesOf(w)
		if !slices.ContainsFunc(set, func(bits uint64) bool { return bits != 0 }) {
			all = append(all, func(n uint32, _ *kase) bool { return slices.Contains(ids, n) })
			continue
		}
		all = append(all, func(n uint32, k *kase) bool {
			return slices.ContainsFunc(k.terms(), set.has) || k.hasPart(set) || slices.ContainsFunc(k.findings(), func(f finding) bool { return set.has(f.code) }) || set.has(k.opNamed) || set.has(k.resNamed) || slices.Contains(ids, n)
		})
	}
	return all
}

// names are what people call agents, units, services, clients, reviewers and
// findings, in lower case: as registered now.
func (d *Desk) names() map[term]string {
	names := map[term]string{}
	reg, at := d.log.Registry(), d.state.asOf
	for i, k := range d.state.terms.kinds {
		t := term(i)
		switch k {
		case kindAgent:
			c, _ := reg.Agent(d.state.terms.str(t), at)
			names[t] = c.GetDisplayName()
		case kindOperator:
			o, _ := reg.Operator(d.state.terms.str(t), at)
			names[t] = o.GetOrganisation() + ", " + o.GetUnit() + ": " + o.GetAccountablePost()
		case kindParty:
			id := d.state.terms.str(t)
			s, _ := reg.Service(id, at)
			c, _ := reg.Client(id, at)
			r, _ := reg.Reviewer(id, at)
			names[t] = s.GetDisplayName() + "\n" + c.GetDisplayName() + "\n" + r.GetPost()
		case kindCode:
			names[t] = chain.TitleOf(d.state.terms.str(t))
		default:
			continue
		}
		names[t] = strings.ToLower(names[t])
	}
	return names
}

// Ids in words.
const (
	minID = 8
	// maxSame bounds how many entries are read because their ids begin alike.
	maxSame = 64
)

// casesOf returns the cases of the records whose id begins with a word of eight
// characters or more.
func (d *Desk) casesOf(word string) []uint32 {
	first, err := hex.DecodeString(word[:min(len(word), minID)])
	if len(word) < minID || len(word) > 2*len(record.ID{}) || err != nil {
		return nil
	}
	prefix := prefixOf(record.ID(append(first, make([]byte, len(record.ID{})-len(first))...)))
	var cases []uint32
	same := 0
	for i, p := range d.state.prefix {
		if p != prefix {
			continue
		}
		if same++; same > maxSame {
			break
		}
		e, err := d.log.Entry(int64(i))
		if err != nil { // not shown, or damaged meanwhile: it is not found by its id
			continue
		}
		if !strings.HasPrefix(e.Record.ID.String(), word) {
			continue
		}
		if n, err := d.caseAt(int64(i)); err == nil && n != 0 {
			cases = append(cases, n)
		}
	}
	return cases
}
