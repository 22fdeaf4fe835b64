package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// growthOptions are the command line of a growth run.
type growthOptions struct {
	common
	sizes      []int64
	shapes     []string
	submitters int
	noAudit    bool
}

func growthMain(ctx context.Context, args []string) error {
	var o growthOptions
	f := flag.NewFlagSet("bench growth", flag.ContinueOnError)
	o.flags(f, 10, 5, 0)
	sizes := f.String("sizes", "100k,1M,5M", "entries at which the ledger is measured, with commas")
	shapes := f.String("shapes", shapePlain+","+shapeReal, "shapes of records, with commas")
	f.IntVar(&o.submitters, "submitters", 512, "concurrent submitters of the load")
	f.BoolVar(&o.noAudit, "no-audit", false, "leave out the verification with signatures, which takes longest")
	if err := o.common.parse(f, args); err != nil {
		return err
	}
	var err error
	if o.sizes, err = numbers("sizes", *sizes, 3000, 1_000_000_000); err != nil {
		return err
	}
	o.shapes = strings.Split(*shapes, ",")
	for _, s := range o.shapes {
		if s != shapePlain && s != shapeReal {
			return fmt.Errorf("-shapes: there is no %q, only %s and %s", s, shapePlain, shapeReal)
		}
	}
	if o.submitters < 1 || o.submitters > supplyChains {
		return fmt.Errorf("-submitters: %d is not from 1 to %d", o.submitters, supplyChains)
	}
	return o.run(ctx)
}

// growthResults is one growth run.
type growthResults struct {
	Machine    machine       `json:"machine"`
	Submitters int           `json:"submitters"`
	Seconds    float64       `json:"seconds"`
	Warm       float64       `json:"warm_seconds"`
	Took       float64       `json:"took_seconds"`
	Points     []growthPoint `json:"points"`
}

// growthPoint is a ledger at one size.
type growthPoint struct {
	Shape string `json:"shape"`
	Size  int64  `json:"size"`
	// Fill is the way there, from the size before.
	Fill   *filled        `json:"fill,omitempty"`
	Window *windowFigures `json:"window,omitempty"`
	Proofs *proofFigures  `json:"proofs,omitempty"`
	Hashes *verified      `json:"hashes,omitempty"`
	Audit  *verified      `json:"audit,omitempty"`
	// Killed is the opening after SIGKILL at full load, KilledAt what had been
	// acknowledged by then.
	Killed   *reopened `json:"killed,omitempty"`
	KilledAt int64     `json:"killed_at,omitempty"`
	// All that was logged and written so far, of steps that ended in order: what
	// the killed processes logged is not counted.
	Counted      int64 `json:"entries_so_far"`
	EntryBytes   int64 `json:"entry_bytes_so_far"`
	ContentBytes int64 `json:"content_bytes_so_far"`
	Written      int64 `json:"written_bytes_so_far"`
	// Error says which step failed, and why; later ones of the shape are not run.
	Error string `json:"error,omitempty"`
}

func (o *growthOptions) run(ctx context.Context) error {
	m, err := thisMachine(o.dir)
	if err != nil {
		return err
	}
	need, took := o.estimate()
	fmt.Fprintf(os.Stderr, "bench: %s of %s records to %s entries: about %v, and up to %.1f GB in %s\n",
		count(len(o.shapes), "ledger"), strings.Join(o.shapes, " and "), thousands(float64(slices.Max(o.sizes))),
		took.Round(time.Minute), float64(need)/1e9, o.dir)
	if free, err := freeBytes(o.dir); err != nil {
		return err
	} else if free < need {
		return fmt.Errorf("%s has %.1f GB free, and up to %.1f GB are needed: name another directory with -dir, or smaller -sizes", o.dir, float64(free)/1e9, float64(need)/1e9)
	}
	res := &growthResults{Machine: *m, Submitters: o.submitters, Seconds: o.seconds, Warm: o.warm}
	base, began := o.base("growth", m), time.Now()
	failed := 0
	for _, shape := range o.shapes {
		err := o.grow(ctx, shape, func(p growthPoint) error {
			if p.Error != "" {
				failed++
			}
			res.Points = append(res.Points, p)
			res.Took = time.Since(began).Seconds()
			return writeResults(base, res, res.markdown(), res.plot())
		})
		if err != nil {
			return err
		}
	}
	os.Stdout.WriteString(res.markdown())
	fmt.Fprintf(os.Stderr, "bench: wrote %s.md, .svg and .json, after %v\n", base, time.Since(began).Round(time.Second))
	if failed > 0 {
		return fmt.Errorf("%d sizes ended with an error: see the table", failed)
	}
	return nil
}

// estimate is about how much disk and time the run needs. The disk is that of
// the largest ledger, with room for what compaction has in two places, and the
// records signed beforehand.
func (o *growthOptions) estimate() (disk int64, took time.Duration) {
	largest := slices.Max(o.sizes)
	warm, measured := o.window()
	records := supplyOf(cell{Submitters: o.submitters, Warm: warm, Measured: measured})
	// Each size has two windows, and the second one's records stay too.
	for range o.sizes {
		largest += int64(records)
	}
	_, check := signatureCost()
	// A record is checked once when it is logged and once in each audit, and
	// about as much work comes on top of that.
	each := func(n int64, work time.Duration) time.Duration {
		return time.Duration(n) * work / time.Duration(runtime.GOMAXPROCS(0))
	}
	took = each(slices.Max(o.sizes), 2*check+20*time.Microsecond) + signingTime(int(slices.Max(o.sizes)))
	for _, n := range o.sizes {
		took += 2*signingTime(records) + 2*(warm+measured) + measured + 10*time.Second + each(n, 5*time.Microsecond)
		if !o.noAudit {
			took += each(n, 3*check/2)
		}
	}
	// Real records are about half as much work again.
	all := time.Duration(0)
	for _, s := range o.shapes {
		all += took
		if s == shapeReal {
			all += took / 2
		}
	}
	return largest * 3500, all
}

// grow takes a ledger of one shape from size to size. tell hears of each size; an
// error is ours, and a step's own is in the point.
func (o *growthOptions) grow(ctx context.Context, shape string, tell func(growthPoint) error) (err error) {
	dir, err := os.MkdirTemp(o.dir, "growth-"+shape+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log, err := spawn[logAsk](ctx, "setup", logAsk{Dir: dir, Shape: shape}, 5*time.Minute)
	if err != nil {
		return fmt.Errorf("make the ledger: %w", err)
	}
	var sofar growthPoint // its sums, and the rate
	for _, size := range o.sizes {
		p := growthPoint{Shape: shape, Size: size, Counted: sofar.Counted, EntryBytes: sofar.EntryBytes, ContentBytes: sofar.ContentBytes, Written: sofar.Written}
		step, err := o.measureAt(ctx, *log, &p, sofar.Window)
		var failure *stepError
		if errors.As(err, &failure) {
			p.Error = step + ": " + failure.text
		} else if err != nil {
			return fmt.Errorf("%s at %d entries: %w", step, size, err)
		}
		if err := tell(p); err != nil {
			return err
		}
		if p.Error != "" {
			fmt.Fprintf(os.Stderr, "bench: %s, %d entries: %s\n", shape, size, p.Error)
			return nil
		}
		sofar = p
	}
	return nil
}

// measureAt fills the ledger to p.Size and measures it there, and says which
// step an error is of.
func (o *growthOptions) measureAt(ctx context.Context, log logAsk, p *growthPoint, before *windowFigures) (step string, err error) {
	warm, measured := o.window()
	each := time.Duration(p.Size) * time.Millisecond // a thousand entries a second, at least
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "bench: %-4s %9s  "+format+"\n", append([]any{p.Shape, thousands(float64(p.Size))}, args...)...)
	}
	if p.Fill, err = spawn[filled](ctx, "fill", fillAsk{log, p.Size}, 5*time.Minute+each); err != nil {
		return "fill", err
	}
	p.Counted += p.Fill.Entries
	p.EntryBytes += p.Fill.EntryBytes
	p.ContentBytes += p.Fill.Contents
	p.Written += p.Fill.Written
	if p.Fill.Entries > 0 {
		say("filled, signing included %s/s", thousands(p.Fill.Rate))
	}

	ask := windowAsk{logAsk: log, Submitters: o.submitters, Warm: warm, Measured: measured}
	if before != nil {
		ask.Expect = before.Rate
	}
	if p.Window, err = spawn[windowFigures](ctx, "window", ask, warm+measured+10*time.Minute); err != nil {
		return "load", err
	}
	w := p.Window
	p.Counted += w.To - w.From
	p.EntryBytes += w.EntryBytes
	p.ContentBytes += w.ContentBytes
	p.Written += w.Written
	say("%s/s, p50 %s ms, p99 %s ms, %s µs of CPU a record, %s MB resident", thousands(w.Rate), digits(w.P50), digits(w.P99), digits(w.CPU), thousands(float64(w.Peak)/1e6))

	if p.Proofs, err = spawn[proofFigures](ctx, "proofs", proofsAsk{log, 2000, measured / 2}, measured+10*time.Minute); err != nil {
		return "proofs", err
	}
	say("random proof p50 %s µs, p99 %s µs; after opening %s and %s µs", digits(p.Proofs.Warm.P50), digits(p.Proofs.Warm.P99), digits(p.Proofs.Cold.P50), digits(p.Proofs.Cold.P99))
	if p.Hashes, err = spawn[verified](ctx, "hashes", log, 5*time.Minute+each); err != nil {
		return "verification of hashes", err
	}
	if !o.noAudit {
		if p.Audit, err = spawn[verified](ctx, "audit", log, 5*time.Minute+each); err != nil {
			return "verification with signatures", err
		}
		say("verified, hashes %s/s, with signatures %s/s", thousands(p.Hashes.Rate), thousands(p.Audit.Rate))
	}
	// Any window will do for this one: the load is full after its warm-up.
	ask.Measured, ask.Expect = 5*time.Second, w.Rate
	if p.KilledAt, err = killAtFullLoad(ctx, ask); err != nil {
		return "load to be killed", err
	}
	if p.Killed, err = spawn[reopened](ctx, "reopen", reopenAsk{log, p.KilledAt}, 10*time.Minute); err != nil {
		return "opening after SIGKILL", err
	}
	say("opened after a clean stop in %s ms, after SIGKILL at full load in %s ms", digits(p.Proofs.Open), digits(p.Killed.Open))
	return "", nil
}

// writeResults replaces base.json, base.md and base.svg. A page without a plot
// has "".
func writeResults(base string, results any, page, plot string) error {
	raw, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	files := map[string][]byte{".json": append(raw, '\n'), ".md": []byte(page), ".svg": []byte(plot)}
	for ext, b := range files {
		if len(b) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Clean(base+ext), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
