package main

import (
	"errors"
	"fmt"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

func newGrant() *cobra.Command {
	cmd := &cobra.Command{Use: "grant", Short: "Give agents authority, see what they hold, and take it back"}
	cmd.AddCommand(newGrantIssue(), newGrantList(), newGrantShow(), newGrantRevoke())
	return cmd
}

// grantFlags say what a grant says.
type grantFlags struct {
	agent, instance string
	may, approvals  []string
	from, expires   string
	depth           int32
	withSession     bool
	purpose         string
}

func (g *grantFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&g.agent, "agent", "", "who gets the authority: an agent class, a SPIFFE ID")
	f.StringVar(&g.instance, "to-instance", "", "the one process of it that may use the grant")
	f.StringArrayVar(&g.may, "may", nil, "what may be done, "+scopeUsage+"; may be repeated")
	f.StringArrayVar(&g.approvals, "approval", nil, "what needs a person's approval, as type:action, and after spaces any of above=N, unit=UNIT, approvers=NAME,NAME, assurance=N; may be repeated")
	f.StringVar(&g.from, "from", "", "from when on it counts: RFC 3339, or a span from now; default: at once")
	f.StringVar(&g.expires, "expires", "", "when it ends: RFC 3339, or a span such as 30d; default: when it is revoked, or its parent ends")
	f.Int32Var(&g.depth, "depth", 0, "how many grants may follow below it")
	f.BoolVar(&g.withSession, "ends-with-session", false, "it ends with the user's session")
	f.StringVar(&g.purpose, "purpose", "", "what it is for; committed to, and stored beside the log")
}

// grant returns what the flags say.
func (g *grantFlags) grant() (*onusv1.Grant, []*onusv1.Content, error) {
	if g.agent == "" {
		return nil, nil, usageError{errors.New("say who gets the authority: --agent SPIFFE-ID")}
	}
	if len(g.may) == 0 {
		return nil, nil, usageError{errors.New("say what may be done: --may 'type:action@location …', once for each thing")}
	}
	d := &onusv1.Grant{Agent: g.agent, Instance: g.instance, MaxDepth: g.depth, EndsWithSession: g.withSession}
	var err error
	if d.Scope, err = parseGrantElements("--may", g.may); err != nil {
		return nil, nil, err
	}
	if d.Approvals, err = parseApprovals("--approval", g.approvals); err != nil {
		return nil, nil, err
	}
	if d.NotBefore, err = parseEnd("--from", g.from); err != nil {
		return nil, nil, err
	}
	if d.Expires, err = parseEnd("--expires", g.expires); err != nil {
		return nil, nil, err
	}
	var contents []*onusv1.Content
	d.Purpose, contents = newText(g.purpose)
	return d, contents, nil
}

func newGrantIssue() *cobra.Command {
	var (
		r                        remote
		g                        grantFlags
		key, instance            string
		userToken, under, parent string
		asJSON                   bool
	)
	cmd := &cobra.Command{
		Use:   "issue --key FILE --agent SPIFFE-ID --may 'type:action@location …'",
		Short: "Give an agent authority",
		Long: `Give an agent class authority: who may do what, within which limits, until when.
Whose authority it is follows from the key that signs:

  an operator's        what the operator's own agents may do by themselves
  a user's device      what the user delegates (L3)
  a user client's      what its user delegates, with --user-token (L1, L2)
  an agent's           a part of what it holds, with --under GRANT

A grant counts from its own entry on. One that is wider than its parent is logged
too, flagged, and gives no more than the parent.`,
		Example: `  onus grant issue --key platform.key --log-key log.vkey --agent spiffe://example.com/planner \
    --may 'order:create@https://shop.example.com/orders max-item=5000 max-total=50000 unit=EUR' \
    --approval 'order:create above=10000 unit=EUR approvers=anna' --expires 30d --depth 1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, contents, err := g.grant()
			if err != nil {
				return err
			}
			if _, err := record.ParseID(under); under != "" && err != nil {
				return usageError{fmt.Errorf("--under %q is not the id of a grant: onus grant list shows them", under)}
			}
			if _, err := record.ParseID(parent); parent != "" && err != nil {
				return usageError{fmt.Errorf("--parent %q is not the id of a record: onus list shows them", parent)}
			}
			p, err := r.signatory(cmd.Context(), key, instance)
			if err != nil {
				return err
			}
			if p.author.GetAgent() != "" && under == "" && userToken == "" {
				return usageError{errors.New("an agent hands on what it was given: name the grant with --under ID")}
			}
			m := &onusv1.Record{Grant: under, Basis: p.gives(), Body: &onusv1.Record_Delegation{Delegation: d}}
			p.askedBy(cmd.Context(), m, parent)
			token := ""
			if userToken != "" {
				u, err := p.userWord(cmd, userToken)
				if err != nil {
					return err
				}
				u.fill(m)
				token = u.token
			}
			proven, err := p.signWith(cmd.Context(), m, contents, token)
			if err != nil {
				return fmt.Errorf("issue the grant: %w", err)
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), p.last)
			}
			printLogged(cmd.OutOrStdout(), proven, p.last)
			link := agent.Link{Record: proven.Record.ID, Agent: p.author.GetAgent(), Origin: p.key.Origin()}
			fmt.Fprintf(cmd.OutOrStdout(), "  link: %s\n", link.Under(proven.Record.ID))
			return nil
		},
	}
	r.writeFlags(cmd)
	g.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "the private key of who gives the authority")
	f.StringVar(&instance, "instance", "", "the instance that signs, when the key is an agent's and good for every instance")
	f.StringVar(&under, "under", "", "the grant that this one hands on a part of: its id")
	f.StringVar(&parent, "parent", "", "the record that asked for it: its id")
	f.StringVar(&userToken, "user-token", "", userTokenUsage)
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// gives returns whose authority a root grant of the party's is.
func (p *signatory) gives() onusv1.Basis {
	if p.author.GetUser() != "" || p.author.GetClient() != "" {
		return onusv1.Basis_BASIS_DELEGATED
	}
	return onusv1.Basis_BASIS_UNSPECIFIED
}

func newGrantRevoke() *cobra.Command {
	var r remote
	var v revocationFlags
	var userToken string
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Take a grant back, with all that were given under it",
		Long: `Revoke a grant, and so all below it, from the next entry on. Who gave it signs, or
who gave one above it, or an administrator.`,
		Args: needOne("a grant's id: see onus grant list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := record.ParseID(args[0]); err != nil {
				return usageError{fmt.Errorf("%q is not the id of a grant: onus grant list shows them", args[0])}
			}
			rev := &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: args[0]}}
			return v.run(cmd, &r, "grant "+args[0], rev, userToken)
		},
	}
	r.writeFlags(cmd)
	v.flags(cmd, true)
	cmd.Flags().StringVar(&userToken, "user-token", "", userTokenUsage)
	return cmd
}
