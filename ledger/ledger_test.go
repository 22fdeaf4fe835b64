package ledger

import (
	"context"
	"sync"
	"testing"
)

func TestSubmitAndReopen(t *testing.T) {
	h := newHarness(t, nil, nil)
	for range 600 {
		h.submit(nil)
	}
	var wg sync.WaitGroup
	for range 700 {
		wg.Go(func() { h.submit(nil) })
	}
	wg.Wait()
	if got, want := h.checkLog().Entries, int64(1304); got != want {
		t.Errorf("log has %d entries, want %d", got, want)
	}
	h.reopen()
	h.checkLog()
	h.submit(nil)
	h.checkLog()
	h.close()
	rep, err := Check(context.Background(), h.cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rep.Problems {
		t.Errorf("check: %s", p)
	}
}
