package tree_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// A cosigner is a witness with its private key.
type cosigner struct {
	key  tree.WitnessKey
	priv ed25519.PrivateKey
}

func newCosigner(t testing.TB, name string, seed byte) cosigner {
	t.Helper()
	priv := logKey(seed)
	k, err := tree.NewWitnessKey(name, priv.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return cosigner{k, priv}
}

// cosigners returns n of them: w0 with the key name w0.example, and so on.
func cosigners(t testing.TB, n int) []cosigner {
	t.Helper()
	var ws []cosigner
	for i := range n {
		ws = append(ws, newCosigner(t, fmt.Sprintf("w%d.example", i), byte(100+i)))
	}
	return ws
}

// line is a witness's line over any text, by the letter of
// c2sp.org/tlog-cosignature and with none of the package's code.
func (w cosigner) line(text string, time uint64) string {
	msg := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return w.raw(append(binary.BigEndian.AppendUint64(nil, time), ed25519.Sign(w.priv, []byte(msg))...))
}

// raw is a line of the witness with any signature bytes.
func (w cosigner) raw(sig []byte) string {
	return "— " + w.key.Name() + " " + base64.StdEncoding.EncodeToString(append(w.id(), sig...)) + "\n"
}

func (w cosigner) id() []byte {
	_, rest, _ := strings.Cut(w.key.String(), "+")
	id, err := hex.DecodeString(rest[:8])
	if err != nil {
		panic(err)
	}
	return id
}

// Made with OpenSSL 3 and SHA-256 from the private key 07…07, for the
// checkpoint that c2sp.org/tlog-cosignature has as its example. The log's key
// is 08…08.
const (
	katText    = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	katLog     = "example.com/behind-the-sofa+fb877b65+AROY9ixtGkV8UbpqS189vS9p/KkyFiGNyJl+QWvRfZPK"
	katLogLine = "— example.com/behind-the-sofa +4d7Zekp0FwDNpHjhuKZNkURyWJ1fNn01i8T8L21bniH5a9a5Af9Ic8RzdgN4rKaZVVWvGaCFwlwuw42l0bf8qkbewM=\n"
	katWitness = "witness.example.com/w1+8122a5ab+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
	katLine    = "— witness.example.com/w1 gSKlqwAAAABkGFDLWr4Jea05CAgwNVtwky0Jgz6WfX0QJgM//FkB/W9BoT9TX0DkTxG+2cT4p/ViKNhUM/SnUwFcYQzugGFQ15LwDw==\n"
	katTime    = 1679315147
)

func TestWitnessKeys(t *testing.T) {
	k, err := tree.ParseWitnessKey(katWitness)
	if err != nil {
		t.Fatal(err)
	}
	if k.Name() != "witness.example.com/w1" || k.String() != katWitness || k.IsZero() {
		t.Errorf("got name %q, key %q", k.Name(), k)
	}
	if made := newCosigner(t, "witness.example.com/w1", 7).key; made != k {
		t.Errorf("NewWitnessKey makes %q, want %q", made, k)
	}
	if !(tree.WitnessKey{}).IsZero() {
		t.Error("the zero key does not say so")
	}
}

func TestWitnessKeyRefusals(t *testing.T) {
	name, rest, _ := strings.Cut(katWitness, "+")
	id, key, _ := strings.Cut(rest, "+")
	vkey := func(ps ...string) string { return strings.Join(ps, "+") }
	typed := func(b byte, n int) string {
		return base64.StdEncoding.EncodeToString(append([]byte{b}, make([]byte, n)...))
	}
	// 31 bytes leave four bits over, 33 leave none.
	spelt := typed(4, 30)
	spelt = spelt[:len(spelt)-3] + "B=="
	for _, tt := range []struct{ what, vkey, want string }{
		{"nothing", "", "not a verifier key: it has three parts, name+id+key"},
		{"no key", vkey(name, id), "not a verifier key: it has three parts, name+id+key"},
		{"no name", vkey("", id, key), "the key has no name"},
		{"space in the name", vkey("a b", id, key), `the key's name, "a b", has a space, a plus or a control character`},
		{"no-break space in it", vkey("a\u00a0b", id, key), `the key's name, "a\u00a0b", has a space, a plus or a control character`},
		{"control character in it", vkey("a\x01b", id, key), `the key's name, "a\x01b", has a space, a plus or a control character`},
		{"newline in it", vkey("a\nb", id, key), `the key's name, "a\nb", has a space, a plus or a control character`},
		{"name not UTF-8", vkey("\xff", id, key), `the key's name, "\xff", is not UTF-8`},
		{"other name", vkey("witness.example.com/w2", id, key), `the key id is "8122a5ab", but that of this name and key is 606c33ed`},
		{"other id", vkey(name, "8122a5ac", key), `the key id is "8122a5ac", but that of this name and key is 8122a5ab`},
		{"id in upper case", vkey(name, "8122A5AB", key), `the key id is "8122A5AB", but that of this name and key is 8122a5ab`},
		{"short id", vkey(name, "122a5ab", key), `the key id is "122a5ab", but that of this name and key is 8122a5ab`},
		{"no base64", vkey(name, id, "*"), "the verifier key is not base64: illegal base64 data at input byte 0"},
		{"bits after the key", vkey(name, id, spelt), "the verifier key is not base64: illegal base64 data at input byte 42"},
		{"more after the key", vkey(name, id, key, "x"), "the verifier key is not base64: illegal base64 data at input byte 44"},
		{"newline in the key", vkey(name, id, key[:20]+"\n"+key[20:]), "the verifier key is not in its one canonical form"},
		{"newline after the key", katWitness + "\n", "the verifier key is not in its one canonical form"},
		{"empty key", vkey(name, id, ""), "the verifier key is empty"},
		{"a log's key", katLog, "the verifier key has type 0x01, which signs notes, as logs do: a witness cosigns with type 0x04"},
		{"ML-DSA-44", vkey(name, id, typed(6, 1312)), "the verifier key is of ML-DSA-44 (type 0x06), which this version cannot check: use the witness's Ed25519 key (type 0x04)"},
		{"ECDSA", vkey(name, id, typed(2, 91)), "the verifier key has type 0x02: a witness cosigns with type 0x04"},
		{"type without a number", vkey(name, id, typed(0xff, 40)), "the verifier key has type 0xff: a witness cosigns with type 0x04"},
		{"short key", vkey(name, id, typed(4, 31)), "an Ed25519 key has 32 bytes, this has 31"},
		{"long key", vkey(name, id, typed(4, 33)), "an Ed25519 key has 32 bytes, this has 33"},
		{"a signing key", "PRIVATE+KEY+" + katWitness, "the verifier key is not base64: illegal base64 data at input byte 7"},
	} {
		k, err := tree.ParseWitnessKey(tt.vkey)
		if err == nil || !k.IsZero() {
			t.Errorf("%s: %q was accepted as %q", tt.what, tt.vkey, k)
		} else if err.Error() != tt.want {
			t.Errorf("%s: got  %v\nwant %s", tt.what, err, tt.want)
		}
	}
}

// A witness with a weak key is everybody.
func TestWeakWitnessKeys(t *testing.T) {
	for name, enc := range weakKeys {
		pub, err := hex.DecodeString(enc)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := tree.NewWitnessKey("w.example", pub); err == nil {
			t.Errorf("%s was accepted as %q", name, k)
		}
		id := "00000000" // the key is looked at before the id
		vkey := "w.example+" + id + "+" + base64.StdEncoding.EncodeToString(append([]byte{4}, pub...))
		if _, err := tree.ParseWitnessKey(vkey); err == nil || !strings.Contains(err.Error(), "Ed25519 key") {
			t.Errorf("%s: got %v, want that the key is weak", name, err)
		}
	}
}
