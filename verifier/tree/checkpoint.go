package tree

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// MaxCheckpoint is the most bytes a signed checkpoint may have.
const MaxCheckpoint = 64 << 10

// MaxSignatures is the most signatures it may have. c2sp.org/signed-note asks
// for at least 16; 100 is x/mod's limit.
const MaxSignatures = 100

// Checkpoint is what a log says about itself: its name, size and root.
// c2sp.org/tlog-checkpoint.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// String returns the text that is signed: three lines, no extensions.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// ParseCheckpoint reads what [Checkpoint.String] writes, and nothing else.
// Extension lines are refused: Onus signs none, and witnesses are to refuse
// them too.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("a checkpoint has three lines: origin, size, root")
	}
	if lines[0] == "" {
		return Checkpoint{}, errors.New("the checkpoint has no origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, fmt.Errorf("the checkpoint's size is %.40q, not a decimal", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint's root is not base64: %w", err)
	}
	h, err := ParseHash(root)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint's root: %w", err)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: h}
	if c.String() != text {
		return Checkpoint{}, errors.New("the checkpoint is not in its one canonical form")
	}
	if size == 0 && h != Empty {
		return Checkpoint{}, errors.New("a checkpoint of size 0 has the root of a tree with leaves")
	}
	return c, nil
}

// LogKey is a log's verifier key. Its name is the log's origin.
type LogKey struct {
	vkey string
	v    note.Verifier
}

// ParseLogKey reads a vkey. c2sp.org/signed-note. Only Ed25519 keys are
// accepted, and of these only what [CheckEd25519] passes: under a weak key one
// signature fits the checkpoints of many logs.
func ParseLogKey(vkey string) (LogKey, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return LogKey{}, fmt.Errorf("not a verifier key: %w", err)
	}
	// NewVerifier reads upper-case digits and base64 with newlines too; people
	// compare vkeys by eye, so there is one form.
	_, key, _ := strings.Cut(strings.TrimPrefix(vkey, v.Name()+"+"), "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil || vkey != fmt.Sprintf("%s+%08x+%s", v.Name(), v.KeyHash(), base64.StdEncoding.EncodeToString(raw)) {
		return LogKey{}, errors.New("the verifier key is not in its one canonical form")
	}
	if err := CheckEd25519(raw[1:]); err != nil { // raw[0] is the algorithm, which NewVerifier has checked
		return LogKey{}, err
	}
	return LogKey{vkey: vkey, v: v}, nil
}

// NewLogKey returns the verifier key of an Ed25519 key under the origin. It
// accepts what [ParseLogKey] does.
func NewLogKey(origin string, pub ed25519.PublicKey) (LogKey, error) {
	vkey, err := note.NewEd25519VerifierKey(origin, pub)
	if err != nil {
		return LogKey{}, err
	}
	return ParseLogKey(vkey)
}

// String returns the vkey.
func (k LogKey) String() string { return k.vkey }

// Origin returns the log's origin.
func (k LogKey) Origin() string { return k.v.Name() }

// public returns the Ed25519 key inside.
func (k LogKey) public() string {
	b, err := base64.StdEncoding.DecodeString(k.vkey[len(k.v.Name())+len("+00000000+"):])
	if err != nil {
		panic("tree: a log key that was parsed is not base64: " + err.Error())
	}
	return string(b[1:])
}

// VerifiedBy returns k for a caller that has a quicker way to the answer of
// ed25519.Verify: verify stands in for that, and must accept the same
// signatures.
func (k LogKey) VerifiedBy(verify func(pub ed25519.PublicKey, msg, sig []byte) bool) LogKey {
	return LogKey{vkey: k.vkey, v: verifiedBy{k.v, ed25519.PublicKey(k.public()), verify}}
}

type verifiedBy struct {
	note.Verifier
	pub    ed25519.PublicKey
	verify func(pub ed25519.PublicKey, msg, sig []byte) bool
}

func (v verifiedBy) Verify(msg, sig []byte) bool { return v.verify(v.pub, msg, sig) }

// IsZero reports whether k holds no key.
func (k LogKey) IsZero() bool { return k.v == nil }

// Open checks a signed checkpoint against the log's key. Signatures by other
// keys are ignored; a signature that claims to be the log's must hold.
// [OpenCosigned] looks at those of witnesses too.
func (k LogKey) Open(signed []byte) (Checkpoint, error) {
	c, _, err := k.open(signed)
	return c, err
}

// open also returns every signature line, unchecked but for the log's.
func (k LogKey) open(signed []byte) (Checkpoint, []note.Signature, error) {
	if k.IsZero() {
		return Checkpoint{}, nil, errors.New("no log key was given")
	}
	n, err := readNote(signed)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	own := false
	for _, s := range n.UnverifiedSigs {
		if s.Name != k.v.Name() || s.Hash != k.v.KeyHash() {
			continue
		}
		sig, err := signatureBytes(s)
		if err != nil {
			return Checkpoint{}, nil, fmt.Errorf("the checkpoint's signature is not strict base64: %w", err)
		}
		if !k.v.Verify([]byte(n.Text), sig) {
			return Checkpoint{}, nil, fmt.Errorf("the checkpoint is not signed by %s: a signature with the id of the key, %08x, does not verify", k.v.Name(), k.v.KeyHash())
		}
		own = true
	}
	if !own {
		s := n.UnverifiedSigs[0]
		return Checkpoint{}, nil, fmt.Errorf("the checkpoint is signed by %s+%08x, the key given is %s+%08x: the wrong key, or not that log", s.Name, s.Hash, k.v.Name(), k.v.KeyHash())
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Origin != k.Origin() {
		return Checkpoint{}, nil, fmt.Errorf("the checkpoint is of %q, but the key is of %q", c.Origin, k.Origin())
	}
	return c, n.UnverifiedSigs, nil
}

// readNote takes a signed note apart. x/mod reads it, as with no key at all:
// given keys, it looks at the first signature of each and skips the rest, and
// a second one that does not hold would pass unseen.
func readNote(signed []byte) (*note.Note, error) {
	if len(signed) > MaxCheckpoint {
		return nil, fmt.Errorf("a signed checkpoint has at most %d bytes, this has %d", MaxCheckpoint, len(signed))
	}
	if i := bytes.LastIndex(signed, []byte("\n\n")); i >= 0 {
		if n := bytes.Count(signed[i+2:], []byte("\n")); n > MaxSignatures {
			return nil, fmt.Errorf("a checkpoint has at most %d signatures, this has %d", MaxSignatures, n)
		}
	}
	_, err := note.Open(signed, note.VerifierList())
	var none *note.UnverifiedNoteError
	if !errors.As(err, &none) {
		return nil, fmt.Errorf("the checkpoint is not a signed note: %w", err)
	}
	return none.Note, nil
}

// signatureBytes returns what follows the key id, which x/mod has seen to be
// there. A signature that counts has one spelling.
func signatureBytes(s note.Signature) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
	if err != nil {
		return nil, err
	}
	return b[4:], nil
}

// LogSigner signs checkpoints. Its key may live elsewhere.
type LogSigner struct {
	key    LogKey
	id     uint32
	signer crypto.Signer
}

// NewLogSigner wraps an Ed25519 crypto.Signer.
func NewLogSigner(origin string, s crypto.Signer) (LogSigner, error) {
	pub, ok := s.Public().(ed25519.PublicKey)
	if !ok {
		return LogSigner{}, fmt.Errorf("a log is signed with Ed25519, not with %T", s.Public())
	}
	key, err := NewLogKey(origin, pub)
	if err != nil {
		return LogSigner{}, err
	}
	// Key id: SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)[:4]. c2sp.org/signed-note.
	h := sha256.New()
	h.Write([]byte(origin + "\n\x01"))
	h.Write(pub)
	return LogSigner{key: key, id: binary.BigEndian.Uint32(h.Sum(nil)), signer: s}, nil
}

// Key returns the verifier key.
func (s LogSigner) Key() LogKey { return s.key }

// Sign returns the signed note of the tree with that size and root.
func (s LogSigner) Sign(size int64, root Hash) ([]byte, error) {
	c := Checkpoint{Origin: s.key.Origin(), Size: size, Root: root}
	if _, err := ParseCheckpoint(c.String()); err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.String()}, noteSigner{s})
}

type noteSigner struct{ s LogSigner }

func (n noteSigner) Name() string    { return n.s.key.Origin() }
func (n noteSigner) KeyHash() uint32 { return n.s.id }
func (n noteSigner) Sign(msg []byte) ([]byte, error) {
	return n.s.signer.Sign(rand.Reader, msg, crypto.Hash(0))
}
