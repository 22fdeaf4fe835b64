// Command onus runs a ledger and works with one: server, operator's and
// agent's tool. `onus help` lists what it does; onus-verify, the auditor's
// tool, is another program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/cmd/internal/flagenv"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "onus:", explain(err))
		stop()
		os.Exit(exitCode(err))
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "onus",
		Short: "The append-only accountability ledger for AI agents",
		Long: `Onus records what a user asked, how an agent understood it, what it decided
and what it did, as signed records in a Merkle log, and answers each with a
proof. Auditors check it with onus-verify and trust nobody.

  onus demo                       see it work, on a ledger of its own
  onus init, serve                run a ledger
  onus agent register, enrol      let an agent write
  onus apply                      register a fleet from one file
  onus grant, intent, approve     give authority, and see what was made of it
  onus submit, list, get, chain   write and read records
  onus review                     say what came of looking into one
  onus bundle                     hand evidence to an auditor
  onus view                       see an evidence file in a browser

Every flag can be set in the environment: --log-key is ONUS_LOG_KEY.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := flagenv.Apply(cmd.Flags()); err != nil {
				return usageError{err}
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newInit(), newServe(), newDemo(), newFsck(), newStatus(), newRestore(),
		newKey(), newToken(), newAgent(), newEnrol(), newApply(),
		newRegister(), newIssuer(), newTrust(),
		newGrant(), newIntent(), newApprove(), newDeny(), newReview(), newSession(),
		newSubmit(), newGet(), newList(), newReceipt(), newChain(), newBundle(), newView(),
		newImport(), newBench(),
	)
	return root
}

// usageError is for commands that were called wrongly.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var c coded
	if errors.As(err, &c) {
		return c.code
	}
	var u usageError
	if errors.As(err, &u) || strings.HasPrefix(err.Error(), "unknown command") {
		return 2
	}
	return 1
}

// explain adds what a server's problem says to do next.
func explain(err error) string {
	text := err.Error()
	var ce *connect.Error
	if errors.As(err, &ce) {
		// What the protocol calls the error is for programs.
		text = strings.Replace(text, ce.Code().String()+": ", "", 1)
		if ce.Code() == connect.CodeUnavailable && strings.Contains(ce.Message(), "dial ") {
			text = "no ledger answers there: is onus serve running, and is --server right? (" + ce.Message() + ")"
		}
	}
	if p := problemOf(err); p.GetNext() != "" && !strings.Contains(text, p.GetNext()) {
		text += ": " + p.GetNext()
	}
	return text
}

// problemOf returns the problem that a server attached to an error, or nil.
func problemOf(err error) *onusv1.Problem {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return nil
	}
	for _, d := range ce.Details() {
		if v, err := d.Value(); err == nil {
			if p, ok := v.(*onusv1.Problem); ok {
				return p
			}
		}
	}
	return nil
}
