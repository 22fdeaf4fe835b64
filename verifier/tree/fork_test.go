package tree_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func forkSigner(t testing.TB, name string) tree.LogSigner {
	t.Helper()
	seed := [ed25519.SeedSize]byte([]byte(strings.Repeat(name, 32))[:32])
	s, err := tree.NewLogSigner("example.com/log", ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// growFrom is a tree whose leaves are other ones from an index on.
func growFrom(size, other int64) *forest {
	f := &forest{nodes: map[node]tree.Hash{}}
	fr := tree.NewFrontier()
	f.roots = append(f.roots, fr.Root())
	for i := range size {
		leaf := tree.LeafHash(data(i))
		if i >= other {
			leaf = tree.LeafHash(fmt.Appendf(nil, "another entry %d", i))
		}
		f.leaves = append(f.leaves, leaf)
		fr.Append(leaf, func(level uint, index int64, h tree.Hash) { f.nodes[node{level, index}] = h })
		f.roots = append(f.roots, fr.Root())
	}
	return f
}

func signAt(t testing.TB, s tree.LogSigner, size int64, root tree.Hash) []byte {
	t.Helper()
	b, err := s.Sign(size, root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forkByModAlone checks the text of a fork as docs/tlog.md says: with x/mod, and
// without a line of ours.
func forkByModAlone(text []byte, vkey string) error {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	parts := strings.Split(string(text), "\n\n")
	if len(parts) != 5 {
		return fmt.Errorf("%d parts", len(parts))
	}
	open := func(msg string) (size int64, root tlog.Hash, err error) {
		n, err := note.Open([]byte(msg), note.VerifierList(v))
		if err != nil {
			return 0, root, err
		}
		lines := strings.Split(n.Text, "\n")
		if lines[0] != v.Name() {
			return 0, root, fmt.Errorf("of log %q", lines[0])
		}
		if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
			return 0, root, err
		}
		root, err = tlog.ParseHash(lines[2])
		return size, root, err
	}
	older, olderRoot, err := open(parts[1] + "\n\n" + parts[2] + "\n")
	if err != nil {
		return err
	}
	newer, newerRoot, err := open(parts[3] + "\n\n" + parts[4])
	if err != nil {
		return err
	}
	head := strings.Split(parts[0], "\n")
	if head[0] != "onus/v1 fork" {
		return fmt.Errorf("begins with %q", head[0])
	}
	if older == newer {
		if olderRoot == newerRoot {
			return fmt.Errorf("one root")
		}
		return nil
	}
	root, err := tlog.ParseHash(strings.TrimPrefix(head[1], "root "))
	if err != nil {
		return err
	}
	var proof tlog.TreeProof
	for _, line := range head[2:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, h)
	}
	if root == olderRoot {
		return fmt.Errorf("the root that was signed")
	}
	return tlog.CheckTree(proof, newer, newerRoot, older, root)
}

// Of every two sizes, and every place where the histories part: the proof is
// accepted by us and by x/mod alone, and there is none where they do not part.
func TestFork(t *testing.T) {
	const most = 13
	log := forkSigner(t, "l")
	honest := grow(most)
	for parted := int64(0); parted < most; parted++ {
		other := growFrom(most, parted)
		for older := int64(1); older <= most; older++ {
			for newer := older; newer <= most; newer++ {
				f := &tree.Fork{Older: signAt(t, log, older, honest.roots[older]), Newer: signAt(t, log, newer, other.roots[newer])}
				if newer > older {
					f.Root = other.roots[older]
					p, err := tree.ProveConsistency(older, newer, other.at(newer))
					if err != nil {
						t.Fatal(err)
					}
					f.Proof = p
				}
				err := f.Check(log.Key())
				if older <= parted {
					if err == nil {
						t.Fatalf("sizes %d and %d, parted at %d: a fork of one history", older, newer, parted)
					}
					continue
				}
				if err != nil {
					t.Fatalf("sizes %d and %d, parted at %d: %v", older, newer, parted, err)
				}
				text, err := f.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				again, err := tree.ParseFork(text)
				if err != nil || again.Check(log.Key()) != nil {
					t.Fatalf("read again: %v\n%s", err, text)
				}
				if err := forkByModAlone(text, log.Key().String()); err != nil {
					t.Fatalf("x/mod alone refuses: %v\n%s", err, text)
				}
				if again.Check(forkSigner(t, "x").Key()) == nil {
					t.Fatal("a proof holds under another log's key")
				}
				for name, bad := range tampered(f.Proof) {
					if g := (&tree.Fork{Older: f.Older, Newer: f.Newer, Root: f.Root, Proof: bad}); newer > older && g.Check(log.Key()) == nil {
						t.Fatalf("sizes %d and %d: holds with %s", older, newer, name)
					}
				}
			}
		}
	}
}

func TestForkRefuses(t *testing.T) {
	log, other := forkSigner(t, "l"), forkSigner(t, "o")
	honest, second := grow(9), growFrom(9, 2)
	p, err := tree.ProveConsistency(5, 9, second.at(9))
	if err != nil {
		t.Fatal(err)
	}
	a, b := signAt(t, log, 5, honest.roots[5]), signAt(t, log, 9, second.roots[9])
	good := tree.Fork{Older: a, Newer: b, Root: second.roots[5], Proof: p}
	if err := good.Check(log.Key()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fork tree.Fork
		want string
	}{
		"the same twice":         {tree.Fork{Older: a, Newer: a}, "one root"},
		"no proof":               {tree.Fork{Older: a, Newer: b}, "without a proof"},
		"the wrong way round":    {tree.Fork{Older: b, Newer: a, Root: good.Root, Proof: p}, "older checkpoint comes first"},
		"one history":            {tree.Fork{Older: a, Newer: b, Root: honest.roots[5], Proof: p}, "do not contradict"},
		"a proof that fails":     {tree.Fork{Older: a, Newer: b, Root: tree.Hash{7}, Proof: p}, "does not show"},
		"one of another log":     {tree.Fork{Older: signAt(t, other, 5, honest.roots[5]), Newer: b, Root: good.Root, Proof: p}, "first checkpoint"},
		"the newer of another":   {tree.Fork{Older: a, Newer: signAt(t, other, 9, second.roots[9]), Root: good.Root, Proof: p}, "second checkpoint"},
		"from nothing":           {tree.Fork{Older: signAt(t, log, 0, tree.Empty), Newer: b, Root: good.Root}, "empty one"},
		"a proof between equals": {tree.Fork{Older: a, Newer: signAt(t, log, 5, second.roots[5]), Proof: p}, "nothing that a proof could join"},
		"no checkpoint":          {tree.Fork{Older: []byte("hello"), Newer: b}, "first checkpoint"},
	} {
		if err := c.fork.Check(log.Key()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}

	text, err := good.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	root := base64.StdEncoding.EncodeToString(good.Root[:])
	for name, bad := range map[string]string{
		"empty":                            "",
		"another header":                   strings.Replace(s, "onus/v1 fork", "onus/v2 fork", 1),
		"no header":                        s[strings.Index(s, "\n")+1:],
		"no root line":                     strings.Replace(s, "root "+root+"\n", "", 1),
		"a root that is short":             strings.Replace(s, "root "+root, "root AAAA", 1),
		"base64 with a return":             strings.Replace(s, root, root[:4]+"\r"+root[4:], 1),
		"a line more":                      strings.Replace(s, "root ", "note hello\nroot ", 1),
		"one checkpoint":                   s[:strings.LastIndex(s, "example.com/log\n9")],
		"cut short":                        s[:len(s)-1],
		"something after it":               s + "x",
		"an empty line after it":           s + "\n",
		"too many hashes":                  strings.Replace(s, "root "+root+"\n", "root "+root+"\n"+strings.Repeat(root+"\n", tree.MaxProof+1), 1),
		"too large":                        s + strings.Repeat("x", tree.MaxFork),
		"a checkpoint with a leading zero": strings.Replace(s, "example.com/log\n5\n", "example.com/log\n05\n", 1),
	} {
		if _, err := tree.ParseFork([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseFork(f *testing.F) {
	log := forkSigner(f, "l")
	honest, other := grow(9), growFrom(9, 2)
	p, err := tree.ProveConsistency(5, 9, other.at(9))
	if err != nil {
		f.Fatal(err)
	}
	for _, fork := range []tree.Fork{
		{Older: signAt(f, log, 5, honest.roots[5]), Newer: signAt(f, log, 9, other.roots[9]), Root: other.roots[5], Proof: p},
		{Older: signAt(f, log, 5, honest.roots[5]), Newer: signAt(f, log, 5, other.roots[5])},
	} {
		text, err := fork.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fork, err := tree.ParseFork(text)
		if err != nil {
			return
		}
		again, err := fork.Marshal()
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q is read, and written as %q (%v)", text, again, err)
		}
		// Whatever it says: x/mod alone agrees that it proves something.
		if fork.Check(log.Key()) == nil {
			if err := forkByModAlone(text, log.Key().String()); err != nil {
				t.Fatalf("holds here and not with x/mod: %v\n%s", err, text)
			}
		}
	})
}
