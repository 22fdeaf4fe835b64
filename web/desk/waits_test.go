package desk

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// What waits in a case: open findings that are not mere information, or else
// the case as a whole if it did not come out within authority.
func TestWaits(t *testing.T) {
	said := func(code term, d onusv1.Disposition) review {
		return review{Review: Review{Time: 20, Disposition: d}, about: record.ID{7}, finding: code}
	}
	const explained, escalated = onusv1.Disposition_DISPOSITION_EXPLAINED, onusv1.Disposition_DISPOSITION_ESCALATED
	for _, tc := range []struct {
		name      string
		outcome   chain.Outcome
		found     chain.Severity // "": nothing
		reviews   []review
		waits     bool
		whole     chain.Severity // of what stands for the whole; "": nothing does
		wasBefore bool           // at time 15: after the finding, before the reviews
	}{
		{"in order", chain.WithinAuthority, "", nil, false, "", false},
		{"in order, with something to know", chain.WithinAuthority, chain.Info, nil, false, "", false},
		{"in order, with a warning", chain.WithinAuthority, chain.Warn, nil, true, "", true},
		{"in order, the warning explained", chain.WithinAuthority, chain.Warn, []review{said(5, explained)}, false, "", true},
		{"in order, the warning escalated", chain.WithinAuthority, chain.Warn, []review{said(5, escalated)}, true, "", true},
		{"in order, all of it explained", chain.WithinAuthority, chain.Warn, []review{said(0, explained)}, false, "", true},
		{"outside", chain.OutsideAuthority, chain.High, nil, true, "", true},
		{"outside, the finding explained", chain.OutsideAuthority, chain.High, []review{said(5, explained)}, true, chain.High, true},
		{"outside, both explained", chain.OutsideAuthority, chain.High, []review{said(5, explained), said(0, explained)}, false, "", true},
		{"outside, all of it explained", chain.OutsideAuthority, chain.High, []review{said(0, explained)}, false, "", true},
		{"not judged", chain.NotJudgedHere, "", nil, true, chain.Warn, true},
		{"not judged, explained", chain.NotJudgedHere, "", []review{said(0, explained)}, false, "", true},
		{"nothing done", chain.NothingDone, "", nil, false, "", false},
	} {
		k := &kase{rootID: record.ID{1}, outcome: outcomeAt(tc.outcome), last: 10, more: &more{reviews: tc.reviews}}
		if tc.found != "" {
			k.more.findings = []finding{{record: record.ID{7}, time: 10, code: 5, severity: rankOf(tc.found)}}
		}
		if got := k.waits(); got != tc.waits {
			t.Errorf("%s: waits %t, want %t", tc.name, got, tc.waits)
		}
		var whole chain.Severity
		if f := k.wholeAt(0); f != nil {
			whole = severities[f.severity]
			if f.code != 0 || f.record != k.rootID {
				t.Errorf("%s: what stands for the whole is %+v", tc.name, f)
			}
		}
		if whole != tc.whole {
			t.Errorf("%s: the whole waits as %q, want %q", tc.name, whole, tc.whole)
		}
		before := k.wholeAt(15) != nil
		for i := range k.more.findings {
			before = before || k.openAt(&k.more.findings[i], 15)
		}
		if before != tc.wasBefore {
			t.Errorf("%s: before the reviews it waits %t", tc.name, before)
		}
		if k.wholeAt(10) != nil || len(k.more.findings) > 0 && k.openAt(&k.more.findings[0], 10) {
			t.Errorf("%s: it waits before it was", tc.name)
		}
	}
}
