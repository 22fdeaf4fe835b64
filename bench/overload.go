package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onus-ledger/onus/ledger"
)

// overloadOptions are the command line of an overload run.
type overloadOptions struct {
	common
	submitters int
	times      float64
}

func overloadMain(ctx context.Context, args []string) error {
	var o overloadOptions
	f := flag.NewFlagSet("bench overload", flag.ContinueOnError)
	o.flags(f, 5, 2, 3)
	f.IntVar(&o.submitters, "submitters", 512, "concurrent submitters of the closed load before")
	f.Float64Var(&o.times, "times", 10, "arrivals of the open load, as a multiple of the rate that the closed one had")
	if err := o.common.parse(f, args); err != nil {
		return err
	}
	if o.submitters < 1 || o.submitters > 4096 || o.times < 0.1 || o.times > 100 {
		return errors.New("-submitters is from 1 to 4096, -times from 0.1 to 100")
	}
	m, err := thisMachine(o.dir)
	if err != nil {
		return err
	}
	warm, measured := o.window()
	res := &overloadResults{Machine: *m, Rounds: o.rounds}
	base := o.base("overload", m)
	each := 2*(warm+measured) + 3*time.Second + 2*signingTime(supplyOf(cell{Submitters: o.submitters, Warm: warm, Measured: measured})+maxArrivals)
	fmt.Fprintf(os.Stderr, "bench: %s, about %v\n", count(o.rounds, "round"), (time.Duration(o.rounds) * each).Round(time.Minute/2))
	for round := range o.rounds {
		ask := overloadAsk{Dir: o.dir, Submitters: o.submitters, Times: o.times, Warm: warm, Measured: measured}
		got, err := spawn[overloadFigures](ctx, "overload", ask, 2*(warm+measured)+10*time.Minute)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "bench: round %d: %s/s with %d submitters, %s/s of %s arrivals/s\n", round+1,
			thousands(got.Closed.Rate), o.submitters, thousands(got.Admitted.Rate), thousands(got.Arrivals))
		res.Figures = append(res.Figures, *got)
		if err := writeResults(base, res, res.markdown(), ""); err != nil {
			return err
		}
	}
	os.Stdout.WriteString(res.markdown())
	fmt.Fprintf(os.Stderr, "bench: wrote %s.md and .json\n", base)
	return nil
}

type overloadAsk struct {
	Dir        string        `json:"dir"`
	Submitters int           `json:"submitters"`
	Times      float64       `json:"times"`
	Warm       time.Duration `json:"warm_ns"`
	Measured   time.Duration `json:"measured_ns"`
}

// overloadFigures are those of a closed load, and of an open one just after it
// in the same process.
type overloadFigures struct {
	Submitters int     `json:"submitters"`
	Times      float64 `json:"times"`
	Closed     outcome `json:"closed"`
	Admitted   outcome `json:"admitted"`
	// Arrivals a second that were tried, and those that the load could not try,
	// since all its goroutines waited.
	Arrivals float64 `json:"arrivals_per_second"`
	NotTried float64 `json:"not_tried_per_second"`
	// Refused are the answers with a BusyError, in Seconds.
	Refused latency `json:"refused"`
	Seconds float64 `json:"seconds"`
	// Late is how long after its time an attempt began: how long the load's own
	// goroutines waited for a processor.
	Late latency `json:"late"`
	// Others is the share of all processors that went elsewhere in both loads.
	Others float64 `json:"others_share"`
}

// overload measures what a ledger does when ten times as much arrives as it can
// take. Arrivals come by the clock, whatever becomes of those before.
func overload(ctx context.Context, a overloadAsk) (res *overloadFigures, err error) {
	dir, err := os.MkdirTemp(a.Dir, "overload-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o, err := createOnusLog(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	before := o.ledger.Size()

	// The window that counts ends before the records do.
	all := (a.Warm + a.Measured).Seconds()
	subs, err := signAll(ctx, plain{o}, supplyOf(cell{Submitters: a.Submitters, Warm: a.Warm, Measured: a.Measured}))
	if err != nil {
		return nil, err
	}
	var next atomic.Int64
	used, began, machine := cpuTime(), time.Now(), machineTime()
	closed := newLoad(a.Submitters, a.Warm, a.Measured)
	if err := closed.run(ctx, func() func(context.Context) error {
		return func(ctx context.Context) error {
			i := next.Add(1) - 1
			if i >= int64(len(subs)) {
				return errSpent
			}
			_, err := o.ledger.Submit(ctx, subs[i])
			return err
		}
	}); err != nil {
		return nil, err
	}
	res = &overloadFigures{Submitters: a.Submitters, Times: a.Times, Closed: *closed.outcome()}

	if subs, err = signAll(ctx, plain{o}, int(1.5*res.Closed.Rate*all)+maxArrivals); err != nil {
		return nil, err
	}
	open := newArrivals(o.ledger, subs, a.Times*res.Closed.Rate, a.Warm, a.Measured)
	if err := open.run(ctx); err != nil {
		return nil, err
	}
	if got, want := o.ledger.Size()-before, closed.acknowledged()+open.admitted.Load(); got != want {
		return nil, fmt.Errorf("the log grew by %d entries, and %d were acknowledged", got, want)
	}
	open.figures(res)
	res.Others = max(0, (machineTime()-machine-cpuTime()+used).Seconds()/(time.Since(began).Seconds()*float64(runtime.NumCPU())))
	return res, nil
}

// maxArrivals is how many attempts are under way at most: more than a ledger's
// queue holds with the batch that is being committed, so that it is the ledger
// which refuses. As many goroutines are there from the beginning, so that none
// has its stack to grow.
const maxArrivals = 20_000

// arrivals is an open load. Each arrival is one attempt, in a goroutine that has
// nothing else to do then; a record that is refused is there for a later one.
type arrivals struct {
	ledger         *ledger.Ledger
	rate           float64
	warm, measured time.Duration
	records        chan ledger.Submission
	// due has a place for who waits for an arrival, and no other: what is due
	// when all are at work is not tried.
	due      chan time.Time
	admitted atomic.Int64

	mu                            sync.Mutex // of what follows
	tookAdmitted, tookRefus, late []time.Duration
	tried, notTried               int64 // within the window
	err                           error
}

func newArrivals(l *ledger.Ledger, subs []ledger.Submission, rate float64, warm, measured time.Duration) *arrivals {
	a := &arrivals{ledger: l, rate: rate, warm: warm, measured: measured,
		records: make(chan ledger.Submission, len(subs)), due: make(chan time.Time)}
	for _, s := range subs {
		a.records <- s
	}
	return a
}

func (a *arrivals) run(ctx context.Context) error {
	var wg sync.WaitGroup
	start := time.Now()
	begin, end := start.Add(a.warm), start.Add(a.warm+a.measured)
	for range maxArrivals {
		wg.Go(func() {
			for due := range a.due {
				a.attempt(ctx, due, begin, end)
			}
		})
	}
	for made := 0; ; {
		now := time.Now()
		if now.After(end) || ctx.Err() != nil {
			break
		}
		for until := int(now.Sub(start).Seconds() * a.rate); made < until; made++ {
			due := start.Add(time.Duration(float64(made) / a.rate * 1e9))
			tried := true
			select {
			case a.due <- due:
			default:
				tried = false
			}
			switch {
			case now.Before(begin):
			case tried:
				a.tried++ // of this goroutine until the others have ended
			default:
				a.notTried++
			}
		}
		time.Sleep(500 * time.Microsecond)
	}
	close(a.due)
	wg.Wait()
	if a.err != nil {
		return a.err
	}
	return ctx.Err()
}

// attempt submits one record once. What ends within the window counts, as in a
// closed load.
func (a *arrivals) attempt(ctx context.Context, due, begin, end time.Time) {
	var sub ledger.Submission
	select {
	case sub = <-a.records:
	default:
		a.fail(errors.New("the records made beforehand did not last: this is a fault of the benchmark, raise the supply in overload.go"))
		return
	}
	start := time.Now()
	_, err := a.ledger.Submit(ctx, sub)
	now := time.Now()
	var busy *ledger.BusyError
	refused := errors.As(err, &busy)
	switch {
	case refused:
		a.records <- sub
	case err != nil:
		a.fail(err)
		return
	default:
		a.admitted.Add(1)
	}
	if !now.After(begin) || !now.Before(end) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.late = append(a.late, start.Sub(due))
	if refused {
		a.tookRefus = append(a.tookRefus, now.Sub(start))
	} else {
		a.tookAdmitted = append(a.tookAdmitted, now.Sub(start))
	}
}

func (a *arrivals) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
}

func (a *arrivals) figures(f *overloadFigures) {
	seconds := a.measured.Seconds()
	f.Seconds = seconds
	f.Arrivals, f.NotTried = float64(a.tried)/seconds, float64(a.notTried)/seconds
	f.Refused, f.Late = latencyOf(a.tookRefus), latencyOf(a.late)
	if l := latencyOf(a.tookAdmitted); l.Count > 0 {
		f.Admitted = outcome{Entries: int64(l.Count), Seconds: seconds, Rate: float64(l.Count) / seconds,
			P50: l.P50 / 1e3, P99: l.P99 / 1e3, Max: milliseconds(a.tookAdmitted[l.Count-1])}
	}
}

// overloadResults is one overload run.
type overloadResults struct {
	Machine machine           `json:"machine"`
	Rounds  int               `json:"rounds"`
	Figures []overloadFigures `json:"figures"`
}

func (r *overloadResults) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Onus when too much arrives, %s\n\n%s", r.Machine.when(), r.Machine.where())
	f := r.Figures[0]
	fmt.Fprintf(&b, "\nIn one process: %d submitters in a closed loop, then arrivals by the clock, %g times as many as those had logged. Each arrival is one attempt. "+
		"Load and ledger share the cores. One line is one round.\n\n", f.Submitters, f.Times)
	fmt.Fprintf(&b, "| %d submitters, records/s | p50 ms | p99 ms | arrivals/s | admitted/s | of the closed load | p50 ms | p99 ms | over its p99 | refused/s | p50 µs | p99 µs | late by, p50 ms | p99 ms | not tried/s | others' CPU |\n|%s\n",
		f.Submitters, strings.Repeat("---:|", 16))
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.0f %% | %s | %s | %.1f× | %s | %s | %s | %s | %s | %s | %.0f %% |\n",
			thousands(f.Closed.Rate), digits(f.Closed.P50), digits(f.Closed.P99), thousands(f.Arrivals), thousands(f.Admitted.Rate),
			100*f.Admitted.Rate/f.Closed.Rate, digits(f.Admitted.P50), digits(f.Admitted.P99), f.Admitted.P99/f.Closed.P99,
			thousands(float64(f.Refused.Count)/f.Seconds), digits(f.Refused.P50), digits(f.Refused.P99),
			digits(f.Late.P50/1e3), digits(f.Late.P99/1e3), thousands(f.NotTried), 100*f.Others)
	}
	b.WriteString("\nRefused: the ledger answered that its queue is full, and after what time to try again. The times are those of the call. Late: how long after its time the attempt began, since the load's own goroutines wait for a processor too. " +
		"Not tried: arrivals that found all of these at work; where there are many, more arrived than anybody asked the ledger about.\n")
	return b.String()
}
