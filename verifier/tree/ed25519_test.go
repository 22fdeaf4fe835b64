package tree_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

const ff30 = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

// Keys under which a signature means nothing, wherever they come from.
var weakKeys = map[string]string{
	"order 1":                "0100000000000000000000000000000000000000000000000000000000000000",
	"order 1, x odd":         "0100000000000000000000000000000000000000000000000000000000000080",
	"order 2":                "ec" + ff30 + "7f",
	"order 2, x odd":         "ec" + ff30 + "ff",
	"order 4":                "0000000000000000000000000000000000000000000000000000000000000000",
	"order 4, x odd":         "0000000000000000000000000000000000000000000000000000000000000080",
	"order 8":                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"order 8, x odd":         "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"order 8, other":         "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"order 8, other, x odd":  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"p itself":               "ed" + ff30 + "7f",
	"order 1, not canonical": "ee" + ff30 + "7f",
	"largest, not canonical": "ff" + ff30 + "ff",
	"off the curve, y = 2":   "0200000000000000000000000000000000000000000000000000000000000000",
	"off the curve, y = 7":   "0700000000000000000000000000000000000000000000000000000000000000",
}

func TestWeakKeys(t *testing.T) {
	for name, enc := range weakKeys {
		k, err := hex.DecodeString(enc)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.CheckEd25519(k); err == nil {
			t.Errorf("CheckEd25519 accepted %s (%s)", name, enc)
		}
		if _, err := tree.NewLogKey(origin, k); err == nil {
			t.Errorf("NewLogKey accepted %s (%s)", name, enc)
		}
		vkey, err := note.NewEd25519VerifierKey(origin, k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.ParseLogKey(vkey); err == nil {
			t.Errorf("ParseLogKey accepted %s (%s)", name, vkey)
		}
	}
	for _, n := range []int{0, 31, 33} {
		if err := tree.CheckEd25519(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was accepted", n)
		}
	}
	for seed := range byte(50) {
		k := logKey(seed).Public().(ed25519.PublicKey)
		if err := tree.CheckEd25519(k); err != nil {
			t.Errorf("an honest key, %x: %v", k, err)
		}
	}
}

// Why: under the key of order 1, this signature, which took no private key,
// fits every checkpoint.
func TestWeakKeySignsEveryCheckpoint(t *testing.T) {
	neutral := make([]byte, ed25519.PublicKeySize)
	neutral[0] = 1
	vkey, err := note.NewEd25519VerifierKey(origin, neutral)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	sig := append(append([]byte{byte(v.KeyHash() >> 24), byte(v.KeyHash() >> 16), byte(v.KeyHash() >> 8), byte(v.KeyHash())}, neutral...), make([]byte, 32)...)
	for size := range int64(3) {
		cp := tree.Checkpoint{Origin: origin, Size: size, Root: tree.Empty}
		signed := fmt.Sprintf("%s\n— %s %s\n", cp, origin, base64.StdEncoding.EncodeToString(sig))
		if _, err := note.Open([]byte(signed), note.VerifierList(v)); err != nil {
			t.Errorf("x/mod refuses the forgery; the rule may have lost its reason: %v", err)
		}
	}
}
