package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/onus-ledger/onus/ledger"
)

type windowAsk struct {
	logAsk
	Submitters int           `json:"submitters"`
	Warm       time.Duration `json:"warm_ns"`
	Measured   time.Duration `json:"measured_ns"`
	// Expect is the rate of an earlier window, 0 if there was none.
	Expect float64 `json:"expect"`
	// ToBeKilled has it say when its load is full, and then, again and again, how
	// many entries were acknowledged: see killAtFullLoad.
	ToBeKilled bool `json:"to_be_killed,omitempty"`
}

// windowFigures are those of a closed load on a ledger that was opened for it.
type windowFigures struct {
	outcome
	From int64 `json:"from"` // sizes of the ledger before and after
	To   int64 `json:"to"`
	// Milliseconds of Open after a clean stop, and of the Run's end and Close.
	Open  float64 `json:"open_ms"`
	Close float64 `json:"close_ms"`
	// Memory of the process, load included, in bytes: the most during the window,
	// and what was resident before the load began.
	Peak   int64 `json:"peak_resident_bytes"`
	Before int64 `json:"resident_before_bytes"`
	// Peak is of the whole process, signing included, if PeakOfAll.
	PeakOfAll bool `json:"peak_of_all,omitempty"`
	// EntryBytes were logged, ContentBytes came beside, and Written went to the
	// disk from the beginning of the load to the end of Close.
	EntryBytes   int64 `json:"entry_bytes"`
	ContentBytes int64 `json:"content_bytes"`
	Written      int64 `json:"written_bytes"`
	Disk         int64 `json:"disk_bytes"` // of the database and the guard, after Close
}

// window measures a closed load on a ledger as it is.
func window(ctx context.Context, a windowAsk) (w *windowFigures, err error) {
	o, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, o.close())
		}
	}()
	s, err := a.shape(o)
	if err != nil {
		return nil, err
	}
	sup, err := writeSupply(ctx, a.Dir, s, supplyOf(cell{Submitters: a.Submitters, Warm: a.Warm, Measured: a.Measured, Expect: a.Expect}))
	if err != nil {
		return nil, err
	}
	s = nil // the load needs none of what made the records
	w = &windowFigures{From: o.ledger.Size(), Open: milliseconds(o.opening)}
	w.PeakOfAll = forgetPeak() != nil
	if w.Before, _, err = memory(); err != nil {
		return nil, err
	}
	wrote, err := written()
	if err != nil {
		return nil, err
	}
	l := newLoad(a.Submitters, a.Warm, a.Measured)
	if a.ToBeKilled {
		go sayAcknowledged(l, w.From)
	}
	used, began, all := cpuTime(), time.Now(), machineTime()
	var bytes, contents atomic.Int64
	if err := l.run(ctx, func() func(context.Context) error {
		return func(ctx context.Context) error {
			sub, err := sup.take()
			if err != nil {
				return err
			}
			got, err := o.ledger.Submit(ctx, sub)
			if err != nil {
				return err
			}
			bytes.Add(int64(entryBytes(got.Receipt, sub.Envelope.Payload)))
			for _, c := range sub.Contents {
				contents.Add(int64(len(c.GetData())))
			}
			return nil
		}
	}); err != nil {
		return nil, errors.Join(err, sup.remove())
	}
	w.outcome = *l.outcome()
	w.Submitters = a.Submitters
	if _, w.Peak, err = memory(); err != nil {
		return nil, err
	}
	used = cpuTime() - used
	w.CPU = float64(used.Microseconds()) / float64(max(1, l.acknowledged()))
	w.Others = max(0, (machineTime()-all-used).Seconds()/(time.Since(began).Seconds()*float64(runtime.NumCPU())))
	if w.To = o.ledger.Size(); w.To-w.From != l.acknowledged() {
		return nil, fmt.Errorf("the log grew by %d entries, and %d were acknowledged", w.To-w.From, l.acknowledged())
	}
	w.EntryBytes, w.ContentBytes = bytes.Load(), contents.Load()
	if err := sup.remove(); err != nil {
		return nil, err
	}
	closed = true
	start := time.Now()
	if err := o.close(); err != nil {
		return nil, err
	}
	w.Close = milliseconds(time.Since(start))
	after, err := written()
	if err != nil {
		return nil, err
	}
	w.Written = after - wrote
	w.Disk, err = onDiskBytes(a.Dir)
	return w, err
}

// sayAcknowledged prints the least size that the ledger must have if it is
// stopped now: what was acknowledged is in it.
func sayAcknowledged(l *load, from int64) {
	time.Sleep(l.warm)
	for {
		fmt.Println(from + l.acknowledged())
		time.Sleep(10 * time.Millisecond)
	}
}

// killAtFullLoad runs a window in a process that it kills with SIGKILL half a
// second after the load is full. It returns a size that the ledger must have.
func killAtFullLoad(ctx context.Context, a windowAsk) (acknowledged int64, err error) {
	a.ToBeKilled = true
	limited, cancel := context.WithTimeout(ctx, a.Warm+a.Measured+10*time.Minute)
	defer cancel()
	cmd, stderr, err := stepCommand(limited, "window", a)
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var full time.Time
	for {
		var n int64
		if _, err := fmt.Fscan(out, &n); err != nil {
			break
		}
		acknowledged = n
		if full.IsZero() {
			full = time.Now()
		} else if time.Since(full) > 500*time.Millisecond {
			if err := cmd.Process.Kill(); err != nil {
				return 0, err
			}
			full = time.Now().Add(time.Hour) // read on to the end of the pipe
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case !errors.As(err, &exit) || exit.ExitCode() != -1 || full.IsZero():
		return 0, &stepError{fmt.Sprintf("the load that was to be killed ended by itself: %v: %s", err, stderr.last())}
	}
	if err := os.Remove(a.Dir + "/supply"); err != nil {
		return 0, err
	}
	return acknowledged, nil
}

type reopenAsk struct {
	logAsk
	// AtLeast is a size that the ledger must have.
	AtLeast int64 `json:"at_least"`
}

// reopened is how long it took to go on. The operating system has the files in
// memory.
type reopened struct {
	Size int64 `json:"size"`
	// Milliseconds until Open returned, and until it had answered a first record.
	Open  float64 `json:"open_ms"`
	First float64 `json:"first_record_ms"`
}

func reopen(ctx context.Context, a reopenAsk) (r *reopened, err error) {
	o, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	r = &reopened{Size: o.ledger.Size(), Open: milliseconds(o.opening)}
	if r.Size < a.AtLeast {
		return nil, fmt.Errorf("the log has %d entries, and %d were acknowledged", r.Size, a.AtLeast)
	}
	d, err := plain{o}.source(1).next()
	if err != nil {
		return nil, err
	}
	sub, err := d.sign()
	if err != nil {
		return nil, err
	}
	var got *ledger.Logged
	if got, err = o.ledger.Submit(ctx, sub); err != nil {
		return nil, err
	}
	r.First = milliseconds(time.Since(o.opened))
	if got.Receipt.GetIndex() != r.Size {
		return nil, fmt.Errorf("the first record stands at %d in a log that had %d entries", got.Receipt.GetIndex(), r.Size)
	}
	return r, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
