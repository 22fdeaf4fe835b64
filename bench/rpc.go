package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// rpcOptions are the command line of a run over RPC.
type rpcOptions struct {
	common
	clients []int
	rows    []rpcRow
}

// rpcRow is one way to submit.
type rpcRow struct {
	name, title string
	call        string // what a client does: nothing, unary or stream
	records     int    // in one call
	http        int    // 1 or 2
	clients     []int  // nil: those of the command line
	floor       string // the row of its do-nothing call
}

var rpcRows = []rpcRow{
	{name: "nothing-1", title: "a call that does nothing, HTTP/1.1", call: "nothing", records: 1, http: 1},
	{name: "unary-1", title: "Submit, HTTP/1.1", call: "unary", records: 1, http: 1, floor: "nothing-1"},
	{name: "nothing-2", title: "a call that does nothing, HTTP/2", call: "nothing", records: 1, http: 2},
	{name: "unary-2", title: "Submit, HTTP/2", call: "unary", records: 1, http: 2, floor: "nothing-2"},
	{name: "nothing-batch", title: "a call of 100 that does nothing, HTTP/1.1", call: "nothing", records: 100, http: 1, clients: []int{8}},
	{name: "batch", title: "SubmitBatch of 100, HTTP/1.1", call: "unary", records: 100, http: 1, clients: []int{8}, floor: "nothing-batch"},
	{name: "stream", title: "SubmitStream, one stream, HTTP/2", call: "stream", records: 1, http: 2, clients: []int{1}},
}

func rpcMain(ctx context.Context, args []string) error {
	var o rpcOptions
	f := flag.NewFlagSet("bench rpc", flag.ContinueOnError)
	o.flags(f, 4, 1, 3)
	clients := f.String("clients", "1,64,512", "numbers of clients of the unary calls, with commas")
	var all []string
	for _, r := range rpcRows {
		all = append(all, r.name)
	}
	which := f.String("rows", "", "rows by name, with commas; empty means all: "+strings.Join(all, ","))
	if err := o.common.parse(f, args); err != nil {
		return err
	}
	ns, err := numbers("clients", *clients, 1, 4096)
	if err != nil {
		return err
	}
	for _, n := range ns {
		o.clients = append(o.clients, int(n))
	}
	o.rows = rpcRows
	if *which != "" {
		o.rows = nil
		for name := range strings.SplitSeq(*which, ",") {
			r := rpcRowNamed(name)
			if r == nil {
				return fmt.Errorf("-rows: there is no %q, only %s", name, strings.Join(all, ", "))
			}
			o.rows = append(o.rows, *r)
		}
	}
	return o.run(ctx)
}

func rpcRowNamed(name string) *rpcRow {
	for i := range rpcRows {
		if rpcRows[i].name == name {
			return &rpcRows[i]
		}
	}
	return nil
}

func (o *rpcOptions) clientsOf(r *rpcRow) []int {
	if r.clients != nil {
		return r.clients
	}
	return o.clients
}

func (o *rpcOptions) run(ctx context.Context) error {
	m, err := thisMachine(o.dir)
	if err != nil {
		return err
	}
	warm, measured := o.window()
	res := &rpcResults{Machine: *m, Rounds: o.rounds, Seconds: o.seconds, Warm: o.warm}
	base := o.base("rpc", m)
	cells := 0
	for i := range o.rows {
		cells += o.rounds * len(o.clientsOf(&o.rows[i]))
	}
	each := warm + measured + 2*time.Second + signingTime(supplyOf(cell{Submitters: 64, Warm: warm, Measured: measured}))
	fmt.Fprintf(os.Stderr, "bench: %s, about %v\n", count(cells, "cell"), (time.Duration(cells) * each).Round(time.Minute/2))
	failed := 0
	for round := range o.rounds {
		for i := range o.rows {
			// Each round begins with another row.
			r := &o.rows[(i+round)%len(o.rows)]
			for _, n := range o.clientsOf(r) {
				ask := rpcAsk{Dir: o.dir, Row: r.name, Clients: n, Round: round + 1, Warm: warm, Measured: measured, Expect: res.fastest(r.name, n)}
				out, err := spawn[rpcFigures](ctx, "rpc", ask, warm+measured+5*time.Minute)
				var failure *stepError
				if errors.As(err, &failure) {
					out = &rpcFigures{Row: r.name, Clients: n, Round: round + 1, outcome: outcome{Error: failure.text}}
					failed++
				} else if err != nil {
					return err
				}
				fmt.Fprintln(os.Stderr, "bench:", out)
				res.Figures = append(res.Figures, *out)
			}
		}
		if err := writeResults(base, res, res.markdown(), ""); err != nil {
			return err
		}
	}
	os.Stdout.WriteString(res.markdown())
	fmt.Fprintf(os.Stderr, "bench: wrote %s.md and .json\n", base)
	if failed > 0 {
		return fmt.Errorf("%d cells ended with an error: see the table", failed)
	}
	return nil
}

// rpcResults is one run over RPC.
type rpcResults struct {
	Machine machine      `json:"machine"`
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds"`
	Warm    float64      `json:"warm_seconds"`
	Figures []rpcFigures `json:"figures"`
}

func (r *rpcResults) of(row string, clients int) (rounds []outcome) {
	for _, f := range r.Figures {
		if f.Row == row && f.Clients == clients && f.Error == "" {
			rounds = append(rounds, f.outcome)
		}
	}
	return rounds
}

func (r *rpcResults) fastest(row string, clients int) float64 {
	if rounds := r.of(row, clients); len(rounds) > 0 {
		return spreadOf(rounds, rate).max
	}
	return 0
}

func (r *rpcResults) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Onus over RPC, %s\n\n%s", r.Machine.when(), r.Machine.where())
	fmt.Fprintf(&b, "\nServer and clients are in one process and share the cores, over TCP on loopback without TLS. Each client has a connection of its own and one call on its way; "+
		"the stream has up to %s records on their way. Clients verify every receipt (`verifier.Receipts`). Entries of about %d bytes, signed beforehand. The call that does nothing goes through the same server, "+
		"with messages of the same size; its clients verify nothing. %s, each cell a process of its own: %g s of warm-up, %g s measured. Medians, with least and greatest in brackets.\n\n",
		thousands(streamWindow), EntrySize, count(r.Rounds, "round"), r.Warm, r.Seconds)
	b.WriteString("| Call | Clients | records/s | p50 ms | p99 ms | of the call that does nothing | CPU µs a record | others' CPU |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	var failed strings.Builder
	seen := map[string]bool{}
	for _, row := range rpcRows {
		for _, f := range r.Figures {
			if f.Row != row.name {
				continue
			}
			if f.Error != "" {
				fmt.Fprintf(&failed, "- %s, %d clients, round %d: %s\n", row.title, f.Clients, f.Round, f.Error)
			}
			if key := fmt.Sprint(row.name, f.Clients); seen[key] {
				continue
			} else {
				seen[key] = true
			}
			rounds := r.of(f.Row, f.Clients)
			if len(rounds) == 0 {
				fmt.Fprintf(&b, "| %s | %d | failed | | | | | |\n", row.title, f.Clients)
				continue
			}
			share := ""
			if floor := r.of(row.floor, f.Clients); len(floor) > 0 {
				share = fmt.Sprintf("%.0f %%", 100*spreadOf(rounds, rate).median/spreadOf(floor, rate).median)
			}
			s := spreadOf(rounds, rate)
			fmt.Fprintf(&b, "| %s | %d | %s (%s–%s) | %s | %s | %s | %s | %.0f %% |\n", row.title, f.Clients, thousands(s.median), thousands(s.min), thousands(s.max),
				digits(spreadOf(rounds, p50).median), digits(spreadOf(rounds, p99).median), share, digits(spreadOf(rounds, cpu).median), 100*spreadOf(rounds, others).median)
		}
	}
	b.WriteString("\nMilliseconds are those of a call, and in the stream those from the message that a record was sent in to its verified receipt.\n")
	if failed.Len() > 0 {
		b.WriteString("\n## Cells without a figure\n\n" + failed.String())
	}
	return b.String()
}

func (f *rpcFigures) String() string {
	s := fmt.Sprintf("round %d, %4d clients, %-14s", f.Round, f.Clients, f.Row)
	if f.Error != "" {
		return s + " " + f.Error
	}
	return s + fmt.Sprintf(" %9.0f/s  p50 %8.2f ms  p99 %8.2f ms", f.Rate, f.P50, f.P99)
}
