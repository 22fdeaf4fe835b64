package tree

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The types of keys in vkeys. c2sp.org/signed-note, "Signature types".
const (
	typeEd25519     = 0x01 // a note's signature, as logs make it
	typeCosignature = 0x04 // cosignature/v1
	typeMLDSA44     = 0x06 // a cosignature with ML-DSA-44
)

// WitnessKey is the key with which a witness cosigns checkpoints. Keys can be
// compared with ==.
type WitnessKey struct {
	vkey, name, pub string
	id              uint32
}

// ParseWitnessKey reads a witness's vkey: name, key id, and 0x04 with an
// Ed25519 key. c2sp.org/tlog-cosignature. There is one form, as for logs, and
// what [CheckEd25519] refuses is refused: under a weak key everybody is the
// witness.
//
// A witness may have an ML-DSA-44 key instead. Go's standard library cannot
// check its signatures yet, so such a key is an error, and never a witness
// whose word nobody looks at.
func ParseWitnessKey(vkey string) (WitnessKey, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	id, key, ok := strings.Cut(rest, "+")
	if !ok {
		return WitnessKey{}, errors.New("not a verifier key: it has three parts, name+id+key")
	}
	if err := checkKeyName(name); err != nil {
		return WitnessKey{}, err
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil {
		return WitnessKey{}, fmt.Errorf("the verifier key is not base64: %w", err)
	}
	if len(raw) == 0 {
		return WitnessKey{}, errors.New("the verifier key is empty")
	}
	switch raw[0] {
	case typeCosignature:
	case typeEd25519:
		return WitnessKey{}, errors.New("the verifier key has type 0x01, which signs notes, as logs do: a witness cosigns with type 0x04")
	case typeMLDSA44:
		return WitnessKey{}, errors.New("the verifier key is of ML-DSA-44 (type 0x06), which this version cannot check: use the witness's Ed25519 key (type 0x04)")
	default:
		return WitnessKey{}, fmt.Errorf("the verifier key has type 0x%02x: a witness cosigns with type 0x04", raw[0])
	}
	k, err := NewWitnessKey(name, raw[1:])
	if err != nil {
		return WitnessKey{}, err
	}
	if want := fmt.Sprintf("%08x", k.id); id != want {
		return WitnessKey{}, fmt.Errorf("the key id is %.16q, but that of this name and key is %s", id, want)
	}
	if k.vkey != vkey { // base64 with newlines in it
		return WitnessKey{}, errors.New("the verifier key is not in its one canonical form")
	}
	return k, nil
}

// NewWitnessKey returns the key of a witness with that key name. It accepts
// what [ParseWitnessKey] does.
func NewWitnessKey(name string, pub ed25519.PublicKey) (WitnessKey, error) {
	if err := checkKeyName(name); err != nil {
		return WitnessKey{}, err
	}
	if err := CheckEd25519(pub); err != nil {
		return WitnessKey{}, err
	}
	// Key id: SHA-256(name ‖ 0x0A ‖ 0x04 ‖ key)[:4]. c2sp.org/tlog-cosignature.
	raw := append([]byte{typeCosignature}, pub...)
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	id := binary.BigEndian.Uint32(sum[:])
	vkey := fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(raw))
	return WitnessKey{vkey: vkey, name: name, pub: string(pub), id: id}, nil
}

// checkKeyName holds a key's name to what a signed note can carry.
// c2sp.org/signed-note, "Format".
func checkKeyName(name string) error {
	switch {
	case name == "":
		return errors.New("the key has no name")
	case !utf8.ValidString(name):
		return fmt.Errorf("the key's name, %.60q, is not UTF-8", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == '+' || unicode.IsSpace(r) }):
		return fmt.Errorf("the key's name, %.60q, has a space, a plus or a control character", name)
	}
	return nil
}

// String returns the vkey.
func (k WitnessKey) String() string { return k.vkey }

// Name returns the key's name, which stands on the lines that it signs. A
// policy may call the witness otherwise.
func (k WitnessKey) Name() string { return k.name }

// IsZero reports whether k holds no key.
func (k WitnessKey) IsZero() bool { return k.vkey == "" }
