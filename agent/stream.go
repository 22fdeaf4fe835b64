package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
)

// maxUnderWay is how many records of a stream wait for their answer at most;
// the server reads no more either.
const maxUnderWay = 1024

var errStalled = errors.New("the ledger took longer than the timeout to answer on the stream")

// Stream logs signed records as they come out of a channel, until it is closed,
// and hands on the receipt of each as soon as it is checked. It is for who
// records for many: a gateway, a recorder, an importer that does not end.
// Records that are there together travel together, and one alone does not wait
// for others. Records are ordered as they come, except that those which a busy
// ledger did not take are sent again and come later.
//
// For each record that is settled, settled is called once, one call after the
// other: with its receipt, or with a [*RefusedError] where the ledger will not
// log it. While settled does not return, no more than 1,024 records are taken
// out of the channel. A broken line is made anew, and what had no answer is sent
// again, as Config.OnOutage says; with [Fail], patience counts from the first time
// that the line broke since a record was settled. Stream returns nil when the channel is closed and all
// is settled. After an error, what was not settled may be logged or not, and
// may be handed in again.
//
// It needs HTTP/2 to the ledger: with an HTTPClient of your own and a Server
// without TLS, one that speaks it without (h2c). It does not wait for witnesses.
func (c *Client) Stream(ctx context.Context, records <-chan *Signed, settled func(*Signed, *Receipt, error)) error {
	if c.witnesses != nil {
		return errors.New("a stream does not wait for witnesses: use Submit, or a Client without Witnesses")
	}
	s := &streaming{c: c, records: records, settled: settled}
	var broken time.Time // since when no attempt has settled anything
	for n := 0; ; n++ {
		if err := c.heads.forked(); err != nil {
			return err
		}
		before := s.count
		err := s.attempt(ctx)
		if err == nil {
			return nil
		}
		switch err.(type) {
		case *ProofError, *ForkError:
			return err
		}
		if s.count > before || broken.IsZero() {
			n, broken = 0, time.Now()
		}
		what, problem := judge(err)
		for _, o := range s.open {
			o.maybe = o.maybe || what == uncertain
		}
		if what == refused {
			return s.failed(refusal(err, problem))
		}
		if len(s.open) == 0 && ctx.Err() == nil {
			broken = time.Time{} // it ended while there was nothing to say
			continue
		}
		pause := backoff(n, retryAfter(problem))
		if ctx.Err() != nil || c.cfg.OnOutage == Fail && time.Since(broken)+pause > c.cfg.Patience {
			return s.failed(&OutageError{Err: errors.Join(err, context.Cause(ctx))})
		}
		c.log.Warn("stream to the ledger ended, opening it again", "attempt", n+1, "pause", pause, "unsettled", len(s.open), "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// streaming is a call of Stream.
type streaming struct {
	c       *Client
	records <-chan *Signed
	settled func(*Signed, *Receipt, error)
	count   int        // of those settled
	open    []*sending // taken out of the channel and not settled, in order
	closed  bool       // the channel
}

// failed adds to an error which record it is about: the first that is open.
func (s *streaming) failed(err error) error {
	if len(s.open) == 0 {
		return err
	}
	return s.open[0].failed(err)
}

// attempt opens one stream, sends what is open and what comes, and settles what
// is answered. It returns nil when there is nothing left, and ever will be.
func (s *streaming) attempt(ctx context.Context) error {
	if len(s.open) == 0 { // until there is something to say, nobody is called
		if s.closed {
			return nil
		}
		if _, ok := s.take(ctx, nil); !ok {
			return context.Cause(ctx)
		}
		if len(s.open) == 0 {
			return nil
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st, err := s.c.streams.SubmitStream(ctx)
	if err != nil {
		return err
	}
	out := &sender{streaming: s, stream: st, unsent: s.open,
		underWay: make(chan *sending, maxUnderWay), enough: make(chan struct{}), done: make(chan struct{})}
	s.open = nil
	out.touch()
	go out.run(ctx)
	go out.watch(ctx, cancel)
	again, err := s.receive(ctx, out)
	cancel(err)
	st.CloseResponse()
	<-out.done
	close(out.underWay)
	for o := range out.underWay {
		again = append(again, o)
	}
	s.open = append(append(again, out.unsent...), s.open...)
	if err == nil && (len(s.open) > 0 || !s.closed) {
		err = errors.New("the ledger ended the stream")
	}
	return err
}

// receive settles what is answered until the stream ends. It returns those that
// are to be sent again, and why.
func (s *streaming) receive(ctx context.Context, out *sender) (again []*sending, why error) {
	for {
		resp, err := out.stream.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return again, why
		case err != nil && ctx.Err() != nil:
			return again, context.Cause(ctx)
		case err != nil:
			return again, err
		}
		out.handling.Store(true)
		for i, res := range resp.GetResults() {
			var o *sending
			select {
			case o = <-out.underWay:
			default:
				return again, &ProofError{Err: fmt.Errorf("%d results for %d records", len(resp.GetResults()), i)}
			}
			if res.GetError() == nil {
				r, err := s.c.open(ctx, o.Signed, res.GetLogged())
				if err != nil {
					return append(again, o), err
				}
				s.settle(o, r, nil)
				continue
			}
			err := itemError(res.GetError())
			what, problem := judge(err)
			if what == refused {
				s.settle(o, nil, o.failed(refusal(err, problem)))
				continue
			}
			// It is tried again after a pause, and so is what comes after it.
			o.maybe = o.maybe || what == uncertain
			again = append(again, o)
			if why == nil {
				why = err
				close(out.enough)
			}
		}
		out.touch()
		out.handling.Store(false)
	}
}

func (s *streaming) settle(o *sending, r *Receipt, err error) {
	s.count++
	s.settled(o.Signed, r, err)
}

// take waits for a record, and takes with it those that are there too, as many
// as one message holds. If it stopped waiting, it returns false.
func (s *streaming) take(ctx context.Context, enough <-chan struct{}) (n int, ok bool) {
	var first *Signed
	select {
	case first, ok = <-s.records:
	case <-enough:
		return 0, false
	case <-ctx.Done():
		return 0, false
	}
	for bytes := 0; ; n++ {
		if !ok {
			s.closed = true
			return n, true
		}
		s.open = append(s.open, &sending{Signed: first})
		if bytes += first.size(); n+1 == maxBatch || bytes > maxBatchBytes/2 {
			return n + 1, true
		}
		select {
		case first, ok = <-s.records:
		default:
			return n + 1, true
		}
	}
}

// sender sends the records of one attempt. While it runs, open, closed and
// records of its streaming are its own.
type sender struct {
	*streaming
	stream *connect.BidiStreamForClientSimple[onusv1.SubmitStreamRequest, onusv1.SubmitStreamResponse]
	unsent []*sending // from before, to be sent first
	// underWay are those that were sent, in order.
	underWay chan *sending
	enough   chan struct{} // closed: no more is to be sent on this stream
	done     chan struct{} // closed when it has ended
	touched  atomic.Int64  // when something was sent or answered, in Unix nanoseconds
	handling atomic.Bool   // an answer is being handled here
}

func (o *sender) run(ctx context.Context) {
	defer close(o.done)
	defer o.stream.CloseRequest()
	for {
		if len(o.unsent) == 0 {
			if o.closed {
				return
			}
			if _, ok := o.take(ctx, o.enough); !ok {
				return
			}
			o.unsent, o.streaming.open = o.streaming.open, nil
		}
		req := &onusv1.SubmitStreamRequest{}
		for bytes := 0; len(o.unsent) > 0 && len(req.Items) < maxBatch && bytes <= maxBatchBytes/2; {
			next := o.unsent[0]
			if len(req.Items) > 0 && len(o.underWay) == cap(o.underWay) {
				break
			}
			select {
			case o.underWay <- next:
			case <-o.enough:
				return
			case <-ctx.Done():
				return
			}
			o.unsent = o.unsent[1:]
			bytes += next.size()
			req.Items = append(req.Items, next.request())
		}
		if len(req.Items) == 0 {
			continue // the channel was closed
		}
		o.touch()
		if o.stream.Send(req) != nil {
			return // Receive says why
		}
	}
}

func (o *sender) touch() { o.touched.Store(time.Now().UnixNano()) }

// watch ends an attempt in which records wait for their answer for too long.
func (o *sender) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	most := o.c.oneAttempt()
	tick := time.NewTicker(most / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if len(o.underWay) == 0 || o.handling.Load() {
				o.touch()
			} else if now.UnixNano()-o.touched.Load() > int64(most) {
				cancel(errStalled)
			}
		}
	}
}

// streamClient is the client for streams. Without TLS, http.DefaultClient
// speaks HTTP/1.1 only, which cannot carry them.
func streamClient(cfg *ClientConfig, plain bool, usual onusv1connect.LedgerServiceClient) onusv1connect.LedgerServiceClient {
	if !plain || cfg.HTTPClient != http.DefaultClient {
		return usual
	}
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return usual
	}
	t = t.Clone()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetUnencryptedHTTP2(true)
	return onusv1connect.NewLedgerServiceClient(&http.Client{Transport: t}, cfg.Server, connect.WithReadMaxBytes(maxAnswer))
}
