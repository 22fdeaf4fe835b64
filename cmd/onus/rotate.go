package main

import (
	"errors"
	"fmt"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

func newRotate() *cobra.Command {
	var r remote
	var oldKey, newKey, instance, overlap, ends string
	cmd := &cobra.Command{
		Use:   "rotate --key OLD --new-key NEW",
		Short: "Replace one's own key by a new one, with an overlap",
		Long: `Register a new key for the party that a key is bound to: an agent, an operator,
a service, a user client, a reviewer or a user's device. The old key signs the
registration, and the new key signs that it is there. The old one may sign on
for the overlap, by log time, and then ends; records that it signed stay as they
are. If the old key is lost or stolen, an administrator revokes it instead.`,
		Example: `  onus key new -o pod-1.new.key
  onus agent rotate --key pod-1.key --new-key pod-1.new.key --overlap 1h --log-key log.vkey`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := r.signatory(cmd.Context(), oldKey, instance)
			if err != nil {
				return err
			}
			if newKey == "" {
				return usageError{errors.New("name the new private key: --new-key FILE; onus key new makes one")}
			}
			next, err := keyfile.LoadRecordSigner(newKey)
			if err != nil {
				return err
			}
			return rotate(cmd, p, next, overlap, ends)
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&oldKey, "key", "", "the private key that is registered now")
	f.StringVar(&newKey, "new-key", "", "the private key that replaces it")
	f.StringVar(&instance, "instance", "", "the instance that signs, when the old key is an agent's and good for every instance; the new one then is, too")
	f.StringVar(&overlap, "overlap", "", "how long the old key may sign on, such as 1h, or until when, RFC 3339; default: not at all")
	f.StringVar(&ends, "until", "", "when the new key ends: RFC 3339, or a span such as 30d; default: when it is replaced or revoked")
	return cmd
}

// rotate registers next in place of the party's key.
func rotate(cmd *cobra.Command, p *signatory, next record.Signer, overlap, ends string) error {
	bound, err := p.bound(cmd.Context())
	if err != nil {
		return err
	}
	oldID, newID := p.signer.Public().ID(), next.Public().ID()
	k := &onusv1.KeyBinding{PublicKey: next.Public().SPKI(), Replaces: oldID,
		Agent: bound.GetAgent(), Instance: bound.GetInstance(), Operator: bound.GetOperator(),
		Service: bound.GetService(), Client: bound.GetClient(), Reviewer: bound.GetReviewer(), User: bound.GetUser()}
	if bound.GetAdministrator() != "" {
		return errors.New("administrators' keys are in the genesis: they do not rotate")
	}
	if k.ReplacedUntil, err = parseEnd("--overlap", overlap); err != nil {
		return err
	}
	if k.NotAfter, err = parseEnd("--until", ends); err != nil {
		return err
	}
	if k.Possession, err = next.Sign(record.BindingStatement(p.key.Origin(), newID, oldID)); err != nil {
		return err
	}
	m := &onusv1.Record{Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}}}}
	proven, err := p.sign(cmd.Context(), m, nil)
	if err != nil {
		return fmt.Errorf("rotate key %s: %w", oldID, err)
	}
	until := "at once"
	if k.GetReplacedUntil() != nil {
		until = describeTime(k.GetReplacedUntil())
	}
	fmt.Fprintf(cmd.OutOrStdout(), "key %s replaces %s, which ends %s: entry %d, proven\n", newID, oldID, until, proven.Index)
	return nil
}
