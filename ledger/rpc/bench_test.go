package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
)

// The benchmarks log on the disk, with client and server in one process, and
// verify each receipt. BenchmarkNothing makes the same calls to a server with
// the same stack that does nothing: what is left then is the price of a call.

func BenchmarkUnary(b *testing.B) { overClients(b, logging, unary, 1, 64, 512) }
func BenchmarkBatch(b *testing.B) { overClients(b, logging, batch, 1, 8) }

// BenchmarkStream has one record in a message, or up to 64.
func BenchmarkStream(b *testing.B) {
	b.Run("message=1", func(b *testing.B) { overClients(b, logging, stream(1), 1, 8) })
	b.Run("message=64", func(b *testing.B) { overClients(b, logging, stream(64), 1, 8) })
}

func BenchmarkNothing(b *testing.B) {
	b.Run("unary", func(b *testing.B) { overClients(b, idling, unary, 1, 64, 512) })
	b.Run("batch", func(b *testing.B) { overClients(b, idling, batch, 8) })
	b.Run("stream", func(b *testing.B) { overClients(b, idling, stream(64), 1) })
}

// benchWorld is a server with records to be sent to it.
type benchWorld struct {
	*server
	client   onusv1connect.LedgerServiceClient
	streams  onusv1connect.LedgerServiceClient // over HTTP/2
	recs     []*record.Record
	next     atomic.Int64
	receipts *verifier.Receipts // nil: what is answered is no receipt
	took     []time.Duration
}

// take returns the next n records, and where they begin; fewer at the end.
func (w *benchWorld) take(n int) (int, []*record.Record) {
	end := int(w.next.Add(int64(n)))
	return end - n, w.recs[min(end-n, len(w.recs)):min(end, len(w.recs))]
}

func (w *benchWorld) open(at int, start time.Time, res *onusv1.SubmitResponse) error {
	if w.receipts != nil {
		if _, err := w.receipts.OpenOwn(res.GetReceipt(), w.recs[at], w.agent.Public()); err != nil {
			return err
		}
	} else if res.GetReceipt() == nil {
		return errors.New("no answer")
	}
	w.took[at] = time.Since(start)
	return nil
}

// client is one of several; it returns when there are no records left.
type client func(ctx context.Context, w *benchWorld) error

func overClients(b *testing.B, begin func(*testing.B) *benchWorld, run client, counts ...int) {
	for _, n := range counts {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			w := begin(b)
			for range b.N {
				w.recs = append(w.recs, w.server.next(nil))
			}
			w.took = make([]time.Duration, b.N)
			b.ResetTimer()
			cpu := processorTime(b)
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if err := run(context.Background(), w); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			cpu = processorTime(b) - cpu
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/record")
			slices.Sort(w.took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(w.took[len(w.took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(w.took[len(w.took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// logging is a ledger on the disk.
func logging(b *testing.B) *benchWorld {
	s := newServerWith(b, nil, func(c *ledger.Config) { c.FS, c.Dir = vfs.Default, b.TempDir() }, nil)
	return &benchWorld{server: s, client: onusv1connect.NewLedgerServiceClient(manyConns(), s.url),
		streams: onusv1connect.NewLedgerServiceClient(h2c(), s.url), receipts: verifier.NewReceipts(s.key)}
}

// idling answers every record with the receipt of another.
func idling(b *testing.B) *benchWorld {
	s := newServer(b, nil)
	resp, err := s.client.Submit(context.Background(), &onusv1.SubmitRequest{Envelope: s.next(nil).Envelope.Proto()})
	must(b, err)
	hs := rpc.NothingServer(&rpc.Server{Ledger: s.ledger}, resp)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	go hs.Serve(ln)
	b.Cleanup(func() { hs.Close() })
	url := "http://" + ln.Addr().String()
	return &benchWorld{server: s, client: onusv1connect.NewLedgerServiceClient(manyConns(), url), streams: onusv1connect.NewLedgerServiceClient(h2c(), url)}
}

// processorTime is what client and server have used of all processors. Unlike the
// rate it says the same on a busy machine.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// manyConns speaks HTTP/1.1, over a connection for each call under way.
func manyConns() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}
}

func unary(ctx context.Context, w *benchWorld) error {
	for {
		at, recs := w.take(1)
		if len(recs) == 0 {
			return nil
		}
		start := time.Now()
		resp, err := w.client.Submit(ctx, &onusv1.SubmitRequest{Envelope: recs[0].Envelope.Proto()})
		if err == nil {
			err = w.open(at, start, resp)
		}
		if err != nil {
			return err
		}
	}
}

func batch(ctx context.Context, w *benchWorld) error {
	for {
		at, recs := w.take(100)
		if len(recs) == 0 {
			return nil
		}
		start := time.Now()
		req := &onusv1.SubmitBatchRequest{}
		for _, r := range recs {
			req.Items = append(req.Items, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto()})
		}
		resp, err := w.client.SubmitBatch(ctx, req)
		if err != nil {
			return err
		}
		for i, res := range resp.GetResults() {
			if err := w.open(at+i, start, res.GetLogged()); err != nil {
				return err
			}
		}
	}
}

// stream keeps 512 records under way and sends what there is room for, at most
// n in a message.
func stream(n int) client {
	type sent struct {
		at    int
		start time.Time
	}
	return func(ctx context.Context, w *benchWorld) error {
		st, err := w.streams.SubmitStream(ctx)
		if err != nil {
			return err
		}
		underWay := make(chan sent, 512)
		sending := make(chan error, 1)
		go func() {
			defer close(underWay)
			for {
				at, recs := w.take(n)
				if len(recs) == 0 {
					sending <- st.CloseRequest()
					return
				}
				req := &onusv1.SubmitStreamRequest{}
				start := time.Now()
				for i, r := range recs {
					req.Items = append(req.Items, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto()})
					underWay <- sent{at + i, start}
				}
				if err := st.Send(req); err != nil {
					sending <- err
					return
				}
			}
		}()
		for {
			resp, err := st.Receive()
			if errors.Is(err, io.EOF) {
				return <-sending
			}
			if err != nil {
				return err
			}
			for _, res := range resp.GetResults() {
				s, ok := <-underWay
				if !ok {
					return errors.New("an answer to nothing")
				}
				if err := w.open(s.at, s.start, res.GetLogged()); err != nil {
					return err
				}
			}
		}
	}
}
