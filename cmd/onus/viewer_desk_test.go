package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	gocmp "github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// openDesk runs a desk over a ledger until stop.
func openDesk(t *testing.T, dir string, l *ledger.Ledger) (d *desk.Desk, stop func()) {
	t.Helper()
	d, err := desk.Open(dir, ledgerLog{l})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	must(t, d.CatchUp(ctx, l.Size()))
	return d, func() {
		cancel()
		must(t, errors.Join(<-ran, d.Close()))
	}
}

// ownLedger opens a ledger that the test stops itself.
func ownLedger(t *testing.T, dir dataDir) (l *ledger.Ledger, stop func()) {
	t.Helper()
	l, err := dir.open(nil)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	return l, func() {
		cancel()
		must(t, errors.Join(<-ran, l.Close()))
	}
}

// told is all that a desk says: its cases by root, and its overview.
func told(t *testing.T, d *desk.Desk) (cases map[record.ID]*desk.Case, o *desk.Overview) {
	t.Helper()
	cases = map[record.ID]*desk.Case{}
	for cursor := ""; ; {
		f, err := d.Find(desk.Query{}, 3, cursor)
		must(t, err)
		for _, c := range f.Cases {
			c.AsOf = 0 // it may have been judged as of a later size
			cases[c.Root] = c
		}
		if cursor = f.Next; cursor == "" {
			return cases, d.Overview(desk.Period{})
		}
	}
}

// agrees holds each case to what the ledger itself judges.
func agrees(t *testing.T, cases map[record.ID]*desk.Case, l *ledger.Ledger) {
	t.Helper()
	actions := 0
	for id, c := range cases {
		gathered, err := l.Chain(id, ledger.MaxChain)
		must(t, err)
		j, err := l.Judge(gathered)
		must(t, err)
		actions += c.Actions
		// A chain may hold records of other cases; what is the worst of a case is
		// then not worse than that of its chain.
		outcomes := append(chain.Outcomes(), chain.NothingDone)
		rank := func(o chain.Outcome) (i int) {
			for i = range outcomes {
				if outcomes[i] == o {
					break
				}
			}
			return i
		}
		if c.Unjudged != "" || rank(c.Outcome) < rank(j.Outcome) || len(j.Actions) == c.Actions && c.Actions > 0 && c.Outcome != j.Outcome {
			t.Errorf("case %s of entry %d is %q (%s), the ledger says %q", c.Title, c.RootIndex, c.Outcome, c.Unjudged, j.Outcome)
		}
	}
	logged := 0
	for i := range l.Size() {
		e, err := l.Entry(i)
		must(t, err)
		if e.Record.Msg.GetStages().GetAction() != nil {
			logged++
		}
	}
	if actions != logged || actions == 0 {
		t.Errorf("%d actions in all cases, the log has %d", actions, logged)
	}
}

// The desk over a real ledger says the same whether it went along, was closed
// and opened again while the ledger went on, or reads all at once; and it says
// what the ledger says.
func TestDeskOverLedger(t *testing.T) {
	dir := playDemo(t)
	rows := filepath.Join(t.TempDir(), "desk")
	l, stopLedger := ownLedger(t, dir)
	d, stop := openDesk(t, rows, l)
	first, _ := told(t, d)
	agrees(t, first, l)
	stop()
	stopLedger()

	// The scenarios once more, without the desk.
	again := &demo{dir: dir, out: io.Discard, warn: io.Discard}
	must(t, again.run(context.Background(), "127.0.0.1:0", true))
	l, stopLedger = ownLedger(t, dir)
	defer stopLedger()
	d, stop = openDesk(t, rows, l)
	defer stop()
	second, _ := told(t, d)
	agrees(t, second, l)
	if len(second) <= len(first) {
		t.Errorf("%d cases after the second time, %d before", len(second), len(first))
	}

	// And records while the desk is there.
	for id, c := range second {
		if c.Outcome != chain.OutsideAuthority {
			continue
		}
		at, err := ledgerOfficer{l}.Review(context.Background(), web.Viewer{Name: "m.rossi", Reviews: true},
			web.Review{Record: id, Disposition: onusv1.Disposition_DISPOSITION_EXPLAINED, Note: "seen to"})
		must(t, err)
		must(t, d.CatchUp(context.Background(), at+1))
		got, err := d.Case(id)
		must(t, err)
		if got.Review == nil || got.Review.Index != at || c.Review != nil {
			t.Errorf("review %+v, before %+v", got.Review, c.Review)
		}
	}
	cases, overview := told(t, d)
	anew, stopAnew := openDesk(t, "", l)
	defer stopAnew()
	wantCases, wantOverview := told(t, anew)
	if diff := gocmp.Diff(wantCases, cases); diff != "" {
		t.Errorf("cases (-at once +went along):\n%s", diff)
	}
	if diff := gocmp.Diff(wantOverview, overview); diff != "" {
		t.Errorf("overview (-at once +went along):\n%s", diff)
	}
}

// flip changes a stored entry of a ledger that is closed, through Pebble's own
// API.
func flip(t *testing.T, dir dataDir, index int64, offset int) {
	t.Helper()
	db, err := pebble.Open(filepath.Join(string(dir), "db"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest})
	must(t, err)
	key := binary.BigEndian.AppendUint64([]byte{'e'}, uint64(index))
	v, done, err := db.Get(key)
	must(t, err)
	raw := append([]byte(nil), v...)
	must(t, done.Close())
	raw[offset] ^= 1
	must(t, errors.Join(db.Set(key, raw, pebble.Sync), db.Close()))
}

// Entries that were changed in the ledger's database are told, with the cases
// that they spoil, and all other cases are as before. Put right, all is.
func TestDeskOverDamagedLedger(t *testing.T) {
	dir := playDemo(t)
	l, stopLedger := ownLedger(t, dir)
	d, stop := openDesk(t, "", l)
	was, _ := told(t, d)
	// One action becomes no record at all, one another record.
	var bad []int64
	var offsets []int
	spoilt := map[record.ID]bool{}
	for i := range l.Size() {
		e, err := l.Entry(i)
		must(t, err)
		a := e.Record.Msg.GetStages().GetAction()
		c, err := d.Case(e.Record.ID)
		if a == nil || err != nil || c.RootIndex == i || spoilt[c.Root] || len(bad) == 2 {
			continue
		}
		bad, spoilt[c.Root] = append(bad, i), true
		// The format, and a type in what was signed.
		offsets = append(offsets, []int{0, bytes.Index(e.Raw, []byte(a.GetElement().GetType()))}[len(offsets)])
	}
	stop()
	stopLedger()
	if len(bad) != 2 {
		t.Fatalf("%d entries to change", len(bad))
	}
	change := func() {
		for i, at := range offsets {
			flip(t, dir, bad[i], at)
		}
	}
	change()
	rows := filepath.Join(t.TempDir(), "desk")
	l, stopLedger = ownLedger(t, dir)
	for range 2 { // and opened again
		d, stop = openDesk(t, rows, l)
		cases, o := told(t, d)
		if o.Damage != 2 || len(o.Damaged) != 2 || o.Damaged[0].Index != bad[0] || o.Damaged[1].Index != bad[1] || o.AsOf != l.Size() ||
			!strings.Contains(o.Damaged[0].Reason, "the database is damaged at entry") || !strings.Contains(o.Damaged[1].Reason, "finds nothing") {
			t.Errorf("overview: %d damaged, %+v; want entries %d", o.Damage, o.Damaged, bad)
		}
		if o.Unjudged < 2 || len(o.Open) == 0 || o.Open[0].Severity != chain.Critical || o.Outcomes[0].Outcome != chain.EvidenceBroken {
			t.Errorf("overview: %d not judged, open %+v, outcomes %+v", o.Unjudged, o.Open, o.Outcomes)
		}
		for id, c := range was {
			got := cases[id]
			switch {
			case got == nil:
				t.Errorf("case %s of entry %d is missing", c.Title, c.RootIndex)
			case spoilt[id]:
				if got.Outcome != chain.EvidenceBroken || got.Unjudged == "" || got.Findings[0].Code != "BROKEN_ENTRY" {
					t.Errorf("a spoilt case: %+v", got)
				}
			case got.Unjudged == "":
				if diff := gocmp.Diff(c, got); diff != "" {
					t.Errorf("another case (-was +now):\n%s", diff)
				}
			}
		}
		stop()
	}
	stopLedger()
	change()
	l, stopLedger = ownLedger(t, dir)
	defer stopLedger()
	d, stop = openDesk(t, rows, l)
	defer stop()
	cases, o := told(t, d)
	if diff := gocmp.Diff(was, cases); diff != "" || o.Damage != 0 || o.Unjudged != 0 {
		t.Errorf("put right: %d damaged, %d not judged (-was +now):\n%s", o.Damage, o.Unjudged, diff)
	}
}
