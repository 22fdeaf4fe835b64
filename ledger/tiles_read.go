package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/tree"
)

// The log as tiles, the way c2sp.org/tlog-tiles serves it. Tiles of hashes are
// stored when they are full; a partial one is the beginning of a full one, or of
// the right edge in memory, so it is never stored. That serves a partial tile of
// every width that the durable head has, which is more than the sizes for which
// a checkpoint was signed: the log signs where batches end, and does not
// remember where that was.

// HashTile returns the first width hashes of a tile: 32 bytes each, width from 1
// to [tree.TileWidth]. It never answers from beyond the durable head: what is
// not there yet, or never will be, is an error that wraps [ErrNotFound].
func (l *Ledger) HashTile(level int, n int64, width int) ([]byte, error) {
	if level < 0 {
		return nil, &RangeError{"level", "is negative"}
	}
	h := l.head.Load()
	if err := hasTile(level, n, width, h.size); err != nil {
		return nil, err
	}
	if n == h.size>>(tileHeight*(level+1)) {
		return h.edge[level].hashes(width), nil
	}
	if t := l.tiles.get(level, n); t != nil {
		return t.hashes(width), nil
	}
	// Past the cache on purpose: who reads the log from end to end would
	// drive out the tiles that proofs are made of.
	b, err := l.get(keyTile(level, n))
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, &CorruptionError{Key: fmt.Sprintf("tile %d/%d", level, n), What: "is missing"}
	case err != nil:
		return nil, fmt.Errorf("read tile %d/%d: %w", level, n, err)
	case len(b) != tileWidth*tree.HashSize:
		return nil, &CorruptionError{Key: fmt.Sprintf("tile %d/%d", level, n), What: "is not a tile"}
	}
	return b[:width*tree.HashSize], nil
}

// hashes returns the first n. Beyond what a head has, the goroutine of Run may
// be writing.
func (t *tile) hashes(n int) []byte {
	b := make([]byte, 0, n*tree.HashSize)
	for i := range n {
		b = append(b, t.nodes[i][:]...)
	}
	return b
}

// EntryTile returns width entries from index n·256 on, each behind its length in
// two bytes, big-endian: an entry bundle of c2sp.org/tlog-tiles, "Log entries".
// Its bounds and errors are those of [Ledger.HashTile].
func (l *Ledger) EntryTile(n int64, width int) ([]byte, error) {
	if err := hasTile(tree.EntryLevel, n, width, l.head.Load().size); err != nil {
		return nil, err
	}
	var b []byte
	first := n * tileWidth
	err := l.scan(first, first+int64(width), func(_ int64, raw []byte) (bool, error) {
		if b == nil { // the entries of a tile are mostly of one kind
			b = make([]byte, 0, (2+len(raw))*width)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(raw))) // package entry: at most 65,535
		b = append(b, raw...)
		return true, nil
	})
	return b, err
}

// hasTile checks that a log of that size has the tile at that width.
func hasTile(level int, n int64, width int, size int64) error {
	if width < 1 || width > tileWidth {
		return &RangeError{"width", fmt.Sprintf("is %d, but must be from 1 to %d", width, tileWidth)}
	}
	p, ok := tree.TileAt(level, n, size)
	if !ok {
		return fmt.Errorf("%w: the log has %d entries, and no %s", ErrNotFound, size, tree.TilePath{Level: level, N: n, Width: width})
	}
	if width > p.Width {
		return fmt.Errorf("%w: the log has %d entries, and only %s", ErrNotFound, size, p)
	}
	return nil
}
