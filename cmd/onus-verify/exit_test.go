package main

import (
	"testing"

	"github.com/onus-ledger/onus/web/report"
)

// TestExitsAreTold: what pages say of the exit codes is what there are.
func TestExitsAreTold(t *testing.T) {
	codes := []int{0, exitFindings, exitUsage, exitFork, exitBroken, exitUnanchored}
	if len(report.Exits) != len(codes) {
		t.Fatalf("%d codes are told, want %d", len(report.Exits), len(codes))
	}
	for i, e := range report.Exits {
		if e.Code != codes[i] || e.Means == "" {
			t.Errorf("code %d is told as %d: %q", codes[i], e.Code, e.Means)
		}
	}
}
