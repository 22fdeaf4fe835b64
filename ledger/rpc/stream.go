package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
)

// A stream of records is read, logged and answered by three goroutines. What
// has arrived while the parts before are being logged makes the next part: a
// record alone is answered in one sync, and many share one. Two parts are logged
// at a time, so that one is admitted, on all processors, while the other is on
// its way to the disk; they take their places in the order one after the other.
//
// A stream is let in once and may stay for days, so that its credential is
// looked at again, before a part, when it was last looked at some time ago. A
// peer that is silent, or does not take its answers, is not kept for ever.
type recordStream struct {
	*service
	stream *connect.BidiStream[onusv1.SubmitStreamRequest, onusv1.SubmitStreamResponse]
	wakes  wakes
	room   room
	// reading ends when no more is to be read, with the reason as its cause;
	// what was read is still logged and answered.
	reading context.Context
	refuse  context.CancelCauseFunc
}

// Under way are the records that were read and not answered. Each takes a share
// of the room, more if it is large: at most 1,024 have a place, or 32 MiB of
// them. One message, of MaxMessage bytes at most, may wait for its place.
const (
	streamRoom  = 32 << 20
	recordShare = streamRoom / 1024
)

// streamTimes bounds a stream's life.
type streamTimes struct {
	idle    time.Duration // without a message
	answers time.Duration // for an answer to be taken
	recheck time.Duration // from one look at the credential to the next
}

func (t streamTimes) withDefaults() streamTimes {
	return streamTimes{cmp.Or(t.idle, 10*time.Minute), cmp.Or(t.answers, time.Minute), cmp.Or(t.recheck, 30*time.Second)}
}

var (
	errIdle     = errors.New("nothing came on the stream for a long time; what came before is answered")
	errNotHTTP2 = errors.New("SubmitStream needs HTTP/2, and this call came over HTTP/1.1")
)

// part is some records of a stream, in order.
type part struct {
	items []*onusv1.SubmitRequest
	share int64
	// results has room for the one answer.
	results chan []*onusv1.SubmitResult
}

func (s *service) SubmitStream(ctx context.Context, stream *connect.BidiStream[onusv1.SubmitStreamRequest, onusv1.SubmitStreamResponse]) error {
	rs := &recordStream{service: s, stream: stream, wakes: wakes{control: connectionOf(ctx).control}, room: room{free: streamRoom}}
	rs.reading, rs.refuse = context.WithCancelCause(ctx)
	defer rs.refuse(nil)
	defer context.AfterFunc(s.stopping, func() { rs.refuse(ledger.ErrStopped) })()
	defer context.AfterFunc(rs.reading, rs.wakes.reader)()
	defer rs.wakes.end()

	read := make(chan part, streamRoom/recordShare) // as many as have room: sending never blocks
	logged := make(chan part, 1)
	var readErr error
	go func() {
		defer close(read)
		readErr = rs.read(read)
	}()
	go func() {
		defer close(logged)
		rs.submit(ctx, read, logged)
	}()
	rs.answer(logged)

	// Both goroutines have ended.
	err := readErr
	if rs.reading.Err() != nil {
		err = context.Cause(rs.reading)
	}
	var told *connect.Error
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &told):
		return err
	}
	return s.fail(err)
}

// read reads messages until there are no more, or no more are to be read.
func (rs *recordStream) read(to chan<- part) error {
	idle := time.AfterFunc(rs.times.idle, func() { rs.refuse(errIdle) })
	defer idle.Stop()
	for rs.reading.Err() == nil {
		idle.Reset(rs.times.idle)
		req, err := rs.stream.Receive()
		idle.Stop()
		if err != nil {
			return err
		}
		p := part{items: req.GetItems()}
		if n := len(p.items); n == 0 || n > MaxBatch {
			return rs.fail(&record.Error{Reason: record.ReasonInvalid, Field: "items",
				Detail: fmt.Sprintf("has %d records", n), Next: fmt.Sprintf("send 1 to %d in a message", MaxBatch)})
		}
		for _, item := range p.items {
			p.share += max(recordShare, size(item))
		}
		p.share = min(p.share, streamRoom)
		if err := rs.room.take(rs.reading, p.share); err != nil {
			return err
		}
		to <- p
	}
	return rs.reading.Err()
}

// size is roughly what a record takes in memory.
func size(item *onusv1.SubmitRequest) int64 {
	n := len(item.GetEnvelope().GetPayload()) + len(item.GetUserToken())
	for _, c := range item.GetContents() {
		n += len(c.GetData())
	}
	return int64(n)
}

// submit logs what was read: all that is there by then, at most a batch of it.
func (rs *recordStream) submit(ctx context.Context, from <-chan part, to chan<- part) {
	let := time.Now()
	last := turn{after: make(chan struct{})}
	close(last.after)
	var held part // did not fit into the part before
	for {
		p := held
		held = part{}
		if p.items == nil {
			var ok bool
			if p, ok = <-from; !ok {
				return
			}
		}
		for held.items == nil && len(p.items) < MaxBatch {
			more, ok := part{}, false
			select {
			case more, ok = <-from:
			default:
			}
			if !ok {
				break
			}
			if len(p.items)+len(more.items) > MaxBatch {
				held = more
			} else {
				p.items, p.share = append(p.items, more.items...), p.share+more.share
			}
		}
		if time.Since(let) >= rs.times.recheck {
			if _, err := rs.guard.admit(ctx, onusv1connect.LedgerServiceSubmitStreamProcedure, rs.stream.Peer().Addr, rs.stream.RequestHeader()); err != nil {
				rs.refuse(err)
				for range from { // until the reader has heard of it
				}
				return
			}
			let = time.Now()
		}
		items := p.items
		p.items, p.results = nil, make(chan []*onusv1.SubmitResult, 1)
		to <- p // has room for one, and so two are under way
		last = turn{before: last.after, after: make(chan struct{})}
		go func(t turn) {
			p.results <- rs.submitAll(ctx, items, t, "is set in a record of a stream, which does not wait for witnesses",
				"leave it out, and ask for the receipt with GetReceipt and wait; or call Submit or SubmitBatch")
		}(last)
	}
}

// answer sends the results, and makes room.
func (rs *recordStream) answer(from <-chan part) {
	stuck := time.AfterFunc(rs.times.answers, func() {
		rs.log.Warn("a stream's answers were not taken: the stream is ended", "caller", callerOf(rs.reading).Name, "peer", rs.stream.Peer().Addr)
		rs.wakes.writer()
	})
	defer stuck.Stop()
	failed := false
	for p := range from {
		results := <-p.results
		if !failed {
			stuck.Reset(rs.times.answers)
			if err := rs.stream.Send(&onusv1.SubmitStreamResponse{Results: results}); err != nil {
				failed = true
				rs.refuse(err)
			}
		}
		stuck.Stop()
		rs.room.give(p.share)
	}
}

// wakes wakes up who waits for the peer, by a deadline that has passed. After
// the handler has returned its connection is not to be touched.
type wakes struct {
	mu      sync.Mutex
	control *http.ResponseController // under mu
	ended   bool                     // under mu
}

func (w *wakes) reader() { w.pass((*http.ResponseController).SetReadDeadline) }
func (w *wakes) writer() { w.pass((*http.ResponseController).SetWriteDeadline) }

func (w *wakes) pass(set func(*http.ResponseController, time.Time) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		set(w.control, time.Now())
	}
}

func (w *wakes) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// room is what a stream may take. One goroutine takes, and waits for another to
// give back.
type room struct {
	mu    sync.Mutex
	free  int64         // under mu
	given chan struct{} // under mu: closed when there is more; nil if nobody waits
}

func (r *room) take(ctx context.Context, n int64) error {
	for {
		r.mu.Lock()
		if r.free >= n {
			r.free -= n
			r.mu.Unlock()
			return nil
		}
		given := make(chan struct{})
		r.given = given
		r.mu.Unlock()
		select {
		case <-given:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *room) give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += n
	if r.given != nil {
		close(r.given)
		r.given = nil
	}
}

// overHTTP2 says what to do to who calls a stream over HTTP/1.1, where requests
// and answers cannot cross. Connect itself would answer with a bare status.
func (s *service) overHTTP2(next http.Handler, opts []connect.HandlerOption) http.Handler {
	errs := connect.NewErrorWriter(opts...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor >= 2 {
			next.ServeHTTP(w, r)
			return
		}
		// Who expects both directions may go on sending for ever.
		w.Header().Set("Connection", "close")
		p, text := problemOf(errNotHTTP2, s.log)
		if errs.IsSupported(r) {
			errs.Write(w, r, connectError(p, text))
			return
		}
		http.Error(w, text+": "+p.GetNext(), http.StatusHTTPVersionNotSupported)
	})
}
