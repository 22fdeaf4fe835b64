package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
)

// heads is what a client knows of the log's growth.
type heads struct {
	mu      sync.Mutex
	signed  string          // under mu: the last checkpoint proven to follow; "" if none was seen
	cp      tree.Checkpoint // under mu: the same, opened
	checked time.Time       // under mu: when that was
	fork    *ForkError      // under mu: sticky
}

func (h *heads) pin(key tree.LogKey, signed string) error {
	cp, err := key.Open([]byte(signed))
	if err != nil {
		return err
	}
	h.signed, h.cp = signed, cp
	return nil
}

// Checkpoint returns the newest signed checkpoint that is proven to follow all
// those returned before; empty if none was seen. Kept, and given to the next
// process as Config.Checkpoint, it makes the log answer for its past there.
func (c *Client) Checkpoint() string {
	c.heads.mu.Lock()
	defer c.heads.mu.Unlock()
	return c.heads.signed
}

// observe holds a checkpoint, which the pinned key has signed, against the
// last one that was proven. A proof that cannot be had now is asked for at a
// later checkpoint: the record itself is proven without it.
func (c *Client) observe(ctx context.Context, signed string, cp tree.Checkpoint) error {
	h := &c.heads
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.fork != nil:
		return h.fork
	case h.signed == "":
		h.signed, h.cp, h.checked = signed, cp, time.Now()
		return nil
	case cp.Size == h.cp.Size:
		if cp.Root != h.cp.Root {
			return h.broken(signed, cp, nil, fmt.Errorf("it signed two roots for size %d", cp.Size))
		}
		return nil
	case cp.Size > h.cp.Size && c.cfg.CheckEvery > 0 && time.Since(h.checked) < c.cfg.CheckEvery:
		return nil
	}
	older, newer := h.cp, cp
	if cp.Size < h.cp.Size {
		older, newer = cp, h.cp
	}
	ctx, cancel := context.WithTimeout(ctx, c.oneAttempt())
	defer cancel()
	resp, err := c.rpc.GetConsistency(ctx, &onusv1.GetConsistencyRequest{First: older.Size, Second: newer.Size})
	if err != nil {
		if connect.CodeOf(err) == connect.CodeOutOfRange {
			return h.broken(signed, cp, nil, fmt.Errorf("it signed size %d and now has fewer entries: %w", newer.Size, err))
		}
		c.log.Warn("growth of the log not checked, trying again with a later record", "err", err)
		return nil
	}
	proof, err := tree.ParseProof(resp.GetProof())
	if err == nil && (resp.GetFirst() != older.Size || resp.GetSecond() != newer.Size) {
		err = errors.New("the proof is for other sizes")
	}
	if err == nil {
		err = tree.VerifyConsistency(older.Size, newer.Size, older.Root, newer.Root, proof)
	}
	if err != nil {
		return h.broken(signed, cp, resp.GetProof(), fmt.Errorf("size %d is not proven to follow size %d: %w", newer.Size, older.Size, err))
	}
	if cp.Size > h.cp.Size {
		h.signed, h.cp = signed, cp
	}
	h.checked = time.Now()
	return nil
}

// forked returns the error that stays, if there is one.
func (h *heads) forked() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fork == nil {
		return nil
	}
	return h.fork
}

// broken makes the error that stays. The caller holds mu.
func (h *heads) broken(signed string, cp tree.Checkpoint, proof [][]byte, err error) error {
	e := &ForkError{Older: h.signed, Newer: signed, Proof: proof, Err: err}
	if cp.Size < h.cp.Size {
		e.Older, e.Newer = e.Newer, e.Older
	}
	h.fork = e
	return e
}
