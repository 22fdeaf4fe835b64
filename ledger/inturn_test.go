package ledger

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Batches that are submitted at the same time, the last first, stand in the log
// in their turn.
func TestSubmitInTurn(t *testing.T) {
	h := newHarness(t, vfs.NewMem(), nil)
	defer h.close()
	const batches, each = 8, 20
	subs := h.envelopes(batches*each, nil)
	first := h.ledger.Size()
	turns := make([]chan struct{}, batches+1)
	for i := range turns {
		turns[i] = make(chan struct{})
	}
	results := make([]chan []Result, batches)
	for b := batches - 1; b >= 0; b-- {
		results[b] = make(chan []Result, 1)
		go func() {
			results[b] <- h.ledger.SubmitInTurn(context.Background(), subs[b*each:(b+1)*each], turns[b], turns[b+1])
		}()
	}
	close(turns[0])
	<-turns[batches]
	for b := range results {
		for i, r := range <-results[b] {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if got, want := r.Logged.Receipt.GetIndex(), first+int64(b*each+i); got != want {
				t.Fatalf("record %d of batch %d has index %d, want %d", i, b, got, want)
			}
		}
	}
}
