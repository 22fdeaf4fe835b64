package ledger

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/note"
)

// Cosigned checkpoints come about once a second, and more often where many wait
// for them. All of the last hour are kept. Of the older ones, a row is removed if
// a larger one covers it: that has cosignatures of all the same witnesses, each
// within the same minute of that witness's own clock.
//
// So the bound that any witness, and any quorum of any policy, sets on the time of
// an entry moves by less than a minute, whatever the clocks did. It also follows
// that the newest row is never removed, nor the newest of a witness, nor the
// newest that is witnessed: what covers it would be newer, and as good.
//
// To cover is transitive. What is left therefore does not depend on how often, or
// in which order, rows were looked at, save for the bound on how far ahead a row's
// cover is looked for: what is not seen in time is kept.
const (
	// thinAfter is how old a row must be, by log time: its newest entry's, as
	// against the log's newest. Of a log that rests nothing is removed.
	thinAfter = time.Hour
	// thinRows is how many rows one pass reads, and thinAhead how many of these
	// are only looked at for what they cover, if there are more.
	thinRows  = 1024
	thinAhead = 256
	// thinPause is the time between two passes, while there is more to do, and
	// thinEvery that between two which find little.
	thinPause = 500 * time.Millisecond
	thinEvery = time.Minute
)

// thinning thins what was cosigned, until ctx ends. It begins at the first row
// each time the ledger runs: to read what was thinned before is cheap, a year of
// it takes seconds, and there is no mark to keep.
func (w *witnessing) thinning(ctx context.Context) {
	failed := false
	for next := int64(0); ctx.Err() == nil; {
		at, more, err := w.thin(next)
		switch {
		case err != nil && !failed:
			w.l.cfg.Logger.Warn("cosigned checkpoints are not thinned: they take more room than they need", "from", next, "err", err)
		case err == nil:
			next = at
		}
		failed = err != nil
		if more {
			pause(ctx, thinPause)
		} else {
			pause(ctx, thinEvery)
		}
	}
}

// cosigners is who cosigned a row of that size: the minute of each, by its name
// and key id.
type cosigners struct {
	size int64
	by   map[string]uint64
}

// covers reports whether r, which is smaller, says nothing that c does not.
func (c *cosigners) covers(r *cosigners) bool {
	for who, minute := range r.by {
		if at, ok := c.by[who]; !ok || at != minute {
			return false
		}
	}
	return true
}

// thin is one pass over the rows from that size on. It returns where the next one
// begins, and whether that has work now.
func (w *witnessing) thin(from int64) (next int64, more bool, err error) {
	h := w.l.head.Load()
	// Rows of up to that size are old enough.
	old, err := w.l.firstAt(h.logTime-thinAfter.Milliseconds(), h.size)
	if err != nil {
		return from, false, err
	}
	// No row is written meanwhile, and all that are to be seen are durable: so
	// what covers a row is on disk before that row goes.
	w.store.Lock()
	defer w.store.Unlock()
	rows, full, err := w.l.cosignersFrom(from)
	if err != nil {
		return from, false, err
	}
	n := len(rows)
	if full {
		n -= thinAhead
		more = true
	}
	for n > 0 && rows[n-1].size > old {
		n--
		more = false
	}
	if n == 0 {
		return from, false, nil
	}
	b := w.l.db.NewBatch()
	defer b.Close()
	type moment struct {
		who    string
		minute uint64
	}
	kept := map[moment][]*cosigners{} // those that no other covers
	covered := func(r *cosigners) bool {
		for who, minute := range r.by {
			// One of its witnesses is enough to find what covers it.
			for _, k := range kept[moment{who, minute}] {
				if k.covers(r) {
					return true
				}
			}
			return false
		}
		return false // nothing is known of it
	}
	for i := len(rows) - 1; i >= 0; i-- {
		r := &rows[i]
		if covered(r) {
			if i < n {
				must(b.Delete(keyCosigned(r.size), nil))
			}
			continue
		}
		for who, minute := range r.by {
			kept[moment{who, minute}] = append(kept[moment{who, minute}], r)
		}
	}
	// Without a sync: a row that comes back after a crash is removed again.
	if err := w.l.db.Apply(b, pebble.NoSync); err != nil {
		return from, false, fmt.Errorf("remove cosigned checkpoints: %w", err)
	}
	return rows[n-1].size + 1, more, nil
}

// cosignersFrom reads the rows from that size on: thinRows at most, and then full.
func (l *Ledger) cosignersFrom(from int64) (rows []cosigners, full bool, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: keyCosigned(from), UpperBound: keyAfter([]byte{prefixCosigned})})
	if err != nil {
		return nil, false, fmt.Errorf("read cosigned checkpoints: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if len(rows) == thinRows {
			return rows, true, nil
		}
		signed, err := it.ValueAndErr()
		if err != nil {
			return nil, false, fmt.Errorf("read cosigned checkpoint %x: %w", it.Key(), err)
		}
		size, err := parseIndex(it.Key(), it.Key()[1:])
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, cosigners{size, parseCosigners(signed)})
	}
	return rows, false, it.Error()
}

// parseCosigners returns the minute of each cosignature of a row: of all that were
// checked when it was written, those of earlier policies among them. It is nil
// for a row of which it does not know all; such a one stays, and covers none.
func parseCosigners(signed []byte) map[string]uint64 {
	// No key is known to it, so a note that is in order is an error too.
	_, err := note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return nil
	}
	const id, at, sig = 4, 8, 64 // bytes of each: c2sp.org/tlog-cosignature, "Format"
	seconds := map[string]uint64{}
	for _, s := range unverified.Note.UnverifiedSigs {
		b, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
		switch {
		case err != nil:
			return nil
		case len(b) == id+sig: // the log's own, which has no time
		case len(b) == id+at+sig:
			who, t := s.Name+"+"+string(b[:id]), binary.BigEndian.Uint64(b[id:])
			// As tree.OpenCosigned has it: of several, the earliest.
			if before, ok := seconds[who]; !ok || t < before {
				seconds[who] = t
			}
		default:
			return nil
		}
	}
	for who, t := range seconds {
		seconds[who] = t / 60
	}
	return seconds
}
