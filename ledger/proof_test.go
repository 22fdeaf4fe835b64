package ledger

import (
	"context"
	"errors"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/encoding/protojson"
)

// proveAll has every index in [from, size) proven at the head.
func proveAll(h *harness, from int64) {
	h.t.Helper()
	size := h.ledger.Size()
	each(int(size-from), func(i int) {
		index := from + int64(i)
		got, err := h.ledger.Receipt(index)
		if err != nil {
			h.t.Errorf("Receipt(%d) at %d: %v", index, size, err)
			return
		}
		env, err := record.EnvelopeFromProto(got.Envelope)
		if err != nil {
			h.t.Errorf("Receipt(%d): %v", index, err)
			return
		}
		p, err := verifier.OpenReceipt(got.Receipt, env.Type, env.Payload, h.key, nil)
		if err != nil {
			h.t.Errorf("Receipt(%d) at %d: %v", index, size, err)
		} else if p.Index != index || p.Checkpoint.Size != size {
			h.t.Errorf("Receipt(%d) at %d proves %d at %d", index, size, p.Index, p.Checkpoint.Size)
		}
	})
}

// roots returns the roots of the log at every size from 0 to its own,
// computed from the entries' bytes alone.
func (h *harness) roots() []tree.Hash {
	h.t.Helper()
	f := tree.NewFrontier()
	roots := []tree.Hash{f.Root()}
	err := h.ledger.Follow(context.Background(), 0, h.ledger.Size(), func(_ int64, entries [][]byte) error {
		for _, e := range entries {
			f.Append(tree.LeafHash(e), nil)
			roots = append(roots, f.Root())
		}
		return nil
	})
	if err != nil {
		h.t.Fatalf("Follow: %v", err)
	}
	return roots
}

// Every index is proven at every kind of size: small ones all, and around the
// edges of tiles.
func TestReceiptOfEveryIndex(t *testing.T) {
	h := newHarness(t, nil, nil)
	for h.ledger.Size() < 40 {
		proveAll(h, 0)
		h.grow(1)
	}
	for _, size := range []int64{64, 127, 128, 129, 255, 256, 257, 258, 300, 511, 512, 513, 600} {
		h.grow(int(size - h.ledger.Size()))
		proveAll(h, 0)
		if size%3 == 0 {
			h.reopen() // the right edge is made again
			proveAll(h, max(0, size-300))
		}
	}
	for _, index := range []int64{-1, 600, 1 << 62, -1 << 63} {
		if _, err := h.ledger.Receipt(index); !errors.Is(err, ErrNotFound) {
			t.Errorf("Receipt(%d): %v, want ErrNotFound", index, err)
		}
		if _, err := h.ledger.Entry(index); !errors.Is(err, ErrNotFound) {
			t.Errorf("Entry(%d): %v, want ErrNotFound", index, err)
		}
	}
	if _, err := h.ledger.Index(record.ID{1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("Index of no record: %v, want ErrNotFound", err)
	}
}

// The receipts that Submit gives out while the log grows are as good as those
// made later, over each tile edge.
func TestReceiptsOfSubmit(t *testing.T) {
	h := newHarness(t, nil, func(c *Config) { c.MaxBatch = 37 })
	subs := h.envelopes(600, nil)
	for i, got := range h.submitAll(subs) {
		env := subs[i].Envelope
		if _, err := verifier.OpenReceipt(got.Receipt, env.Type, env.Payload, h.key, h.agent.Public()); err != nil {
			t.Fatalf("receipt of entry %d: %v", got.Receipt.Index, err)
		}
	}
}

// Every pair of sizes is proven consistent, against roots that are computed
// from the entries alone.
func TestConsistencyOfEveryPair(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(300)
	size := h.ledger.Size()
	roots := h.roots()
	check := func(first, second int64) {
		a, b, p, err := h.ledger.Consistency(first, second)
		if err != nil {
			t.Errorf("Consistency(%d, %d): %v", first, second, err)
			return
		}
		if a != first || b != second {
			t.Errorf("Consistency(%d, %d) is of %d and %d", first, second, a, b)
		}
		if err := tree.VerifyConsistency(first, second, roots[first], roots[second], p); err != nil {
			t.Errorf("Consistency(%d, %d): %v", first, second, err)
		}
	}
	each(int(size), func(i int) {
		for first := range int64(i) + 2 {
			check(first, int64(i)+1)
		}
	})
	if _, n, _, err := h.ledger.Consistency(7, 0); err != nil || n != size {
		t.Errorf("Consistency(7, 0) is to %d, %v, want the durable %d", n, err, size)
	}
	for _, c := range []struct {
		first, second int64
		field         string
	}{
		{-1, 5, "first"}, {6, 5, "first"}, {size + 1, 0, "first"}, {-1 << 63, 0, "first"},
		{0, size + 1, "second"}, {0, -1, "second"}, {5, 1 << 62, "second"}, {5, -1 << 63, "second"},
	} {
		var re *RangeError
		if _, _, _, err := h.ledger.Consistency(c.first, c.second); !errors.As(err, &re) || re.Field != c.field {
			t.Errorf("Consistency(%d, %d): %v, want a RangeError of %s", c.first, c.second, err, c.field)
		}
	}
}

// A log of more than 65,536 entries has tiles of a second level.
func TestSecondTileLevel(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(tileWidth*tileWidth - 10)
	// Over the edge one by one, and some tiles further.
	for range 20 {
		h.submit(nil)
	}
	h.grow(300)
	size := h.ledger.Size()
	sample := func() {
		roots := h.roots()
		for _, index := range []int64{0, 1, 255, 256, 32767, 32768, 65279, 65280, 65535, 65536, 65537, 65791, 65792, size - 1} {
			got, err := h.ledger.Receipt(index)
			if err != nil {
				t.Fatalf("Receipt(%d): %v", index, err)
			}
			if _, err := verifier.OpenReceipt(got.Receipt, record.TypeProtobuf, got.Envelope.Payload, h.key, nil); err != nil {
				t.Errorf("Receipt(%d): %v", index, err)
			}
		}
		for _, pair := range [][2]int64{{1, size}, {255, 65536}, {256, 65537}, {65535, 65536}, {65536, 65537}, {65536, size}, {65535, size}, {40000, 65800}} {
			_, _, p, err := h.ledger.Consistency(pair[0], pair[1])
			if err != nil {
				t.Fatalf("Consistency(%v): %v", pair, err)
			}
			if err := tree.VerifyConsistency(pair[0], pair[1], roots[pair[0]], roots[pair[1]], p); err != nil {
				t.Errorf("Consistency(%v): %v", pair, err)
			}
		}
		cp, err := h.key.Open(h.ledger.Checkpoint())
		if err != nil || cp.Root != roots[size] || cp.Size != size {
			t.Errorf("checkpoint %v, %v; the entries give root %s", cp, err, roots[size])
		}
	}
	sample()
	if tile, err := h.ledger.get(keyTile(1, 0)); err != nil || len(tile) != tileWidth*tree.HashSize {
		t.Errorf("the tile of the second level has %d bytes, %v", len(tile), err)
	}
	h.reopen()
	sample()
	if got := listAll(t, h.ledger, Query{Operation: "k8s.pod:get", Since: 1, NewestFirst: true}, MaxPage); int64(len(got)) != size-4 {
		t.Errorf("%d entries are listed, want %d", len(got), size-4)
	}
	h.submit(nil)
	h.checkRows()
}

// JSON payloads are logged and proven as the bytes that were signed.
func TestJSONPayload(t *testing.T) {
	h := newHarness(t, nil, nil)
	m := h.step(func(m *onusv1.Record) { m.Author.KeyId = h.agent.Public().ID() })
	payload, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.SignPayload(record.TypeJSON, payload, h.agent)
	if err != nil {
		t.Fatal(err)
	}
	got := h.must(h.ledger.Submit(t.Context(), Submission{Envelope: r.Envelope}))
	h.checkReceipt(r, got.Receipt)
	e, err := h.ledger.Entry(got.Receipt.Index)
	if err != nil || string(e.Record.Envelope.Payload) != string(payload) {
		t.Errorf("logged payload differs: %v", err)
	}
	h.reopen()
	h.checkLog()
}
