package tree_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// numbered is the key whose seed begins with n.
func numbered(n uint32) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint32(seed, n)
	return ed25519.NewKeyFromSeed(seed)
}

// A key id has 32 bits: of some 80,000 keys of one name two have the same, and
// seconds find them. A policy with both could not say whose a line is: the
// line of the one would be the other's that does not hold, and refuse every
// note.
func TestKeysThatCannotBeToldApart(t *testing.T) {
	witness := func(n uint32) tree.WitnessKey {
		k, err := tree.NewWitnessKey("w.example", numbered(n).Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	log, err := tree.NewLogSigner("w.example", numbered(36231))
	if err != nil {
		t.Fatal(err)
	}
	id := func(vkey string) string { return strings.Split(vkey, "+")[1] }
	a, b, c := witness(37947), witness(77777), witness(8371)
	if a == b || id(a.String()) != id(b.String()) || id(log.Key().String()) != id(c.String()) {
		t.Fatalf("the test's keys differ in their ids: %s, %s; %s, %s", a, b, log.Key(), c)
	}
	apart := `policy line 2: witness "c" and the log "w.example" have the same key name and id: their signatures cannot be told apart`
	for _, tt := range []struct{ text, want string }{
		{"witness a " + a.String() + "\nwitness b " + b.String() + "\nquorum a\n",
			`policy line 2: witness "b" has the key name and id of witness "a", of line 1: their signatures cannot be told apart`},
		{"log " + log.Key().String() + "\nwitness c " + c.String() + "\nquorum c\n", apart},
		{"witness c " + c.String() + "\nlog " + log.Key().String() + "\nquorum c\n", apart},
	} {
		if p, err := tree.ParsePolicy([]byte(tt.text)); err == nil || err.Error() != tt.want {
			t.Errorf("got  %v, %v\nwant %s", p, err, tt.want)
		}
	}
	p := mustPolicy(t, "witness c "+c.String(), "quorum c")
	_, _, err = tree.OpenCosigned(sign(t, log, 0, tree.Empty), log.Key(), p)
	if want := strings.TrimPrefix(apart, "policy line 2: "); err == nil || err.Error() != want {
		t.Errorf("OpenCosigned: got  %v\nwant %s", err, want)
	}
}
