package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

func newAgentPending() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pending",
		Short: "List the keys that knocked: they signed records, and nobody registered them",
		Long: `List the keys that signed records and are not registered, the newest first,
with the party that each says it is. That is its own word: compare the key's id
with the agent's, over another channel, before onus agent admit.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			resp, err := client.ListPending(cmd.Context(), &onusv1.ListPendingRequest{})
			if err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), resp)
			}
			if len(resp.GetKeys()) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "onus: no key knocked")
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tSAYS IT IS\tTIMES\tLAST")
			for _, k := range resp.GetKeys() {
				lacks := ""
				if len(k.GetPublicKey()) == 0 {
					lacks = " (it never sent its public key: onus enrol does)"
				}
				fmt.Fprintf(w, "%s\t%s\t%d\t%s%s\n", k.GetKeyId(), authorName(k.GetAuthor()), k.GetCount(), describeTime(k.GetLast()), lacks)
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newAgentAdmit() *cobra.Command {
	var (
		r        remote
		admin    adminFlags
		a        agentFlags
		instance string
		anyone   bool
	)
	cmd := &cobra.Command{
		Use:   "admit KEY-ID --id SPIFFE-ID --operator ID",
		Short: "Register a key that knocked, with its agent",
		Long: `Register a key that onus agent pending lists, and, where they are new, the agent
and its operator, as onus agent register does. Say which agent it is: what the
key says about itself is only compared. The key is bound to the instance that
knocked, unless --any-instance says otherwise.`,
		Example: `  onus agent admit 5QfS…mE --admin-key my-ledger/admin.key --log-key my-ledger/log.vkey \
    --id spiffe://example.com/k8s-agent --operator it/platform`,
		Args: needOne("the key's id, as onus agent pending lists it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := r.registrar(admin, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			resp, err := g.client.ListPending(cmd.Context(), &onusv1.ListPendingRequest{})
			if err != nil {
				return err
			}
			key, err := pendingKey(resp.GetKeys(), args[0])
			if err != nil {
				return err
			}
			pub, err := record.ParsePublicKey(key.GetPublicKey())
			if err != nil || pub.ID() != key.GetKeyId() {
				return fmt.Errorf("the public key that the server has for %s is not that key's", key.GetKeyId())
			}
			said := key.GetAuthor()
			switch {
			case a.id == "":
				return usageError{fmt.Errorf("say which agent it is: --id SPIFFE-ID; it says that it is %s", authorName(said))}
			case said.GetAgent() != a.id:
				return fmt.Errorf("the key says that it is %s, not %s: its records would be refused", authorName(said), a.id)
			case a.op.GetId() == "":
				a.op.Id = said.GetOperator()
			}
			if instance == "" && !anyone {
				instance = said.GetInstance()
			}
			class, err := a.class(cmd, g)
			if err != nil {
				return err
			}
			return g.agent(cmd.Context(), &a.op, class, pub, instance)
		},
	}
	r.writeFlags(cmd)
	admin.flags(cmd)
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&instance, "instance", "", "the one instance that may use the key; default: the one that knocked")
	f.BoolVar(&anyone, "any-instance", false, "let every instance of the agent use the key")
	return cmd
}

// pendingKey finds a key that knocked, by its id or by how that begins.
func pendingKey(keys []*onusv1.PendingKey, id string) (*onusv1.PendingKey, error) {
	var found *onusv1.PendingKey
	for _, k := range keys {
		if k.GetKeyId() == id {
			found = k
			break
		}
		if len(id) >= 6 && strings.HasPrefix(k.GetKeyId(), id) {
			if found != nil {
				return nil, fmt.Errorf("more than one key that knocked begins with %s: give the whole id", id)
			}
			found = k
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no key %s knocked: see onus agent pending", id)
	}
	if len(found.GetPublicKey()) == 0 {
		return nil, errors.New("that key never sent its public key: have the agent run onus enrol, or register it with onus agent register --key FILE.pub")
	}
	return found, nil
}
