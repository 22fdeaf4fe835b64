package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"
)

// tesseraProver builds inclusion proofs from a log's tiles and verifies them. What
// is the same for many submitters is done once for all, as a good client would: a
// checkpoint's signature is checked once, and a tile is read, and the nodes in it
// are hashed, once. Tessera's own client.ProofBuilder hashes them anew for each
// proof and is not for two at a time: with it the submitters' part took most of
// the processors from 512 submitters on.
type tesseraProver struct {
	reader   tessera.LogReader
	verifier note.Verifier

	mu      sync.Mutex // of what follows
	checked [8]checkedCheckpoint
	next    int

	tilesMu sync.RWMutex
	tiles   map[tileName]*tileNodes // the widest that was needed
}

type checkedCheckpoint struct {
	raw string
	cp  *log.Checkpoint
}

type tileName struct{ level, index uint64 }

// tileNodes are all whole subtrees within a tile: by height, from its leaves up.
type tileNodes [layout.TileHeight + 1][][]byte

func newTesseraProver(r tessera.LogReader, v note.Verifier) *tesseraProver {
	return &tesseraProver{reader: r, verifier: v, tiles: map[tileName]*tileNodes{}}
}

func (t *tesseraProver) prove(ctx context.Context, raw []byte, idx uint64, entry []byte) error {
	cp, err := t.checkpoint(raw)
	if err != nil {
		return err
	}
	if idx >= cp.Size {
		return errors.New("the checkpoint does not cover the entry")
	}
	nodes, err := proof.Inclusion(idx, cp.Size)
	if err != nil {
		return err
	}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		if hashes[i], err = t.node(ctx, cp.Size, id); err != nil {
			return err
		}
	}
	h := rfc6962.DefaultHasher
	if hashes, err = nodes.Rehash(hashes, h.HashChildren); err != nil {
		return err
	}
	return proof.VerifyInclusion(h, idx, cp.Size, h.HashLeaf(entry), hashes, cp.Hash)
}

// checkpoint returns one whose signature holds. The few newest are remembered,
// since some submitters wake up late.
func (t *tesseraProver) checkpoint(raw []byte) (*log.Checkpoint, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.checked {
		if c.cp != nil && c.raw == string(raw) {
			return c.cp, nil
		}
	}
	cp, _, _, err := log.ParseCheckpoint(raw, origin, t.verifier)
	if err != nil {
		return nil, err
	}
	t.checked[t.next] = checkedCheckpoint{string(raw), cp}
	t.next = (t.next + 1) % len(t.checked)
	return cp, nil
}

// node returns a whole subtree's root, as the tile that it is in has it.
func (t *tesseraProver) node(ctx context.Context, size uint64, id compact.NodeID) ([]byte, error) {
	height := id.Level % layout.TileHeight
	name := tileName{uint64(id.Level) / layout.TileHeight, id.Index >> (layout.TileHeight - height)}
	at := id.Index & (1<<(layout.TileHeight-height) - 1)
	t.tilesMu.RLock()
	tile := t.tiles[name]
	t.tilesMu.RUnlock()
	if tile == nil || at >= uint64(len(tile[height])) {
		var err error
		if tile, err = t.read(ctx, size, name, height, at); err != nil {
			return nil, err
		}
	}
	if at >= uint64(len(tile[height])) {
		return nil, fmt.Errorf("tile %d/%d of a log of %d entries is too narrow", name.level, name.index, size)
	}
	return tile[height][at], nil
}

// read reads a tile as a log of that size has it, or the full one that has taken
// its place since.
func (t *tesseraProver) read(ctx context.Context, size uint64, name tileName, height uint, at uint64) (*tileNodes, error) {
	t.tilesMu.Lock()
	defer t.tilesMu.Unlock()
	if tile := t.tiles[name]; tile != nil && at < uint64(len(tile[height])) {
		return tile, nil // somebody else was faster
	}
	raw, err := t.reader.ReadTile(ctx, name.level, name.index, layout.PartialTileSize(name.level, name.index, size))
	if errors.Is(err, os.ErrNotExist) {
		raw, err = t.reader.ReadTile(ctx, name.level, name.index, 0)
	}
	if err != nil {
		return nil, err
	}
	tile := &tileNodes{}
	const hashSize = 32
	for ; len(raw) >= hashSize; raw = raw[hashSize:] {
		tile[0] = append(tile[0], raw[:hashSize])
	}
	for h := 1; h <= layout.TileHeight; h++ {
		for below := tile[h-1]; len(below) >= 2; below = below[2:] {
			tile[h] = append(tile[h], rfc6962.DefaultHasher.HashChildren(below[0], below[1]))
		}
	}
	t.tiles[name] = tile
	return tile, nil
}
