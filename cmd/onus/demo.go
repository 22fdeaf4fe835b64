package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	"github.com/onus-ledger/onus/cmd/internal/devissuer"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"github.com/spf13/cobra"
)

const demoOrigin = "demo.example.com/onus"

func newDemo() *cobra.Command {
	var data, listen string
	var once, open bool
	var view viewerFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a ledger, play scenarios with real agents, verify them",
		Long: `Make a ledger on disk, serve it, and play four scenarios with real agents, users
and services that record over Connect: each action is logged, with its proof,
before it happens, and all authority comes from records. Then verify the whole
log, and go on serving, with the viewer for a browser.

  S1  a tool-like agent does what its user asked for
  S2  an agent needs more than its user may see, and has it from its operator
  S3  a purchase: who asked, who decided, who ordered, what the shop saw, what a
      person approved, and what was over the limit
  S4  a revoked agent reads restricted data on a permission that was passed on too
      wide, and a message goes out that nobody is shown to have asked for

The users' tokens come from an OpenID provider in this process. Without --data
the ledger is made in a new temporary directory. In a directory where a demo ran
before, the scenarios are played once more on the same ledger.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				tmp, err := os.MkdirTemp("", "onus-demo-")
				if err != nil {
					return err
				}
				data = filepath.Join(tmp, "ledger")
			}
			d := &demo{dir: dataDir(data), out: cmd.OutOrStdout(), warn: cmd.ErrOrStderr(), who: access{open: open}, view: view}
			return d.run(cmd.Context(), listen, once)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "directory of the ledger; default: a new temporary one")
	f.StringVar(&listen, "listen", defaultListen, "address to listen on; if it is the default and taken, a free one")
	f.BoolVar(&open, "open", false, "serve everybody who reaches the port, even from other machines")
	f.BoolVar(&view.off, "no-viewer", false, "do not serve the viewer's pages")
	f.BoolVar(&once, "once", false, "end when all is verified, instead of serving on")
	cmd.AddCommand(newDemoIssuer())
	return cmd
}

// demo plays scenarios on a ledger of its own.
type demo struct {
	dir    dataDir
	out    io.Writer
	warn   io.Writer
	who    access
	view   viewerFlags
	pages  *viewer
	ledger *ledger.Ledger
	remote remote
	admin  *registrar

	// What makeWorld makes.
	issuer *devissuer.Issuer
	line   *agent.Client
	it     *party.Operator
	chat   *party.UserClient
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) run(ctx context.Context, listen string, once bool) (err error) {
	if d.ledger, err = d.openOrCreate(); err != nil {
		return err
	}
	ln, err := listenOrElse(listen)
	if err != nil {
		return errors.Join(err, d.ledger.Close())
	}
	if err := d.who.check(ln, "stay here          --listen "+defaultListen); err != nil {
		return errors.Join(err, ln.Close(), d.ledger.Close())
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if d.pages, _, err = d.view.open(d.ledger, d.dir, &d.who, ln, false, log); err != nil {
		return errors.Join(err, ln.Close(), d.ledger.Close())
	}
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	srv := &rpc.Server{Ledger: d.ledger, Logger: log, Pages: d.pages.handler()}
	go func() { served <- srv.Serve(serving, ln) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served, d.pages.close(), d.ledger.Close())
	}()
	d.remote = remote{server: baseURL(ln, false), logKey: d.dir.vkey()}
	if d.admin, err = d.remote.registrar(adminFlags{"root", d.dir.adminKey()}, io.Discard); err != nil {
		return err
	}
	d.lookHere(once)
	d.say("A ledger for agents: log %s in %s, served at %s", d.ledger.LogKey().Origin(), d.dir, d.remote.server)
	d.who.announce(d.out, d.warn, srv, ln)

	stopWorld, err := d.makeWorld(ctx)
	if err != nil {
		return err
	}
	defer stopWorld()
	var root *agent.Receipt
	for _, s := range []struct {
		name string
		play func(context.Context) (*agent.Receipt, error)
	}{{"S1", d.playS1}, {"S2", d.playS2}, {"S3", d.playS3}, {"S4", d.playS4}} {
		if root, err = s.play(ctx); err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		if err := d.showChain(ctx, root); err != nil {
			return err
		}
	}
	if err := d.verify(ctx); err != nil {
		return err
	}
	d.showCommands(root, once)
	if once {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		served <- nil
		return err
	}
}

// lookHere says what to look at in a browser: the first thing that is said, and
// the last.
func (d *demo) lookHere(once bool) {
	if d.pages != nil && !once {
		d.say("Open %s : who answers for the unauthorised read in S4?", d.pages.url)
	}
}

func (d *demo) openOrCreate() (*ledger.Ledger, error) {
	if d.dir.exists() {
		return d.dir.open(slog.New(slog.DiscardHandler))
	}
	return d.dir.create(demoOrigin, "root", nil, ledger.DefaultPolicy())
}

// listenOrElse listens on addr. Where the default is taken, a free port does:
// a demo should run beside another server.
func listenOrElse(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil && addr == defaultListen {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return ln, err
}

func (d *demo) showChain(ctx context.Context, root *agent.Receipt) error {
	client, err := d.remote.client()
	if err != nil {
		return err
	}
	resp, err := client.GetChain(ctx, &onusv1.GetChainRequest{Id: root.ID.String(), Contents: true, Judge: true})
	if err != nil {
		return err
	}
	d.say("\n  The chain, from what was asked to what came of it:\n")
	var b strings.Builder
	if err := printChain(&b, resp); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(d.out, "  ", line)
	}
	return nil
}

// verify reads the whole log back over the network and checks it as an
// auditor does.
func (d *demo) verify(ctx context.Context) error {
	client, err := d.remote.client()
	if err != nil {
		return err
	}
	key, err := keyfile.LoadLogKey(d.dir.vkey())
	if err != nil {
		return err
	}
	resp, err := client.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{})
	if err != nil {
		return err
	}
	cp, err := key.Open([]byte(resp.GetCheckpoint()))
	if err != nil {
		return err
	}
	start := time.Now()
	audit := verifier.NewAudit()
	stream, err := client.Follow(ctx, &onusv1.FollowRequest{Until: cp.Size})
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		audit.Add(stream.Msg().GetEntries())
	}
	if err := stream.Err(); err != nil {
		return err
	}
	rep := audit.Report()
	if err := audit.Matches(cp, key); err != nil {
		return fmt.Errorf("the log does not verify: %w", err)
	}
	if rep.FaultCount > 0 {
		return fmt.Errorf("the log does not verify: %v", rep.Faults[0])
	}
	d.say("\nVerified: all %d entries, read back over the network and checked against %s in %v.", rep.Entries, d.dir.vkey(), time.Since(start).Round(time.Millisecond))
	d.say("Derived again from them alone: whose each of %s was, %s, and %s of total limits.",
		count(int(rep.Bindings[0]+rep.Bindings[1]+rep.Bindings[2]), "key"), count(int(rep.Grants), "grant"), count(int(rep.Uses), "use"))
	return nil
}

// showCommands tells a newcomer what to type next.
func (d *demo) showCommands(root *agent.Receipt, once bool) {
	onus, verify := commandNames()
	at, server := d.remote.server, ""
	if once {
		d.say("\nServe it again, and check it with the auditor's tool, which trusts nothing that a server says:\n")
		d.say("  %s serve --data %s", onus, d.dir)
		at = "http://" + defaultListen
	} else {
		d.say("\nCheck it with the auditor's tool, which trusts nothing that a server says:\n")
	}
	if at != "http://"+defaultListen {
		server = " --server " + at
	}
	d.say("  %s log %s --log-key %s", verify, at, d.dir.vkey())
	d.say("  %s chain %s%s", onus, root.ID, server)
	d.say("  %s bundle %s%s -o s4.onus", onus, root.ID, server)
	d.say("  %s bundle s4.onus --log-key %s --report s4.html", verify, d.dir.vkey())
	if !once {
		d.say("\nServing on. Interrupt (Ctrl-C) to stop; the ledger stays in %s", d.dir)
		d.lookHere(once)
	}
}

// commandNames returns how to call the two commands: the files beside this
// one, where they were built, or through go run.
func commandNames() (onus, verify string) {
	self, err := os.Executable()
	if err == nil {
		dir := filepath.Dir(self)
		if _, err := os.Stat(filepath.Join(dir, "onus-verify")); err == nil {
			if wd, err := os.Getwd(); err == nil {
				if rel, err := filepath.Rel(wd, dir); err == nil && !strings.HasPrefix(rel, "..") {
					dir = rel
				}
			}
			return filepath.Join(dir, "onus"), filepath.Join(dir, "onus-verify")
		}
	}
	if _, err := os.Stat("cmd/onus-verify/main.go"); err == nil {
		return "go run ./cmd/onus", "go run ./cmd/onus-verify"
	}
	return "onus", "onus-verify"
}
