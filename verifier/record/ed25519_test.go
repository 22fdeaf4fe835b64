package record_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"testing"

	"github.com/onus-ledger/onus/verifier/record"
)

func wantWeak(t *testing.T, name, enc string) {
	t.Helper()
	b, err := hex.DecodeString(enc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.NewPublicKey(ed25519.PublicKey(b)); err == nil {
		t.Errorf("NewPublicKey accepted %s (%s)", name, enc)
	}
	spki, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(b))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.ParsePublicKey(spki); err == nil {
		t.Errorf("ParsePublicKey accepted %s (%s)", name, enc)
	}
}

// The rule is tree's, and tested there; here is one key of each kind.
func TestWeakEd25519Keys(t *testing.T) {
	const ff = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	wantWeak(t, "small order", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	wantWeak(t, "the neutral point", "0100000000000000000000000000000000000000000000000000000000000000")
	wantWeak(t, "y at or above p", "ee"+ff+"7f")
	wantWeak(t, "off the curve", "0200000000000000000000000000000000000000000000000000000000000000")
}

// The key is immutable, whatever becomes of the slice that it was made from.
func TestPublicKeyIsACopy(t *testing.T) {
	pub := append(ed25519.PublicKey(nil), edKey(1).Public().(ed25519.PublicKey)...)
	p, err := record.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("message")
	sig := ed25519.Sign(edKey(1), msg)
	clear(pub)
	if !p.Verify(msg, sig) {
		t.Error("the key changed with the caller's slice")
	}
}
