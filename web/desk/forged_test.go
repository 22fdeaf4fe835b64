package desk

import (
	"bytes"
	"path/filepath"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// A log that was tampered with holds a review that its reviewer never signed: it
// closes no matter, and is told of. The same review, signed, does.
func TestForgedReviewClosesNothing(t *testing.T) {
	for _, forged := range []bool{true, false} {
		w := newWorld(t)
		act := w.log(byAgent("planner", "1"), does("prices:read", ""))
		w.log(boss, reviews(act, "", onusv1.Disposition_DISPOSITION_EXPLAINED))
		if e := &w.entries[len(w.entries)-1]; forged {
			r := *e.Record
			r.Envelope.Signature = bytes.Clone(r.Envelope.Signature)
			r.Envelope.Signature[0] ^= 1
			e.Record = &r
		}
		dir := filepath.Join(t.TempDir(), "desk")
		d, stop := running(t, dir, w)
		caughtUp(t, d)
		told := func(when string) {
			t.Helper()
			want := map[bool]int{true: 1}[forged]
			o := d.Overview(Period{})
			if o.Forged != want || len(o.ForgedAt) != want || o.Damage != 0 || want == 1 && (o.ForgedAt[0].Index != w.Size()-1 || o.ForgedAt[0].Reason == "") {
				t.Errorf("%s, forged %v: the overview tells of %d: %v", when, forged, o.Forged, o.ForgedAt)
			}
		}
		told("at once")
		if c := mustCase(t, d, act); (c.Review == nil) != forged {
			t.Errorf("forged %v: the case stands as %+v", forged, c.Review)
		}
		stop()
		d, _ = running(t, dir, w)
		caughtUp(t, d)
		told("opened again")
	}
}
