package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func newBench() *cobra.Command {
	var (
		r               remote
		admin, adminKey string
		load            benchLoad
		duration        time.Duration
		asJSON          bool
		intoServer      bool
	)
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a ledger from outside: records a second and time to proof",
		Long: `Sign and submit records from several clients and verify every receipt, for a
while. Latency is from before the call until the receipt is verified. With
--stream, each client has one stream, on a connection of its own, and keeps 512
records under way; --batch is then how many it puts into one message at most.

It starts a ledger of its own, in another process, on a temporary directory that
it removes. With --into-server it writes into the ledger at --server, where its
records stay for ever; it needs an administrator's key then, to register the
agent that it writes as.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if load.clients < 1 || load.batch < 1 || load.batch > rpc.MaxBatch || duration <= 0 {
				return usageError{fmt.Errorf("--clients is at least 1, --batch 1 to %d, --duration above 0", rpc.MaxBatch)}
			}
			if !intoServer {
				dir, stop, err := startServer(cmd.Context(), &r, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				defer stop()
				adminKey = dir.adminKey()
			}
			e, err := r.registrar(adminFlags{admin, adminKey}, io.Discard)
			if err != nil {
				return err
			}
			res, err := bench(cmd.Context(), r, e, load, duration)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), res)
			}
			res.print(cmd.OutOrStdout())
			return nil
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&admin, "admin", "root", "the administrator's name")
	f.StringVar(&adminKey, "admin-key", "", "the administrator's private key")
	f.BoolVar(&intoServer, "into-server", false, "write into the ledger at --server, for ever")
	f.IntVar(&load.clients, "clients", 1, "clients at the same time")
	f.IntVar(&load.batch, "batch", 1, "records in one call, or in one message of a stream")
	f.BoolVar(&load.stream, "stream", false, "submit by streams (SubmitStream)")
	f.DurationVar(&duration, "duration", 10*time.Second, "how long")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// startServer runs `onus init` and `onus serve` over a temporary directory as
// processes of their own.
func startServer(ctx context.Context, r *remote, stderr io.Writer) (dataDir, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	tmp, err := os.MkdirTemp("", "onus-bench-")
	if err != nil {
		return "", nil, err
	}
	dir := dataDir(filepath.Join(tmp, "ledger"))
	init := exec.CommandContext(ctx, self, "init", "--data", string(dir), "--origin", "bench.invalid/log")
	init.Stderr = stderr
	if err := init.Run(); err != nil {
		os.RemoveAll(tmp)
		return "", nil, fmt.Errorf("onus init: %w", err)
	}
	serve := exec.CommandContext(ctx, self, "serve", "--data", string(dir), "--listen", "127.0.0.1:0",
		"--tokens=", "--client-ca=", "--open=false", "--open-submit=false") // whatever the environment says
	serve.Cancel = func() error { return serve.Process.Signal(os.Interrupt) }
	serve.Stderr = stderr
	out, err := serve.StdoutPipe()
	if err == nil {
		err = serve.Start()
	}
	if err != nil {
		os.RemoveAll(tmp)
		return "", nil, fmt.Errorf("onus serve: %w", err)
	}
	stop := func() {
		serve.Process.Signal(os.Interrupt)
		serve.Wait()
		os.RemoveAll(tmp)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := cutLast(lines.Text(), " at "); ok {
			r.server, r.logKey = url, dir.vkey()
			go io.Copy(io.Discard, out)
			return dir, stop, nil
		}
	}
	stop()
	return "", nil, errors.New("onus serve did not say where it listens")
}

// benchLoad is what is done at the same time.
type benchLoad struct {
	clients, batch int
	stream         bool
}

// benchResult is what bench measured.
type benchResult struct {
	Clients    int     `json:"clients"`
	Batch      int     `json:"batch"`
	Stream     bool    `json:"stream"`
	Seconds    float64 `json:"seconds"`
	Records    int     `json:"records"`
	PerSecond  float64 `json:"records_per_second"`
	EntryBytes int     `json:"entry_bytes"`
	// Milliseconds from before a call until its receipts are verified.
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
	// Busy counts records that were refused for a full queue.
	Busy int `json:"refused_busy"`
}

func (b *benchResult) print(w io.Writer) {
	what := "call"
	if b.Stream {
		what = "message of a stream"
	}
	fmt.Fprintf(w, "%s, %s a %s, %.1f s, entries of about %d bytes, every receipt verified\n\n", count(b.Clients, "client"), count(b.Batch, "record"), what, b.Seconds, b.EntryBytes)
	fmt.Fprintf(w, "  records/s   p50 ms   p90 ms   p99 ms   max ms   refused\n")
	fmt.Fprintf(w, "  %9.0f  %7.2f  %7.2f  %7.2f  %7.2f  %8d\n", b.PerSecond, b.P50, b.P90, b.P99, b.Max, b.Busy)
}

const benchAgent = "spiffe://bench.invalid/load"

func bench(ctx context.Context, r remote, e *registrar, load benchLoad, duration time.Duration) (*benchResult, error) {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := record.NewSigner(priv)
	if err != nil {
		return nil, err
	}
	err = e.agent(ctx, &onusv1.Operator{Id: "bench", Organisation: "bench", Unit: "bench", AccountablePost: "whoever runs onus bench"},
		&onusv1.AgentClass{Id: benchAgent, Operator: "bench", DisplayName: "onus bench"}, signer.Public(), "")
	if err != nil {
		return nil, err
	}
	workers := make([]*benchWorker, load.clients)
	receipts := verifier.NewReceipts(e.key)
	for i := range workers {
		w := &benchWorker{client: e.client, receipts: receipts, origin: e.key.Origin(), signer: signer, instance: fmt.Sprintf("client-%d-%s", i, rand.Text()[:8])}
		if r.http2 = load.stream; load.stream {
			if w.client, err = r.client(); err != nil {
				return nil, err
			}
		}
		workers[i] = w
	}
	start := time.Now()
	ctx, cancel := context.WithDeadline(ctx, start.Add(duration))
	defer cancel()
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			if load.stream {
				w.runStream(ctx, load.batch)
			} else {
				w.run(ctx, load.batch)
			}
		})
	}
	wg.Wait()
	res := &benchResult{Clients: load.clients, Batch: load.batch, Stream: load.stream, Seconds: time.Since(start).Seconds()}
	var lat []time.Duration
	for _, w := range workers {
		if w.err != nil {
			return nil, w.err
		}
		res.Records += w.records
		res.Busy += w.busy
		res.EntryBytes = max(res.EntryBytes, w.entryBytes)
		lat = append(lat, w.latencies...)
	}
	if len(lat) == 0 {
		return nil, errors.New("no call finished in time: measure for longer")
	}
	slices.Sort(lat)
	at := func(p float64) float64 { return float64(lat[int(p*float64(len(lat)-1))]) / float64(time.Millisecond) }
	res.PerSecond = float64(res.Records) / res.Seconds
	res.P50, res.P90, res.P99, res.Max = at(0.5), at(0.9), at(0.99), at(1)
	return res, nil
}

// benchWorker is one client with an instance, a sequence and a chain of its
// own.
type benchWorker struct {
	client     onusv1connect.LedgerServiceClient
	receipts   *verifier.Receipts
	origin     string
	signer     record.Signer
	instance   string
	sequence   int64
	previous   string
	root       string
	records    int
	busy       int
	entryBytes int
	latencies  []time.Duration
	err        error
}

func (w *benchWorker) run(ctx context.Context, batch int) {
	for ctx.Err() == nil {
		recs := make([]*record.Record, batch)
		for i := range recs {
			if recs[i], w.err = w.next(); w.err != nil {
				return
			}
		}
		start := time.Now()
		err := w.send(ctx, recs)
		switch {
		case ctx.Err() != nil, connect.CodeOf(err) == connect.CodeDeadlineExceeded:
			return // the time is over, here or by the server's clock; this call does not count
		case err != nil:
			w.err = err
			return
		}
		w.latencies = append(w.latencies, time.Since(start))
	}
}

func (w *benchWorker) next() (*record.Record, error) {
	parent := w.root
	if w.sequence%20 == 0 {
		parent = "" // chains of 20
	}
	text, _ := record.NewText([]byte(w.instance))
	r, err := record.Sign(&onusv1.Record{
		Origin: w.origin, Nonce: ledger.NewNonce(),
		Author:  &onusv1.Author{Agent: benchAgent, Instance: w.instance, Operator: "bench"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Sequence: w.sequence, Previous: w.previous, Parent: parent,
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
			Element:   &onusv1.ScopeElement{Type: "bench.item", Action: "write", Location: "https://bench.invalid/items", Identifier: fmt.Sprint(w.sequence)},
			Arguments: text,
		}}},
	}, w.signer)
	if err != nil {
		return nil, err
	}
	w.sequence++
	w.previous = r.ID.String()
	if parent == "" {
		w.root = w.previous
	}
	return r, nil
}

// send submits and verifies. One record goes by Submit, several by
// SubmitBatch.
func (w *benchWorker) send(ctx context.Context, recs []*record.Record) error {
	if len(recs) == 1 {
		resp, err := w.client.Submit(ctx, &onusv1.SubmitRequest{Envelope: recs[0].Envelope.Proto()})
		return w.take(recs[0], resp, err)
	}
	req := &onusv1.SubmitBatchRequest{}
	for _, r := range recs {
		req.Items = append(req.Items, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto()})
	}
	resp, err := w.client.SubmitBatch(ctx, req)
	if err != nil {
		return err
	}
	for i, res := range resp.GetResults() {
		if err := w.takeItem(recs[i], res); err != nil {
			return err
		}
	}
	return nil
}

func (w *benchWorker) takeItem(r *record.Record, res *onusv1.SubmitResult) error {
	e := res.GetError()
	switch {
	case e == nil:
		return w.take(r, res.GetLogged(), nil)
	case e.GetProblem().GetRetryAfter() != nil:
		w.busy++
		return nil
	}
	return errors.New(e.GetMessage())
}

func (w *benchWorker) take(r *record.Record, resp *onusv1.SubmitResponse, err error) error {
	if err != nil {
		if p := problemOf(err); p.GetRetryAfter() != nil {
			w.busy++
			time.Sleep(p.GetRetryAfter().AsDuration())
			return nil
		}
		return err
	}
	if _, err := w.receipts.OpenOwn(resp.GetReceipt(), r, w.signer.Public()); err != nil {
		return unverified(err)
	}
	w.records++
	w.entryBytes = len(resp.GetReceipt().GetStamp()) + len(r.Envelope.Signature) + len(r.Envelope.Payload) + 5
	return nil
}
