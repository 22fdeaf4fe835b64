// Package verifier is what an auditor has to trust: pure functions over bytes
// that say what holds and what was not checked. It opens no file, no
// connection and no clock, and it imports nothing of the server; a test holds
// its imports to a short list. The server calls it on itself.
//
//   - [OpenReceipt] checks one record's receipt, [Receipts] those of many.
//   - [OpenProof] checks the same of a tlog-proof and the entry beside it.
//   - [CheckBundle] checks an evidence file, and judges the chains in it.
//   - [Audit] checks a whole log, entry by entry, and judges its chains.
//
// Packages below it: record (what was signed), entry (the leaf), tree (proofs,
// checkpoints, cosignatures), tiles (a tree read from tiles), credential
// (certificates and tokens), registry (who is bound to which key), authority
// (who may do what), chain (how records hang together, and who answers),
// evidence (the file that an auditor takes away).
package verifier

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Proven is what a receipt proves: a log with this key has this record at
// this index.
type Proven struct {
	Record     *record.Record
	Index      int64
	Stamp      entry.Stamp
	Leaf       tree.Hash
	Checkpoint tree.Checkpoint
	// Signed says that the record's signature was checked with the signer's
	// key that the caller gave. Whether that key was bound to the author is
	// proven by the registry, not by a receipt.
	Signed bool
}

// OpenReceipt rebuilds the leaf from the receipt and the author's own payload
// and checks the id, the inclusion proof and the log's signature. The
// envelope's signature is not used: the logged one, from the receipt, is.
// With signer, it also checks that the logged signature is the signer's.
func OpenReceipt(rec *onusv1.Receipt, t record.PayloadType, payload []byte, key tree.LogKey, signer *record.PublicKey) (*Proven, error) {
	return openReceipt(rec, t, payload, key.Open, signer)
}

// checkpointOpener checks a signed checkpoint against a log's key.
type checkpointOpener func(signed []byte) (tree.Checkpoint, error)

func openReceipt(rec *onusv1.Receipt, t record.PayloadType, payload []byte, open checkpointOpener, signer *record.PublicKey) (*Proven, error) {
	r, err := record.Parse(record.Envelope{Type: t, Payload: payload, Signature: rec.GetSignature()})
	if err != nil {
		return nil, fmt.Errorf("the record is not valid: %w", err)
	}
	p, err := prove(rec, r, open)
	if err != nil {
		return nil, err
	}
	if signer != nil {
		if err := r.VerifySignature(signer); err != nil {
			return nil, fmt.Errorf("the logged signature: %w", err)
		}
		p.Signed = true
	}
	return p, nil
}

// prove checks all of a receipt but the author's signature. r is the record
// with the logged signature.
func prove(rec *onusv1.Receipt, r *record.Record, open checkpointOpener) (*Proven, error) {
	if got := r.ID.String(); rec.GetId() != got {
		return nil, fmt.Errorf("the receipt is for record %s, this is %s", rec.GetId(), got)
	}
	stamp, err := entry.ParseStamp(rec.GetStamp())
	if err != nil {
		return nil, fmt.Errorf("the receipt's stamp: %w", err)
	}
	raw, err := entry.Assemble(rec.GetStamp(), r.Envelope)
	if err != nil {
		return nil, fmt.Errorf("rebuild the leaf: %w", err)
	}
	cp, err := open([]byte(rec.GetCheckpoint()))
	if err != nil {
		return nil, err
	}
	inclusion, err := tree.ParseProof(rec.GetInclusion())
	if err != nil {
		return nil, err
	}
	leaf := tree.LeafHash(raw)
	if err := tree.VerifyInclusion(rec.GetIndex(), cp.Size, leaf, inclusion, cp.Root); err != nil {
		return nil, fmt.Errorf("the record is not proven to be at index %d: %w", rec.GetIndex(), err)
	}
	if r.Msg.GetOrigin() != cp.Origin {
		return nil, fmt.Errorf("the record was made for %q and stands in %q", r.Msg.GetOrigin(), cp.Origin)
	}
	return &Proven{Record: r, Index: rec.GetIndex(), Stamp: stamp, Leaf: leaf, Checkpoint: cp}, nil
}
