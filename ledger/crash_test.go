package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// acknowledged is a record whose receipt was given out.
type acknowledged struct {
	rec     *record.Record
	receipt *onusv1.Receipt
}

// image is what a crash left on the disk, and what was promised before it.
type image struct {
	fs       *vfs.MemFS
	op       string
	promised []acknowledged
	names    map[string]string // name -> pseudonym
}

// crasher takes images of a disk in memory at every so many writes: each is
// what a crash just before that write would leave.
type crasher struct {
	mem *vfs.MemFS
	rng *rand.Rand

	mu    sync.Mutex
	every int // 0: take none
	// torn: images may hold any part of what was not synced. Else they hold
	// none of it or all of it: Pebble relies on the directory to keep the
	// order of its changes, as journalling file systems do, when it moves to
	// a new manifest.
	torn     bool
	writes   int
	promised []acknowledged
	names    map[string]string
	images   []image
	// grant is what the actions draw on, an EUR each.
	grant *record.Record
}

func newCrasher(rng *rand.Rand) (*crasher, vfs.FS) {
	c := &crasher{mem: vfs.NewCrashableMem(), rng: rng, names: map[string]string{}}
	return c, errorfs.Wrap(c.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			c.write(op)
		}
		return nil
	}))
}

func (c *crasher) write(op errorfs.Op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes++; c.every == 0 || c.writes%c.every != 0 {
		return
	}
	im := image{op: op.Path, promised: slices.Clone(c.promised), names: map[string]string{}}
	for k, v := range c.names {
		im.names[k] = v
	}
	cfg := vfs.CrashCloneCfg{RNG: c.rng, UnsyncedDataPercent: []int{0, 100}[len(c.images)%2]}
	if c.torn {
		cfg.UnsyncedDataPercent = []int{0, 50, 90}[len(c.images)%3]
	}
	im.fs = c.mem.CrashClone(cfg)
	c.images = append(c.images, im)
}

func (c *crasher) take(every int, torn bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.every, c.torn = every, torn
}

func (c *crasher) promise(r *record.Record, receipt *onusv1.Receipt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.promised = append(c.promised, acknowledged{r, receipt})
}

// A crash at any write loses nothing that was acknowledged, and what it leaves
// opens, verifies and goes on.
func TestCrashAtEveryWrite(t *testing.T) {
	c, fs := newCrasher(newRand(t))
	h := newHarness(t, fs, func(c *Config) { c.MaxBatch = 16 })
	h.enrolOperator()
	root := h.own(&onusv1.Grant{Scope: orders("1000")})
	h.log(root)
	c.grant = root
	c.take(1, true)
	load(h, c, long(20))
	c.take(1, false)
	h.reopen() // crashes while the ledger closes, flushes and opens count too
	c.take(0, false)
	h.grow(int(250 - h.ledger.Size()%256)) // on to a tile's edge
	c.take(1, true)
	load(h, c, 20)
	c.take(1, false)
	h.close()
	c.take(0, false)
	if len(c.images) < 100 {
		t.Fatalf("only %d crashes, the test tests too little", len(c.images))
	}
	t.Logf("%d crashes", len(c.images))
	each(len(c.images), func(i int) { c.images[i].check(h) })
}

// load submits n records from several goroutines, with contents, names and
// registrations among them.
func load(h *harness, c *crasher, n int) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < n; i += 4 {
				text, content := record.NewText([]byte("show me the pods"))
				r := h.record(func(m *onusv1.Record) {
					m.Grant = c.grant.ID.String()
					m.GetStages().Intent = &onusv1.Intent{Text: text}
					m.GetStages().Action.Element = &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "1", Unit: "EUR"}
				})
				got := h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope, Contents: []*onusv1.Content{content}}))
				c.promise(r, got.Receipt)
				if i%8 == w {
					name := r.ID.String()[:8]
					ps, err := h.ledger.Mint(NameUser, []string{name})
					if err != nil {
						h.t.Errorf("Mint: %v", err)
						return
					}
					c.mu.Lock()
					c.names[name] = ps[0]
					c.mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
}

// check opens the image and compares it with what was promised.
func (im image) check(of *harness) {
	t := of.t
	h := of.on(im.fs)
	l, err := Open(h.cfg)
	if err != nil {
		t.Errorf("crash before a write to %s: Open: %v", im.op, err)
		return
	}
	h.ledger = l
	h.run()
	defer h.close()
	roots := h.roots()
	size := h.ledger.Size()
	for _, a := range im.promised {
		e, err := l.Entry(a.receipt.Index)
		if err != nil || e.Record.ID != a.rec.ID || string(e.Record.Envelope.Payload) != string(a.rec.Envelope.Payload) {
			t.Errorf("crash before a write to %s: acknowledged record %s is not at index %d of %d: %v", im.op, a.rec.ID, a.receipt.Index, size, err)
			continue
		}
		cp, err := h.key.Open([]byte(a.receipt.Checkpoint))
		if err != nil {
			t.Errorf("checkpoint: %v", err)
			continue
		}
		_, _, proof, err := l.Consistency(cp.Size, size)
		if err != nil {
			t.Errorf("crash before a write to %s: %v", im.op, err)
		} else if err := tree.VerifyConsistency(cp.Size, size, cp.Root, roots[size], proof); err != nil {
			t.Errorf("crash before a write to %s: acknowledged checkpoint %d is no prefix of %d: %v", im.op, cp.Size, size, err)
		}
		if cs, err := l.Contents(e); err != nil || len(cs) != 1 {
			t.Errorf("crash before a write to %s: contents of entry %d: %d, %v", im.op, e.Index, len(cs), err)
		}
	}
	for name, p := range im.names {
		if got, err := l.Name(p); got != name {
			t.Errorf("crash before a write to %s: name of %s is %q, want %q: %v", im.op, p, got, name, err)
		}
	}
	im.checkTotal(h)
	if got := h.grow(2); got[1].Receipt.Index != size+1 {
		t.Errorf("after the crash new records come to index %d, want %d", got[1].Receipt.Index, size+1)
	}
	h.checkRows() // with the auditor's own check over all entries
}

// checkTotal wants what was used up of the grant to be what the entries that
// are there use up, neither less nor more.
func (im image) checkTotal(h *harness) {
	grants, _, err := h.ledger.Grants(GrantQuery{}, 0, "", func(*Entry) bool { return true })
	if err != nil || len(grants) != 1 {
		h.t.Errorf("crash before a write to %s: %d grants, %v", im.op, len(grants), err)
		return
	}
	want := 0
	for i := int64(0); i < h.ledger.Size(); i++ {
		r, err := h.ledger.recordAt(i)
		if err != nil {
			h.t.Error(err)
			return
		}
		if r.Msg.GetStages().GetAction().GetElement().GetAmount() != "" {
			want++
		}
	}
	if got := grants[0].Status.GetUses()[0].GetTotal(); got != fmt.Sprint(want) {
		h.t.Errorf("crash before a write to %s: %s EUR are used up, %d records say so", im.op, got, want)
	}
}

// A crash while a ledger is created leaves either no ledger, which can be
// created, or a ledger, which can be opened; never something in between that
// is neither.
func TestCrashInCreate(t *testing.T) {
	c, fs := newCrasher(newRand(t))
	h := bareHarness(t, fs, nil)
	c.take(1, false)
	h.create()
	c.take(0, false)
	stuck := map[string]int{}
	for _, im := range c.images {
		h := h.on(im.fs)
		l, openErr := Open(h.cfg)
		if openErr != nil {
			var err error
			if l, err = Create(h.cfg, h.genesis()); err != nil {
				stuck["Open: "+openErr.Error()+"; Create: "+err.Error()]++
				continue
			}
			if !errors.Is(openErr, ErrNotExist) {
				t.Errorf("Open of what Create can make: %v, want ErrNotExist", openErr)
			}
		}
		if n := l.Size(); n != 1 {
			t.Errorf("size %d, want 1", n)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for why, n := range stuck {
		t.Errorf("%d of %d crashes in Create leave what neither Open nor Create takes: %s", n, len(c.images), why)
	}
}

// A disk that fails to sync ends the process: Fatal is called, nothing is
// acknowledged, nothing is shown, and what is on the disk opens again.
func TestFailedSyncIsFatal(t *testing.T) {
	for _, kind := range []struct {
		name string
		is   func(errorfs.Op) bool
	}{
		{"sync", isLogSync},
		{"write", func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			var broken errorfs.Toggle
			broken.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
				if kind.is(op) {
					return errorfs.ErrInjected
				}
				return nil
			})
			fatal := make(chan error, 100)
			h := bareHarness(t, errorfs.Wrap(mem, &broken), func(c *Config) {
				c.Fatal = func(err error) { fatal <- err; select {} } // as the end of the process: it does not return
			})
			l, err := Create(h.cfg, h.genesis())
			if err != nil {
				t.Fatal(err)
			}
			h.ledger = l
			h.run() // and never stopped: Fatal holds it for ever
			h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
				Id: testOperator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}}))
			size, checkpoint := l.Size(), string(l.Checkpoint())

			broken.On()
			ctx, cancel := context.WithCancel(context.Background())
			r := h.sign(h.registration(), h.admin)
			answered := make(chan error, 1)
			go func() {
				_, err := l.Submit(ctx, Submission{Envelope: r.Envelope})
				answered <- err
			}()
			if err := <-fatal; !errors.Is(err, errorfs.ErrInjected) && !strings.Contains(err.Error(), "injected error") {
				t.Errorf("Fatal was told %v, want the disk's error", err)
			}
			select {
			case err := <-answered:
				t.Errorf("Submit returned %v after the sync failed", err)
			default:
			}
			if l.Size() != size || string(l.Checkpoint()) != checkpoint {
				t.Errorf("size %d is shown after the sync failed, durable are %d", l.Size(), size)
			}
			if _, err := l.Index(r.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("Index of the record that failed: %v, want ErrNotFound", err)
			}
			cancel()
			if err := <-answered; !errors.Is(err, context.Canceled) {
				t.Errorf("Submit: %v, want context.Canceled", err)
			}

			again := h.on(mem.CrashClone(vfs.CrashCloneCfg{}))
			again.cfg.Fatal = nil
			again.open()
			defer again.close()
			if got := again.ledger.Size(); got != size {
				t.Errorf("what is on the disk has %d entries, want %d", got, size)
			}
			again.must(again.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}))
			again.checkLog()
		})
	}
}
