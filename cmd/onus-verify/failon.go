package main

import (
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
)

const failOnUsage = "end with exit code 1 for findings of this severity and above: info, warn, high, critical, or never"

// severities in their order; those from floor on fail.
var severities = []chain.Severity{chain.Info, chain.Warn, chain.High, chain.Critical}

// parseFailOn returns the place in severities from which on findings fail;
// "never" lies beyond all.
func parseFailOn(s string) (int, error) {
	if s == "never" {
		return len(severities), nil
	}
	if i := slices.Index(severities, chain.Severity(s)); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("--fail-on %q is not info, warn, high, critical or never", s)
}

// exitOf returns the exit code of a report.
func exitOf(r *verifier.BundleReport, floor int) int {
	switch r.Standing {
	case verifier.Forked:
		return exitFork
	case verifier.Broken:
		return exitBroken
	case verifier.NotAnchored:
		return exitUnanchored
	}
	if fails(r.Judgement, floor) {
		return exitFindings
	}
	return 0
}

// fails reports whether a judgement has a finding at or above the floor;
// coverage never counts. What cannot be told, or was not judged, is never
// clean: it counts as high.
func fails(j *chain.Judgement, floor int) bool {
	for _, f := range j.All() {
		if f.Kind != chain.Coverage && slices.Index(severities, f.Severity) >= floor {
			return true
		}
	}
	for _, c := range j.Counts {
		if c.Outcome != chain.WithinAuthority && slices.Index(severities, chain.High) >= floor {
			return true
		}
	}
	return j.Outcome == chain.NotJudgedHere && slices.Index(severities, chain.High) >= floor
}
