package main

import (
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

func newAgentRevoke() *cobra.Command {
	var (
		r                               remote
		admin, adminKey                 string
		key, instance, operator, reason string
		since                           string
	)
	cmd := &cobra.Command{
		Use:   "revoke [SPIFFE-ID]",
		Short: "Revoke an agent, one of its instances or keys, or an operator",
		Long: `Revoke an agent class; with --instance one process of it; or, without a SPIFFE
ID, a key (--key) or a whole operator (--operator). An administrator signs.

From its own entry on, whatever stands on the target is flagged; what was
logged before stays valid, but is suspect from --since on. Records of a revoked
agent are still logged. Nothing un-revokes: register a new key, or a new agent.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rev := &onusv1.Revocation{}
			what, err := revocationTarget(rev, args, instance, key, operator)
			if err != nil {
				return err
			}
			if rev.SuspectedSince, err = parseTime("--since", since); err != nil {
				return err
			}
			var contents []*onusv1.Content
			if reason != "" {
				text, c := record.NewText([]byte(reason))
				rev.Reason, contents = text, []*onusv1.Content{c}
			}
			e, err := newEnrolment(&r, admin, adminKey)
			if err != nil {
				return err
			}
			index, err := e.sign(cmd.Context(), &onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: rev}}, contents)
			if err != nil {
				return fmt.Errorf("revoke %s: %w", what, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "revoked %s: entry %d, proven; it counts from entry %d on\n", what, index, index+1)
			return nil
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&admin, "admin", "root", "the administrator's name")
	f.StringVar(&adminKey, "admin-key", "", "the administrator's private key")
	f.StringVar(&instance, "instance", "", "the one instance of the agent to revoke")
	f.StringVar(&key, "key-id", "", "the key to revoke, by its id, as onus agent show has it")
	f.StringVar(&operator, "operator", "", "the operator to revoke, with all its agents and keys")
	f.StringVar(&since, "since", "", "since when it is suspected, RFC 3339")
	f.StringVar(&reason, "reason", "", "why; committed to, and stored beside the log")
	return cmd
}

// revocationTarget sets what is revoked, and names it.
func revocationTarget(rev *onusv1.Revocation, args []string, instance, key, operator string) (string, error) {
	switch {
	case len(args) == 1 && key == "" && operator == "" && instance != "":
		rev.Target = &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: args[0], Instance: instance}}
		return "instance " + instance + " of " + args[0], nil
	case len(args) == 1 && key == "" && operator == "":
		rev.Target = &onusv1.Revocation_Agent{Agent: args[0]}
		return "agent " + args[0], nil
	case len(args) == 0 && key != "" && operator == "" && instance == "":
		rev.Target = &onusv1.Revocation_Key{Key: key}
		return "key " + key, nil
	case len(args) == 0 && operator != "" && key == "" && instance == "":
		rev.Target = &onusv1.Revocation_Operator{Operator: operator}
		return "operator " + operator, nil
	}
	return "", usageError{errors.New("name one thing to revoke: SPIFFE-ID, SPIFFE-ID --instance NAME, --key-id ID, or --operator ID")}
}
