package web

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

// Bounds of what stands on the first tab.
const (
	// maxCards is how many actions have a card, and openCards how many are in
	// order and not folded.
	maxCards, openCards = 50, 6
	// maxForms is how many findings can be reviewed in place; the others on
	// their record's page.
	maxForms = 12
	// fullCards is how many cards have all their findings and the words, and briefFindings
	// how many the others have.
	fullCards, briefFindings = 10, 2
	// maxOthers is how many findings on other records are listed.
	maxOthers = 50
)

// chainActions are the actions of a chain, the gravest first.
type chainActions struct {
	Shown, Folded []chainCard
	// Left is how many have no card.
	Left   int
	Others []chainFinding
	// OthersLeft is how many findings on other records are not listed.
	OthersLeft int
	Records    string
}

// chainCard is an action in a sentence, and who answers for it.
type chainCard struct {
	Index   int64
	ID      record.ID
	Outcome chain.Outcome
	Title   string
	Actor   partyName
	// Did is the operation, On what it was done to, Amount how much.
	Did, On, Amount string
	For             partyName
	// Ended says how it ended, as far as a record says so.
	Ended    string
	Answers  []chainAnswer
	Why      string
	Findings []chainFinding
	// MoreFound is how many findings there are beyond those.
	MoreFound int
	Words     []chainQuote
	// Brief: it leaves out the words.
	Brief   bool
	Claims  []chainQuote
	Rests   string
	Logged  int64
	Claimed string
	Code    chain.Code
}

// chainAnswer is a party that answers for an action: whose, and who it is.
type chainAnswer struct {
	First bool
	// Unit and Post answer; empty for a person.
	Unit, Post string
	// Issuer vouches for the name of a person; it may be empty.
	Party, Issuer, Href string
	// Roles say in what role and why.
	Roles string
}

// chainFinding is something to know about a record.
type chainFinding struct {
	Index    int64
	ID       record.ID
	Code     string
	Title    string
	Severity chain.Severity
	Text     string
	Who      string
	State    chain.State
	Review   *report.Review
	// Form reviews it here; nil where it is reviewed on its record's page.
	Form *reviewForm
}

func (c *chainView) actions() *chainActions {
	a := &chainActions{Records: "/chain/" + c.root.Record.ID.String() + "?tab=records"}
	if c.Judgement == nil {
		return a
	}
	forms := maxForms
	all := c.gravest()
	for i, v := range all {
		if i == maxCards {
			a.Left = len(all) - i
			break
		}
		card := c.card(v, i < fullCards, &forms)
		if v.Outcome == chain.WithinAuthority && len(all) > openCards && i >= 1 {
			a.Folded = append(a.Folded, card)
		} else {
			a.Shown = append(a.Shown, card)
		}
	}
	var others []chain.Finding
	for _, f := range append(slices.Clone(c.Judgement.Findings), c.Judgement.Evidence.Omissions...) {
		if f.Kind != chain.Coverage {
			others = append(others, f)
		}
	}
	bySeverity(others)
	for i, f := range others {
		if i == maxOthers {
			a.OthersLeft = len(others) - i
			break
		}
		a.Others = append(a.Others, c.finding(f, &forms))
	}
	return a
}

func bySeverity(fs []chain.Finding) {
	slices.SortStableFunc(fs, func(a, b chain.Finding) int { return severityRank(b.Severity) - severityRank(a.Severity) })
}

func (c *chainView) card(v *chain.Verdict, full bool, forms *int) chainCard {
	card := chainCard{Index: v.Index, ID: v.Record, Outcome: v.Outcome, Title: v.Title, Why: report.Clean(v.Why), Rests: restsOn(v), Logged: v.LogTime, Code: v.Code}
	card.Did = report.Clean(record.Operation(v.Element))
	card.On, card.Amount = c.onWhat(v.Element)
	if n := c.at[v.Index]; n != nil {
		card.Actor = c.author(n)
		if u := n.Record.Msg.GetUser(); u != "" {
			card.For = c.authorName(&onusv1.Author{User: u}, v.Index)
		}
		card.Ended = ended(n)
	}
	if d := v.LogTime - v.Claimed; v.Claimed != 0 && (d >= 1000 || d <= -1000) {
		card.Claimed = "its author’s clock: " + apart(d)
	}
	for _, x := range v.Answers {
		card.Answers = append(card.Answers, c.answer(x))
	}
	fs := slices.DeleteFunc(slices.Clone(v.Findings), func(f chain.Finding) bool { return f.Kind == chain.Coverage })
	bySeverity(fs)
	for i, f := range fs {
		if !full && i == briefFindings {
			card.MoreFound = len(fs) - i
			break
		}
		card.Findings = append(card.Findings, c.finding(f, forms))
	}
	if card.Brief = !full && len(v.Words)+len(v.Claims) > 0; card.Brief {
		return card
	}
	card.Words = c.words(v.Words)
	for _, q := range v.Claims {
		out := chainQuote{Index: q.Index, Lead: sentence(kindAndName(q.By)), Rests: claimWord(q.Field)}
		out.Words, out.Shown = c.cleanSaid(q)
		card.Claims = append(card.Claims, out)
	}
	return card
}

// onWhat is as onWhat, with the name of a user to whom something went, for those
// who may see it.
func (c *chainView) onWhat(e *onusv1.ScopeElement) (on, much string) {
	on, much = onWhat(e)
	if r := e.GetRecipient(); record.IsPseudonym(r, record.UserPrefix) {
		if name, _ := personName(c.realName(r)); name != "" {
			on = strings.TrimSuffix(on, r) + report.Clean(name) // it comes last
		}
	}
	return on, much
}

// onWhat says what an element was done to, and how much.
func onWhat(e *onusv1.ScopeElement) (on, much string) {
	var parts []string
	if ds := e.GetDatatypes(); len(ds) > 0 {
		parts = append(parts, report.Clean(strings.Join(ds, ", ")))
	}
	if id := e.GetIdentifier(); id != "" {
		parts = append(parts, "“"+report.Clean(id)+"”")
	}
	if l := e.GetLocation(); l != "" {
		parts = append(parts, report.Clean(l))
	}
	if r := e.GetRecipient(); r != "" {
		parts = append(parts, "to "+report.Clean(r))
	}
	if e.GetAmount() != "" {
		much = amount(e.GetAmount(), e.GetUnit())
	}
	if q := e.GetQuantity(); q != "" {
		much = strings.TrimSpace(much + " × " + report.Clean(q))
	}
	return strings.Join(parts, ", "), much
}

// ended says how an action ended, by the records below it.
func ended(n *chain.Node) string {
	s := ""
	for _, ch := range n.Children {
		if o := ch.Record.Msg.GetOutcome(); o != nil && ch.Opaque == chain.Readable {
			s = fmt.Sprintf("The agent says that it %s (entry %d).", map[onusv1.OutcomeStatus]string{
				onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED: "succeeded", onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED: "failed"}[o.GetStatus()], ch.Index)
			if o.GetStatus() != onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED && o.GetStatus() != onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED {
				s = fmt.Sprintf("The agent says that it does not know how it ended (entry %d).", ch.Index)
			}
		}
	}
	for _, ch := range n.Children {
		if ch.Record.Msg.GetCounter() != nil && ch.Opaque == chain.Readable {
			s += fmt.Sprintf(" The target recorded it too (entry %d).", ch.Index)
			break
		}
	}
	return strings.TrimSpace(s)
}

// restsOn says what a verdict rests on.
func restsOn(v *chain.Verdict) string {
	s := map[chain.State]string{
		chain.Verified: "what was signed, checked by this server",
		chain.Attested: "in part the log’s word",
		chain.Asserted: "in part somebody’s mere word",
		chain.Broken:   "nothing: the proof fails",
	}[v.State]
	if v.DeclaredByOperator {
		s += "; what the tool is there to do is as its operator declared it"
	}
	return s
}

// claimWord says as what an agent says something.
func claimWord(field string) string {
	if w, ok := map[string]string{
		"stages.interpretation.text": "how it understood the task", "stages.decision.text": "what it decided",
		"stages.decision.rationale": "its reason", "stages.action.arguments": "what it did it with",
		"stages.action.result": "what came of it",
	}[field]; ok {
		return w
	}
	return report.Clean(field)
}

func (c *chainView) answer(x chain.Answer) chainAnswer {
	a := chainAnswer{First: x.First}
	if u := x.Party.Unit; u != nil {
		a.Unit, a.Post = report.Clean(strings.Trim(u.Organisation+", "+u.Unit, ", ")), report.Clean(u.Post)
		if a.Unit == "" {
			a.Unit = report.Clean(u.ID)
		}
	}
	switch x.Party.Kind {
	case registry.KindAgent:
		a.Party = kindAndName(x.Party)
		if x.Party.Instance != "" {
			a.Party += ", instance " + report.Clean(x.Party.Instance)
		}
		a.Href = partyPath("/agents", x.Party.ID)
	case registry.KindOperator:
		a.Party, a.Href = "the operator", partyPath("/operators", x.Party.ID)
	case registry.KindUser:
		a.Party, a.Href = kindAndName(x.Party), partyPath("/users", x.Party.ID)
		if real, issuer := personName(c.realName(x.Party.ID)); real != "" {
			a.Party, a.Issuer = kindWords[registry.KindUser]+" "+report.Clean(real), report.Clean(issuer)
		}
	default:
		a.Party = kindAndName(x.Party)
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

// kindAndName is what a party is and what people call it, to begin or end words of
// ours with: the name alone could be anything.
func kindAndName(p chain.Party) string {
	kind, name := kindWords[p.Kind], p.Name
	switch {
	case p.Kind == registry.KindHost:
		return kind
	case kind == "" || p.ID == "":
		return report.Clean(name) // nobody who is known: the engine's word
	case name == "" || name == (registry.Party{Kind: p.Kind, ID: p.ID}).String():
		name = lastPart(p.ID)
	}
	return kind + " " + report.Clean(name)
}

// finding returns a finding with its review, and the form as long as there are
// some left.
func (c *chainView) finding(f chain.Finding, forms *int) chainFinding {
	out := chainFinding{Index: f.Index, Code: f.Code, Title: f.Title, Severity: f.Severity, Text: findingText(f), State: f.State, Who: string(f.Who)}
	var who []string
	for _, p := range f.Parties {
		who = append(who, report.Clean(p.String()))
	}
	if len(who) > 0 {
		out.Who = strings.Join(who, "; ")
	}
	n := c.at[f.Index]
	if n != nil {
		out.ID = n.Record.ID
	}
	for i := range c.reviews {
		if r := &c.reviews[i]; r.Latest && r.Code == f.Code && r.Of == f.Index {
			out.Review = r
		}
	}
	if n != nil && c.mayReview() && *forms > 0 {
		*forms--
		form := newReviewForm(out.ID, f.Code, standing(out.Review), "/chain/"+c.root.Record.ID.String())
		out.Form = &form
	}
	return out
}

// coverage says per agent what is not wired yet, and nobody's conduct.
func (c *chainView) coverage() []string {
	if c.Judgement == nil {
		return nil
	}
	var all []string
	for _, k := range c.Judgement.Coverage {
		all = append(all, fmt.Sprintf("Agent %s: %s, in %d of %d", report.Clean(k.Agent.String()), chain.TitleOf(k.Code), k.Found, k.Of))
	}
	return all
}
