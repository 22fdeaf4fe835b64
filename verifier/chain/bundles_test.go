package chain_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// The scenarios as evidence files, for whoever checks and renders them: the
// whole log of each, under one checkpoint. Nothing in them is random.
func TestScenarioBundles(t *testing.T) {
	seed := sha256.Sum256([]byte("log"))
	log, err := tree.NewLogSigner(origin, ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("testdata", "bundles")
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, filepath.Join(dir, "log.vkey"), []byte(log.Key().String()+"\n"))
	for _, group := range [][]scenario{simple, capabilityGap, purchase, wentWrong, autonomous} {
		for _, s := range group {
			w := newWorld(t)
			s.log(w)
			b := w.bundle(log, w.named(s.of).ID)
			res, err := b.Verify(evidence.Trust{LogKey: log.Key()})
			if err == nil {
				err = res.Err()
			}
			if err != nil {
				t.Errorf("%s: %v", s.name, err)
				continue
			}
			var file bytes.Buffer
			if _, err := b.WriteTo(&file); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, strings.ReplaceAll(s.name, " ", "-")+".onus")
			if *update {
				if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; go test -update writes it", err)
			}
			if !bytes.Equal(file.Bytes(), want) {
				t.Errorf("%s: the file is not what the scenario gives; go test -update writes it", path)
			}
		}
	}
}

// bundle is the evidence for a record's chain: the whole log.
func (w *world) bundle(log tree.LogSigner, asked record.ID) *evidence.Bundle {
	w.t.Helper()
	f := tree.NewFrontier()
	b := &evidence.Bundle{Scope: evidence.Scope{Asked: []record.ID{asked}, Claim: "the whole log"}}
	for i, raw := range w.raw {
		f.Append(tree.LeafHash(raw), nil)
		b.Leaves = append(b.Leaves, evidence.Shown(int64(i), raw))
	}
	var err error
	if b.Checkpoint, err = log.Sign(f.Size(), f.Root()); err != nil {
		w.t.Fatal(err)
	}
	if err := b.Prove(func(uint, int64) (tree.Hash, error) { panic("a whole log needs no hash") }); err != nil {
		w.t.Fatal(err)
	}
	return b
}
