package peers

import (
	"bytes"
	"context"
	"testing"

	"filippo.io/torchwood"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/tlog"
)

// Torchwood's client, on top of x/mod's reader of tiles, reads our log from end
// to end: it holds every tile to the checkpoint and every entry to its tile.
func TestTorchwood(t *testing.T) {
	ctx := context.Background()
	s := serveLog(t, nil)
	fetch, err := torchwood.NewTileFetcher(s.url)
	must(t, err)
	c, err := torchwood.NewClient(fetch)
	must(t, err)
	var read int64
	for _, size := range []int64{4, 5, 255, 256, 257, 300, 512, 700} {
		s.growTo(size)
		signed, err := fetch.ReadEndpoint(ctx, "checkpoint")
		must(t, err)
		cp, _, err := torchwood.VerifyCheckpoint(signed, torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(s.verifier())))
		must(t, err)
		if cp.N != size || cp.Hash != tlog.Hash(s.root()) {
			t.Fatalf("checkpoint of %d, %s; want %d, %s", cp.N, cp.Hash, size, s.root())
		}
		for index, entry := range c.AllEntries(ctx, cp.Tree, read) {
			want, err := s.ledger.Raw(index)
			must(t, err)
			if index != read || !bytes.Equal(entry, want) {
				t.Fatalf("at %d, entry %d is read as %d, or has other bytes", size, read, index)
			}
			read++
		}
		must(t, c.Err())
		if read != size {
			t.Fatalf("%d entries were read, the log has %d", read, size)
		}
		index := size / 2
		entry, theirs, err := c.Entry(ctx, cp.Tree, index)
		must(t, err)
		_, ours, err := s.ledger.Inclusion(index, size)
		must(t, err)
		if want, _ := s.ledger.Raw(index); !bytes.Equal(entry, want) || !sameHashes(ours, theirs) {
			t.Errorf("entry %d of %d: another entry or proof", index, size)
		}
	}
}

// A reader of a smaller size finds the partial tiles that it needs, after they
// became full.
func TestOlderSizes(t *testing.T) {
	s := serveLog(t, nil)
	roots := map[int64]tree.Hash{}
	for _, size := range []int64{4, 100, 256, 257, 500, 520} {
		s.growTo(size)
		roots[size] = s.root()
	}
	fetch, err := torchwood.NewTileFetcher(s.url)
	must(t, err)
	for size, root := range roots {
		reader := torchwood.TileHashReaderWithContext(context.Background(), tlog.Tree{N: size, Hash: tlog.Hash(root)}, fetch)
		got, err := tlog.TreeHash(size, reader)
		if err != nil || got != tlog.Hash(root) {
			t.Errorf("root at %d: %s, %v; want %s", size, got, err, root)
		}
	}
}

// Torchwood's reader of tile paths and ours agree, on good and bad ones, save two
// that it takes though c2sp.org/tlog-tiles does not have them.
func TestTilePaths(t *testing.T) {
	for _, path := range []string{
		"tile/0/000", "tile/0/000.p/1", "tile/0/999.p/255", "tile/1/x001/000", "tile/63/x001/x234/067.p/9", "tile/entries/000", "tile/entries/x001/x234/067.p/12",
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/0000", "tile/0/x000", "tile/0/x000/001", "tile/0/001/000", "tile/00/000",
		"tile/-1/000", "tile/entries/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "/tile/0/000", "tile/0/000/", "tile/8/0/000",
	} {
		ours, err := tree.ParseTilePath(path)
		theirs, theirErr := torchwood.ParseTilePath(path)
		if (err == nil) != (theirErr == nil) {
			t.Errorf("%q: ours says %v, torchwood's %v", path, err, theirErr)
			continue
		}
		if err == nil && (ours.Level != theirs.L || ours.N != theirs.N || ours.Width != theirs.W || torchwood.TilePath(theirs) != ours.String()) {
			t.Errorf("%q: ours is %+v, torchwood's %+v", path, ours, theirs)
		}
	}
}

func TestTilePathsThatOnlyTorchwoodTakes(t *testing.T) {
	for _, path := range []string{"tile/64/000", "tile/data/000"} {
		_, theirs := torchwood.ParseTilePath(path)
		if p, err := tree.ParseTilePath(path); err == nil || theirs != nil {
			t.Errorf("%s: ours is %+v, torchwood says %v: does it differ no more?", path, p, theirs)
		}
	}
}

func sameHashes[T ~[32]byte, U ~[32]byte](a []T, b []U) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if [32]byte(a[i]) != [32]byte(b[i]) {
			return false
		}
	}
	return true
}
