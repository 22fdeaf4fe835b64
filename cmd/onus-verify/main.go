// Command onus-verify is the auditor's tool. It trusts nobody: what it says
// rests on the bytes it was given and on the log key that its user gave. It has
// none of the ledger's code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/onus-ledger/onus/cmd/internal/flagenv"
	"github.com/spf13/cobra"
)

// Exit codes; 0 is genuine.
const (
	exitFindings   = 1 // genuine, and it shows findings at or above --fail-on
	exitUsage      = 2 // usage or I/O: nothing was judged
	exitFork       = 3 // the log signed two histories
	exitBroken     = 4 // the evidence is broken
	exitUnanchored = 5 // no log key was given: at best it agrees with itself
)

// exitError ends the program with a code; its text has been printed.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	var code exitError
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		fmt.Fprintln(os.Stderr, "onus-verify:", err)
		os.Exit(exitUsage)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "onus-verify",
		Short: "Verify what an Onus ledger says, without trusting it",
		Long: `Verify evidence files, receipts and whole logs against a log key that you hold.
A file or a server never supplies its own trust root.

Exit codes: 0 genuine; 1 genuine, and it shows findings at or above --fail-on;
2 usage or I/O, nothing was judged; 3 the log signed two histories; 4 the
evidence is broken, or the log does not show what it signed; 5 no log key was
given, or too few witnesses cosigned, so nothing is anchored.

Every flag can be set in the environment: --log-key is ONUS_LOG_KEY.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagenv.Apply(cmd.Flags())
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newBundle(), newReceipt(), newLog(), newFollow(), newMirror(), newFork())
	return root
}
