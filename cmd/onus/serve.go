package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/cmd/internal/progress"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/spf13/cobra"
)

// defaultListen is loopback, where a ledger may be open.
const defaultListen = "127.0.0.1:8787"

func newInit() *cobra.Command {
	var data, origin, admin, adminKey, revoked, guard string
	var plain, approvals []string
	var recordReads, observed bool
	cmd := &cobra.Command{
		Use:   "init --data DIR --origin NAME",
		Short: "Make a new ledger and its keys",
		Long: `Make a new ledger in DIR: its keys, its database, and entry 0, the genesis,
which fixes the origin, the log key, the host's key, the first administrator and
the policy.

The origin is the log's name for ever, such as log.example.com/agents. It need
not resolve. The administrator signs registrations of operators, agents and
keys; move admin.key to where that person or system is.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkDataFlag(data); err != nil {
				return err
			}
			if origin == "" {
				return usageError{errors.New("name the log: --origin NAME, such as log.example.com/agents")}
			}
			d, out := dataDir(data), cmd.OutOrStdout()
			policy := ledger.DefaultPolicy()
			policy.PlainText, policy.RecordReads, policy.Observed = plain, recordReads, observed
			switch revoked {
			case "admit":
				policy.Revoked = onusv1.RevokedRecords_REVOKED_RECORDS_ADMIT
			case "reject":
				policy.Revoked = onusv1.RevokedRecords_REVOKED_RECORDS_REJECT
			default:
				return usageError{fmt.Errorf("--revoked %q: use admit or reject", revoked)}
			}
			var err error
			if policy.Approvals, err = parseApprovals("--approval", approvals); err != nil {
				return err
			}
			key, where := adminKey, adminKey
			if key == "" {
				where = d.adminKey()
			}
			l, err := d.createWithKeyFile(origin, admin, key, &onusv1.Genesis{Policy: policy}, guard)
			if err != nil {
				return err
			}
			defer l.Close()
			fmt.Fprintf(out, "Made ledger %s in %s\n\n", origin, data)
			fmt.Fprintf(out, "  log key        %s\n                 %s (give it to everybody who verifies)\n", l.LogKey(), d.vkey())
			fmt.Fprintf(out, "  host           key %s (signs what the host says itself: key sets, reads, refusals)\n", d.hostKey())
			fmt.Fprintf(out, "  administrator  %s, key %s\n", admin, where)
			fmt.Fprintf(out, "\nNext: onus serve --data %s\n", data)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "directory to make")
	f.StringVar(&origin, "origin", "", "the log's name")
	f.StringVar(&guard, "guard", "", guardUsage)
	f.StringVar(&admin, "admin", "root", "name of the first administrator")
	f.StringVar(&adminKey, "admin-key", "", "the administrator's private key; default: make DIR/admin.key")
	f.StringSliceVar(&plain, "plain-text", nil, "fields that may hold plain text, such as stages.intent.text, or * (default none: texts are salted commitments)")
	f.StringVar(&revoked, "revoked", "admit", "what becomes of records of a revoked party: admit and flag them, or reject them with a signed rejection")
	f.BoolVar(&recordReads, "record-reads", false, "log what auditors, compliance and administrators read")
	f.BoolVar(&observed, "observed", false, "no agent is under grants yet: what is done without a grant is no violation")
	f.StringArrayVar(&approvals, "approval", nil, "what needs a person's approval whatever the grant, as onus grant issue --approval; may be repeated")
	return cmd
}

// createWithKeyFile is create with the administrator's key from a file.
func (d dataDir) createWithKeyFile(origin, admin, keyFile string, says *onusv1.Genesis, guard string) (*ledger.Ledger, error) {
	if keyFile == "" {
		return d.createWith(origin, admin, nil, says, guard)
	}
	k, err := keyfile.LoadSigner(keyFile)
	if err != nil {
		return nil, fmt.Errorf("administrator's key: %w", err)
	}
	return d.createWith(origin, admin, k, says, guard)
}

func newServe() *cobra.Command {
	var data, listen string
	var who access
	var secure serverTLS
	var view viewerFlags
	var history historyFlags
	cmd := &cobra.Command{
		Use:   "serve --data DIR",
		Short: "Serve a ledger: Connect, gRPC, gRPC-Web and JSON, and the viewer, on one port",
		Long: `Serve the ledger in DIR until interrupted; then finish what was accepted. The
same port has the viewer, for a browser.

Without --tokens, --client-ca or --workload-api everybody who reaches the port
may do everything, so it then serves on loopback only, unless --open insists.
With them, callers show a token (onus token new) or a client certificate, and
each reads what its role allows. See onus token new --help for the roles.

People sign in to the viewer with an access token or, with --viewer-issuer, at an
OpenID provider: lines oidc:ISSUER#SUB of the token file say who they are here.
It is for auditors, compliance and administrators.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkDataFlag(data); err != nil {
				return err
			}
			who.workloadAPI = secure.workloadAPI
			if err := errors.Join(who.conflicts(), view.conflicts(&who)); err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			tc, err := secure.open(cmd.Context(), log)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, secure.close()) }()
			srv := &rpc.Server{Logger: log, TLS: tc}
			if err := who.apply(srv, tc); err != nil {
				return err
			}
			l, err := history.open(dataDir(data), log)
			if err != nil {
				return err
			}
			who.forLog(l.LogKey().Origin())
			ln, err := net.Listen("tcp", listen)
			if err != nil {
				return errors.Join(err, l.Close())
			}
			if err := who.check(ln,
				"make a token       onus token new --name root --role administrator --tokens FILE",
				"and serve with     --tokens FILE, or with --tls-cert, --tls-key and --client-ca FILE, or with --workload-api SOCKET",
				"or stay here       --listen "+defaultListen); err != nil {
				return errors.Join(err, ln.Close(), l.Close())
			}
			pages, why, err := view.open(l, dataDir(data), &who, ln, tc != nil, log)
			if err != nil {
				return errors.Join(err, ln.Close(), l.Close())
			}
			announce(cmd.OutOrStdout(), l, dataDir(data), ln, tc != nil)
			who.announce(cmd.OutOrStdout(), cmd.ErrOrStderr(), srv, ln)
			pages.announce(cmd.OutOrStdout(), why)
			srv.Ledger, srv.Pages = l, pages.handler()
			secure.watch(cmd.Context(), log, logBundle(cmd.Context(), log, l))
			err = srv.Serve(cmd.Context(), secure.listener(ln))
			return errors.Join(err, pages.close(), l.Close())
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "the ledger's directory")
	f.StringVar(&listen, "listen", defaultListen, "address to listen on; port 0 takes a free one")
	secure.flags(cmd)
	who.flags(cmd)
	view.flags(cmd)
	history.flags(cmd)
	return cmd
}

func announce(w io.Writer, l *ledger.Ledger, d dataDir, ln net.Listener, secure bool) {
	fmt.Fprintf(w, "Serving %s, %d entries, at %s\n", l.LogKey().Origin(), l.Size(), baseURL(ln, secure))
	fmt.Fprintf(w, "  log key  %s\n           %s\n", l.LogKey(), d.vkey())
}

func baseURL(ln net.Listener, secure bool) string {
	if secure {
		return "https://" + ln.Addr().String()
	}
	return "http://" + ln.Addr().String()
}

func newFsck() *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fsck --data DIR",
		Short: "Check every row of a stopped ledger",
		Long: `Read a whole stopped ledger and compare every row with what the entries say it
must be: hashes, ids, registry, signed head, contents, indexes. It changes
nothing. Exit code 1 if anything is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkDataFlag(data); err != nil {
				return err
			}
			cfg, err := dataDir(data).config(slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			return fsck(cmd.Context(), cfg, cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "the ledger's directory")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func fsck(ctx context.Context, cfg ledger.Config, out io.Writer, asJSON bool) error {
	bar := progress.New("entries")
	rep, err := ledger.Check(ctx, cfg, bar.Update)
	bar.Clear()
	if err != nil {
		return err
	}
	if asJSON {
		if err := printJSON(out, map[string]any{"entries": rep.Audit.Entries, "registry_entries": rep.Audit.RegistryEntries,
			"contents": rep.Contents, "root": rep.Audit.Root.String(), "problems": rep.Problems, "problem_count": rep.ProblemCount}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "%d entries, %d of them registry entries, %d stored contents\n", rep.Audit.Entries, rep.Audit.RegistryEntries, rep.Contents)
		for _, p := range rep.Problems {
			fmt.Fprintln(out, "  "+p)
		}
		if rep.ProblemCount == 0 {
			fmt.Fprintln(out, "Every row is what the entries say it must be.")
		}
	}
	if rep.ProblemCount > 0 {
		return fmt.Errorf("%d problems: restore a backup, and keep this copy as evidence", rep.ProblemCount)
	}
	return nil
}
