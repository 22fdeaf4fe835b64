package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
)

const (
	forkUsage   = "where the proof of two histories is written, if there is one; no file is replaced"
	forkDefault = "onus-fork.txt"
)

func newFork() *cobra.Command {
	var logKey string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fork FILE --log-key K",
		Short: "Check a proof that a log signed two histories",
		Long: `Check a file that onus-verify wrote when it found that a log signed two
histories: two checkpoints with the log's signature, of one size with two roots, or
of two sizes with a consistency proof into the newer one that gives the older size
another root than was signed. docs/tlog.md has the format, and how to check it
without this program.

Exit codes: 3 the proof holds; 4 it proves nothing; 2 it could not be read, or no
log key was given.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := requiredKey(logKey)
			if err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			if info.Size() > int64(tree.MaxFork) {
				return fmt.Errorf("%s has %d bytes, the proof of a fork at most %d", args[0], info.Size(), tree.MaxFork)
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			fork, err := tree.ParseFork(text)
			if err == nil {
				err = fork.Check(key)
			}
			out := cmd.OutOrStdout()
			if asJSON {
				report := map[string]any{"fork": err == nil, "origin": key.Origin(), "log_key": key.String()}
				if err != nil {
					report["problem"] = err.Error()
				}
				if e := printJSON(out, report); e != nil {
					return e
				}
			} else if err != nil {
				fmt.Fprintf(out, "NO PROOF: %v\n", err)
			} else {
				fmt.Fprintln(out, sayFork(fork, key))
			}
			if err != nil {
				return exitError(exitBroken)
			}
			return exitError(exitFork)
		},
	}
	cmd.Flags().StringVar(&logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// requiredKey loads the key without which nothing can be told.
func requiredKey(flag string) (tree.LogKey, error) {
	if flag == "" {
		return tree.LogKey{}, errors.New("name the log's verifier key, which its operator published: --log-key FILE")
	}
	key, err := keyfile.LoadLogKey(flag)
	if err != nil {
		return tree.LogKey{}, fmt.Errorf("--log-key: %w", err)
	}
	return key, nil
}

// sayFork says in words what a fork proves.
func sayFork(f *tree.Fork, key tree.LogKey) string {
	a, err := key.Open(f.Older)
	if err != nil {
		return "FORK"
	}
	b, err := key.Open(f.Newer)
	if err != nil {
		return "FORK"
	}
	if a.Size == b.Size {
		return fmt.Sprintf("FORK: log %s signed two histories of %d entries, with the roots %s and %s", key.Origin(), a.Size, a.Root, b.Root)
	}
	return fmt.Sprintf("FORK: log %s signed two histories: its first %d entries have the root %s by the checkpoint of %d entries, and %s by that of %d",
		key.Origin(), a.Size, a.Root, a.Size, f.Root, b.Size)
}

// writeFork writes the proof that a log signed two histories, after checking it as
// whoever gets it will, and returns where. It replaces no file: an earlier proof
// may be there.
func writeFork(path string, fork *tree.Fork, key tree.LogKey) (string, error) {
	if !key.IsZero() {
		if err := fork.Check(key); err != nil {
			return "", err
		}
	}
	text, err := fork.Marshal()
	if err != nil {
		return "", err
	}
	ext := filepath.Ext(path)
	base := strings.TrimSuffix(path, ext)
	for n := 2; ; n++ {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) && n < 1000 {
			if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, text) {
				return path, nil
			}
			path = fmt.Sprintf("%s-%d%s", base, n, ext)
			continue
		}
		if err != nil {
			return "", fmt.Errorf("--fork: %w", err)
		}
		_, err = f.Write(text)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return "", fmt.Errorf("--fork: %w", err)
		}
		return path, nil
	}
}
