package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
	"github.com/spf13/cobra"
)

func newGet() *cobra.Command {
	var r remote
	var asJSON, contents bool
	cmd := &cobra.Command{
		Use:   "get ID|INDEX",
		Short: "Show one record",
		Args:  needOne("a record: an id, or an index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			req := &onusv1.GetRecordRequest{Contents: contents, Key: &onusv1.GetRecordRequest_Id{Id: args[0]}}
			if index, ok := asIndex(args[0]); ok {
				req.Key = &onusv1.GetRecordRequest_Index{Index: index}
			}
			resp, err := client.GetRecord(cmd.Context(), req)
			if err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), resp.GetRecord())
			}
			return printRecord(cmd.OutOrStdout(), resp.GetRecord())
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&contents, "contents", true, "show stored contents")
	return cmd
}

// asIndex tells an index from an id.
func asIndex(s string) (int64, bool) {
	i, err := strconv.ParseInt(s, 10, 64)
	return i, err == nil && i >= 0 && len(s) < 20
}

func printRecord(out io.Writer, lr *onusv1.LoggedRecord) error {
	e, err := entry.Parse(lr.GetEntry())
	if err != nil {
		return fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
	}
	rec, err := record.Parse(e.Envelope)
	if err != nil {
		return fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
	}
	m := rec.Msg
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	row("index", strconv.FormatInt(lr.GetIndex(), 10))
	row("id", rec.ID.String())
	row("logged", time.UnixMilli(e.Stamp.LogTime).UTC().Format("2006-01-02 15:04:05.000 UTC"))
	row("claimed", m.GetClaimedTime().AsTime().Format("2006-01-02 15:04:05.000 UTC"))
	row("author", author(m))
	row("agent", m.GetAuthor().GetAgent())
	row("operator", m.GetAuthor().GetOperator())
	row("key", fmt.Sprintf("%s, bound by entry %d", m.GetAuthor().GetKeyId(), e.Stamp.KeyEntry))
	if m.GetCapture() != onusv1.Capture_CAPTURE_SELF {
		row("recorded by", chain.CaptureWord(m.GetCapture())+", not by the agent itself: who did it and when is asserted")
	}
	row("is", report.KindOf(m))
	details(m, openTexts(lr.GetContents()), row)
	if m.GetAuthor().GetAgent() != "" {
		row("sequence", strconv.FormatInt(m.GetSequence(), 10))
	}
	row("previous", m.GetPrevious())
	row("parent", m.GetParent())
	row("parent agent", m.GetParentAgent())
	row("asks", m.GetAsks())
	for _, c := range m.GetCauses() {
		row("cause", c)
	}
	userRows(m, e.Stamp.Assurance, row)
	row("grant", m.GetGrant())
	row("authority", basisWord(m.GetBasis()))
	for _, s := range m.GetSubjects() {
		row("subject", s)
	}
	row("registry", fmt.Sprintf("%d entries before this one, root %s", e.Stamp.RegistryCount, e.Stamp.RegistryRoot))
	row("checked", "nothing here: onus-verify log URL checks every entry")
	if err := w.Flush(); err != nil {
		return err
	}
	if fs := lr.GetFindings(); len(fs) > 0 {
		fmt.Fprintln(out, "\nWhat the server says of the authority for it:")
		printFindings(out, fs, "  ")
	}
	return nil
}

// basisWord says whose authority the author says it used.
func basisWord(b onusv1.Basis) string {
	switch b {
	case onusv1.Basis_BASIS_DELEGATED:
		return "a user's, it says"
	case onusv1.Basis_BASIS_OWN:
		return "its operator's, it says"
	}
	return ""
}
