// Package tree is the Merkle tree of RFC 6962 and the signed checkpoints over
// it: leaf hashes, inclusion and consistency proofs, the note a log signs, the
// cosignatures of its witnesses, and the policy that says whose are enough.
//
// The proofs are those of github.com/transparency-dev/merkle, the notes those
// of golang.org/x/mod/sumdb/note. This package gives them fixed-size hashes,
// int64 sizes and strict parsers, so that a proof with a wrong length or a
// checkpoint with a leading zero is refused and never repaired.
package tree

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// HashSize is the size of a hash in bytes.
const HashSize = sha256.Size

// Hash is a node of the tree.
type Hash [HashSize]byte

// Empty is the root of a tree without leaves: SHA-256 of nothing.
// RFC 6962, section 2.1.
var Empty = Hash(sha256.Sum256(nil))

// String returns the hash in padded base64, as checkpoints have it.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString(h[:]) }

// ParseHash takes a hash from bytes of exactly its size.
func ParseHash(b []byte) (Hash, error) {
	if len(b) != HashSize {
		return Hash{}, fmt.Errorf("a hash has %d bytes, this has %d", HashSize, len(b))
	}
	return Hash(b), nil
}

// LeafHash returns SHA-256(0x00 ‖ entry). RFC 6962, section 2.1.
func LeafHash(entry []byte) Hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(entry)
	return Hash(h.Sum(nil))
}

// NodeHash returns SHA-256(0x01 ‖ left ‖ right). RFC 6962, section 2.1.
func NodeHash(left, right Hash) Hash {
	var b [1 + 2*HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+HashSize:], right[:])
	return sha256.Sum256(b[:])
}

func nodeHash(left, right []byte) []byte {
	h := NodeHash(Hash(left), Hash(right))
	return h[:]
}

// hasher is the hashing of RFC 6962 for the proofs of the merkle module. Its
// own makes a digest for each node, which costs more than the hash itself.
type hasher struct{}

func (hasher) EmptyRoot() []byte                      { return Empty[:] }
func (hasher) HashLeaf(leaf []byte) []byte            { h := LeafHash(leaf); return h[:] }
func (hasher) HashChildren(left, right []byte) []byte { return nodeHash(left, right) }
func (hasher) Size() int                              { return HashSize }
