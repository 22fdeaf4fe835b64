package rpc_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A record that is submitted again is waited for as a new one is, in one call
// and across calls. Witnesses that see a fork for ever are named as missing.
func TestWaitForDuplicates(t *testing.T) {
	s, ws, policy := newWatchedServer(t)
	env := s.next(nil).Envelope.Proto()
	item := &onusv1.SubmitRequest{Envelope: env}
	br, err := s.client.SubmitBatch(t.Context(), &onusv1.SubmitBatchRequest{Items: []*onusv1.SubmitRequest{item, item, item}, Wait: onusv1.Wait_WAIT_WITNESSED})
	must(t, err)
	again, err := s.client.Submit(t.Context(), &onusv1.SubmitRequest{Envelope: env, Wait: onusv1.Wait_WAIT_WITNESSED})
	must(t, err)
	index := again.GetReceipt().GetIndex()
	answers := []*onusv1.SubmitResponse{again}
	for _, r := range br.GetResults() {
		answers = append(answers, r.GetLogged())
	}
	for i, a := range answers {
		_, by, err := tree.OpenCosigned([]byte(a.GetReceipt().GetCheckpoint()), s.key, policy)
		if err != nil || !policy.Satisfied(by) || len(a.GetWitnessMissing()) > 0 || a.GetReceipt().GetIndex() != index {
			t.Errorf("answer %d: index %d, by %v, missing %v, %v", i, a.GetReceipt().GetIndex(), by, a.GetWitnessMissing(), err)
		}
	}

	for _, w := range ws[1:] {
		w.Fault(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.WriteHeader(http.StatusUnprocessableEntity)
			return true
		})
	}
	next := &onusv1.SubmitRequest{Envelope: s.next(nil).Envelope.Proto()}
	br, err = s.client.SubmitBatch(t.Context(), &onusv1.SubmitBatchRequest{Items: []*onusv1.SubmitRequest{next, item, next},
		Wait: onusv1.Wait_WAIT_WITNESSED, WaitTimeout: durationpb.New(500 * time.Millisecond)})
	must(t, err)
	for i, want := range []bool{false, true, false} { // the old one has its cosignatures
		l := br.GetResults()[i].GetLogged()
		if l == nil || want != (len(l.GetWitnessMissing()) == 0) || !want && !(slices.Contains(l.GetWitnessMissing(), "w1") && slices.Contains(l.GetWitnessMissing(), "w2")) {
			t.Errorf("item %d: missing %v, %v", i, l.GetWitnessMissing(), br.GetResults()[i].GetError())
		}
	}
}
