package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

func (s *site) partyRoutes() {
	s.page("GET /agents", (*visit).agents)
	s.page("GET /operators", (*visit).operators)
	s.page("GET /users", (*visit).users)
	s.page("GET /subjects", (*visit).subject)
	s.page("GET /revocations", (*visit).revocations)
	s.grantRoutes()
}

// pager is where a list of a known length stands. Pages count from 1.
type pager struct {
	Page, Pages, Total int
	Prev, Next         string
}

// pageOf reads the page that an address asks for.
func (v *visit) pageOf() (int, error) {
	s := v.r.FormValue("page")
	if s == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1_000_000 || strconv.Itoa(n) != s {
		return 0, badRequest("Begin at the first page of the list.", "That is no number of a page: %s.", say(s))
	}
	return n, nil
}

// cutPage returns the part of a list that is on a page. Beyond its end there is
// no page.
func cutPage[T any](all []T, page int, path string, pairs ...string) ([]T, pager, error) {
	p := pager{Page: page, Total: len(all), Pages: max(1, (len(all)+listRows-1)/listRows)}
	if page > p.Pages {
		return nil, p, notFound("Begin at the first page of the list.", "The list has %s; there is no page %d.", count(p.Pages, "page"), page)
	}
	at := func(n int) string {
		number := ""
		if n > 1 {
			number = strconv.Itoa(n)
		}
		return listPath(path, append(slices.Clone(pairs), "page", number)...)
	}
	if page > 1 {
		p.Prev = at(page - 1)
	}
	if page < p.Pages {
		p.Next = at(page + 1)
	}
	from := (page - 1) * listRows
	return all[from:min(from+listRows, len(all))], p, nil
}

// maxListSearch is the most bytes that are searched for in a list.
const maxListSearch = 1000

func (v *visit) searched() (string, error) {
	q := strings.TrimSpace(v.r.FormValue("q"))
	if len(q) > maxListSearch {
		return "", badRequest("Look for a part of a name or an id.", "What is looked for has %d bytes; %d are the most.", len(q), maxListSearch)
	}
	if strings.ContainsFunc(q, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", badRequest("Type it anew.", "What is looked for holds signs that do not print.")
	}
	return q, nil
}

// holds reports whether one of some words has another in it, without regard to
// upper and lower case.
func holds(q string, in ...string) bool {
	q = strings.ToLower(q)
	return slices.ContainsFunc(in, func(s string) bool { return strings.Contains(strings.ToLower(s), q) })
}

// findingCount is how often something was found about a party's doings.
type findingCount struct {
	Code, Title string
	Severity    chain.Severity
	N           int
	Href        string
}

// findingCounts are those of a party, the gravest first: with links to the
// cases that have them.
func findingCounts(found map[string]int, by, id string) []findingCount {
	var out []findingCount
	for _, r := range chain.Rules {
		if n := found[r.Code]; n > 0 {
			href, err := findURL(by, id, "finding", r.Code)
			if err != nil {
				panic("web: " + err.Error()) // of our own pairs
			}
			out = append(out, findingCount{r.Code, r.Title, r.Severity, n, href})
		}
	}
	slices.SortStableFunc(out, func(a, b findingCount) int { return severityRank(b.Severity) - severityRank(a.Severity) })
	return out
}

// partyFacts is what the desk knows of a party, ready to be shown.
type partyFacts struct {
	desk.Party
	Findings []findingCount
	// Find leads to all its cases.
	Find string
	// Note says what the findings are of, where they are not the party's own.
	Note string
}

// Tally counts the findings by severity.
func (f partyFacts) Tally() tally {
	var t tally
	for _, c := range f.Findings {
		t = t.with(c.Severity, c.N)
	}
	return t
}

func (v *visit) partyFacts(p desk.Party, by, id string) partyFacts {
	find, err := findURL(by, id)
	if err != nil {
		panic("web: " + err.Error())
	}
	return partyFacts{Party: p, Findings: findingCounts(p.Findings, by, id), Find: find}
}

// description is how a party was registered, and how that changed.
type description struct {
	Fields []recordField
	// Changes are the registrations, the newest first.
	Changes []descriptionChange
	// Older: there are more than are shown.
	Older int
}

// descriptionChange is one registration of a party.
type descriptionChange struct {
	Index, Time int64
	By          partyName
	// First: it is the first one. Else Was and Is are what it changed.
	First   bool
	Changed []fieldChange
}

// fieldChange is what became of one thing that a description says.
type fieldChange struct{ Label, Was, Is string }

// maxChanges is how many registrations of one party a page shows.
const maxChanges = 20

// describe says how a party is registered now, and each time before.
func (v *visit) describe(p registry.Party, at int64) description {
	var d description
	all := v.Log.Registry().History(p, at)
	if len(all) == 0 {
		return d
	}
	read := func(i int) []recordField {
		f := &fieldReader{log: v.Log, at: all[i].Index + 1, disclosed: v.Contents}
		fields := f.fields(all[i].Registration)
		if len(fields) == 1 {
			return fields[0].Fields
		}
		return fields
	}
	d.Fields = read(len(all) - 1)
	for i := len(all) - 1; i >= 0; i-- {
		if len(d.Changes) == maxChanges {
			d.Older = i + 1
			break
		}
		c := descriptionChange{Index: all[i].Index, First: i == 0}
		if e, err := v.Log.Entry(all[i].Index); err == nil && e.Record != nil {
			c.Time, c.By = e.LogTime, v.authorName(e.Record.Msg.GetAuthor(), e.Index)
		}
		if i > 0 {
			c.Changed = fieldChanges(read(i-1), read(i))
		}
		d.Changes = append(d.Changes, c)
	}
	return d
}

// fieldChanges compares what two descriptions say, label by label.
func fieldChanges(was, is []recordField) []fieldChange {
	a, b := map[string][]string{}, map[string][]string{}
	var order []string
	for _, side := range []struct {
		fields []recordField
		in     map[string][]string
	}{{was, a}, {is, b}} {
		for _, f := range side.fields {
			if !slices.Contains(order, f.Label) {
				order = append(order, f.Label)
			}
			side.in[f.Label] = append(side.in[f.Label], f.line())
		}
	}
	var out []fieldChange
	for _, label := range order {
		if x, y := strings.Join(a[label], "; "), strings.Join(b[label], "; "); x != y {
			out = append(out, fieldChange{label, cutLine(x), cutLine(y)})
		}
	}
	return out
}

// line says in one line what a field says.
func (f recordField) line() string {
	switch {
	case f.Quote != "":
		return "“" + strings.TrimSpace(f.Quote) + "”"
	case f.Code != "":
		return f.Code
	case f.ID != "":
		return report.Clean(shortID(f.ID))
	case f.HasTime:
		return clock(f.Time).Format("2006-01-02 15:04:05 UTC")
	case len(f.Fields) > 0:
		var parts []string
		for _, g := range f.Fields {
			parts = append(parts, g.Label+" "+g.line())
		}
		return strings.Join(parts, ", ")
	}
	return f.Words
}

// revocationsOf are those that hit a party as a whole, and its keys, processes
// and own sessions.
func (v *visit) revocationsOf(p registry.Party, at int64) []revocationRow {
	reg := v.Log.Registry()
	operator := ""
	if p.Kind == registry.KindAgent {
		a, _ := reg.Agent(p.ID, at)
		operator = a.GetOperator()
	}
	var out []revocationRow
	for _, r := range slices.Backward(reg.AllRevocations(at)) {
		hit := false
		switch {
		case r.Key != "":
			b := reg.Key(r.Key, at)
			hit = b != nil && b.Party() == p
		case r.Agent != "":
			hit = p == registry.Party{Kind: registry.KindAgent, ID: r.Agent}
		case r.Operator != "":
			hit = p == registry.Party{Kind: registry.KindOperator, ID: r.Operator} || operator == r.Operator
		case r.Session != "":
			hit = p.Kind == registry.KindUser && r.User == p.ID
		}
		if hit && len(out) < listRows {
			out = append(out, v.revocationRowOf(r, at))
		}
	}
	return out
}

// checkID holds the id in an address to the form of its kind.
func checkID(p registry.Party) error {
	const next = "Follow a link of a list: ids are long, and each sign counts."
	switch p.Kind {
	case registry.KindAgent:
		if why := record.CheckSPIFFE(p.ID); why != "" {
			return badRequest(next, "That is no agent’s id, which %s: %s.", why, say(p.ID))
		}
	case registry.KindOperator:
		if !record.IsOperatorID(p.ID) {
			return badRequest(next, "That is no operator’s id: %s.", say(p.ID))
		}
	case registry.KindUser:
		if !record.IsPseudonym(p.ID, record.UserPrefix) {
			return badRequest(next, "That is no user’s pseudonym: %s.", say(p.ID))
		}
	}
	return nil
}

// activity is the newest records of a party.
type activity struct {
	Rows []recordRow
	More string
}

const recentRows = 15

func (v *visit) activityOf(q RecordQuery) (activity, error) {
	f := recordFilter{RecordQuery: q, After: -1}
	rows, next, _, err := v.listRecords(f, recentRows, "")
	a := activity{Rows: rows}
	if next != "" {
		a.More = recordsPath(f.pairs()...)
	}
	return a, err
}

// grantScope says what a grant allows, a line for each element.
func grantScope(g *onusv1.Grant) []string {
	var out []string
	for _, e := range g.GetScope() {
		out = append(out, grantElement(e))
	}
	return out
}

// grantElement says what may be done, and how much of it.
func grantElement(e *onusv1.GrantElement) string {
	s := shortOperation(e.GetElement())
	if e.GetMaxItem() != "" {
		s += fmt.Sprintf(", at most %s an item", amount(e.GetMaxItem(), e.GetUnit()))
	}
	if e.GetMaxTotal() != "" {
		s += fmt.Sprintf(", at most %s in total", amount(e.GetMaxTotal(), e.GetUnit()))
	}
	return s
}
