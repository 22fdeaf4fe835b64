package ledger

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// TestSignatureCheck holds check to VerifySignature, error for error, with
// every kind of key, whether the key is known or not.
func TestSignatureCheck(t *testing.T) {
	ed := ed25519.NewKeyFromSeed(seed("check"))
	p256, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsaKey, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	stranger := newSigner(t).Public()
	for _, k := range []crypto.Signer{ed, p256, p384, rsaKey} {
		signer, err := record.NewSigner(k)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(signer.Public().Algorithm(), func(t *testing.T) {
			s := newSignatures(2)
			good := signedBy(t, signer)
			changed := func(edit func(sig []byte) []byte) *record.Record {
				env := good.Envelope
				env.Signature = edit(bytes.Clone(env.Signature))
				r, err := record.Parse(env)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			other := good.Envelope
			other.Payload = signedBy(t, signer).Envelope.Payload
			otherWords, err := record.Parse(other)
			if err != nil {
				t.Fatal(err)
			}
			// Twice: the good one makes the key known.
			for _, round := range []string{"first", "again"} {
				for _, c := range []struct {
					what  string
					r     *record.Record
					key   *record.PublicKey
					field string // "" if it is good
				}{
					{"another's key", good, stranger, "author.key_id"},
					{"first bit", changed(func(sig []byte) []byte { sig[0] ^= 1; return sig }), signer.Public(), "envelope.signatures[0].sig"},
					{"last bit", changed(func(sig []byte) []byte { sig[len(sig)-1] ^= 0x80; return sig }), signer.Public(), "envelope.signatures[0].sig"},
					{"short", changed(func(sig []byte) []byte { return sig[:len(sig)-1] }), signer.Public(), "envelope.signatures[0].sig"},
					{"long", changed(func(sig []byte) []byte { return append(sig, 0) }), signer.Public(), "envelope.signatures[0].sig"},
					{"another payload", otherWords, signer.Public(), "envelope.signatures[0].sig"},
					{"good", good, signer.Public(), ""},
				} {
					got, want := s.check(c.r, c.key), c.r.VerifySignature(c.key)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s, %s: check and VerifySignature differ (-want +got):\n%s", c.what, round, diff)
					}
					if c.field == "" {
						if got != nil {
							t.Errorf("%s, %s: %v", c.what, round, got)
						}
						continue
					}
					wantReason(t, got, record.ReasonBadSignature)
					if e, ok := got.(*record.Error); ok && e.Field != c.field {
						t.Errorf("%s, %s: field is %s, want %s", c.what, round, e.Field, c.field)
					}
				}
			}
			want := 0
			if signer.Public().Algorithm() == "Ed25519" {
				want = 1
			}
			if len(s.keys) != want {
				t.Errorf("%d keys are kept, want %d", len(s.keys), want)
			}
		})
	}
}

// signedBy returns a new record of an administrator, signed.
func signedBy(t testing.TB, s record.Signer) *record.Record {
	t.Helper()
	r, err := record.Sign((&harness{}).registration(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSignatureRefusalIsCrypto plants a wrong table in the place of a key's, as
// a fault of the fast check would look: a good signature passes all the same,
// and a bad one does not.
func TestSignatureRefusalIsCrypto(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seed("a key"))
	pub := key.Public().(ed25519.PublicKey)
	s := newSignatures(2)
	wrong := expand(ed25519.NewKeyFromSeed(seed("another")).Public().(ed25519.PublicKey))
	wrong.raw = [32]byte(pub)
	s.keep(wrong)
	msg := []byte("message")
	sig := ed25519.Sign(key, msg)
	if k, known := s.lookup(pub); !known || k.accepts(msg, sig) {
		t.Fatal("the wrong table is not in place")
	}
	if !s.verify(pub, msg, sig) {
		t.Error("a good signature that the fast check refuses is refused")
	}
	sig[0] ^= 1
	if s.verify(pub, msg, sig) {
		t.Error("a bad signature is accepted")
	}
}

// TestSignaturePlaces: no more keys are kept than there are places, keys that
// come once do not push out one that works, and only a good signature gets a
// key a place.
func TestSignaturePlaces(t *testing.T) {
	s := newSignatures(4)
	msg := []byte("message")
	use := func(name string, good bool) {
		t.Helper()
		key := ed25519.NewKeyFromSeed(seed(name))
		sig := ed25519.Sign(key, msg)
		if !good {
			sig[40] ^= 1
		}
		if got := s.verify(key.Public().(ed25519.PublicKey), msg, sig); got != good {
			t.Fatalf("%s: verify says %v, want %v", name, got, good)
		}
		if len(s.keys) != len(s.ring) || len(s.ring) > 4 {
			t.Fatalf("%d keys in %d places, at most 4 are allowed", len(s.keys), len(s.ring))
		}
	}
	kept := func(name string) bool {
		_, there := s.keys[[32]byte(ed25519.NewKeyFromSeed(seed(name)).Public().(ed25519.PublicKey))]
		return there
	}
	use("never good", false)
	if kept("never good") {
		t.Error("a key that signed nothing has a place")
	}
	use("busy", true)
	for i := range 100 {
		name := fmt.Sprintf("comes once %d", i)
		use(name, true)
		if !kept(name) {
			t.Fatalf("%s has no place", name)
		}
		if !kept("busy") {
			t.Fatalf("the busy key lost its place to %s", name)
		}
		use("busy", true)
	}
	if len(s.ring) != 4 {
		t.Errorf("%d places are taken, want 4", len(s.ring))
	}
	// Two goroutines may expand the same key at the same time.
	s.keep(expand(ed25519.NewKeyFromSeed(seed("busy")).Public().(ed25519.PublicKey)))
	if len(s.keys) != 4 {
		t.Errorf("a key that came twice took two places: %d keys in %d places", len(s.keys), len(s.ring))
	}
	// One that stops working makes room at last.
	for i := range 8 {
		use(fmt.Sprintf("comes later %d", i), true)
	}
	if kept("busy") {
		t.Error("a key that is not used any more keeps its place")
	}
}

// TestSignatureTogether has many goroutines check with more keys than there are
// places. The race detector has something to see here.
func TestSignatureTogether(t *testing.T) {
	s := newSignatures(3)
	msg := []byte("message")
	type signed struct {
		pub       ed25519.PublicKey
		good, bad []byte
	}
	var all []signed
	for i := range 7 {
		key := ed25519.NewKeyFromSeed(seed(fmt.Sprintf("together %d", i)))
		good := ed25519.Sign(key, msg)
		bad := bytes.Clone(good)
		bad[i] ^= 1
		all = append(all, signed{key.Public().(ed25519.PublicKey), good, bad})
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				c := all[(g+i*(g%3+1))%len(all)]
				if !s.verify(c.pub, msg, c.good) {
					t.Errorf("goroutine %d: a good signature is refused", g)
				}
				if i%10 == 0 && s.verify(c.pub, msg, c.bad) {
					t.Errorf("goroutine %d: a bad signature is accepted", g)
				}
			}
		})
	}
	wg.Wait()
	if len(s.keys) != 3 || len(s.ring) != 3 {
		t.Errorf("%d keys in %d places, want 3", len(s.keys), len(s.ring))
	}
}

// TestSubmitCraftedSignature registers a key with a part of small order, whose
// owner can make signatures that some implementations accept and others do not.
// Admission takes those that crypto/ed25519 accepts, so the audit finds no
// fault.
func TestSubmitCraftedSignature(t *testing.T) {
	h := newHarness(t, nil, nil)
	defer h.close()
	crafted := newMixedKey(seed("crafted"), 3)
	pub, err := record.NewPublicKey(ed25519.PublicKey(crafted.pub))
	if err != nil {
		t.Fatal(err)
	}
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: pub.SPKI(), Agent: testAgent, Operator: testOperator}}}))
	logged, refused := 0, 0
	for i := range 64 {
		m := h.step(func(m *onusv1.Record) {
			m.Author.Instance, m.Author.KeyId = fmt.Sprintf("crafted-%d", i), pub.ID()
			m.Sequence, m.Previous = 0, ""
		})
		payload, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
		var valid bool
		env.Signature, valid = crafted.sign(env.PAE(), i%8)
		_, err = h.ledger.Submit(context.Background(), Submission{Envelope: env})
		if valid {
			logged++
			if err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		} else {
			refused++
			wantReason(t, err, record.ReasonBadSignature)
		}
	}
	if logged == 0 || refused == 0 {
		t.Fatalf("%d logged, %d refused: want some of each", logged, refused)
	}
	h.checkLog()
}

// BenchmarkSignature measures one check over a record of 1 KB: by the standard
// library, with a key that is known, and with one that is new.
func BenchmarkSignature(b *testing.B) {
	key := ed25519.NewKeyFromSeed(seed("benchmark"))
	pub := key.Public().(ed25519.PublicKey)
	msg := bytes.Repeat([]byte("onus"), 256)
	sig := ed25519.Sign(key, msg)
	known := newSignatures(maxExpandedKeys)
	for _, c := range []struct {
		name  string
		check func() bool
	}{
		{"by=crypto", func() bool { return ed25519.Verify(pub, msg, sig) }},
		{"by=fast/key=known", func() bool { return known.verify(pub, msg, sig) }},
		{"by=fast/key=new", func() bool { return newSignatures(1).verify(pub, msg, sig) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.check() {
					b.Fatal("a good signature is refused")
				}
			}
		})
	}
	b.Run("by=fast/key=expanded", func(b *testing.B) {
		k := expand(pub)
		for b.Loop() {
			if !k.accepts(msg, sig) {
				b.Fatal("a good signature is refused")
			}
		}
	})
	sig[0] ^= 1
	b.Run("by=fast/key=known/bad", func(b *testing.B) {
		for b.Loop() {
			if known.verify(pub, msg, sig) {
				b.Fatal("a bad signature is accepted")
			}
		}
	})
}
