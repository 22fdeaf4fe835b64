package ledger

import (
	"errors"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// wholeLog answers what a judgement asks of the log beyond its chain, out of the
// indexes, as of one size: [chain.Log]. It is used by one goroutine. Where a row
// cannot be read it keeps why, and what was judged by it is not given out.
//
// Whoever may write to the log can make questions long: with one declaration of a
// loss after another, or with records that match all but a little. So a question
// takes freeSteps of the indexes, and beyond these all questions of a judgement
// share moreSteps. One that would take more is answered with "not looked for".
type wholeLog struct {
	l    *Ledger
	size int64
	// free are the steps of one question, more those that are left for all.
	free, more int
	// losses are what an instance declared, which is read once.
	losses map[[2]string]*declared
	err    error // the first
}

const (
	// freeSteps are far more than an honest question takes.
	freeSteps = 64
	// moreSteps is some tenths of a second of work.
	moreSteps = 100_000
	// readSteps is what it counts to read an entry.
	readSteps = 16
)

// declared are the losses that an instance declared; part: there are more.
type declared struct {
	chain.Losses
	part bool
}

func (l *Ledger) wholeLog(size int64) *wholeLog {
	return &wholeLog{l: l, size: size, free: freeSteps, more: moreSteps, losses: map[[2]string]*declared{}}
}

var _ chain.Log = (*wholeLog)(nil)

func (w *wholeLog) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Index implements [chain.Log].
func (w *wholeLog) Index(id record.ID) (int64, bool) {
	i, err := w.l.lookup(&head{size: w.size}, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, false
	case err != nil:
		w.fail(err)
		return 0, false
	}
	return i, true
}

// Last implements [chain.Log].
func (w *wholeLog) Last(agent, instance string) (last chain.Entry, followed, ok chain.Reply) {
	e, ok := w.find([]posting{post(byInstance, instance), post(byAgent, agent)}, true, func(m *onusv1.Record) bool {
		return m.GetAuthor().GetAgent() == agent && m.GetAuthor().GetInstance() == instance
	})
	if e == nil {
		return chain.Entry{}, chain.No, ok
	}
	id := e.Record.ID.String()
	_, followed = w.find([]posting{post(byFollowed, id)}, false, func(m *onusv1.Record) bool { return takesOver(m) == id })
	return chain.Entry{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record, Stamp: &e.Stamp}, followed, ok
}

// Lost implements [chain.Log].
func (w *wholeLog) Lost(agent, instance string, sequence int64) chain.Reply {
	k := [2]string{agent, instance}
	d := w.losses[k]
	if d == nil {
		d = &declared{}
		w.losses[k] = d
		_, rest := w.find([]posting{post(byKind, kindLoss), post(byInstance, instance), post(byAgent, agent)}, false, func(m *onusv1.Record) bool {
			if a := m.GetAuthor(); a.GetAgent() == agent && a.GetInstance() == instance && m.GetLoss() != nil {
				d.Add(m.GetLoss())
			}
			return false
		})
		d.part = rest == chain.NotLookedFor
	}
	switch {
	case d.Has(sequence):
		return chain.Yes
	case d.part:
		return chain.NotLookedFor
	}
	return chain.No
}

// Acted implements [chain.Log].
func (w *wholeLog) Acted(agent string, on record.ID) chain.Reply {
	id := on.String()
	reply := chain.No
	for _, p := range []property{byParent, byCause, byGrant} {
		switch _, is := w.find([]posting{post(p, id), post(byAgent, agent)}, false, func(m *onusv1.Record) bool {
			return m.GetAuthor().GetAgent() == agent && (m.GetParent() == id || m.GetGrant() == id || slices.Contains(m.GetCauses(), id))
		}); is {
		case chain.Yes:
			return is
		case chain.NotLookedFor:
			reply = is
		}
	}
	return reply
}

// find returns the first entry with all these postings, or the last, whose
// record is what was meant; nil if there is none, or if the steps for it ran
// out.
func (w *wholeLog) find(ps []posting, backward bool, is func(*onusv1.Record) bool) (*Entry, chain.Reply) {
	if w.err != nil {
		return nil, chain.No
	}
	s, err := w.l.searchFor(ps, 0, w.size, backward)
	if err != nil {
		w.fail(err)
		return nil, chain.No
	}
	defer s.close()
	free := w.free
	s.step = func() error { return w.take(&free, 1) }
	at, step := int64(0), int64(1)
	if backward {
		at, step = w.size-1, -1
	}
	for {
		i, ok, err := s.next(at)
		if err == nil && !ok {
			return nil, chain.No
		}
		if err == nil {
			err = w.take(&free, readSteps)
		}
		var e *Entry
		if err == nil {
			e, err = w.l.Entry(i)
		}
		switch {
		case errors.Is(err, errTooLong):
			return nil, chain.NotLookedFor
		case err != nil:
			w.fail(err)
			return nil, chain.No
		case is(e.Record.Msg):
			return e, chain.Yes
		}
		at = i + step
	}
}

// errTooLong: a question takes more steps than there are for it.
var errTooLong = errors.New("too long a search for one judgement")

// take takes steps: of those that are free for one question, then of those that
// all share.
func (w *wholeLog) take(free *int, n int) error {
	own := min(*free, n)
	if n-own > w.more {
		return errTooLong
	}
	*free -= own
	w.more -= n - own
	return nil
}

// takesOver returns the record after which a process took over, where this one
// is its first and says so.
func takesOver(m *onusv1.Record) string {
	if m.GetAuthor().GetAgent() == "" || m.GetSequence() != 0 {
		return ""
	}
	return m.GetPrevious()
}
