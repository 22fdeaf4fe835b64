package main

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// One tiny cell of each system, on the disk: every submitter verifies its proof
// or the cell fails, and after it the whole is checked against what was
// acknowledged.
func TestCells(t *testing.T) {
	for _, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			if s.missing != nil && s.missing() != "" {
				if os.Getenv("ONUS_CI") == "1" {
					t.Fatalf("%s: %s", s.title, s.missing())
				}
				t.Skipf("SKIPPED: %s: install with: apt-get install postgresql", s.title)
			}
			all := []int{1, 20}
			if s.name == "tessera" {
				all = append(all, 600) // more than one tile, so that proofs span levels
			}
			for _, submitters := range all {
				out, err := cell{System: s.name, Submitters: submitters, Round: 1, Measured: 300 * time.Millisecond, Dir: os.TempDir()}.run(t.Context())
				if err != nil {
					t.Fatalf("%d submitters: %v", submitters, err)
				}
				if out.Entries < 1 || out.Rate <= 0 || out.P50 <= 0 || out.P99 < out.P50 || out.Max < out.P99 || out.CPU <= 0 || out.Settings == "" {
					t.Errorf("%d submitters: %+v", submitters, out)
				}
			}
		})
	}
}

// The entry of a plain record has the size that the others' entries have, within
// a hundredth, and is counted to the byte.
func TestOnusEntrySize(t *testing.T) {
	o, err := createOnusLog(t.Context(), filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	subs, err := signAll(t.Context(), plain{o}, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range subs {
		got, err := o.ledger.Submit(t.Context(), sub)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := o.ledger.Raw(o.ledger.Size() - 1)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(raw); n < EntrySize*99/100 || n > EntrySize*101/100 {
			t.Errorf("an entry has %d bytes, want %d within a hundredth", n, EntrySize)
		}
		if n := entryBytes(got.Receipt, sub.Envelope.Payload); n != len(raw) {
			t.Errorf("an entry of %d bytes is counted as %d", len(raw), n)
		}
	}
}

// A load counts what ends in its window, and an error ends it.
func TestLoad(t *testing.T) {
	l := newLoad(3, 0, 100*time.Millisecond)
	if err := l.run(t.Context(), func() func(context.Context) error {
		return func(context.Context) error { time.Sleep(time.Millisecond); return nil }
	}); err != nil {
		t.Fatal(err)
	}
	out := l.outcome()
	if out.Entries == 0 || out.Entries > l.acknowledged() || out.P50 < 1 || out.Seconds != 0.1 {
		t.Errorf("outcome is %+v, %d acknowledged", out, l.acknowledged())
	}

	broken := errors.New("broken")
	err := newLoad(3, 0, time.Minute).run(t.Context(), func() func(context.Context) error {
		return func(context.Context) error { return broken }
	})
	if !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}

	left := 3
	l = newLoad(1, 0, time.Minute)
	if err := l.run(t.Context(), func() func(context.Context) error {
		return func(context.Context) error {
			if left--; left < 0 {
				return errSpent
			}
			time.Sleep(time.Millisecond)
			return nil
		}
	}); err != nil {
		t.Fatal(err)
	}
	if out := l.outcome(); out.Entries != 3 || out.Seconds > 59 {
		t.Errorf("when entries ran out: %+v", out)
	}
}

// sample is a run with made-up figures: one system missing, one cell failed, one
// faster than Onus.
func sample() *results {
	r := &results{Machine: machine{Date: time.Unix(0, 0).UTC(), CPU: "<a & b>", Cores: 2}, Rounds: 3, Seconds: 1,
		Submitters: []int{1, 64}, Systems: names(), Missing: map[string]string{"postgres": "not here: install postgresql"}}
	for round := range 3 {
		for _, n := range r.Submitters {
			for i, name := range []string{"onus", "tessera", "immudb"} {
				c := outcome{cell: cell{System: name, Submitters: n, Round: round + 1}, Settings: "s",
					Rate: float64((round + 1) * 1000 * (i + 1)), P50: 1, P99: 2}
				if name == "tessera" && n == 64 {
					c.Rate, c.Error = 0, "did not end"
				}
				r.Cells = append(r.Cells, c)
			}
		}
	}
	return r
}

func TestMarkdown(t *testing.T) {
	got := sample().markdown()
	for _, want := range []string{
		"| Onus | 2,000 (1,000–3,000) | 2,000 (1,000–3,000) |",
		"| Tessera POSIX | 4,000 (2,000–6,000) | failed |",
		"| immudb, one entry a transaction | 0.33× | 0.33× |",
		"| PostgreSQL, plain inserts | not here: install postgresql | not here: install postgresql |",
		"| PostgreSQL, hash chain by trigger | not run | not run |",
		"- Onus over immudb, one entry a transaction: 0.33× at 1, 0.33× at 64",
		"- Tessera POSIX, 64 submitters, round 2: did not end",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
}

// The plot is well-formed, and draws each system that has figures.
func TestPlot(t *testing.T) {
	for name, svg := range map[string]string{"sample": sample().plot(), "empty": (&results{Submitters: []int{1}, Systems: names()}).plot(),
		"growth": sampleGrowth().plot(), "no growth": (&growthResults{}).plot()} {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	if got := sample().plot(); strings.Contains(got, "NaN") || strings.Contains(got, "Inf") || strings.Contains(got, "%!") || strings.Count(got, "<circle") != 4 {
		t.Errorf("the plot is\n%s", got)
	}
}
