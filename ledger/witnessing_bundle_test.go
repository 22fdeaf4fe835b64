package ledger

import (
	"context"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
)

// TestEvidenceIsWitnessed: a file made while the log grows has the cosignatures
// of the quorum, and one made while witnesses are away comes without.
func TestEvidenceIsWitnessed(t *testing.T) {
	w := newWatched(t, vfs.NewMem(), true)
	r, _ := w.submit(nil)
	bundle := func() *verifier.BundleReport {
		t.Helper()
		b, err := w.ledger.Bundle(context.Background(), Ask{IDs: []record.ID{r.ID}})
		if err != nil {
			t.Fatal(err)
		}
		rep, err := verifier.CheckBundle(b, verifier.Trust{LogKey: w.ledger.LogKey(), Policy: w.policy})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}

	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.submit(nil)
			}
		}
	})
	for range 3 {
		size := w.ledger.Size()
		rep := bundle()
		if rep.Quorum != nil || len(rep.Cosigned) < 2 {
			t.Errorf("evidence of a growing log is not witnessed: %v, %d cosignatures", rep.Quorum, len(rep.Cosigned))
		}
		if got := rep.Evidence.Checkpoint.Size; got < size {
			t.Errorf("evidence is as of %d, the log had %d before", got, size)
		}
	}
	close(stop)
	wg.Wait()

	w.down(false, 0, 1)
	w.submit(nil)
	size := w.ledger.Size()
	if rep := bundle(); rep.Quorum == nil || rep.Evidence.Checkpoint.Size != size {
		t.Errorf("without witnesses: quorum %v, as of %d, want none and %d", rep.Quorum, rep.Evidence.Checkpoint.Size, size)
	}
}
