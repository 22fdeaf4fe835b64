package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/openaichat"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/cmd/internal/progress"
	"github.com/spf13/cobra"
)

func newImport() *cobra.Command {
	var (
		r                                remote
		format, keyFile, id, op          string
		name, secretFile, tools, claimed string
		asJSON                           bool
	)
	cmd := &cobra.Command{
		Use:   "import --format openai-chat FILE",
		Short: "Turn stored transcripts of agents into records",
		Long: `Turn transcripts of what agents did before they recorded it themselves into
chains: a user's message is an intent, an assistant's text an interpretation or
a decision, a tool call an action, its result the outcome. All texts are
committed to; the records say capture "import".

FILE holds one conversation a line: {"messages": [{"role": "user", "content":
"…"}, …]}, maybe with "user_id".

An import that broke off is run again: with the same key, name, secret and file
time it makes the same records, which the ledger answers as duplicates.`,
		Args: needOne("one file of transcripts"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "openai-chat" {
				return usageError{fmt.Errorf("--format %q is not known: use openai-chat", format)}
			}
			if id == "" || op == "" {
				return usageError{errors.New("name the agent whose transcripts these are: --agent SPIFFE-ID --operator ID")}
			}
			a, err := importer(&r, keyFile, id, op)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			when, err := importTime(f, claimed)
			if err != nil {
				return err
			}
			if name == "" {
				name = strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
			}
			secret, err := importSecret(secretFile)
			if err != nil {
				return err
			}
			bar, start := progress.New("records"), time.Now()
			sum, err := openaichat.Import(cmd.Context(), f, openaichat.Options{Agent: a, Name: name, Secret: secret, Time: when, Tools: tools,
				Progress: func(s openaichat.Summary) { bar.Update(int64(s.Records), 0) }})
			bar.Clear()
			if err != nil {
				return fmt.Errorf("%s, after %d conversations and %d records: %w", args[0], sum.Conversations, sum.Records, err)
			}
			if sum.Conversations == 0 {
				return fmt.Errorf("%s holds no conversation", args[0])
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), sum)
			}
			out, took := cmd.OutOrStdout(), time.Since(start)
			fmt.Fprintf(out, "%s: %s, each in the log and proven, in %v (%.0f/s)\n", count(sum.Conversations, "conversation"), count(sum.Records, "record"), took.Round(time.Millisecond), float64(sum.Records)/took.Seconds())
			fmt.Fprintf(out, "  %d were there before\n", sum.Duplicates)
			fmt.Fprintf(out, "  %d tool calls: %d succeeded, %d failed, %d without a result\n", sum.Actions, sum.Succeeded, sum.Failed, sum.Unknown)
			return nil
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&format, "format", "openai-chat", "format of the transcripts")
	f.StringVar(&keyFile, "key", "", "the importer's private key, registered for the agent")
	f.StringVar(&id, "agent", "", "the agent class: a SPIFFE ID")
	f.StringVar(&op, "operator", "", "the operator of the agent")
	f.StringVar(&name, "name", "", "name of the import, for request ids; default: the file's")
	f.StringVar(&secretFile, "secret", "", "file with the import's secret, made if it does not exist; without it the import cannot be repeated")
	f.StringVar(&tools, "tools", openaichat.DefaultTools, "what the tools' locations begin with")
	f.StringVar(&claimed, "time", "", "claimed time of the records, RFC 3339; default: the file's")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func importer(r *remote, keyFile, id, op string) (*agent.Agent, error) {
	key, err := keyfile.LoadSigner(keyFile)
	if err != nil {
		return nil, err
	}
	logKey, err := r.key()
	if err != nil {
		return nil, err
	}
	hc, err := r.httpClient()
	if err != nil {
		return nil, err
	}
	return agent.New(agent.Config{Server: r.server, HTTPClient: hc, LogKey: logKey.String(), Signer: key, Agent: id, Operator: op})
}

// importTime is the claimed time of all records: what the user says, or when
// the file was last changed.
func importTime(f *os.File, claimed string) (time.Time, error) {
	if claimed != "" {
		t, err := parseTime("--time", claimed)
		if err != nil {
			return time.Time{}, err
		}
		return t.AsTime(), nil
	}
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime().UTC(), nil
}

// importSecret reads the secret that salts are derived from, or makes it.
func importSecret(path string) ([]byte, error) {
	secret := make([]byte, openaichat.SecretSize)
	if path == "" {
		rand.Read(secret)
		return secret, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		rand.Read(secret)
		return secret, keyfile.WriteNew(path, []byte(hex.EncodeToString(secret)+"\n"), 0o600)
	}
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(b) != openaichat.SecretSize {
		return nil, fmt.Errorf("secret %s is not %d hexadecimal characters", path, 2*openaichat.SecretSize)
	}
	return b, nil
}
