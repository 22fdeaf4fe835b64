package web

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// maxHistory is how many reviews stand above a chain; all are among its records.
const maxHistory = 50

// chainQuote is somebody's words, foreign: Words is made harmless.
type chainQuote struct {
	Index int64
	// Lead says whose they are, Rests what shows that.
	Lead, Rests string
	Words       string
	Shown       bool
}

// head fills in what stands above all tabs.
func (c *chainView) head(p *chainPage) {
	ns := c.Chain.Nodes
	p.From, p.To = ns[0].LogTime, ns[len(ns)-1].LogTime
	seen := map[string]bool{}
	for _, n := range ns {
		a := n.Record.Msg.GetAuthor()
		who, _ := partyOfAuthor(a)
		if u := n.Record.Msg.GetUser(); u != "" && a.GetClient() != "" {
			who = registry.Party{Kind: registry.KindUser, ID: u} // what a client signs for a user
		}
		seen[string(who.Kind)+" "+who.ID] = true
	}
	p.Parties = len(seen)
	p.Title = c.title()
	if u := c.root.Record.Msg.GetUser(); u != "" {
		p.User = c.authorName(&onusv1.Author{User: u}, c.root.Index)
	}
	p.Asked = c.asked()
	p.Headline = c.headline()
	p.Waits = c.waits()
	for i := range c.reviews {
		if c.reviews[i].Code == "" && c.reviews[i].Latest && c.reviews[i].Root == c.root.Index {
			p.Review = &c.reviews[i]
		}
	}
	p.Reviewed = len(c.reviews)
	p.History = slices.Clone(c.reviews[max(0, len(c.reviews)-maxHistory):])
	slices.Reverse(p.History)
	if c.mayReview() {
		f := newReviewForm(c.root.Record.ID, "", standing(p.Review), "/chain/"+c.root.Record.ID.String())
		p.Form = &f
	}
}

// waits reports whether somebody is waited for. Without a desk, or where it has
// not taken in the chain yet, nobody is told that all is well.
func (c *chainView) waits() bool {
	if c.Desk == nil {
		return true
	}
	k, err := c.Desk.Case(c.root.Record.ID)
	if err != nil {
		return true
	}
	word := reviewWord(k)
	return word == dispositionWord(onusv1.Disposition_DISPOSITION_OPEN) || word == dispositionWord(onusv1.Disposition_DISPOSITION_ESCALATED)
}

func (c *chainView) mayReview() bool { return c.Officer != nil && c.Reviews }

// standing is the newest review as the form wants it; nil if there is none.
func standing(r *report.Review) *desk.Review {
	if r == nil {
		return nil
	}
	return &desk.Review{Index: r.Entry, Disposition: r.Is}
}

// title names the operations that were done, the gravest first; else what the
// root is.
func (c *chainView) title() string {
	var ops []string
	add := func(o string) {
		if o = report.Clean(o); !slices.Contains(ops, o) {
			ops = append(ops, o)
		}
	}
	for _, v := range c.gravest() {
		add(record.Operation(v.Element))
	}
	if c.Judgement == nil {
		for _, n := range c.Chain.Nodes {
			if e := n.Record.Msg.GetStages().GetAction().GetElement(); e != nil && n.Opaque == chain.Readable && len(ops) < 4 {
				add(record.Operation(e))
			}
		}
	}
	switch n := len(ops); {
	case n == 0:
		return "Nothing was done"
	case n > 3:
		return strings.Join(ops[:3], ", ") + fmt.Sprintf(" and %d more", n-3)
	}
	return strings.Join(ops, ", ")
}

// gravest returns the verdicts, the worst outcome first, else in log order.
func (c *chainView) gravest() []*chain.Verdict {
	if c.Judgement == nil {
		return nil
	}
	rank := map[chain.Outcome]int{}
	for i, o := range chain.Outcomes() {
		rank[o] = i
	}
	var all []*chain.Verdict
	for i := range c.Judgement.Actions {
		all = append(all, &c.Judgement.Actions[i])
	}
	slices.SortStableFunc(all, func(a, b *chain.Verdict) int { return rank[a.Outcome] - rank[b.Outcome] })
	return all
}

// asked are the user's own words at the head of the chain.
func (c *chainView) asked() []chainQuote {
	if c.Judgement != nil {
		for _, v := range c.gravest() {
			if len(v.Words) > 0 {
				return c.words(v.Words[:1])
			}
		}
	}
	return nil
}

// words are a user's, as quotes with what they rest on.
func (c *chainView) words(qs []chain.Quote) []chainQuote {
	var all []chainQuote
	for _, q := range qs {
		out := chainQuote{Index: q.Index, Lead: "The user"}
		if q.User != "" {
			n := c.authorName(&onusv1.Author{User: q.User}, q.Index)
			out.Lead = "User " + n.Name
			if n.Real != "" {
				out.Lead = "User " + n.Real
			}
		}
		by := kindAndName(q.By)
		switch q.State {
		case chain.Verified:
			out.Rests = "shown by the user's own key or token"
		case chain.Attested:
			out.Rests = "written down by " + by + "; the log says that it checked the user's sign-in"
		default:
			out.Rests = "only " + by + " says that the user said so"
		}
		out.Words, out.Shown = c.cleanSaid(q)
		all = append(all, out)
	}
	return all
}

func (c *chainView) cleanSaid(q chain.Quote) (string, bool) {
	words, ok := c.said(q)
	return report.Clean(words), ok
}

// headline says in one sentence each how the actions came out, the worst first.
func (c *chainView) headline() []chainLine {
	if c.Judgement == nil {
		return []chainLine{{Outcome: chain.NotJudgedHere, Text: fmt.Sprintf("The chain has more records than are judged in one piece: %s are shown, and nobody judged them here.", count(len(c.Chain.Nodes), "record"))}}
	}
	var lines []chainLine
	is := func(n int) string { return map[bool]string{true: "was", false: "were"}[n == 1] }
	for _, k := range c.Judgement.Counts {
		n := k.Actions
		var text string
		switch k.Outcome {
		case chain.EvidenceBroken:
			text = fmt.Sprintf("The evidence is broken for %s.", count(n, "action"))
		case chain.OutsideAuthority:
			text = fmt.Sprintf("%s %s not allowed.", count(n, "action"), is(n))
		case chain.CannotBeTold:
			text = fmt.Sprintf("For %s records are missing: who answers cannot be told.", count(n, "action"))
		case chain.NotJudgedHere:
			text = fmt.Sprintf("%s %s not judged here: a record that decides cannot be read.", count(n, "action"), is(n))
		case chain.WithinAuthority:
			text = fmt.Sprintf("%s %s in order.", count(n, "action"), is(n))
		default:
			continue
		}
		lines = append(lines, chainLine{Outcome: k.Outcome, Text: text})
	}
	if len(lines) == 0 {
		lines = append(lines, chainLine{Outcome: chain.NothingDone, Text: "Nothing was done."})
	}
	grave := 0
	for _, f := range c.Judgement.Findings {
		if f.Kind != chain.Coverage && (f.Severity == chain.High || f.Severity == chain.Critical) {
			grave++
		}
	}
	if grave > 0 {
		lines = append(lines, chainLine{Grave: true, Text: graveElsewhere(grave)})
	}
	return lines
}

// graveElsewhere says that there is more than the actions show.
func graveElsewhere(n int) string {
	if n == 1 {
		return "1 grave finding is about a record that is no action."
	}
	return count(n, "grave finding") + " are about records that are no actions."
}
