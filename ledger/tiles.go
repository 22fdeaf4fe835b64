package ledger

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/tree"
)

// The tree is stored as tiles of 256 hashes (c2sp.org/tlog-tiles): tile n of
// level l holds the nodes at height 8l with indices 256n to 256n+255. A tile
// is written once, when it is full; the partial tiles at the right edge live
// in memory, and each batch writes the leaf hashes that it adds to the lowest
// of them as one row. That costs one 8 KB row per 256 entries, at most as much
// again for rows that go when the tile is full, and no rewriting.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// maxLevels is enough for 2^64 leaves.
	maxLevels = 8
)

// tile holds all nodes that can be made of its 256 hashes, save the topmost,
// which is a hash of the tile above. A tile at the right edge is filled in
// place by the goroutine of Run; readers touch only nodes that are complete
// at the size of the head they hold, so the two never meet.
type tile struct {
	nodes [2*tileWidth - 2]tree.Hash
}

// slot returns where the node at that height within a tile stands.
func slot(height uint, index int64) int64 {
	within := index & (tileWidth>>height - 1)
	return 2*tileWidth - (2*tileWidth)>>height + within
}

// fullTile makes a tile of its stored hashes.
func fullTile(key, b []byte) (*tile, error) {
	if len(b) != tileWidth*tree.HashSize {
		return nil, &CorruptionError{Key: fmt.Sprintf("%q", key), What: "is not a tile"}
	}
	t := new(tile)
	for i := range tileWidth {
		t.nodes[i] = tree.Hash(b[i*tree.HashSize:])
	}
	t.rise(tileWidth)
	return t, nil
}

// rise computes the inner nodes over the first n hashes.
func (t *tile) rise(n int64) {
	for h := uint(1); h < tileHeight; h++ {
		n /= 2
		for i := range n {
			t.nodes[slot(h, i)] = tree.NodeHash(t.nodes[slot(h-1, 2*i)], t.nodes[slot(h-1, 2*i+1)])
		}
	}
}

// root returns the topmost node of a full tile.
func (t *tile) root() tree.Hash {
	const top = tileHeight - 1
	return tree.NodeHash(t.nodes[slot(top, 0)], t.nodes[slot(top, 1)])
}

// marshal returns the hashes that are stored.
func (t *tile) marshal() []byte {
	b := make([]byte, 0, tileWidth*tree.HashSize)
	for i := range tileWidth {
		b = append(b, t.nodes[i][:]...)
	}
	return b
}

// setLeaves writes the leaves since an earlier size whose tile is not full.
func (g *treeState) setLeaves(b *pebble.Batch, since int64) {
	size := g.frontier.Size()
	first := max(since, size&^(tileWidth-1))
	if first == size {
		return
	}
	row := make([]byte, 0, (size-first)*tree.HashSize)
	for i := first; i < size; i++ {
		row = append(row, g.edge[0].nodes[slot(0, i)][:]...)
	}
	set(b, keyLeaf(first), row)
}

// readLeaves returns the leaves of the lowest partial tile of a tree of that
// size. There are no other rows of leaves.
func readLeaves(db pebble.Reader, size int64) ([]tree.Hash, error) {
	p := []byte{prefixLeaf}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: keyAfter(p)})
	if err != nil {
		return nil, fmt.Errorf("read leaves: %w", err)
	}
	defer it.Close()
	first := size &^ (tileWidth - 1)
	var leaves []tree.Hash
	for ok := it.First(); ok; ok = it.Next() {
		at := first + int64(len(leaves))
		row := it.Value()
		if !bytes.Equal(it.Key(), keyLeaf(at)) || len(row) == 0 || len(row)%tree.HashSize != 0 || at+int64(len(row)/tree.HashSize) > size {
			return nil, &CorruptionError{Key: fmt.Sprintf("%q", it.Key()), What: fmt.Sprintf("does not hold the leaves from entry %d on", at)}
		}
		for ; len(row) > 0; row = row[tree.HashSize:] {
			leaves = append(leaves, tree.Hash(row))
		}
	}
	switch err := it.Error(); {
	case pebble.IsCorruptionError(err):
		return nil, damaged("leaves", err)
	case err != nil:
		return nil, fmt.Errorf("read leaves: %w", err)
	}
	if at := first + int64(len(leaves)); at != size {
		return nil, &CorruptionError{Key: fmt.Sprintf("leaf %d", at), What: "is missing"}
	}
	return leaves, nil
}

// tileCache keeps full tiles that were used lately, one for each slot: 16 KB each,
// and 64 MB when all slots are taken. A tile that is not there costs a read and 255
// hashes.
type tileCache struct {
	slots [4096]atomic.Pointer[cachedTile]
}

type cachedTile struct {
	level int
	n     int64
	tile  *tile
}

func (c *tileCache) slot(level int, n int64) *atomic.Pointer[cachedTile] {
	return &c.slots[(uint64(n)+uint64(level)*61)%uint64(len(c.slots))]
}

func (c *tileCache) put(level int, n int64, t *tile) {
	c.slot(level, n).Store(&cachedTile{level, n, t})
}

func (c *tileCache) get(level int, n int64) *tile {
	if e := c.slot(level, n).Load(); e != nil && e.level == level && e.n == n {
		return e.tile
	}
	return nil
}

// loadTile returns a full tile. Full tiles never change, so it does not
// matter from which head they are read.
func (l *Ledger) loadTile(level int, n int64) (*tile, error) {
	if t := l.tiles.get(level, n); t != nil {
		return t, nil
	}
	key := keyTile(level, n)
	v, closer, err := l.db.Get(key)
	if err != nil {
		if err == pebble.ErrNotFound {
			return nil, &CorruptionError{Key: fmt.Sprintf("tile %d/%d", level, n), What: "is missing"}
		}
		return nil, fmt.Errorf("read tile %d/%d: %w", level, n, err)
	}
	defer closer.Close()
	t, err := fullTile(key, v)
	if err != nil {
		return nil, err
	}
	l.tiles.put(level, n, t)
	return t, nil
}

// reader returns the nodes of the tree as of head h.
func (l *Ledger) reader(h *head) tree.NodeReader {
	return func(level uint, index int64) (tree.Hash, error) {
		if index < 0 || (index+1)<<level > h.size {
			return tree.Hash{}, fmt.Errorf("node %d at height %d is not in a tree of size %d", index, level, h.size)
		}
		tl, height := int(level/tileHeight), level%tileHeight
		n := index << height >> tileHeight
		if t := h.edge[tl]; n == h.size>>(tileHeight*(tl+1)) {
			return t.nodes[slot(height, index)], nil
		}
		t, err := l.loadTile(tl, n)
		if err != nil {
			return tree.Hash{}, err
		}
		return t.nodes[slot(height, index)], nil
	}
}
