package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

func newChain() *cobra.Command {
	var r remote
	var format string
	var limit int32
	cmd := &cobra.Command{
		Use:   "chain ID",
		Short: "Show the chain that a record belongs to, as a tree",
		Long: `Show the chain of a record: up its parents to the root, and all that came of
that root. The tree is built here from the entries that the server sent.`,
		Args: needOne("a record: an id from onus list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usageError{fmt.Errorf("unknown format %q: use text or json", format)}
			}
			client, err := r.client()
			if err != nil {
				return err
			}
			resp, err := client.GetChain(cmd.Context(), &onusv1.GetChainRequest{Id: args[0], Limit: limit, Contents: true})
			if err != nil {
				return err
			}
			if format == "json" {
				return printMessage(cmd.OutOrStdout(), resp)
			}
			return printChain(cmd.OutOrStdout(), resp)
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().Int32Var(&limit, "limit", 0, "at most this many records; 0 means 1,000")
	return cmd
}

// printChain draws a chain from its entries' bytes.
func printChain(w io.Writer, resp *onusv1.GetChainResponse) error {
	var entries []chain.Entry
	texts := textOf{}
	for _, lr := range resp.GetRecords() {
		e, err := entry.Parse(lr.GetEntry())
		if err != nil {
			return fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
		}
		rec, err := record.Parse(e.Envelope)
		if err != nil {
			return fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
		}
		entries = append(entries, chain.Entry{Index: lr.GetIndex(), LogTime: e.Stamp.LogTime, Record: rec})
		for sum, data := range openTexts(lr.GetContents()) {
			texts[sum] = data
		}
	}
	c := chain.Build(entries, resp.GetPolicy())
	fmt.Fprintf(w, "%d records as of %d entries\n", len(c.Nodes), resp.GetSize())
	for _, root := range c.Roots {
		printNode(w, root, "", "", texts)
	}
	if len(c.Missing) > 0 {
		fmt.Fprintln(w, "\nNamed, but not in the log:")
		for _, m := range c.Missing {
			as := "a cause"
			if m.AsParent {
				as = "the parent"
			}
			fmt.Fprintf(w, "  %s, %s of entry %d\n", m.ID, as, m.By.Index)
		}
	}
	if resp.GetCut() {
		fmt.Fprintf(w, "\nThe chain goes on: this shows %d records, --limit shows more.\n", len(c.Nodes))
	}
	return nil
}

// printNode draws a record and what came of it. lead stands before its own
// line, rest before the lines below.
func printNode(w io.Writer, n *chain.Node, lead, rest string, t textOf) {
	m := n.Record.Msg
	fmt.Fprintf(w, "%s#%d %s  %s  by %s, %s\n", lead, n.Index, kind(m), describe(m, t, 100), author(m),
		time.UnixMilli(n.LogTime).UTC().Format("15:04:05.000Z"))
	below := rest
	if len(n.Children) > 0 {
		below += "│"
	}
	for _, f := range n.Findings {
		if f.Severity == chain.Info {
			continue
		}
		fmt.Fprintf(w, "%s   ! %s: %s\n", below, f.Code, f.Text)
	}
	if len(n.Causes) > 0 {
		var cs []string
		for _, c := range n.Causes {
			cs = append(cs, fmt.Sprintf("#%d", c.Index))
		}
		fmt.Fprintf(w, "%s   because of %s\n", below, strings.Join(cs, ", "))
	}
	for i, c := range n.Children {
		if i < len(n.Children)-1 {
			printNode(w, c, rest+"├─ ", rest+"│  ", t)
		} else {
			printNode(w, c, rest+"└─ ", rest+"   ", t)
		}
	}
}
