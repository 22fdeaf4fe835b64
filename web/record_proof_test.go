package web

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// plantedTree is a tree whose nodes can all be read.
type plantedTree struct {
	nodes  map[[2]int64]tree.Hash
	leaves []tree.Hash
	roots  []tree.Hash // by size
}

func plant(size int) *plantedTree {
	p := &plantedTree{nodes: map[[2]int64]tree.Hash{}, roots: []tree.Hash{tree.Empty}}
	f := tree.NewFrontier()
	for i := range size {
		leaf := tree.LeafHash(fmt.Append(nil, i))
		p.leaves = append(p.leaves, leaf)
		f.Append(leaf, func(level uint, at int64, h tree.Hash) { p.nodes[[2]int64{int64(level), at}] = h })
		root := f.Root()
		p.roots = append(p.roots, root)
	}
	return p
}

func (p *plantedTree) prove(t *testing.T, index, size int64) []tree.Hash {
	t.Helper()
	proof, err := tree.ProveInclusion(index, size, func(level uint, at int64) (tree.Hash, error) {
		h, ok := p.nodes[[2]int64{int64(level), at}]
		if !ok {
			return h, errors.New("no such node")
		}
		return h, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// The path that is drawn leads to the root, for every entry of every log up to
// a size past two powers of two; and the siblings together with the entry are
// the whole log, each entry once.
func TestPathToRoot(t *testing.T) {
	const most = 130
	p := plant(most)
	for size := int64(1); size <= most; size++ {
		for index := range size {
			steps, err := pathToRoot(index, size, p.leaves[index], p.prove(t, index, size))
			if err != nil {
				t.Fatalf("entry %d of %d: %v", index, size, err)
			}
			node := p.leaves[index]
			covered := make([]int, size)
			covered[index]++
			for _, s := range steps {
				node = s.Node
				for i := s.First; i <= s.Last; i++ {
					covered[i]++
				}
				if s.Left != (s.Last < index) {
					t.Fatalf("entry %d of %d: %s is on the %s", index, size, s.Entries(), s.Side())
				}
			}
			if node != p.roots[size] {
				t.Fatalf("entry %d of %d: the path does not end at the root", index, size)
			}
			for i, n := range covered {
				if n != 1 {
					t.Fatalf("entry %d of %d: entry %d is under %d nodes of the path", index, size, i, n)
				}
			}
		}
	}
}

func TestPathToRootRefuses(t *testing.T) {
	p := plant(8)
	good := p.prove(t, 3, 8)
	for name, try := range map[string]struct {
		index, size int64
		proof       []tree.Hash
	}{
		"an index beyond the log": {8, 8, good},
		"a negative index":        {-1, 8, good},
		"a level too many":        {3, 8, append(good[:3:3], good[0])},
		"more levels than a log":  {0, 1 << 62, make([]tree.Hash, maxSteps+1)},
	} {
		if _, err := pathToRoot(try.index, try.size, p.leaves[3], try.proof); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The drawing is one SVG without script and style, in which each sibling is
// named; also of the largest log that can be.
func TestDrawPath(t *testing.T) {
	p := plant(100)
	for _, tt := range []struct {
		index, size int64
		proof       []tree.Hash
	}{{0, 1, nil}, {37, 100, p.prove(t, 37, 100)}, {1<<62 - 7, 1 << 62, make([]tree.Hash, 62)}} {
		steps, err := pathToRoot(tt.index, tt.size, tree.Hash{}, tt.proof)
		if err != nil {
			t.Fatal(err)
		}
		drawn := string(drawPath(tt.index, tree.Hash{}, steps))
		d := xml.NewDecoder(strings.NewReader(drawn))
		rects := 0
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("entry %d: %v", tt.index, err)
			}
			if e, ok := tok.(xml.StartElement); ok {
				if e.Name.Local == "rect" {
					rects++
				}
				if e.Name.Local == "style" || e.Name.Local == "script" {
					t.Errorf("the drawing holds <%s>", e.Name.Local)
				}
				for _, a := range e.Attr {
					if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
						t.Errorf("the drawing holds the attribute %s", a.Name.Local)
					}
				}
			}
		}
		if want := 2*len(steps) + 1; rects != want {
			t.Errorf("entry %d of %d: %d boxes, want %d", tt.index, tt.size, rects, want)
		}
		for _, s := range steps {
			if !strings.Contains(drawn, s.Entries()) {
				t.Errorf("the drawing does not name %s", s.Entries())
			}
		}
	}
}

func TestPlainJSON(t *testing.T) {
	for in, want := range map[string]string{
		"{\n  \"a\": \"b\"\n}": "{\n  \"a\": \"b\"\n}",
		"ü\u202e😀\x00\xff":     `\u00fc\u202e\ud83d\ude00\u0000\xff`,
	} {
		if got, cut := plainJSON([]byte(in), 1000); got != want || cut {
			t.Errorf("plainJSON(%q) = %q, %t", in, got, cut)
		}
	}
	if got, cut := plainJSON([]byte(strings.Repeat("x", 500)), 100); !cut || len(got) != 101 {
		t.Errorf("%d characters, cut %t", len(got), cut)
	}
}
