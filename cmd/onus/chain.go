package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
	"github.com/spf13/cobra"
)

func newChain() *cobra.Command {
	var r remote
	var format string
	var limit int32
	cmd := &cobra.Command{
		Use:   "chain ID|INDEX",
		Short: "Show the chain that a record belongs to, and who answers for what",
		Long: `Show the chain of a record, as a tree: up its parents to the root, and all that
came of that root. Each action has its verdict (=): who answers for it, and why.
The tree is built here from the entries that the server sent; the verdicts are
the server's. onus bundle gives what an auditor needs to judge without it.

With --format svg it is a picture, on standard output: a row for each party, a
column for each record, and what was not allowed marked with "!".`,
		Args: needOne("a record: an id, or an index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" && format != "svg" {
				return usageError{fmt.Errorf("unknown format %q: use text, json or svg", format)}
			}
			client, err := r.client()
			if err != nil {
				return err
			}
			id := args[0]
			if index, ok := asIndex(id); ok {
				got, err := client.GetRecord(cmd.Context(), &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: index}})
				if err != nil {
					return err
				}
				id = got.GetRecord().GetId()
			}
			resp, err := client.GetChain(cmd.Context(), &onusv1.GetChainRequest{Id: id, Limit: limit, Contents: true, Judge: true})
			if err != nil {
				return err
			}
			switch format {
			case "json":
				return printMessage(cmd.OutOrStdout(), resp)
			case "svg":
				return drawChain(cmd.OutOrStdout(), resp)
			}
			return printChain(cmd.OutOrStdout(), resp)
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text, json or svg")
	cmd.Flags().Int32Var(&limit, "limit", 0, "at most this many records; 0 means 1,000")
	return cmd
}

// readChain builds a chain from its entries' bytes. texts are those that the
// server opened, and words say how strong the user's word in a record is.
func readChain(resp *onusv1.GetChainResponse) (c *chain.Chain, texts textOf, words map[int64]string, err error) {
	var entries []chain.Entry
	texts, words = textOf{}, map[int64]string{}
	for _, lr := range resp.GetRecords() {
		if lr.GetRedacted() {
			e, err := withheld(lr)
			if err != nil {
				return nil, nil, nil, err
			}
			entries = append(entries, e)
			continue
		}
		e, err := entry.Parse(lr.GetEntry())
		if err != nil {
			return nil, nil, nil, fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
		}
		rec, err := record.Parse(e.Envelope)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
		}
		words[lr.GetIndex()] = userWordLine(rec.Msg, e.Stamp.Assurance)
		entries = append(entries, chain.Entry{Index: lr.GetIndex(), LogTime: e.Stamp.LogTime, Record: rec})
		for sum, data := range openTexts(lr.GetContents()) {
			texts[sum] = data
		}
	}
	elsewhere := map[record.ID]int64{}
	for _, e := range resp.GetElsewhere() {
		id, err := record.ParseID(e.GetId())
		if err != nil {
			return nil, nil, nil, fmt.Errorf("what the server says is elsewhere: %w", err)
		}
		elsewhere[id] = e.GetIndex()
	}
	c = chain.Build(entries, elsewhere, resp.GetPolicy())
	unjudged(c)
	return c, texts, words, nil
}

// drawChain writes a chain's picture, with the server's verdicts.
func drawChain(w io.Writer, resp *onusv1.GetChainResponse) error {
	c, _, _, err := readChain(resp)
	if err != nil {
		return err
	}
	v, err := parseVerdict(resp.GetJudgement())
	if err != nil {
		return err
	}
	m := report.Marks{Outcomes: map[int64]chain.Outcome{}, Grave: map[int64]bool{}, Cut: resp.GetCut()}
	if v != nil {
		for _, a := range v.Actions {
			for _, r := range chain.Verdicts {
				if string(r.Code) == a.Verdict {
					m.Outcomes[a.Index] = r.Outcome
				}
			}
		}
		for _, f := range v.Findings {
			if f.Kind != string(chain.Coverage) && (f.Severity == string(chain.High) || f.Severity == string(chain.Critical)) {
				m.Grave[f.Index] = true
			}
		}
	}
	return report.Picture(c, m, w)
}

// printChain draws a chain as a tree.
func printChain(w io.Writer, resp *onusv1.GetChainResponse) error {
	c, texts, words, err := readChain(resp)
	if err != nil {
		return err
	}
	verdict, err := parseVerdict(resp.GetJudgement())
	if err != nil {
		return err
	}
	verdict.printOutcome(w)
	fmt.Fprintf(w, "%s; the log had %d entries then\n", count(len(c.Nodes), "record"), resp.GetSize())
	printWho(w, c)
	p := newChainPrinter(w, c, texts, verdict, resp.GetRecords())
	p.words, p.reviews = words, reviewLines(c, texts)
	for _, root := range c.Roots {
		p.node(root, "", "")
	}
	printReferences(w, "Named, but not in the log:", c.Missing)
	printReferences(w, "Named, and in the log outside what is shown:", c.Elsewhere)
	if resp.GetCut() {
		fmt.Fprintf(w, "\nThe chain goes on: this shows %s, --limit shows more.\n", count(len(c.Nodes), "record"))
	}
	return nil
}

// printWho says on whose behalf, by which agents and when, above the tree.
func printWho(w io.Writer, c *chain.Chain) {
	users, agents, imported := map[string]bool{}, map[string]bool{}, 0
	for _, n := range c.Nodes {
		if isWithheld(n.Record) {
			continue
		}
		m := n.Record.Msg
		if m.GetUser() != "" && m.GetReview() == nil { // an officer's is nobody's work
			users[m.GetUser()] = true
		}
		if a := m.GetAuthor(); a.GetAgent() != "" {
			agents[fmt.Sprintf("%s of %s", a.GetAgent(), a.GetOperator())] = true
		}
		if m.GetCapture() != onusv1.Capture_CAPTURE_SELF {
			imported++
		}
	}
	if len(users) > 0 {
		fmt.Fprintf(w, "for   %s\n", strings.Join(slices.Sorted(maps.Keys(users)), ", "))
	}
	for _, a := range slices.Sorted(maps.Keys(agents)) {
		fmt.Fprintf(w, "by    %s\n", a)
	}
	if len(c.Nodes) > 0 && !isWithheld(c.Nodes[0].Record) {
		fmt.Fprintf(w, "from  %s (log time)\n", time.UnixMilli(c.Nodes[0].LogTime).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if imported > 0 {
		fmt.Fprintf(w, "! %d records were not recorded by the agent itself (import, telemetry or a proxy): who did what, and when, is asserted\n", imported)
	}
}

func printReferences(w io.Writer, title string, refs []chain.Reference) {
	if len(refs) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, r := range refs {
		as, at := "a cause", ""
		if r.AsParent {
			as = "the parent"
		}
		if r.Index >= 0 {
			at = fmt.Sprintf("#%d ", r.Index)
		}
		fmt.Fprintf(w, "  %s%s, %s of #%d\n", at, r.ID, as, r.By.Index)
	}
}

// chainPrinter draws a chain as a tree.
type chainPrinter struct {
	w     io.Writer
	texts textOf
	// words say how strong the user's word in a record is.
	words map[int64]string
	// reviews say of each record what came of looking into it.
	reviews map[int64][]string
	// verdict says who answers for each action.
	verdict *verdict
	// said is what there is to know of each record: by the server's judgement,
	// or, without one, by its reading of the record's authority and ours of the
	// entry alone.
	said map[int64][]*onusv1.Finding
	// everywhere are findings that nearly every record has: they are said
	// once, above the tree.
	everywhere map[string]bool
}

func newChainPrinter(w io.Writer, c *chain.Chain, t textOf, v *verdict, records []*onusv1.LoggedRecord) *chainPrinter {
	p := &chainPrinter{w: w, texts: t, verdict: v, said: v.findings(), everywhere: map[string]bool{}}
	if v == nil {
		p.said = unjudgedFindings(c, records)
	}
	found := map[string]int{}
	for _, fs := range p.said {
		for _, f := range fs {
			found[f.GetCode()]++
		}
	}
	for code, n := range found {
		p.everywhere[code] = n > 5 && 2*n > len(c.Nodes)
	}
	for _, code := range slices.Sorted(maps.Keys(p.everywhere)) {
		if p.everywhere[code] {
			fmt.Fprintf(w, "! %s: %d of the %d records; onus get ID tells more\n", code, found[code], len(c.Nodes))
		}
	}
	return p
}

// node draws a record and what came of it. lead stands before its own line,
// rest before the lines below. What goes on with the story stays in its
// column; actions and outcomes, and all but the last child, branch off.
func (p *chainPrinter) node(n *chain.Node, lead, rest string) {
	m := n.Record.Msg
	if isWithheld(n.Record) {
		fmt.Fprintf(p.w, "%s#%d withheld  by %s\n", lead, n.Index, withheldParty(m))
	} else {
		fmt.Fprintf(p.w, "%s#%d %s  %s  by %s, %s\n", lead, n.Index, report.KindOf(m), describe(m, p.texts, 100), author(m),
			time.UnixMilli(n.LogTime).UTC().Format("15:04:05.000Z"))
	}
	if s := p.words[n.Index]; s != "" {
		fmt.Fprintf(p.w, "%s     %s\n", rest, s)
	}
	if why := p.verdict.why(n.Index); why != "" {
		fmt.Fprintf(p.w, "%s     = %s\n", rest, why)
	}
	for _, f := range p.said[n.Index] {
		if !p.everywhere[f.GetCode()] {
			fmt.Fprintf(p.w, "%s     %s\n", rest, findingLine(f))
		}
	}
	for _, s := range p.reviews[n.Index] {
		fmt.Fprintf(p.w, "%s     %s\n", rest, s)
	}
	if len(n.Causes) > 0 {
		var cs []string
		for _, c := range n.Causes {
			cs = append(cs, fmt.Sprintf("#%d", c.Index))
		}
		fmt.Fprintf(p.w, "%s     because of %s\n", rest, strings.Join(cs, ", "))
	}
	for i, c := range n.Children {
		last := i == len(n.Children)-1
		switch {
		case last && goesOn(c):
			p.node(c, rest, rest)
		case last:
			p.node(c, rest+"└─ ", rest+"   ")
		default:
			p.node(c, rest+"├─ ", rest+"│  ")
		}
	}
}

// goesOn reports whether a record is said or thought, not done.
func goesOn(n *chain.Node) bool {
	d := n.Record.Msg.GetStages()
	return d != nil && d.GetAction() == nil
}
