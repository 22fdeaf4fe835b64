package verifier

import (
	"bytes"
	"fmt"
	"sync"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Receipts opens many receipts of one log, and reaches the same verdict on
// each as [OpenReceipt]. Records that were logged together have one checkpoint
// in their receipts, and the same bytes need no second look: a checkpoint whose
// signature held is remembered, as it came, until a few others were seen. One
// that did not hold is not. It is safe for concurrent use.
type Receipts struct {
	key tree.LogKey

	mu   sync.Mutex
	seen [8]openedCheckpoint // under mu: the newest overwrites the oldest
	next int                 // under mu
}

type openedCheckpoint struct {
	signed     []byte
	checkpoint tree.Checkpoint
}

// NewReceipts returns what opens the receipts of the log with this key.
func NewReceipts(key tree.LogKey) *Receipts { return &Receipts{key: key} }

// Open is [OpenReceipt] with the log's key.
func (rs *Receipts) Open(rec *onusv1.Receipt, t record.PayloadType, payload []byte, signer *record.PublicKey) (*Proven, error) {
	return openReceipt(rec, t, payload, rs.checkpoint, signer)
}

// OpenOwn opens the receipt of a record that the caller has signed itself:
// own is what [record.Sign] returned for the key signer. The record is not
// parsed again; and if the logged signature is own's to the byte, it is the one
// that Sign made and checked. Any other is verified, as a record that was signed
// anew for a retry may stand in the log with the first signature.
func (rs *Receipts) OpenOwn(rec *onusv1.Receipt, own *record.Record, signer *record.PublicKey) (*Proven, error) {
	logged := *own
	logged.Envelope.Signature = rec.GetSignature()
	p, err := prove(rec, &logged, rs.checkpoint)
	if err != nil {
		return nil, err
	}
	same := own.Msg.GetAuthor().GetKeyId() == signer.ID() && bytes.Equal(own.Envelope.Signature, rec.GetSignature())
	if !same {
		if err := logged.VerifySignature(signer); err != nil {
			return nil, fmt.Errorf("the logged signature: %w", err)
		}
	}
	p.Signed = true
	return p, nil
}

// checkpoint is the key's Open. The lock is held while a signature is checked:
// of many callers with the same new checkpoint, one checks it.
func (rs *Receipts) checkpoint(signed []byte) (tree.Checkpoint, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for i := range rs.seen {
		if s := &rs.seen[i]; s.signed != nil && bytes.Equal(s.signed, signed) {
			return s.checkpoint, nil
		}
	}
	cp, err := rs.key.Open(signed)
	if err != nil {
		return tree.Checkpoint{}, err
	}
	rs.seen[rs.next] = openedCheckpoint{bytes.Clone(signed), cp}
	rs.next = (rs.next + 1) % len(rs.seen)
	return cp, nil
}
