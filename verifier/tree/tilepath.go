package tree

import (
	"fmt"
	"strconv"
	"strings"
)

// The tiles of c2sp.org/tlog-tiles.
const (
	// TileWidth is the number of hashes, or of entries, of a full tile.
	TileWidth = 256
	// EntryLevel is the level of a tile that holds entries, which are named and
	// not numbered in a path.
	EntryLevel = -1
	// MaxTileLevel is the highest level that has a path.
	MaxTileLevel = 63
	// maxTile bounds a tile's number, so that what follows the tile has an index
	// too. No log is that large.
	maxTile = 1<<55 - 2
)

// A TilePath names a tile: 256 consecutive hashes of one level of a log's tree,
// or 256 consecutive entries, or the first of them.
type TilePath struct {
	// Level is 0 for leaf hashes; a hash at level l+1 is over a full tile of
	// level l. [EntryLevel] stands for the entries themselves.
	Level int
	// N is the tile's number within its level.
	N int64
	// Width is how many hashes or entries it has, TileWidth if it is full.
	Width int
}

// First returns the number of the tile's first hash within its level, or the
// index of its first entry.
func (p TilePath) First() int64 { return p.N * TileWidth }

// TileAt returns the tile with that level and number as a log of that size has
// it: full, or as wide as the log makes it. ok is false where it has none.
// c2sp.org/tlog-tiles, "Partial Tiles".
func TileAt(level int, n, size int64) (p TilePath, ok bool) {
	if level < EntryLevel || level > MaxTileLevel || n < 0 || n > maxTile {
		return TilePath{}, false
	}
	hashes := max(size, 0)
	if level > 0 {
		hashes >>= 8 * uint(level)
	}
	p = TilePath{Level: level, N: n}
	if hashes <= p.First() {
		return TilePath{}, false
	}
	p.Width = int(min(hashes-p.First(), TileWidth))
	return p, true
}

// String returns the path below the log's prefix, such as
// tile/1/x001/x234/067.p/12 or tile/entries/000.
func (p TilePath) String() string {
	var b strings.Builder
	b.WriteString("tile/")
	if p.Level == EntryLevel {
		b.WriteString("entries")
	} else {
		b.WriteString(strconv.Itoa(p.Level))
	}
	// Elements of three digits, all but the last with an x in front.
	var elements []string
	for n, x := p.N, ""; ; n, x = n/1000, "x" {
		elements = append(elements, fmt.Sprintf("/%s%03d", x, n%1000))
		if n < 1000 {
			break
		}
	}
	for i := len(elements) - 1; i >= 0; i-- {
		b.WriteString(elements[i])
	}
	if p.Width < TileWidth {
		b.WriteString(".p/" + strconv.Itoa(p.Width))
	}
	return b.String()
}

// ParseTilePath reads what [TilePath.String] writes, and nothing else: each
// tile has one path, or caches would hold it twice.
// c2sp.org/tlog-tiles, "Merkle Tree" and "Log entries".
func ParseTilePath(path string) (TilePath, error) {
	const longest = len("tile/entries") + 6*len("/x000") + len("/000.p/255")
	bad := func(format string, a ...any) (TilePath, error) {
		return TilePath{}, fmt.Errorf("%.*q is no tile: %s", longest, path, fmt.Sprintf(format, a...))
	}
	if len(path) > longest {
		return bad("it is longer than any tile's path")
	}
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return bad("it does not begin with tile/")
	}
	level, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return bad("it names no tile")
	}
	p := TilePath{Level: EntryLevel, Width: TileWidth}
	if level != "entries" {
		n, err := decimal(level)
		if err != nil || n > MaxTileLevel {
			return bad(`the level is neither "entries" nor a decimal from 0 to %d`, MaxTileLevel)
		}
		p.Level = int(n)
	}
	number, width, partial := strings.Cut(rest, ".p/")
	if partial {
		n, err := decimal(width)
		if err != nil || n < 1 || n >= TileWidth {
			return bad("the width of a partial tile is a decimal from 1 to %d", TileWidth-1)
		}
		p.Width = int(n)
	}
	elements := strings.Split(number, "/")
	for i, e := range elements {
		if i < len(elements)-1 {
			if e, ok = strings.CutPrefix(e, "x"); !ok {
				return bad("all elements of a tile's number but the last begin with an x")
			}
		}
		if len(e) != 3 || strings.Trim(e, "0123456789") != "" {
			return bad("an element of a tile's number has three digits")
		}
		n, err := strconv.ParseInt(e, 10, 64)
		if err != nil {
			return bad("an element of a tile's number has three digits")
		}
		if p.N = p.N*1000 + n; p.N > maxTile {
			return bad("the number is above %d", int64(maxTile))
		}
	}
	if p.String() != path {
		return bad("the number has leading elements of zeros")
	}
	return p, nil
}

// decimal reads a number without sign and without leading zeros.
func decimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n < 0 || strconv.FormatInt(n, 10) != s) {
		err = strconv.ErrSyntax
	}
	return n, err
}
