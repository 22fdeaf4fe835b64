package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// viewerBench is a viewer over a ledger on disk.
type viewerBench struct {
	ledger *ledger.Ledger
	dir    dataDir
	notes  *benchNotes
	// desk is nil where it is closed, close what closes it.
	desk  *desk.Desk
	close func(*testing.B)
}

// open opens the desk and has it read what it has not read yet.
func (v *viewerBench) open(b *testing.B) {
	b.Helper()
	d, err := desk.Open(v.dir.desk(), ledgerLog{v.ledger})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	if err := d.CatchUp(ctx, v.ledger.Size()); err != nil {
		b.Fatal(err)
	}
	v.desk = d
	v.close = func(b *testing.B) {
		cancel()
		if err := errors.Join(<-ran, d.Close()); err != nil {
			b.Fatalf("the desk: %v", err)
		}
		v.desk, v.close = nil, nil // what it had is free
	}
}

// pages makes the viewer's handler, which has judged nothing yet.
func (v *viewerBench) pages() http.Handler {
	return web.New(web.Config{Log: ledgerLog{v.ledger}, Officer: ledgerOfficer{v.ledger}, Desk: v.desk})
}

// getPage gets a page as a browser does, packed if it may be, and returns its size.
func getPage(b *testing.B, h http.Handler, address string, packed bool) int {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	if packed {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatalf("%s: %d, to %q", address, w.Code, w.Header().Get("Location"))
	}
	n, err := io.Copy(io.Discard, w.Body)
	if err != nil {
		b.Fatal(err)
	}
	return int(n)
}

// page measures one page, or several in turn, as they are sent to a browser. A
// cold one is asked of a viewer that has judged no chain yet.
func (v *viewerBench) page(b *testing.B, name string, cold bool, addresses ...string) {
	b.Run(name, func(b *testing.B) {
		h := v.pages()
		plain, packed := 0, 0
		for _, a := range addresses {
			plain, packed = plain+getPage(b, h, a, false), packed+getPage(b, h, a, true)
		}
		var took []time.Duration
		b.ResetTimer()
		for i := 0; b.Loop(); i++ {
			if cold {
				b.StopTimer()
				h = v.pages()
				runtime.GC() // what making it left is not this page's
				b.StartTimer()
			}
			began := time.Now()
			getPage(b, h, addresses[i%len(addresses)], true)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		b.ReportMetric(ms(b.Elapsed())/float64(len(took)), "ms/op")
		b.ReportMetric(ms(took[len(took)*9/10]), "p90-ms")
		b.ReportMetric(float64(plain/len(addresses)), "html-B")
		b.ReportMetric(float64(packed/len(addresses)), "gzip-B")
		b.ReportMetric(0, "ns/op")
	})
}

// heapInUse is the memory that is in use once what is not was collected.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkViewer measures the viewer's pages over a ledger on disk, through the
// handler that serves browsers. Of a million entries:
//
//	go test ./cmd/onus -run '^$' -bench Viewer -timeout 1h -args -entries 1000000 -ledgers DIR
//
// DIR keeps the ledger for the next run.
func BenchmarkViewer(b *testing.B) {
	v := &viewerBench{}
	v.ledger, v.dir, v.notes = benchLedger(b)
	size := v.ledger.Size()
	b.Run("desk/made", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			if v.desk != nil {
				v.close(b)
			}
			if err := os.RemoveAll(v.dir.desk()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			v.open(b)
		}
		b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("desk/opened", func(b *testing.B) {
		if v.desk == nil {
			v.open(b) // it may have to read the log
		}
		v.close(b)
		before := heapInUse() // the ledger's
		for b.Loop() {
			b.StopTimer()
			if v.desk != nil {
				v.close(b)
			}
			b.StartTimer()
			v.open(b)
		}
		used := float64(max(heapInUse(), before) - before)
		o, found := v.desk.Overview(desk.Period{}), 0
		for _, c := range o.Findings {
			found += c.Found
		}
		b.ReportMetric(float64(size), "entries")
		b.ReportMetric(float64(o.Cases), "chains")
		b.ReportMetric(float64(found), "findings")
		b.ReportMetric(used/float64(size), "heap-B/entry")
		b.ReportMetric(used/float64(max(1, o.Cases)), "heap-B/chain")
		b.ReportMetric(used/(1<<20), "heap-MB")
	})
	if v.desk == nil {
		v.open(b)
	}
	defer func() { v.close(b) }()
	newest, err := v.ledger.Entry(size - 1)
	if err != nil {
		b.Fatal(err)
	}
	last := time.UnixMilli(newest.Stamp.LogTime).UTC()
	day := func(back int) string { return last.AddDate(0, 0, -back).Format(time.DateOnly) }
	agent := "?agent=" + url.QueryEscape(benchClass(7))
	long := "/chain/" + v.notes.Long
	var hundred []string
	for _, id := range v.notes.Hundred {
		hundred = append(hundred, "/chain/"+id)
	}
	for _, p := range []struct {
		name, address string
	}{
		{"overview/30 days", "/?from=" + day(29) + "&to=" + day(0)},
		{"overview/all", "/?period=all"},
		{"find/newest", "/find"},
		{"find/an agent", "/find" + agent},
		{"find/a word", "/find?q=contract"},
		{"find/an item", "/find?q=order-4242"},
		{"find/outside authority", "/find?outcome=outside"},
		{"find/amount", "/find?q=amount%3E50000+EUR"},
		{"find/gravest", "/find?sort=gravest"},
		{"find/csv of outside", "/find.csv?outcome=outside"},
		{"find/csv of all", "/find.csv"},
		{"agents", "/agents"},
		{"an agent", "/agents?id=" + url.QueryEscape(benchClass(7))},
		{"record", "/record/" + v.notes.Hundred[0]},
		{"grants/newest", "/grants"},
		{"grants/a day", "/grants?on=" + day(45)},
		{"grants/a day of an agent", "/grants" + agent + "&on=" + day(45)},
	} {
		v.page(b, p.name, false, p.address)
	}
	v.page(b, "chain of 100/cold", true, hundred...)
	v.page(b, "chain of 100/warm", false, hundred[:min(4, len(hundred))]...)
	v.page(b, "chain of 2000/cold", true, long)
	v.page(b, "chain of 2000/warm", false, long)
	for _, tab := range []string{"permissions", "timeline", "records"} {
		v.page(b, "chain of 2000/warm "+tab, false, long+"?tab="+tab)
	}
}
