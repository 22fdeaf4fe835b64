package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
)

type proofsAsk struct {
	logAsk
	Cold     int           `json:"cold"` // how many are asked for just after Open
	Measured time.Duration `json:"measured_ns"`
}

// proofFigures are the times of random receipts, one at a time, each built and
// verified by the ledger. Cold are the first after it was opened: its caches are
// empty, the operating system's are not.
type proofFigures struct {
	Size int64 `json:"size"`
	// Milliseconds of Open after a clean stop.
	Open float64 `json:"open_ms"`
	Cold latency `json:"cold"`
	Warm latency `json:"warm"`
}

// latency is in microseconds.
type latency struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
}

func latencyOf(took []time.Duration) latency {
	if len(took) == 0 {
		return latency{}
	}
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return latency{len(took), us(took[len(took)/2]), us(took[len(took)*99/100])}
}

func proofs(ctx context.Context, a proofsAsk) (p *proofFigures, err error) {
	o, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	p = &proofFigures{Size: o.ledger.Size(), Open: milliseconds(o.opening)}
	r := newRandom()
	one := func() (time.Duration, error) {
		start := time.Now()
		_, err := o.ledger.Receipt(r.Int64N(p.Size))
		return time.Since(start), err
	}
	// The first half of the time warms up.
	var cold, warm []time.Duration
	begin := time.Now()
	for {
		took, err := one()
		if err != nil {
			return nil, err
		}
		if len(cold) < a.Cold {
			cold = append(cold, took)
			begin = time.Now()
			continue
		}
		if since := time.Since(begin); since > 2*a.Measured {
			break
		} else if since > a.Measured {
			warm = append(warm, took)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	p.Cold, p.Warm = latencyOf(cold), latencyOf(warm)
	return p, nil
}

// verified is how fast a whole log was verified, with all cores.
type verified struct {
	Entries int64   `json:"entries"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"entries_per_second"`
}

func newVerified(entries, bytes int64, took time.Duration) *verified {
	return &verified{entries, bytes, took.Seconds(), float64(entries) / took.Seconds()}
}

// hashes reads every entry out of the ledger's tiles, hashes it, and builds the
// root that the log signed: nothing was changed, dropped or put in between. Who
// signed what is not looked at.
func hashes(ctx context.Context, a logAsk) (v *verified, err error) {
	o, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	start := time.Now()
	cp, err := o.key.Open(o.ledger.Checkpoint())
	if err != nil {
		return nil, err
	}
	// A subtree of a full tile stands in the tree as a leaf does in one that is
	// 256 times smaller; what is left over is the right edge.
	roots := make([]tree.Hash, (cp.Size+tree.TileWidth-1)/tree.TileWidth)
	var next, bytes atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for errs[w] == nil {
				n := next.Add(1) - 1
				if n >= int64(len(roots)) {
					return
				}
				var size int64
				roots[n], size, errs[w] = tileRoot(o, n, int(min(tree.TileWidth, cp.Size-n*tree.TileWidth)))
				bytes.Add(size)
				if ctx.Err() != nil {
					errs[w] = ctx.Err()
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	whole := tree.NewFrontier()
	for _, r := range roots {
		whole.Append(r, nil)
	}
	if whole.Root() != cp.Root {
		return nil, fmt.Errorf("the entries make the root %v, and the log signed %v", whole.Root(), cp.Root)
	}
	return newVerified(cp.Size, bytes.Load(), time.Since(start)), nil
}

// tileRoot hashes the entries of a tile, and returns the root over them and
// their bytes.
func tileRoot(o *onusLog, n int64, width int) (root tree.Hash, bytes int64, err error) {
	raw, err := o.ledger.EntryTile(n, width)
	if err != nil {
		return root, 0, err
	}
	entries, err := tiles.ParseEntries(raw, width)
	if err != nil {
		return root, 0, fmt.Errorf("tile %d of entries: %w", n, err)
	}
	f := tree.NewFrontier()
	for _, e := range entries {
		f.Append(tree.LeafHash(e), nil)
		bytes += int64(len(e))
	}
	return f.Root(), bytes, nil
}

// auditWhole does all that an auditor's tool does with a log, but for judging
// its chains: hashes, signatures, bindings, stamps, grants and what was used.
func auditWhole(ctx context.Context, a logAsk) (v *verified, err error) {
	o, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	start := time.Now()
	cp, err := o.key.Open(o.ledger.Checkpoint())
	if err != nil {
		return nil, err
	}
	audit, bytes := verifier.NewAudit(), int64(0)
	var said progress
	if err := o.eachChunk(ctx, cp.Size, func(entries [][]byte) {
		audit.Add(entries)
		for _, e := range entries {
			bytes += int64(len(e))
		}
		said.say("audit, %s: %s of %s entries", a.Shape, thousands(float64(audit.Report().Entries)), thousands(float64(cp.Size)))
	}); err != nil {
		return nil, err
	}
	if err := audit.Matches(cp, o.key); err != nil {
		return nil, err
	}
	if rep := audit.Report(); rep.FaultCount != 0 {
		return nil, fmt.Errorf("the audit finds %d faults, first: %v", rep.FaultCount, rep.Faults[0])
	}
	return newVerified(cp.Size, bytes, time.Since(start)), nil
}
