package main

import (
	"errors"
	"fmt"
	"os"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
)

// The formats of receipts.
const (
	formatJSON      = "json"
	formatTextProof = "tlog-proof"
)

func newReceipt() *cobra.Command {
	var r remote
	var out, format string
	var userToken bool
	cmd := &cobra.Command{
		Use:   "receipt ID|INDEX",
		Short: "Write a record with its proof, for onus-verify receipt",
		Long: `Write a record with its proof, for onus-verify receipt.

With --format tlog-proof, write the proof as c2sp.org/tlog-proof has it, which
other programs read too. It holds hashes and the checkpoint, with the witnesses'
cosignatures, and not the record; so two files are written, NAME.tlog-proof and
NAME.entry. The leaf is SHA-256 over a zero byte and the bytes of NAME.entry.`,
		Args: needOne("a record: an id, or an index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case format != formatJSON && format != formatTextProof:
				return usageError{fmt.Errorf("--format %q is none of json, tlog-proof", format)}
			case format == formatTextProof && userToken:
				return usageError{errors.New("a tlog-proof has no place for a user's token: leave out --format for a receipt that has")}
			case format == formatTextProof:
				if err := checkProofPath(out); err != nil {
					return err
				}
			}
			client, err := r.client()
			if err != nil {
				return err
			}
			req := &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Id{Id: args[0]}}
			if index, ok := asIndex(args[0]); ok {
				req.Key = &onusv1.GetReceiptRequest_Index{Index: index}
			}
			req.UserToken = userToken
			resp, err := client.GetReceipt(cmd.Context(), req)
			if err != nil {
				return err
			}
			if format == formatTextProof {
				return writeTextProof(cmd.OutOrStdout(), out, resp.GetProven())
			}
			if userToken && resp.GetProven().GetUserToken() == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "onus: the receipt comes without a user's token: the record speaks of none, or it did not expire more than a minute ago, or you may not read contents")
			}
			if out == "" {
				return printMessage(cmd.OutOrStdout(), resp.GetProven())
			}
			return writeProven(out, resp.GetProven())
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write; default: standard output")
	cmd.Flags().StringVar(&format, "format", formatJSON, "json, or tlog-proof with -o NAME.tlog-proof")
	cmd.Flags().BoolVar(&userToken, "user-token", false, "with the user's token, once it has expired: whoever holds its issuer's keys can then check the user's word")
	return cmd
}

func writeProven(path string, p *onusv1.ProvenRecord) error {
	b, err := protojson.MarshalOptions{Multiline: true}.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
