package rpc_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Shutdown under load: every call that was answered is in the log, the others
// got an error, and streams end with a code that says to come back.
func TestShutdownFinishesWhatWasAccepted(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	stream, err := s.client.Follow(ctx, &onusv1.FollowRequest{})
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		for stream.Receive() {
		}
		ended <- stream.Err()
	}()

	const clients, each = 16, 500
	var batches [clients][]*onusv1.SubmitRequest
	for c := range batches {
		for range each {
			batches[c] = append(batches[c], &onusv1.SubmitRequest{Envelope: s.next(nil).Envelope.Proto()})
		}
	}
	var acknowledged sync.Map
	var count atomic.Int64
	var wg sync.WaitGroup
	for _, reqs := range batches {
		wg.Go(func() {
			for _, req := range reqs {
				resp, err := s.client.Submit(ctx, req)
				if err != nil {
					return
				}
				acknowledged.Store(resp.GetReceipt().GetIndex(), resp.GetReceipt().GetId())
				count.Add(1)
			}
		})
	}
	for count.Load() < 50 {
		time.Sleep(time.Millisecond)
	}
	// Serve returns only when what was accepted is done; then the ledger is
	// closed, so its size is read before.
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	must(t, <-done)
	wg.Wait()
	if got := connect.CodeOf(<-ended); got != connect.CodeUnavailable {
		t.Errorf("the stream ended with %v, want unavailable", got)
	}
	size := s.ledger.Size()
	acknowledged.Range(func(index, _ any) bool {
		if index.(int64) >= size {
			t.Errorf("index %d was acknowledged, the log has %d entries", index, size)
		}
		return true
	})
	if n := count.Load(); n < 50 || size < 4+n {
		t.Errorf("%d records were acknowledged, the log has %d entries", n, size)
	}
}
