// Package report shows a judgement to people: as text, as one HTML page that
// prints, and as JSON. It decides nothing: all that it says comes from package
// verifier.
//
// A report leads with the answer: whether the evidence is genuine, and how the
// actions came out. Then who answers for each, by unit and accountable post;
// then what was not proven, and what would prove it; last how it was made.
//
// What records say may be written to deceive. Nothing of it can pass for the
// report's own words: it is shown between quotation marks or in its place, on
// its own line, and marks, signs that steer text and signs that do not print are
// spelled out. See clean.go.
package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Page is a report, ready to be shown. Everything in it is clean.
type Page struct {
	// Title names what is reported.
	Title string
	// Answer is whether the evidence is genuine, in capitals, and AnswerText
	// what that means; empty for a judgement that comes without evidence.
	Answer, AnswerText string
	// Good: the answer is the best that there is.
	Good bool
	// Problems are what is wrong with the evidence.
	Problems []string
	// Outcome is the headline; Counts are the numbers of actions by outcome.
	Outcome string
	Clear   bool // Outcome is within authority
	Counts  []Count
	Actions []Action
	// Others are findings about records that are no actions.
	Others []Finding
	// Reviews are what officers said about it, in log order.
	Reviews []Review
	// Coverage says what is not wired yet.
	Coverage []string
	// Gaps are what was not proven.
	Gaps []Gap
	// Facts say how the report was made.
	Facts []Fact
}

// Count is how many actions came out in one way.
type Count struct {
	N       int
	Outcome string
}

// Action is the verdict of one action.
type Action struct {
	Number   int
	Entry    int64
	Title    string
	Outcome  string
	Clear    bool
	What     string
	Times    string
	Why      string
	RestsOn  string
	Answers  []Answer
	Words    []Quote
	Findings []Finding
	Claims   []Quote
	Code     string
}

// Answer is a party that answers.
type Answer struct {
	// Unit and Post answer for it; empty for a person.
	Unit, Post string
	Party      string
	Roles      string
	First      bool
}

// Quote is what somebody said.
type Quote struct {
	Lead  string
	Words string // without quotation marks; empty if they are not disclosed
	Shown bool
}

// Finding is one thing to know.
type Finding struct {
	Title    string
	Severity string
	Text     string
	Who      string
	State    string
	Entry    int64
	Code     string
}

// Gap is what was not proven.
type Gap struct{ What, Prove string }

// Fact is a line about how the report was made.
type Fact struct{ Name, Value string }

// Said finds the words that a quote points to.
type Said func(chain.Quote) (words string, ok bool)

// Of returns the report of a judgement without its evidence.
func Of(j *chain.Judgement, said Said) *Page {
	p := &Page{Title: "Who answers for what", Outcome: string(j.Outcome), Clear: j.Outcome == chain.WithinAuthority || j.Outcome == chain.NothingDone}
	for _, c := range j.Counts {
		p.Counts = append(p.Counts, Count{c.Actions, string(c.Outcome)})
	}
	for i, v := range j.Actions {
		p.Actions = append(p.Actions, actionOf(i+1, v, said))
	}
	p.Others = findings(j.Findings)
	for _, c := range j.Coverage {
		p.Coverage = append(p.Coverage, Clean(fmt.Sprintf("%s: %s, in %d of %d", c.Agent, chain.TitleOf(c.Code), c.Found, c.Of)))
	}
	for _, f := range j.Evidence.Omissions {
		p.Others = append(p.Others, findingOf(f))
	}
	return p
}

func actionOf(n int, v chain.Verdict, said Said) Action {
	a := Action{Number: n, Entry: v.Index, Title: v.Title, Outcome: string(v.Outcome), Clear: v.Outcome == chain.WithinAuthority,
		What: describe(v.Element), Why: Clean(v.Why), RestsOn: restsOn(v), Code: string(v.Code)}
	a.Times = fmt.Sprintf("logged %s by the log's clock; its author says %s", clock(v.LogTime), clock(v.Claimed))
	for _, x := range v.Answers {
		a.Answers = append(a.Answers, answerOf(x))
	}
	for _, q := range v.Words {
		who := "the user"
		if q.User != "" {
			who = "user " + Clean(q.User)
		}
		a.Words = append(a.Words, quoteOf(fmt.Sprintf("In entry %d, %s (%s), by %s:", q.Index, who, worth(q.State), party(q.By)), q, said))
	}
	for _, q := range v.Claims {
		a.Claims = append(a.Claims, quoteOf(fmt.Sprintf("In entry %d, %s, as its %s:", q.Index, party(q.By), field(q.Field)), q, said))
	}
	a.Findings = findings(v.Findings)
	return a
}

// worth says how strongly words are a user's.
func worth(s chain.State) string {
	switch s {
	case chain.Verified:
		return "shown by the user's own key or token"
	case chain.Attested:
		return "the log says that it checked the user's sign-in"
	}
	return "only the agent says so"
}

func restsOn(v chain.Verdict) string {
	s := map[chain.State]string{
		chain.Verified: "what was signed, checked here",
		chain.Attested: "in part on the log's word",
		chain.Asserted: "in part on somebody's mere word",
		chain.Broken:   "nothing: the proof fails",
	}[v.State]
	if v.DeclaredByOperator {
		s += "; what the tool is there to do is as its operator declared it"
	}
	return s
}

func answerOf(x chain.Answer) Answer {
	a := Answer{First: x.First, Party: party(x.Party)}
	if u := x.Party.Unit; u != nil {
		a.Unit, a.Post = Clean(strings.Trim(u.Organisation+", "+u.Unit, ", ")), Clean(u.Post)
		if a.Unit == "" {
			a.Unit = Clean(u.ID)
		}
	}
	var roles []string
	for _, p := range x.Parts {
		r := string(p.Role)
		if p.Role == chain.Unknown {
			r = "answers until it is shown who asked"
		}
		if p.State != chain.Verified {
			r += " (" + string(p.State) + ")"
		}
		roles = append(roles, r)
	}
	a.Roles = strings.Join(roles, ", ")
	return a
}

// party names who it is, without the unit; empty for an operator, who is its
// unit.
func party(p chain.Party) string {
	s := Clean(p.Name)
	if p.Instance != "" {
		s += ", instance " + Clean(p.Instance)
	}
	switch p.Kind {
	case registry.KindOperator:
		return ""
	case registry.KindAgent:
		return "agent " + s
	}
	return s
}

func quoteOf(lead string, q chain.Quote, said Said) Quote {
	out := Quote{Lead: lead}
	if said != nil {
		var words string
		words, out.Shown = said(q)
		out.Words = Clean(words)
	} else if q.Commitment == "" {
		out.Words, out.Shown = Clean(q.Plain), true
	}
	return out
}

// field names a place in a record for people.
func field(f string) string {
	if name, ok := map[string]string{
		"stages.interpretation.text": "understanding of the task", "stages.decision.text": "decision",
		"stages.decision.rationale": "reason", "stages.action.arguments": "account of what it did with",
		"stages.action.result": "account of the result",
	}[f]; ok {
		return name
	}
	return f
}

// findings are the grave first; coverage is told elsewhere.
func findings(fs []chain.Finding) []Finding {
	order := []chain.Severity{chain.Critical, chain.High, chain.Warn, chain.Info}
	fs = slices.DeleteFunc(slices.Clone(fs), func(f chain.Finding) bool { return f.Kind == chain.Coverage })
	slices.SortStableFunc(fs, func(a, b chain.Finding) int {
		return slices.Index(order, a.Severity) - slices.Index(order, b.Severity)
	})
	var all []Finding
	for _, f := range fs {
		all = append(all, findingOf(f))
	}
	return all
}

func findingOf(f chain.Finding) Finding {
	who := make([]string, len(f.Parties))
	for i, p := range f.Parties {
		who[i] = Clean(p.String())
	}
	w := strings.Join(who, "; ")
	if w == "" {
		w = string(f.Who)
	}
	return Finding{Title: f.Title, Severity: string(f.Severity), Text: Clean(f.Text), Who: w, State: string(f.State), Entry: f.Index, Code: Clean(f.Code)}
}

// describe says what was done: the operation, where, and how much.
func describe(e *onusv1.ScopeElement) string {
	s := e.GetType() + ":" + e.GetAction()
	add := func(word, v string) {
		if v != "" {
			s += word + v
		}
	}
	add(" ", e.GetIdentifier())
	add(" at ", e.GetLocation())
	add("; data: ", strings.Join(e.GetDatatypes(), ", "))
	if e.GetAmount() != "" {
		s += "; " + e.GetAmount() + " " + e.GetUnit()
	}
	add("; quantity ", e.GetQuantity())
	add("; to ", e.GetRecipient())
	return Clean(s)
}

func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC") }
