package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/tree"
)

// stuckGuard takes no checkpoint.
type stuckGuard struct{ saved []byte }

func (g *stuckGuard) Load() ([]byte, error) { return g.saved, nil }
func (g *stuckGuard) String() string        { return "a guard of a test" }
func (g *stuckGuard) Save([]byte) error     { return errors.New("the disk is full") }

func TestVitals(t *testing.T) {
	h := newHarness(t, nil, nil)
	before, err := h.ledger.Vitals()
	if err != nil {
		t.Fatal(err)
	}
	if before.Logged != before.Size || before.Refused != 0 || before.HasGuard || before.QueueBound != 8192 {
		t.Errorf("at first: %+v", before)
	}
	h.grow(5)
	if _, err := h.ledger.Submit(context.Background(), Submission{}); err == nil {
		t.Fatal("an empty submission was logged")
	}
	bad := h.envelopes(2, nil)
	bad[0].Envelope.Signature = bad[1].Envelope.Signature
	h.ledger.SubmitBatch(context.Background(), bad[:1])
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	h.ledger.Submit(gone, Submission{})
	v, err := h.ledger.Vitals()
	if err != nil || v.Logged != before.Logged+5 || v.Refused != 2 || v.Size != before.Size+5 || v.Queued != 0 {
		t.Errorf("after 5 records and 2 that are wrong: %+v, %v", v, err)
	}
	e, err := h.ledger.Entry(v.Size - 1)
	if err != nil || v.LogTime != e.Stamp.LogTime {
		t.Errorf("log time %d, %v", v.LogTime, err)
	}
	size := v.Size

	// A guard that takes nothing more is behind since the first entry after it.
	saved := h.ledger.Checkpoint()
	h.close()
	l, err := Open(Config{Dir: h.cfg.Dir, FS: h.cfg.FS, Signer: h.cfg.Signer, ContentKey: h.cfg.ContentKey})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if v, err = l.Vitals(); err != nil || v.Logged != 0 || v.Size != size {
		t.Errorf("after reopening: %+v, %v", v, err)
	}
	l.cfg.Guard = &stuckGuard{saved}
	l.guard.size = size - 2
	l.cfg.Clock = func() time.Time { return time.UnixMilli(e.Stamp.LogTime).Add(90 * time.Second) }
	first, err := l.Entry(size - 2)
	if err != nil {
		t.Fatal(err)
	}
	want := l.cfg.Clock().Sub(time.UnixMilli(first.Stamp.LogTime))
	if v, err = l.Vitals(); err != nil || v.GuardBehind != want {
		t.Errorf("the guard is %v behind, %v; want %v", v.GuardBehind, err, want)
	}
	l.guard.size = size
	if v, err = l.Vitals(); err != nil || v.GuardBehind != 0 {
		t.Errorf("a guard that has all is %v behind, %v", v.GuardBehind, err)
	}
}

// The quorum is met at the time of the cosignature that made it.
func TestQuorumTime(t *testing.T) {
	w := newWatched(t, nil, false)
	x := w.policy.Witnesses()
	by := []tree.Cosignature{{Key: x[2].Key, Time: 30}, {Key: x[0].Key, Time: 10}, {Key: x[1].Key, Time: 20}}
	for n, want := range []int64{0, 0, 30, 20} {
		if got := quorumTime(w.policy, by[:n]); got != want {
			t.Errorf("with %d cosignatures: %d, want %d", n, got, want)
		}
	}
	w.witness(time.Minute)
	w.settle()
	v, err := w.ledger.Vitals()
	if err != nil || v.WitnessedSize != v.Size || time.Since(time.Unix(v.WitnessedTime, 0)).Abs() > time.Hour {
		t.Errorf("%+v, %v", v, err)
	}
}
