package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/cmd/internal/progress"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/filelog"
	"github.com/spf13/cobra"
)

// viewListen is where a file is shown; if it is taken, a free port is.
const viewListen = "127.0.0.1:8788"

// The exit codes of view are those of onus-verify bundle, as far as they fit.
const (
	exitNotJudged = 2
	exitForked    = 3
	exitBroken    = 4
)

func newView() *cobra.Command {
	var logKey, listen string
	cmd := &cobra.Command{
		Use:   "view FILE|DIR",
		Short: "Show an evidence file, or the mirror of a log, in a browser",
		Long: `Verify an evidence file that onus bundle wrote, or the whole log in a folder that
onus-verify mirror wrote, and show it with the viewer's pages on this machine,
without a ledger. Nothing can be changed there.

The file never says which key to trust. Without --log-key it is shown as what it
is: a file that agrees with itself, and nobody vouches for whose it is.

Exit codes: 0 shown until interrupted; 2 nothing was judged; 3 the log signed two
histories; 4 the evidence is broken, and is not shown.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("name one evidence file, or the folder of a mirror")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return view(cmd.Context(), cmd.OutOrStdout(), args[0], logKey, listen)
		},
	}
	cmd.Flags().StringVar(&logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
	cmd.Flags().StringVar(&listen, "listen", viewListen, "loopback address to listen on; if it is the default and taken, a free one")
	return cmd
}

func view(ctx context.Context, out io.Writer, path, logKey, listen string) (err error) {
	f, err := openShown(ctx, path, logKey)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil && listen == viewListen {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return coded{err, exitNotJudged}
	}
	if !isLoopback(ln) {
		return usageError{errors.Join(fmt.Errorf("%s can be reached from other machines, and the file is shown to whoever asks: use a loopback address such as %s", ln.Addr(), viewListen), ln.Close())}
	}
	d, err := desk.Open("", f)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	running, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(running) }()
	hs := &http.Server{
		Handler:           rpc.LocalOnly(filePages(f, d, path, log), "as it is printed"),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(ln) }()
	defer func() {
		closing := hs.Close()
		stop()
		err = errors.Join(err, closing, <-ran, d.Close())
	}()
	// What is shown first is all of it.
	if err := d.CatchUp(ctx, f.Size()); err != nil {
		return ended(ctx, err)
	}
	fmt.Fprintf(out, "%s\n", standingOf(f, path))
	fmt.Fprintf(out, "  %d entries of %d that log %s had\n", f.Shown(), f.Size(), f.Origin())
	fmt.Fprintf(out, "Open %s/ : read-only, on this machine. Interrupt (Ctrl-C) to end.\n", baseURL(ln, false))
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return err
	}
}

// ended is nil where it is the context's end that ended something.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// shown is a log out of a file or a folder.
type shown interface {
	web.Log
	// Standing says how well it is anchored, Shown how many entries are there.
	Standing() verifier.Standing
	Shown() int
}

// filePages are the viewer's pages over a file.
func filePages(f shown, d *desk.Desk, path string, log *slog.Logger) http.Handler {
	return web.New(web.Config{Log: f, Desk: d, Source: standingOf(f, path), Logger: log,
		Who: func(*http.Request) (web.Viewer, error) {
			return web.Viewer{Role: "reading a file", Contents: true}, nil
		}})
}

// standingOf says what a file is worth.
func standingOf(f shown, path string) string {
	name := filepath.Base(path)
	if f.Standing() == verifier.Genuine {
		return name + ": genuine evidence, under the log key that you gave"
	}
	return name + ": it agrees with itself; you gave no log key, so nothing shows whose it is"
}

// openShown opens an evidence file, or a folder with a mirrored log.
func openShown(ctx context.Context, path, logKey string) (shown, error) {
	var key tree.LogKey
	if logKey != "" {
		var err error
		if key, err = keyfile.LoadLogKey(logKey); err != nil {
			return nil, usageError{fmt.Errorf("--log-key: %w", err)}
		}
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return openMirror(ctx, path, key)
	}
	return openEvidence(path, key)
}

// openMirror opens a folder that onus-verify mirror wrote.
func openMirror(ctx context.Context, path string, key tree.LogKey) (shown, error) {
	root, err := os.OpenRoot(path) // nothing outside is read, wherever a link leads
	if err != nil {
		return nil, coded{err, exitNotJudged}
	}
	bar := progress.New("entries")
	m, err := filelog.OpenMirror(ctx, root.FS(), key, bar.Update)
	bar.Clear()
	switch {
	case filelog.IsBroken(err):
		return nil, coded{fmt.Errorf("%s: %w: nothing in it can be relied on; onus-verify log says all that is wrong", path, err), exitBroken}
	case err != nil:
		return nil, coded{fmt.Errorf("%s: %w", path, err), exitNotJudged}
	}
	return m, nil
}

func openEvidence(path string, key tree.LogKey) (shown, error) {
	trust := verifier.Trust{LogKey: key}
	file, err := os.Open(path)
	if err != nil {
		return nil, coded{err, exitNotJudged}
	}
	defer file.Close()
	f, err := filelog.Open(file, trust)
	var broken *filelog.BrokenError
	var malformed *evidence.FormatError
	switch {
	case errors.As(err, &broken) && broken.Report.Standing == verifier.Forked:
		return nil, coded{fmt.Errorf("%s: %w: onus-verify bundle writes the proof", path, err), exitForked}
	case errors.As(err, &broken):
		return nil, coded{fmt.Errorf("%s: %w: nothing in it can be relied on; onus-verify bundle says all that is wrong", path, err), exitBroken}
	case errors.As(err, &malformed):
		return nil, coded{fmt.Errorf("%s: %w", path, err), exitBroken}
	case err != nil:
		return nil, coded{fmt.Errorf("%s: %w", path, err), exitNotJudged}
	}
	return f, nil
}

// coded is an error that ends the program with that code.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }
