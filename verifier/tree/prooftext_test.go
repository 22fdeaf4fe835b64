package tree_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// textProof proves entry index of a log of that size.
func textProof(t testing.TB, s tree.LogSigner, index, size int64) tree.TextProof {
	t.Helper()
	f := grow(size)
	hashes, err := tree.ProveInclusion(index, size, f.read)
	if err != nil {
		t.Fatal(err)
	}
	return tree.TextProof{Index: index, Hashes: hashes, Checkpoint: sign(t, s, size, f.roots[size])}
}

func marshal(t testing.TB, p tree.TextProof) []byte {
	t.Helper()
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The layout of c2sp.org/tlog-proof, line by line.
func TestTextProofLayout(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := textProof(t, s, 2, 3)
	want := fmt.Sprintf("c2sp.org/tlog-proof@v1\nindex 2\n%s\n\n%s", p.Hashes[0], p.Checkpoint)
	if got := string(marshal(t, p)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p.Extra = []byte("out of band")
	want = strings.Replace(want, "index 2\n", "extra b3V0IG9mIGJhbmQ=\nindex 2\n", 1)
	if got := string(marshal(t, p)); got != want {
		t.Errorf("with extra data: got\n%s\nwant\n%s", got, want)
	}
	// The only leaf of a tree is proven by nothing.
	alone := textProof(t, s, 0, 1)
	if got, want := string(marshal(t, alone)), fmt.Sprintf("c2sp.org/tlog-proof@v1\nindex 0\n\n%s", alone.Checkpoint); got != want {
		t.Errorf("alone: got\n%s\nwant\n%s", got, want)
	}
}

// Every leaf of every size up to 20 is proven by its text, and by no other's.
func TestTextProofVerifies(t *testing.T) {
	s := newSigner(t, origin, 1)
	other := newSigner(t, origin, 2)
	for size := int64(1); size <= 20; size++ {
		for index := range size {
			p := textProof(t, s, index, size)
			got, err := tree.ParseTextProof(marshal(t, p))
			if err != nil {
				t.Fatal(err)
			}
			if got.Index != p.Index || !slices.Equal(got.Hashes, p.Hashes) || !bytes.Equal(got.Checkpoint, p.Checkpoint) || got.Extra != nil {
				t.Fatalf("%d of %d reads as %+v, want %+v", index, size, got, p)
			}
			c, err := got.Verify(tree.LeafHash(data(index)), s.Key())
			if err != nil || c.Size != size {
				t.Errorf("%d of %d: %+v, %v", index, size, c, err)
			}
			if _, err := got.Verify(tree.LeafHash(data(index+1)), s.Key()); err == nil {
				t.Errorf("%d of %d proves another leaf", index, size)
			}
			if _, err := got.Verify(tree.LeafHash(data(index)), other.Key()); err == nil {
				t.Errorf("%d of %d passes under another log's key", index, size)
			}
			got.Index++
			if _, err := got.Verify(tree.LeafHash(data(index)), s.Key()); err == nil {
				t.Errorf("%d of %d passes as the proof of %d", index, size, got.Index)
			}
		}
	}
}

// Cosignatures are carried as they came.
func TestTextProofCarriesCosignatures(t *testing.T) {
	s := newSigner(t, origin, 1)
	w := newCosigner(t, "witness.example.com", 3)
	p := textProof(t, s, 3, 5)
	c, err := s.Key().Open(p.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	p.Checkpoint = append(p.Checkpoint, w.line(c.String(), 1700000000)...)
	got, err := tree.ParseTextProof(marshal(t, p))
	if err != nil || !bytes.Equal(got.Checkpoint, p.Checkpoint) {
		t.Fatalf("%v; the checkpoint reads\n%s", err, got.Checkpoint)
	}
	_, cosigned, err := tree.OpenCosigned(got.Checkpoint, s.Key(), anyOf(t, w))
	if err != nil || len(cosigned) != 1 || cosigned[0].Time != 1700000000 {
		t.Errorf("%+v, %v", cosigned, err)
	}
}

func TestRefusedTextProofs(t *testing.T) {
	p := textProof(t, newSigner(t, origin, 1), 2, 7)
	good := string(marshal(t, p))
	hash := p.Hashes[0].String()
	swap := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not in the proof", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	long := p
	for len(long.Hashes) <= tree.MaxProof {
		long.Hashes = append(long.Hashes, tree.Empty)
	}
	tooLong := swap(hash+"\n", strings.Repeat(hash+"\n", tree.MaxProof-1))
	for name, c := range map[string]struct{ text, why string }{
		"nothing":                  {"", "empty line"},
		"no checkpoint":            {strings.SplitAfter(good, "\n\n")[0], "not a signed note"},
		"another version":          {swap("@v1", "@v2"), "begins with the line"},
		"a line before":            {"\n" + good, "begins with the line"},
		"a space after the header": {swap("@v1\n", "@v1 \n"), "begins with the line"},
		"carriage returns":         {strings.ReplaceAll(good, "\n", "\r\n"), "empty line"},
		"a carriage return in a hash": {
			swap(hash+"\n", hash+"\r\n"), "canonical form"},
		"no index":               {swap("index 2\n", ""), "names its index"},
		"an index twice":         {swap("index 2\n", "index 2\nindex 2\n"), "is not base64"},
		"a leading zero":         {swap("index 2\n", "index 02\n"), "not a decimal"},
		"a sign":                 {swap("index 2\n", "index +2\n"), "not a decimal"},
		"a negative index":       {swap("index 2\n", "index -2\n"), "not a decimal"},
		"an index beyond 2^63":   {swap("index 2\n", "index 9223372036854775808\n"), "not a decimal"},
		"no number":              {swap("index 2\n", "index \n"), "not a decimal"},
		"a space after":          {swap("index 2\n", "index 2 \n"), "not a decimal"},
		"a short hash":           {swap(hash, base64.StdEncoding.EncodeToString(make([]byte, 31))), "31"},
		"a long hash":            {swap(hash, base64.StdEncoding.EncodeToString(make([]byte, 33))), "33"},
		"a hash without padding": {swap(hash, strings.TrimSuffix(hash, "=")), "not base64"},
		"too many hashes":        {tooLong, "at most 128 hashes"},
		"empty extra data":       {swap("index 2\n", "extra \nindex 2\n"), "extra data"},
		"extra data twice":       {swap("index 2\n", "extra YQ==\nextra YQ==\nindex 2\n"), "names its index"},
		"loose extra data":       {swap("index 2\n", "extra YR==\nindex 2\n"), "extra data"},
		"extra data after":       {swap("index 2\n", "index 2\nextra YQ==\n"), "not base64"},
		"too much extra data": {swap("index 2\n", "extra "+base64.StdEncoding.EncodeToString(make([]byte, tree.MaxExtra+3))+"\nindex 2\n"),
			"bytes of extra data"},
		"a cut checkpoint": {good[:len(good)-5], "not a signed note"},
		"bytes after":      {good + "x", "not a signed note"},
		"a huge file":      {good + strings.Repeat("x", tree.MaxTextProof), "at most"},
	} {
		got, err := tree.ParseTextProof([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s reads as %+v, %v; want an error with %q", name, got, err, c.why)
		}
	}
	for name, bad := range map[string]tree.TextProof{
		"a negative index":    {Index: -1, Checkpoint: p.Checkpoint},
		"too many hashes":     long,
		"no checkpoint":       {},
		"too much extra data": {Checkpoint: p.Checkpoint, Extra: make([]byte, tree.MaxExtra+1)},
	} {
		if b, err := bad.Marshal(); err == nil {
			t.Errorf("%s is written as %q", name, b)
		}
	}
	most := tree.TextProof{Index: math.MaxInt64, Hashes: long.Hashes[:tree.MaxProof], Checkpoint: p.Checkpoint, Extra: make([]byte, tree.MaxExtra)}
	if _, err := tree.ParseTextProof(marshal(t, most)); err != nil {
		t.Errorf("the largest proof: %v", err)
	}
}

// FuzzParseTextProof: what is accepted is what Marshal writes.
func FuzzParseTextProof(f *testing.F) {
	s := newSigner(f, origin, 1)
	for _, c := range [][2]int64{{0, 1}, {2, 7}, {6, 7}} {
		p := textProof(f, s, c[0], c[1])
		f.Add(marshal(f, p))
		p.Extra = []byte("x")
		f.Add(marshal(f, p))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := tree.ParseTextProof(text)
		if err != nil {
			return
		}
		again, err := p.Marshal()
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q reads as %+v, and is written %q, %v", text, p, again, err)
		}
	})
}
