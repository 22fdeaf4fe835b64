package web

import (
	"net/url"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// findPage is what the template "find" shows.
type findPage struct {
	// Wrong says what is wrong with the search.
	Wrong      string
	Field      string
	Given      map[string]string
	More       bool // filters that are folded away are set
	Outcomes   []option
	Severities []option
	Reviews    []option
	Orders     []option
	Findings   []findingGroup
	Applied    []appliedFilter
	Contents   bool

	Found   *desk.Found
	Counts  []outcomeCount
	AllURL  string
	AllIs   bool
	Rows    []caseRow
	NextURL string
	First   string // address of the first page, on any other
	CSV     string
	Cut     bool // the CSV holds not all
}

type option struct {
	Value, Word string
	Is          bool
}

type findingGroup struct {
	Word    string
	Options []option
}

// appliedFilter is something that is set, and the address without it.
type appliedFilter struct{ Label, Value, URL string }

// caseRow is a chain in the list.
type caseRow struct {
	*desk.Case
	Agents []namedLink
	More   int // agents that are not named
	// For is the user who asked; ByUser one who answers first. Nil for nobody.
	For, ByUser *person
	Sums        []string
	Tally       tally // of its findings
	Review      string
}

// person is a user: the name and whose account it is said to be, for those who
// may see it.
type person struct{ Pseudonym, Name, Issuer string }

func (v *visit) person(pseudonym string) *person {
	if pseudonym == "" {
		return nil
	}
	p := &person{Pseudonym: pseudonym}
	p.Name, p.Issuer = personName(v.realName(pseudonym))
	return p
}

type namedLink struct{ Name, URL string }

// folded are the filters that are shown on demand.
var folded = []string{"severity", "finding", "agent", "unit", "user", "subject", "session", "op", "resource", "data", "min", "max", "currency", "review", "for"}

func (v *visit) findForm(a *asked) *findPage {
	d := &findPage{Field: a.field, Given: a.given, Contents: v.Contents}
	for _, name := range folded {
		d.More = d.More || a.given[name] != ""
	}
	pick := func(list []option, value, word, given string) []option {
		return append(list, option{value, word, value == given})
	}
	for _, o := range append(chain.Outcomes(), chain.NothingDone) {
		d.Outcomes = pick(d.Outcomes, outcomeNames[o], string(o), a.given["outcome"])
	}
	for _, s := range severities {
		word := string(s)
		switch s {
		case chain.Critical:
		case chain.Info:
			word = "any"
		case chain.Warn:
			word = "warning and graver"
		default:
			word += " and graver"
		}
		d.Severities = pick(d.Severities, string(s), word, a.given["severity"])
	}
	for _, x := range dispositions {
		d.Reviews = pick(d.Reviews, x.value, strings.ToLower(x.word), a.given["review"])
	}
	for _, o := range orders {
		d.Orders = pick(d.Orders, o.name, o.word, a.order)
	}
	for _, s := range severities {
		g := findingGroup{Word: string(s)}
		for _, r := range chain.Rules {
			if r.Severity == s && r.Kind != chain.Coverage && !r.Pending {
				g.Options = pick(g.Options, r.Code, r.Title, strings.ToUpper(a.given["finding"]))
			}
		}
		d.Findings = append(d.Findings, g)
	}
	for _, f := range filters {
		if value := a.given[f.name]; value != "" {
			d.Applied = append(d.Applied, appliedFilter{f.label, v.filterWord(f.name, value), a.address("/find", f.name, "")})
		}
	}
	return d
}

// filterWord says the value of a filter.
func (v *visit) filterWord(name, value string) string {
	switch name {
	case "outcome":
		if o := outcomeNamed(value); o != "" {
			return string(o)
		}
	case "finding":
		return chain.TitleOf(strings.ToUpper(value))
	case "agent":
		return v.agentName(value)
	case "unit":
		return v.unitName(value)
	case "user", "subject", "for":
		if real := v.realName(value); real != "" {
			name, _ := personName(strings.TrimPrefix(real, officerMark))
			return name
		}
		return shortID(value)
	case "open":
		return "waits for somebody"
	}
	return value
}

func (v *visit) findPage(a *asked, q desk.Query, found *desk.Found) *findPage {
	d := v.findForm(a)
	d.Found = found
	for _, c := range v.countsBeside(q, found) {
		if name := outcomeNames[c.Outcome]; name != "" {
			d.Counts = append(d.Counts, outcomeCount{c.Outcome, c.Actions, a.address("/find", "outcome", name), q.Outcome == c.Outcome})
		}
	}
	if a.given["outcome"] != "" {
		d.AllURL = a.address("/find", "outcome", "")
	}
	for _, c := range found.Cases {
		d.Rows = append(d.Rows, v.caseRow(c))
	}
	if found.Next != "" {
		d.NextURL = a.address("/find", "cursor", found.Next)
	}
	if a.cursor != "" {
		d.First = a.address("/find", "", "")
	}
	d.CSV, d.Cut = a.address("/find.csv", "", ""), found.Total > maxCSV
	return d
}

// countsBeside are the numbers by outcome of what would match whatever its
// outcome, so that the others stay a click away.
func (v *visit) countsBeside(q desk.Query, found *desk.Found) []chain.Count {
	if q.Outcome == "" || v.Desk == nil {
		return found.Counts
	}
	q.Outcome = ""
	all, err := v.Desk.Find(q, 1, "")
	if err != nil {
		return found.Counts
	}
	return all.Counts
}

func (v *visit) caseRow(c *desk.Case) caseRow {
	row := caseRow{Case: c, Review: reviewWord(c)}
	for i, id := range c.Agents {
		if i == 3 {
			row.More = len(c.Agents) - i
			break
		}
		row.Agents = append(row.Agents, namedLink{v.agentName(id), "/agents?id=" + url.QueryEscape(id)})
	}
	row.For = v.person(c.User)
	if u, ok := strings.CutPrefix(c.Answers, "user "); ok && record.IsPseudonym(u, record.UserPrefix) {
		row.ByUser = v.person(u)
	}
	for _, s := range c.Amounts {
		row.Sums = append(row.Sums, amount(s.Sum, s.Unit))
	}
	for _, f := range c.Findings {
		row.Tally = row.Tally.with(f.Severity, 1)
	}
	return row
}

// reviewWord says how a case stands: what still waits in it, by the desk's rule
// for that, else what an officer said of it. Empty where nobody is waited for.
func reviewWord(c *desk.Case) string {
	escalated, said := false, ""
	if c.Review != nil {
		escalated, said = c.Review.Open(), dispositionWord(c.Review.Disposition)
	}
	calm := c.Outcome == chain.WithinAuthority || c.Outcome == chain.NothingDone
	for _, f := range c.Findings {
		switch r := f.Review; {
		case f.Severity == chain.Info:
		case r == nil || r.Disposition == onusv1.Disposition_DISPOSITION_OPEN:
			return "open"
		case r.Open():
			escalated = true
		case said == "":
			said = dispositionWord(r.Disposition)
		}
	}
	switch {
	case c.Review != nil && c.Review.Disposition == onusv1.Disposition_DISPOSITION_OPEN && !calm:
		return "open"
	case escalated:
		return dispositionWord(onusv1.Disposition_DISPOSITION_ESCALATED)
	case c.Review == nil && !calm:
		return "open"
	}
	return said
}
