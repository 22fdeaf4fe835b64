package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/onus-ledger/onus/verifier/tree"
)

// Guard keeps the newest checkpoint outside the database, so that an old copy
// of the database is known for what it is before it signs anything. A log that
// goes on from an old copy has signed two histories, and nobody can heal that.
//
// The ledger saves beside its own work, at most about a second after a head
// became durable, and never ahead of it. What was logged within that second
// before a crash is not guarded: a copy that lacks just those entries is taken
// for the newest. Waiting for witnesses closes that gap for those who need it.
//
// A guard is asked by one goroutine at a time. [FileGuard] is one in a file.
//
// Before each save the ledger looks at what is there: if somebody else saved a
// tree that is not in this log, another copy of it is at work, and the guard is
// left as it is, for the next Open to see.
type Guard interface {
	// Load returns what was saved last. The error wraps fs.ErrNotExist if
	// nothing was.
	Load() ([]byte, error)
	// Save replaces it, and returns when the new one is durable. After an
	// error either of the two may be there.
	Save(checkpoint []byte) error
	// String says where it is, for people.
	String() string
}

// guardPause is how long the guard rests between two saves.
const guardPause = 500 * time.Millisecond

// ErrNoGuard: there is a ledger, and its guard holds nothing.
var ErrNoGuard = errors.New("the rollback guard is missing")

// HistoryError says that the ledger's database is not the newest copy of the
// log, or not of its history. To go on would be to sign a second one.
type HistoryError struct {
	// Where the other history was seen: the guard, or a witness.
	Where string
	// Size of this copy, and that which was seen.
	Size, Seen int64
	// Forked: at the smaller of the two sizes they are two different logs.
	Forked bool
	// Signed is the checkpoint that was seen, signed by the log; nil if it is
	// a witness's word alone.
	Signed []byte
}

func (e *HistoryError) Error() string {
	switch {
	case e.Forked && e.Signed == nil:
		return fmt.Sprintf("this may be another history: %s says that the tree of %d entries which it has is not in this copy of %d entries: "+
			"keep this copy as evidence, and restore one that the witness agrees with; if the witness is wrong, take it out of the policy",
			e.Where, e.Seen, e.Size)
	case e.Forked:
		return fmt.Sprintf("this is another history: %s has a tree of %d entries that is not in this copy of %d entries: "+
			"keep both copies as evidence, and restore the copy that holds that tree, or start a successor with onus restore --successor",
			e.Where, e.Seen, e.Size)
	case e.Signed == nil:
		return fmt.Sprintf("this seems to be an old copy: it has %d entries, %s says that it has seen %d: "+
			"restore the copy that has at least %d entries; if there is none, start a successor with onus restore --successor; "+
			"if the witness is wrong, take it out of the policy", e.Size, e.Where, e.Seen, e.Seen)
	}
	return fmt.Sprintf("this is an old copy: it has %d entries, %s has seen %d: restore the copy that has at least %d entries; "+
		"if there is none, start a successor with onus restore --successor", e.Size, e.Where, e.Seen, e.Seen)
}

// noGuardYet refuses a guard that is another ledger's, or an earlier one's.
func noGuardYet(g Guard) error {
	if g == nil {
		return nil
	}
	switch _, err := g.Load(); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read the rollback guard: %w", err)
	}
	return fmt.Errorf("the rollback guard at %s is there already, and so of another ledger, or of this one before it was lost: give the new ledger a place of its own", g)
}

// checkGuard compares the durable head with what the guard has. It writes
// nothing: a copy that a witness refuses afterwards must not have moved the
// guard, which then would refuse the right copy.
func (l *Ledger) checkGuard() error {
	if l.cfg.Guard == nil {
		return nil
	}
	saved, err := l.cfg.Guard.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist) && l.cfg.AcceptMissingGuard:
		l.cfg.Logger.Warn("the rollback guard was missing and is made anew: that this is the newest copy of the log is your word",
			"guard", l.cfg.Guard.String(), "size", l.Size())
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: nothing is at %s: name the place where it is, or, if you know that this is the newest copy of the log, accept it once with --accept-missing-guard",
			ErrNoGuard, l.cfg.Guard)
	case err != nil:
		return fmt.Errorf("read the rollback guard: %w", err)
	}
	return l.compareGuard(saved)
}

// compareGuard holds the durable head to what the guard has.
func (l *Ledger) compareGuard(saved []byte) error {
	cp, err := l.signer.Key().Open(saved)
	if err != nil {
		return fmt.Errorf("the rollback guard at %s is not a checkpoint of this log: %w: restore it, or find out who changed it; it is not to be trusted as it is. "+
			"If you know that this is the newest copy of the log, move that file away and accept its absence once with --accept-missing-guard", l.cfg.Guard, err)
	}
	return l.compare(l.cfg.Guard.String(), cp, saved)
}

// compare holds the durable head to a checkpoint that the log signed before.
func (l *Ledger) compare(where string, cp tree.Checkpoint, signed []byte) error {
	h := l.head.Load()
	if cp.Size > h.size {
		return &HistoryError{Where: where, Size: h.size, Seen: cp.Size, Signed: signed}
	}
	root, err := l.rootAt(cp.Size)
	if err != nil {
		return err
	}
	if root != cp.Root {
		return &HistoryError{Where: where, Size: h.size, Seen: cp.Size, Forked: true, Signed: signed}
	}
	return nil
}

// rootAt returns the root of the log at a size up to the durable one.
func (l *Ledger) rootAt(size int64) (tree.Hash, error) {
	h := l.head.Load()
	if size == h.size {
		return h.root, nil
	}
	f, err := tree.LoadFrontier(size, l.reader(h))
	if err != nil {
		return tree.Hash{}, fmt.Errorf("compute the root at size %d: %w", size, err)
	}
	return f.Root(), nil
}

// guardKeeper writes the guard behind the durable head.
type guardKeeper struct {
	turn  sync.Mutex // held while the guard is asked
	saved []byte     // under turn: what this process saved last; nil if nothing was

	mu   sync.Mutex // never held while the guard is asked: it may hang
	size int64      // under mu: of saved
	err  error      // under mu: of the last attempt
}

// saveGuard puts h into the guard, unless that holds another history.
func (l *Ledger) saveGuard(h *head) error {
	g := l.guard
	g.turn.Lock()
	defer g.turn.Unlock()
	err := l.unchangedGuard()
	if err == nil {
		if err = l.cfg.Guard.Save(h.checkpoint); err == nil {
			g.saved = h.checkpoint
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err = err; err != nil {
		return fmt.Errorf("write the rollback guard: %w", err)
	}
	g.size = h.size
	return nil
}

// unchangedGuard finds out whether somebody else wrote the guard since, such as
// another copy of the log that was given the same place. One that was removed,
// or put back from before, is written anew. The caller holds turn.
func (l *Ledger) unchangedGuard() error {
	switch b, err := l.cfg.Guard.Load(); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case bytes.Equal(b, l.guard.saved):
		return nil
	default:
		var other *HistoryError
		if err = l.compareGuard(b); errors.As(err, &other) {
			return fmt.Errorf("another copy of this log is being signed, stop one of the two now: %w", err)
		}
		return err
	}
}

func (g *guardKeeper) state() (size int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.size, g.err
}

// startGuard has the guard follow the durable head. The function that it
// returns ends that, after a last save.
func (l *Ledger) startGuard() (stop func()) {
	if l.cfg.Guard == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var failed string // how the last attempt did, if it did
		for size := int64(0); ; {
			// Wait returns at once while a save failed: ctx has its own word.
			ended := l.Wait(ctx, size) != nil || ctx.Err() != nil
			if h := l.head.Load(); h.size > size {
				// The records are durable whether the guard is or not: what fails
				// here must be seen, and stops nobody.
				err := l.saveGuard(h)
				if err == nil {
					size = h.size
				}
				failed = l.tellGuard(failed, h.size, err)
			}
			if ended {
				return
			}
			select {
			case <-time.After(guardPause):
			case <-ctx.Done():
			}
		}
	}()
	return func() { cancel(); <-done }
}

// tellGuard tells the operator that saving the guard failed, or no longer does:
// once, and not twice a second until somebody comes. It returns how it failed.
func (l *Ledger) tellGuard(before string, size int64, err error) string {
	var other *HistoryError
	now, what := "", ""
	switch {
	case errors.As(err, &other):
		now, what = "another history", "another copy of the log has the same guard"
	case err != nil:
		now, what = "an error", "an old copy of the log could pass for the newest until this is mended"
	}
	switch {
	case now == before:
	case now == "":
		l.cfg.Logger.Info("the rollback guard is written again", "size", size)
	default:
		l.cfg.Logger.Error(what, "size", size, "err", err)
	}
	return now
}
