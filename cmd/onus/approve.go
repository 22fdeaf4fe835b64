package main

import (
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

func newApprove() *cobra.Command {
	var expires string
	return answer(&cobra.Command{
		Use:   "approve ID --key FILE",
		Short: "Approve what an agent proposes, once",
		Long: `Approve a proposal: the agent that made it may do exactly that, once. Its user
answers, with a device's key or through a user client (--user-token), or a
reviewer whom the grant or the log's policy names. No agent can.`,
	}, func(cmd *cobra.Command) {
		cmd.Flags().StringVar(&expires, "expires", "", "when the approval ends: RFC 3339, or a span such as 1h; default: when the proposal is denied")
	}, func(m *onusv1.Record, id string, reason *onusv1.Text) error {
		a := &onusv1.Approval{Proposal: id, Reason: reason}
		m.Body = &onusv1.Record_Approval{Approval: a}
		var err error
		a.Expires, err = parseEnd("--expires", expires)
		return err
	})
}

func newDeny() *cobra.Command {
	return answer(&cobra.Command{
		Use:   "deny ID --key FILE",
		Short: "Refuse what an agent proposes",
		Long: `Deny a proposal. The later of approval and denial counts. Who may approve may
deny.`,
	}, func(*cobra.Command) {}, func(m *onusv1.Record, id string, reason *onusv1.Text) error {
		m.Body = &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: id, Reason: reason}}
		return nil
	})
}

// answer makes a command that answers a proposal.
func answer(cmd *cobra.Command, flags func(*cobra.Command), body func(m *onusv1.Record, id string, reason *onusv1.Text) error) *cobra.Command {
	var r remote
	var key, reason, userToken string
	var asJSON bool
	cmd.Args = needOne("the record with the proposal: its id")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := record.ParseID(args[0]); err != nil {
			return usageError{fmt.Errorf("%q is not a record's id: onus list shows them", args[0])}
		}
		text, contents := newText(reason)
		m := &onusv1.Record{}
		if err := body(m, args[0], text); err != nil {
			return err
		}
		p, err := r.holder(cmd.Context(), key)
		if err != nil {
			return err
		}
		if p.author.GetReviewer() == "" && p.author.GetUser() == "" && p.author.GetClient() == "" {
			return fmt.Errorf("the key is that of %s: a proposal is answered by the user, with a device's key or through a user client, or by a reviewer", authorName(p.author))
		}
		p.askedBy(cmd.Context(), m, args[0])
		token := ""
		switch {
		case userToken != "":
			u, err := p.userWord(cmd, userToken)
			if err != nil {
				return err
			}
			u.fill(m)
			token = u.token
		case p.author.GetClient() != "":
			return usageError{errors.New("a user client answers for its user: give the user's token, --user-token FILE")}
		}
		proven, err := p.signWith(cmd.Context(), m, contents, token)
		if err != nil {
			return err
		}
		if asJSON {
			return printMessage(cmd.OutOrStdout(), p.last)
		}
		printLogged(cmd.OutOrStdout(), proven, p.last)
		return nil
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "the private key of who answers")
	f.StringVar(&userToken, "user-token", "", userTokenUsage)
	f.StringVar(&reason, "reason", "", "why; committed to, and stored beside the log")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	flags(cmd)
	return cmd
}
