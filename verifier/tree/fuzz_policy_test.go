package tree_test

import (
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

// FuzzParsePolicy: what is accepted has one written form, which says the same;
// all its witnesses together satisfy it, and nobody does only if it says so.
func FuzzParsePolicy(f *testing.F) {
	lines, ws := examplePolicy(f)
	f.Add(strings.Join(lines, "\n") + "\n")
	f.Add("quorum none\n")
	f.Add("\t# x\nwitness w  " + ws[0].key.String() + "\thttps://w.example/\nquorum w\n")
	f.Add("log " + newSigner(f, origin, 1).Key().String() + " http://l\nwitness w " + ws[0].key.String() + "\ngroup g 1 w\nquorum g\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := tree.ParsePolicy([]byte(text))
		if err != nil {
			return
		}
		again, err := tree.ParsePolicy([]byte(p.String()))
		if err != nil || again.String() != p.String() || again.Quorum() != p.Quorum() {
			t.Fatalf("%q is written as %q, which reads as %q: %v", text, p, again, err)
		}
		var all []tree.Cosignature
		for i, w := range p.Witnesses() {
			all = append(all, tree.Cosignature{Key: w.Key, Time: int64(i)})
		}
		if !p.Satisfied(all) || p.Check(all) != nil || p.Missing(all) != nil {
			t.Fatalf("%q is not satisfied by all its witnesses", text)
		}
		if p.Satisfied(nil) != (p.Quorum() == "none") || (p.Missing(nil) == nil) != p.Satisfied(nil) {
			t.Fatalf("%q: without witnesses, satisfied = %v, missing %q", text, p.Satisfied(nil), p.Missing(nil))
		}
		at, ok := p.EarliestCosigned(all)
		if ok != (p.Quorum() != "none") || ok && !p.Satisfied(all[:at+1]) || at > 0 && p.Satisfied(all[:at]) {
			t.Fatalf("%q: satisfied at %d, %v", text, at, ok)
		}
	})
}

// FuzzOpenCosigned: what opens is what the log alone opens, x/mod agrees, and
// each cosignature is that of a line of the note, once for each witness.
func FuzzOpenCosigned(f *testing.F) {
	s, ws := newSigner(f, origin, 1), cosigners(f, 3)
	signed := string(sign(f, s, 7, tree.LeafHash([]byte("x"))))
	text, _, _ := strings.Cut(signed, "\n\n")
	text += "\n"
	f.Add([]byte(signed))
	f.Add([]byte(signed + ws[0].line(text, 5) + ws[1].line(text, 1<<62)))
	f.Add([]byte(signed + ws[2].line(text, 5) + ws[2].line(text, 4) + sigLine("w0.example", 7)))
	f.Add([]byte(signed + spoil(f, ws[0].line(text, 5))))
	f.Add([]byte(signed + ws[0].line(text, 1<<63)))
	p := anyOf(f, ws...)
	v, err := note.NewVerifier(s.Key().String())
	if err != nil {
		f.Fatal(err)
	}
	known := note.VerifierList(v, noteVerifier{ws[0]}, noteVerifier{ws[1]}, noteVerifier{ws[2]})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, cosigned, err := tree.OpenCosigned(b, s.Key(), p)
		if err != nil {
			return
		}
		if alone, err := s.Key().Open(b); err != nil || alone != c {
			t.Fatalf("%q opens as %+v, and with the log's key alone as %+v: %v", b, c, alone, err)
		}
		n, err := note.Open(b, known)
		if err != nil || n.Text != c.String() || len(n.Sigs) != 1+len(cosigned) {
			t.Fatalf("%q has %d cosignatures, x/mod reads %+v: %v", b, len(cosigned), n, err)
		}
		seen := map[string]bool{}
		for _, cs := range cosigned {
			w := ws[cs.Witness[1]-'0']
			if cs.Key != w.key || seen[cs.Witness] || cs.Line != w.line(c.String(), uint64(cs.Time)) || !strings.Contains(string(b), "\n"+cs.Line) {
				t.Fatalf("%q has cosignature %+v", b, cs)
			}
			seen[cs.Witness] = true
		}
		if p.Satisfied(cosigned) != (len(cosigned) > 0) {
			t.Fatalf("%q: %d cosignatures, satisfied = %v", b, len(cosigned), p.Satisfied(cosigned))
		}
	})
}
