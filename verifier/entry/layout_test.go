package entry_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"

	"github.com/onus-ledger/onus/verifier/record"
)

// TestLayout reads the vectors at the offsets of the package comment's table,
// without Parse, so that the table is held to the code.
func TestLayout(t *testing.T) {
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			leaf := unhex(t, v.Leaf)
			u64 := func(at int) uint64 { return binary.BigEndian.Uint64(leaf[at:]) }
			u16 := func(at int) int { return int(binary.BigEndian.Uint16(leaf[at:])) }
			num := func(what string, at int, want int64) {
				t.Helper()
				if got := u64(at); got != uint64(want) {
					t.Errorf("%s at %d = %d, want %d", what, at, got, want)
				}
			}
			index := func(what string, at int, want *int64) {
				t.Helper()
				if want == nil {
					if got := u64(at); got != math.MaxUint64 {
						t.Errorf("%s at %d = %#x, want all ones", what, at, got)
					}
					return
				}
				num(what, at, *want)
			}
			small := func(what string, at, want int) {
				t.Helper()
				if got := int(leaf[at]); got != want {
					t.Errorf("%s at %d = %d, want %d", what, at, got, want)
				}
			}
			text := func(what string, at int, want string) {
				t.Helper()
				if got := string(leaf[at : at+len(want)]); got != want {
					t.Errorf("%s at %d = %q, want %q", what, at, got, want)
				}
			}

			small("version", 0, 1)
			num("log time", 1, v.LogTime)
			num("registry count", 9, v.RegistryCount)
			text("registry root", 17, string(unhex(t, v.RegistryRoot)))
			num("key entry", 49, v.KeyEntry)
			small("assurance", 57, int(v.Assurance))
			index("key set entry", 58, v.KeySetEntry)
			small("u", 66, len(v.User))
			text("pseudonym", 67, v.User)
			at := 67 + len(v.User)
			small("n", at, len(v.Uses))
			at++
			for _, u := range v.Uses {
				id := string(unhex(t, u.ID))
				switch u.Kind {
				case "limit":
					small("kind", at, 1)
					text("grant", at+1, id)
					if got := u16(at + 33); got != int(*u.Limit) {
						t.Errorf("limit at %d = %d, want %d", at+33, got, *u.Limit)
					}
					index("previous use", at+35, u.Previous)
					small("t", at+43, len(*u.Total))
					text("total", at+44, *u.Total)
					at += 44 + len(*u.Total)
				case "approval":
					small("kind", at, 2)
					text("approval", at+1, id)
					index("previous use", at+33, u.Previous)
					index("denial", at+41, u.Denial)
					at += 49
				default:
					t.Fatalf("use of kind %q", u.Kind)
				}
			}
			codes := map[string]int{record.TypeProtobuf.String(): 1, record.TypeJSON.String(): 2}
			small("payload type", at, codes[v.PayloadType])
			sig, payload := unhex(t, v.Signature), unhex(t, v.Payload)
			at++
			if got := u16(at); got != len(sig) {
				t.Errorf("s at %d = %d, want %d", at, got, len(sig))
			}
			at += 2
			text("signature", at, string(sig))
			at += len(sig)
			if got := u16(at); got != len(payload) {
				t.Errorf("p at %d = %d, want %d", at, got, len(payload))
			}
			at += 2
			text("payload", at, string(payload))
			if at += len(payload); at != len(leaf) {
				t.Errorf("the last field ends at %d, the leaf at %d", at, len(leaf))
			}
			sum := sha256.Sum256(append([]byte{0}, leaf...))
			if got := hex.EncodeToString(sum[:]); got != v.LeafHash {
				t.Errorf("leaf hash = %s, want %s", got, v.LeafHash)
			}
		})
	}
}
