package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/ledger/witness/witnesstest"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// watched is a ledger with three witnesses, of which two make the quorum.
type watched struct {
	*harness
	ws     []*witnesstest.Witness
	policy *tree.Policy
}

// newWatched creates the ledger on fs; reads says whether the witnesses have
// the read side.
func newWatched(t *testing.T, fs vfs.FS, reads bool) *watched {
	t.Helper()
	h := bareHarness(t, fs, nil)
	w := &watched{harness: h}
	var text strings.Builder
	for i := range 3 {
		x, err := witnesstest.New(fmt.Sprintf("w%d.example.com", i), h.key)
		if err != nil {
			t.Fatal(err)
		}
		x.Reads = reads
		s := httptest.NewServer(x)
		t.Cleanup(func() {
			s.CloseClientConnections()
			s.Close()
		})
		w.ws = append(w.ws, x)
		fmt.Fprintf(&text, "witness w%d %s %s\n", i, x.Key(), s.URL)
	}
	var err error
	if w.policy, err = tree.ParsePolicy([]byte(text.String() + "group two 2 w0 w1 w2\nquorum two\n")); err != nil {
		t.Fatal(err)
	}
	h.cfg.Witnesses = w.policy
	h.create()
	h.enrol()
	return w
}

// down has witnesses answer 503, or hang.
func (w *watched) down(hang bool, which ...int) {
	for _, i := range which {
		w.ws[i].Fault(func(rw http.ResponseWriter, r *http.Request) bool {
			if hang {
				io.Copy(io.Discard, r.Body) // else nobody sees that the client went away
				<-r.Context().Done()
			} else {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
			return true
		})
	}
}

func (w *watched) up(which ...int) {
	for _, i := range which {
		w.ws[i].Fault(nil)
	}
}

// witness submits a record and waits for witnesses.
func (w *watched) witness(d time.Duration) (*record.Record, *Logged, []string) {
	w.t.Helper()
	r, got := w.submit(nil)
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	rec, missing, err := w.ledger.WitnessReceipt(ctx, got.Receipt)
	if err != nil {
		w.t.Fatal(err)
	}
	got.Receipt = rec
	w.checkReceipt(r, rec)
	return r, got, missing
}

// settle waits until all witnesses have cosigned the durable head.
func (w *watched) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	size := w.ledger.Size()
	err := w.ledger.witnesses.until(ctx, func() bool {
		return !slices.ContainsFunc(w.ledger.witnesses.states, func(s WitnessState) bool { return s.Size < size })
	})
	if err != nil {
		w.t.Fatalf("not all witnesses cosigned: %+v", w.ledger.Status().Witnesses)
	}
}

// wantWitnessed holds a checkpoint to the policy, as a reader would.
func (w *watched) wantWitnessed(note string, size int64) {
	w.t.Helper()
	cp, by, err := tree.OpenCosigned([]byte(note), w.key, w.policy)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.policy.Check(by); err != nil {
		w.t.Errorf("checkpoint of size %d: %v", cp.Size, err)
	}
	if cp.Size < size {
		w.t.Errorf("checkpoint of size %d, want at least %d", cp.Size, size)
	}
}

// With two of three up the quorum is met; with one up, what is missing is
// said, and the record is durable all the same.
func TestWaitWitnessed(t *testing.T) {
	mem := vfs.NewCrashableMem()
	w := newWatched(t, mem, false)
	_, got, missing := w.witness(time.Minute)
	if len(missing) > 0 {
		t.Fatalf("missing %v with all up", missing)
	}
	w.wantWitnessed(got.Receipt.Checkpoint, got.Receipt.Index+1)

	w.down(false, 1)
	if _, got, missing = w.witness(time.Minute); len(missing) > 0 {
		t.Fatalf("missing %v with two of three up", missing)
	}
	w.wantWitnessed(got.Receipt.Checkpoint, got.Receipt.Index+1)
	note, size := w.ledger.Witnessed()
	w.wantWitnessed(string(note), got.Receipt.Index+1)
	if stored, err := w.ledger.Cosigned(size); err != nil || len(stored) < len(note) {
		t.Errorf("Cosigned(%d) = %q, %v", size, stored, err)
	}

	w.down(true, 2)
	r, got, missing := w.witness(300 * time.Millisecond)
	if want := []string{"w1", "w2"}; !slices.Equal(missing, want) && !slices.Equal(missing, []string{"w0", "w1", "w2"}) {
		t.Errorf("missing %v, want %v", missing, want)
	}
	if _, by, err := tree.OpenCosigned([]byte(got.Receipt.Checkpoint), w.key, w.policy); err != nil || w.policy.Satisfied(by) {
		t.Errorf("the receipt is witnessed by %v, %v", by, err)
	}
	index := got.Receipt.Index
	w.up(1, 2)
	after := w.on(mem.CrashClone(vfs.CrashCloneCfg{}))
	after.open()
	defer after.close()
	if at, err := after.ledger.Index(r.ID); err != nil || at != index {
		t.Errorf("after a crash the record is at %d, %v; want %d", at, err, index)
	}
}

// Whether witnesses answer, hang or lie: who does not wait for them is
// acknowledged.
func TestWitnessesStopNobody(t *testing.T) {
	w := newWatched(t, nil, false)
	w.down(true, 0)
	w.down(false, 1, 2)
	var before [3]int
	for i, x := range w.ws {
		before[i], _ = x.Asked()
	}
	w.grow(600)
	for i, x := range w.ws {
		for n, _ := x.Asked(); n == before[i]; n, _ = x.Asked() {
			w.grow(1)
			time.Sleep(time.Millisecond)
		}
	}
	w.checkLog()
	w.up(0, 1, 2)
	// They are asked again by themselves.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, missing := w.ledger.witnesses.await(ctx, w.ledger.Size()); len(missing) > 0 {
		t.Errorf("missing %v after all came back", missing)
	}
	for i, x := range w.ws {
		if _, most := x.Asked(); most > 1 {
			t.Errorf("witness %d had %d requests at once", i, most)
		}
	}
}

// Many who wait are released by few rounds.
func TestOneRoundReleasesAll(t *testing.T) {
	w := newWatched(t, nil, false)
	before, _ := w.ws[0].Asked()
	got := w.grow(500)
	done := make(chan []string)
	for _, g := range got {
		go func() {
			rec, missing, err := w.ledger.WitnessReceipt(context.Background(), g.Receipt)
			if err != nil || rec == nil {
				missing = append(missing, fmt.Sprint(err))
			}
			done <- missing
		}()
	}
	for range got {
		if missing := <-done; len(missing) > 0 {
			t.Errorf("missing %v", missing)
		}
	}
	if after, _ := w.ws[0].Asked(); after-before > 20 {
		t.Errorf("500 records took %d requests", after-before)
	}
}

// What was cosigned is there after a restart, a witness that lost its memory
// begins anew, and what lies about sizes is given up without harm.
func TestWitnessesOverTime(t *testing.T) {
	w := newWatched(t, nil, true)
	_, first, missing := w.witness(time.Minute)
	if len(missing) > 0 {
		t.Fatal(missing)
	}
	w.settle()
	before, size := w.ledger.Witnessed()
	w.reopen()
	if note, n := w.ledger.Witnessed(); n < size || n == size && len(note) < len(before) {
		t.Errorf("after a restart %d are witnessed, before %d", n, size)
	}
	for _, s := range w.ledger.Status().Witnesses {
		if s.Size == 0 {
			t.Errorf("after a restart nothing is known of %+v", s)
		}
	}
	w.wantWitnessed(string(before), first.Receipt.Index+1)

	w.ws[0].Lose()
	w.down(false, 1)
	if _, _, missing := w.witness(time.Minute); len(missing) > 0 {
		t.Errorf("missing %v after a witness lost its memory", missing)
	}
	w.up(1)
	for _, size := range []string{"0", "3", "999999"} {
		w.ws[2].Fault(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Content-Type", "text/x.tlog.size")
			rw.WriteHeader(http.StatusConflict)
			fmt.Fprintln(rw, size)
			return true
		})
		if _, _, missing := w.witness(time.Minute); len(missing) > 0 {
			t.Errorf("missing %v with one that lies: %s", missing, size)
		}
	}
	w.up(2)
	w.checkRows()
}

// An old copy of the database that the guard lets pass, because its file was
// changed, is caught by the witnesses: by those with the read side and by
// those without. One that grew since is caught as well.
func TestWitnessesCatchRollback(t *testing.T) {
	for _, reads := range []bool{false, true} {
		for _, grown := range []int{0, 3, 40} {
			mem := vfs.NewMem()
			w := newWatched(t, mem, reads)
			w.settle()
			w.close()
			old := w.on(copyOf(t, mem))
			w.open()
			w.grow(20)
			w.settle()
			seen := w.ws[0].Size(testOrigin)
			w.close()
			if grown > 0 {
				policy := old.cfg.Witnesses
				old.cfg.Witnesses = nil
				old.open()
				old.grow(grown)
				old.close()
				old.cfg.Witnesses = policy
			}
			w.ws[2].Fault(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(500); return true })
			l, err := Open(old.cfg)
			var he *HistoryError
			switch {
			case grown == 40 && !reads:
				// Without the read side a witness that has less says no more
				// than that. It refuses the first checkpoint.
				if err != nil {
					t.Fatalf("reads %v, grown %d: %v", reads, grown, err)
				}
				old.ledger = l
				old.run()
				_, got := old.submit(nil)
				ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
				_, missing, err := l.WitnessReceipt(ctx, got.Receipt)
				cancel()
				if err != nil || len(missing) == 0 {
					t.Errorf("a fork was witnessed: %v", err)
				}
				if s := l.Status().Witnesses[0]; s.Err == nil || !strings.Contains(s.Err.Error(), "422") {
					t.Errorf("witness of a fork: %+v", s)
				}
				old.close()
			case !errors.As(err, &he):
				t.Errorf("reads %v, grown %d: %v, %v; want a HistoryError", reads, grown, l, err)
			case he.Seen != seen || he.Forked != (grown == 40) || (he.Signed != nil) != reads:
				t.Errorf("reads %v, grown %d: %+v", reads, grown, he)
			}
		}
	}
}

// Two logs of one size that differ.
func TestWitnessHasAnotherTree(t *testing.T) {
	mem := vfs.NewMem()
	w := newWatched(t, mem, false)
	w.settle()
	w.close()
	old := w.on(copyOf(t, mem))
	w.open()
	w.submit(nil)
	w.settle()
	w.close()
	policy := old.cfg.Witnesses
	old.cfg.Witnesses = nil
	old.open()
	old.grow(1)
	old.close()
	old.cfg.Witnesses = policy
	var he *HistoryError
	if l, err := Open(old.cfg); !errors.As(err, &he) || !he.Forked {
		t.Errorf("Open: %v, %v; want a fork", l, err)
	}
}

// A witness that cannot be asked is no obstacle.
func TestOpenWithoutWitnesses(t *testing.T) {
	w := newWatched(t, nil, false)
	w.down(false, 0, 1, 2)
	w.reopen()
	w.checkLog()
}

// Who waits where there are no witnesses is told so; with quorum none, the
// head is witnessed as it is.
func TestNoWitnesses(t *testing.T) {
	h := newHarness(t, nil, nil)
	_, got := h.submit(nil)
	if _, _, err := h.ledger.WitnessReceipt(context.Background(), got.Receipt); !errors.Is(err, ErrNoWitnesses) {
		t.Errorf("WitnessReceipt: %v", err)
	}
	if cp, size := h.ledger.Witnessed(); cp != nil || size != 0 {
		t.Errorf("Witnessed = %q, %d", cp, size)
	}
	if _, err := h.ledger.Cosigned(1); !errors.Is(err, ErrNotFound) {
		t.Errorf("Cosigned: %v", err)
	}
	h.close()
	var err error
	if h.cfg.Witnesses, err = tree.ParsePolicy([]byte("quorum none\n")); err != nil {
		t.Fatal(err)
	}
	h.open()
	if rec, missing, err := h.ledger.WitnessReceipt(context.Background(), got.Receipt); err != nil || len(missing) > 0 || rec.Index != got.Receipt.Index {
		t.Errorf("with quorum none: %v, %v, %v", rec, missing, err)
	}
}

// A policy that is not for this log, or says not where a witness is.
func TestWitnessPolicyRefused(t *testing.T) {
	h := newHarness(t, nil, nil)
	w, err := witnesstest.New("w.example.com", h.key)
	if err != nil {
		t.Fatal(err)
	}
	h.close()
	other, err := tree.NewLogKey("example.com/other", h.agent.Public().Crypto().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		fmt.Sprintf("witness w %s\nquorum w\n", w.Key()):                                       "has no address",
		fmt.Sprintf("log %s\nwitness w %s https://w.example.com/\nquorum w\n", other, w.Key()): "does not name the log",
	} {
		if h.cfg.Witnesses, err = tree.ParsePolicy([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(h.cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v, %v; want %q", l, err, want)
		}
	}
}

// Check holds cosigned checkpoints to the entries.
func TestCheckCosigned(t *testing.T) {
	w := newWatched(t, nil, false)
	_, got, missing := w.witness(time.Minute)
	if len(missing) > 0 {
		t.Fatal(missing)
	}
	size := got.Receipt.Index + 1
	w.grow(3)
	w.checkRows()
	for name, change := range map[string]func(db *pebble.DB, row []byte) error{
		"of another size": func(db *pebble.DB, row []byte) error { return db.Set(keyCosigned(size+1), row, nil) },
		"beyond the log":  func(db *pebble.DB, row []byte) error { return db.Set(keyCosigned(size+100), row, nil) },
		"not signed":      func(db *pebble.DB, row []byte) error { return db.Set(keyCosigned(2), row[1:], nil) },
		"another root": func(db *pebble.DB, _ []byte) error {
			s, err := tree.NewLogSigner(testOrigin, w.cfg.Signer)
			if err != nil {
				return err
			}
			cp, err := s.Sign(2, tree.LeafHash(nil))
			if err != nil {
				return err
			}
			return db.Set(keyCosigned(2), cp, nil)
		},
	} {
		c := w.on(copyOf(t, w.cfg.FS))
		c.change(func(db *pebble.DB) error {
			var row []byte
			for n := size; row == nil; n++ {
				row, _ = get(db, keyCosigned(n))
			}
			return change(db, row)
		})
		rep, err := Check(context.Background(), c.cfg, nil)
		if err != nil || rep.ProblemCount == 0 || !strings.Contains(rep.Problems[0], "cosigned checkpoint") {
			t.Errorf("%s: %+v, %v", name, rep, err)
		}
	}
}
