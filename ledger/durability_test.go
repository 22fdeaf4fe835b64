package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// A batch that Pebble shows and the disk does not have yet must be invisible:
// no reader may see an index at or beyond the durable size, no checkpoint may
// leave, and Submit must not return.
//
// The disk's syncs hang while readers hammer every method; then they are let
// through, and all must appear.
func TestNothingUnsyncedIsShown(t *testing.T) {
	g, fs := newGate(vfs.NewMem())
	defer g.open()
	h := newHarness(t, fs, nil)
	h.enrolOperator()
	grant := h.own(&onusv1.Grant{Scope: orders("1000"), MaxDepth: 1})
	h.log(grant)
	root, _ := h.submit(nil)
	h.grow(300) // past a tile's edge
	tested := 0
	for round := range long(6) {
		durable := h.ledger.Size()
		g.shut()
		var returned atomic.Int64
		var wg sync.WaitGroup
		var pending []*record.Record
		for range 20 {
			r := h.record(func(m *onusv1.Record) {
				m.Parent, m.Causes, m.Grant = root.ID.String(), []string{root.ID.String()}, grant.ID.String()
				m.GetStages().Action.Element = &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "1", Unit: "EUR"}
			})
			pending = append(pending, r)
			wg.Go(func() {
				got, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope})
				returned.Add(1)
				if err != nil {
					t.Errorf("Submit: %v", err)
				} else if got.Receipt.Index < durable {
					t.Errorf("a new record got index %d, the log had %d entries", got.Receipt.Index, durable)
				}
			})
		}
		below := h.pass(grant, &onusv1.Grant{Agent: testAgent, Scope: orders("10")})
		wg.Go(func() {
			h.must(h.ledger.Submit(context.Background(), Submission{Envelope: below.Envelope}))
			returned.Add(1)
		})
		wg.Go(func() {
			agent := fmt.Sprintf("spiffe://example.com/agent-%d", round)
			h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
				Id: agent, Operator: testOperator, DisplayName: "late"}}}))
			returned.Add(1)
		})
		g.await()
		// Pebble begins the sync before it shows the batch, and shows it before the
		// sync returns.
		shown := true
		for begun := time.Now(); ; time.Sleep(time.Millisecond) {
			_, err := h.ledger.get(keyEntry(durable))
			if err == nil {
				break
			}
			// Or what hangs is a step before: the batch did not fit the memtable, and
			// Pebble rotates its log, which syncs the directory.
			if time.Since(begun) > time.Second {
				shown = false
				break
			}
		}
		if !shown {
			g.open()
			wg.Wait()
			continue
		}
		tested++
		hammer(h, durable, root, pending)
		hammerGrants(h, durable, grant, below, 20*round)
		if n := returned.Load(); n != 0 {
			t.Errorf("%d submissions returned before the sync", n)
		}
		g.open()
		wg.Wait()
		if got, want := h.ledger.Size(), durable+22; got != want {
			t.Errorf("after the sync the log has %d entries, want %d", got, want)
		}
		for _, r := range pending {
			if _, err := h.ledger.Index(r.ID); err != nil {
				t.Errorf("after the sync: %v", err)
			}
		}
	}
	if tested == 0 {
		t.Error("no batch was visible in Pebble before its sync: this test tests nothing")
	}
	h.checkLog()
	h.checkRows()
}

// hammerGrants wants what was used up to be as of the durable size, too: rows
// of authority are overwritten, so that a reader could see what is not synced.
func hammerGrants(h *harness, durable int64, grant, below *record.Record, used int) {
	t, l := h.t, h.ledger
	until := time.Now().Add(20 * time.Millisecond)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for time.Now().Before(until) {
				path, err := l.GrantPath(grant.ID)
				if err != nil {
					t.Errorf("GrantPath: %v", err)
					return
				}
				if u := path[0].Status.GetUses()[0]; u.GetTotal() != fmt.Sprint(used) || u.GetLast() >= durable {
					t.Errorf("used up are %s EUR, last at %d; durable are %d EUR and %d entries", u.GetTotal(), u.GetLast(), used, durable)
					return
				}
				if _, err := l.GrantPath(below.ID); !errors.Is(err, ErrNotFound) {
					t.Errorf("a grant that is not synced: %v, want ErrNotFound", err)
					return
				}
				grants, _, err := l.Grants(GrantQuery{Parent: grant.ID.String()}, 0, "", func(*Entry) bool { return true })
				if err != nil || len(grants) > 0 && grants[0].Entry.Index >= durable {
					t.Errorf("Grants: %v, %v", grants, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// hammer reads all that can be read, from several goroutines for a while, and
// wants the log to be as of the durable size.
func hammer(h *harness, durable int64, root *record.Record, pending []*record.Record) {
	t, l := h.t, h.ledger
	agents := len(l.Registry().Agents(durable))
	until := time.Now().Add(60 * time.Millisecond)
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	var wg sync.WaitGroup
	reader := func(name string, read func() error) {
		wg.Go(func() {
			for time.Now().Before(until) {
				if err := read(); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	wantNotFound := func(err error) error {
		if !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("an unsynced record: %v, want ErrNotFound", err)
		}
		return nil
	}
	wantBelow := func(entries []*Entry) error {
		for _, e := range entries {
			if e.Index >= durable {
				return fmt.Errorf("shows entry %d, durable are %d", e.Index, durable)
			}
		}
		return nil
	}
	reader("Size", func() error {
		if n := l.Size(); n != durable {
			return fmt.Errorf("is %d, durable are %d", n, durable)
		}
		return nil
	})
	reader("Checkpoint", func() error {
		cp, err := h.key.Open(l.Checkpoint())
		if err == nil && cp.Size != durable {
			err = fmt.Errorf("is of size %d, durable are %d", cp.Size, durable)
		}
		return err
	})
	reader("CosignedCheckpoint", func() error {
		cp, err := h.key.Open(l.CosignedCheckpoint())
		if err == nil && cp.Size != durable {
			err = fmt.Errorf("is of size %d, durable are %d", cp.Size, durable)
		}
		return err
	})
	reader("HashTile", func() error {
		for level := range 3 {
			n := durable >> (tileHeight * level)
			if _, err := l.HashTile(level, n/tileWidth, int(n%tileWidth)+1); !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("level %d, with an unsynced hash: %v, want ErrNotFound", level, err)
			}
		}
		_, err := l.HashTile(0, durable/tileWidth, int(durable%tileWidth))
		return err
	})
	reader("EntryTile", func() error {
		_, err := l.EntryTile(durable/tileWidth, int(durable%tileWidth)+1)
		return wantNotFound(err)
	})
	reader("Entry", func() error { _, err := l.Entry(durable); return wantNotFound(err) })
	reader("Raw", func() error { _, err := l.Raw(durable + 1); return wantNotFound(err) })
	reader("Receipt", func() error { _, err := l.Receipt(durable); return wantNotFound(err) })
	reader("Index", func() error { _, err := l.Index(pending[0].ID); return wantNotFound(err) })
	reader("Chain of an unsynced record", func() error { _, err := l.Chain(pending[1].ID, 0); return wantNotFound(err) })
	reader("Chain", func() error {
		c, err := l.Chain(root.ID, 0)
		if err != nil {
			return err
		}
		if c.Size != durable {
			return fmt.Errorf("is as of %d, durable are %d", c.Size, durable)
		}
		return wantBelow(c.Entries)
	})
	for _, q := range []Query{{NewestFirst: true}, {Agent: testAgent, NewestFirst: true}, {Since: 1, NewestFirst: true}} {
		reader("List", func() error {
			p, err := l.List(q, 10, "")
			if err != nil {
				return err
			}
			if p.Size != durable {
				return fmt.Errorf("is as of %d, durable are %d", p.Size, durable)
			}
			return wantBelow(p.Entries)
		})
	}
	reader("Consistency", func() error {
		var re *RangeError
		if _, _, _, err := l.Consistency(1, durable+1); !errors.As(err, &re) {
			return fmt.Errorf("to an unsynced size: %v, want a RangeError", err)
		}
		_, n, _, err := l.Consistency(1, 0)
		if err == nil && n != durable {
			err = fmt.Errorf("is to %d, durable are %d", n, durable)
		}
		return err
	})
	reader("Agents", func() error {
		as, _, err := l.Agents(0, 1000)
		if err != nil {
			return err
		}
		if len(as) != agents {
			return fmt.Errorf("shows %d, durable are %d", len(as), agents)
		}
		for _, a := range as {
			if a.LastIndex >= durable {
				return fmt.Errorf("shows activity at %d, durable are %d", a.LastIndex, durable)
			}
		}
		return nil
	})
	reader("Wait", func() error {
		if err := l.Wait(ctx, durable-1); err != nil && ctx.Err() == nil {
			return err
		}
		if err := l.Wait(ctx, durable); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("for an unsynced size: %v", err)
		}
		return nil
	})
	reader("Follow", func() error {
		err := l.Follow(ctx, durable-1, 0, func(first int64, entries [][]byte) error {
			if first+int64(len(entries)) > durable {
				return fmt.Errorf("yields %d entries from %d, durable are %d", len(entries), first, durable)
			}
			return nil
		})
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	})
	wg.Wait()
}
