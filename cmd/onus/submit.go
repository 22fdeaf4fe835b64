package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxRecordFile bounds what submit reads.
const maxRecordFile = 8 << 20

func newSubmit() *cobra.Command {
	var (
		r                remote
		keyFile, receipt string
		userToken        string
		plain, asJSON    bool
		wait             waitFlags
	)
	cmd := &cobra.Command{
		Use:   "submit FILE --key FILE --log-key FILE",
		Short: "Sign a record and log it",
		Long: `Sign the record in FILE (- for standard input) and log it. FILE holds an
onus.v1.Record as JSON; origin, nonce, claimedTime, capture, author.keyId and an
agent's sequence and previous are filled in where they are missing. With
--user-token so are user, session and token: what the user's token says. Texts that stand there as {"plain": …}
become salted commitments, and their contents are sent beside the record,
unless --plain says to leave them.`,
		Example: `  echo '{"author": {"agent": "spiffe://example.com/k8s-agent", "instance": "pod-1", "operator": "it/platform"},
    "stages": {"intent": {"text": {"plain": "why is my pod failing?"}}}}' |
  onus submit - --key k8s.key --log-key log.vkey`,
		Args: needOne("the record's file, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := r.key()
			if err != nil {
				return err
			}
			signer, err := keyfile.LoadRecordSigner(keyFile)
			if err != nil {
				return err
			}
			client, err := r.client()
			if err != nil {
				return err
			}
			witnessed, err := wait.witnessed()
			if err != nil {
				return err
			}
			m, err := readRecord(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			p := &signatory{client: client, key: key, signer: signer}
			token := ""
			if userToken != "" {
				u, err := p.userWord(cmd, userToken)
				if err != nil {
					return err
				}
				u.fill(m)
				token = u.token
			}
			complete(m, key.Origin())
			if err := goOn(cmd.Context(), client, m); err != nil {
				return err
			}
			var contents []*onusv1.Content
			if !plain {
				contents = commitTexts(m)
			}
			rec, err := record.Sign(m, signer)
			if err != nil {
				return err
			}
			req := &onusv1.SubmitRequest{Envelope: rec.Envelope.Proto(), Contents: contents, UserToken: token}
			if witnessed {
				req.Wait = onusv1.Wait_WAIT_WITNESSED
			}
			resp, err := client.Submit(cmd.Context(), req)
			if err != nil {
				return err
			}
			proven, err := openReceipt(resp.GetReceipt(), rec, key, signer)
			if err != nil {
				return err
			}
			if receipt != "" {
				env := rec.Envelope
				env.Signature = resp.GetReceipt().GetSignature()
				if err := writeProven(receipt, &onusv1.ProvenRecord{Envelope: env.Proto(), Receipt: resp.GetReceipt()}); err != nil {
					return err
				}
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), resp)
			}
			printLogged(cmd.OutOrStdout(), proven, resp)
			if witnessed {
				return wait.say(cmd.OutOrStdout(), resp, key)
			}
			return nil
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&keyFile, "key", "", "the signer's private key")
	f.StringVar(&userToken, "user-token", "", userTokenUsage)
	f.BoolVar(&plain, "plain", false, "leave plain texts plain; the log's policy must allow it")
	f.StringVar(&receipt, "receipt", "", "write the record with its proof to this file")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	wait.flags(cmd)
	return cmd
}

func readRecord(stdin io.Reader, path string) (*onusv1.Record, error) {
	in, name := stdin, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name = f, path
	}
	data, err := io.ReadAll(io.LimitReader(in, maxRecordFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxRecordFile {
		return nil, fmt.Errorf("%s has more than %d bytes", name, maxRecordFile)
	}
	m := new(onusv1.Record)
	if err := protojson.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s is not a record in JSON: %w", name, err)
	}
	if m.GetAuthor() == nil {
		return nil, errors.New("the record has no author: name the signer")
	}
	return m, nil
}

// complete fills in what nobody should have to write.
func complete(m *onusv1.Record, origin string) {
	if m.Origin == "" {
		m.Origin = origin
	}
	if len(m.Nonce) == 0 {
		m.Nonce = ledger.NewNonce()
	}
	if m.Capture == onusv1.Capture_CAPTURE_UNSPECIFIED {
		m.Capture = onusv1.Capture_CAPTURE_SELF
	}
	if m.ClaimedTime == nil {
		m.ClaimedTime = timestamppb.Now()
	}
}

// commitTexts replaces plain texts by commitments and returns their contents.
func commitTexts(m *onusv1.Record) []*onusv1.Content {
	var contents []*onusv1.Content
	for _, f := range record.Texts(m) {
		if p, ok := f.Text.GetForm().(*onusv1.Text_Plain); ok {
			text, c := record.NewText([]byte(p.Plain))
			f.Text.Form = text.GetForm()
			contents = append(contents, c)
		}
	}
	return contents
}
