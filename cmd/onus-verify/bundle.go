package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/onus-ledger/onus/cmd/internal/bearer"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web/report"
	"github.com/spf13/cobra"
)

// bundleFlags are those of the command.
type bundleFlags struct {
	logKey, policy, registry, htmlFile, failOn, forkFile string
	issuerKeys, bundles, against                         []string
	server, token, ca                                    string
	asJSON                                               bool
}

func newBundle() *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use:   "bundle FILE --log-key K",
		Short: "Verify an evidence file, and say who answers for what",
		Long: `Verify an evidence file that onus bundle wrote, and judge the chains in it: for
each action who answers, by unit and accountable post, in what role, and why.
Nothing is asked of the network, unless --server is given.

The file never says which key to trust: --log-key, or a log line in --policy,
does. The policy (c2sp.org/tlog-policy) names the witnesses whose cosignatures
count. --against takes a checkpoint that you saved before, and shows that the log
only grew since: of another size, this needs a proof that --server gives.

Exit codes: 0 genuine, and nothing found at or above --fail-on; 1 genuine, and
something was, or an action could not be judged; 2 nothing was judged; 3 the log
signed two histories; 4 the evidence is broken; 5 no log key was given.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one evidence file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), args[0])
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
	fs.StringVar(&f.policy, "policy", "", "file that names witnesses, and perhaps the log (c2sp.org/tlog-policy)")
	fs.StringArrayVar(&f.issuerKeys, "issuer-keys", nil, issuerKeysUsage)
	fs.StringArrayVar(&f.bundles, "trust-bundle", nil, trustBundleUsage)
	fs.StringVar(&f.registry, "registry", "", "an evidence file that holds the log's registry, for one that refers to it")
	fs.StringArrayVar(&f.against, "against", nil, "a checkpoint that you saved before (a file); may be repeated")
	fs.StringVar(&f.server, "server", "", "the ledger's URL, to ask for the proof that --against needs")
	fs.StringVar(&f.token, "token", "", bearer.Usage)
	fs.StringVar(&f.ca, "tls-ca", "", "PEM file with the authority that the server's certificate must come from; default: the system's")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON")
	fs.StringVar(&f.htmlFile, "report", "", "write the report as one HTML page to this file too")
	fs.StringVar(&f.failOn, "fail-on", "high", failOnUsage)
	fs.StringVar(&f.forkFile, "fork", forkDefault, forkUsage)
	return cmd
}

func (f *bundleFlags) run(ctx context.Context, stdin io.Reader, out io.Writer, path string) error {
	floor, err := parseFailOn(f.failOn)
	if err != nil {
		return err
	}
	trust, meta, err := f.trust()
	if err != nil {
		return err
	}
	meta.File, meta.Command = path, commandLine(os.Args[1:])
	if path == "-" {
		meta.File = "standard input"
	}
	b, sum, err := readBundle(stdin, path)
	meta.Hash = sum
	var malformed *evidence.FormatError
	if errors.As(err, &malformed) {
		return f.unreadable(out, meta, err)
	}
	if err != nil {
		return err
	}
	if trust.Against, err = f.saved(ctx, trust, b); err != nil {
		return err
	}
	r, err := verifier.CheckBundle(b, trust)
	if err != nil {
		return err
	}
	if err := f.print(out, r, meta); err != nil {
		return err
	}
	if fork := r.Fork(); fork != nil {
		path, err := writeFork(f.forkFile, fork, trust.LogKey)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "onus-verify: the proof of two histories is in %s: whoever holds the log's key can check it (onus-verify fork)\n", path)
	}
	if code := exitOf(r, floor); code != 0 {
		return exitError(code)
	}
	return nil
}

// trust reads what the reader has from elsewhere.
func (f *bundleFlags) trust() (verifier.Trust, report.Meta, error) {
	meta := report.Meta{Tool: "onus-verify", Version: version()}
	var t verifier.Trust
	var err error
	if t.LogKey, _, err = optionalKey(f.logKey); err != nil {
		return t, meta, err
	}
	if t.Roots, err = loadRoots(f.issuerKeys, f.bundles); err != nil {
		return t, meta, err
	}
	if f.policy != "" {
		text, err := os.ReadFile(f.policy)
		if err != nil {
			return t, meta, fmt.Errorf("--policy: %w", err)
		}
		if t.Policy, err = tree.ParsePolicy(text); err != nil {
			return t, meta, fmt.Errorf("--policy %s: %w", f.policy, err)
		}
		sum := sha256.Sum256(text)
		meta.PolicyDigest = hex.EncodeToString(sum[:])
	}
	if f.registry != "" {
		held, _, err := readBundle(nil, f.registry)
		if err != nil {
			return t, meta, fmt.Errorf("--registry %s: %w", f.registry, err)
		}
		key, err := verifier.LogKeyFor(held, t)
		if err != nil {
			return t, meta, err
		}
		res, err := held.Verify(evidence.Trust{LogKey: key})
		if err == nil && !key.IsZero() {
			err = res.Err()
		}
		if err != nil {
			return t, meta, fmt.Errorf("--registry %s: %w", f.registry, err)
		}
		t.Registry = res.Registry
	}
	return t, meta, nil
}

// readBundle reads an evidence file, and returns its SHA-256.
func readBundle(stdin io.Reader, path string) (*evidence.Bundle, string, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, "", err
		}
		defer file.Close()
		in = file
	}
	sum := sha256.New()
	b, err := evidence.Read(io.TeeReader(in, sum), evidence.Limits{})
	return b, hex.EncodeToString(sum.Sum(nil)), err
}

// unreadable reports a file that is no evidence, or a damaged one.
func (f *bundleFlags) unreadable(out io.Writer, m report.Meta, err error) error {
	if f.asJSON {
		if err := printJSON(out, map[string]any{"verdict": nil, "evidence": map[string]any{
			"standing": string(verifier.Broken), "anchored": false, "problem": err.Error(), "file": map[string]string{"name": m.File}}}); err != nil {
			return err
		}
		return exitError(exitBroken)
	}
	fmt.Fprintf(out, "BROKEN: %v\n", err)
	fmt.Fprintln(out, "  Nothing in the file can be relied on: get it again from who supplied it.")
	return exitError(exitBroken)
}

func (f *bundleFlags) print(out io.Writer, r *verifier.BundleReport, m report.Meta) error {
	page := report.Bundle(r, m)
	if f.htmlFile != "" {
		var b bytes.Buffer
		if err := page.HTML(&b); err != nil {
			return err
		}
		if err := os.WriteFile(f.htmlFile, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if f.asJSON {
		text, err := report.JSON(r, m)
		if err == nil {
			_, err = out.Write(text)
		}
		return err
	}
	return page.Text(out)
}

// commandLine is the command as a report shows it: without what nobody else may
// see.
func commandLine(args []string) []string {
	words := []string{"onus-verify"}
	for i, a := range args {
		switch {
		case i > 0 && args[i-1] == "--token" && !strings.HasPrefix(a, "@"):
			a = "TOKEN"
		case strings.HasPrefix(a, "--token=") && !strings.HasPrefix(a, "--token=@"):
			a = "--token=TOKEN"
		}
		words = append(words, a)
	}
	return words
}

// version is that of this build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
