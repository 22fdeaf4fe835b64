package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far the log is, its witnesses and its guard",
		Long: `Show the newest checkpoint, the largest witnessed tree, and how far each witness
and the rollback guard are behind. It needs the role auditor, compliance or
administrator. What it prints is the server's word: an auditor checks the
checkpoint with onus-verify.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			st, err := client.GetStatus(cmd.Context(), &onusv1.GetStatusRequest{})
			if err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), st)
			}
			printStatus(cmd.OutOrStdout(), st)
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStatus(w io.Writer, st *onusv1.GetStatusResponse) {
	fmt.Fprintf(w, "%s, %d entries, log-signed\n", quoteName(firstLine(st.GetCheckpoint())), st.GetSize())
	switch {
	case st.GetQuorum() == "":
		fmt.Fprintln(w, "Witnessed: never, there is no witness policy (onus serve --witness-policy)")
	case st.GetWitnessedSize() == 0:
		fmt.Fprintf(w, "Witnessed: nothing yet by the quorum %s\n", quoteName(st.GetQuorum()))
	default:
		fmt.Fprintf(w, "Witnessed: %d entries by the quorum %s, %s\n", st.GetWitnessedSize(), quoteName(st.GetQuorum()), behind(st.GetSize(), st.GetWitnessedSize()))
	}
	for _, x := range st.GetWitnesses() {
		fmt.Fprintf(w, "  %s  %s\n", quoteName(x.GetName()), quoteName(x.GetUrl()))
		if x.GetSize() > 0 {
			fmt.Fprintf(w, "      cosigned %d entries, %s, at %s by its clock\n", x.GetSize(), behind(st.GetSize(), x.GetSize()), x.GetTime().AsTime().UTC().Format(time.RFC3339))
		} else {
			fmt.Fprintln(w, "      cosigned nothing that is known here")
		}
		fmt.Fprintf(w, "      %d attempts, %d failed\n", x.GetAttempts(), x.GetFailures())
		if x.GetError() != "" {
			fmt.Fprintf(w, "      FAILS: %s\n", quote(x.GetError(), 300))
		}
	}
	if st.GuardSize == nil {
		fmt.Fprintln(w, "Rollback guard: none")
		return
	}
	fmt.Fprintf(w, "Rollback guard: %d entries, %s\n", st.GetGuardSize(), behind(st.GetSize(), st.GetGuardSize()))
	if st.GetGuardError() != "" {
		fmt.Fprintf(w, "  FAILS: %s\n", quote(st.GetGuardError(), 300))
	}
}

func behind(size, at int64) string {
	if at >= size {
		return "up to date"
	}
	return fmt.Sprintf("%d behind", size-at)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
