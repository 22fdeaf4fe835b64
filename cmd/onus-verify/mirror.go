package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/onus-ledger/onus/cmd/internal/bearer"
	"github.com/onus-ledger/onus/cmd/internal/progress"
	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
)

func newMirror() *cobra.Command {
	var logKey, token, ca, forkFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "mirror URL DIR --log-key K",
		Short: "Keep a full copy of a log in a folder",
		Long: `Copy the log at URL into the folder DIR, tile by tile, at the paths of
c2sp.org/tlog-tiles. Each tile is held to the signed checkpoint before it is kept;
the checkpoint is written last. Run it again to go on: what is there is not fetched
twice, also after it was killed. A log that does not extend the checkpoint in DIR is
not copied.

onus-verify log DIR verifies and judges the copy, onus view DIR shows it, and any
web server that hands out DIR serves it to every reader of tlog-tiles. DIR has every
entry: only its owner may read it.

Exit codes: 0 the copy is complete; 2 usage or I/O; 3 the log signed two histories,
and the proof is in a file; 4 the log does not show what it signed, or shows fewer
entries than DIR has, or a tile in DIR was changed.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := requiredKey(logKey)
			if err != nil {
				return err
			}
			server, err := newRemote(args[0], token, ca)
			if err != nil {
				return err
			}
			m := &mirrorer{server: server, key: key, dir: args[1], forkFile: forkFile, out: cmd.OutOrStdout(), asJSON: asJSON}
			return m.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
	fs.StringVar(&token, "token", "", bearer.Usage)
	fs.StringVar(&ca, "tls-ca", "", "PEM file with the authority that the server's certificate must come from; default: the system's")
	fs.StringVar(&forkFile, "fork", forkDefault, forkUsage)
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// mirrorer copies a log into a folder.
type mirrorer struct {
	server   *remote
	key      tree.LogKey
	dir      string
	forkFile string
	out      io.Writer
	asJSON   bool

	root *os.Root
	have head // the checkpoint in the folder; of no size if there is none
	// disk reads what the folder has.
	disk tiles.Fetch
	// fetched counts tiles that came from the server.
	fetched int64
	// dirs are folders with new names in them, which are not synced yet.
	dirs map[string]bool
}

func (m *mirrorer) run(ctx context.Context) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(m.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	m.root, m.disk, m.dirs = root, tiles.FS(root.FS()), map[string]bool{}
	if signed, err := tiles.ReadCheckpoint(root.FS()); err == nil {
		if m.have, err = openHead(signed, m.key); err != nil {
			return fmt.Errorf("%s: %w: it is a mirror of another log, or was changed: name another folder", filepath.Join(m.dir, tiles.CheckpointName), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	signed, err := m.server.checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("NOT COPIED: %w", err)
	}
	now, err := openHead(signed, m.key)
	if err != nil {
		return m.end("broken", exitBroken, "BROKEN: "+err.Error(), nil)
	}
	t := tiles.New(now.Checkpoint, m.fetch, m.keep)
	// Whether the log only grew is told by its own tiles: those in the folder are
	// of the history that is there.
	err = extends(ctx, m.key, m.have, now, tiles.New(now.Checkpoint, m.server.fetch, nil))
	grew := err == nil
	if grew {
		err = m.copy(ctx, t)
	}
	if err == nil {
		err = m.finish(now)
	}
	var fork *forkError
	var back *rollbackError
	switch {
	case err == nil:
		return m.end("mirrored", 0, fmt.Sprintf("MIRRORED log %s: %d entries, %d of them new, %d tiles fetched, root %s", now.Origin, now.Size, now.Size-m.have.Size, m.fetched, now.Root),
			map[string]any{"origin": now.Origin, "size": now.Size, "before": m.have.Size, "root": now.Root.String(), "fetched": m.fetched})
	case errors.As(err, &fork):
		path, err := writeFork(m.forkFile, fork.fork, m.key)
		if err != nil {
			return err
		}
		return m.end("fork", exitFork, fmt.Sprintf("%s\nThe proof is in %s: whoever holds the log's key can check it (onus-verify fork %s).", sayFork(fork.fork, m.key), path, path), map[string]any{"proof": path})
	case errors.As(err, &back):
		kept := tiles.CheckpointName + ".rollback"
		if err := m.write(kept, back.now.signed); err != nil {
			return err
		}
		return m.end("rollback", exitBroken, fmt.Sprintf("ROLLED BACK: %v. Either an old copy of the log was put back, or an old answer was kept on the way. That proves nothing yet: the checkpoint that it shows is kept in %s", err, filepath.Join(m.dir, kept)), nil)
	case grew && m.changed(err) != "": // before, only the server's tiles were read
		return m.end("changed", exitBroken, fmt.Sprintf("CHANGED: %v. It is in the folder: remove %s and run it again", err, filepath.Join(m.dir, m.changed(err))), nil)
	case withheld(err):
		return m.end("withheld", exitBroken, "WITHHELD: not all of the log could be copied: "+err.Error(), nil)
	}
	return fmt.Errorf("NOT COPIED: %w: run it again to go on", err)
}

// changed returns the tile in the folder that an error is about, or "".
func (m *mirrorer) changed(err error) string {
	var bad *tiles.BadTile
	if !errors.As(err, &bad) {
		return ""
	}
	if _, err := m.root.Lstat(bad.Tile.String()); err != nil {
		return ""
	}
	return bad.Tile.String()
}

func (m *mirrorer) end(what string, code int, text string, fields map[string]any) error {
	if m.asJSON {
		if fields == nil {
			fields = map[string]any{}
		}
		fields["result"], fields["text"] = what, text
		if err := printJSON(m.out, fields); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(m.out, text)
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}

// copy keeps every tile that the folder's checkpoint does not cover. To hold a leaf
// to the root takes all tiles above it, so those are kept on the way.
func (m *mirrorer) copy(ctx context.Context, t *tiles.Tree) error {
	bar := progress.New("entries")
	defer bar.Clear()
	size := t.Checkpoint().Size
	if size == m.have.Size {
		return nil
	}
	for n := m.have.Size / tree.TileWidth; n*tree.TileWidth < size; n++ {
		entries, err := t.Entries(ctx, n)
		if err != nil {
			return err
		}
		p, _ := tree.TileAt(tree.EntryLevel, n, size)
		if err := m.keep(p, tiles.FormatEntries(entries)); err != nil {
			return err
		}
		bar.Update(p.First()+int64(p.Width), size)
	}
	return nil
}

// fetch takes a tile from the folder, where a run that was ended left it, or from
// the server. Either is held to the root by who asks.
func (m *mirrorer) fetch(ctx context.Context, p tree.TilePath) ([]byte, error) {
	b, err := m.disk(ctx, p)
	if !errors.Is(err, tiles.ErrMissing) {
		return b, err
	}
	m.fetched++
	return m.server.fetch(ctx, p)
}

// keep writes a tile that was verified. A tile never changes, so one that is there
// is left alone.
func (m *mirrorer) keep(p tree.TilePath, data []byte) error {
	if _, err := m.root.Lstat(p.String()); err == nil {
		return nil
	}
	return m.write(p.String(), data)
}

// write puts a file in place, all of it or nothing, synced.
func (m *mirrorer) write(name string, data []byte) (err error) {
	dir := filepath.Dir(name)
	if err := m.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp := name + ".part"
	f, err := m.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, m.root.Remove(temp))
	}
	for d := dir; ; d = filepath.Dir(d) {
		m.dirs[d] = true
		if d == "." {
			break
		}
	}
	return m.root.Rename(temp, name)
}

// finish makes the new checkpoint that of the folder, once all tiles are on disk,
// and removes the partial tiles that only the old one needed.
func (m *mirrorer) finish(now head) error {
	if err := m.syncDirs(); err != nil {
		return err
	}
	if string(now.signed) == string(m.have.signed) {
		return nil
	}
	if err := m.write(tiles.CheckpointName, now.signed); err != nil {
		return err
	}
	// After this the copy is of the new size.
	if err := m.syncDirs(); err != nil {
		return err
	}
	for level := tree.EntryLevel; ; level++ {
		hashes := m.have.Size >> (8 * uint(max(level, 0)))
		if hashes == 0 {
			return nil
		}
		p, ok := tree.TileAt(level, hashes/tree.TileWidth, m.have.Size)
		q, _ := tree.TileAt(level, hashes/tree.TileWidth, now.Size)
		if !ok || q == p {
			continue
		}
		if err := m.root.Remove(p.String()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		m.root.Remove(filepath.Dir(p.String())) // unless another is in it
	}
}

func (m *mirrorer) syncDirs() error {
	for _, d := range slices.Sorted(maps.Keys(m.dirs)) {
		if err := syncDir(filepath.Join(m.dir, d)); err != nil {
			return err
		}
	}
	clear(m.dirs)
	return nil
}
