package verifier_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// Whatever was opened before, each receipt proves what OpenReceipt says.
func TestReceiptsAgreeWithOpenReceipt(t *testing.T) {
	l := newLog(t)
	rs := verifier.NewReceipts(l.log.Key())
	var all []*onusv1.Receipt
	var envs []record.Envelope
	for range 20 {
		for i := range l.entries {
			rec, env := l.receipt(int64(i))
			all, envs = append(all, rec), append(envs, env)
		}
		l.fill(1)
	}
	for range 2 { // the second time, most checkpoints have been forgotten
		for i, rec := range all {
			want, err := verifier.OpenReceipt(rec, envs[i].Type, envs[i].Payload, l.log.Key(), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rs.Open(rec, envs[i].Type, envs[i].Payload, nil)
			if err != nil || got.Index != want.Index || got.Leaf != want.Leaf || got.Checkpoint != want.Checkpoint || got.Signed {
				t.Fatalf("entry %d at size %d: %+v, %v; want %+v", want.Index, want.Checkpoint.Size, got, err, want)
			}
		}
	}
}

// A checkpoint that does not hold is refused each time, and makes none pass: not
// with the text of one that holds, nor with its signature.
func TestReceiptsWrongCheckpointAfterRight(t *testing.T) {
	l := newLog(t)
	l.fill(8)
	good, env := l.receipt(6)
	text, sigs, _ := strings.Cut(good.Checkpoint, "\n\n")
	l.fill(1)
	later, _ := l.receipt(6)
	laterText, laterSigs, _ := strings.Cut(later.Checkpoint, "\n\n")
	rs := verifier.NewReceipts(l.log.Key())
	open := func(checkpoint string) error {
		r := proto.Clone(good).(*onusv1.Receipt)
		r.Checkpoint = checkpoint
		_, err := rs.Open(r, env.Type, env.Payload, nil)
		return err
	}
	for range 3 {
		if err := open(good.Checkpoint); err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string]string{
			"signature of a later one": text + "\n\n" + laterSigs,
			"text of a later one":      laterText + "\n\n" + sigs,
			"a later one":              later.Checkpoint, // it holds, and proves another tree
			"no signature":             text + "\n\n",
			"a byte more":              good.Checkpoint + "x",
		} {
			if err := open(bad); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	}
	if _, err := rs.Open(later, env.Type, env.Payload, nil); err != nil {
		t.Errorf("the later one with its own proof: %v", err)
	}
}

// Of a record that the caller signed, the logged signature is checked unless it
// is the one that the caller made.
func TestReceiptsOfOnesOwn(t *testing.T) {
	l := newLog(t)
	own := l.action(l.agent)
	l.add(own, nil)
	rec, _ := l.receipt(4)
	rs := verifier.NewReceipts(l.log.Key())
	p, err := rs.OpenOwn(rec, own, l.agent.Public())
	if err != nil || !p.Signed || p.Index != 4 || p.Record.ID != own.ID {
		t.Errorf("got %+v, %v", p, err)
	}
	if p, err := rs.OpenOwn(rec, own, l.admin.Public()); err == nil {
		t.Errorf("with another's key: %+v", p)
	}
	if p, err := rs.OpenOwn(rec, l.action(l.agent), l.agent.Public()); err == nil {
		t.Errorf("another record: %+v", p)
	}

	// The log has another signature than the author's: a forged one is told, and
	// one that the key made for the same record holds.
	forged := l.action(l.agent)
	l.add(forged, func(e *entry.Entry) {
		e.Envelope.Signature = bytes.Clone(e.Envelope.Signature)
		e.Envelope.Signature[10] ^= 1
	})
	rec, _ = l.receipt(5)
	if p, err := rs.OpenOwn(rec, forged, l.agent.Public()); err == nil || !strings.Contains(err.Error(), "logged signature") {
		t.Errorf("a changed signature was logged: %+v, %v", p, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := record.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	l.register(keyReg(curve))
	first := l.action(curve)
	again, err := record.SignPayload(first.Envelope.Type, first.Envelope.Payload, curve)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first.Envelope.Signature, again.Envelope.Signature) || first.ID != again.ID {
		t.Fatal("ECDSA signed twice with one result")
	}
	l.add(first, nil)
	rec, _ = l.receipt(7)
	if p, err := rs.OpenOwn(rec, again, curve.Public()); err != nil || !p.Signed || !bytes.Equal(p.Record.Envelope.Signature, first.Envelope.Signature) {
		t.Errorf("signed anew: %+v, %v", p, err)
	}
}

// Many callers at once, with several checkpoints.
func TestReceiptsTogether(t *testing.T) {
	l := newLog(t)
	var recs []*onusv1.Receipt
	var envs []record.Envelope
	for range 20 {
		rec, env := l.receipt(int64(len(l.entries) - 1))
		recs, envs = append(recs, rec), append(envs, env)
		l.fill(1)
	}
	rs := verifier.NewReceipts(l.log.Key())
	errs := make(chan error, 4*len(recs))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, rec := range recs {
				p, err := rs.Open(rec, envs[i].Type, envs[i].Payload, nil)
				if err == nil && p.Index != rec.Index {
					err = fmt.Errorf("index %d, want %d", p.Index, rec.Index)
				}
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}
