package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/spf13/cobra"
)

func newAgentList() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the registered agents",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			all := &onusv1.ListAgentsResponse{}
			if err := eachAgent(cmd.Context(), client, func(a *onusv1.RegisteredAgent) bool {
				all.Agents = append(all.Agents, a)
				return true
			}); err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), all)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "AGENT\tNAME\tOPERATOR\tANSWERS\tKEYS\tLAST RECORD")
			for _, a := range all.Agents {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s%s\n", a.GetAgent().GetId(), a.GetAgent().GetDisplayName(), a.GetOperator().GetId(),
					a.GetOperator().GetAccountablePost(), len(a.GetKeys()), lastRecord(a), revokedMark(a))
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newAgentShow() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show SPIFFE-ID",
		Short: "Show one agent, its operator and its keys",
		Args:  needOne("the agent: a SPIFFE ID from onus agent list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			a, err := findAgent(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			if a == nil {
				return fmt.Errorf("no agent %s is registered: see onus agent list", args[0])
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), a)
			}
			return printAgent(cmd.OutOrStdout(), a)
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printAgent(out io.Writer, a *onusv1.RegisteredAgent) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	c, op := a.GetAgent(), a.GetOperator()
	fmt.Fprintf(w, "agent\t%s\t(entry %d)\n", c.GetId(), a.GetIndex())
	if a.Revoked != nil {
		fmt.Fprintf(w, "REVOKED\tby entry %d\n", a.GetRevoked())
	}
	for _, row := range [][2]string{{"name", c.GetDisplayName()}, {"purpose", c.GetPurpose()}, {"model", c.GetModel()},
		{"owner", c.GetOwner()}, {"risk", c.GetRiskClass()}} {
		if row[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", row[0], quote(row[1], 256))
		}
	}
	fmt.Fprintf(w, "answers\t%s, %s, %s\t(%s)\n", quote(op.GetAccountablePost(), 256), quote(op.GetUnit(), 256), quote(op.GetOrganisation(), 256), op.GetId())
	if op.GetContact() != "" {
		fmt.Fprintf(w, "contact\t%s\n", quote(op.GetContact(), 256))
	}
	if c.GetObserved() {
		fmt.Fprintln(w, "observed\tit is not under grants yet: what it does without a grant is no violation")
	}
	for _, e := range c.GetCatalogue() {
		fmt.Fprintf(w, "is there to\t%s\n", describeElement(e))
	}
	for _, e := range c.GetCeiling() {
		fmt.Fprintf(w, "at most\t%s\n", describeGrantElement(e))
	}
	for _, o := range c.GetOauthClients() {
		fmt.Fprintf(w, "client\t%s at %s\n", quoteIf(o.GetId()), o.GetIssuer())
	}
	for _, l := range c.GetWorkloads() {
		fmt.Fprintf(w, "workload\t%s at %s\n", quoteIf(l.GetSubject()), l.GetIssuer())
	}
	for _, k := range a.GetKeys() {
		fmt.Fprintf(w, "key\t%s\t%s\n", k.GetKeyId(), describeKey(k, "any instance"))
	}
	fmt.Fprintf(w, "last record\t%s\n", lastRecord(a))
	return w.Flush()
}

// describeKey says whose a key is, how that was established, and until when.
func describeKey(k *onusv1.RegisteredKey, everybody string) string {
	s := everybody
	if k.GetInstance() != "" {
		s = "instance " + k.GetInstance()
	}
	if k.Revoked != nil {
		s += fmt.Sprintf(", REVOKED by entry %d", k.GetRevoked())
	}
	if word := levelWord(k.GetLevel()); word != "" {
		s += ", " + k.GetLevel() + ": " + word
	}
	if k.GetNotAfter() != nil {
		s += ", until " + describeTime(k.GetNotAfter())
	}
	return s + fmt.Sprintf(" (entry %d)", k.GetIndex())
}

// levelWord says how well a key's binding was established.
func levelWord(level string) string {
	return map[string]string{"K0": "on the word of who registered it", "K1": "by a workload token", "K2": "by an SVID"}[level]
}

func lastRecord(a *onusv1.RegisteredAgent) string {
	if a.GetLastIndex() < 0 {
		return "none"
	}
	return fmt.Sprintf("entry %d, %s", a.GetLastIndex(), a.GetLastTime().AsTime().Format(time.RFC3339))
}

func revokedMark(a *onusv1.RegisteredAgent) string {
	if a.Revoked == nil {
		return ""
	}
	return fmt.Sprintf(", REVOKED by entry %d", a.GetRevoked())
}
