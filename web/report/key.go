package report

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Fingerprint is what people compare a log's verifier key by: the first 64 bits
// of the SHA-256 of its text, in four groups. The hash that stands in the key
// itself has 32 bits, for which a key of any name can be made.
func Fingerprint(vkey string) string {
	sum := sha256.Sum256([]byte(vkey))
	h := hex.EncodeToString(sum[:8])
	return strings.Join([]string{h[:4], h[4:8], h[8:12], h[12:]}, " ")
}
