package verifier

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// OpenProof checks a tlog-proof for the entry whose bytes are raw: that the log
// with this key has it at the proof's index. It proves what [OpenReceipt] does,
// from files that other programs can read too: the leaf is the hash of raw as it
// is, and nothing has to be put together. With signer, it also checks that the
// logged signature is the signer's.
func OpenProof(p tree.TextProof, raw []byte, key tree.LogKey, signer *record.PublicKey) (*Proven, error) {
	leaf := tree.LeafHash(raw)
	cp, err := p.Verify(leaf, key)
	if err != nil {
		return nil, fmt.Errorf("the entry is not proven to be at index %d: %w", p.Index, err)
	}
	e, err := entry.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("the entry: %w", err)
	}
	r, err := record.Parse(e.Envelope)
	if err != nil {
		return nil, fmt.Errorf("the record is not valid: %w", err)
	}
	if r.Msg.GetOrigin() != cp.Origin {
		return nil, fmt.Errorf("the record was made for %q and stands in %q", r.Msg.GetOrigin(), cp.Origin)
	}
	out := &Proven{Record: r, Index: p.Index, Stamp: e.Stamp, Leaf: leaf, Checkpoint: cp}
	if signer != nil {
		if err := r.VerifySignature(signer); err != nil {
			return nil, fmt.Errorf("the logged signature: %w", err)
		}
		out.Signed = true
	}
	return out, nil
}
