package tree_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

// FuzzParseCheckpoint: what is accepted is what String writes.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add(tree.Checkpoint{Origin: origin, Size: 7, Root: tree.LeafHash([]byte("x"))}.String())
	f.Add(tree.Checkpoint{Origin: origin, Root: tree.Empty}.String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := tree.ParseCheckpoint(text)
		if err != nil {
			return
		}
		if c.String() != text || c.Size < 0 || c.Origin == "" {
			t.Fatalf("%q reads as %+v", text, c)
		}
	})
}

// FuzzOpen: what opens is signed by the log, says so to x/mod too, and its
// text is the checkpoint's.
func FuzzOpen(f *testing.F) {
	s := newSigner(f, origin, 1)
	signed := sign(f, s, 7, tree.LeafHash([]byte("x")))
	f.Add(signed)
	f.Add(append(bytes.Clone(signed), sigLine("witness.example", 1)...))
	f.Add(sign(f, newSigner(f, origin, 2), 7, tree.Empty))
	v, err := note.NewVerifier(s.Key().String())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := s.Key().Open(b)
		if err != nil {
			return
		}
		n, err := note.Open(b, note.VerifierList(v))
		if err != nil || n.Text != c.String() || !strings.HasPrefix(string(b), c.String()+"\n") {
			t.Fatalf("%q opens as %+v: %v", b, c, err)
		}
	})
}

// FuzzParseProof: the bytes are cut into strings of a length that they begin
// with.
func FuzzParseProof(f *testing.F) {
	f.Add(byte(tree.HashSize), make([]byte, 3*tree.HashSize))
	f.Add(byte(31), make([]byte, 62))
	f.Fuzz(func(t *testing.T, n byte, b []byte) {
		var in [][]byte
		for n > 0 && len(b) > 0 {
			k := min(int(n), len(b))
			in, b = append(in, b[:k]), b[k:]
		}
		p, err := tree.ParseProof(in)
		if err != nil {
			return
		}
		out := tree.FormatProof(p)
		if len(out) != len(in) || len(p) > tree.MaxProof {
			t.Fatalf("%d hashes of %d", len(out), len(in))
		}
		for i := range in {
			if !bytes.Equal(in[i], out[i]) {
				t.Fatalf("hash %d is %x, was %x", i, out[i], in[i])
			}
		}
	})
}
