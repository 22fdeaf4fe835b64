package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// peersOptions are the command line of the matrix.
type peersOptions struct {
	common
	submitters []int
	systems    []string
}

func peersMain(ctx context.Context, args []string) error {
	var o peersOptions
	f := flag.NewFlagSet("bench peers", flag.ContinueOnError)
	o.flags(f, 4, 1, 3)
	columns := f.String("submitters", "1,64,512,4096", "numbers of concurrent submitters, with commas")
	which := f.String("systems", "", "systems by name, with commas; empty means all: "+strings.Join(names(), ","))
	if err := o.common.parse(f, args); err != nil {
		return err
	}
	if err := o.parseMatrix(*columns, *which); err != nil {
		return err
	}
	return o.matrix(ctx)
}

func names() []string {
	var out []string
	for _, s := range systems {
		out = append(out, s.name)
	}
	return out
}

func (o *peersOptions) parseMatrix(columns, which string) error {
	ns, err := numbers("submitters", columns, 1, 16384)
	if err != nil {
		return err
	}
	for _, n := range ns {
		o.submitters = append(o.submitters, int(n))
	}
	o.systems = names()
	if which != "" {
		o.systems = strings.Split(which, ",")
	}
	for _, name := range o.systems {
		if systemNamed(name) == nil {
			return fmt.Errorf("-systems: there is no %q, only %s", name, strings.Join(names(), ", "))
		}
	}
	return nil
}

// matrix runs all cells, one process each, and writes the results after each
// round.
func (o *peersOptions) matrix(ctx context.Context) error {
	m, err := thisMachine(o.dir)
	if err != nil {
		return err
	}
	res := &results{Machine: *m, Rounds: o.rounds, Seconds: o.seconds, Warm: o.warm, EntrySize: EntrySize,
		Submitters: o.submitters, Systems: o.systems, Missing: map[string]string{}}
	for _, name := range o.systems {
		if s := systemNamed(name); s.missing != nil && s.missing() != "" {
			res.Missing[name] = s.missing()
			fmt.Fprintf(os.Stderr, "bench: %s: %s\n", s.title, res.Missing[name])
		}
	}
	fmt.Fprintf(os.Stderr, "bench: %s, about %v\n", count(o.cells(res), "cell"), o.estimate(res).Round(time.Minute/2))
	base := o.base("peers", m)
	began := time.Now()
	for round := range o.rounds {
		for _, n := range o.submitters {
			for i := range o.systems {
				// Each round begins with another system, so that none always
				// comes after the same one.
				name := o.systems[(i+round)%len(o.systems)]
				if res.Missing[name] != "" {
					continue
				}
				warm, measured := o.window()
				out, err := o.spawn(ctx, cell{System: name, Submitters: n, Round: round + 1,
					Warm: warm, Measured: measured, Expect: res.fastest(name, n), Dir: o.dir})
				if err != nil {
					return err
				}
				fmt.Fprintln(os.Stderr, "bench:", out)
				res.Cells = append(res.Cells, *out)
			}
		}
		res.Took = time.Since(began).Seconds()
		if err := res.write(base); err != nil {
			return err
		}
	}
	os.Stdout.WriteString(res.markdown())
	fmt.Fprintf(os.Stderr, "bench: wrote %s.md, .svg and .json, after %v\n", base, time.Since(began).Round(time.Second))
	if n := res.failed(); n > 0 {
		return fmt.Errorf("%d cells ended with an error: see the table", n)
	}
	return nil
}

// cells is how many will be run.
func (o *peersOptions) cells(res *results) int {
	return o.rounds * len(o.submitters) * (len(o.systems) - len(res.Missing))
}

// estimate is how long the matrix will take: the load, what Onus's records take
// to sign, and for each cell about two seconds to begin, to end and to be
// checked.
func (o *peersOptions) estimate(res *results) time.Duration {
	warm, measured := o.window()
	d := time.Duration(o.cells(res)) * (warm + measured + 2*time.Second)
	for _, name := range o.systems {
		if !strings.HasPrefix(name, "onus") {
			continue
		}
		for _, n := range o.submitters {
			records := supplyOf(cell{Submitters: n, Warm: warm, Measured: measured})
			d += time.Duration(o.rounds) * signingTime(records)
		}
	}
	return d
}

// fastest is the highest rate that a system had with that many submitters, 0 if
// it has not run yet.
func (r *results) fastest(system string, submitters int) float64 {
	rounds, _ := r.of(system, submitters)
	if len(rounds) == 0 {
		return 0
	}
	return spreadOf(rounds, rate).max
}

// spawn runs a cell in a process of its own. A system's failure is an outcome;
// an error is ours.
func (o *peersOptions) spawn(ctx context.Context, c cell) (*outcome, error) {
	out, err := spawn[outcome](ctx, "cell", c, c.Warm+c.Measured+3*time.Minute)
	var failed *stepError
	if errors.As(err, &failed) {
		return &outcome{cell: c, Error: failed.text}, nil
	}
	return out, err
}

func runCell(ctx context.Context, c cell) (*outcome, error) { return c.run(ctx) }

func (o *outcome) String() string {
	s := fmt.Sprintf("round %d, %4d submitters, %-16s", o.Round, o.Submitters, o.System)
	if o.Error != "" {
		return s + " " + o.Error
	}
	return s + fmt.Sprintf(" %9.0f/s  p50 %8.2f ms  p99 %8.2f ms", o.Rate, o.P50, o.P99)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
