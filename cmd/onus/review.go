package main

import (
	"errors"
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
)

// dispositions are what can come of a review, by the words of --disposition.
var dispositions = map[string]onusv1.Disposition{
	"open": onusv1.Disposition_DISPOSITION_OPEN, "explained": onusv1.Disposition_DISPOSITION_EXPLAINED,
	"escalated": onusv1.Disposition_DISPOSITION_ESCALATED, "incident": onusv1.Disposition_DISPOSITION_INCIDENT,
	"false-alarm": onusv1.Disposition_DISPOSITION_FALSE_ALARM,
}

const dispositionUsage = "explained, escalated, incident, false-alarm or open"

func newReview() *cobra.Command {
	var r remote
	var disposition, finding, note, assignee, reviewer, key string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "review ID --disposition WORD --key FILE",
		Short: "Say what came of looking into a record or a finding",
		Long: `Review a record: it was looked into, and this came of it. With --finding it is
about that finding on the record; without, about the chain, by custom named by
its first record. A review changes no verdict and hides nothing: it is a record
beside the others. The newest of a record and finding counts.

A registered reviewer signs (onus register reviewer). Every disposition but
"open" needs a note.`,
		Example: `  onus review 4be1… --disposition explained --finding LIMIT_EXCEEDED --note "agreed by phone, ticket 4711" \
    --key anna.key --log-key log.vkey`,
		Args: needOne("the record that is reviewed: its id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := record.ParseID(args[0]); err != nil {
				return usageError{fmt.Errorf("%q is not a record's id: onus list shows them", args[0])}
			}
			d, ok := dispositions[disposition]
			if !ok {
				return usageError{fmt.Errorf("say what came of it: --disposition %s", dispositionUsage)}
			}
			if note == "" && d != onusv1.Disposition_DISPOSITION_OPEN {
				return usageError{fmt.Errorf("say why: --disposition %s needs --note TEXT", disposition)}
			}
			if finding != "" && !isFinding(finding) {
				// The ledger would take any name, and a slip of the pen would
				// review nothing.
				return usageError{fmt.Errorf("no finding is called %q: onus chain shows those of a chain", finding)}
			}
			if assignee != "" && !record.IsPseudonym(assignee, record.UserPrefix) {
				return usageError{errors.New("--assignee is not a user's pseudonym: names do not go into the log")}
			}
			text, contents := newText(note)
			p, err := r.holder(cmd.Context(), key)
			if err != nil {
				return err
			}
			name := p.author.GetReviewer()
			if name == "" {
				return fmt.Errorf("the key is that of %s: a review is signed by a registered reviewer", authorName(p.author))
			}
			if reviewer != "" && reviewer != name {
				return fmt.Errorf("the key is that of %s, not of reviewer %s", authorName(p.author), reviewer)
			}
			proven, err := p.sign(cmd.Context(), &onusv1.Record{
				Causes: []string{args[0]},
				Body: &onusv1.Record_Review{Review: &onusv1.Review{
					Record: args[0], Finding: finding, Disposition: d, Note: text, Assignee: assignee}},
			}, contents)
			if err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), p.last)
			}
			printLogged(cmd.OutOrStdout(), proven, p.last)
			return nil
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&disposition, "disposition", "", "what came of it: "+dispositionUsage)
	f.StringVar(&finding, "finding", "", "the finding that it is about, by name; default: the chain as a whole")
	f.StringVar(&note, "note", "", "why; committed to, and stored beside the log")
	f.StringVar(&assignee, "assignee", "", "who is to see to it: a user's pseudonym")
	f.StringVar(&reviewer, "reviewer", "", "the reviewer; checked against the key, where it is given")
	f.StringVar(&key, "key", "", "the private key of the reviewer")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func isFinding(code string) bool {
	for _, r := range chain.Rules {
		if r.Code == code {
			return true
		}
	}
	return false
}

// describeReview says what came of a review, and of what.
func describeReview(m *onusv1.Record, t textOf, limit int) string {
	v := m.GetReview()
	s := chain.DispositionWord(v.GetDisposition())
	if v.GetFinding() != "" {
		s += " " + v.GetFinding()
	}
	s += " of " + shortID(v.GetRecord())
	if v.GetAssignee() != "" {
		s += ", for " + v.GetAssignee() + " to see to"
	}
	if m.GetUser() != "" { // an officer who was signed in to the host's viewer
		s += ", says " + m.GetUser()
	}
	return strings.TrimSpace(s + " " + t.show(v.GetNote(), limit))
}

// reviewLines says of each record what the newest reviews of it say.
func reviewLines(c *chain.Chain, t textOf) map[int64][]string {
	lines := map[int64][]string{}
	for _, r := range chain.ReviewsOf(c) {
		if r.About == nil {
			continue
		}
		what := r.Finding
		if what == "" {
			what = "the chain"
		}
		s := fmt.Sprintf("reviewed in #%d: %s is %s", r.Node.Index, what, chain.DispositionWord(r.Review.GetDisposition()))
		if note := t.show(r.Review.GetNote(), 100); note != "" {
			s += ", " + note
		}
		lines[r.About.Index] = append(lines[r.About.Index], s)
	}
	return lines
}
