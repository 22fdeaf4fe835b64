package verifier_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// A tlog-proof with the entry beside it proves what the receipt proves.
func TestProofOfEveryEntry(t *testing.T) {
	l := newLog(t)
	l.fill(20)
	for i := range l.entries {
		rec, env := l.receipt(int64(i))
		want, err := verifier.OpenReceipt(rec, env.Type, env.Payload, l.log.Key(), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := tree.TextProof{Index: int64(i), Hashes: l.inclusion(int64(i)), Checkpoint: l.checkpoint()}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		p, err := tree.ParseTextProof(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verifier.OpenProof(p, l.entries[i], l.log.Key(), nil)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if got.Record.ID != want.Record.ID || got.Index != want.Index || got.Leaf != want.Leaf || got.Checkpoint != want.Checkpoint || got.Signed {
			t.Errorf("entry %d: proves %+v, the receipt %+v", i, got, want)
		}
		if diff := cmp.Diff(want.Stamp, got.Stamp); diff != "" {
			t.Errorf("entry %d (-receipt +proof)\n%s", i, diff)
		}
	}
}

func TestProofRefused(t *testing.T) {
	l := newLog(t)
	l.fill(20)
	l.add(l.action(l.agent), func(e *entry.Entry) { e.Envelope.Signature = make([]byte, 64) })
	forged := int64(len(l.entries) - 1)
	proof := func(i int64) tree.TextProof {
		return tree.TextProof{Index: i, Hashes: l.inclusion(i), Checkpoint: l.checkpoint()}
	}
	raw := l.entries[11]
	if p, err := verifier.OpenProof(proof(11), raw, l.log.Key(), l.agent.Public()); err != nil || !p.Signed {
		t.Errorf("with the signer's key: %+v, %v", p, err)
	}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if _, err := verifier.OpenProof(proof(11), changed, l.log.Key(), nil); err == nil {
			t.Errorf("byte %d changed: no error", i)
		}
	}
	other := proof(11)
	other.Index = 12
	for name, err := range map[string]error{
		"another entry":          second(verifier.OpenProof(proof(11), l.entries[12], l.log.Key(), nil)),
		"another index":          second(verifier.OpenProof(other, raw, l.log.Key(), nil)),
		"no entry":               second(verifier.OpenProof(proof(11), nil, l.log.Key(), nil)),
		"bytes after it":         second(verifier.OpenProof(proof(11), append(bytes.Clone(raw), 0), l.log.Key(), nil)),
		"no key":                 second(verifier.OpenProof(proof(11), raw, tree.LogKey{}, nil)),
		"another signer":         second(verifier.OpenProof(proof(11), raw, l.log.Key(), l.admin.Public())),
		"a forged one, asked of": second(verifier.OpenProof(proof(forged), l.entries[forged], l.log.Key(), l.agent.Public())),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A leaf that is no entry is proven, and is none all the same.
	l.entries[3] = []byte("words")
	if _, err := verifier.OpenProof(proof(3), l.entries[3], l.log.Key(), nil); err == nil {
		t.Error("a leaf of words: no error")
	}
}

func second[T any](_ T, err error) error { return err }
