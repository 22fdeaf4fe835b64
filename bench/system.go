package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// A system is one row of the table.
type system struct {
	name  string // on the command line
	title string // in the table
	// proof says what a submitter holds when its call returns.
	proof string
	// missing says what this machine lacks to run it; nil and "" mean nothing.
	missing func() string
	// open starts it in an empty directory.
	open func(ctx context.Context, c cell, dir string) (*running, error)
}

// running is a system that takes entries.
type running struct {
	// settings are those that differ from the system's defaults, or matter.
	settings string
	// worker returns one submitter: a function that submits one entry and
	// returns when it is durable and its proof is verified. It is called by one
	// goroutine, several workers at a time. errSpent ends the load.
	worker func() func(context.Context) error
	// check looks at the whole after the load, in which n entries were
	// acknowledged: it is correctness, and not measured.
	check func(ctx context.Context, n int64) error
	close func() error
	// cpu is the processor time that other processes used for it; nil: there
	// are none.
	cpu func() time.Duration
}

// errSpent says that the entries that were made beforehand are used up.
var errSpent = errors.New("no entries left")

var systems = []system{
	onusSystem("onus", "Onus", false),
	onusSystem("onus-twice", "Onus, receipt checked again by the caller", true),
	tesseraSystem("tessera", "Tessera POSIX", false),
	tesseraSystem("tessera-antispam", "Tessera POSIX with antispam", true),
	immudbSystem("immudb", "immudb, one entry a transaction", false),
	immudbSystem("immudb-batched", "immudb, batched by a sequencer of ours", true),
	postgresSystem("postgres-chain", "PostgreSQL, hash chain by trigger", true),
	postgresSystem("postgres", "PostgreSQL, plain inserts", false),
}

func systemNamed(name string) *system {
	for i := range systems {
		if systems[i].name == name {
			return &systems[i]
		}
	}
	return nil
}

// A cell is one system under one number of submitters, once.
type cell struct {
	System     string        `json:"system"`
	Submitters int           `json:"submitters"`
	Round      int           `json:"round"`
	Warm       time.Duration `json:"warm_ns"`
	Measured   time.Duration `json:"measured_ns"`
	// Expect is the rate that it had in an earlier round, 0 if there was none: so
	// many records are made beforehand.
	Expect float64 `json:"expect,omitempty"`
	// Dir is where it may make a directory of its own.
	Dir string `json:"dir,omitempty"`
}

// outcome is what a cell measured.
type outcome struct {
	cell
	Settings string `json:"settings"`
	// Entries were acknowledged within Seconds, the measured window.
	Entries int64   `json:"entries"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"entries_per_second"`
	// Milliseconds from submission to verified proof, of those entries.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
	// CPU is the processor time over the whole load, of this process and the
	// system's own, in microseconds an entry. The submitters' part is in it.
	CPU float64 `json:"cpu_us_per_entry"`
	// Others is the share of all processors that went elsewhere during the load:
	// to other processes, to the kernel's own, or to the machine's host.
	Others float64 `json:"others_share"`
	// Error ends a cell without a figure.
	Error string `json:"error,omitempty"`
}

// run runs the cell in this process.
func (c cell) run(ctx context.Context) (out *outcome, err error) {
	s := systemNamed(c.System)
	if s == nil {
		return nil, errors.New("there is no system " + c.System)
	}
	dir, err := os.MkdirTemp(c.Dir, "cell-"+c.System+"-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := s.open(ctx, c, filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	cpu := func() time.Duration {
		if r.cpu == nil {
			return cpuTime()
		}
		return cpuTime() + r.cpu()
	}
	before, began, all := cpu(), time.Now(), machineTime()
	l := newLoad(c.Submitters, c.Warm, c.Measured)
	if err := l.run(ctx, r.worker); err != nil {
		return nil, err
	}
	out = l.outcome()
	out.cell, out.Settings = c, r.settings
	out.Dir = ""
	used := cpu() - before
	out.CPU = float64(used.Microseconds()) / float64(max(1, l.acknowledged()))
	out.Others = max(0, (machineTime()-all-used).Seconds()/(time.Since(began).Seconds()*float64(runtime.NumCPU())))
	return out, r.check(ctx, l.acknowledged())
}
