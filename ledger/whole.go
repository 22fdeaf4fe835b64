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
type wholeLog struct {
	l    *Ledger
	size int64
	err  error // the first
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
func (w *wholeLog) Last(agent, instance string) (last chain.Entry, followed, ok bool) {
	e := w.find([]posting{post(byInstance, instance), post(byAgent, agent)}, true, func(m *onusv1.Record) bool {
		return m.GetAuthor().GetAgent() == agent && m.GetAuthor().GetInstance() == instance
	})
	if e == nil {
		return chain.Entry{}, false, false
	}
	id := e.Record.ID.String()
	followed = w.find([]posting{post(byFollowed, id)}, false, func(m *onusv1.Record) bool { return takesOver(m) == id }) != nil
	return chain.Entry{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record, Stamp: &e.Stamp}, followed, true
}

// Lost implements [chain.Log].
func (w *wholeLog) Lost(agent, instance string, sequence int64) bool {
	return w.find([]posting{post(byKind, kindLoss), post(byInstance, instance)}, false, func(m *onusv1.Record) bool {
		a, lost := m.GetAuthor(), m.GetLoss()
		return a.GetAgent() == agent && a.GetInstance() == instance && lost != nil &&
			lost.GetFirstSequence() <= sequence && sequence <= lost.GetLastSequence()
	}) != nil
}

// Acted implements [chain.Log].
func (w *wholeLog) Acted(agent string, on record.ID) bool {
	id := on.String()
	for _, p := range []property{byParent, byCause, byGrant} {
		if w.find([]posting{post(p, id), post(byAgent, agent)}, false, func(m *onusv1.Record) bool {
			return m.GetAuthor().GetAgent() == agent && (m.GetParent() == id || m.GetGrant() == id || slices.Contains(m.GetCauses(), id))
		}) != nil {
			return true
		}
	}
	return false
}

// find returns the first entry with all these postings, or the last, whose
// record is what was meant; nil if there is none.
func (w *wholeLog) find(ps []posting, backward bool, is func(*onusv1.Record) bool) *Entry {
	if w.err != nil {
		return nil
	}
	s, err := w.l.searchFor(ps, 0, w.size, backward)
	if err != nil {
		w.fail(err)
		return nil
	}
	defer s.close()
	at, step := int64(0), int64(1)
	if backward {
		at, step = w.size-1, -1
	}
	for {
		i, ok, err := s.next(at)
		if err != nil {
			w.fail(err)
			return nil
		}
		if !ok {
			return nil
		}
		e, err := w.l.Entry(i)
		if err != nil {
			w.fail(err)
			return nil
		}
		if is(e.Record.Msg) {
			return e
		}
		at = i + step
	}
}

// takesOver returns the record after which a process took over, where this one
// is its first and says so.
func takesOver(m *onusv1.Record) string {
	if m.GetAuthor().GetAgent() == "" || m.GetSequence() != 0 {
		return ""
	}
	return m.GetPrevious()
}
