package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier"
)

// BenchmarkSubmit measures signed records that each wait for their own
// durable receipt, on the disk, with a sync for each batch.
func BenchmarkSubmit(b *testing.B) {
	for _, submitters := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("submitters=%d", submitters), func(b *testing.B) {
			dir := b.TempDir()
			h := newHarness(b, vfs.Default, func(c *Config) { c.Dir = dir })
			subs := h.envelopes(b.N, nil)
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range submitters {
				wg.Go(func() {
					for {
						i := next.Add(1) - 1
						if i >= int64(b.N) {
							return
						}
						start := time.Now()
						if _, err := h.ledger.Submit(context.Background(), subs[i]); err != nil {
							b.Errorf("Submit: %v", err)
							return
						}
						took[i] = time.Since(start)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			h.close()
		})
	}
}

// hundredThousand is a log of 100,000 entries, made once.
var hundredThousand = sync.OnceValue(func() *harness {
	h := newHarness(childT{}, vfs.NewMem(), nil)
	h.grow(100_000)
	return h
})

func BenchmarkReceipt(b *testing.B) {
	h := hundredThousand()
	size := h.ledger.Size()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.ledger.Receipt(rand.Int64N(size)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkAudit measures the auditor's check of a whole log, an operation
// being the log's 100,000 entries.
func BenchmarkAudit(b *testing.B) {
	h := hundredThousand()
	b.ResetTimer()
	for range b.N {
		a := verifier.NewAudit()
		if err := h.ledger.Follow(context.Background(), 0, h.ledger.Size(), func(_ int64, entries [][]byte) error {
			a.Add(entries)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		if n := a.Report().FaultCount; n != 0 {
			b.Fatalf("%d faults", n)
		}
	}
	b.ReportMetric(float64(h.ledger.Size())*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
