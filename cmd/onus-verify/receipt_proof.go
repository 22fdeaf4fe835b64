package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// isTextProof tells a tlog-proof by its first words; whether it is a good one is
// another question.
func isTextProof(data []byte) bool { return bytes.HasPrefix(data, []byte("c2sp.org/tlog-proof@")) }

// readEntry reads the entry that a tlog-proof is about: the file that was named,
// or the one beside the proof.
func readEntry(proof, named string) ([]byte, error) {
	path := named
	if path == "" {
		base, ok := strings.CutSuffix(proof, tree.ProofSuffix)
		if !ok {
			return nil, fmt.Errorf("a tlog-proof holds hashes and not the entry: name its file with --entry, or call the two NAME%s and NAME.entry", tree.ProofSuffix)
		}
		path = base + ".entry"
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && named == "" {
		return nil, fmt.Errorf("a tlog-proof holds hashes and not the entry, and there is no %s beside it: name its file with --entry", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, entry.MaxSize+1))
	if err == nil && len(raw) > entry.MaxSize {
		err = fmt.Errorf("%s has more than %d bytes: not an entry", path, entry.MaxSize)
	}
	return raw, err
}
