package rpc

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
)

// BoundStreams changes how long a stream may be idle, how long its answers may
// wait to be taken, and how often its credential is looked at; 0 means the usual.
func (s *Server) BoundStreams(idle, answers, recheck time.Duration) {
	s.stream = streamTimes{idle, answers, recheck}
}

// NothingServer returns a server with the same stack as s, whose calls do
// nothing: a submission gets the answer given.
func NothingServer(s *Server, answer *onusv1.SubmitResponse) *http.Server {
	g := s.newGuard()
	mux := http.NewServeMux()
	mux.Handle(onusv1connect.NewLedgerServiceHandler(&nothing{answer: answer}, options(g)...))
	return s.httpServer(g.handler(mux))
}

type nothing struct {
	onusv1connect.UnimplementedLedgerServiceHandler
	answer *onusv1.SubmitResponse
}

func (n *nothing) Submit(context.Context, *onusv1.SubmitRequest) (*onusv1.SubmitResponse, error) {
	return n.answer, nil
}

func (n *nothing) SubmitBatch(_ context.Context, req *onusv1.SubmitBatchRequest) (*onusv1.SubmitBatchResponse, error) {
	return &onusv1.SubmitBatchResponse{Results: n.results(len(req.GetItems()))}, nil
}

func (n *nothing) SubmitStream(_ context.Context, stream *connect.BidiStream[onusv1.SubmitStreamRequest, onusv1.SubmitStreamResponse]) error {
	for {
		req, err := stream.Receive()
		if err != nil {
			return nil
		}
		if err := stream.Send(&onusv1.SubmitStreamResponse{Results: n.results(len(req.GetItems()))}); err != nil {
			return err
		}
	}
}

func (n *nothing) results(count int) []*onusv1.SubmitResult {
	rs := make([]*onusv1.SubmitResult, count)
	for i := range rs {
		rs[i] = &onusv1.SubmitResult{Result: &onusv1.SubmitResult_Logged{Logged: n.answer}}
	}
	return rs
}
