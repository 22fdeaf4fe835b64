package tree

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// CheckEd25519 refuses public keys under which signatures mean nothing: an
// encoding that is not canonical (RFC 8032, section 5.1.3: y below p) and the
// points of small order, for which anybody can make signatures over many
// messages. A log or an author with such a key could be impersonated, or deny
// what it signed.
func CheckEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return fmt.Errorf("an Ed25519 key has %d bytes, this has %d", ed25519.PublicKeySize, len(k))
	}
	y := bytes.Clone(k)
	y[31] &= 0x7f
	// p = 2^255 - 19, little-endian: ed ff … ff 7f.
	if y[0] >= 0xed && y[31] == 0x7f && bytes.Count(y[1:31], []byte{0xff}) == 30 {
		return errors.New("the Ed25519 key is not canonically encoded")
	}
	if smallOrderY[hex.EncodeToString(y)] {
		return errors.New("the Ed25519 key is a point of small order")
	}
	if !onEd25519(y) {
		return errors.New("the Ed25519 key is not a point of the curve")
	}
	return nil
}

// onEd25519 reports whether y, little-endian, is that of a point: whether
// (y²-1)/(dy²+1) is a square. RFC 8032, section 5.1.3.
func onEd25519(y []byte) bool {
	be := bytes.Clone(y)
	slices.Reverse(be)
	one := big.NewInt(1)
	p := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	y2 := new(big.Int).SetBytes(be)
	y2.Mul(y2, y2)
	v := new(big.Int).Mul(d, y2)
	v.Add(v, one).Mod(v, p)
	x2 := new(big.Int).Sub(y2, one)
	x2.Mul(x2, v.ModInverse(v, p)).Mod(x2, p)
	return big.Jacobi(x2, p) >= 0
}

// smallOrderY holds the y coordinates of the eight points of small order.
var smallOrderY = map[string]bool{
	"0100000000000000000000000000000000000000000000000000000000000000": true, // order 1
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": true, // order 2
	"0000000000000000000000000000000000000000000000000000000000000000": true, // order 4
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05": true, // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a": true, // order 8
}
