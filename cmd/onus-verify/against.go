package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

// saved reads the checkpoints that the reader saved, and asks the server for
// the proofs that join them to the evidence's. What cannot be opened with the
// reader's key is for the report to say.
func (f *bundleFlags) saved(ctx context.Context, t verifier.Trust, b *evidence.Bundle) ([]verifier.Saved, error) {
	var all []verifier.Saved
	for _, path := range f.against {
		signed, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--against: %w", err)
		}
		s := verifier.Saved{Signed: signed}
		key, err := verifier.LogKeyFor(b, t)
		if err != nil {
			return nil, err
		}
		if key.IsZero() {
			return nil, errors.New("--against compares signed checkpoints: give the log's key too, --log-key FILE")
		}
		old, err := key.Open(signed)
		if err != nil {
			return nil, fmt.Errorf("--against %s: %w", path, err)
		}
		if now, err := key.Open(b.Checkpoint); err == nil && old.Size != now.Size {
			if f.server == "" {
				return nil, fmt.Errorf("--against %s: it is of %d entries and the evidence of %d: that the log only grew takes a proof, give --server URL to ask for it", path, old.Size, now.Size)
			}
			if s.Proof, err = f.consistency(ctx, min(old.Size, now.Size), max(old.Size, now.Size)); err != nil {
				return nil, err
			}
			s.Proven = true
		}
		all = append(all, s)
	}
	return all, nil
}

func (f *bundleFlags) consistency(ctx context.Context, first, second int64) ([]tree.Hash, error) {
	client, err := newClient(f.server, f.token, f.ca)
	if err != nil {
		return nil, err
	}
	resp, err := client.GetConsistency(ctx, &onusv1.GetConsistencyRequest{First: first, Second: second})
	if err != nil {
		return nil, errors.New(plain(err))
	}
	return tree.ParseProof(resp.GetProof())
}
