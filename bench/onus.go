package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
)

// onusSystem is the ledger in process, through its public API: a record is
// parsed, its signature checked against the registry, logged with one sync a
// batch, and its receipt checked by the verifier before Submit returns. With
// twice, the submitter checks the receipt once more as the SDK does for an agent
// in another process: see ownReceipts.
func onusSystem(name, title string, twice bool) system {
	proof := "signed checkpoint, inclusion proof verified (in Submit); the record's signature checked against the registry"
	if twice {
		proof = "the same, and the submitter checks the receipt with verifier.Receipts: proof, log's signature (once for each checkpoint), own signature"
	}
	return system{name: name, title: title, proof: proof, open: func(ctx context.Context, c cell, dir string) (*running, error) {
		return openOnus(ctx, c, dir, twice)
	}}
}

func openOnus(ctx context.Context, c cell, dir string, twice bool) (*running, error) {
	o, err := createOnusLog(ctx, dir)
	if err != nil {
		return nil, err
	}
	records, err := signAll(ctx, plain{o}, supplyOf(c))
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	before, receipts := o.ledger.Size(), newOwnReceipts(o)
	var next atomic.Int64
	submit := func(ctx context.Context) error {
		i := next.Add(1) - 1
		if i >= int64(len(records)) {
			return errSpent
		}
		got, err := o.ledger.Submit(ctx, records[i])
		if err != nil {
			return err
		}
		if got.Duplicate {
			return fmt.Errorf("record %d was in the log before", i)
		}
		if twice {
			err = receipts.open(got.Receipt, records[i].Envelope)
		}
		return err
	}
	return &running{
		settings: "defaults, with a rollback guard in a file",
		worker:   func() func(context.Context) error { return submit },
		check: func(ctx context.Context, n int64) error {
			if got := o.ledger.Size() - before; got != n {
				return fmt.Errorf("the log grew by %d entries, and %d were acknowledged", got, n)
			}
			return o.audit(ctx)
		},
		close: o.close,
	}, nil
}

// ownReceipts opens the receipts of an agent's own records, for any number of
// submitters: the log's signature is checked once for each checkpoint, and the own
// one is compared with what the agent had signed.
type ownReceipts struct {
	receipts *verifier.Receipts
	signer   *record.PublicKey
	header   *onusv1.Record
}

func newOwnReceipts(o *onusLog) *ownReceipts {
	// OpenOwn reads no more of a record's message than this. An agent has all of
	// it at hand, parsed; for hundreds of thousands that would be the garbage
	// collector's work.
	header := &onusv1.Record{Origin: origin, Author: &onusv1.Author{KeyId: o.agent.Public().ID()}}
	return &ownReceipts{verifier.NewReceipts(o.key), o.agent.Public(), header}
}

func (r *ownReceipts) open(receipt *onusv1.Receipt, env record.Envelope) error {
	_, err := r.receipts.OpenOwn(receipt, &record.Record{ID: env.ID(), Envelope: env, Msg: r.header}, r.signer)
	return err
}

// supplyOf is how many records are signed before the clock starts: half as many
// again as an earlier round took, or else as many as no rate can take. If they
// run out the window ends there.
func supplyOf(c cell) int {
	perSecond := 1.5 * c.Expect
	if c.Expect == 0 {
		perSecond = mostPerSecond()
	}
	if c.Submitters == 1 {
		perSecond = min(perSecond, 8_000)
	}
	return min(int((c.Warm+c.Measured).Seconds()*perSecond), 1_500_000) + 2*c.Submitters
}

// mostPerSecond bounds the rate of a ledger that checks each record's signature:
// were that all it did, and with no better code than the standard library's, all
// cores could do so many. What better code saves, the rest of the work takes.
var mostPerSecond = sync.OnceValue(func() float64 {
	_, check := signatureCost()
	return float64(runtime.GOMAXPROCS(0)) / check.Seconds()
})

// signatureCost is what the standard library takes to make and to check one
// signature here.
var signatureCost = sync.OnceValues(func() (sign, check time.Duration) {
	key := newSeed().key("cost")
	public := key.Public().(ed25519.PublicKey)
	message := make([]byte, EntrySize)
	// The best of a few: what else the machine does makes it slower, never
	// faster.
	sign, check = time.Hour, time.Hour
	for range 100 {
		start := time.Now()
		sig := ed25519.Sign(key, message)
		signed := time.Now()
		if !ed25519.Verify(public, message, sig) {
			panic("bench: a signature does not verify")
		}
		sign, check = min(sign, signed.Sub(start)), min(check, time.Since(signed))
	}
	return sign, check
})

// signingTime is about how long it takes to make and sign n records.
func signingTime(n int) time.Duration {
	sign, _ := signatureCost()
	return time.Duration(n) * (2*sign + 20*time.Microsecond) / time.Duration(runtime.GOMAXPROCS(0))
}

// signAll makes n records in memory, on all cores. Signing is the agent's work,
// on the agent's machine.
func signAll(ctx context.Context, s shape, n int) ([]ledger.Submission, error) {
	subs := make([]ledger.Submission, n)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			src := s.source(1)
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				if errs[w] = ctx.Err(); errs[w] != nil {
					return
				}
				var d draft
				if d, errs[w] = src.next(); errs[w] == nil {
					subs[i], errs[w] = d.sign()
				}
			}
		})
	}
	wg.Wait()
	return subs, errors.Join(errs...)
}
