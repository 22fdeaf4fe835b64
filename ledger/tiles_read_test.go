package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// checkTiles reads every tile of the log at its full width and at some smaller
// ones, and holds them to the entries: tile by tile up to the root.
func (h *harness) checkTiles() {
	h.t.Helper()
	size := h.ledger.Size()
	var below []tree.Hash // the hashes of the level, computed from the entries
	for n := int64(0); n*tileWidth < size; n++ {
		width := int(min(size-n*tileWidth, tileWidth))
		b, err := h.ledger.EntryTile(n, width)
		if err != nil {
			h.t.Fatalf("EntryTile(%d, %d) at %d: %v", n, width, size, err)
		}
		for i := range width {
			k := int(binary.BigEndian.Uint16(b))
			raw, err := h.ledger.Raw(n*tileWidth + int64(i))
			if err != nil || !bytes.Equal(raw, b[2:2+k]) {
				h.t.Fatalf("EntryTile(%d): entry %d is not the log's: %v", n, i, err)
			}
			below = append(below, tree.LeafHash(raw))
			b = b[2+k:]
		}
		if len(b) != 0 {
			h.t.Fatalf("EntryTile(%d, %d): %d bytes too many", n, width, len(b))
		}
	}
	for level := 0; len(below) > 0; level++ {
		var above []tree.Hash
		for n := int64(0); n*tileWidth < int64(len(below)); n++ {
			want := below[n*tileWidth : min(int64(len(below)), (n+1)*tileWidth)]
			for _, width := range []int{len(want), 1, (len(want) + 1) / 2, max(1, len(want)-1)} {
				got, err := h.ledger.HashTile(level, n, width)
				if err != nil {
					h.t.Fatalf("HashTile(%d, %d, %d) at %d: %v", level, n, width, size, err)
				}
				var flat []byte
				for _, x := range want[:width] {
					flat = append(flat, x[:]...)
				}
				if !bytes.Equal(got, flat) {
					h.t.Fatalf("HashTile(%d, %d, %d) at %d is not made of the entries", level, n, width, size)
				}
			}
			if len(want) < tileWidth {
				if _, err := h.ledger.HashTile(level, n, len(want)+1); !errors.Is(err, ErrNotFound) {
					h.t.Errorf("HashTile(%d, %d, %d) at %d: %v, want ErrNotFound", level, n, len(want)+1, size, err)
				}
				continue
			}
			f := tree.NewFrontier()
			for _, x := range want {
				f.Append(x, nil)
			}
			above = append(above, f.Root())
		}
		if _, err := h.ledger.HashTile(level, int64(len(below)+tileWidth-1)/tileWidth, 1); !errors.Is(err, ErrNotFound) {
			h.t.Errorf("level %d at %d has a tile too many: %v", level, size, err)
		}
		below = above
	}
}

// At every size up to two tiles and a bit, and around the first edge of the
// second level, all tiles are what the entries make.
func TestTilesAtEverySize(t *testing.T) {
	h := newHarness(t, nil, nil)
	for h.ledger.Size() < 5 {
		h.submit(nil)
	}
	for h.ledger.Size() < 2*tileWidth+5 {
		h.grow(1)
		if s := h.ledger.Size(); s < 12 || s%tileWidth < 3 || s%tileWidth > tileWidth-3 || s%37 == 0 {
			h.checkTiles()
		}
	}
	h.reopen()
	h.checkTiles()
}

func TestTilesThatAreNotThere(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(300 - int(h.ledger.Size()))
	for _, c := range []struct {
		level, width int
		n            int64
		notFound     bool
	}{
		{0, 45, 1, true}, {0, 256, 1, true}, {0, 1, 2, true}, {1, 2, 0, true}, {1, 1, 1, true}, {2, 1, 0, true},
		{7, 1, 0, true}, {8, 1, 0, true}, {63, 1, 0, true}, {64, 1, 0, true}, {0, 1, math.MaxInt64, true}, {0, 1, -1, true}, {0, 1, math.MinInt64, true},
		{0, 0, 0, false}, {0, 257, 0, false}, {0, -1, 0, false}, {-1, 1, 0, false}, {math.MinInt, 1, 0, false},
	} {
		b, err := h.ledger.HashTile(c.level, c.n, c.width)
		var outside *RangeError
		if errors.Is(err, ErrNotFound) != c.notFound || errors.As(err, &outside) == c.notFound {
			t.Errorf("HashTile(%d, %d, %d) = %d bytes, %v", c.level, c.n, c.width, len(b), err)
		}
		if c.level != 0 {
			continue
		}
		b, err = h.ledger.EntryTile(c.n, c.width)
		if errors.Is(err, ErrNotFound) != c.notFound || errors.As(err, &outside) == c.notFound {
			t.Errorf("EntryTile(%d, %d) = %d bytes, %v", c.n, c.width, len(b), err)
		}
	}
}

// A lost or short tile is damage, and not something that is not there.
func TestDamagedTile(t *testing.T) {
	for _, value := range [][]byte{nil, make([]byte, 31)} {
		h := newHarness(t, nil, nil)
		h.grow(300)
		h.ledger.tiles = &tileCache{}
		var err error
		if value == nil {
			err = h.ledger.db.Delete(keyTile(0, 0), nil)
		} else {
			err = h.ledger.db.Set(keyTile(0, 0), value, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		var damaged *CorruptionError
		if _, err := h.ledger.HashTile(0, 0, 256); !errors.As(err, &damaged) {
			t.Errorf("with %d bytes: %v, want a CorruptionError", len(value), err)
		}
	}
}

// Tiles that are read while the log grows belong to the size that was durable:
// each hash, once seen, stays.
func TestTilesWhileTheLogGrows(t *testing.T) {
	h := newHarness(t, nil, nil)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			seen := map[int64][]byte{}
			for ctx.Err() == nil {
				cp, err := h.key.Open(h.ledger.Checkpoint())
				if err != nil {
					t.Error(err)
					return
				}
				n := (cp.Size - 1) / tileWidth
				width := int(cp.Size - n*tileWidth)
				b, err := h.ledger.HashTile(0, n, width)
				if err != nil || len(b) != width*tree.HashSize {
					t.Errorf("size %d is signed, and its tile is not there: %v", cp.Size, err)
					return
				}
				if old := seen[n]; !bytes.HasPrefix(b, old) {
					t.Errorf("tile %d at width %d is no continuation of what it was", n, width)
					return
				}
				seen[n] = b
			}
		})
	}
	for range 40 {
		h.grow(25)
	}
	stop()
	wg.Wait()
	h.checkTiles()
}
