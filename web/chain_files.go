package web

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/report"
)

// notJudged answers for files that say what a judgement says, of a chain that
// has none.
func (c *chainView) notJudged() error {
	return &problem{409, "The chain has more records than are judged in one piece.", "Take its evidence, and judge it elsewhere."}
}

// chainReport answers with the report as a page that stands by itself.
func (v *visit) chainReport() error {
	c, err := v.loadChain()
	if err != nil || c == nil {
		return err
	}
	if c.Judgement == nil {
		return c.notJudged()
	}
	p := report.Of(c.Judgement, c.said)
	p.Title = fmt.Sprintf("Who answers for what: the chain of entry %d", c.root.Index)
	p.Reviews = c.reviews
	for _, s := range c.unproven() {
		p.Gaps = append(p.Gaps, report.Gap{What: s, Prove: "onus-verify bundle FILE --log-key KEY, with the evidence of this chain"})
	}
	p.Facts = []report.Fact{
		{Name: "Log", Value: report.Clean(v.Log.Origin())},
		{Name: "Chain", Value: c.root.Record.ID.String()},
		{Name: "Judged", Value: fmt.Sprintf("by the server, as of entry %d (%s); it cannot vouch for itself", c.Size-1, clock(c.Time).Format("2006-01-02 15:04:05 UTC"))},
		{Name: "Rules", Value: fmt.Sprintf("version %d", c.Judgement.RuleVersion)},
	}
	var b bytes.Buffer
	if err := p.HTML(&b); err != nil {
		return err
	}
	return v.attach("text/html; charset=utf-8", fmt.Sprintf("chain-%d-report.html", c.root.Index), b.Bytes())
}

// chainJSON answers with the judgement for programs, as the command prints it.
// Words that the reader may not see are not in it: a judgement has commitments.
func (v *visit) chainJSON() error {
	c, err := v.loadChain()
	if err != nil || c == nil {
		return err
	}
	if c.Judgement == nil {
		return c.notJudged()
	}
	var b bytes.Buffer
	if err := json.Indent(&b, c.Judgement.JSON(), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	return v.attach("application/json", fmt.Sprintf("chain-%d.json", c.root.Index), b.Bytes())
}

// unproven says in plain words what the judgement does not show.
func (c *chainView) unproven() []string {
	if c.Judgement == nil {
		return []string{"Nothing was judged here."}
	}
	e := c.Judgement.Evidence
	var all []string
	bounded := 0
	for _, b := range e.Bounds {
		if b.NotAfter != nil {
			bounded++
		}
	}
	switch {
	case bounded == 0 && len(e.Bounds) > 0:
		all = append(all, "That things happened in this order, and at these times: no outsider has seen this log yet, so "+chain.HostsWord+".")
	case bounded < len(e.Bounds):
		all = append(all, fmt.Sprintf("When %d of %s happened: no outsider has seen the log since, so for these %s.", len(e.Bounds)-bounded, count(len(e.Bounds), "action"), chain.HostsWord))
	}
	attested, asserted := 0, 0
	for _, t := range e.Tokens {
		switch t.State {
		case chain.Attested:
			attested++
		case chain.Asserted:
			asserted++
		}
	}
	if attested > 0 {
		all = append(all, fmt.Sprintf("That a user was signed in when %s logged: the log says that it checked that, and the sign-in itself is not shown here.", were(attested)))
	}
	if asserted > 0 {
		all = append(all, fmt.Sprintf("That the user's sign-in named in %s is genuine: nobody checked it.", count(asserted, "record")))
	}
	if e.Totals == chain.Attested {
		all = append(all, "What had been used of a limit before each action: the log's word, which a reader of the whole log can add up again.")
	}
	if len(e.ByMaker) > 0 {
		all = append(all, "That records are missing rests on this server's word, which chose the entries: "+titles(e.ByMaker)+".")
	}
	if len(e.NotLookedFor) > 0 {
		why := "since only the whole log shows it"
		if e.Source == chain.FromServer {
			why = "since it takes more reading of the log than is done for one chain"
		}
		all = append(all, "Not looked for, "+why+": "+titles(e.NotLookedFor)+".")
	}
	return append(all, e.Limits...)
}

func were(n int) string {
	if n == 1 {
		return "1 record was"
	}
	return fmt.Sprintf("%d records were", n)
}

// titles names findings for people.
func titles(codes []string) string {
	s := ""
	for i, code := range codes {
		if i > 0 {
			s += "; "
		}
		s += "“" + chain.TitleOf(code) + "”"
	}
	return s
}
