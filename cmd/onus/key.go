package main

import (
	"errors"
	"fmt"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/spf13/cobra"
)

func newKey() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make keys and name them"}
	var out, kind string
	create := &cobra.Command{
		Use:   "new -o FILE",
		Short: "Make a signing key: FILE (private, mode 0600) and FILE.pub",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("say where to write the key: -o FILE")}
			}
			key, err := keyfile.Generate(kind)
			if err != nil {
				return usageError{err}
			}
			signer, err := keyfile.WritePair(out, key)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s key %s\n  private: %s\n  public:  %s.pub\n", signer.Public().Algorithm(), signer.Public().ID(), out, out)
			return nil
		},
	}
	create.Flags().StringVarP(&out, "out", "o", "", "file to write; must not exist")
	create.Flags().StringVar(&kind, "type", "ed25519", "ed25519, p256, p384, rsa2048 or rsa3072")
	id := &cobra.Command{
		Use:   "id FILE.pub",
		Short: "Print a public key's id, as records name it (RFC 7638 thumbprint)",
		Args:  needOne("a public key's file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := keyfile.LoadPublic(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), k.ID())
			return nil
		},
	}
	cmd.AddCommand(create, id, newRotate())
	return cmd
}
