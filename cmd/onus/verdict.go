package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// verdict is what a judgement's JSON says that a terminal shows. Nil is that of
// a chain which was not judged.
type verdict struct {
	Outcome string
	Counts  []struct {
		Outcome string
		Actions int
	}
	Actions []struct {
		Index    int64
		Verdict  string
		Why      string
		Findings []verdictFinding
	}
	Findings []verdictFinding
}

type verdictFinding struct {
	Code, Kind, Severity, Text, About string
	Index                             int64
}

func parseVerdict(judgement []byte) (*verdict, error) {
	if len(judgement) == 0 {
		return nil, nil
	}
	var j struct{ Verdict *verdict }
	if err := json.Unmarshal(judgement, &j); err != nil || j.Verdict == nil {
		return nil, fmt.Errorf("the judgement that the server sent cannot be read: %w", err)
	}
	return j.Verdict, nil
}

// printOutcome says the headline: the worst outcome, and how many actions have
// each.
func (v *verdict) printOutcome(w io.Writer) {
	if v == nil {
		return
	}
	var parts []string
	for _, c := range v.Counts {
		if c.Actions > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.Actions, quoteName(c.Outcome)))
		}
	}
	s := strings.ToUpper(quoteName(v.Outcome))
	if len(parts) > 0 {
		s += ": " + strings.Join(parts, ", ")
	}
	fmt.Fprintln(w, s)
}

// why returns the reason of an action's verdict, or "".
func (v *verdict) why(index int64) string {
	if v == nil {
		return ""
	}
	for _, a := range v.Actions {
		if a.Index == index {
			return fmt.Sprintf("%s (%s)", quoteName(a.Why), quoteName(a.Verdict))
		}
	}
	return ""
}

// findings returns what there is to know, by entry. Coverage, which says what
// is not wired yet, is not for the tree.
func (v *verdict) findings() map[int64][]*onusv1.Finding {
	all := map[int64][]*onusv1.Finding{}
	if v == nil {
		return all
	}
	add := func(fs []verdictFinding) {
		for _, f := range fs {
			if f.Kind != string(chain.Coverage) {
				all[f.Index] = append(all[f.Index], &onusv1.Finding{Code: f.Code, Severity: f.Severity, Text: f.Text, Record: f.About})
			}
		}
	}
	for _, a := range v.Actions {
		add(a.Findings)
	}
	add(v.Findings)
	return all
}

// unjudgedFindings are what can be told without a judgement: the server's
// reading of each record's authority, and ours of the entry alone.
func unjudgedFindings(c *chain.Chain, records []*onusv1.LoggedRecord) map[int64][]*onusv1.Finding {
	all := map[int64][]*onusv1.Finding{}
	for _, n := range c.Nodes {
		for _, f := range n.Findings {
			if f.Severity != chain.Info {
				all[n.Index] = append(all[n.Index], &onusv1.Finding{Code: f.Code, Severity: string(f.Severity), Text: f.Text})
			}
		}
	}
	for _, r := range records {
		all[r.GetIndex()] = append(all[r.GetIndex()], r.GetFindings()...)
	}
	return all
}
