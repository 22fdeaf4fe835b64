package ledger

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
)

// wantSame wants got to be the answer for a record that stands at index.
func (h *harness) wantSame(when string, got *Logged, err error, index int64) {
	h.t.Helper()
	switch {
	case err != nil:
		h.t.Errorf("%s: %v", when, err)
	case !got.Duplicate || got.Receipt.Index != index:
		h.t.Errorf("%s: index %d, duplicate %t; want the same index %d", when, got.Receipt.Index, got.Duplicate, index)
	}
}

// The same record again gets the same index, and the log does not grow.
func TestSameRecordAgain(t *testing.T) {
	ctx := context.Background()
	h := newHarness(t, nil, nil)
	r, first := h.submit(nil)
	h.grow(300)
	size := h.ledger.Size()
	sub := Submission{Envelope: r.Envelope}

	again := func(when string) {
		got, err := h.ledger.Submit(ctx, sub)
		h.wantSame(when, got, err, first.Receipt.Index)
		h.checkReceipt(r, got.Receipt)
		for i, res := range h.ledger.SubmitBatch(ctx, []Submission{sub, sub, sub}) {
			if res.Err != nil {
				t.Fatalf("%s, in batch[%d]: %v", when, i, res.Err)
			}
			h.wantSame(when+", in a batch", res.Logged, nil, first.Receipt.Index)
			h.checkReceipt(r, res.Logged.Receipt)
		}
	}
	again("again")
	h.reopen()
	again("after a restart")
	if got := h.ledger.Size(); got != size {
		t.Errorf("the log grew from %d to %d entries", size, got)
	}
}

// Of many that submit a new record at once, one logs it; all get its index.
func TestSameRecordConcurrently(t *testing.T) {
	g, fs := newGate(vfs.NewMem())
	defer g.open()
	h := newHarness(t, fs, func(c *Config) { c.MaxBatch = 7 })
	for round := range 10 {
		r := h.record(nil)
		index := h.ledger.Size()
		g.shut() // so that all are under way before the first is durable
		var mu sync.Mutex
		fresh := 0
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for _, res := range h.ledger.SubmitBatch(context.Background(), []Submission{{Envelope: r.Envelope}, {Envelope: r.Envelope}}) {
					if res.Err != nil || res.Logged.Receipt.Index != index {
						t.Errorf("round %d: index %v, %v, want %d", round, res.Logged, res.Err, index)
						continue
					}
					h.checkReceipt(r, res.Logged.Receipt)
					mu.Lock()
					if !res.Logged.Duplicate {
						fresh++
					}
					mu.Unlock()
				}
			})
		}
		g.await()
		g.open()
		wg.Wait()
		if fresh != 1 {
			t.Errorf("round %d: %d answers say that the record is new, want 1", round, fresh)
		}
		if got := h.ledger.Size(); got != index+1 {
			t.Fatalf("round %d: the log has %d entries, want %d", round, got, index+1)
		}
	}
	h.checkLog()
}

// A retry that is signed anew has the same id and another signature, with keys
// whose signatures are random. The receipt carries the signature that was
// logged, with which the author rebuilds the leaf.
func TestSignedAnew(t *testing.T) {
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384()} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, nil, nil)
			priv, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := record.NewSigner(priv)
			if err != nil {
				t.Fatal(err)
			}
			h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
				PublicKey: signer.Public().SPKI(), Agent: testAgent, Operator: testOperator}}}))
			r := h.sign(h.step(nil), signer)
			anew, err := record.SignPayload(r.Envelope.Type, r.Envelope.Payload, signer)
			if err != nil {
				t.Fatal(err)
			}
			if anew.ID != r.ID || bytes.Equal(anew.Envelope.Signature, r.Envelope.Signature) {
				t.Fatalf("ids %s and %s, signatures %x and %x", r.ID, anew.ID, r.Envelope.Signature, anew.Envelope.Signature)
			}
			first := h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}))
			for range 2 {
				got, err := h.ledger.Submit(context.Background(), Submission{Envelope: anew.Envelope})
				h.wantSame("signed anew", got, err, first.Receipt.Index)
				if !bytes.Equal(got.Receipt.Signature, r.Envelope.Signature) {
					t.Errorf("the receipt has signature %x, logged was %x", got.Receipt.Signature, r.Envelope.Signature)
				}
				if p, err := verifier.OpenReceipt(got.Receipt, anew.Envelope.Type, anew.Envelope.Payload, h.key, signer.Public()); err != nil || !p.Signed {
					t.Errorf("receipt: %+v, %v", p, err)
				}
				h.reopen()
			}
			h.checkLog()

			// Both in one batch, new: the first of them is logged.
			m := h.sign(h.step(nil), signer)
			n, err := record.SignPayload(m.Envelope.Type, m.Envelope.Payload, signer)
			if err != nil {
				t.Fatal(err)
			}
			for _, res := range h.ledger.SubmitBatch(context.Background(), []Submission{{Envelope: m.Envelope}, {Envelope: n.Envelope}}) {
				if res.Err != nil || !bytes.Equal(res.Logged.Receipt.Signature, m.Envelope.Signature) {
					t.Errorf("in one batch: %v, %v", res.Logged, res.Err)
				}
			}
			h.checkLog()
		})
	}
}

// A receipt is given to who can sign, not to who can replay a payload.
func TestKnownRecordWithWrongSignature(t *testing.T) {
	h := newHarness(t, nil, nil)
	r, _ := h.submit(nil)
	env := r.Envelope
	env.Signature = bytes.Clone(env.Signature)
	env.Signature[0] ^= 1
	_, err := h.ledger.Submit(context.Background(), Submission{Envelope: env})
	wantReason(t, err, record.ReasonBadSignature)
}
