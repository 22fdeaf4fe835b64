package verifier_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/onus-ledger/onus/verifier"
)

// Judged as they come, in chunks of several sizes, every chain of each scenario is
// judged; all at once, they are judged as by Judge; and nothing new judges nothing.
func TestJudgeSince(t *testing.T) {
	for _, name := range []string{"S1", "S2", "S3-b", "S4", "S5"} {
		b := scenarioBundle(t, name)
		for _, chunk := range []int{1, 2, 5, len(b.Leaves)} {
			a := verifier.NewAudit()
			a.KeepChains()
			latest := map[int64][]byte{}
			judge := func(from int64) {
				t.Helper()
				if err := a.JudgeSince(from, func(c verifier.ChainJudgement) {
					latest[c.Index] = c.Judgement.VerdictJSON()
				}); err != nil {
					t.Fatal(err)
				}
			}
			for part := range slices.Chunk(b.Leaves, chunk) {
				from := a.Report().Entries
				for _, l := range part {
					a.Add([][]byte{l.Raw})
				}
				judge(from)
			}
			all := map[int64][]byte{}
			if err := a.JudgeSince(0, func(c verifier.ChainJudgement) { all[c.Index] = c.Judgement.VerdictJSON() }); err != nil {
				t.Fatal(err)
			}
			whole, err := a.Judge()
			if err != nil {
				t.Fatal(err)
			}
			if whole.Chains != len(all) {
				t.Errorf("%s: %d chains, and %d judged since 0", name, whole.Chains, len(all))
			}
			for _, w := range whole.Worst {
				if !bytes.Equal(all[w.Index], w.Judgement.VerdictJSON()) {
					t.Errorf("%s: the chain of entry %d is judged otherwise", name, w.Index)
				}
			}
			for _, i := range slices.Sorted(maps.Keys(all)) {
				if latest[i] == nil {
					t.Errorf("%s in chunks of %d: the chain of entry %d was not judged as it came", name, chunk, i)
				}
			}
			nothing := 0
			if err := a.JudgeSince(a.Report().Entries, func(verifier.ChainJudgement) { nothing++ }); err != nil || nothing > 0 {
				t.Errorf("%s: %d chains judged again for nothing (%v)", name, nothing, err)
			}
		}
	}
	if err := verifier.NewAudit().JudgeSince(0, func(verifier.ChainJudgement) {}); err == nil {
		t.Error("an audit that keeps no chains judges them")
	}
}
