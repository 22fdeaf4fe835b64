package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/sha512"
	"sync"
	"sync/atomic"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	fast "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/onus-ledger/onus/verifier/record"
)

const (
	// maxExpandedKeys is how many expanded keys are kept: about 1.6 KB each, and
	// 41 KB more once they have a table, so at most 44 MB.
	maxExpandedKeys = 1024
	// tableAfter is how many good signatures earn a key its table, which takes
	// about ten checks' time to make and a third off each check.
	tableAfter = 16
)

// signatures checks the signatures of records at admission, where this is the
// dearest step. It means exactly what [record.Record.VerifySignature] means:
// valid is what crypto/ed25519 accepts, and nothing else. It gets there in
// less than half the time, with another implementation of the curve, with keys
// that it keeps in expanded form, and with a table of multiples for a key that
// signs often.
//
// One definition on every path is what makes a record evidence. If admission
// accepted more than the standard library, the log would hold records that
// every auditor calls forged; if it accepted less, an author could be kept out
// of the log. So there is no batch verification, which multiplies by the
// cofactor and accepts crafted signatures that a single check refuses. And:
//
//   - What the fast check accepts, crypto/ed25519 must accept. While the ledger
//     runs nothing holds this, for to ask both would cost what is saved. The
//     tests do, with keys and signatures made to tell implementations apart,
//     and [Check] would find such a record.
//   - What the fast check refuses is asked of crypto/ed25519. So a refusal is
//     always the standard library's own, and a fault of the fast check can keep
//     nobody out. It makes a bad signature cost half as much again in this step
//     as by the standard library alone. That is a bounded price, less than
//     what it takes to receive a call, and only callers who send bad signatures
//     cause it; an author who is wrongly refused could do nothing.
//
// It serves admission, and the look at each new checkpoint before it leaves.
// What the ledger says itself, Create, recovery and [Check] use the verifier as
// auditors do, and so does every reader.
type signatures struct {
	mu sync.RWMutex
	// keys holds the expanded form of what signed last, by the key's 32 bytes:
	// what is looked up is the very key that is asked about. Under mu.
	keys map[[ed25519.PublicKeySize]byte]*expandedKey
	// ring holds the same keys in the order in which the hand goes round, at
	// most max. Under mu.
	ring []*expandedKey
	hand int // under mu
	max  int
}

// expandedKey is a public key with what makes checks with it fast.
type expandedKey struct {
	raw      [ed25519.PublicKeySize]byte
	expanded *fast.ExpandedPublicKey
	// used: it was asked for since the hand last passed.
	used atomic.Bool
	// good counts signatures up to tableAfter, when multiples, of the negated
	// key, is made; until then it is nil.
	good      atomic.Int32
	multiples atomic.Pointer[curve.EdwardsBasepointTable]
}

// newSignatures returns a check that keeps at most that many keys, at least
// one.
func newSignatures(most int) *signatures {
	return &signatures{keys: make(map[[ed25519.PublicKeySize]byte]*expandedKey), max: most}
}

// check is r.VerifySignature(key), faster: the same answer for all records,
// keys and signatures, and the same errors. It is safe for concurrent use.
func (s *signatures) check(r *record.Record, key *record.PublicKey) error {
	pub, ok := key.Crypto().(ed25519.PublicKey)
	if !ok {
		return r.VerifySignature(key)
	}
	return r.VerifySignatureBy(key, func(msg, sig []byte) bool { return s.verify(pub, msg, sig) })
}

// verify is ed25519.Verify, faster. Like that, it panics unless the key has 32
// bytes.
func (s *signatures) verify(pub ed25519.PublicKey, msg, sig []byte) bool {
	if fips140.Enabled() { // whoever asks for that module wants no other
		return ed25519.Verify(pub, msg, sig)
	}
	k, known := s.lookup(pub)
	if !known {
		k = expand(pub)
	}
	if k == nil || !k.accepts(msg, sig) {
		return ed25519.Verify(pub, msg, sig)
	}
	if k.good.Load() < tableAfter && k.good.Add(1) == tableAfter {
		k.tabulate()
	}
	// A key that has signed something is worth keeping. One that has not may be
	// made up, and there is no end of these.
	if !known {
		s.keep(k)
	}
	return true
}

func (s *signatures) lookup(pub ed25519.PublicKey) (k *expandedKey, known bool) {
	if len(pub) != ed25519.PublicKeySize {
		return nil, false
	}
	s.mu.RLock()
	k, known = s.keys[[ed25519.PublicKeySize]byte(pub)]
	s.mu.RUnlock()
	// Written only when it changes, so that the readers of a busy key share its
	// line of cache.
	if known && !k.used.Load() {
		k.used.Store(true)
	}
	return k, known
}

// keep takes k up, and when all places are taken gives it that of a key that was
// not used since the hand last passed. So keys that come once, however many,
// push each other out and not those that work. To lose a place costs the next
// check about an eighth of what one by the standard library takes.
func (s *signatures) keep(k *expandedKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.keys[k.raw]; there {
		return // two checks expanded it at the same time
	}
	s.keys[k.raw] = k
	if len(s.ring) < s.max {
		s.ring = append(s.ring, k)
		return
	}
	for s.ring[s.hand].used.Swap(false) {
		s.hand = (s.hand + 1) % len(s.ring)
	}
	delete(s.keys, s.ring[s.hand].raw)
	s.ring[s.hand] = k
	s.hand = (s.hand + 1) % len(s.ring)
}

// expand returns the key with its table, or nil if it is no point of the curve.
// To expand and check takes no longer than a check by the standard library, so
// it is done for a key's first signature too.
func expand(pub ed25519.PublicKey) *expandedKey {
	e, err := fast.NewExpandedPublicKey(fast.PublicKey(pub))
	if err != nil {
		return nil
	}
	return &expandedKey{raw: [ed25519.PublicKeySize]byte(pub), expanded: e}
}

// tabulate makes the key's table.
func (k *expandedKey) tabulate() {
	var c curve.CompressedEdwardsY
	var a curve.EdwardsPoint
	if _, err := c.SetBytes(k.raw[:]); err != nil {
		return
	}
	if _, err := a.SetCompressedY(&c); err != nil {
		return
	}
	k.multiples.Store(curve.NewEdwardsBasepointTable(a.Neg(&a)))
}

// likeCrypto has the library decide as crypto/ed25519 does: R = [S]B - [k]A,
// without the cofactor and compared as bytes; any A that is a point, whatever
// its order or spelling; S below the group's order.
var likeCrypto = &fast.Options{Verify: fast.VerifyOptionsStdLib}

// accepts is the fast check alone.
func (k *expandedKey) accepts(msg, sig []byte) bool {
	if t := k.multiples.Load(); t != nil {
		return k.acceptsBy(t, msg, sig)
	}
	return fast.VerifyExpandedWithOptions(k.expanded, msg, sig, likeCrypto)
}

// acceptsBy is the same check, written out, for a key with a table: both
// products are then sums of table entries, without the doublings that are most
// of the work otherwise. RFC 8032, section 5.1.7, with the equation of its last
// sentence and R compared as bytes.
func (k *expandedKey) acceptsBy(negated *curve.EdwardsBasepointTable, msg, sig []byte) bool {
	if len(sig) != ed25519.SignatureSize {
		return false
	}
	var s, h scalar.Scalar
	if _, err := s.SetCanonicalBytes(sig[32:]); err != nil { // S is below the group's order
		return false
	}
	d := sha512.New()
	d.Write(sig[:32])
	d.Write(k.raw[:])
	d.Write(msg)
	var digest [sha512.Size]byte
	if _, err := h.SetBytesModOrderWide(d.Sum(digest[:0])); err != nil {
		return false
	}
	var sb, ha curve.EdwardsPoint
	sb.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, &s)
	ha.MulBasepoint(negated, &h)
	var r curve.CompressedEdwardsY
	r.SetEdwardsPoint(sb.Add(&sb, &ha))
	return bytes.Equal(r[:], sig[:32])
}
