package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
)

// ErrNoWitnesses: somebody waits for witnesses, and the ledger has none.
var ErrNoWitnesses = errors.New("this ledger has no witnesses")

// maxLoaded is how many cosigned checkpoints are looked through at Open for
// the newest of each witness. What is not found there, the witness tells.
const maxLoaded = 1000

// load finds what was cosigned before, the newest first.
func (w *witnessing) load() error {
	size := w.l.head.Load().size
	p := []byte{prefixCosigned}
	it, err := w.l.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: keyAfter(p)})
	if err != nil {
		return fmt.Errorf("read cosigned checkpoints: %w", err)
	}
	defer it.Close()
	missing := len(w.clients)
	for ok, n := it.Last(), 0; ok && n < maxLoaded && (missing > 0 || w.met.size == 0); ok, n = it.Prev(), n+1 {
		note, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("read cosigned checkpoint %x: %w", it.Key(), err)
		}
		c, err := w.open(it.Key(), bytes.Clone(note), size)
		if err != nil {
			return err
		}
		if w.newest.size == 0 {
			w.newest = c
		}
		if w.met.size == 0 && w.policy.Satisfied(c.by) {
			w.met = c
		}
		for _, cs := range c.by {
			i := w.client(cs.Key)
			if s := &w.states[i]; s.Size == 0 {
				s.Size, s.Time = c.size, cs.Time
				w.turns[i].done = c.size
				missing--
			}
		}
	}
	return it.Error()
}

// open reads a row of a cosigned checkpoint.
func (w *witnessing) open(key, note []byte, size int64) (cosigned, error) {
	at, err := parseIndex(key, key[1:])
	if err != nil {
		return cosigned{}, err
	}
	cp, by, err := tree.OpenCosigned(note, w.l.signer.Key(), w.policy)
	if err == nil && (cp.Size != at || cp.Size > size) {
		err = fmt.Errorf("is of size %d, the log has %d", cp.Size, size)
	}
	if err != nil {
		return cosigned{}, &CorruptionError{Key: fmt.Sprintf("cosigned checkpoint %d", at), What: err.Error()}
	}
	return cosigned{cp.Size, note, by}, nil
}

func (w *witnessing) client(key tree.WitnessKey) int {
	return slices.IndexFunc(w.policy.Witnesses(), func(x tree.Witness) bool { return x.Key == key })
}

// add stores a cosignature of h, and then shows it.
func (w *witnessing) add(h *head, i int, cs tree.Cosignature) error {
	w.store.Lock()
	defer w.store.Unlock()
	c := cosigned{size: h.size, note: h.checkpoint}
	switch row, err := w.l.get(keyCosigned(h.size)); {
	case err == nil:
		if c, err = w.open(keyCosigned(h.size), row, h.size); err != nil {
			return err
		}
	case !errors.Is(err, pebble.ErrNotFound):
		return fmt.Errorf("read cosigned checkpoint %d: %w", h.size, err)
	}
	// The first one bounds the time best, and the witness stands by it.
	if !slices.ContainsFunc(c.by, func(b tree.Cosignature) bool { return b.Key == cs.Key }) {
		c.by = append(slices.Clone(c.by), cs)
		note, err := w.join(h, c, cs)
		if err != nil {
			return err
		}
		c.note = note
		// What was shown as witnessed is so after a crash too. This sync is not
		// on the way of an acknowledgement.
		if err := w.l.db.Set(keyCosigned(h.size), c.note, pebble.Sync); err != nil {
			return fmt.Errorf("store the cosignature: %w", err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := &w.states[i]; h.size >= s.Size {
		s.Size, s.Time = h.size, cs.Time
	}
	if c.size >= w.newest.size {
		w.newest = c
	}
	if c.size >= w.met.size && w.policy.Satisfied(c.by) {
		w.setMet(c)
	}
	w.notify()
	return nil
}

// join returns the note of c with one more line. Where a note has no room for
// it, what witnesses of earlier policies said gives way: a checkpoint that
// nobody can read any more would be worse.
func (w *witnessing) join(h *head, c cosigned, cs tree.Cosignature) ([]byte, error) {
	note := append(bytes.Clone(c.note), cs.Line...)
	if _, _, err := tree.OpenCosigned(note, w.l.signer.Key(), w.policy); err == nil {
		return note, nil
	}
	note = bytes.Clone(h.checkpoint)
	for _, b := range c.by { // cs among them
		note = append(note, b.Line...)
	}
	if _, _, err := tree.OpenCosigned(note, w.l.signer.Key(), w.policy); err != nil {
		return nil, fmt.Errorf("store the cosignature: %w", err)
	}
	return note, nil
}

// noteOf returns the checkpoint of a head, with its cosignatures so far.
func (w *witnessing) noteOf(h *head) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range []*cosigned{&w.newest, &w.met} {
		if c.size == h.size && len(c.note) > 0 {
			return c.note
		}
	}
	return h.checkpoint
}

// witnessed returns the largest tree that is witnessed.
func (w *witnessing) witnessed() cosigned {
	if w.policy != nil && w.policy.Satisfied(nil) { // quorum none
		h := w.l.head.Load()
		return cosigned{size: h.size, note: w.noteOf(h)}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.met
}

// await waits for a witnessed tree of at least that size. If ctx ends first it
// returns the names of the witnesses that are missing.
func (w *witnessing) await(ctx context.Context, size int64) (c cosigned, missing []string) {
	if c = w.witnessed(); c.size >= size {
		return c, nil
	}
	w.mu.Lock()
	if size > w.wanted {
		w.wanted = size
		w.notify()
	}
	w.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.met.size < size && ctx.Err() == nil {
		grown := w.grown
		w.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
		}
		w.mu.Lock()
	}
	if w.met.size >= size {
		return w.met, nil
	}
	var by []tree.Cosignature
	if w.newest.size >= size {
		by = w.newest.by
	}
	return cosigned{}, w.policy.Missing(by)
}

// CosignedCheckpoint returns the newest durable checkpoint, with the
// cosignatures that it has by now: none, mostly, just after it was signed.
func (l *Ledger) CosignedCheckpoint() []byte { return l.witnesses.noteOf(l.head.Load()) }

// Witnessed returns the newest checkpoint that has as many cosignatures as the
// policy asks for, with these, and its size: 0 and nil if there is none.
func (l *Ledger) Witnessed() (checkpoint []byte, size int64) {
	c := l.witnesses.witnessed()
	return c.note, c.size
}

// Cosigned returns the checkpoint of that size with the cosignatures that are
// stored, or an error that wraps [ErrNotFound] if none is.
func (l *Ledger) Cosigned(size int64) ([]byte, error) {
	if n := l.Size(); size < 1 || size > n {
		return nil, fmt.Errorf("%w: checkpoint of size %d, the log has %d entries", ErrNotFound, size, n)
	}
	note, err := l.get(keyCosigned(size))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, fmt.Errorf("%w: no witness cosigned a checkpoint of size %d", ErrNotFound, size)
	}
	return note, err
}

// HasWitnesses reports whether the ledger has a witness policy.
func (l *Ledger) HasWitnesses() bool { return l.witnesses.policy != nil }

// WitnessReceipt waits until a tree that holds a receipt's entry is witnessed,
// and returns the receipt made anew for that tree, with the cosignatures. If
// ctx ends first it returns the receipt as it is and the names of the
// witnesses that are missing: the record is durable all the same. Without a
// policy the error is [ErrNoWitnesses].
func (l *Ledger) WitnessReceipt(ctx context.Context, r *onusv1.Receipt) (witnessed *onusv1.Receipt, missing []string, err error) {
	if !l.HasWitnesses() {
		return nil, nil, ErrNoWitnesses
	}
	c, missing := l.witnesses.await(ctx, r.GetIndex()+1)
	if len(missing) > 0 {
		return r, missing, nil
	}
	if c.size <= r.GetIndex() {
		panic("ledger: no quorum, and no witness is missing")
	}
	e, err := l.Entry(r.GetIndex())
	if err != nil {
		return nil, nil, err
	}
	root, err := l.rootAt(c.size)
	if err != nil {
		return nil, nil, err
	}
	witnessed, err = l.proveAt(proofTarget{c.size, root, c.note}, r.GetIndex(), e.Record.ID, e.Raw, r.GetSignature())
	return witnessed, nil, err
}

// Status is how far the log is, and those who watch it.
type Status struct {
	Size       int64
	LogTime    int64  // of the newest entry, in milliseconds
	Checkpoint []byte // with the cosignatures that it has by now
	// WitnessedSize and Witnessed are as [Ledger.Witnessed] returns them.
	WitnessedSize int64
	Witnessed     []byte
	Quorum        string // its name in the policy; empty without a policy
	Witnesses     []WitnessState
	// Guarded is the size that the rollback guard has, and GuardErr why the
	// newest could not be written; both are zero without a guard.
	HasGuard bool
	Guarded  int64
	GuardErr error
}

// Status returns the state of the log and of its witnesses.
func (l *Ledger) Status() Status {
	h := l.head.Load()
	s := Status{Size: h.size, LogTime: h.logTime, Checkpoint: l.witnesses.noteOf(h)}
	s.Witnessed, s.WitnessedSize = l.Witnessed()
	if l.HasWitnesses() {
		s.Quorum = l.witnesses.policy.Quorum()
	}
	l.witnesses.mu.Lock()
	s.Witnesses = slices.Clone(l.witnesses.states)
	l.witnesses.mu.Unlock()
	if s.HasGuard = l.cfg.Guard != nil; s.HasGuard {
		s.Guarded, s.GuardErr = l.guard.state()
	}
	return s
}
