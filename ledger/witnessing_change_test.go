package ledger

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/witness/witnesstest"
	"github.com/onus-ledger/onus/verifier/tree"
)

// With another policy the witnesses of before count no more, and what they
// cosigned stays: under the new policy, the old one, and none.
func TestPolicyIsReplaced(t *testing.T) {
	w := newWatched(t, nil, false)
	w.settle()
	size := w.ledger.Size()
	w.close()
	x, err := witnesstest.New("new.example.com", w.key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(x)
	defer s.Close()
	next, err := tree.ParsePolicy(fmt.Appendf(nil, "witness w0 %s %s\nquorum w0\n", x.Key(), s.URL))
	if err != nil {
		t.Fatal(err)
	}
	x.Fault(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(503); return true })
	w.cfg.Witnesses = next
	w.open()
	if note, n := w.ledger.Witnessed(); n != 0 || note != nil {
		t.Errorf("cosignatures of the old policy count for the new one: %d, %q", n, note)
	}
	if st := w.ledger.Status(); st.Witnesses[0].Size != 0 {
		t.Errorf("the new witness has the old one's cosignatures: %+v", st.Witnesses[0])
	}
	w.wantWitnessed(string(w.ledger.CosignedCheckpoint()), size)

	x.Fault(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, missing := w.ledger.witnesses.await(ctx, size); len(missing) > 0 {
		t.Fatalf("missing %v", missing)
	}
	for _, policy := range []*tree.Policy{next, w.policy, nil} {
		w.close()
		w.cfg.Witnesses = policy
		w.open()
		note := w.ledger.CosignedCheckpoint()
		w.wantWitnessed(string(note), size)
		_, by, err := tree.OpenCosigned(note, w.key, next)
		if err != nil || next.Check(by) != nil {
			t.Errorf("the new witness's cosignature is lost: %v, %v", by, err)
		}
	}
}

// Who closes the ledger does not wait for witnesses, and leaves no request
// behind.
func TestCloseWhileWitnessesHang(t *testing.T) {
	w := newWatched(t, nil, false)
	w.settle()
	begun, ended := make(chan struct{}, 3), make(chan struct{}, 3)
	for _, x := range w.ws {
		x.Fault(func(_ http.ResponseWriter, r *http.Request) bool {
			io.Copy(io.Discard, r.Body)
			begun <- struct{}{}
			<-r.Context().Done()
			ended <- struct{}{}
			return true
		})
	}
	_, got := w.submit(nil)
	for range w.ws {
		<-begun
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	waiter, waits := make(chan []string), w.ledger.witnesses
	go func() {
		_, missing := waits.await(ctx, got.Receipt.GetIndex()+1)
		waiter <- missing
	}()
	w.close()
	for range w.ws {
		<-ended
	}
	cancel()
	if missing := <-waiter; len(missing) != 3 {
		t.Errorf("missing %v", missing)
	}
}
