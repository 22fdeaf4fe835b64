package evidence_test

import (
	"bytes"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// fuzzLimits keep a run from spending its time on large files.
var fuzzLimits = evidence.Limits{Entries: 1 << 14, Count: 1 << 8, Proof: 1 << 14, Contents: 1 << 14, Tokens: 1 << 14}

// FuzzRead: what is accepted is what WriteTo writes, byte for byte. The hash
// at the end is made to fit, so that the rest is reached.
func FuzzRead(f *testing.F) {
	for _, b := range tiny(f) {
		f.Add(unsealed(write(f, b)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		file := seal(body)
		b, err := evidence.Read(bytes.NewReader(file), fuzzLimits)
		if err != nil {
			return
		}
		if got := write(t, b); !bytes.Equal(got, file) {
			t.Fatalf("written anew\n%x\nwas\n%x", got, file)
		}
	})
}

// tiny bundles have one of everything that the format knows, and entries that
// only look so: the reader of the format does not look into them.
func tiny(t testing.TB) []*evidence.Bundle {
	signed, err := logSigner(t, "a", "log").Sign(6, tree.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	token := []evidence.Token{{Index: 2, Text: "t"}}
	here := &evidence.Bundle{Checkpoint: signed, Tokens: token,
		Scope: evidence.Scope{Asked: []record.ID{{1}}, Where: "w", Claim: "c"},
		Leaves: []evidence.Leaf{{Raw: []byte("g"), Registry: true}, {Index: 2, Raw: []byte("e")},
			{Index: 4, Withheld: &evidence.Withheld{AssertedID: record.ID{1}, AssertedParty: "p"}}},
		Contents: []evidence.Content{{Index: 2, Data: []byte("d")}}}
	referred := &evidence.Bundle{Checkpoint: signed, Tokens: token,
		Reference: &evidence.Reference{Count: 1}, Leaves: []evidence.Leaf{{Index: 2, Raw: []byte("e")}}}
	for _, b := range []*evidence.Bundle{here, referred} {
		if err := b.Prove(func(uint, int64) (tree.Hash, error) { return tree.Hash{2}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	return []*evidence.Bundle{here, referred}
}

// FuzzVerify: every file that can be read is judged, and none is genuine to a
// reader who gives no log key. The input is a patch of a good file: cut bytes
// are taken out at an offset, and others put there.
func FuzzVerify(f *testing.F) {
	_, b := full(f)
	good := unsealed(write(f, b))
	f.Add(uint16(0), uint8(0), []byte{})
	f.Add(uint16(len(good)-8), uint8(1), []byte{0})
	f.Fuzz(func(t *testing.T, offset uint16, cut uint8, patch []byte) {
		from := min(int(offset), len(good))
		to := min(from+int(cut), len(good))
		file := seal(bytes.Join([][]byte{good[:from], patch, good[to:]}, nil))
		b, err := evidence.Read(bytes.NewReader(file), fuzzLimits)
		if err != nil {
			return
		}
		res, err := b.Verify(evidence.Trust{})
		if b.Reference == nil && err != nil {
			t.Fatalf("Verify: %v", err)
		}
		if err == nil && res.Err() == nil {
			t.Fatal("without a log key, the evidence is genuine")
		}
	})
}

func unsealed(file []byte) []byte { return file[:len(file)-32] }

func seal(body []byte) []byte { return reseal(append(bytes.Clone(body), make([]byte, 32)...)) }
