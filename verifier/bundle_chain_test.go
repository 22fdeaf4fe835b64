package verifier_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// The chain of one record out of a bundle is judged as the bundle is, from
// whichever of its records it is asked for.
func TestChainOfBundle(t *testing.T) {
	folder := filepath.Join("chain", "testdata", "bundles")
	text, err := os.ReadFile(filepath.Join(folder, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := tree.ParseLogKey(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.onus"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no bundles: %v", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := evidence.Read(bytes.NewReader(raw), evidence.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		rep, err := verifier.CheckBundle(b, verifier.Trust{LogKey: key})
		if err != nil {
			t.Fatal(err)
		}
		built, j := rep.Chain(b.Scope.Asked[0])
		if built == nil || !bytes.Equal(j.VerdictJSON(), rep.VerdictJSON()) {
			t.Errorf("%s: the chain is judged otherwise than the bundle", name)
			continue
		}
		members := map[int64]bool{}
		for _, n := range built.Nodes {
			members[n.Index] = true
			if n.Parent == nil {
				continue // reached by a cause alone, it may be the root of its own
			}
			if again, k := rep.Chain(n.Record.ID); len(again.Nodes) != len(built.Nodes) || !bytes.Equal(k.VerdictJSON(), j.VerdictJSON()) {
				t.Errorf("%s: from entry %d it is another chain", name, n.Index)
			}
		}
		beside := 0
		for _, l := range rep.Evidence.Leaves {
			if members[l.Index] {
				continue
			}
			if c, _ := rep.Chain(l.ID); c != nil {
				t.Errorf("%s: entry %d is shown beside the chain, and judged", name, l.Index)
			}
			beside++
		}
		if beside+len(members) != len(rep.Evidence.Leaves) {
			t.Errorf("%s: %d members and %d beside are not all", name, len(members), beside)
		}
		if none, _ := rep.Chain(record.ID{1}); none != nil {
			t.Errorf("%s: a chain of no record", name)
		}
	}
}
