package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
)

// mirrored is a log in a folder, as onus-verify mirror writes it.
type mirrored struct{ folder fs.FS }

func openMirror(dir string) (*mirrored, error) {
	// Nothing outside is read, wherever a link in there leads.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &mirrored{root.FS()}, nil
}

func (m *mirrored) checkpoint() ([]byte, error) {
	signed, err := tiles.ReadCheckpoint(m.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the folder has no file \"checkpoint\": it is no mirror of a log, or one that is not complete: run onus-verify mirror again")
	}
	return signed, err
}

// first hands out entry 0, held to nothing.
func (m *mirrored) first(add func([][]byte)) error {
	signed, err := m.checkpoint()
	if err != nil {
		return err
	}
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	cp, err := tree.ParseCheckpoint(string(text) + "\n")
	if err != nil {
		return err
	}
	p, ok := tree.TileAt(tree.EntryLevel, 0, cp.Size)
	if !ok {
		return errors.New("the log has no entry")
	}
	b, err := tiles.FS(m.folder)(context.Background(), p)
	if err != nil {
		return err
	}
	entries, err := tiles.ParseEntries(b, p.Width)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	add(entries[:1])
	return nil
}

// follow hands out the entries from first up to end, each held to the root of the
// checkpoint.
func (m *mirrored) follow(ctx context.Context, cp tree.Checkpoint, first, end int64, add func([][]byte)) error {
	t := tiles.New(cp, tiles.FS(m.folder), nil)
	for at := first; at < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := at / tree.TileWidth
		entries, err := t.Entries(ctx, n)
		if err != nil {
			return err
		}
		from, to := at-n*tree.TileWidth, min(end-n*tree.TileWidth, int64(len(entries)))
		add(entries[from:to])
		at += to - from
	}
	return nil
}
