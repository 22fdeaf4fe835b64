package web

import (
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/report"
)

// findingText is what a finding says, as a sentence without its full stop. The
// judge words it to stand behind the name of a record.
func findingText(f chain.Finding) string { return begun(report.Clean(f.Text)) }

// begun writes the first letter large, unless it begins an operation or an id:
// those are as they are.
func begun(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if strings.ContainsAny(first, ":/0123456789") || isPseudonym(first) {
		return strings.TrimSuffix(s, ".")
	}
	return sentence(s)
}
