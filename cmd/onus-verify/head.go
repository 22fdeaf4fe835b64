package main

import (
	"context"
	"fmt"

	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
)

// head is a checkpoint that the log signed, as it came.
type head struct {
	signed []byte
	tree.Checkpoint
}

func openHead(signed []byte, key tree.LogKey) (head, error) {
	cp, err := key.Open(signed)
	return head{signed, cp}, err
}

// forkError says that the log signed two histories, and has the proof.
type forkError struct{ fork *tree.Fork }

func (e *forkError) Error() string { return "the log signed two histories" }

// rollbackError says that a log shows fewer entries than it once signed. By itself
// that is no proof of anything: an old checkpoint stays true, and a cache may have
// kept it.
type rollbackError struct{ seen, now head }

func (e *rollbackError) Error() string {
	return fmt.Sprintf("the log shows %d entries, and has signed %d before", e.now.Size, e.seen.Size)
}

// extends reports whether the tree of now holds all that seen had: nil if it does.
// The proof comes out of now's own tiles, each authenticated by its root. What is
// proven with them is a [*forkError]; that they do not come, or do not fit, is not.
func extends(ctx context.Context, key tree.LogKey, seen, now head, t *tiles.Tree) error {
	var fork *tree.Fork
	switch {
	case seen.signed == nil:
		return nil
	case now.Size < seen.Size:
		return &rollbackError{seen, now}
	case now.Size == seen.Size && now.Root == seen.Root:
		return nil
	case now.Size == seen.Size:
		fork = &tree.Fork{Older: seen.signed, Newer: now.signed}
	default:
		root, proof, err := t.Consistency(ctx, seen.Size)
		if err != nil {
			return err
		}
		if root == seen.Root {
			return nil
		}
		fork = &tree.Fork{Older: seen.signed, Newer: now.signed, Root: root, Proof: proof}
	}
	// Whoever gets it will check it like this.
	if err := fork.Check(key); err != nil {
		panic("onus-verify: a proof of two histories does not hold: " + err.Error())
	}
	return &forkError{fork}
}

// forkFromLeaves says the same of a smaller checkpoint than the one that was seen,
// by the leaves of that: nil if it is the same history.
func forkFromLeaves(key tree.LogKey, seen, now head, leaves []tree.Hash) (*tree.Fork, error) {
	if now.Size == 0 || now.Size > seen.Size || int64(len(leaves)) < seen.Size {
		return nil, nil
	}
	root := rootOf(leaves[:now.Size])
	if root == now.Root {
		return nil, nil
	}
	fork := &tree.Fork{Older: now.signed, Newer: seen.signed}
	if now.Size < seen.Size {
		proof, err := tree.ProveConsistency(now.Size, seen.Size, func(level uint, index int64) (tree.Hash, error) {
			return rootOf(leaves[index<<level : (index+1)<<level]), nil
		})
		if err != nil {
			return nil, err
		}
		fork.Root, fork.Proof = root, proof
	}
	return fork, fork.Check(key)
}

func rootOf(leaves []tree.Hash) tree.Hash {
	f := tree.NewFrontier()
	for _, h := range leaves {
		f.Append(h, nil)
	}
	return f.Root()
}
