package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
)

type rpcAsk struct {
	Dir      string        `json:"dir"`
	Row      string        `json:"row"`
	Clients  int           `json:"clients"`
	Round    int           `json:"round"`
	Warm     time.Duration `json:"warm_ns"`
	Measured time.Duration `json:"measured_ns"`
	Expect   float64       `json:"expect"`
}

type rpcFigures struct {
	Row     string `json:"row"`
	Clients int    `json:"clients"`
	Round   int    `json:"round"`
	outcome
}

// runRPC is one cell: a ledger that is served as onus serve does it, and its
// clients.
func runRPC(ctx context.Context, a rpcAsk) (f *rpcFigures, err error) {
	row := rpcRowNamed(a.Row)
	if row == nil {
		return nil, errors.New("there is no row " + a.Row)
	}
	dir, err := os.MkdirTemp(a.Dir, "rpc-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := startServed(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.prepare(ctx, row, a); err != nil {
		return nil, err
	}
	l := newLoad(a.Clients, a.Warm, a.Measured)
	used, began, all, before := cpuTime(), time.Now(), machineTime(), s.log.ledger.Size()
	switch row.call {
	case "stream":
		err = s.stream(ctx, l)
	default:
		err = l.run(ctx, func() func(context.Context) error { return s.worker(row) })
	}
	if err != nil {
		return nil, err
	}
	f = &rpcFigures{Row: a.Row, Clients: a.Clients, Round: a.Round, outcome: *l.outcome()}
	f.Rate *= float64(row.records)
	f.Entries *= int64(row.records)
	used = cpuTime() - used
	f.CPU = float64(used.Microseconds()) / float64(l.acknowledged()*int64(row.records))
	f.Others = max(0, (machineTime()-all-used).Seconds()/(time.Since(began).Seconds()*float64(runtime.NumCPU())))
	want := l.acknowledged() * int64(row.records)
	if row.call == "nothing" {
		want = 0
	}
	if got := s.log.ledger.Size() - before; got != want {
		return nil, fmt.Errorf("the log grew by %d entries, and %d were acknowledged", got, want)
	}
	return f, nil
}

// served is a ledger behind its server, with the records for it.
type served struct {
	log      *onusLog
	url      string
	receipts *ownReceipts
	own      []ledger.Submission
	next     atomic.Int64
	answer   atomic.Pointer[onusv1.SubmitResponse] // of the call that does nothing

	stop context.CancelFunc
	done chan error
}

func startServed(ctx context.Context, dir string) (*served, error) {
	made, err := createOnusLog(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := made.close(); err != nil {
		return nil, err
	}
	s := &served{done: make(chan error, 1)}
	if s.log, err = openIdle(made.seed, dir); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, s.log.ledger.Close())
	}
	s.url = "http://" + ln.Addr().String()
	s.receipts = newOwnReceipts(s.log)
	server := &rpc.Server{Ledger: s.log.ledger, Pages: s.nothing()}
	var serving context.Context
	serving, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() { s.done <- server.Serve(serving, ln) }()
	return s, nil
}

func (s *served) close() error {
	s.stop()
	return errors.Join(<-s.done, s.log.ledger.Close())
}

const (
	nothingProcedure      = "/bench.Nothing/Submit"
	nothingBatchProcedure = "/bench.Nothing/SubmitBatch"
)

// nothing answers calls without doing anything. It stands where the viewer's
// pages do, so that its calls go through the same server.
func (s *served) nothing() http.Handler {
	mux := http.NewServeMux()
	options := []connect.HandlerOption{connect.WithCompressMinBytes(4096), connect.WithReadMaxBytes(rpc.MaxMessage)}
	mux.Handle(nothingProcedure, connect.NewUnaryHandler(nothingProcedure,
		func(context.Context, *connect.Request[onusv1.SubmitRequest]) (*connect.Response[onusv1.SubmitResponse], error) {
			return connect.NewResponse(s.answer.Load()), nil
		}, options...))
	mux.Handle(nothingBatchProcedure, connect.NewUnaryHandler(nothingBatchProcedure,
		func(_ context.Context, req *connect.Request[onusv1.SubmitBatchRequest]) (*connect.Response[onusv1.SubmitBatchResponse], error) {
			resp := &onusv1.SubmitBatchResponse{}
			for range req.Msg.GetItems() {
				resp.Results = append(resp.Results, &onusv1.SubmitResult{Result: &onusv1.SubmitResult_Logged{Logged: s.answer.Load()}})
			}
			return connect.NewResponse(resp), nil
		}, options...))
	return mux
}

// prepare signs the records, and logs a few, so that proofs have some length and
// the call that does nothing an answer of the usual size.
func (s *served) prepare(ctx context.Context, row *rpcRow, a rpcAsk) error {
	const few = 2000
	under := a.Clients * row.records
	if row.call == "stream" {
		under = streamWindow
	}
	n := few + supplyOf(cell{Submitters: under, Warm: a.Warm, Measured: a.Measured, Expect: a.Expect})
	if row.call == "nothing" {
		n = few + 1000 // sent again and again
	}
	var err error
	if s.own, err = signAll(ctx, plain{s.log}, n); err != nil {
		return err
	}
	client := s.client(1)
	for range few / 100 {
		batch, err := s.take(100)
		if err != nil {
			return err
		}
		resp, err := client.SubmitBatch(ctx, batchRequest(batch))
		if err != nil {
			return err
		}
		if err := s.openAll(batch, resp.GetResults()); err != nil {
			return err
		}
		s.answer.Store(resp.GetResults()[0].GetLogged())
	}
	return nil
}

// take returns the next records, or errSpent.
func (s *served) take(n int) ([]ledger.Submission, error) {
	end := s.next.Add(int64(n))
	if end > int64(len(s.own)) {
		return nil, errSpent
	}
	return s.own[end-int64(n) : end], nil
}

// httpClient returns one with a connection of its own.
func httpClient(version int) *http.Client {
	t := &http.Transport{MaxIdleConnsPerHost: 1, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(version == 1)
	t.Protocols.SetUnencryptedHTTP2(version == 2)
	return &http.Client{Transport: t}
}

func (s *served) client(version int) onusv1connect.LedgerServiceClient {
	return onusv1connect.NewLedgerServiceClient(httpClient(version), s.url, connect.WithReadMaxBytes(32<<20))
}

// worker is one client.
func (s *served) worker(row *rpcRow) func(context.Context) error {
	switch {
	case row.call == "nothing":
		return s.idler(row)
	case row.records == 1:
		client := s.client(row.http)
		return func(ctx context.Context) error {
			r, err := s.take(1)
			if err != nil {
				return err
			}
			resp, err := client.Submit(ctx, &onusv1.SubmitRequest{Envelope: r[0].Envelope.Proto()})
			if err != nil {
				return err
			}
			return s.open(r[0], resp)
		}
	default:
		client := s.client(row.http)
		return func(ctx context.Context) error {
			batch, err := s.take(row.records)
			if err != nil {
				return err
			}
			resp, err := client.SubmitBatch(ctx, batchRequest(batch))
			if err != nil {
				return err
			}
			return s.openAll(batch, resp.GetResults())
		}
	}
}

// idler is a client of the calls that do nothing.
func (s *served) idler(row *rpcRow) func(context.Context) error {
	sent := s.own[len(s.own)-max(100, row.records):]
	if row.records > 1 {
		client := connect.NewClient[onusv1.SubmitBatchRequest, onusv1.SubmitBatchResponse](httpClient(row.http), s.url+nothingBatchProcedure)
		return func(ctx context.Context) error {
			resp, err := client.CallUnary(ctx, connect.NewRequest(batchRequest(sent[:row.records])))
			if err == nil && len(resp.Msg.GetResults()) != row.records {
				err = errors.New("an answer has another number of results")
			}
			return err
		}
	}
	client := connect.NewClient[onusv1.SubmitRequest, onusv1.SubmitResponse](httpClient(row.http), s.url+nothingProcedure)
	i := 0
	return func(ctx context.Context) error {
		i = (i + 1) % len(sent)
		resp, err := client.CallUnary(ctx, connect.NewRequest(&onusv1.SubmitRequest{Envelope: sent[i].Envelope.Proto()}))
		if err == nil && resp.Msg.GetReceipt() == nil {
			err = errors.New("an answer has no receipt")
		}
		return err
	}
}

func batchRequest(batch []ledger.Submission) *onusv1.SubmitBatchRequest {
	return &onusv1.SubmitBatchRequest{Items: items(batch)}
}

func items(batch []ledger.Submission) []*onusv1.SubmitRequest {
	all := make([]*onusv1.SubmitRequest, len(batch))
	for i, r := range batch {
		all[i] = &onusv1.SubmitRequest{Envelope: r.Envelope.Proto()}
	}
	return all
}

// openAll verifies the receipts of a batch.
func (s *served) openAll(batch []ledger.Submission, results []*onusv1.SubmitResult) error {
	if len(results) != len(batch) {
		return fmt.Errorf("%d results for %d records", len(results), len(batch))
	}
	for i, res := range results {
		if e := res.GetError(); e != nil {
			return errors.New(e.GetMessage())
		}
		if err := s.open(batch[i], res.GetLogged()); err != nil {
			return err
		}
	}
	return nil
}

func (s *served) open(r ledger.Submission, resp *onusv1.SubmitResponse) error {
	if resp.GetDuplicate() {
		return fmt.Errorf("record %s was in the log before", r.Envelope.ID())
	}
	return s.receipts.open(resp.GetReceipt(), r.Envelope)
}
