package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// MaxChunk is the most bytes of a file in one message of a stream.
const MaxChunk = 256 << 10

// maxBundling is how many evidence files are made at once: each is gathered,
// judged and verified in memory. Callers beyond that wait.
const maxBundling = 4

// GetBundle makes an evidence file and streams it. It is whole and verified
// before its first byte leaves.
func (s *service) GetBundle(ctx context.Context, req *onusv1.GetBundleRequest, stream *connect.ServerStream[onusv1.GetBundleResponse]) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(ledger.ErrStopped) })()
	err := s.sendBundle(ctx, req, stream.Send)
	if errors.Is(context.Cause(ctx), ledger.ErrStopped) {
		err = ledger.ErrStopped
	}
	var denied *notPermittedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &denied):
		return s.denied(ctx, onusv1connect.LedgerServiceGetBundleProcedure, denied)
	}
	return s.fail(err)
}

func (s *service) sendBundle(ctx context.Context, req *onusv1.GetBundleRequest, send func(*onusv1.GetBundleResponse) error) error {
	ids, err := s.asked(req.GetIds())
	if err != nil {
		return err
	}
	recorded := s.recordReads(ctx, "GetBundle", req.GetIds())
	b, err := s.bundle(ctx, ledger.Ask{IDs: ids, Where: req.GetWhere(), RegistryReference: req.GetRegistryReference(), Reader: s.reader(s.view(ctx), req)})
	if err != nil {
		return err
	}
	if err := recorded(); err != nil {
		return err
	}
	w := &chunks{ctx: ctx, send: send}
	if _, err := b.WriteTo(w); err != nil {
		return err
	}
	return w.flush()
}

// bundle has the ledger make an evidence file when it is this call's turn.
func (s *service) bundle(ctx context.Context, ask ledger.Ask) (*evidence.Bundle, error) {
	select {
	case s.bundling <- struct{}{}:
		defer func() { <-s.bundling }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.ledger.Bundle(ctx, ask)
}

// asked parses the ids, and holds them to the log: of what it does not have no
// read is recorded.
func (s *service) asked(names []string) ([]record.ID, error) {
	ids := make([]record.ID, len(names))
	for i, name := range names {
		var err error
		if ids[i], err = record.ParseID(name); err != nil {
			return nil, &record.Error{Reason: record.ReasonInvalid, Field: fmt.Sprintf("ids[%d]", i), Detail: "is not a record id: " + err.Error(), Next: "use the id from a receipt"}
		}
		if _, err := s.ledger.Index(ids[i]); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// reader is what a caller sees of a bundle: of a chain what GetChain shows it,
// and of what the chain rests on what it may read besides.
func (s *service) reader(v view, req *onusv1.GetBundleRequest) ledger.Reader {
	var r ledger.Reader
	if v.Scoped() {
		r.Chain = func(c *ledger.Chain) (func(*ledger.Entry) bool, error) {
			operator, all, err := v.chain(c)
			return func(e *ledger.Entry) bool { return all || v.isFor(operator, e.Record.Msg) }, err
		}
		r.Sees = func(e *ledger.Entry) bool {
			return v.mayRead(e) == nil || e.Record.Msg.GetDelegation() != nil && s.mayReadGrant(v, e)
		}
	}
	contents := func(e *ledger.Entry) bool { return v.contents(e.Record.Msg.GetAuthor()) }
	if req.GetContents() {
		r.Contents = contents
	}
	if req.GetUserTokens() {
		r.Token = contents
	}
	return r
}

// recordReads is recordRead for each of several records, a batch at a time. The
// registry alone is not recorded: who is registered is no secret here.
func (s *service) recordReads(ctx context.Context, procedure string, records []string) (done func() error) {
	logged := make(chan error, 1)
	go func() {
		for batch := range slices.Chunk(records, MaxBatch) {
			waits := make([]func() error, len(batch))
			for i, name := range batch {
				waits[i] = s.recordRead(ctx, procedure, name)
			}
			for _, wait := range waits {
				if err := wait(); err != nil {
					logged <- err
					return
				}
			}
		}
		logged <- nil
	}()
	return func() error { return <-logged }
}

// chunks sends what is written to it, in messages of one size but the last.
type chunks struct {
	ctx  context.Context
	send func(*onusv1.GetBundleResponse) error
	buf  []byte
}

// Write implements io.Writer.
func (c *chunks) Write(p []byte) (n int, err error) {
	for n < len(p) {
		part := p[n:min(len(p), n+MaxChunk-len(c.buf))]
		c.buf = append(c.buf, part...)
		n += len(part)
		if len(c.buf) == MaxChunk {
			if err := c.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (c *chunks) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	err := c.send(&onusv1.GetBundleResponse{Data: c.buf})
	c.buf = c.buf[:0]
	return err
}
