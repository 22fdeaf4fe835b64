package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// EntrySize is the size of an entry in bytes. They are random, so that no
// system gains by compression.
const EntrySize = 1024

// entrySource returns fresh entries: a worker's own, not for two goroutines.
func entrySource() func() []byte {
	var seed [32]byte
	rand.Read(seed[:]) // never fails, see crypto/rand
	src := mathrand.NewChaCha8(seed)
	return func() []byte {
		e := make([]byte, EntrySize)
		src.Read(e) // never fails, see its documentation
		return e
	}
}

// load is a closed loop: each submitter has one entry on its way at a time.
// What ends within the measured window counts, whenever it began after the
// start of the window's warm-up; what is on its way at the end is awaited and
// does not count.
type load struct {
	submitters     int
	warm, measured time.Duration

	total atomic.Int64 // acknowledged, in and out of the window

	// Set when run returns.
	took    []time.Duration // sorted
	seconds float64
}

func newLoad(submitters int, warm, measured time.Duration) *load {
	return &load{submitters: submitters, warm: warm, measured: measured}
}

func (l *load) acknowledged() int64 { return l.total.Load() }

func (l *load) run(ctx context.Context, worker func() func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	submit := make([]func(context.Context) error, l.submitters)
	for i := range submit {
		submit[i] = worker()
	}
	took := make([][]time.Duration, l.submitters)
	begin := time.Now().Add(l.warm)
	end := begin.Add(l.measured)
	var once sync.Once
	spent := end // when the entries were used up, if before the end
	var wg sync.WaitGroup
	for i := range submit {
		wg.Go(func() {
			for {
				start := time.Now()
				if start.After(end) {
					return
				}
				if err := submit[i](ctx); errors.Is(err, errSpent) {
					once.Do(func() { spent = start })
					return
				} else if err != nil {
					cancel(fmt.Errorf("submitter %d: %w", i, err))
					return
				}
				l.total.Add(1)
				if now := time.Now(); now.After(begin) && now.Before(end) {
					took[i] = append(took[i], now.Sub(start))
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	l.took = slices.Concat(took...)
	slices.Sort(l.took)
	if spent.Before(begin) {
		return errors.New("the entries made beforehand did not last through the warm-up: this is a fault of the benchmark, raise the supply in onus.go")
	}
	if spent.Before(end) {
		end = spent
	}
	l.seconds = end.Sub(begin).Seconds()
	if len(l.took) == 0 {
		return errors.New("no entry was acknowledged within the measured window: measure longer with -seconds")
	}
	return nil
}

func (l *load) outcome() *outcome {
	ms := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	n := len(l.took)
	return &outcome{
		Entries: int64(n), Seconds: l.seconds, Rate: float64(n) / l.seconds,
		P50: ms(l.took[n/2]), P99: ms(l.took[n*99/100]), Max: ms(l.took[n-1]),
	}
}
