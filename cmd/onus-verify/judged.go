package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/report"
)

// What a walk over a whole log says of who answers.

// fails reports whether the log shows what is at or above --fail-on.
func (v *logVerifier) fails() bool {
	if v.unjudged != "" {
		return v.floor <= slices.Index(severities, chain.High)
	}
	if v.judged == nil {
		return false
	}
	for s, n := range v.judged.Findings {
		if n > 0 && slices.Index(severities, s) >= v.floor {
			return true
		}
	}
	for _, c := range v.judged.Counts {
		if c.Outcome != chain.WithinAuthority && slices.Index(severities, chain.High) >= v.floor {
			return true
		}
	}
	return false
}

// printJudged prints how the actions came out, and the worst chains.
func (v *logVerifier) printJudged() {
	switch {
	case v.unjudged != "":
		fmt.Fprintf(v.out, "Who answers: NOT JUDGED: %s\n", v.unjudged)
		return
	case v.judged == nil:
		return
	}
	fmt.Fprintf(v.out, "Who answers, in %s:\n", count(int64(v.judged.Chains), "chain"))
	if len(v.judged.Counts) == 0 {
		fmt.Fprintln(v.out, "  no action is on record")
	}
	for _, c := range v.judged.Counts {
		fmt.Fprintf(v.out, "  %-18s %s\n", c.Outcome, count(int64(c.Actions), "action"))
	}
	for _, w := range v.judged.Worst {
		fmt.Fprintf(v.out, "  %s: the chain of entry %d, record %s\n", w.Judgement.Outcome, w.Index, w.Record)
		shown := 0
		for _, a := range report.Of(w.Judgement, nil).Actions {
			if a.Clear {
				continue
			}
			if shown++; shown > 3 {
				fmt.Fprintln(v.out, "    and more")
				break
			}
			fmt.Fprintf(v.out, "    entry %d: %s\n", a.Entry, a.Why)
		}
	}
	if len(v.judged.Worst) > 0 {
		fmt.Fprintln(v.out, "  onus bundle ID -o FILE gets the evidence of one; onus-verify bundle FILE says it all.")
	}
}

// judgedJSON is the same for programs; nil if nothing was judged.
func (v *logVerifier) judgedJSON() any {
	if v.judged == nil {
		return nil
	}
	type worst struct {
		Index   int64           `json:"index"`
		Record  string          `json:"record"`
		Verdict json.RawMessage `json:"verdict"`
	}
	out := struct {
		Chains   int                    `json:"chains"`
		Counts   map[chain.Outcome]int  `json:"actions"`
		Findings map[chain.Severity]int `json:"findings"`
		Worst    []worst                `json:"worst"`
	}{v.judged.Chains, map[chain.Outcome]int{}, v.judged.Findings, []worst{}}
	for _, c := range v.judged.Counts {
		out.Counts[c.Outcome] = c.Actions
	}
	for _, w := range v.judged.Worst {
		out.Worst = append(out.Worst, worst{w.Index, w.Record.String(), w.Judgement.VerdictJSON()})
	}
	return out
}
