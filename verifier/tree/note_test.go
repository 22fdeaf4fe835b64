package tree_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

func logKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func newSigner(t testing.TB, origin string, seed byte) tree.LogSigner {
	t.Helper()
	s, err := tree.NewLogSigner(origin, logKey(seed))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, s tree.LogSigner, size int64, root tree.Hash) []byte {
	t.Helper()
	b, err := s.Sign(size, root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignAndOpen(t *testing.T) {
	s := newSigner(t, origin, 1)
	root := tree.LeafHash([]byte("x"))
	signed := sign(t, s, 7, root)
	want := tree.Checkpoint{Origin: origin, Size: 7, Root: root}
	if got, err := s.Key().Open(signed); err != nil || got != want {
		t.Errorf("Open = %+v, %v; want %+v", got, err, want)
	}
	// Anybody's implementation of signed notes opens it.
	v, err := note.NewVerifier(s.Key().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if n.Text != want.String() || len(n.Sigs) != 1 || n.Sigs[0].Name != origin {
		t.Errorf("x/mod reads %+v", n)
	}
}

// The example of c2sp.org/signed-note.
const exampleKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

func TestLogKeys(t *testing.T) {
	k, err := tree.ParseLogKey(exampleKey)
	if err != nil {
		t.Fatal(err)
	}
	if k.Origin() != "example.com/foo" || k.String() != exampleKey || k.IsZero() {
		t.Errorf("got origin %q, key %q", k.Origin(), k)
	}
	made := newSigner(t, origin, 1).Key()
	again, err := tree.ParseLogKey(made.String())
	if err != nil || again.String() != made.String() || again.Origin() != origin {
		t.Errorf("%q reads as %q: %v", made, again, err)
	}
	if !(tree.LogKey{}).IsZero() {
		t.Error("the zero key does not say so")
	}
	if _, err := (tree.LogKey{}).Open(sign(t, newSigner(t, origin, 1), 0, tree.Empty)); err == nil {
		t.Error("a checkpoint was opened without a key")
	}
}

func TestLogKeyRefusals(t *testing.T) {
	const name, id, key = "example.com/foo", "530d903a", "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
	vkey := func(ps ...string) string { return strings.Join(ps, "+") }
	pub, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	cosigner := base64.StdEncoding.EncodeToString(append([]byte{4}, pub[1:]...))
	for what, s := range map[string]string{
		"nothing":                   "",
		"name alone":                name,
		"no key":                    vkey(name, id),
		"other name":                vkey("example.com/bar", id, key),
		"other id":                  vkey(name, "530d903b", key),
		"short id":                  vkey(name, "530d903", key),
		"name with a space":         vkey("example.com foo", id, key),
		"cut key":                   vkey(name, id, key[:40]),
		"padding that is not due":   vkey(name, id, key+"="),
		"a cosigner's key":          vkey(name, id, cosigner),
		"a signing key":             "PRIVATE+KEY+" + exampleKey,
		"more after the key":        exampleKey + "+x",
		"id in upper case":          vkey(name, "530D903A", key),
		"newline after the key":     exampleKey + "\n",
		"carriage return in it":     vkey(name, id, key[:20]+"\r\n"+key[20:]),
		"newline in front of a key": vkey(name, id, "\n"+key),
	} {
		if k, err := tree.ParseLogKey(s); err == nil {
			t.Errorf("%s: %q was accepted as %q", what, s, k)
		}
	}
}

func TestSignersThatAreRefused(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.NewLogSigner(origin, ec); err == nil {
		t.Error("an ECDSA key was accepted for a log")
	}
	for _, o := range []string{"", "with space", "with+plus", "with\nnewline", "with\u00a0nbsp", "\xff"} {
		if _, err := tree.NewLogSigner(o, logKey(1)); err == nil {
			t.Errorf("origin %q was accepted", o)
		}
	}
}

// What its own parser refuses, a log must not sign.
func TestSignRefusals(t *testing.T) {
	s := newSigner(t, origin, 1)
	if b, err := s.Sign(-1, tree.Empty); err == nil {
		t.Errorf("signed %q", b)
	}
	if b, err := s.Sign(0, tree.LeafHash(nil)); err == nil {
		t.Errorf("signed %q", b)
	}
}

func TestOpenRefusals(t *testing.T) {
	s := newSigner(t, origin, 1)
	root := tree.LeafHash([]byte("x"))
	signed := string(sign(t, s, 7, root))
	text, sigs, _ := strings.Cut(signed, "\n\n")
	text += "\n"

	raw := func(text string, seed byte) string { // a note over any text
		skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, keyHash(t, seed),
			base64.StdEncoding.EncodeToString(append([]byte{1}, logKey(seed).Seed()...)))
		ns, err := note.NewSigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		b, err := note.Sign(&note.Note{Text: text}, ns)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if raw(text, 1) != signed {
		t.Fatal("the test signs otherwise than LogSigner")
	}
	for name, b := range map[string]string{
		"nothing":                         "",
		"no signature":                    text + "\n",
		"another key of the same origin":  string(sign(t, newSigner(t, origin, 2), 7, root)),
		"another origin with this key":    string(sign(t, newSigner(t, "log.example.com/staging", 1), 7, root)),
		"other size":                      strings.Replace(signed, "\n7\n", "\n8\n", 1),
		"other root":                      strings.Replace(signed, root.String(), tree.Empty.String(), 1),
		"signature of another checkpoint": text + "\n" + strings.SplitN(string(sign(t, s, 8, root)), "\n\n", 2)[1],
		"no newline at the end":           strings.TrimSuffix(signed, "\n"),
		"text after the end":              signed + "x",
		"dash of another kind":            strings.Replace(signed, "— ", "- ", 1),
		"extension line":                  raw(text+"extra\n", 1),
		"origin in the text is another's": raw(strings.Replace(text, origin, "log.example.com/staging", 1), 1),
		"leading zero, well signed":       raw(strings.Replace(text, "\n7\n", "\n07\n", 1), 1),
		"too large":                       signed + strings.Repeat(sigLine("witness.example", 7), tree.MaxCheckpoint/100),
		"known signature spoilt":          text + "\n" + spoil(t, sigs),
		"signed twice, once wrongly":      text + "\n" + spoil(t, sigs) + sigs,
	} {
		if c, err := s.Key().Open([]byte(b)); err == nil {
			t.Errorf("%s: opened as %+v", name, c)
		}
	}
}

// Witnesses and others may sign too: who does not know them ignores them.
func TestUnknownSignaturesAreIgnored(t *testing.T) {
	s := newSigner(t, origin, 1)
	signed := string(sign(t, s, 7, tree.LeafHash([]byte("x"))))
	text, sigs, _ := strings.Cut(signed, "\n\n")
	many := ""
	for i := range 16 { // c2sp.org/signed-note asks for at least 16
		many += sigLine(fmt.Sprint("witness.example/", i), byte(i))
	}
	for name, lines := range map[string]string{
		"after":               sigs + sigLine("witness.example", 1),
		"before":              sigLine("witness.example", 1) + sigs,
		"16 of them":          sigs + many,
		"same name, other id": sigs + sigLine(origin, 1),
	} {
		c, err := s.Key().Open([]byte(text + "\n\n" + lines))
		if err != nil || c.Size != 7 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// The log's signature has one spelling: strict base64.
func TestSignatureSpelling(t *testing.T) {
	s := newSigner(t, origin, 1)
	signed := string(sign(t, s, 7, tree.LeafHash([]byte("x"))))
	// 68 bytes leave two bits unused in the last digit before "=".
	i := strings.LastIndex(signed, "=") - 1
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	d := strings.IndexByte(digits, signed[i])
	if d%4 != 0 {
		t.Fatalf("the test has the wrong digit: %q", signed[i])
	}
	other := signed[:i] + digits[d+1:d+2] + signed[i+1:]
	if _, err := s.Key().Open([]byte(other)); err == nil {
		t.Error("bits after the signature were accepted")
	}
}

func keyHash(t testing.TB, seed byte) uint32 {
	t.Helper()
	v, err := note.NewVerifier(newSigner(t, origin, seed).Key().String())
	if err != nil {
		t.Fatal(err)
	}
	return v.KeyHash()
}

// sigLine is the signature line of somebody we do not know.
func sigLine(name string, c byte) string {
	return "— " + name + " " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{c}, 68)) + "\n"
}

// spoil flips a bit in the signature of one line and leaves the key id.
func spoil(t testing.TB, line string) string {
	t.Helper()
	i := strings.LastIndexByte(strings.TrimSpace(line), ' ') + 1
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line[i:]))
	if err != nil {
		t.Fatal(err)
	}
	b[20] ^= 1
	return line[:i] + base64.StdEncoding.EncodeToString(b) + "\n"
}

// skey is the log's signer in x/mod's form.
func skey(t testing.TB, s tree.LogSigner, seed byte) note.Signer {
	t.Helper()
	vkey := strings.Split(s.Key().String(), "+")
	ns, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", vkey[0], vkey[1],
		base64.StdEncoding.EncodeToString(append([]byte{1}, logKey(seed).Seed()...))))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}
