package main

import (
	"fmt"
	"io"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
)

// printLogged says where a record stands, and what the ledger said of the
// user's token and of who signed.
func printLogged(w io.Writer, p *verifier.Proven, resp *onusv1.SubmitResponse) {
	fmt.Fprintf(w, "%s\n  entry %d of %d, proven under the log key given\n", p.Record.ID, p.Index, p.Checkpoint.Size)
	if resp.GetToken() != nil {
		fmt.Fprintf(w, "  user: %s\n", tokenWord(resp.GetToken()))
	}
	for _, n := range resp.GetRevoked() {
		fmt.Fprintf(w, "  REVOKED: %s, by entry %d: the record is flagged, and its author should stop\n", quoteName(n.GetTarget()), n.GetIndex())
	}
}

// printFindings says what there is to know of a record, the grave first as the
// server sent it.
func printFindings(w io.Writer, fs []*onusv1.Finding, lead string) {
	for _, f := range fs {
		fmt.Fprintf(w, "%s%s\n", lead, findingLine(f))
	}
}

// findingLine says a finding in words; its code is for programs, and for
// looking it up.
func findingLine(f *onusv1.Finding) string {
	mark := "!"
	switch f.GetSeverity() {
	case "info":
		mark = "·"
	case "high", "critical":
		mark = "!!"
	}
	s := fmt.Sprintf("%s %s (%s, %s)", mark, quoteName(f.GetText()), quoteName(f.GetCode()), quoteName(f.GetSeverity()))
	if id := f.GetRecord(); id != "" && !strings.Contains(s, strings.TrimSuffix(shortID(id), "…")) {
		s += " see " + quoteName(id)
	}
	return s
}
