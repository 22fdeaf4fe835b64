package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onus-ledger/onus/ledger"
)

// The shapes of records that a ledger is grown with.
const (
	shapePlain = "1kB"
	shapeReal  = "real"
)

// logAsk says which ledger a step is about. It has all that a process needs to
// go on with what another one made.
type logAsk struct {
	Dir    string   `json:"dir"` // of this ledger alone; its database is in "data"
	Shape  string   `json:"shape"`
	Seed   seed     `json:"seed"`
	Grants []string `json:"grants,omitempty"`
}

func (a logAsk) data() string { return filepath.Join(a.Dir, "data") }

func (a logAsk) open(ctx context.Context) (*onusLog, error) {
	return openOnusLog(ctx, a.Seed, a.data())
}

// shape makes more records for the ledger, which is open.
func (a logAsk) shape(o *onusLog) (shape, error) {
	if a.Shape == shapePlain {
		return plain{o}, nil
	}
	w := newWorld(o)
	return w, w.settle(a.Grants)
}

// setUp makes the ledger of a growth run, and registers who will write.
func setUp(ctx context.Context, a logAsk) (*logAsk, error) {
	o, err := createOnusLog(ctx, a.data())
	if err != nil {
		return nil, err
	}
	a.Seed = o.seed
	if a.Shape == shapeReal {
		a.Grants, err = newWorld(o).setUp(ctx)
	}
	return &a, errors.Join(err, o.close())
}

type fillAsk struct {
	logAsk
	Until int64 `json:"until"` // the ledger's size when it is done, or a little more
}

// filled is what filling took. Records are signed on the same cores, so its rate
// is not the ledger's.
type filled struct {
	Entries    int64   `json:"entries"` // added
	Seconds    float64 `json:"seconds"`
	Rate       float64 `json:"entries_per_second"`
	EntryBytes int64   `json:"entry_bytes"`   // of what was added
	Contents   int64   `json:"content_bytes"` // that came beside
	Written    int64   `json:"written_bytes"` // to the disk, by this process
	Largest    int     `json:"largest_entry"`
	Smallest   int     `json:"smallest_entry"`
}

// fill adds records in batches of 256 until the ledger is large enough.
func fill(ctx context.Context, a fillAsk) (f *filled, err error) {
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
	from, began := o.ledger.Size(), time.Now()
	var bytes, contents atomic.Int64
	f = &filled{Smallest: 1 << 20}
	var mu sync.Mutex // of f, and of said
	var said progress
	errs := make([]error, 2*runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			const batch = 256
			src := s.source(batch)
			for errs[w] == nil && o.ledger.Size() < a.Until {
				if errs[w] = ctx.Err(); errs[w] != nil {
					return
				}
				var b addedBatch
				if b, errs[w] = addBatch(ctx, o, src, batch); errs[w] != nil {
					return
				}
				bytes.Add(b.bytes)
				contents.Add(b.contents)
				mu.Lock()
				f.Smallest, f.Largest = min(f.Smallest, b.smallest), max(f.Largest, b.largest)
				size := o.ledger.Size()
				said.say("fill, %s: %s of %s entries, %s/s", a.Shape, thousands(float64(size)), thousands(float64(a.Until)),
					thousands(float64(size-from)/time.Since(began).Seconds()))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f.Seconds = time.Since(began).Seconds()
	f.Entries = o.ledger.Size() - from
	f.Rate = float64(f.Entries) / f.Seconds
	f.EntryBytes, f.Contents = bytes.Load(), contents.Load()
	closed = true
	if err := o.close(); err != nil {
		return nil, err
	}
	f.Written, err = written()
	return f, err
}

type addedBatch struct {
	bytes, contents   int64
	smallest, largest int
}

// addBatch logs the next records of a source; a full queue is waited for.
func addBatch(ctx context.Context, o *onusLog, src source, n int) (b addedBatch, err error) {
	subs := make([]ledger.Submission, n)
	for i := range subs {
		d, err := src.next()
		if err != nil {
			return b, err
		}
		if subs[i], err = d.sign(); err != nil {
			return b, err
		}
		for _, c := range d.contents {
			b.contents += int64(len(c.GetData()))
		}
	}
	b.smallest = 1 << 20
	for len(subs) > 0 {
		var again []ledger.Submission
		for i, res := range o.ledger.SubmitBatch(ctx, subs) {
			var busy *ledger.BusyError
			if errors.As(res.Err, &busy) {
				again = append(again, subs[i])
				continue
			} else if res.Err != nil {
				return b, fmt.Errorf("log a record of %d bytes: %w", len(subs[i].Envelope.Payload), res.Err)
			}
			size := entryBytes(res.Logged.Receipt, subs[i].Envelope.Payload)
			b.bytes += int64(size)
			b.smallest, b.largest = min(b.smallest, size), max(b.largest, size)
		}
		if subs = again; len(subs) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return b, nil
}
