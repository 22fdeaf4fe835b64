package ledger

import (
	"slices"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// One who declares losses without end cannot make a judgement long: they are read
// once for all questions, as far as the steps go. What is beyond is not looked
// for, which the judgement says; another instance's gap is found all the same.
func TestManyLossesAreReadOnce(t *testing.T) {
	h := newHarness(t, nil, nil)
	root := h.record(nil)
	h.log(root)
	gone := record.ID{9}.String()
	const losses = 40
	h.submitAll(h.envelopes(losses, func(i int, m *onusv1.Record) {
		m.Author.Instance, m.Sequence, m.Previous = "loser", int64(3*i+3), gone
		m.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: int64(3*i + 1), LastSequence: int64(3*i + 2)}}
	}))
	for i, instance := range []string{"loser", "loser", "loser", "honest"} {
		h.log(h.record(func(m *onusv1.Record) {
			m.Author.Instance, m.Parent, m.Sequence, m.Previous = instance, root.ID.String(), int64(3*losses+10+i), gone
		}))
	}
	c, err := h.ledger.Chain(root.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	last := c.Entries[len(c.Entries)-1].Stamp.LogTime
	gaps := func(w *wholeLog) (found int, not []string) {
		t.Helper()
		j, err := h.ledger.judgeChain(entriesOf(c), c.Elsewhere, c.Size, last, chain.Hand{Log: w})
		if err != nil || w.err != nil {
			t.Fatal(err, w.err)
		}
		for _, f := range j.Evidence.Omissions {
			if f.Code == "SEQUENCE_GAP" {
				found++
			}
		}
		return found, j.Evidence.NotLookedFor
	}

	w := h.ledger.wholeLog(c.Size)
	if found, not := gaps(w); found != 4 || len(not) > 0 {
		t.Errorf("with all steps: %d gaps, not looked for %v; want 4 and nothing", found, not)
	}
	spent := moreSteps - w.more
	if spent < losses*readSteps-freeSteps || spent > 2*losses*readSteps {
		t.Errorf("%d steps were taken beyond the free ones, of about %d for each loss once", spent, losses*readSteps)
	}
	for n := range int64(3*losses + 1) {
		if got, want := w.Lost(testAgent, "loser", n) == chain.Yes, n%3 != 0; got != want {
			t.Errorf("number %d was lost: %t, want %t", n, got, want)
		}
	}
	if w.more != moreSteps-spent {
		t.Errorf("asked again, the losses were read again: %d steps", moreSteps-spent-w.more)
	}

	w = h.ledger.wholeLog(c.Size)
	w.more = 10 * readSteps
	if found, not := gaps(w); found != 1 || !slices.Equal(not, []string{"SEQUENCE_GAP"}) {
		t.Errorf("with few steps: %d gaps, not looked for %v; want that of the other instance, and SEQUENCE_GAP", found, not)
	}
	if got := w.Lost(testAgent, "loser", 1); got != chain.Yes {
		t.Errorf("number 1, whose loss was read: %d", got)
	}
}

// What all but matches is leapt over as far as the steps go: the instances of
// another agent class with the same name, and those of this one with others.
func TestLongWaysAreNotGone(t *testing.T) {
	h := newHarness(t, nil, nil)
	first := h.record(func(m *onusv1.Record) { m.Author.Instance = "sought" })
	h.log(first)
	// The agent's other instances, between declared losses of these.
	for i := range 60 {
		h.log(h.record(func(m *onusv1.Record) {
			m.Author.Instance = []string{"sought", "other"}[i%2]
			m.Sequence, m.Previous = int64(i+1), first.ID.String()
			if i%2 == 1 {
				m.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: int64(i), LastSequence: int64(i)}}
			}
		}))
	}
	h.log(h.record(func(m *onusv1.Record) { m.Author.Instance, m.Causes = "third", []string{first.ID.String()} }))
	w := h.ledger.wholeLog(h.ledger.Size())
	if got := w.Acted(testAgent, first.ID); got != chain.Yes {
		t.Errorf("acted, with all steps: %d", got)
	}
	if got := w.Lost(testAgent, "sought", 7); got != chain.No {
		t.Errorf("with all steps: %d, want no", got)
	}
	w = h.ledger.wholeLog(h.ledger.Size())
	w.more = 0
	if got := w.Lost(testAgent, "sought", 7); got != chain.NotLookedFor {
		t.Errorf("with the free steps: %d, want that it was not looked for", got)
	}
	w.free = 1
	if _, _, ok := w.Last(testAgent, "sought"); ok != chain.NotLookedFor {
		t.Errorf("the last, with a step: %d", ok)
	}
	if got := w.Acted(testAgent, first.ID); got != chain.NotLookedFor {
		t.Errorf("acted, with a step: %d", got)
	}
	if w.err != nil {
		t.Error(w.err)
	}
}
