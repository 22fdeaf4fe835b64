package record_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"sync"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

func ecdsaKey(t testing.TB) *ecdsa.PrivateKey { return ecdsaOn(t, elliptic.P256()) }

func ecdsaOn(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rsaKey is slow to make, so it is made once.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func allKeys(t testing.TB) map[string]crypto.Signer {
	return map[string]crypto.Signer{
		"Ed25519":     edKey(1),
		"ECDSA P-256": ecdsaKey(t),
		"ECDSA P-384": ecdsaOn(t, elliptic.P384()),
		"RSA-2048":    rsaKey(),
	}
}

func TestEveryKindOfKeySigns(t *testing.T) {
	for name, k := range allKeys(t) {
		t.Run(name, func(t *testing.T) {
			s := signerOf(t, k)
			if got := s.Public().Algorithm(); got != name {
				t.Errorf("Algorithm = %q, want %q", got, name)
			}
			r, err := record.Sign(decision(), s)
			if err != nil {
				t.Fatalf("sign: %v", err)
			}
			// What left the author is what the ledger reads.
			env, err := record.EnvelopeFromProto(r.Envelope.Proto())
			if err != nil {
				t.Fatal(err)
			}
			got, err := record.Parse(env)
			if err != nil {
				t.Fatal(err)
			}
			pub, err := record.ParsePublicKey(s.Public().SPKI())
			if err != nil {
				t.Fatalf("parse the key's own SPKI: %v", err)
			}
			if pub.ID() != s.Public().ID() || len(pub.ID()) != 43 {
				t.Errorf("id = %q after a round trip, %q before; want 43 characters", pub.ID(), s.Public().ID())
			}
			if err := got.VerifySignature(pub); err != nil {
				t.Errorf("verify: %v", err)
			}
			if got.ID != r.ID {
				t.Errorf("id = %v, want %v", got.ID, r.ID)
			}
		})
	}
}

func TestWrongSignatures(t *testing.T) {
	for name, k := range allKeys(t) {
		t.Run(name, func(t *testing.T) {
			s := signerOf(t, k)
			r, err := record.Sign(decision(), s)
			if err != nil {
				t.Fatal(err)
			}
			verify := func(change func(*record.Envelope)) error {
				env := r.Envelope
				env.Signature, env.Payload = slices.Clone(env.Signature), slices.Clone(env.Payload)
				change(&env)
				bad := *r
				bad.Envelope = env
				return bad.VerifySignature(s.Public())
			}
			for what, change := range map[string]func(*record.Envelope){
				"first bit of the signature": func(e *record.Envelope) { e.Signature[0] ^= 0x80 },
				"last bit of the signature":  func(e *record.Envelope) { e.Signature[len(e.Signature)-1] ^= 1 },
				"signature cut":              func(e *record.Envelope) { e.Signature = e.Signature[:len(e.Signature)-1] },
				"byte after the signature":   func(e *record.Envelope) { e.Signature = append(e.Signature, 0) },
				"no signature":               func(e *record.Envelope) { e.Signature = nil },
				"payload":                    func(e *record.Envelope) { e.Payload[5] ^= 1 },
				"payload type":               func(e *record.Envelope) { e.Type = record.TypeJSON },
			} {
				t.Run(what, func(t *testing.T) {
					wantRefusal(t, verify(change), record.ReasonBadSignature, "envelope.signatures[0].sig")
				})
			}
		})
	}
}

// A key of another id is refused before its mathematics is asked.
func TestWrongKey(t *testing.T) {
	r, err := record.Sign(decision(), signerOf(t, edKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, r.VerifySignature(signerOf(t, edKey(2)).Public()), record.ReasonBadSignature, "author.key_id")

	// A record that names key 1 but is signed by key 2.
	_, err = record.SignPayload(record.TypeProtobuf, marshal(t, decision()), signerOf(t, edKey(2)))
	wantRefusal(t, err, record.ReasonBadSignature, "author.key_id")

	// And one whose signature is key 2's while key 1 is asked.
	env := r.Envelope
	if env.Signature, err = edKey(2).Sign(nil, env.PAE(), crypto.Hash(0)); err != nil {
		t.Fatal(err)
	}
	forged, err := record.Parse(env)
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, forged.VerifySignature(signerOf(t, edKey(1)).Public()), record.ReasonBadSignature, "envelope.signatures[0].sig")
}

func TestSignNeedsAnAuthor(t *testing.T) {
	for _, m := range []*onusv1.Record{nil, {}} {
		_, err := record.Sign(m, signerOf(t, edKey(1)))
		wantRefusal(t, err, record.ReasonInvalid, "author")
	}
}

// RFC 7638, section 3.1, and RFC 8037, appendix A.3.
func TestThumbprints(t *testing.T) {
	n, err := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	if err != nil {
		t.Fatal(err)
	}
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	for want, k := range map[string]crypto.PublicKey{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": ed25519.PublicKey(x),
	} {
		p, err := record.NewPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ID(); got != want {
			t.Errorf("thumbprint of %T = %s, want %s", k, got, want)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	odd := func(bits uint, e int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: e}
	}
	x25519 := []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00}
	x25519 = append(x25519, make([]byte, 32)...)
	if _, err := record.ParsePublicKey(x25519); err == nil {
		t.Error("X25519 was accepted")
	}
	for name, k := range map[string]crypto.PublicKey{
		"P-224":                  ecdsaOn(t, elliptic.P224()).Public(),
		"P-521":                  ecdsaOn(t, elliptic.P521()).Public(),
		"RSA-1024":               weak.Public(),
		"RSA-2047":               odd(2047, 65537),
		"RSA-4097":               odd(4097, 65537),
		"RSA with exponent 3":    odd(2048, 3),
		"RSA with even exponent": odd(2048, 65538),
		"Ed25519 of 31 bytes":    edKey(1).Public().(ed25519.PublicKey)[:31],
		"private key":            edKey(1),
		"bytes":                  []byte("key"),
		"nil":                    nil,
		//lint:ignore SA1019 made wrong on purpose
		"off the curve": &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)},
	} {
		if p, err := record.NewPublicKey(k); err == nil {
			t.Errorf("%s was accepted as %s", name, p.Algorithm())
		}
	}
}

func TestKeyEncodingIsStrict(t *testing.T) {
	for name, k := range allKeys(t) {
		spki := signerOf(t, k).Public().SPKI()
		if _, err := record.ParsePublicKey(append(slices.Clone(spki), 0)); err == nil {
			t.Errorf("%s: a byte after the key was accepted", name)
		}
		for n := range len(spki) {
			if _, err := record.ParsePublicKey(spki[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes were accepted", name, n, len(spki))
			}
		}
		// The outer length in its long form: BER, not DER.
		if spki[1] < 0x80 {
			long := append([]byte{spki[0], 0x81, spki[1]}, spki[2:]...)
			if _, err := record.ParsePublicKey(long); err == nil {
				t.Errorf("%s: a length that is longer than needed was accepted", name)
			}
		}
	}
	if _, err := record.ParsePublicKey(make([]byte, 1025)); err == nil {
		t.Error("1,025 bytes were accepted")
	}
	// RFC 5480: an ECDSA point may be compressed; we accept one form of a key.
	k := ecdsaKey(t)
	type algorithm struct{ Algorithm, Curve asn1.ObjectIdentifier }
	compressed, err := asn1.Marshal(struct {
		Algorithm algorithm
		Key       asn1.BitString
	}{
		algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
		asn1.BitString{Bytes: elliptic.MarshalCompressed(k.Curve, k.X, k.Y), BitLength: 33 * 8},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.ParsePublicKey(compressed); err == nil {
		t.Error("a compressed point was accepted")
	}
	// A PKCS #1 RSA key is not a SubjectPublicKeyInfo.
	if _, err := record.ParsePublicKey(x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)); err == nil {
		t.Error("a PKCS #1 key was accepted")
	}
}
