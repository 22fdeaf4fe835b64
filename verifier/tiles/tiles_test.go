package tiles_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
)

// log is a log in memory, as tiles.
type log struct {
	entries [][]byte
	leaves  []tree.Hash
	nodes   map[[2]int64]tree.Hash
	roots   []tree.Hash
}

func newLog(size int64) *log {
	l := &log{nodes: map[[2]int64]tree.Hash{}}
	f := tree.NewFrontier()
	l.roots = append(l.roots, f.Root())
	for i := range size {
		raw := fmt.Appendf(nil, "entry %d", i)
		l.entries = append(l.entries, raw)
		l.leaves = append(l.leaves, tree.LeafHash(raw))
		f.Append(tree.LeafHash(raw), func(level uint, index int64, h tree.Hash) { l.nodes[[2]int64{int64(level), index}] = h })
		l.roots = append(l.roots, f.Root())
	}
	return l
}

// tile returns the bytes of a tile of the log.
func (l *log) tile(p tree.TilePath) []byte {
	if p.Level == tree.EntryLevel {
		return tiles.FormatEntries(l.entries[p.First() : p.First()+int64(p.Width)])
	}
	var b []byte
	for i := range int64(p.Width) {
		h := l.nodes[[2]int64{8 * int64(p.Level), p.First() + i}]
		b = append(b, h[:]...)
	}
	return b
}

// folder is the log at a size, as files.
func (l *log) folder(size int64) fstest.MapFS {
	fsys := fstest.MapFS{}
	for level := tree.EntryLevel; level <= 3; level++ {
		for n := int64(0); ; n++ {
			p, ok := tree.TileAt(level, n, size)
			if !ok {
				break
			}
			fsys[p.String()] = &fstest.MapFile{Data: l.tile(p)}
		}
	}
	return fsys
}

func (l *log) checkpoint(size int64) tree.Checkpoint {
	return tree.Checkpoint{Origin: "example.com/log", Size: size, Root: l.roots[size]}
}

var sizes = []int64{1, 2, 3, 7, 8, 200, 255, 256, 257, 300, 511, 512, 513, 1000, 65536, 66000}

// Of every size: all entries and leaves are read, and the proofs are those of the
// reference.
func TestRead(t *testing.T) {
	l, ctx := newLog(66000), t.Context()
	for _, size := range sizes {
		kept := map[string]bool{}
		fsys := l.folder(size)
		tr := tiles.New(l.checkpoint(size), tiles.FS(fsys), func(p tree.TilePath, data []byte) error {
			kept[p.String()] = true
			if !slices.Equal(data, l.tile(p)) {
				t.Errorf("size %d: %s is kept with other bytes", size, p)
			}
			return nil
		})
		var all [][]byte
		for n := int64(0); n*tree.TileWidth < size; n++ {
			entries, err := tr.Entries(ctx, n)
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			all = append(all, entries...)
		}
		if !slices.EqualFunc(all, l.entries[:size], slices.Equal) {
			t.Errorf("size %d: other entries were read", size)
		}
		// A mirror needs no more than what was authenticated on the way.
		for name := range fsys {
			if !strings.HasPrefix(name, "tile/entries") && !kept[name] {
				t.Errorf("size %d: %s was not kept", size, name)
			}
		}
		for _, index := range []int64{0, size / 2, size - 1} {
			p, err := tr.Inclusion(ctx, index)
			if err == nil {
				err = tree.VerifyInclusion(index, size, l.leaves[index], p, l.roots[size])
			}
			if err != nil {
				t.Errorf("size %d, index %d: %v", size, index, err)
			}
		}
		for _, old := range sizes {
			if old > size {
				break
			}
			root, p, err := tr.Consistency(ctx, old)
			if err != nil || root != l.roots[old] {
				t.Errorf("size %d: root at %d: %s, %v", size, old, root, err)
			} else if old < size {
				if err := tree.VerifyConsistency(old, size, root, l.roots[size], p); err != nil {
					t.Errorf("size %d from %d: %v", size, old, err)
				}
			}
		}
	}
	tr := tiles.New(l.checkpoint(0), tiles.FS(fstest.MapFS{}), nil)
	if _, err := tr.Entries(ctx, 0); err == nil {
		t.Error("an empty log has entries")
	}
	if root, p, err := tr.Consistency(ctx, 0); err != nil || root != tree.Empty || len(p) > 0 {
		t.Errorf("an empty log extends the empty one: %v %v", p, err)
	}
	if _, _, err := tr.Consistency(ctx, 1); err == nil {
		t.Error("an empty log extends one of an entry")
	}
	if _, err := tr.Inclusion(ctx, 0); err == nil {
		t.Error("an empty log includes an entry")
	}
}

// Every tile of a log, changed in one bit: it is named, and of entries the entry.
func TestChangedTile(t *testing.T) {
	l := newLog(66000)
	for _, size := range []int64{3, 256, 300, 66000} {
		good := l.folder(size)
		for name, file := range good {
			if size > 1000 && !slices.ContainsFunc([]string{"/000", "/255", "/256", "/257.p/208"}, func(n string) bool { return strings.Contains(name, n) }) {
				continue // those between are alike
			}
			bad := fstest.MapFS{}
			for k, v := range good {
				bad[k] = v
			}
			at := len(file.Data) / 2
			changed := slices.Clone(file.Data)
			changed[at] ^= 1
			bad[name] = &fstest.MapFile{Data: changed}
			err := readAll(t.Context(), tiles.New(l.checkpoint(size), tiles.FS(bad), nil))
			var e *tiles.BadTile
			if !errors.As(err, &e) {
				t.Fatalf("size %d, %s changed: %v", size, name, err)
			}
			if !strings.Contains(err.Error(), name) {
				t.Errorf("size %d, %s changed: %v does not name it", size, name, err)
			}
		}
	}
	// The entry is named.
	fsys := l.folder(300)
	p, _ := tree.TileAt(tree.EntryLevel, 1, 300)
	entries := slices.Clone(l.entries[256:300])
	entries[7] = []byte("another")
	fsys[p.String()] = &fstest.MapFile{Data: tiles.FormatEntries(entries)}
	err := readAll(t.Context(), tiles.New(l.checkpoint(300), tiles.FS(fsys), nil))
	if err == nil || !strings.Contains(err.Error(), "entry 263, in tile/entries/001.p/44: ") {
		t.Errorf("entry 263 changed: %v", err)
	}
}

func readAll(ctx context.Context, tr *tiles.Tree) error {
	for n := int64(0); n*tree.TileWidth < tr.Checkpoint().Size; n++ {
		if _, err := tr.Entries(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// Missing, short, long tiles; and a partial tile out of the full one.
func TestOtherTiles(t *testing.T) {
	l, ctx := newLog(600), t.Context()
	for name := range l.folder(300) {
		fsys := l.folder(300)
		delete(fsys, name)
		if err := readAll(ctx, tiles.New(l.checkpoint(300), tiles.FS(fsys), nil)); !errors.Is(err, tiles.ErrMissing) {
			t.Errorf("without %s: %v", name, err)
		}
		for what, data := range map[string][]byte{
			"empty": nil, "short": l.folder(300)[name].Data[1:], "long": append(slices.Clone(l.folder(300)[name].Data), 0),
		} {
			fsys[name] = &fstest.MapFile{Data: data}
			var bad *tiles.BadTile
			if err := readAll(ctx, tiles.New(l.checkpoint(300), tiles.FS(fsys), nil)); !errors.As(err, &bad) {
				t.Errorf("%s is %s: %v", name, what, err)
			}
		}
	}
	// The log has grown to 600 and deleted its partial tiles of 300.
	if err := readAll(ctx, tiles.New(l.checkpoint(300), tiles.FS(withoutPartial(l.folder(600), "001")), nil)); !errors.Is(err, tiles.ErrMissing) {
		t.Errorf("level 1 has no full tile to fall back to: %v", err)
	}
	fsys := l.folder(600)
	p, _ := tree.TileAt(1, 0, 300)
	fsys[p.String()] = &fstest.MapFile{Data: l.tile(p)}
	if err := readAll(ctx, tiles.New(l.checkpoint(300), tiles.FS(fsys), nil)); err != nil {
		t.Errorf("full tiles in place of partial ones: %v", err)
	}
	// A checkpoint of another root, and of a size that no log has.
	cp := l.checkpoint(300)
	cp.Root[0] ^= 1
	var bad *tiles.BadTile
	if err := readAll(ctx, tiles.New(cp, tiles.FS(l.folder(300)), nil)); !errors.As(err, &bad) {
		t.Errorf("another root: %v", err)
	}
	cp.Size = 1<<63 - 1
	if _, err := tiles.New(cp, tiles.FS(l.folder(300)), nil).Entries(ctx, 0); err == nil {
		t.Error("a log of 2^63-1 entries was read")
	}
	full := errors.New("disk full")
	tr := tiles.New(l.checkpoint(300), tiles.FS(l.folder(300)), func(tree.TilePath, []byte) error { return full })
	if _, err := tr.Entries(ctx, 0); !errors.Is(err, full) {
		t.Errorf("keeping fails: %v", err)
	}
}

func withoutPartial(fsys fstest.MapFS, n string) fstest.MapFS {
	for name := range fsys {
		if strings.Contains(name, n+".p/") {
			delete(fsys, name)
		}
	}
	return fsys
}

func FuzzParseEntries(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0}, 2)
	f.Add([]byte{0, 1}, 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, data []byte, width int) {
		if width < 0 || width > tree.TileWidth {
			return
		}
		entries, err := tiles.ParseEntries(data, width)
		if err != nil {
			return
		}
		if len(entries) != width || !slices.Equal(tiles.FormatEntries(entries), data) {
			t.Fatalf("%q is read as %q", data, entries)
		}
	})
}
