package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

func checkProofPath(path string) error {
	if base, ok := strings.CutSuffix(path, tree.ProofSuffix); !ok || base == "" {
		return usageError{fmt.Errorf("--format tlog-proof needs -o NAME%s: the entry is written beside it, to NAME.entry", tree.ProofSuffix)}
	}
	return nil
}

// writeTextProof writes a tlog-proof and, beside it, the entry that it is about.
// The entry comes first: a proof that stands there has its entry.
func writeTextProof(w io.Writer, path string, p *onusv1.ProvenRecord) error {
	env, err := record.EnvelopeFromProto(p.GetEnvelope())
	if err != nil {
		return fmt.Errorf("the ledger's answer: %w", err)
	}
	env.Signature = p.GetReceipt().GetSignature() // the one that was logged
	raw, err := entry.Assemble(p.GetReceipt().GetStamp(), env)
	if err != nil {
		return fmt.Errorf("the ledger's answer: %w", err)
	}
	hashes, err := tree.ParseProof(p.GetReceipt().GetInclusion())
	if err != nil {
		return fmt.Errorf("the ledger's answer: %w", err)
	}
	text, err := tree.TextProof{Index: p.GetReceipt().GetIndex(), Hashes: hashes, Checkpoint: []byte(p.GetReceipt().GetCheckpoint())}.Marshal()
	if err != nil {
		return fmt.Errorf("the ledger's answer: %w", err)
	}
	beside := strings.TrimSuffix(path, tree.ProofSuffix) + ".entry"
	if err := os.WriteFile(beside, raw, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(w, "wrote %s, and the entry that it proves to %s\n", path, beside)
	return nil
}
