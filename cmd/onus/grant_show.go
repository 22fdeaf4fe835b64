package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

func newGrantList() *cobra.Command {
	var r remote
	var q onusv1.ListGrantsRequest
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List grants, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.User != "" && !record.IsPseudonym(q.User, record.UserPrefix) {
				return usageError{fmt.Errorf("--user %q is no pseudonym: records have %s… for it, as onus get shows", q.User, record.UserPrefix)}
			}
			client, err := r.client()
			if err != nil {
				return err
			}
			shown := &onusv1.ListGrantsResponse{}
			if err := eachGrant(cmd, client, &q, func(g *onusv1.GrantStatus) {
				if all || g.Revoked == nil {
					shown.Grants = append(shown.Grants, g)
				}
			}); err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), shown)
			}
			if len(shown.Grants) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "onus: no grant matches")
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ENTRY\tGIVEN BY\tTO\tMAY\tID")
			for _, g := range shown.Grants {
				d := g.GetRecord().GetRecord().GetDelegation()
				fmt.Fprintf(w, "#%d\t%s\t%s\t%s%s\t%s\n", g.GetRecord().GetIndex(), quoteName(g.GetIssuer()), grantee(d), scopeLine(d), revokedGrant(g), g.GetRecord().GetId())
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&q.Agent, "agent", "", "grants to this agent class: a SPIFFE ID")
	f.StringVar(&q.User, "user", "", "grants of this user: a pseudonym")
	f.StringVar(&q.Parent, "parent", "", "grants under this one: its id")
	f.BoolVar(&all, "all", false, "those that were revoked too")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// eachGrant calls f with all grants that match.
func eachGrant(cmd *cobra.Command, client onusv1connect.LedgerServiceClient, q *onusv1.ListGrantsRequest, f func(*onusv1.GrantStatus)) error {
	q.PageSize = 1000
	for {
		page, err := client.ListGrants(cmd.Context(), q)
		if err != nil {
			return err
		}
		for _, g := range page.GetGrants() {
			f(g)
		}
		if q.PageToken = page.GetNextPageToken(); q.PageToken == "" {
			return nil
		}
	}
}

func newGrantShow() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a grant: from whom it comes, what it allows, what was used of it",
		Args:  needOne("a grant's id: see onus grant list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			resp, err := client.GetGrant(cmd.Context(), &onusv1.GetGrantRequest{Id: args[0]})
			if err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), resp)
			}
			return printPath(cmd.OutOrStdout(), resp.GetPath())
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printPath shows the grants from the root to the one that was asked for.
func printPath(out io.Writer, path []*onusv1.GrantStatus) error {
	if len(path) == 0 {
		return fmt.Errorf("the server sent no grant")
	}
	root := path[len(path)-1]
	fmt.Fprintf(out, "%s\n", basisLine(root))
	for i := len(path) - 1; i >= 0; i-- {
		g := path[i]
		lr := g.GetRecord()
		d := lr.GetRecord().GetDelegation()
		fmt.Fprintf(out, "\n#%d  %s gives %s  (%s)\n", lr.GetIndex(), quoteName(g.GetIssuer()), grantee(d), lr.GetId())
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		row := func(name, value string) {
			if value != "" {
				fmt.Fprintf(w, "  %s\t%s\n", name, value)
			}
		}
		grantRows(d, openTexts(lr.GetContents()), row)
		for _, u := range g.GetUses() {
			of := ""
			if n := int(u.GetLimit()); n >= 0 && n < len(d.GetScope()) {
				of = " of " + d.GetScope()[n].GetMaxTotal()
			}
			last := ", not used yet"
			if u.GetLast() >= 0 {
				last = fmt.Sprintf(", last by #%d", u.GetLast())
			}
			row("used", u.GetTotal()+of+" "+u.GetUnit()+last)
		}
		if g.Revoked != nil {
			row("REVOKED", fmt.Sprintf("by entry %d", g.GetRevoked()))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		printFindings(out, lr.GetFindings(), "  ")
	}
	return nil
}

// basisLine says whose authority stands at the root.
func basisLine(root *onusv1.GrantStatus) string {
	if root.GetBasis() == "own" {
		return "Own authority: it comes from " + quoteName(root.GetIssuer()) + ", who answers for its use."
	}
	return fmt.Sprintf("Delegated authority: it comes from %s; L%d, %s.", quoteName(root.GetIssuer()), root.GetAssurance(), assuranceWord(root.GetAssurance()))
}

// grantRows says each part of a grant in a row of its own.
func grantRows(d *onusv1.Grant, t textOf, row func(name, value string)) {
	for _, e := range d.GetScope() {
		row("may", describeGrantElement(e))
	}
	for _, a := range d.GetApprovals() {
		row("needs approval", describeApproval(a))
	}
	if d.GetNotBefore() != nil {
		row("from", describeTime(d.GetNotBefore()))
	}
	if d.GetExpires() != nil {
		row("until", describeTime(d.GetExpires()))
	}
	if d.GetEndsWithSession() {
		row("ends", "with the user's session")
	}
	if d.GetMaxDepth() > 0 {
		row("may hand on", count(int(d.GetMaxDepth()), "level")+" down")
	}
	row("for", t.show(d.GetPurpose(), 4000))
}

func grantee(d *onusv1.Grant) string {
	if d.GetInstance() != "" {
		return d.GetAgent() + " (" + d.GetInstance() + ")"
	}
	return d.GetAgent()
}

// scopeLine says in one line what may be done.
func scopeLine(d *onusv1.Grant) string {
	var parts []string
	for _, e := range d.GetScope() {
		parts = append(parts, describeGrantElement(e))
	}
	return strings.Join(parts, "; ")
}

func revokedGrant(g *onusv1.GrantStatus) string {
	if g.Revoked == nil {
		return ""
	}
	return fmt.Sprintf(", REVOKED by entry %d", g.GetRevoked())
}

// quoteName shows a name that the server gave, without quotes around it.
func quoteName(s string) string { return strings.Trim(quote(s, 256), "“”") }
