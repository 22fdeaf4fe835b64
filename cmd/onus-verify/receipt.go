package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
)

// maxReceiptFile bounds what receipt reads.
const maxReceiptFile = 1 << 20

func newReceipt() *cobra.Command {
	var logKey, signerKey, entryFile string
	var issuerKeys []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "receipt FILE --log-key K",
		Short: "Verify one record's receipt",
		Long: `Verify a file that onus receipt wrote: that the log with this key has this very
record at this index. With --signer-key also that this key signed it. That the
key was the author's is proven by the whole log, not by a receipt.

The file may be a tlog-proof (c2sp.org/tlog-proof), which holds hashes only. Then
the entry that it is about is read from the file beside it, NAME.entry beside
NAME.tlog-proof, or from --entry.

Of the user on whose behalf it was done it says what is shown: verified, if the
file holds the user's token and --issuer-keys the keys that you hold of its
issuer; attested, if the ledger says that it checked the token; else asserted.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			key, anchored, err := optionalKey(logKey)
			if err != nil {
				return err
			}
			var signer *record.PublicKey
			if signerKey != "" {
				if signer, err = keyfile.LoadPublic(signerKey); err != nil {
					return err
				}
			}
			pinned, err := loadIssuerKeys(issuerKeys)
			if err != nil {
				return err
			}
			data, err := readFile(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			var raw []byte
			if isTextProof(data) {
				if raw, err = readEntry(args[0], entryFile); err != nil {
					return err
				}
			} else if entryFile != "" {
				return errors.New("--entry goes with a tlog-proof; the file given is none, and holds its record itself")
			}
			return checkReceipt(cmd.OutOrStdout(), data, raw, key, anchored, signer, pinned, asJSON)
		},
	}
	cmd.Flags().StringVar(&logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
	cmd.Flags().StringVar(&signerKey, "signer-key", "", "the signer's public key, PEM")
	cmd.Flags().StringVar(&entryFile, "entry", "", "the entry that a tlog-proof is about; default: the file beside it that ends in .entry")
	cmd.Flags().StringArrayVar(&issuerKeys, "issuer-keys", nil, issuerKeysUsage)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// optionalKey loads the log key, if one was given.
func optionalKey(s string) (key tree.LogKey, given bool, err error) {
	if s == "" {
		return tree.LogKey{}, false, nil
	}
	key, err = keyfile.LoadLogKey(s)
	return key, err == nil, err
}

func readFile(stdin io.Reader, path string) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxReceiptFile+1))
	if err == nil && len(data) > maxReceiptFile {
		err = fmt.Errorf("%s has more than %d bytes: not a receipt", path, maxReceiptFile)
	}
	return data, err
}

func checkReceipt(w io.Writer, data, raw []byte, key tree.LogKey, anchored bool, signer *record.PublicKey, pinned pinnedKeys, asJSON bool) error {
	open, userToken, err := readReceipt(data, raw)
	if err != nil {
		return brokenReceipt(w, asJSON, record.What(err))
	}
	if !anchored {
		const next = "give the log's verifier key: --log-key FILE"
		if asJSON {
			if err := printJSON(w, map[string]any{"genuine": false, "anchored": false, "problems": []string{"no log key was given: " + next}}); err != nil {
				return err
			}
			return exitError(exitUnanchored)
		}
		fmt.Fprintln(w, "NOT ANCHORED: nothing was verified, because a receipt does not say which key to trust.")
		fmt.Fprintln(w, "  "+next)
		return exitError(exitUnanchored)
	}
	proven, err := open(key, signer)
	if err != nil {
		return brokenReceipt(w, asJSON, record.What(err))
	}
	user, err := judgeUser(proven, userToken, pinned)
	if err != nil {
		return brokenReceipt(w, asJSON, err.Error())
	}
	if asJSON {
		return printReceiptJSON(w, proven, user)
	}
	fmt.Fprintf(w, "GENUINE: log %s has this record at index %d\n", proven.Checkpoint.Origin, proven.Index)
	fmt.Fprintf(w, "  record      %s\n", proven.Record.ID)
	fmt.Fprintf(w, "  log time    %s (the host's word)\n", logTime(proven.Stamp.LogTime))
	fmt.Fprintf(w, "  checkpoint  size %d, root %s\n", proven.Checkpoint.Size, proven.Checkpoint.Root)
	if proven.Signed {
		fmt.Fprintf(w, "  signature   made with the key given, %s\n", signer.ID())
	} else {
		fmt.Fprintln(w, "  signature   NOT CHECKED: give --signer-key FILE, or verify the whole log: onus-verify log URL")
	}
	if user != nil {
		fmt.Fprintf(w, "  user        %s: %s\n", strings.ToUpper(user.State), user.Text)
	}
	fmt.Fprintln(w, "Not proven: that the key was the author's (onus-verify log URL does), that what the record says is true, what was never submitted.")
	return nil
}

// opener checks what was read against the log's key, and the signer's if that is
// given.
type opener func(key tree.LogKey, signer *record.PublicKey) (*verifier.Proven, error)

// readReceipt reads a file of either kind; raw is the entry beside a tlog-proof.
func readReceipt(data, raw []byte) (open opener, userToken string, err error) {
	if isTextProof(data) {
		p, err := tree.ParseTextProof(data)
		if err != nil {
			return nil, "", err
		}
		return func(key tree.LogKey, signer *record.PublicKey) (*verifier.Proven, error) {
			return verifier.OpenProof(p, raw, key, signer)
		}, "", nil
	}
	p := new(onusv1.ProvenRecord)
	if err := protojson.Unmarshal(data, p); err != nil {
		return nil, "", errors.New("the file is not a receipt that onus receipt wrote, or it was changed")
	}
	env, err := record.EnvelopeFromProto(p.GetEnvelope())
	if err != nil {
		return nil, "", err
	}
	if string(env.Signature) != string(p.GetReceipt().GetSignature()) {
		return nil, "", errors.New("the envelope's signature is not the one that was logged")
	}
	return func(key tree.LogKey, signer *record.PublicKey) (*verifier.Proven, error) {
		return verifier.OpenReceipt(p.GetReceipt(), env.Type, env.Payload, key, signer)
	}, p.GetUserToken(), nil
}

// brokenReceipt says what is wrong and ends with exit code 4.
func brokenReceipt(w io.Writer, asJSON bool, what string) error {
	if !asJSON {
		fmt.Fprintln(w, "BROKEN: "+what)
	} else if err := printJSON(w, map[string]any{"genuine": false, "anchored": true, "problems": []string{what}}); err != nil {
		return err
	}
	return exitError(exitBroken)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printReceiptJSON(w io.Writer, p *verifier.Proven, user *userWord) error {
	return printJSON(w, map[string]any{
		"genuine": true, "anchored": true, "problems": []string{}, "origin": p.Checkpoint.Origin, "index": p.Index, "id": p.Record.ID.String(),
		"log_time": logTime(p.Stamp.LogTime), "size": p.Checkpoint.Size, "root": p.Checkpoint.Root.String(),
		"signature_checked": p.Signed, "user": user,
		"not_proven": []string{"that the key was the author's", "that what the record says is true", "what was never submitted", "log time"},
	})
}

func logTime(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
