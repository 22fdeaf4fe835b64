package tree_test

import (
	"crypto/ed25519"
	"math"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

const origin = "log.example.com/prod"

func TestCheckpointText(t *testing.T) {
	c := tree.Checkpoint{Origin: origin, Size: 130, Root: tree.LeafHash([]byte("x"))}
	want := origin + "\n130\n" + c.Root.String() + "\n"
	if got := c.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, c := range []tree.Checkpoint{
		c,
		{Origin: origin, Size: 0, Root: tree.Empty},
		{Origin: origin, Size: 1, Root: tree.Hash{}},
		{Origin: "x", Size: math.MaxInt64, Root: tree.Hash{}},
		{Origin: "an origin with spaces", Size: 1},
	} {
		if got, err := tree.ParseCheckpoint(c.String()); err != nil || got != c {
			t.Errorf("ParseCheckpoint(%q) = %+v, %v", c.String(), got, err)
		}
	}
}

// c2sp.org/tlog-checkpoint, and stricter: one checkpoint has one text.
func TestCheckpointRefusals(t *testing.T) {
	root := tree.LeafHash([]byte("x")).String()
	lines := func(ls ...string) string { return strings.Join(ls, "\n") }
	for name, text := range map[string]string{
		"nothing":                "",
		"newlines":               "\n\n\n",
		"no origin":              lines("", "7", root, ""),
		"no size":                lines(origin, "", root, ""),
		"no root":                lines(origin, "7", "", ""),
		"two lines":              lines(origin, "7", ""),
		"no newline at the end":  lines(origin, "7", root),
		"two newlines":           lines(origin, "7", root, "", ""),
		"newline in front":       lines("", origin, "7", root, ""),
		"extension line":         lines(origin, "7", root, "extra", ""),
		"other line":             lines(origin, "7", root, "timestamp 1", "other", ""),
		"CRLF":                   lines(origin+"\r", "7\r", root+"\r", ""),
		"CR after the size":      lines(origin, "7\r", root, ""),
		"CR after the root":      lines(origin, "7", root+"\r", ""),
		"leading zero":           lines(origin, "07", root, ""),
		"two zeros":              lines(origin, "00", tree.Empty.String(), ""),
		"plus":                   lines(origin, "+7", root, ""),
		"minus":                  lines(origin, "-7", root, ""),
		"minus zero":             lines(origin, "-0", tree.Empty.String(), ""),
		"space before the size":  lines(origin, " 7", root, ""),
		"space after the size":   lines(origin, "7 ", root, ""),
		"hexadecimal":            lines(origin, "0x7", root, ""),
		"underscore":             lines(origin, "1_000", root, ""),
		"exponent":               lines(origin, "1e3", root, ""),
		"other digits":           lines(origin, "٧", root, ""),
		"size of 2^63":           lines(origin, "9223372036854775808", root, ""),
		"no padding":             lines(origin, "7", strings.TrimRight(root, "="), ""),
		"too much padding":       lines(origin, "7", root+"=", ""),
		"base64url":              lines(origin, "7", strings.Repeat("_", 43)+"=", ""),
		"bits after the hash":    lines(origin, "7", strings.Repeat("A", 42)+"B=", ""),
		"31 bytes":               lines(origin, "7", strings.Repeat("A", 42)+"==", ""),
		"33 bytes":               lines(origin, "7", strings.Repeat("A", 44), ""),
		"space in the root":      lines(origin, "7", " "+root, ""),
		"root in hexadecimal":    lines(origin, "7", strings.Repeat("ab", 32), ""),
		"empty tree with leaves": lines(origin, "0", root, ""),
	} {
		if c, err := tree.ParseCheckpoint(text); err == nil {
			t.Errorf("%s: %q was accepted as %+v", name, text, c)
		} else if c != (tree.Checkpoint{}) {
			t.Errorf("%s: refused, but returned %+v", name, c)
		}
	}
}

// A key with a check of the caller's asks that, with the key, the text and the
// signature, and goes by its answer; all else stays as strict.
func TestVerifiedBy(t *testing.T) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tree.NewLogSigner("example.com/log", priv)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(3, tree.NodeHash(tree.Empty, tree.Empty))
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.Key().Open(signed)
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []bool{true, false} {
		asked := 0
		got, err := s.Key().VerifiedBy(func(k ed25519.PublicKey, msg, sig []byte) bool {
			asked++
			if !k.Equal(pub) || !ed25519.Verify(pub, msg, sig) {
				t.Errorf("asked of key %x, text %q, signature %x", k, msg, sig)
			}
			return answer
		}).Open(signed)
		if asked != 1 || answer != (err == nil) || answer && got != want {
			t.Errorf("answer %v: asked %d times, %v, %v", answer, asked, got, err)
		}
	}
}
