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

// Under a public key of small order, one signature fits many messages.
func TestSmallOrderPoints(t *testing.T) {
	for name, enc := range map[string]string{
		"order 1":          "0100000000000000000000000000000000000000000000000000000000000000",
		"order 2":          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4, x even":  "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4, x odd":   "0000000000000000000000000000000000000000000000000000000000000080",
		"order 8, 1, even": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, 1, odd":  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"order 8, 2, even": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 8, 2, odd":  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	} {
		wantWeak(t, name, enc)
	}
	// Why: this signature, R = the neutral point and S = 0, needs no private
	// key, and crypto/ed25519 accepts it for any message.
	neutral := make([]byte, ed25519.PublicKeySize)
	neutral[0] = 1
	sig := append(append([]byte(nil), neutral...), make([]byte, 32)...)
	if !ed25519.Verify(neutral, []byte("I owe you everything"), sig) {
		t.Error("crypto/ed25519 refuses the forgery; the rule may have lost its reason")
	}
}

// RFC 8032, section 5.1.3: y is below p = 2^255-19, and x = 0 has no sign.
func TestNonCanonicalPoints(t *testing.T) {
	const ff = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	for low := 0xed; low <= 0xff; low++ {
		wantWeak(t, "y at or above p", hex.EncodeToString([]byte{byte(low)})+ff+"7f")
		wantWeak(t, "y at or above p, x odd", hex.EncodeToString([]byte{byte(low)})+ff+"ff")
	}
	wantWeak(t, "order 1 with a sign", "0100000000000000000000000000000000000000000000000000000000000080")
	wantWeak(t, "order 2 with a sign", "ec"+ff+"ff")
}

// Half of all y are on no point. Such a key verifies nothing, so binding it
// would only hide a mistake.
func TestPointsOffTheCurve(t *testing.T) {
	wantWeak(t, "y = 2", "0200000000000000000000000000000000000000000000000000000000000000")
	wantWeak(t, "y = 7", "0700000000000000000000000000000000000000000000000000000000000000")
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
