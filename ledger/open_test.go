package ledger

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Create does not take what is there, Open and Check do not make what is not.
func TestCreateAndOpenDoNotMix(t *testing.T) {
	mem := vfs.NewMem()
	h := bareHarness(t, mem, nil)
	for _, dir := range []string{"db", "a/b"} {
		h.cfg.Dir = dir
		if l, err := Open(h.cfg); !errors.Is(err, ErrNotExist) {
			t.Errorf("Open of nothing: %v, %v, want ErrNotExist", l, err)
		}
		if c, err := Check(context.Background(), h.cfg, nil); !errors.Is(err, ErrNotExist) {
			t.Errorf("Check of nothing: %v, %v, want ErrNotExist", c, err)
		}
	}
	if err := mem.MkdirAll("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	h.cfg.Dir = "empty"
	if _, err := Open(h.cfg); !errors.Is(err, ErrNotExist) {
		t.Errorf("Open of an empty directory: %v, want ErrNotExist", err)
	}
	if names, err := mem.List("/"); err != nil || len(names) != 1 {
		t.Errorf("Open made %q, %v", names, err)
	}
	if names, err := mem.List("empty"); err != nil || len(names) != 0 {
		t.Errorf("Open made %q, %v", names, err)
	}

	h.cfg.Dir = "db"
	h.create()
	h.enrol()
	h.submit(nil)
	h.close()
	before := files(t, mem)
	if l, err := Create(h.cfg, h.genesis()); !errors.Is(err, ErrExists) {
		t.Errorf("Create on a ledger: %v, %v, want ErrExists", l, err)
	}
	for name, b := range files(t, mem) {
		if !bytes.Equal(before[name], b) {
			t.Errorf("Create changed %s", name)
		}
	}
	h.open()
	h.checkLog()
}

// A ledger that is open is not opened twice.
func TestOpenTwice(t *testing.T) {
	h := newHarness(t, nil, nil)
	if l, err := Open(h.cfg); err == nil {
		l.Close()
		t.Error("an open ledger was opened again")
	}
	h.submit(nil)
}

// Create refuses a genesis that does not fit, and leaves no ledger behind that
// stands in the way of the right one.
func TestCreateRefusesGenesis(t *testing.T) {
	h := bareHarness(t, nil, nil)
	other, err := tree.NewLogKey(testOrigin, ed25519.NewKeyFromSeed(seed("other")).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	admins := []Administrator{{"root", h.admin.Public()}}
	wrongKey, err := NewGenesis(other, admins, DefaultPolicy(), h.admin, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := NewGenesis(h.key, admins, DefaultPolicy(), h.agent, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged := *h.genesis()
	forged.Envelope.Signature = make([]byte, 64)
	for name, g := range map[string]*record.Record{
		"another log key":               wrongKey,
		"signed by a stranger":          stranger,
		"forged":                        &forged,
		"no genesis but a record":       h.record(nil),
		"no genesis but a registration": h.sign(h.registration(), h.admin),
	} {
		if l, err := Create(h.cfg, g); err == nil {
			l.Close()
			t.Errorf("%s: accepted", name)
		} else if errors.Is(err, ErrExists) {
			t.Errorf("%s: %v: a refused genesis left a ledger behind", name, err)
		}
	}
	l, err := Create(h.cfg, h.genesis())
	if err != nil {
		t.Fatalf("the right genesis, after wrong ones: %v", err)
	}
	l.Close()
}

func TestOpenRefusesOtherLogKey(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(3)
	h.close()
	right := h.cfg.Signer
	h.cfg.Signer = ed25519.NewKeyFromSeed(seed("other"))
	if l, err := Open(h.cfg); err == nil || !strings.Contains(err.Error(), "log key") {
		t.Errorf("Open with another log key: %v, %v, want an error that names it", l, err)
	}
	weak, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.cfg.Signer = weak
	if l, err := Open(h.cfg); err == nil || !strings.Contains(err.Error(), "Ed25519") {
		t.Errorf("Open with an ECDSA key: %v, %v", l, err)
	}
	h.cfg.Signer = right
	h.open()
	h.checkLog()
}

// Open holds the stored hashes to the signed head: an older head, another
// log's head and a head that the entries do not give are refused.
func TestOpenRefusesHeadThatDoesNotMatch(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(300)
	older := bytes.Clone(h.ledger.Checkpoint())
	oldSize := h.ledger.Size()
	h.grow(10)
	size := h.ledger.Size()
	good, err := h.ledger.get(keyHead)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewLogSigner(testOrigin, h.cfg.Signer)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := signer.Sign(size, tree.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	head := func(size int64, checkpoint []byte) []byte {
		return (&head{size: size, logTime: 1, checkpoint: checkpoint}).marshal(4)
	}
	for name, row := range map[string][]byte{
		"older checkpoint at the new size": head(size, older),
		"new size at the older checkpoint": head(size-1, h.ledger.Checkpoint()),
		"signed, with another root":        head(size, forged),
		"size beyond the entries":          head(size+1, h.ledger.Checkpoint()),
		"no checkpoint":                    head(size, nil),
		"size 0":                           head(0, older),
	} {
		h.change(func(db *pebble.DB) error { return db.Set(keyHead, row, pebble.Sync) })
		if l, err := Open(h.cfg); err == nil {
			t.Errorf("%s: opened with %d entries", name, l.Size())
			l.Close()
		}
	}
	// The older head alone is a consistent log that was rolled back: only who
	// holds a later checkpoint can tell, and Check by the rows beyond it.
	h.change(func(db *pebble.DB) error { return db.Set(keyHead, head(oldSize, older), pebble.Sync) })
	got, err := Check(context.Background(), h.cfg, nil)
	if err != nil || got.ProblemCount == 0 {
		t.Errorf("Check of a head set back: %+v, %v, want the rows beyond it named", got, err)
	}
	h.change(func(db *pebble.DB) error { return db.Set(keyHead, good, pebble.Sync) })
	h.open()
	h.checkLog()
	h.checkRows()
}

// Reopening gives the same log at every size around the edges of tiles.
func TestReopenAtEverySize(t *testing.T) {
	h := newHarness(t, nil, nil)
	for _, size := range []int64{5, 6, 255, 256, 257, 511, 512, 513} {
		h.grow(int(size - h.ledger.Size()))
		want := bytes.Clone(h.ledger.Checkpoint())
		h.reopen()
		if got := h.ledger.Checkpoint(); !bytes.Equal(got, want) {
			t.Errorf("size %d: checkpoint %q, before %q", size, got, want)
		}
		h.checkLog()
	}
}
