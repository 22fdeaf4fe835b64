package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// What tells implementations of Ed25519 apart is made here by arithmetic: keys
// and signatures with parts of small order, other spellings of points, scalars
// around the group's order. The points are added up with the arithmetic of the
// library that is tested. That is no circle, for both sides are then asked
// about the same bytes; and each test says how crypto/ed25519 must answer, by
// a rule of its own, so that bad inputs show.

// sameVerdict holds the fast check, with the key expanded and with its table, to
// crypto/ed25519 and returns the verdict of the latter.
func sameVerdict(t testing.TB, what string, pub, msg, sig []byte) bool {
	t.Helper()
	want := ed25519.Verify(pub, msg, sig)
	k := expand(pub)
	for _, by := range []string{"fast check", "fast check by table"} {
		if got := k != nil && k.accepts(msg, sig); got != want {
			t.Errorf("%s: the %s says %v, crypto/ed25519 %v\n key %x\n sig %x\n msg %x", what, by, got, want, pub, sig, msg)
		}
		if k != nil {
			if k.tabulate(); k.multiples.Load() == nil {
				t.Fatalf("%s: key %x has no table", what, pub)
			}
		}
	}
	return want
}

// groupOrder is L of RFC 8032, section 5.1.
var groupOrder, _ = new(big.Int).SetString("27742317777372353535851937790883648493", 10)

func init() { groupOrder.Add(groupOrder, new(big.Int).Lsh(big.NewInt(1), 252)) }

// littleEndian writes n in 32 bytes.
func littleEndian(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

func bigOf(b []byte) *big.Int {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// modOrder returns b, little-endian and of any length, as a scalar.
func modOrder(b []byte) *scalar.Scalar {
	s, err := scalar.New().SetBytesModOrder(littleEndian(new(big.Int).Mod(bigOf(b), groupOrder)))
	if err != nil {
		panic(err)
	}
	return s
}

func bytesOf(s *scalar.Scalar) []byte {
	b := make([]byte, 32)
	if err := s.ToBytes(b); err != nil {
		panic(err)
	}
	return b
}

func encoded(p *curve.EdwardsPoint) []byte {
	var c curve.CompressedEdwardsY
	return bytes.Clone(c.SetEdwardsPoint(p)[:])
}

// torsion returns i times a point of order 8.
func torsion(i int) *curve.EdwardsPoint {
	p := curve.NewEdwardsPoint()
	for range i {
		p.Add(p, curve.EIGHT_TORSION[1])
	}
	return p
}

// multipleWith returns [s]B plus the i-th point of small order, encoded.
func multipleWith(s *scalar.Scalar, i int) []byte {
	p := curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, s)
	return encoded(p.Add(p, torsion(i)))
}

// challenge returns k of RFC 8032, section 5.1.7.
func challenge(r, pub, msg []byte) *scalar.Scalar {
	h := sha512.Sum512(slices.Concat(r, pub, msg))
	return modOrder(h[:])
}

// mixedKey is a key A = [a]B + T whose T is the i-th point of small order. The
// registry takes such a key unless A itself has small order.
type mixedKey struct {
	a   *scalar.Scalar
	i   int
	pub []byte
}

func newMixedKey(seed []byte, i int) mixedKey {
	h := sha512.Sum512(seed)
	k := mixedKey{a: modOrder(h[:]), i: i}
	k.pub = multipleWith(k.a, i)
	return k
}

// sign makes a signature with R = [r]B + the j-th point of small order, and
// says whether crypto/ed25519 must accept it: if the parts of small order
// cancel, that is, R's is that of -[k]A. With the cofactor all would pass.
func (k mixedKey) sign(msg []byte, j int) (sig []byte, valid bool) {
	h := sha512.Sum512(slices.Concat(bytesOf(k.a), msg))
	r := modOrder(h[:])
	point := multipleWith(r, j)
	c := challenge(point, k.pub, msg)
	s := scalar.New().Mul(c, k.a)
	s.Add(s, r)
	return slices.Concat(point, bytesOf(s)), (j+int(bytesOf(c)[0]&7)*k.i)%8 == 0
}

// smallOrder returns the 14 encodings of points of small order that decode: the
// eight proper ones, and those with y at or above p or with the sign of -0
// (ZIP 215 lists them).
func smallOrder() (all [][]byte, proper int) {
	for i := range 8 {
		all = append(all, encoded(torsion(i)))
	}
	for _, enc := range otherSpellings() {
		if p, err := curve.NewEdwardsPoint().SetCompressedY((*curve.CompressedEdwardsY)(enc)); err == nil && p.IsSmallOrder() {
			all = append(all, enc)
		}
	}
	return all, 8
}

// otherSpellings returns all 32-byte strings that are not how RFC 8032 writes a
// point, and that a lenient reader may take for one.
func otherSpellings() (all [][]byte) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	signed := func(y *big.Int) []byte {
		enc := littleEndian(y)
		enc[31] |= 0x80
		return enc
	}
	for i := range int64(19) { // p to 2^255 - 1
		y := new(big.Int).Add(p, big.NewInt(i))
		all = append(all, littleEndian(y), signed(y))
	}
	// x = 0 is not negative: y = 1 and y = -1.
	return append(all, signed(big.NewInt(1)), signed(new(big.Int).Sub(p, big.NewInt(1))))
}

// TestSignatureSmallOrder tries each encoding of a point of small order as key
// with each as R. S is 0, and L, which is 0 too unless it is refused.
func TestSignatureSmallOrder(t *testing.T) {
	points, proper := smallOrder()
	if len(points) != 14 {
		t.Fatalf("%d encodings of small order, want 14", len(points))
	}
	msgs := []string{"Zcash", "", "a", "b", "c", "d", "e", "f"}
	var otherKey, accepted int
	for a, pub := range points {
		for r, point := range points {
			for _, msg := range msgs {
				what := fmt.Sprintf("A %d, R %d, message %q", a, r, msg)
				if sameVerdict(t, what+", S = 0", pub, []byte(msg), append(bytes.Clone(point), make([]byte, 32)...)) {
					accepted++
					if a >= proper {
						otherKey++
					}
					if r >= proper {
						t.Errorf("%s: crypto/ed25519 accepts another spelling of R", what)
					}
				}
				if sameVerdict(t, what+", S = L", pub, []byte(msg), append(bytes.Clone(point), littleEndian(groupOrder)...)) {
					t.Errorf("%s: crypto/ed25519 accepts S = L", what)
				}
			}
		}
	}
	// About one in eight fits, and keys in other spellings count.
	if accepted < 100 || otherKey < 30 {
		t.Errorf("crypto/ed25519 accepts %d, %d of them with keys in other spellings: the matrix does not test what it is for", accepted, otherKey)
	}
}

// TestSignatureMixedOrder tries keys and R with all parts of small order. Only
// those whose parts cancel are signatures.
func TestSignatureMixedOrder(t *testing.T) {
	valid := 0
	for i := range 8 {
		key := newMixedKey(seed("mixed order"), i)
		for j := range 8 {
			for m := range 8 {
				msg := fmt.Appendf(nil, "message %d", m)
				sig, want := key.sign(msg, j)
				what := fmt.Sprintf("A with torsion %d, R with %d, message %d", i, j, m)
				if got := sameVerdict(t, what, key.pub, msg, sig); got != want {
					t.Errorf("%s: crypto/ed25519 says %v, want %v", what, got, want)
				}
				if want {
					valid++
				}
			}
		}
	}
	if valid < 20 || valid > 200 {
		t.Errorf("%d of 512 are valid, want about one in eight", valid)
	}
}

// TestSignatureScalar tries all values of S that readers differ on. The key is
// the neutral point, for which R = [S]B is a signature over everything.
func TestSignatureScalar(t *testing.T) {
	pub := encoded(torsion(0))
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	one := big.NewInt(1)
	var all []*big.Int
	near := func(n *big.Int) {
		all = append(all, new(big.Int).Sub(n, one), n, new(big.Int).Add(n, one))
	}
	for i := range uint(257) {
		near(new(big.Int).Lsh(one, i)) // each bit alone, and all below it
		all = append(all, new(big.Int).Sub(groupOrder, new(big.Int).Lsh(one, i)), new(big.Int).Add(groupOrder, new(big.Int).Lsh(one, i)))
	}
	for i := range int64(16) { // L, 2L … 15L, which fits into 256 bits
		near(new(big.Int).Mul(groupOrder, big.NewInt(i)))
	}
	accepted, refused := 0, 0
	for _, s := range all {
		if s.Sign() < 0 || s.Cmp(limit) >= 0 {
			continue
		}
		enc := littleEndian(s)
		sig := append(multipleWith(modOrder(enc), 0), enc...)
		want := s.Cmp(groupOrder) < 0
		if got := sameVerdict(t, fmt.Sprintf("S = %x", s), pub, []byte("message"), sig); got != want {
			t.Errorf("S = %x: crypto/ed25519 says %v, want %v", s, got, want)
		}
		if want {
			accepted++
		} else {
			refused++
		}
	}
	if accepted < 700 || refused < 50 {
		t.Errorf("%d values accepted, %d refused: too few", accepted, refused)
	}
}

// TestSignatureOtherSpellings tries every other spelling of a point as key and
// as R, with signatures that are good but for that.
func TestSignatureOtherSpellings(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seed("spellings"))
	pub := key.Public().(ed25519.PublicKey)
	msg := []byte("message")
	good := ed25519.Sign(key, msg)
	points := 0
	for i, enc := range otherSpellings() {
		if expand(enc) != nil {
			points++
		}
		for what, c := range map[string]struct{ pub, sig []byte }{
			"as key":          {enc, good},
			"as R":            {pub, append(bytes.Clone(enc), good[32:]...)},
			"as key and as R": {enc, append(bytes.Clone(enc), make([]byte, 32)...)},
		} {
			if sameVerdict(t, fmt.Sprintf("spelling %d %s", i, what), c.pub, msg, c.sig) && what == "as R" {
				t.Errorf("spelling %d: crypto/ed25519 accepts it as R", i)
			}
		}
	}
	if points != 26 {
		t.Errorf("%d of the spellings decode, want 26", points)
	}
}

// TestSignatureEveryBit changes each bit of a signature, its key and its
// message, and gives the signature every length.
func TestSignatureEveryBit(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seed("every bit"))
	pub := key.Public().(ed25519.PublicKey)
	msg := []byte("what somebody said in forty-eight bytes or more.")
	sig := ed25519.Sign(key, msg)
	if !sameVerdict(t, "unchanged", pub, msg, sig) {
		t.Fatal("crypto/ed25519 refuses its own signature")
	}
	for what, part := range map[string][]byte{"signature": sig, "key": pub, "message": msg} {
		for i := range 8 * len(part) {
			part[i/8] ^= 1 << (i % 8)
			if sameVerdict(t, fmt.Sprintf("bit %d of the %s", i, what), pub, msg, sig) {
				t.Errorf("bit %d of the %s does not matter to crypto/ed25519", i, what)
			}
			part[i/8] ^= 1 << (i % 8)
		}
	}
	long := append(bytes.Clone(sig), sig...)
	for n := range long {
		if got := sameVerdict(t, fmt.Sprintf("%d bytes", n), pub, msg, long[:n]); got != (n == 64) {
			t.Errorf("a signature of %d bytes: crypto/ed25519 says %v", n, got)
		}
	}
	// Around the blocks of SHA-512, and as long as an entry can be.
	for _, n := range append(sizes(0, 300), 1023, 1024, 1025, 65_535) {
		msg := bytes.Repeat([]byte{0xa5}, n)
		if !sameVerdict(t, fmt.Sprintf("a message of %d bytes", n), pub, msg, ed25519.Sign(key, msg)) {
			t.Errorf("a message of %d bytes: crypto/ed25519 refuses its own signature", n)
		}
	}
}

func sizes(from, to int) (all []int) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

// TestSignatureRandom tries keys, messages and signatures made by chance, most
// of them with one thing changed.
func TestSignatureRandom(t *testing.T) {
	newRand(t) // says how to replay
	n := 20_000
	if *longFlag {
		n *= 10
	}
	var accepted, refused atomic.Int64
	each(n, func(i int) {
		rng := rand.New(rand.NewPCG(*seedFlag, uint64(i)))
		pub, msg, sig := randomSignature(rng)
		if sameVerdict(t, fmt.Sprintf("case %d", i), pub, msg, sig) {
			accepted.Add(1)
		} else {
			refused.Add(1)
		}
	})
	t.Logf("%d accepted, %d refused", accepted.Load(), refused.Load())
	if a, r := accepted.Load(), refused.Load(); a < int64(n)/8 || r < int64(n)/8 {
		t.Errorf("%d accepted and %d refused of %d: the one or the other is hardly tested", a, r, n)
	}
}

func randomSignature(rng *rand.Rand) (pub, msg, sig []byte) {
	fill := func(b []byte) []byte {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	// About a quarter of the keys and of the R have a part of small order.
	part := func() int { return max(0, rng.IntN(32)-24) }
	msg = fill(make([]byte, rng.IntN(200)))
	key := newMixedKey(fill(make([]byte, 32)), part())
	pub = key.pub
	sig, _ = key.sign(msg, part())
	switch rng.IntN(16) { // half stay as they are
	case 0: // one bit of the signature
		sig[rng.IntN(64)] ^= 1 << rng.IntN(8)
	case 1: // one bit of the key
		pub[rng.IntN(32)] ^= 1 << rng.IntN(8)
	case 2: // another message
		msg = append(msg, 0)
	case 3: // the same S, written larger
		s := new(big.Int).Mul(groupOrder, big.NewInt(1+rng.Int64N(14)))
		copy(sig[32:], littleEndian(s.Add(s, bigOf(sig[32:]))))
	case 4: // any S
		fill(sig[32:])
	case 5: // any R
		fill(sig[:32])
	case 6: // a small S
		clear(sig[40:])
	case 7: // another length
		sig = sig[:rng.IntN(64)]
	}
	return pub, msg, sig
}

// FuzzSignature looks for bytes that the two implementations judge
// differently.
func FuzzSignature(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 32 {
		pub, msg, sig := randomSignature(rng)
		f.Add(pub, msg, sig)
	}
	points, _ := smallOrder()
	for i, pub := range points {
		f.Add(pub, []byte("Zcash"), append(bytes.Clone(points[(i*5)%len(points)]), make([]byte, 32)...))
	}
	for _, c := range speccheck {
		pub, _ := hex.DecodeString(c.pub)
		msg, _ := hex.DecodeString(c.msg)
		sig, _ := hex.DecodeString(c.sig)
		f.Add(pub, msg, sig)
	}
	f.Fuzz(func(t *testing.T, pub, msg, sig []byte) {
		if len(pub) != ed25519.PublicKeySize {
			t.Skip() // crypto/ed25519 panics; a record.PublicKey has 32 bytes
		}
		sameVerdict(t, "fuzz", pub, msg, sig)
	})
}
