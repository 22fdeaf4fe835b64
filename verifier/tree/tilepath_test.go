package tree_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/tlog"
)

// The paths of c2sp.org/tlog-tiles, with its own examples.
func TestTilePaths(t *testing.T) {
	for path, want := range map[string]tree.TilePath{
		"tile/0/000":                           {Level: 0, N: 0, Width: 256},
		"tile/0/001":                           {Level: 0, N: 1, Width: 256},
		"tile/0/256":                           {Level: 0, N: 256, Width: 256},
		"tile/0/273.p/112":                     {Level: 0, N: 273, Width: 112}, // a tree of 70,000
		"tile/1/001.p/17":                      {Level: 1, N: 1, Width: 17},
		"tile/2/000.p/1":                       {Level: 2, N: 0, Width: 1},
		"tile/0/x001/000":                      {Level: 0, N: 1000, Width: 256},
		"tile/1/x001/x234/067":                 {Level: 1, N: 1234067, Width: 256},
		"tile/63/999.p/255":                    {Level: 63, N: 999, Width: 255},
		"tile/entries/000.p/1":                 {Level: tree.EntryLevel, N: 0, Width: 1},
		"tile/entries/x001/x234/067":           {Level: tree.EntryLevel, N: 1234067, Width: 256},
		"tile/0/x036/x028/x797/x018/x963/966":  {Level: 0, N: 1<<55 - 2, Width: 256},
		"tile/entries/x001/x000/x000/000.p/99": {Level: tree.EntryLevel, N: 1e9, Width: 99},
	} {
		got, err := tree.ParseTilePath(path)
		if err != nil || got != want {
			t.Errorf("%s reads as %+v, %v; want %+v", path, got, err, want)
		}
		if got := want.String(); got != path {
			t.Errorf("%+v is written %s, want %s", want, got, path)
		}
	}
}

func TestRefusedTilePaths(t *testing.T) {
	for path, why := range map[string]string{
		"":                                    "does not begin with tile/",
		"/tile/0/000":                         "does not begin with tile/",
		"tiles/0/000":                         "does not begin with tile/",
		"tile/0":                              "names no tile",
		"tile/":                               "names no tile",
		"tile/0/":                             "three digits",
		"tile/0/0":                            "three digits",
		"tile/0/0000":                         "three digits",
		"tile/0/+01":                          "three digits",
		"tile/0/-01":                          "three digits",
		"tile/0/0 1":                          "three digits",
		"tile/0/٠٠١":                          "three digits",
		"tile/0/x00":                          "three digits",
		"tile/0/x001":                         "three digits",
		"tile/0/000/":                         "begin with an x",
		"tile/0/001/000":                      "begin with an x",
		"tile/0/X001/000":                     "begin with an x",
		"tile/0/x001/x000":                    "three digits",
		"tile/0/x001//000":                    "begin with an x",
		"tile/0/x000/001":                     "leading elements of zeros",
		"tile/0/x000/x001/000":                "leading elements of zeros",
		"tile/64/000":                         "the level is neither",
		"tile/00/000":                         "the level is neither",
		"tile/01/000":                         "the level is neither",
		"tile/-1/000":                         "the level is neither",
		"tile/+1/000":                         "the level is neither",
		"tile//000":                           "the level is neither",
		"tile/Entries/000":                    "the level is neither",
		"tile/data/000":                       "the level is neither", // x/mod's name
		"tile/8/0/000":                        "begin with an x",      // x/mod's path
		"tile/99999999999999999999/000":       "the level is neither",
		"tile/0/000.p/0":                      "the width",
		"tile/0/000.p/256":                    "the width",
		"tile/0/000.p/01":                     "the width",
		"tile/0/000.p/+1":                     "the width",
		"tile/0/000.p/":                       "the width",
		"tile/0/000.p/1/":                     "the width",
		"tile/0/000.p/1.p/1":                  "the width",
		"tile/0/000.p":                        "three digits",
		"tile/0/x036/x028/x797/x018/x963/967": "the number is above",
		"tile/0/x999/x999/x999/x999/x999/x999/999":       "the number is above",
		"tile/0/" + strings.Repeat("x001/", 400) + "000": "longer than any",
	} {
		got, err := tree.ParseTilePath(path)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q reads as %+v, %v; want an error with %q", path, got, err, why)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%.60q: an error of %d bytes", path, len(err.Error()))
		}
	}
}

// The tiles of a tree are those that c2sp.org/tlog-tiles counts, at every size
// up to three tiles and at its own example's.
func TestTilesOfASize(t *testing.T) {
	widths := func(level int, size int64) (out []int) {
		for n := int64(0); ; n++ {
			p, ok := tree.TileAt(level, n, size)
			if !ok {
				return out
			}
			if p.Level != level || p.N != n {
				t.Fatalf("tile %d of level %d is %+v", n, level, p)
			}
			out = append(out, p.Width)
		}
	}
	for size := range int64(3*256 + 2) {
		full, rest := int(size/256), int(size%256)
		for _, level := range []int{tree.EntryLevel, 0} {
			got := widths(level, size)
			for i, w := range got {
				if want := 256; i < full && w != want || i == full && w != rest {
					t.Errorf("size %d, level %d: tile %d has width %d", size, level, i, w)
				}
			}
			if want := full + min(rest, 1); len(got) != want {
				t.Errorf("size %d, level %d: %d tiles, want %d", size, level, len(got), want)
			}
		}
		if got := widths(1, size); full == 0 && got != nil || full > 0 && (len(got) != 1 || got[0] != full) {
			t.Errorf("size %d: level 1 has widths %v", size, got)
		}
		if got := widths(2, size); got != nil {
			t.Errorf("size %d: level 2 has widths %v", size, got)
		}
	}
	// 273 full tiles and one of 112; one full and one of 17; one of 1.
	if got := widths(0, 70000); len(got) != 274 || got[272] != 256 || got[273] != 112 {
		t.Errorf("level 0 of 70,000: %d tiles, the last %d", len(got), got[len(got)-1])
	}
	if got := widths(1, 70000); !slices.Equal(got, []int{256, 17}) {
		t.Errorf("level 1 of 70,000: %v", got)
	}
	if got := widths(2, 70000); !slices.Equal(got, []int{1}) {
		t.Errorf("level 2 of 70,000: %v", got)
	}
	for _, c := range []struct {
		level   int
		n, size int64
	}{{3, 0, 70000}, {0, 0, 0}, {0, 0, -1}, {0, -1, 10}, {0, math.MaxInt64, math.MaxInt64}, {-2, 0, 10}, {64, 0, math.MaxInt64}, {63, 0, math.MaxInt64}, {8, 0, math.MaxInt64}} {
		if p, ok := tree.TileAt(c.level, c.n, c.size); ok {
			t.Errorf("%+v has %+v", c, p)
		}
	}
	if p, ok := tree.TileAt(7, 0, math.MaxInt64); !ok || p.Width != 127 {
		t.Errorf("level 7 of the largest tree: %+v, %v", p, ok)
	}
}

// x/mod's path of a tile differs in the height, which it names, and in the name
// of what holds entries; in all else it is ours.
func TestTilePathsAsTlogHasThem(t *testing.T) {
	for _, n := range []int64{0, 1, 255, 999, 1000, 1001, 999999, 1000000, 1234067, 1<<40 + 5} {
		for _, width := range []int{1, 17, 255, 256} {
			for _, level := range []int{tree.EntryLevel, 0, 1, 7, 63} {
				got := tree.TilePath{Level: level, N: n, Width: width}.String()
				want := tlog.Tile{H: 8, L: level, N: n, W: width}.Path()
				want = strings.Replace(want, "tile/8/", "tile/", 1)
				want = strings.Replace(want, "tile/data/", "tile/entries/", 1)
				if got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		}
	}
}

// FuzzParseTilePath: what is accepted is what String writes.
func FuzzParseTilePath(f *testing.F) {
	for _, s := range []string{"tile/0/000", "tile/entries/x001/x234/067.p/12", "tile/63/999.p/255", "tile/0/x000/001", "tile/0/x036/x028/x797/x018/x963/967.p/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := tree.ParseTilePath(path)
		if err != nil {
			return
		}
		if p.String() != path || p.Level < tree.EntryLevel || p.Level > tree.MaxTileLevel || p.Width < 1 || p.Width > tree.TileWidth || p.First() < 0 || p.First()+tree.TileWidth < 1 {
			t.Fatalf("%q reads as %+v", path, p)
		}
	})
}
