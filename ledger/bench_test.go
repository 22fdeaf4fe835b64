//go:build unix

package ledger

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
)

// cpuTime returns the processor time that this process has used: it tells two
// versions apart also where the machine does other work.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// aKilobyte makes a record whose entry has about 1,024 bytes: a decision with
// commitments, which are hashes, so that nothing in it compresses well.
func aKilobyte(i int, m *onusv1.Record) {
	text := func() *onusv1.Text {
		return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: random(record.CommitmentSize)}}
	}
	d := &onusv1.Decision{Text: text()}
	for range 14 {
		d.Alternatives = append(d.Alternatives, text())
	}
	m.GetStages().Decision = d
	m.GetStages().GetAction().Element = &onusv1.ScopeElement{Type: "k8s.pod", Action: "get", Location: "https://k8s.example.com/shop", Identifier: fmt.Sprintf("web-%d", i)}
}

// BenchmarkSubmit measures signed records that each wait for their own
// durable receipt, on the disk, with a sync for each batch.
func BenchmarkSubmit(b *testing.B) {
	for _, submitters := range []int{1, 64, 512, 4096} {
		b.Run(fmt.Sprintf("submitters=%d", submitters), func(b *testing.B) {
			dir := b.TempDir()
			h := newHarness(b, vfs.Default, func(c *Config) { c.Dir = dir })
			subs := h.envelopes(b.N, aKilobyte)
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var wg sync.WaitGroup
			used := cpuTime(b)
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
			b.ReportMetric(float64((cpuTime(b)-used).Microseconds())/float64(b.N), "cpu-µs/record")
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			h.close()
		})
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	crand.Read(b)
	return b
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
