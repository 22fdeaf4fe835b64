package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/ledger/witness"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Pauses of the rounds of witnesses.
const (
	// roundPause is how long after a round the next one begins, if nobody
	// waits for witnesses: a bound on what is stored and on what they are asked.
	roundPause = time.Second
	// minRetry doubles with each failure up to maxRetry.
	minRetry = 250 * time.Millisecond
	maxRetry = 30 * time.Second
)

// witnessing has the log cosigned.
//
// It goes in rounds: the newest durable head is put to all witnesses at once,
// so that they cosign the same tree and make a quorum together. A round ends
// when the quorum is met, or every witness has answered or is known to be in
// trouble; then comes the head that is newest by then. A witness has one
// request at a time. One that is slow, or comes back, joins with the head of
// the round that is on by then.
//
// None of this is on the way of an acknowledgement: a submission that does not
// ask for witnesses never waits for them.
type witnessing struct {
	l       *Ledger
	policy  *tree.Policy // nil: no witnesses
	clients []*witness.Client

	// store is held while a cosignature is put into the database.
	store sync.Mutex

	mu      sync.Mutex
	changed chan struct{}  // under mu: closed at each change, and replaced
	grown   chan struct{}  // under mu: likewise, when more is witnessed
	target  *head          // under mu: what the round asks for; nil before the first
	wanted  int64          // under mu: the largest size that somebody waits for
	newest  cosigned       // under mu: the largest tree with a cosignature
	met     cosigned       // under mu: the largest that is witnessed
	states  []WitnessState // under mu: in the order of clients
	turns   []turn         // under mu: likewise
}

// cosigned is a checkpoint with cosignatures, which were checked.
type cosigned struct {
	size int64
	note []byte
	by   []tree.Cosignature
}

// turn is where a witness is in the rounds.
type turn struct {
	done    int64 // the size that it answered last, well
	pausing bool  // after a failure
}

// WitnessState is what the ledger knows of a witness.
type WitnessState struct {
	Name, URL string
	// Size and Time are of the newest tree that it cosigned, the time in
	// seconds by its own clock; 0: none that is known here.
	Size, Time int64
	// Err is why the newest attempt failed, or nil.
	Err error
	// Attempts since the ledger was opened, and those that failed.
	Attempts, Failures int64
}

func newWitnessing(l *Ledger, policy *tree.Policy) (*witnessing, error) {
	w := &witnessing{l: l, policy: policy, changed: make(chan struct{}), grown: make(chan struct{})}
	if policy == nil {
		// What was cosigned under an earlier policy is still shown.
		h := l.head.Load()
		note, err := l.get(keyCosigned(h.size))
		if errors.Is(err, pebble.ErrNotFound) {
			return w, nil
		}
		w.newest = cosigned{size: h.size, note: note}
		return w, err
	}
	key := l.signer.Key()
	if _, _, err := tree.OpenCosigned(l.head.Load().checkpoint, key, policy); err != nil {
		return nil, fmt.Errorf("witness policy: %w", err)
	}
	for _, x := range policy.Witnesses() {
		c, err := witness.NewClient(x, policy, key)
		if err != nil {
			return nil, fmt.Errorf("witness policy: %w", err)
		}
		w.clients = append(w.clients, c)
		w.states = append(w.states, WitnessState{Name: x.Name, URL: x.URL})
	}
	w.turns = make([]turn, len(w.clients))
	return w, w.load()
}

// notify tells the rounds and those who work in them that something changed.
// The caller holds mu.
func (w *witnessing) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// setMet says that c is witnessed, to all who wait for that. These may be many
// thousands, so nothing else wakes them. The caller holds mu.
func (w *witnessing) setMet(c cosigned) {
	w.met = c
	close(w.grown)
	w.grown = make(chan struct{})
}

// until waits for f, which is called under mu, to return true.
func (w *witnessing) until(ctx context.Context, f func() bool) error {
	for {
		w.mu.Lock()
		ok, changed := f(), w.changed
		w.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// start begins the rounds. The function that it returns ends them.
func (w *witnessing) start() (stop func()) {
	if len(w.clients) == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { w.rounds(ctx) })
	all.Go(func() { w.thinning(ctx) })
	for i := range w.clients {
		all.Go(func() { w.work(ctx, i) })
	}
	return func() {
		cancel()
		all.Wait()
		w.disconnect()
	}
}

// disconnect lets go of the connections that wait for another request.
func (w *witnessing) disconnect() {
	for _, c := range w.clients {
		c.Close()
	}
}

// rounds sets one target after the other.
func (w *witnessing) rounds(ctx context.Context) {
	for size := int64(0); ; {
		if w.l.Wait(ctx, size) != nil {
			return
		}
		h := w.l.head.Load()
		size = h.size
		w.mu.Lock()
		w.target = h
		w.notify()
		w.mu.Unlock()
		if w.until(ctx, func() bool { return w.roundOver(h.size) }) != nil {
			return
		}
		pause, cancel := context.WithTimeout(ctx, roundPause)
		w.until(pause, func() bool { return w.wanted > size })
		cancel()
	}
}

// roundOver reports whether there is nothing to wait for before the next
// round. The caller holds mu.
func (w *witnessing) roundOver(size int64) bool {
	if w.met.size >= size {
		return true
	}
	for _, t := range w.turns {
		if t.done < size && !t.pausing {
			return false
		}
	}
	return true
}

// work asks one witness, round after round.
func (w *witnessing) work(ctx context.Context, i int) {
	failures := 0
	for {
		var h *head
		err := w.until(ctx, func() bool {
			h = w.target
			return h != nil && h.size > w.turns[i].done
		})
		if err != nil {
			return
		}
		err = w.ask(ctx, i, h)
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		s, t := &w.states[i], &w.turns[i]
		wasWell := s.Err == nil
		s.Attempts++
		if s.Err, t.pausing = err, err != nil; err != nil {
			s.Failures++
		} else {
			t.done = h.size
		}
		w.notify()
		w.mu.Unlock()
		name := w.clients[i].Witness().Name
		if err == nil {
			if failures > 0 {
				w.l.cfg.Logger.Info("witness cosigns again", "witness", name, "size", h.size)
			}
			failures = 0
			continue
		}
		if wasWell {
			w.l.cfg.Logger.Warn("witness does not cosign", "witness", name, "size", h.size, "err", err)
		}
		pause(ctx, retryPause(failures, err))
		failures++
		w.mu.Lock()
		w.turns[i].pausing = false
		w.mu.Unlock()
	}
}

// retryPause is from half to all of a pause that doubles with each failure,
// and no less than the witness asked for. Without the spread, all logs that a
// witness was down for would come back at the same moment.
func retryPause(failures int, err error) time.Duration {
	d := min(minRetry<<min(failures, 10), maxRetry)
	d = d/2 + rand.N(d/2)
	var status *witness.StatusError
	if errors.As(err, &status) {
		d = max(d, status.RetryAfter)
	}
	return d
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// ask has one witness cosign h, from the size that it is thought to have. If
// it has another size it says so, and is asked once more from there; twice,
// because somebody else may show it our checkpoints at the same time.
func (w *witnessing) ask(ctx context.Context, i int, h *head) error {
	w.mu.Lock()
	old := w.states[i].Size
	w.mu.Unlock()
	if old > h.size {
		old = h.size // from a round that went on while this one waited
	}
	for try := 0; ; try++ {
		proof, err := w.proof(old, h)
		if err != nil {
			return err
		}
		cs, err := w.clients[i].Add(ctx, old, proof, h.checkpoint)
		var other *witness.SizeError
		switch {
		case err == nil:
			return w.add(h, i, cs)
		case !errors.As(err, &other):
			return err
		case other.Size == old:
			return fmt.Errorf("the witness says that it has size %d, which is what it was asked from", old)
		case try == 2:
			return fmt.Errorf("the witness named another size each time, %d at last", other.Size)
		}
		if other.Size > h.size {
			// Somebody else showed it a newer checkpoint of ours, or another
			// copy of this log is at work.
			if h = w.l.head.Load(); other.Size > h.size {
				return fmt.Errorf("the witness says that it has seen %d entries of this log, which has %d: if that is so, another copy of the log was signed; stop the log and compare", other.Size, h.size)
			}
		}
		old = other.Size
	}
}

func (w *witnessing) proof(old int64, h *head) ([]tree.Hash, error) {
	if old == 0 || old == h.size {
		return nil, nil
	}
	_, _, p, err := w.l.Consistency(old, h.size)
	return p, err
}

// checkWitnesses compares the durable head with what the witnesses have, all
// at once. Those that do not answer are reported, and no obstacle.
func (w *witnessing) check(ctx context.Context) error {
	h := w.l.head.Load()
	errs := make([]error, len(w.clients))
	var all sync.WaitGroup
	for i, c := range w.clients {
		all.Go(func() {
			s, err := c.State(ctx, h.size, h.checkpoint)
			if err != nil {
				w.l.cfg.Logger.Warn("witness cannot say how far it has seen the log", "witness", c.Witness().Name, "err", err)
				return
			}
			errs[i] = w.compare(fmt.Sprintf("witness %q", c.Witness().Name), h, s)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (w *witnessing) compare(where string, h *head, s witness.State) error {
	switch {
	case s.Signed != nil:
		return w.l.compare(where, s.Tree, s.Signed)
	case s.Disagrees:
		return &HistoryError{Where: where, Size: h.size, Seen: s.Size, Forked: true}
	case s.Size > h.size:
		return &HistoryError{Where: where, Size: h.size, Seen: s.Size}
	}
	return nil
}
