// Package tiles reads a log out of its tiles (c2sp.org/tlog-tiles), wherever they
// come from, and believes none of them: what it returns is part of the tree whose
// size and root a signed checkpoint names.
//
// Tiles of hashes are authenticated by golang.org/x/mod/sumdb/tlog, from the root
// downwards; entries by the hashes of their leaves. A tile that does not fit is a
// [*BadTile], which names it. That proves nothing against the log: whoever handed
// the tile over may have made it.
package tiles

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrMissing: the tile is not there. What a [Fetch] returns then wraps it.
var ErrMissing = errors.New("the tile is not there")

// MaxBytes is the most bytes that a tile has: 256 entries, each behind its length.
const MaxBytes = tree.TileWidth * (2 + 1<<16 - 1)

// Fetch returns the bytes of a tile as somebody has it.
type Fetch func(ctx context.Context, p tree.TilePath) ([]byte, error)

// BadTile says that a tile is not what the checkpoint's root commits to.
type BadTile struct {
	Tile tree.TilePath
	// Entry is the index of the first entry in it that differs, or -1.
	Entry int64
	Text  string
}

func (e *BadTile) Error() string {
	if e.Entry >= 0 {
		return fmt.Sprintf("entry %d, in %s: %s", e.Entry, e.Tile, e.Text)
	}
	return fmt.Sprintf("%s: %s", e.Tile, e.Text)
}

// Tree is the tree of a checkpoint, read out of tiles. It is used by one goroutine
// at a time.
type Tree struct {
	cp    tree.Checkpoint
	fetch Fetch
	// keep is told each tile of hashes when it has been authenticated.
	keep func(p tree.TilePath, data []byte) error
	// verified holds tiles of hashes that were authenticated: at most maxCached.
	verified map[tlog.Tile][]byte
}

const (
	tileHeight = 8
	maxCached  = 256 // 2 MiB
	maxSize    = 1 << 55
)

// New returns the tree of a checkpoint, whose signature the caller has checked.
// keep, if not nil, is called with each tile of hashes once it is known to be the
// log's, and ends the reading by an error; it must not change the bytes.
func New(cp tree.Checkpoint, fetch Fetch, keep func(p tree.TilePath, data []byte) error) *Tree {
	return &Tree{cp: cp, fetch: fetch, keep: keep, verified: map[tlog.Tile][]byte{}}
}

// Checkpoint is what the tree was made of.
func (t *Tree) Checkpoint() tree.Checkpoint { return t.cp }

// get fetches a tile. A log may have deleted a partial one whose full one it has:
// then the beginning of that is asked for. c2sp.org/tlog-tiles, "Partial Tiles".
func (t *Tree) get(ctx context.Context, p tree.TilePath) ([]byte, error) {
	b, err := t.fetch(ctx, p)
	if p.Width == tree.TileWidth || !errors.Is(err, ErrMissing) {
		return b, err
	}
	full := p
	full.Width = tree.TileWidth
	b, again := t.fetch(ctx, full)
	if errors.Is(again, ErrMissing) {
		return nil, err
	}
	if again != nil {
		return nil, again
	}
	if p.Level != tree.EntryLevel {
		return b[:min(len(b), p.Width*tree.HashSize)], nil
	}
	entries, err := ParseEntries(b, tree.TileWidth)
	if err != nil {
		return nil, &BadTile{full, -1, err.Error()}
	}
	return FormatEntries(entries[:p.Width]), nil
}

// Entries returns the entries of the n-th tile of them, as far as the tree has
// them, each held to its leaf. The tile's bytes may be shared by them.
func (t *Tree) Entries(ctx context.Context, n int64) ([][]byte, error) {
	p, ok := tree.TileAt(tree.EntryLevel, n, t.cp.Size)
	if !ok {
		return nil, fmt.Errorf("a tree of %d entries has no tile %d of them", t.cp.Size, n)
	}
	leaves, err := t.Leaves(ctx, n)
	if err != nil {
		return nil, err
	}
	b, err := t.get(ctx, p)
	if err != nil {
		return nil, err
	}
	entries, err := ParseEntries(b, p.Width)
	if err != nil {
		return nil, &BadTile{p, -1, err.Error()}
	}
	for i, raw := range entries {
		if tree.LeafHash(raw) != leaves[i] {
			return nil, &BadTile{p, p.First() + int64(i), "its bytes are not those that the log's root commits to"}
		}
	}
	return entries, nil
}

// Leaves returns the hashes of the leaves in the n-th tile of level 0.
func (t *Tree) Leaves(ctx context.Context, n int64) ([]tree.Hash, error) {
	p, ok := tree.TileAt(0, n, t.cp.Size)
	if !ok {
		return nil, fmt.Errorf("a tree of %d entries has no tile %d of leaves", t.cp.Size, n)
	}
	indexes := make([]int64, p.Width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, p.First()+int64(i))
	}
	hs, err := t.reader(ctx).ReadHashes(indexes)
	return ours(hs), err
}

// Inclusion returns the proof that an entry stands at its index.
func (t *Tree) Inclusion(ctx context.Context, index int64) ([]tree.Hash, error) {
	if index < 0 || index >= t.cp.Size {
		return nil, fmt.Errorf("a tree of %d entries has no entry %d", t.cp.Size, index)
	}
	hs, err := tlog.ProveRecord(t.cp.Size, index, t.reader(ctx))
	return ours(hs), err
}

// Consistency returns the root that this tree has at a smaller size, and the proof
// that joins the two. Whoever signed another root for that size signed another
// history: a [tree.Fork] says so.
func (t *Tree) Consistency(ctx context.Context, size int64) (tree.Hash, []tree.Hash, error) {
	switch {
	case size < 0 || size > t.cp.Size:
		return tree.Hash{}, nil, fmt.Errorf("a tree of %d entries was never one of %d", t.cp.Size, size)
	case size == 0:
		return tree.Empty, nil, nil
	case size == t.cp.Size:
		return t.cp.Root, nil, nil
	}
	r := t.reader(ctx)
	root, err := tlog.TreeHash(size, r)
	if err != nil {
		return tree.Hash{}, nil, err
	}
	proof, err := tlog.ProveTree(t.cp.Size, size, r)
	if err != nil {
		return tree.Hash{}, nil, err
	}
	if err := tree.VerifyConsistency(size, t.cp.Size, tree.Hash(root), t.cp.Root, ours(proof)); err != nil {
		// The tiles were authenticated: their proof holds.
		panic("tiles: the proof out of authenticated tiles: " + err.Error())
	}
	return tree.Hash(root), ours(proof), nil
}

func ours(hs []tlog.Hash) []tree.Hash {
	if hs == nil {
		return nil
	}
	out := make([]tree.Hash, len(hs))
	for i, h := range hs {
		out[i] = tree.Hash(h)
	}
	return out
}

// reader answers with hashes that were authenticated.
func (t *Tree) reader(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		if t.cp.Size > maxSize {
			return nil, fmt.Errorf("the checkpoint names %d entries: no log is that large", t.cp.Size)
		}
		r := &tileReader{t: t, ctx: ctx}
		hs, err := tlog.TileHashReader(tlog.Tree{N: t.cp.Size, Hash: tlog.Hash(t.cp.Root)}, r).ReadHashes(indexes)
		switch {
		case r.err != nil:
			return nil, r.err
		case err != nil:
			return nil, r.blame(err)
		}
		return hs, nil
	})
}

// tileReader fetches tiles for x/mod.
type tileReader struct {
	t   *Tree
	ctx context.Context
	err error // of fetching, or of keeping
	// tiles and data are what was read last.
	tiles []tlog.Tile
	data  [][]byte
}

func (r *tileReader) Height() int { return tileHeight }

func pathOf(t tlog.Tile) tree.TilePath {
	return tree.TilePath{Level: t.L, N: t.N, Width: t.W}
}

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	r.tiles, r.data = tiles, make([][]byte, len(tiles))
	for i, tile := range tiles {
		if b := r.t.verified[tile]; b != nil {
			r.data[i] = b
			continue
		}
		p := pathOf(tile)
		b, err := r.t.get(r.ctx, p)
		if err == nil && len(b) != p.Width*tree.HashSize {
			err = &BadTile{p, -1, fmt.Sprintf("it has %d bytes, and not %d", len(b), p.Width*tree.HashSize)}
		}
		if err != nil {
			r.err = err
			return nil, err
		}
		r.data[i] = b
	}
	return r.data, nil
}

// SaveTiles is called with tiles that were authenticated.
func (r *tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		if r.t.verified[tile] != nil {
			continue
		}
		if r.t.keep != nil && r.err == nil {
			r.err = r.t.keep(pathOf(tile), data[i])
		}
		if len(r.t.verified) >= maxCached {
			clear(r.t.verified)
		}
		r.t.verified[tile] = data[i]
	}
}

// blame names the tile that does not fit. x/mod says only that one does not.
func (r *tileReader) blame(err error) error {
	at := map[tlog.Tile]int{}
	for i, tile := range r.tiles {
		full := tile
		full.W = 1 << tileHeight
		at[full] = i
	}
	var edge []string
	for i, tile := range r.tiles {
		if r.t.verified[tile] == nil {
			edge = append(edge, pathOf(tile).String())
		}
		if tile.W != 1<<tileHeight {
			continue
		}
		parent := tlog.Tile{H: tileHeight, L: tile.L + 1, N: tile.N >> tileHeight, W: 1 << tileHeight}
		j, ok := at[parent]
		slot := int(tile.N&(1<<tileHeight-1)) * tree.HashSize
		if ok && slot+tree.HashSize <= len(r.data[j]) && rootOf(r.data[i]) != tree.Hash(r.data[j][slot:slot+tree.HashSize]) {
			return &BadTile{pathOf(tile), -1, fmt.Sprintf("its hashes do not make the one that %s has for them", pathOf(r.tiles[j]))}
		}
	}
	if len(edge) == 0 {
		return err
	}
	// Of the tiles at the right edge only all together can be held to the root.
	text := "its hashes do not make the root that the log signed"
	if len(edge) > 1 {
		text = "its hashes, with those of " + strings.Join(edge[1:], ", ") + ", do not make the root that the log signed: one of them was changed"
	}
	for _, tile := range r.tiles {
		if pathOf(tile).String() == edge[0] {
			return &BadTile{pathOf(tile), -1, text}
		}
	}
	return err
}

// rootOf is the root over a full tile.
func rootOf(data []byte) tree.Hash {
	f := tree.NewFrontier()
	for ; len(data) >= tree.HashSize; data = data[tree.HashSize:] {
		f.Append(tree.Hash(data[:tree.HashSize]), nil)
	}
	return f.Root()
}

// ParseEntries takes a tile of entries apart: exactly width of them.
// c2sp.org/tlog-tiles, "Log entries".
func ParseEntries(data []byte, width int) ([][]byte, error) {
	entries := make([][]byte, 0, width)
	for i := range width {
		if len(data) < 2 {
			return nil, fmt.Errorf("it ends before its entry %d of %d", i+1, width)
		}
		n := int(binary.BigEndian.Uint16(data))
		if len(data)-2 < n {
			return nil, fmt.Errorf("its entry %d of %d is cut off", i+1, width)
		}
		entries = append(entries, data[2:2+n:2+n])
		data = data[2+n:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d bytes follow its %d entries", len(data), width)
	}
	return entries, nil
}

// FormatEntries is the inverse of [ParseEntries]. An entry has at most 65,535
// bytes.
func FormatEntries(entries [][]byte) []byte {
	var b []byte
	for _, raw := range entries {
		if len(raw) > 1<<16-1 {
			panic("tiles: an entry of more than 65,535 bytes")
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(raw)))
		b = append(b, raw...)
	}
	return b
}
