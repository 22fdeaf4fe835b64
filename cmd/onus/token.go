package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/spf13/cobra"
)

func newToken() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Make the tokens that let callers in"}
	cmd.AddCommand(newTokenNew())
	return cmd
}

func newTokenNew() *cobra.Command {
	var tokens, name, role, agentID, op, out string
	cmd := &cobra.Command{
		Use:   "new --name NAME --role ROLE --tokens FILE",
		Short: "Make a token, and add its line to the token file",
		Long: `Make a token and print it, once: the token file, which is made if there is
none, gets its hash. A server that was started with --tokens FILE knows it at
once. To revoke it, delete its line. To replace it, make another of the same
name, and then delete the old line.

  agent          its own records, and the chains that they are part of
  operator       the same for all agents that the operator answers for
  auditor        all records, without their contents
  compliance     all records, with their contents
  administrator  everything

A workload that shows a certificate needs no token. A line gives it another
role than that of the agent class it names: NAME ROLE spiffe://ID.

Nor does who shows an ID token of an OpenID provider. A line says whom it lets
in, by the issuer and the subject (iss and sub): NAME ROLE oidc:ISSUER#SUB. The
token must be for this log: see --oidc-audience in onus serve --help.`,
		Example: `  onus token new --name root --role administrator --tokens ledger/tokens -o root.token
  onus token new --name k8s --role agent --agent spiffe://example.com/k8s-agent --tokens ledger/tokens
  onus list --token @root.token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tokens == "" {
				return usageError{errors.New("say where the hash goes: --tokens FILE")}
			}
			c, err := tokenCaller(name, role, agentID, op)
			if err != nil {
				return usageError{err}
			}
			token, hash := identity.NewToken()
			// The token first: a line whose token nobody has would stay.
			if out != "" {
				if err := keyfile.WriteNew(out, []byte(token+"\n"), 0o600); err != nil {
					return err
				}
			}
			if err := identity.AppendLine(tokens, identity.Line{Caller: c, Hash: hash}); err != nil {
				if out != "" {
					err = errors.Join(err, os.Remove(out)) // made above
				}
				return err
			}
			where := out
			if out == "" {
				where = "printed here, and nowhere else"
				fmt.Fprintln(cmd.OutOrStdout(), token)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "onus: a token for %s, %s: %s\n", c.Name, c, where)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&tokens, "tokens", "", "the token file")
	f.StringVar(&name, "name", "", "who it is for, as the server's log will name it")
	f.StringVar(&role, "role", "", "agent, operator, auditor, compliance or administrator")
	f.StringVar(&agentID, "agent", "", "the agent class, a SPIFFE ID; with --role agent")
	f.StringVar(&op, "operator", "", "the operator's id; with --role operator")
	f.StringVarP(&out, "out", "o", "", "write the token to this new file, mode 0600, instead of printing it")
	return cmd
}

// tokenCaller makes a caller of the flags.
func tokenCaller(name, role, agentID, op string) (identity.Caller, error) {
	r, err := identity.ParseRole(role)
	if err != nil {
		return identity.Caller{}, err
	}
	c := identity.Caller{Name: name, Role: r}
	switch {
	case (agentID != "") != (r == identity.Agent):
		return c, errors.New("--agent SPIFFE-ID goes with --role agent, and with no other")
	case (op != "") != (r == identity.Operator):
		return c, errors.New("--operator ID goes with --role operator, and with no other")
	}
	c.Scope = agentID + op // at most one is set
	return c, identity.Line{Caller: c}.Check()
}
