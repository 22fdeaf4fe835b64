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
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a ledger, play a scenario with real agents, verify it",
		Long: `Make a ledger on disk, serve it, and play a scenario with real agents that
record over Connect: each action is logged, with its proof, before it happens.
Then show the chain, verify the whole log, and go on serving.

Without --data the ledger is made in a new temporary directory. In a directory
where a demo ran before, the scenario is played once more on the same ledger.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				tmp, err := os.MkdirTemp("", "onus-demo-")
				if err != nil {
					return err
				}
				data = filepath.Join(tmp, "ledger")
			}
			d := &demo{dir: dataDir(data), out: cmd.OutOrStdout(), warn: cmd.ErrOrStderr(), who: access{open: open}}
			return d.run(cmd.Context(), listen, once)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "directory of the ledger; default: a new temporary one")
	f.StringVar(&listen, "listen", defaultListen, "address to listen on; if it is the default and taken, a free one")
	f.BoolVar(&open, "open", false, "serve everybody who reaches the port, even from other machines")
	f.BoolVar(&once, "once", false, "end when all is verified, instead of serving on")
	return cmd
}

// demo plays scenarios on a ledger of its own.
type demo struct {
	dir    dataDir
	out    io.Writer
	warn   io.Writer
	who    access
	ledger *ledger.Ledger
	remote remote
	enrol  *enrolment
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
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	srv := &rpc.Server{Ledger: d.ledger, Logger: log}
	go func() { served <- srv.Serve(serving, ln) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served, d.ledger.Close())
	}()
	d.remote = remote{server: baseURL(ln, false), logKey: d.dir.vkey()}
	if d.enrol, err = newEnrolment(&d.remote, "root", d.dir.adminKey()); err != nil {
		return err
	}
	d.say("A ledger for agents: log %s in %s, served at %s", d.ledger.LogKey().Origin(), d.dir, d.remote.server)
	d.who.announce(d.out, d.warn, srv, ln)

	root, err := d.playS1(ctx)
	if err != nil {
		return fmt.Errorf("scenario S1: %w", err)
	}
	if err := d.showChain(ctx, root); err != nil {
		return err
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

// agent registers an agent class with a key and returns a running instance of
// it, which records over the network as any agent does.
func (d *demo) agent(ctx context.Context, op *onusv1.Operator, class *onusv1.AgentClass) (*agent.Agent, error) {
	name := filepath.Join(string(d.dir), lastSegment(class.GetId())+".key")
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		key, err := keyfile.Generate("ed25519")
		if err != nil {
			return nil, err
		}
		if _, err := keyfile.WritePair(name, key); err != nil {
			return nil, err
		}
	}
	key, err := keyfile.LoadSigner(name)
	if err != nil {
		return nil, err
	}
	pub, err := keyfile.LoadPublic(name + ".pub")
	if err != nil {
		return nil, err
	}
	if err := d.enrol.enrol(ctx, op, class, pub, ""); err != nil {
		return nil, err
	}
	hc, err := d.remote.httpClient()
	if err != nil {
		return nil, err
	}
	return agent.New(agent.Config{
		Server: d.remote.server, HTTPClient: hc, LogKey: d.ledger.LogKey().String(),
		Signer: key, Agent: class.GetId(), Operator: op.GetId(),
	})
}

func (d *demo) showChain(ctx context.Context, root *agent.Receipt) error {
	client, err := d.remote.client()
	if err != nil {
		return err
	}
	resp, err := client.GetChain(ctx, &onusv1.GetChainRequest{Id: root.ID.String(), Contents: true})
	if err != nil {
		return err
	}
	d.say("\nThe chain, from what was asked to what came of it:\n")
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
	d.say("  %s list%s", onus, server)
	if !once {
		d.say("\nServing on. Interrupt (Ctrl-C) to stop; the ledger stays in %s", d.dir)
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
