package rpc_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/witness/witnesstest"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/durationpb"
)

// newWatchedServer serves a ledger with three witnesses, two of which make
// the quorum.
func newWatchedServer(t *testing.T) (*server, []*witnesstest.Witness, *tree.Policy) {
	t.Helper()
	return newWatchedServerAs(t, "w0", "w1", "w2")
}

// newWatchedServerAs has the policy call the witnesses by those names. One whose
// name begins with "down" refuses all from the start.
func newWatchedServerAs(t *testing.T, names ...string) (*server, []*witnesstest.Witness, *tree.Policy) {
	t.Helper()
	var ws []*witnesstest.Witness
	var policy *tree.Policy
	s := newServerWith(t, nil, func(c *ledger.Config) {
		key, err := tree.NewLogKey(origin, c.Signer.Public().(ed25519.PublicKey))
		must(t, err)
		var text strings.Builder
		for i, name := range names {
			w, err := witnesstest.New(fmt.Sprintf("w%d.example.com", i), key)
			must(t, err)
			hs := httptest.NewServer(w)
			t.Cleanup(func() {
				hs.CloseClientConnections()
				hs.Close()
			})
			if strings.HasPrefix(name, "down") {
				w.Fault(refuse)
			}
			ws = append(ws, w)
			fmt.Fprintf(&text, "witness %s %s %s\n", name, w.Key(), hs.URL)
		}
		policy, err = tree.ParsePolicy([]byte(text.String() + "group two 2 " + strings.Join(names, " ") + "\nquorum two\n"))
		must(t, err)
		c.Witnesses = policy
	}, nil)
	return s, ws, policy
}

func refuse(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusServiceUnavailable)
	return true
}

// With two of three witnesses up a call that waits returns with the quorum
// met; with one up it says in time what is missing, and the record is logged.
func TestWait(t *testing.T) {
	s, ws, policy := newWatchedServer(t)
	wantWitnessed := func(what string, rec *onusv1.Receipt, want bool) {
		t.Helper()
		_, by, err := tree.OpenCosigned([]byte(rec.GetCheckpoint()), s.key, policy)
		if err != nil || policy.Satisfied(by) != want {
			t.Errorf("%s: witnessed by %v, %v; want enough: %v", what, by, err, want)
		}
	}
	ws[1].Fault(refuse)
	r := s.next(nil)
	resp, err := s.client.Submit(t.Context(), &onusv1.SubmitRequest{Envelope: r.Envelope.Proto(), Wait: onusv1.Wait_WAIT_WITNESSED})
	must(t, err)
	if len(resp.GetWitnessMissing()) > 0 {
		t.Errorf("with two up, missing: %v", resp.GetWitnessMissing())
	}
	wantWitnessed("submit", resp.GetReceipt(), true)
	_, err = verifier.OpenReceipt(resp.GetReceipt(), r.Envelope.Type, r.Envelope.Payload, s.key, s.agent.Public())
	must(t, err)

	batch := &onusv1.SubmitBatchRequest{Wait: onusv1.Wait_WAIT_WITNESSED}
	for range 5 {
		batch.Items = append(batch.Items, &onusv1.SubmitRequest{Envelope: s.next(nil).Envelope.Proto()})
	}
	br, err := s.client.SubmitBatch(t.Context(), batch)
	must(t, err)
	for i, res := range br.GetResults() {
		if m := res.GetLogged().GetWitnessMissing(); len(m) > 0 || res.GetLogged() == nil {
			t.Errorf("item %d: missing %v, %v", i, m, res.GetError())
		}
		wantWitnessed("batch", res.GetLogged().GetReceipt(), true)
	}

	ws[2].Fault(func(_ http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return true
	})
	r = s.next(nil)
	resp, err = s.client.Submit(t.Context(), &onusv1.SubmitRequest{Envelope: r.Envelope.Proto(),
		Wait: onusv1.Wait_WAIT_WITNESSED, WaitTimeout: durationpb.New(300 * time.Millisecond)})
	must(t, err)
	for _, name := range []string{"w1", "w2"} {
		if !slices.Contains(resp.GetWitnessMissing(), name) {
			t.Errorf("missing %v, want %s among them", resp.GetWitnessMissing(), name)
		}
	}
	wantWitnessed("with one up", resp.GetReceipt(), false)
	if _, err := s.ledger.Index(r.ID); err != nil {
		t.Errorf("the record is not logged: %v", err)
	}
	// The caller's own deadline is kept too.
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	got, err := s.client.GetReceipt(ctx, &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Id{Id: r.ID.String()}, Wait: onusv1.Wait_WAIT_WITNESSED})
	if err != nil || len(got.GetWitnessMissing()) == 0 {
		t.Errorf("before the caller's deadline: %v, %v", got.GetWitnessMissing(), err)
	}

	ws[1].Fault(nil)
	got, err = s.client.GetReceipt(t.Context(), &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Id{Id: r.ID.String()},
		Wait: onusv1.Wait_WAIT_WITNESSED, WaitTimeout: durationpb.New(time.Minute)})
	must(t, err)
	if len(got.GetWitnessMissing()) > 0 {
		t.Errorf("after one came back, missing: %v", got.GetWitnessMissing())
	}
	wantWitnessed("receipt", got.GetProven().GetReceipt(), true)

	st, err := s.client.GetStatus(t.Context(), &onusv1.GetStatusRequest{})
	must(t, err)
	if st.GetSize() != s.ledger.Size() || st.GetWitnessedSize() == 0 || st.GetQuorum() != "two" || len(st.GetWitnesses()) != 3 || st.GuardSize != nil {
		t.Errorf("status %v", st)
	}
	if w := st.GetWitnesses()[0]; w.GetError() != "" || w.GetSize() == 0 || w.GetTime() == nil || w.GetAttempts() == 0 {
		t.Errorf("status of the one that is well: %v", w)
	}
	if w := st.GetWitnesses()[1]; w.GetFailures() == 0 {
		t.Errorf("status of the one that was down: %v", w)
	}

	page, err := http.Get(s.url + "/checkpoint")
	must(t, err)
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	must(t, err)
	if cp, _, err := tree.OpenCosigned(text, s.key, policy); err != nil || cp.Size != s.ledger.Size() {
		t.Errorf("GET /checkpoint: %q, %v", text, err)
	}
}

// A call that waits wrongly is refused before anything is logged.
func TestWaitRefused(t *testing.T) {
	plain := newServer(t, nil)
	watched, _, _ := newWatchedServer(t)
	for _, test := range []struct {
		name    string
		s       *server
		wait    onusv1.Wait
		timeout *durationpb.Duration
		code    connect.Code
		field   string
	}{
		{"no witnesses", plain, onusv1.Wait_WAIT_WITNESSED, nil, connect.CodeFailedPrecondition, "wait"},
		{"unknown", watched, 7, nil, connect.CodeInvalidArgument, "wait"},
		{"a time and no wait", watched, 0, durationpb.New(time.Second), connect.CodeInvalidArgument, "wait_timeout"},
		{"no time", watched, 1, durationpb.New(0), connect.CodeInvalidArgument, "wait_timeout"},
		{"negative", watched, 1, durationpb.New(-time.Second), connect.CodeInvalidArgument, "wait_timeout"},
		{"too long", watched, 1, durationpb.New(61 * time.Second), connect.CodeInvalidArgument, "wait_timeout"},
		{"no duration", watched, 1, &durationpb.Duration{Seconds: 1, Nanos: -1}, connect.CodeInvalidArgument, "wait_timeout"},
	} {
		before := test.s.ledger.Size()
		env := test.s.next(nil).Envelope.Proto()
		_, one := test.s.client.Submit(t.Context(), &onusv1.SubmitRequest{Envelope: env, Wait: test.wait, WaitTimeout: test.timeout})
		_, many := test.s.client.SubmitBatch(t.Context(), &onusv1.SubmitBatchRequest{Items: []*onusv1.SubmitRequest{{Envelope: env}}, Wait: test.wait, WaitTimeout: test.timeout})
		_, get := test.s.client.GetReceipt(t.Context(), &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Index{Index: 0}, Wait: test.wait, WaitTimeout: test.timeout})
		for what, err := range map[string]error{"Submit": one, "SubmitBatch": many, "GetReceipt": get} {
			if code, p := problem(t, err); code != test.code || p.GetField() != test.field || p.GetNext() == "" {
				t.Errorf("%s, %s: %v, %v", test.name, what, code, p)
			}
		}
		if got := test.s.ledger.Size(); got != before {
			t.Errorf("%s: something was logged", test.name)
		}
	}
	resp, err := watched.client.SubmitBatch(t.Context(), &onusv1.SubmitBatchRequest{Items: []*onusv1.SubmitRequest{
		{Envelope: watched.next(nil).Envelope.Proto(), Wait: onusv1.Wait_WAIT_WITNESSED}}})
	must(t, err)
	if e := resp.GetResults()[0].GetError(); e.GetProblem().GetField() != "wait" {
		t.Errorf("wait in an item: %v", resp.GetResults()[0])
	}
}

// A server that stops does not stay for witnesses.
func TestWaitEndsWithServer(t *testing.T) {
	s, ws, _ := newWatchedServer(t)
	for _, w := range ws {
		w.Fault(refuse)
	}
	env := s.next(nil).Envelope.Proto()
	before := s.ledger.Size()
	done := make(chan error, 1)
	go func() {
		resp, err := s.client.Submit(context.Background(), &onusv1.SubmitRequest{Envelope: env, Wait: onusv1.Wait_WAIT_WITNESSED, WaitTimeout: durationpb.New(time.Minute)})
		if err == nil && len(resp.GetWitnessMissing()) == 0 {
			err = fmt.Errorf("witnessed: %v", resp)
		}
		done <- err
	}()
	must(t, s.ledger.Wait(t.Context(), before))
	must(t, s.stop())
	must(t, <-done)
}
