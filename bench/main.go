package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
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
	if err := mainErr(ctx, os.Args[1:]); errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// modes are what the program measures, by the first argument.
var modes = map[string]func(context.Context, []string) error{
	"peers":    peersMain,
	"growth":   growthMain,
	"overload": overloadMain,
	"rpc":      rpcMain,
}

func mainErr(ctx context.Context, args []string) error {
	mode := "peers"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		mode, args = args[0], args[1:]
	}
	if mode == "step" && len(args) == 1 {
		return runStepHere(ctx, args[0])
	}
	run := modes[mode]
	if run == nil {
		return fmt.Errorf("there is no mode %q: use peers, growth, overload or rpc", mode)
	}
	return run(ctx, args)
}

// common are the flags of every mode.
type common struct {
	seconds, warm float64
	rounds        int
	dir, out      string
}

func (c *common) flags(f *flag.FlagSet, seconds, warm float64, rounds int) {
	f.Float64Var(&c.seconds, "seconds", seconds, "measured `seconds` of each figure")
	f.Float64Var(&c.warm, "warm", warm, "`seconds` of load before the measured window")
	if rounds > 0 {
		f.IntVar(&c.rounds, "rounds", rounds, "how often the whole runs, 3 at least for figures that are shown to others")
	}
	f.StringVar(&c.dir, "dir", os.TempDir(), "`directory` for the data, on the disk that is meant")
	f.StringVar(&c.out, "out", "results", "`directory` for the results")
}

// parse reads the command line, which has flags only.
func (c *common) parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return flag.ErrHelp // flag has said what
	}
	if f.NArg() != 0 {
		return fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if c.rounds < 0 || c.rounds > 100 || c.rounds == 0 && f.Lookup("rounds") != nil {
		return fmt.Errorf("-rounds: %d is not from 1 to 100", c.rounds)
	}
	// A record's claimed time may be two minutes old at most, and records are
	// signed before the clock starts.
	if c.seconds < 0.1 || c.warm < 0 || c.seconds+c.warm > 60 {
		return errors.New("-seconds and -warm: measure 0.1 s at least, and 60 s with the warm-up at most")
	}
	if err := onDisk(c.dir); err != nil {
		return err
	}
	return os.MkdirAll(c.out, 0o755)
}

func (c *common) window() (warm, measured time.Duration) {
	return time.Duration(c.warm * 1e9), time.Duration(c.seconds * 1e9)
}

// base is the name of a run's results, without what comes behind the dot.
func (c *common) base(mode string, m *machine) string {
	return filepath.Join(c.out, m.Date.Format("2006-01-02T150405Z")+"-"+mode)
}

// numbers reads a list of numbers from least to most, and sorts it.
func numbers(name, list string, least, most int64) ([]int64, error) {
	var out []int64
	for s := range strings.SplitSeq(list, ",") {
		text, unit := s, int64(1)
		switch {
		case strings.HasSuffix(s, "k"):
			text, unit = strings.TrimSuffix(s, "k"), 1000
		case strings.HasSuffix(s, "M"):
			text, unit = strings.TrimSuffix(s, "M"), 1_000_000
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < least/unit || n > most/unit {
			return nil, fmt.Errorf("-%s: %q is no number from %d to %d", name, s, least, most)
		}
		out = append(out, n*unit)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
