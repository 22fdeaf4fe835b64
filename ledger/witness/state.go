package witness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/onus-ledger/onus/verifier/tree"
)

// State is what a witness has of the log.
type State struct {
	// Size of the largest tree that it has seen; 0 if it has seen none.
	Size int64
	// Signed is the checkpoint of that tree, signed by the log: proof that
	// there was one. Nil if the size is the witness's word alone.
	Signed []byte
	// Tree is what Signed says.
	Tree tree.Checkpoint
	// Agrees: it has the very tree that it was asked about.
	Agrees bool
	// Disagrees: it says that it has a tree of the size it was asked about,
	// and that it is another.
	Disagrees bool
}

// State asks the witness how far it has seen the log, to be compared with the
// log's own head, of which size and signed checkpoint are given.
//
// The read side of c2sp.org/tlog-witness answers with a checkpoint. Not all
// witnesses have it, and what it shows may be from a cache and old; so, unless
// it shows more than the log has, the question is put to add-checkpoint too:
// "from this size to this size". It proves nothing new; a witness that has
// another size says so.
func (c *Client) State(ctx context.Context, size int64, checkpoint []byte) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	s, err := c.read(ctx)
	if ctx.Err() != nil {
		return s, err
	}
	shown := err == nil
	if shown && s.Size > size {
		return s, nil
	}
	var other *SizeError
	var status *StatusError
	_, err = c.Add(ctx, size, nil, checkpoint)
	switch {
	case err == nil && shown:
		s.Agrees = true
		return s, nil
	case err == nil:
		return State{Size: size, Agrees: true}, nil
	case errors.As(err, &other) && (!shown || other.Size > size):
		return State{Size: other.Size}, nil
	case errors.As(err, &status) && status.Disagrees() && (!shown || s.Size < size):
		return State{Size: size, Disagrees: true}, nil
	case shown:
		// A word that adds nothing to the proof.
		return s, nil
	}
	return State{}, err
}

// read asks the read side: GET <prefix>/<hex SHA-256 of the origin>/checkpoint.
func (c *Client) read(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	sum := sha256.Sum256([]byte(c.key.Origin()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.prefix+"/"+hex.EncodeToString(sum[:])+"/checkpoint", nil)
	if err != nil {
		return State{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return State{}, unreached(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return State{}, statusOf(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, tree.MaxCheckpoint+1))
	if err != nil {
		return State{}, unreached(err)
	}
	// It counts only if the log signed it: then it is no longer the witness's
	// word.
	cp, err := c.key.Open(body)
	if err != nil {
		return State{}, fmt.Errorf("the checkpoint that the witness shows: %w", err)
	}
	return State{Size: cp.Size, Signed: body, Tree: cp}, nil
}
