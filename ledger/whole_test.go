package ledger

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// The indexes say of the whole log what whoever has read all of it says: after
// records of all kinds, with rows in memory and on disk, and made again.
func TestWholeLogAsAnAuditor(t *testing.T) {
	var late atomic.Int64
	h := newHarness(t, nil, func(c *Config) {
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	})
	rng := rand.New(rand.NewPCG(3, 5))
	var ids []record.ID
	pick := func() string {
		if len(ids) == 0 || rng.IntN(4) == 0 {
			return record.ID{byte(rng.IntN(3) + 1)}.String() // nobody's
		}
		return ids[rng.IntN(len(ids))].String()
	}
	instances := []string{"a", "b", "c", "d", "e"}
	for range 300 {
		r := h.record(func(m *onusv1.Record) {
			m.Author.Instance = instances[rng.IntN(len(instances))]
			m.Sequence, m.Previous = int64(rng.IntN(8)), ""
			if m.Sequence > 0 || rng.IntN(3) == 0 {
				m.Previous = pick()
			}
			if rng.IntN(2) == 0 {
				m.Parent = pick()
			}
			if rng.IntN(3) == 0 {
				m.Causes = []string{pick()}
			}
			switch {
			case rng.IntN(6) == 0:
				m.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: int64(rng.IntN(2)), LastSequence: int64(rng.IntN(2) + 1)}}
				m.Sequence, m.Previous = 3, pick()
			case rng.IntN(5) == 0:
				m.Asks = "spiffe://example.com/other"
			}
		})
		h.log(r)
		ids = append(ids, r.ID)
	}
	late.Store(int64(time.Hour))
	h.log(h.record(nil))

	whole := chain.NewWholeLog()
	var entries []*Entry
	for i := range h.ledger.Size() {
		e, err := h.ledger.Entry(i)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
		whole.Add(entriesOf(&Chain{Entries: []*Entry{e}})[0])
	}
	compare := func(when string) {
		t.Helper()
		w := h.ledger.wholeLog(h.ledger.Size())
		agents := []string{testAgent, "spiffe://example.com/other"}
		for _, agent := range agents {
			for _, instance := range append(instances, "pod-1", "nobody") {
				got, gotFollowed, gotOK := w.Last(agent, instance)
				want, wantFollowed, wantOK := whole.Last(agent, instance)
				if gotOK != wantOK || gotFollowed != wantFollowed || gotOK == chain.Yes && got.Index != want.Index {
					t.Errorf("%s: the last of %s is %d %d %d, want %d %d %d", when, instance, got.Index, gotFollowed, gotOK, want.Index, wantFollowed, wantOK)
				}
				for n := range int64(9) {
					if got, want := w.Lost(agent, instance, n), whole.Lost(agent, instance, n); got != want {
						t.Errorf("%s: number %d of %s was lost: %d, want %d", when, n, instance, got, want)
					}
				}
			}
			for _, e := range entries {
				if got, want := w.Acted(agent, e.Record.ID), whole.Acted(agent, e.Record.ID); got != want {
					t.Errorf("%s: %s acted on entry %d: %d, want %d", when, agent, e.Index, got, want)
				}
			}
		}
		for _, e := range entries {
			if i, ok := w.Index(e.Record.ID); !ok || i != e.Index {
				t.Errorf("%s: entry %d is at %d, %t", when, e.Index, i, ok)
			}
		}
		if _, ok := w.Index(record.ID{1}); ok {
			t.Errorf("%s: nobody's record is there", when)
		}
		if w.err != nil {
			t.Errorf("%s: %v", when, w.err)
		}
		omissions, told := 0, map[string]bool{}
		for i := 4; i < len(entries); i += 7 {
			c, err := h.ledger.Chain(entries[i].Record.ID, 0)
			if err != nil {
				t.Fatal(err)
			}
			j, err := h.ledger.Judge(c)
			if err != nil {
				t.Fatal(err)
			}
			want, err := h.ledger.judgeChain(entriesOf(c), c.Elsewhere, c.Size, entries[len(entries)-1].Stamp.LogTime, chain.Hand{Log: whole})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want.JSON()), string(j.JSON())); diff != "" {
				t.Errorf("%s: of entry %d (-auditor +ledger):\n%s", when, i, diff)
			}
			omissions += len(j.Evidence.Omissions)
			for _, f := range j.Evidence.Omissions {
				told[f.Code] = true
			}
			if len(j.Evidence.NotLookedFor) > 0 {
				t.Errorf("%s: not looked for: %v", when, j.Evidence.NotLookedFor)
			}
		}
		if len(told) != 3 {
			t.Errorf("%s: %d omissions of the kinds %v, want all three", when, omissions, told)
		}
	}
	compare("in memory")
	h.reopen()
	compare("on disk")
	h.change(dropDerived)
	h.open()
	compare("made again")
	h.checkRows()
}

// asBefore makes a database as it was before there were the newest properties.
func asBefore(db *pebble.DB) error {
	for _, p := range []property{byFollowed} {
		prefix := []byte{prefixPosting, byte(p)}
		if err := db.DeleteRange(prefix, keyAfter(prefix), pebble.Sync); err != nil {
			return err
		}
	}
	v, err := get(db, keyWatermark)
	if err != nil {
		return err
	}
	if err := db.Delete(keyWatermark, pebble.Sync); err != nil {
		return err
	}
	return db.Set([]byte{prefixWatermark}, v, pebble.Sync)
}

// A database of before there were these properties has the old watermark: the
// rows are made again when it opens.
func TestOldPropertiesAreMadeAgain(t *testing.T) {
	h := newHarness(t, nil, nil)
	first := h.record(nil)
	h.log(first)
	next := h.record(func(m *onusv1.Record) {
		m.Author.Instance, m.Sequence, m.Previous = "pod-2", 0, first.ID.String()
	})
	h.log(next)
	h.change(asBefore)
	h.open()
	w := h.ledger.wholeLog(h.ledger.Size())
	if last, followed, ok := w.Last(testAgent, "pod-1"); ok != chain.Yes || followed != chain.Yes || last.Record.ID != first.ID {
		t.Errorf("the last of pod-1: %v, followed %d, %d", last.Record, followed, ok)
	}
}

// chainOf2000 is a log with one chain of 2,000 records of 20 instances, half of
// them asking another agent.
func chainOf2000(tb testing.TB) (*harness, *Chain) {
	h := newHarness(tb, nil, nil)
	root := h.record(nil)
	h.log(root)
	h.submitAll(h.envelopes(1999, func(i int, m *onusv1.Record) {
		m.Author.Instance, m.Parent = fmt.Sprintf("bulk-%d", i%20), root.ID.String()
		if i >= 20 {
			m.Sequence, m.Previous = int64(i/20), root.ID.String()
		}
		if i%2 == 0 {
			m.Asks = "spiffe://example.com/other"
		}
	}))
	c, err := h.ledger.Chain(root.ID, MaxChain)
	if err != nil || len(c.Entries) != 2000 {
		tb.Fatal(len(c.Entries), err)
	}
	return h, c
}

// BenchmarkJudge measures a judgement without and with the whole log.
func BenchmarkJudge(b *testing.B) {
	h, c := chainOf2000(b)
	defer h.close()
	last, err := h.ledger.Entry(c.Size - 1)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("alone", func(b *testing.B) {
		for range b.N {
			if _, err := h.ledger.judgeChain(entriesOf(c), c.Elsewhere, c.Size, last.Stamp.LogTime, chain.Hand{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole log", func(b *testing.B) {
		for range b.N {
			if _, err := h.ledger.Judge(c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
