package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Vitals is what an operator watches a ledger by: its status, and how its work
// goes.
type Vitals struct {
	Status
	// Logged counts the entries since the ledger was opened, and Refused the
	// submissions that were answered with an error: for what was wrong with them,
	// or because the queue was full.
	Logged, Refused int64
	// Queued is how many admitted records wait, and QueueBound how many may.
	Queued, QueueBound int
	// SinceCommit is the time since the newest commit, or since the ledger was
	// opened if there was none.
	SinceCommit time.Duration
	// GuardBehind is how long ago, by the ledger's clock, the first entry was
	// logged that the guard does not cover; 0 if it covers all.
	GuardBehind time.Duration
	// WitnessedTime is when the quorum of the tree of WitnessedSize was met, in
	// seconds by the witnesses' clocks; 0 if there is no such tree, or none is
	// needed.
	WitnessedTime int64
}

// Vitals returns how the ledger is.
func (l *Ledger) Vitals() (Vitals, error) {
	v := Vitals{
		Status: l.Status(),
		Logged: l.logged.Load(), Refused: l.refused.Load(),
		Queued: int(l.underway.Load()), QueueBound: l.cfg.Queue,
		SinceCommit: max(0, time.Since(l.opened)-time.Duration(l.committed.Load())),
	}
	if v.HasGuard && v.Guarded < v.Size {
		raw, err := l.Raw(v.Guarded)
		if err != nil {
			return Vitals{}, err
		}
		e, err := entry.Parse(raw)
		if err != nil {
			return Vitals{}, &CorruptionError{Key: fmt.Sprintf("entry %d", v.Guarded), What: err.Error()}
		}
		// Log time may be ahead of a clock that was set back.
		v.GuardBehind = max(0, l.cfg.Clock().Sub(time.UnixMilli(e.Stamp.LogTime)))
	}
	if p := l.witnesses.policy; p != nil && v.WitnessedSize > 0 {
		_, by, err := tree.OpenCosigned(v.Witnessed, l.signer.Key(), p)
		if err != nil {
			return Vitals{}, fmt.Errorf("the witnessed checkpoint of size %d: %w", v.WitnessedSize, err)
		}
		v.WitnessedTime = quorumTime(p, by)
	}
	return v, nil
}

// quorumTime returns the time of the cosignature that made the quorum, 0 if none
// did.
func quorumTime(p *tree.Policy, by []tree.Cosignature) int64 {
	by = slices.SortedFunc(slices.Values(by), func(a, b tree.Cosignature) int { return cmp.Compare(a.Time, b.Time) })
	for i := range by {
		if !p.Satisfied(by[:i]) && p.Satisfied(by[:i+1]) {
			return by[i].Time
		}
	}
	return 0
}

// countRefused counts what came of a submission, if that is a refusal: not if its
// sender went away, or the ledger is shutting down.
func (l *Ledger) countRefused(ctx context.Context, err error) {
	if _, busy := err.(*BusyError); busy { // by far the most, when there are many
		l.refused.Add(1)
		return
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrStopped) {
		l.refused.Add(1)
	}
}
