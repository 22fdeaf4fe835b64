package rpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
)

type recordStream = connect.BidiStreamForClientSimple[onusv1.SubmitStreamRequest, onusv1.SubmitStreamResponse]

func (s *server) streams(opts ...connect.ClientOption) onusv1connect.LedgerServiceClient {
	return onusv1connect.NewLedgerServiceClient(h2c(), s.url, opts...)
}

func (s *server) open(ctx context.Context, opts ...connect.ClientOption) *recordStream {
	s.t.Helper()
	st, err := s.streams(opts...).SubmitStream(ctx)
	must(s.t, err)
	return st
}

func message(recs ...*record.Record) *onusv1.SubmitStreamRequest {
	req := &onusv1.SubmitStreamRequest{}
	for _, r := range recs {
		req.Items = append(req.Items, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto()})
	}
	return req
}

// results reads n results, or those that came before the error.
func results(st *recordStream, n int) ([]*onusv1.SubmitResult, error) {
	var all []*onusv1.SubmitResult
	for len(all) < n {
		resp, err := st.Receive()
		if err != nil {
			return all, err
		}
		all = append(all, resp.GetResults()...)
	}
	if len(all) > n {
		return all, fmt.Errorf("%d results, want %d", len(all), n)
	}
	return all, nil
}

// opened verifies the receipt of r in a result.
func (s *server) opened(res *onusv1.SubmitResult, r *record.Record) *verifier.Proven {
	s.t.Helper()
	if e := res.GetError(); e != nil {
		s.t.Fatalf("refused: %s %s", e.GetCode(), e.GetMessage())
	}
	p, err := verifier.OpenReceipt(res.GetLogged().GetReceipt(), r.Envelope.Type, r.Envelope.Payload, s.key, s.agent.Public())
	must(s.t, err)
	return p
}

// Over every protocol that can: a record alone is answered while the stream is
// open, and many are ordered as sent, however they were put into messages.
func TestStreamAnswersInOrder(t *testing.T) {
	s := newServer(t, nil)
	for name, opts := range map[string][]connect.ClientOption{
		"connect": nil, "JSON": {connect.WithProtoJSON()}, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()},
		"gzip": {connect.WithSendGzip()},
	} {
		t.Run(name, func(t *testing.T) {
			st := s.open(context.Background(), opts...)
			next := s.ledger.Size()
			for range 3 {
				r := s.next(nil)
				must(t, st.Send(message(r)))
				res, err := results(st, 1)
				must(t, err)
				if p := s.opened(res[0], r); p.Index != next {
					t.Errorf("index %d, want %d", p.Index, next)
				}
				next++
			}
			var recs []*record.Record
			sizes := []int{1, 256, 1, 1, 40, 256, 7, 3}
			for _, n := range sizes {
				for range n {
					recs = append(recs, s.next(nil))
				}
			}
			sent := make(chan error, 1)
			go func() {
				from := 0
				for _, n := range sizes {
					if err := st.Send(message(recs[from : from+n]...)); err != nil {
						sent <- err
						return
					}
					from += n
				}
				sent <- st.CloseRequest()
			}()
			res, err := results(st, len(recs))
			must(t, err)
			must(t, <-sent)
			for i, r := range recs {
				if p := s.opened(res[i], r); p.Index != next+int64(i) {
					t.Fatalf("record %d has index %d, want %d", i, p.Index, next+int64(i))
				}
			}
			if _, err := st.Receive(); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v, want EOF", err)
			}
		})
	}
}

// A record that is refused has its error in its place, and the stream goes on.
func TestStreamRefusalsEndNothing(t *testing.T) {
	s := newServer(t, nil)
	st := s.open(context.Background())
	a, bent, c, d := s.next(nil), s.next(nil), s.next(nil), s.next(nil)
	req := message(a, bent, c, d)
	req.Items[1].Envelope.Signatures[0].Sig = make([]byte, 64)
	req.Items[2].Wait = onusv1.Wait_WAIT_WITNESSED
	req.Items = append(req.Items, &onusv1.SubmitRequest{}, &onusv1.SubmitRequest{Envelope: a.Envelope.Proto()})
	must(t, st.Send(req))
	res, err := results(st, 6)
	must(t, err)
	if s.opened(res[0], a).Index != 4 || s.opened(res[3], d).Index != 5 {
		t.Error("the good ones are not logged in their order")
	}
	if p := s.opened(res[5], a); p.Index != 4 || !res[5].GetLogged().GetDuplicate() {
		t.Errorf("the same record again: %+v", res[5])
	}
	for i, want := range map[int]struct{ code, reason, field, next string }{
		1: {"unauthenticated", "BAD_SIGNATURE", "envelope.signatures[0].sig", "sign exactly"},
		2: {"invalid_argument", "INVALID_FIELD", "wait", "call Submit"},
		4: {"invalid_argument", "INVALID_FIELD", "envelope", "send the signed record"},
	} {
		e := res[i].GetError()
		if e.GetCode() != want.code || e.GetProblem().GetReason() != want.reason || !strings.HasPrefix(e.GetProblem().GetField(), want.field) || !strings.Contains(e.GetProblem().GetNext(), want.next) {
			t.Errorf("record %d: %v, want %+v", i, e, want)
		}
	}
	e := s.next(nil)
	must(t, st.Send(message(e)))
	res, err = results(st, 1)
	must(t, err)
	s.opened(res[0], e)
	must(t, st.CloseRequest())
}

// A message that is none ends the stream, after the answers to what came before.
func TestStreamMessagesAreBounded(t *testing.T) {
	s := newServer(t, nil)
	for name, bad := range map[string]*onusv1.SubmitStreamRequest{
		"empty": {}, "of 257": {Items: make([]*onusv1.SubmitRequest, rpc.MaxBatch+1)},
	} {
		for i := range bad.Items {
			bad.Items[i] = &onusv1.SubmitRequest{}
		}
		st := s.open(context.Background())
		r := s.next(nil)
		must(t, st.Send(message(r)))
		must(t, st.Send(bad))
		res, err := results(st, 2)
		code, p := problem(t, err)
		if code != connect.CodeInvalidArgument || p.GetField() != "items" || p.GetNext() == "" || len(res) != 1 {
			t.Errorf("%s: %v %v, after %d results", name, err, p, len(res))
		}
		s.opened(res[0], r)
	}
}

// A client that sends and does not read is read no further than its room, and
// loses nothing.
func TestStreamPushesBack(t *testing.T) {
	s := newServer(t, nil)
	tr := h2c().Transport.(*http.Transport)
	tr.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 16 << 10, MaxReceiveBufferPerConnection: 64 << 10}
	st, err := onusv1connect.NewLedgerServiceClient(&http.Client{Transport: tr}, s.url).SubmitStream(context.Background())
	must(t, err)
	recs := make([]*record.Record, 3000)
	for i := range recs {
		recs[i] = s.next(nil)
	}
	sent := make(chan error, 1)
	go func() {
		for _, r := range recs {
			if err := st.Send(message(r)); err != nil {
				sent <- err
				return
			}
		}
		sent <- st.CloseRequest()
	}()
	// It comes to rest.
	for before := int64(-1); before != s.ledger.Size(); time.Sleep(300 * time.Millisecond) {
		before = s.ledger.Size()
	}
	// 1,024 under way, and the answers that the connection's buffers took, each
	// of more than 512 bytes.
	if n := s.ledger.Size() - 4; n > 1024+(64<<10)/512 {
		t.Errorf("%d records were logged before an answer was read", n)
	}
	res, err := results(st, len(recs))
	must(t, err)
	must(t, <-sent)
	for i, r := range recs {
		if p := s.opened(res[i], r); p.Index != int64(4+i) {
			t.Fatalf("record %d has index %d", i, p.Index)
		}
	}
}

// Who never takes the answers is not kept.
func TestStreamEndsWhenAnswersAreNotTaken(t *testing.T) {
	w := newWorld(t, func(srv *rpc.Server) { srv.BoundStreams(0, 50*time.Millisecond, 0) })
	tr := h2c().Transport.(*http.Transport)
	tr.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 16 << 10, MaxReceiveBufferPerConnection: 64 << 10}
	w.base = tr
	st, err := w.as("agent").SubmitStream(context.Background())
	must(t, err)
	for {
		if err := st.Send(message(w.next(nil))); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("Send: %v", err)
			}
			break
		}
	}
	if !strings.Contains(w.log.String(), "answers were not taken") {
		t.Errorf("the server's log does not say why: %s", w.log.String())
	}
}

func TestStreamIdle(t *testing.T) {
	s := newServer(t, func(srv *rpc.Server) { srv.BoundStreams(100*time.Millisecond, 0, 0) })
	st := s.open(context.Background())
	r := s.next(nil)
	must(t, st.Send(message(r)))
	res, err := results(st, 2)
	code, p := problem(t, err)
	if code != connect.CodeUnavailable || p.GetReason() != "STREAM_IDLE" || p.GetNext() == "" || len(res) != 1 {
		t.Errorf("got %v %v, after %d results", err, p, len(res))
	}
	s.opened(res[0], r)
}

// What had no answer when the line broke is sent again, and stands in the log
// once.
func TestStreamAgainAfterDisconnect(t *testing.T) {
	s := newServer(t, nil)
	recs := make([]*record.Record, 2000)
	for i := range recs {
		recs[i] = s.next(nil)
	}
	ctx, cancel := context.WithCancel(context.Background())
	st := s.open(ctx)
	go func() {
		for _, r := range recs {
			if st.Send(message(r)) != nil {
				return
			}
		}
	}()
	n := 0
	for n < 300 {
		resp, err := st.Receive()
		must(t, err)
		n += len(resp.GetResults())
	}
	cancel()
	if _, err := results(st, len(recs)); connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("after cancelling: %v", err)
	}

	st = s.open(context.Background())
	go func() {
		for _, r := range recs[n:] {
			if st.Send(message(r)) != nil {
				return
			}
		}
		st.CloseRequest()
	}()
	res, err := results(st, len(recs)-n)
	must(t, err)
	duplicates := 0
	for i, r := range recs[n:] {
		if p := s.opened(res[i], r); p.Index != int64(4+n+i) {
			t.Fatalf("record %d has index %d", n+i, p.Index)
		}
		if res[i].GetLogged().GetDuplicate() {
			duplicates++
		}
	}
	if got, want := s.ledger.Size(), int64(4+len(recs)); got != want {
		t.Errorf("the log has %d entries, want %d", got, want)
	}
	t.Logf("%d were answered, %d more were logged", n, duplicates)
}

// What a stream's records were answered stands in the log, and the stream ends
// with the code that says to come back.
func TestStreamShutdown(t *testing.T) {
	s := newServer(t, nil)
	st := s.open(context.Background())
	recs := make([]*record.Record, 3000)
	for i := range recs {
		recs[i] = s.next(nil)
	}
	go func() {
		for _, r := range recs {
			if st.Send(message(r)) != nil {
				return
			}
		}
	}()
	first, err := st.Receive()
	must(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	res, err := results(st, len(recs)+1)
	res = append(first.GetResults(), res...)
	code, p := problem(t, err)
	if code != connect.CodeUnavailable || p.GetReason() != "STOPPING" || p.GetRetryAfter() == nil {
		t.Errorf("the stream ended with %v %v", err, p)
	}
	must(t, <-stopped)
	for i := range res {
		if got := s.opened(res[i], recs[i]); got.Index != int64(4+i) {
			t.Fatalf("record %d has index %d", i, got.Index)
		}
	}
	if got := s.ledger.Size(); got != int64(4+len(res)) {
		t.Errorf("%d answers, and the log has %d entries beside the first four", len(res), got-4)
	}
}

// A credential that was taken away while a stream is open logs nothing more
// once it is looked at again.
func TestStreamLooksAtTheCredentialAgain(t *testing.T) {
	w := newWorld(t, func(srv *rpc.Server) { srv.BoundStreams(0, 0, time.Nanosecond) })
	w.base = h2c().Transport
	st, err := w.as("agent").SubmitStream(context.Background())
	must(t, err)
	r := w.next(nil)
	must(t, st.Send(message(r)))
	res, err := results(st, 1)
	must(t, err)
	w.opened(res[0], r)

	text, err := os.ReadFile(w.file)
	must(t, err)
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "the-agent ") {
			kept = append(kept, line)
		}
	}
	must(t, os.WriteFile(w.file, []byte(strings.Join(kept, "")), 0o600))
	size, denied := w.ledger.Size(), w.srv.Denied()
	must(t, st.Send(message(w.next(nil))))
	if _, err = results(st, 1); answer(t, err) != "unauthenticated" {
		t.Errorf("got %v", err)
	}
	if w.ledger.Size() != size || w.srv.Denied() != denied+1 {
		t.Errorf("%d records were logged, %d calls denied", w.ledger.Size()-size, w.srv.Denied()-denied)
	}
	w.checkLog()
}

// Over HTTP/1.1 there is an error, whatever the protocol, and no waiting.
func TestStreamOverHTTP1(t *testing.T) {
	s := newServer(t, nil)
	for name, opts := range map[string][]connect.ClientOption{"connect": nil, "gRPC-Web": {connect.WithGRPCWeb()}} {
		st, err := onusv1connect.NewLedgerServiceClient(http.DefaultClient, s.url, opts...).SubmitStream(context.Background())
		must(t, err)
		if err := st.Send(message(s.next(nil))); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%s: Send: %v", name, err)
		}
		if _, err := st.Receive(); connect.CodeOf(err) != connect.CodeUnimplemented || !strings.Contains(err.Error(), "HTTP/2") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for contentType, status := range map[string]int{"application/connect+json": 200, "text/plain": 505, "application/json": 501} {
		resp, err := http.Post(s.url+onusv1connect.LedgerServiceSubmitStreamProcedure, contentType, strings.NewReader("{}"))
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		must(t, err)
		if resp.StatusCode != status || !strings.Contains(string(body), "SubmitStream needs HTTP/2") {
			t.Errorf("%s: status %d, %s", contentType, resp.StatusCode, body)
		}
	}
	if got := s.ledger.Size(); got != 4 {
		t.Errorf("the log has %d entries, want 4", got)
	}
}

// With TLS, HTTP/2 is agreed on.
func TestStreamOverTLS(t *testing.T) {
	cert, pool := selfSigned(t)
	s := newServer(t, func(srv *rpc.Server) { srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	st, err := onusv1connect.NewLedgerServiceClient(hc, strings.Replace(s.url, "http://", "https://", 1)).SubmitStream(context.Background())
	must(t, err)
	r := s.next(nil)
	must(t, st.Send(message(r)))
	res, err := results(st, 1)
	must(t, err)
	s.opened(res[0], r)
	must(t, st.CloseRequest())
}
