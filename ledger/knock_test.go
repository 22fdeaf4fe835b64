package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// isPending reports whether a key is noted.
func (h *harness) isPending(s record.Signer) bool {
	for _, p := range h.ledger.Pending("") {
		if p.GetKeyId() == s.Public().ID() {
			return true
		}
	}
	return false
}

// knock has the holder of a key ask to be let in.
func (h *harness) knock(s record.Signer, edit func(*onusv1.Author)) {
	h.t.Helper()
	_, err := h.ledger.Enrol(context.Background(), h.enrolment(s, "pod-9", func(m *onusv1.Record) {
		if edit != nil {
			edit(m.Author)
			k := m.GetRegistration().GetKey()
			k.Agent, k.Operator = m.Author.Agent, m.Author.Operator
		}
	}))
	wantReason(h.t, err, ReasonPending)
}

// A flood of strangers keeps the table small and the log quick, does not reach
// the log at all, and does not push out who waited before it; nor does it keep
// who comes later from being seen.
func TestFloodOfStrangers(t *testing.T) {
	h := newHarness(t, nil, nil)
	first := newSigner(t)
	h.knock(first, nil)
	size := h.ledger.Size()
	const flood = 1000
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < flood; i += 4 {
				s, err := record.NewSigner(ed25519.NewKeyFromSeed(seed(fmt.Sprint("stranger ", i))))
				if err != nil {
					t.Error(err)
					return
				}
				sub := h.enrolment(s, fmt.Sprint("x", i), nil)
				if i%2 == 0 { // it need not show that it has the key
					sub = Submission{Envelope: h.sign(h.step(nil), s).Envelope}
				}
				if _, err := h.ledger.Enrol(context.Background(), sub); err == nil {
					t.Error("a stranger was let in")
				}
				if _, err := h.ledger.Submit(context.Background(), sub); err == nil {
					t.Error("a stranger was let in")
				}
			}
		})
	}
	wg.Wait()
	last := newSigner(t)
	h.knock(last, nil)
	full := func() {
		t.Helper()
		if n := len(h.ledger.Pending("")); n != maxKnocks {
			t.Errorf("%d keys are noted, want %d", n, maxKnocks)
		}
		if !h.isPending(first) || !h.isPending(last) {
			t.Errorf("after a flood who came before it is pending: %t, who came after it: %t", h.isPending(first), h.isPending(last))
		}
	}
	full()
	if h.ledger.Size() != size {
		t.Errorf("the log grew by %d entries", h.ledger.Size()-size)
	}
	h.change(func(db *pebble.DB) error {
		n := 0
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixKnock}, UpperBound: []byte{prefixKnock + 1}})
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			n++
		}
		if n != maxKnocks {
			t.Errorf("%d rows, want %d", n, maxKnocks)
		}
		return errors.Join(it.Close(), db.Set(keyKnock("broken"), []byte("x"), pebble.Sync))
	})
	h.open()
	full()
	h.checkRows()
}

// A flood fills the room that it names: those who say that they are of another
// registered party have their own, and those of nobody known share one.
func TestFloodFillsItsOwnRoom(t *testing.T) {
	h := newHarness(t, nil, nil)
	const other = "spiffe://example.com/other"
	h.must(h.register(agentReg(other, testOperator)))
	honest := newSigner(t)
	as := func(agent, operator string) func(*onusv1.Author) {
		return func(a *onusv1.Author) { a.Agent, a.Operator = agent, operator }
	}
	for range maxKnocks {
		h.knock(newSigner(t), nil) // the room is full before the honest one comes
	}
	h.knock(honest, as(other, testOperator))
	for i := range maxStrangers + 50 {
		switch i % 3 {
		case 0:
			h.knock(newSigner(t), nil)
		case 1:
			h.knock(newSigner(t), as(fmt.Sprintf("spiffe://example.com/nobody-%d", i), testOperator))
		default: // not of the operator who answers for it
			h.knock(newSigner(t), as(other, fmt.Sprintf("it/nobody-%d", i)))
		}
	}
	for range maxStrangers {
		h.knock(newSigner(t), as("spiffe://example.com/nobody", "it/nobody"))
	}
	if !h.isPending(honest) {
		t.Error("who waits is not pending any more")
	}
	if got, want := len(h.ledger.Pending("")), maxKnocks+1+maxStrangers; got != want {
		t.Errorf("%d keys are noted, want %d", got, want)
	}
	h.checkRows()
}

// Who came first and then was silent for a day gives way.
func TestSilentKnockGivesWay(t *testing.T) {
	var clock atomic.Int64
	start := time.Now()
	h := newHarness(t, nil, func(c *Config) {
		c.Clock = func() time.Time { return start.Add(time.Duration(clock.Load())) }
	})
	silent, patient := newSigner(t), newSigner(t)
	h.knock(silent, nil)
	h.knock(patient, nil)
	for range 2 * maxKnocks {
		h.knock(newSigner(t), nil)
	}
	clock.Store(int64(keepsPlace / 2))
	h.knock(patient, nil)
	clock.Store(int64(keepsPlace + time.Minute))
	if !h.isPending(silent) {
		t.Error("who came first is forgotten, and nobody needs its place")
	}
	for range maxKnocks {
		h.knock(newSigner(t), nil)
	}
	if h.isPending(silent) || !h.isPending(patient) {
		t.Errorf("who was silent for a day is pending: %t, who was not: %t", h.isPending(silent), h.isPending(patient))
	}
}
