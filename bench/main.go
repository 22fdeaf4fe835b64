package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := mainErr(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	submitters []int
	systems    []string
	rounds     int
	seconds    float64
	warm       float64
	dir, out   string
}

func mainErr(ctx context.Context) error {
	var o options
	columns := flag.String("submitters", "1,64,512,4096", "numbers of concurrent submitters, with commas")
	which := flag.String("systems", "", "systems by name, with commas; empty means all: "+strings.Join(names(), ","))
	flag.IntVar(&o.rounds, "rounds", 3, "how often the whole matrix runs, 3 at least for figures that are shown to others")
	flag.Float64Var(&o.seconds, "seconds", 4, "measured `seconds` of each cell")
	flag.Float64Var(&o.warm, "warm", 1, "`seconds` of load before the measured window")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "`directory` for the systems' data, on the disk that is meant")
	flag.StringVar(&o.out, "out", "results", "`directory` for the results")
	one := flag.String("cell", "", "for the program's own use: run the cell in this JSON and print its outcome")
	flag.Parse()
	if flag.NArg() != 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if *one != "" {
		return runHere(ctx, *one, o.dir)
	}
	if err := o.parse(*columns, *which); err != nil {
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

func (o *options) parse(columns, which string) error {
	for s := range strings.SplitSeq(columns, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 16384 {
			return fmt.Errorf("-submitters: %q is no number from 1 to 16384", s)
		}
		o.submitters = append(o.submitters, n)
	}
	slices.Sort(o.submitters)
	o.submitters = slices.Compact(o.submitters)
	o.systems = names()
	if which != "" {
		o.systems = strings.Split(which, ",")
	}
	for _, name := range o.systems {
		if systemNamed(name) == nil {
			return fmt.Errorf("-systems: there is no %q, only %s", name, strings.Join(names(), ", "))
		}
	}
	if o.rounds < 1 || o.rounds > 100 {
		return fmt.Errorf("-rounds: %d is not from 1 to 100", o.rounds)
	}
	// A record's claimed time may be two minutes old at most, and records are
	// signed before the clock starts.
	if o.seconds < 0.1 || o.warm < 0 || o.seconds+o.warm > 60 {
		return errors.New("-seconds and -warm: measure 0.1 s at least, and 60 s with the warm-up at most")
	}
	return onDisk(o.dir)
}

// matrix runs all cells, one process each, and writes the results after each
// round.
func (o *options) matrix(ctx context.Context) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
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
	base := filepath.Join(o.out, m.Date.Format("2006-01-02T150405Z"))
	for round := range o.rounds {
		for _, n := range o.submitters {
			for i := range o.systems {
				// Each round begins with another system, so that none always
				// comes after the same one.
				name := o.systems[(i+round)%len(o.systems)]
				if res.Missing[name] != "" {
					continue
				}
				out, err := o.spawn(ctx, cell{System: name, Submitters: n, Round: round + 1,
					Warm: time.Duration(o.warm * 1e9), Measured: time.Duration(o.seconds * 1e9)})
				if err != nil {
					return err
				}
				fmt.Fprintln(os.Stderr, "bench:", out)
				res.Cells = append(res.Cells, *out)
			}
		}
		if err := res.write(base); err != nil {
			return err
		}
	}
	os.Stdout.WriteString(res.markdown())
	fmt.Fprintf(os.Stderr, "bench: wrote %s.md, .svg and .json\n", base)
	if n := res.failed(); n > 0 {
		return fmt.Errorf("%d cells ended with an error: see the table", n)
	}
	return nil
}

// spawn runs a cell in a process of its own. A system's failure is an outcome;
// an error is ours.
func (o *options) spawn(ctx context.Context, c cell) (*outcome, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	said, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	limit := c.Warm + c.Measured + 3*time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-dir", o.dir, "-cell", string(said))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &outcome{cell: c, Error: fmt.Sprintf("did not end within %v", limit)}, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return &outcome{cell: c, Error: fmt.Sprintf("%v: %s", err, lastLine(stderr.Bytes()))}, nil
	}
	out := &outcome{}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		return nil, fmt.Errorf("read outcome of %s: %w", said, err)
	}
	return out, nil
}

func lastLine(b []byte) []byte {
	b = bytes.TrimSpace(b)
	return b[bytes.LastIndexByte(b, '\n')+1:]
}

func runHere(ctx context.Context, said, dir string) error {
	var c cell
	if err := json.Unmarshal([]byte(said), &c); err != nil {
		return fmt.Errorf("read -cell: %w", err)
	}
	c.Dir = dir
	out, err := c.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func (o *outcome) String() string {
	s := fmt.Sprintf("round %d, %4d submitters, %-16s", o.Round, o.Submitters, o.System)
	if o.Error != "" {
		return s + " " + o.Error
	}
	return s + fmt.Sprintf(" %9.0f/s  p50 %8.2f ms  p99 %8.2f ms", o.Rate, o.P50, o.P99)
}
