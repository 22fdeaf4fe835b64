package evidence_test

import (
	"bytes"
	"fmt"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

// chainLog has a registry of 20 entries, then that many actions, each of which
// is followed by gap actions of no interest.
func chainLog(t testing.TB, records, gap int) (*testLog, []int64) {
	l := newLog(t)
	for i := 4; i < 20; i++ {
		l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
			Id: fmt.Sprintf("spiffe://example.com/agent-%d", i), Operator: platform, DisplayName: fmt.Sprintf("Agent %d", i)}}})
	}
	var chain []int64
	for range records {
		chain = append(chain, l.action())
		for range gap {
			l.action()
		}
	}
	return l, chain
}

// The size of a typical file is part of what this format promises: see
// docs/evidence.md.
func TestSizeOfATypicalBundle(t *testing.T) {
	l, chain := chainLog(t, 10, 20)
	b := l.bundle(chain...)
	file := write(t, b)
	wantFaults(t, "a typical bundle", verify(t, read(t, file), l.trust()))
	raw := 0
	for _, leaf := range b.Leaves {
		raw += len(leaf.Raw)
	}
	singles := 0
	for _, leaf := range b.Leaves {
		p, err := tree.ProveInclusion(leaf.Index, int64(len(l.entries)), l.node)
		if err != nil {
			t.Fatal(err)
		}
		singles += len(p)
	}
	t.Logf("%d bytes: %d of entries, %d of proof (%d hashes; one by one %d), %d of the rest",
		len(file), raw, len(b.Proof)*tree.HashSize, len(b.Proof), singles, len(file)-raw-len(b.Proof)*tree.HashSize)
	if len(b.Leaves) != 30 || len(file) > 14<<10 {
		t.Errorf("10 records with a registry of 20 entries take %d bytes, want at most 14 KiB", len(file))
	}
	if 3*len(b.Proof) > singles {
		t.Errorf("the proof has %d hashes, one by one they are %d", len(b.Proof), singles)
	}
	// A reference saves the registry.
	count, root := l.reg.Stamp(chain[len(chain)-1])
	if small := write(t, l.refer(count, root, chain...)); 2*len(small) > len(file) {
		t.Errorf("with a reference it takes %d bytes, without %d", len(small), len(file))
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, chain := chainLog(b, n, 1)
			file := write(b, l.bundle(chain...))
			b.ReportMetric(float64(len(file)), "bytes/file")
			for b.Loop() {
				got, err := evidence.Read(bytes.NewReader(file), evidence.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if res, err := got.Verify(l.trust()); err != nil || res.Err() != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
