package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// One tiny cell of each way to submit.
func TestRPC(t *testing.T) {
	res := &rpcResults{Rounds: 1}
	for _, row := range rpcRows {
		clients := 3
		if row.clients != nil {
			clients = row.clients[0]
		}
		f, err := runRPC(t.Context(), rpcAsk{Dir: os.TempDir(), Row: row.name, Clients: clients, Round: 1, Warm: 100 * time.Millisecond, Measured: 400 * time.Millisecond, Expect: 10_000})
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if f.Rate <= 0 || f.P50 <= 0 || f.P99 < f.P50 || f.CPU <= 0 {
			t.Errorf("%s: %+v", row.name, f)
		}
		res.Figures = append(res.Figures, *f)
	}
	res.Figures = append(res.Figures, rpcFigures{Row: "unary-1", Clients: 64, Round: 1, outcome: outcome{Error: "did not end"}})
	page := res.markdown()
	for _, want := range []string{"| Submit, HTTP/1.1 | 3 |", "| SubmitBatch of 100, HTTP/1.1 | 8 |", "| SubmitStream, one stream, HTTP/2 | 1 |", "| Submit, HTTP/1.1 | 64 | failed |", "- Submit, HTTP/1.1, 64 clients, round 1: did not end"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// More arrives than a ledger takes: what is not admitted is counted, and all that
// was acknowledged is there, or overload returns an error.
func TestOverload(t *testing.T) {
	f, err := overload(t.Context(), overloadAsk{Dir: os.TempDir(), Submitters: 64, Times: 20, Warm: time.Second, Measured: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if f.Closed.Rate <= 0 || f.Arrivals+f.NotTried < 5*f.Closed.Rate || float64(f.Refused.Count)/f.Seconds+f.NotTried < f.Closed.Rate {
		t.Errorf("figures are %+v", f)
	}
	if page := (&overloadResults{Rounds: 1, Figures: []overloadFigures{*f}}).markdown(); strings.Contains(page, "%!") {
		t.Errorf("the page is\n%s", page)
	}
}
