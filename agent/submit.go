package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
)

// sending is a signed record on its way.
type sending struct {
	*Signed
	// maybe: an attempt may have reached the ledger.
	maybe bool
	// enrols: it registers the key that signed it.
	enrols bool
	// logged, if set, is called once the record is proven to be logged.
	logged func()
}

// submit makes attempts until the record is logged, refused, or there is no
// more time, and checks the receipt.
func (c *Client) submit(ctx context.Context, s *sending) (*Receipt, error) {
	var resp *onusv1.SubmitResponse
	err := c.retry(ctx, &s.maybe, func(ctx context.Context) (err error) {
		if s.enrols {
			e, err := c.rpc.Enrol(ctx, &onusv1.EnrolRequest{Envelope: s.Record.Envelope.Proto(), UserToken: string(s.token)})
			resp = &onusv1.SubmitResponse{Receipt: e.GetReceipt(), Duplicate: e.GetDuplicate()}
			return err
		}
		req := s.request()
		req.Wait, req.WaitTimeout = c.wait()
		resp, err = c.rpc.Submit(ctx, req)
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	s.maybe = true // the ledger says that it is logged; whether that is so comes next
	return c.open(ctx, s.Signed, resp)
}

func (s *Signed) request() *onusv1.SubmitRequest {
	return &onusv1.SubmitRequest{Envelope: s.Record.Envelope.Proto(), Contents: s.Contents, UserToken: string(s.token)}
}

// failed adds to an error of retry which record it is about.
func (s *sending) failed(err error) error {
	switch e := err.(type) {
	case *RefusedError:
		e.ID, e.Sequence, e.Spent = s.Record.ID, s.Record.Msg.GetSequence(), s.maybe
	case *OutageError:
		e.ID, e.Unknown = s.Record.ID, s.maybe
	}
	return err
}

// Log logs one signed record, of [Client.Sign], and returns its receipt,
// checked. After an [*OutageError] that is Unknown, the same record may be
// logged again: if it is there, it comes back as a duplicate. Where the party
// that signed it is revoked, the error is a [*RevokedError], with a receipt if
// the record was logged all the same; the party should say no more.
func (c *Client) Log(ctx context.Context, s *Signed) (*Receipt, error) {
	return c.logOne(ctx, &sending{Signed: s})
}

func (c *Client) logOne(ctx context.Context, s *sending) (*Receipt, error) {
	r, err := c.submit(ctx, s)
	if no := (*RefusedError)(nil); errors.As(err, &no) {
		if gone := revokedBy(s.Record.ID, nil, no); gone != nil {
			return nil, gone
		}
	}
	if err != nil {
		return nil, err
	}
	if gone := revokedBy(r.ID, r.Revoked, nil); gone != nil {
		return r, gone
	}
	return r, nil
}

// open checks what the ledger answered about a record.
func (c *Client) open(ctx context.Context, s *Signed, resp *onusv1.SubmitResponse) (*Receipt, error) {
	env := s.Record.Envelope
	proven, err := c.openReceipt(s, resp.GetReceipt())
	if err != nil {
		return nil, &ProofError{ID: s.Record.ID, Receipt: resp.GetReceipt(), Err: err}
	}
	cosigned, unwitnessed, err := c.witnessed(resp.GetReceipt().GetCheckpoint())
	if err != nil {
		return nil, &ProofError{ID: s.Record.ID, Receipt: resp.GetReceipt(), Err: err}
	}
	if err := c.observe(ctx, resp.GetReceipt().GetCheckpoint(), proven.Checkpoint); err != nil {
		return nil, err
	}
	env.Signature = resp.GetReceipt().GetSignature() // the one that was logged
	return &Receipt{
		ID:         s.Record.ID,
		Index:      proven.Index,
		Duplicate:  resp.GetDuplicate(),
		LogTime:    time.UnixMilli(proven.Stamp.LogTime).UTC(),
		Checkpoint: proven.Checkpoint,
		Cosigned:   cosigned, Unwitnessed: unwitnessed,
		Proven:    &onusv1.ProvenRecord{Envelope: env.Proto(), Receipt: resp.GetReceipt()},
		Withheld:  s.Withheld,
		Assurance: int(proven.Stamp.Assurance),
		Why:       resp.GetToken().GetWhy(),
		Revoked:   resp.GetRevoked(),
		link:      s.Link(),
	}, nil
}

func (c *Client) openReceipt(s *Signed, rec *onusv1.Receipt) (*verifier.Proven, error) {
	if s.key == nil { // nothing here signed it
		env := s.Record.Envelope
		return c.receipts.Open(rec, env.Type, env.Payload, nil)
	}
	return c.receipts.OpenOwn(rec, s.Record, s.key)
}

// Bounds of one SubmitBatch call. The server takes 256 records and 16 MiB.
const (
	maxBatch      = 256
	maxBatchBytes = 8 << 20
)

// Submit logs signed records, those of an [Author] or of [Client.Sign], many in
// one call to the ledger, and checks every receipt. The receipts stand in the order of the records;
// where one is nil, the error says why. Nothing is kept: after an error the
// same records may be submitted again, and those that are logged come back as
// duplicates.
//
// Records are ordered as given. But where the ledger is so busy that it takes
// a part of them only, the rest is submitted again and comes later.
func (c *Client) Submit(ctx context.Context, signed ...*Signed) ([]*Receipt, error) {
	receipts := make([]*Receipt, len(signed))
	for from := 0; from < len(signed); {
		to, bytes := from, 0
		for to < len(signed) && to-from < maxBatch && (to == from || bytes < maxBatchBytes) {
			bytes += signed[to].size()
			to++
		}
		if to-from > 1 && bytes > maxBatchBytes {
			to-- // the last one made it too large
		}
		if err := c.submitBatch(ctx, signed[from:to], receipts[from:to]); err != nil {
			return receipts, err
		}
		from = to
	}
	return receipts, nil
}

func (s *Signed) size() int {
	n := len(s.Record.Envelope.Payload) + 1024
	for _, c := range s.Contents {
		n += len(c.GetData()) + 64
	}
	return n
}

// submitBatch logs at most maxBatch records. Those that are to be tried again
// are, without those that are settled.
func (c *Client) submitBatch(ctx context.Context, signed []*Signed, receipts []*Receipt) error {
	var open []*sending
	place := map[*sending]int{}
	for i, s := range signed {
		out := &sending{Signed: s}
		open, place[out] = append(open, out), i
	}
	var refusals []error
	maybe := false
	err := c.retry(ctx, &maybe, func(ctx context.Context) error {
		req := &onusv1.SubmitBatchRequest{}
		req.Wait, req.WaitTimeout = c.wait()
		for _, s := range open {
			req.Items = append(req.Items, s.request())
		}
		resp, err := c.rpc.SubmitBatch(ctx, req)
		if err != nil {
			return err
		}
		if len(resp.GetResults()) != len(open) {
			return &ProofError{ID: open[0].Record.ID, Err: fmt.Errorf("%d results for %d records", len(resp.GetResults()), len(open))}
		}
		var again []*sending
		var first error
		sent := len(open)
		for i, res := range resp.GetResults() {
			s := open[i]
			if res.GetError() == nil {
				if receipts[place[s]], err = c.open(ctx, s.Signed, res.GetLogged()); err != nil {
					return err
				}
				continue
			}
			err := itemError(res.GetError())
			what, problem := judge(err)
			if what == refused {
				s.maybe = maybe
				refusals = append(refusals, s.failed(refusal(err, problem)))
				continue
			}
			again = append(again, s)
			if first == nil {
				first = err
			}
		}
		open = again
		if first != nil && len(open) < sent {
			return moved{first}
		}
		return first
	})
	if err != nil && len(open) > 0 {
		err = (&sending{Signed: open[0].Signed, maybe: maybe}).failed(err)
	}
	return errors.Join(append(refusals, err)...)
}

// moved is an attempt's error that brought the work forward all the same: the
// pauses begin anew.
type moved struct{ error }

// retry makes attempts until one succeeds, is refused, or there is no more
// time. It sets *maybe if an attempt may have done what it was to do. Its
// errors are a *RefusedError, an *OutageError, or a *ProofError or *ForkError
// that attempt returned.
func (c *Client) retry(ctx context.Context, maybe *bool, attempt func(context.Context) error) error {
	if c.cfg.OnOutage == Fail {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.cfg.Patience, fmt.Errorf("gave up after %v", c.cfg.Patience))
		defer cancel()
	}
	if err := c.heads.forked(); err != nil {
		return err
	}
	var last error
	for n := 0; ; n++ {
		if ctx.Err() != nil {
			return &OutageError{Err: errors.Join(last, context.Cause(ctx))}
		}
		one, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		err := attempt(one)
		cancel()
		if err == nil {
			return nil
		}
		switch e := err.(type) {
		case *ProofError, *ForkError:
			return err
		case moved:
			err, n = e.error, 0
		}
		what, problem := judge(err)
		if what == refused {
			return refusal(err, problem)
		}
		if what == uncertain {
			*maybe = true
		}
		last = err
		pause := backoff(n, retryAfter(problem))
		if end, ok := ctx.Deadline(); ok && c.cfg.OnOutage == Fail && time.Until(end) < pause {
			return &OutageError{Err: err} // the next attempt would come too late
		}
		c.log.Warn("ledger not reached, trying again", "attempt", n+1, "pause", pause, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// oneAttempt is how long a call may take that is not made again.
func (c *Client) oneAttempt() time.Duration {
	if c.cfg.OnOutage == Fail {
		return min(c.cfg.Timeout, c.cfg.Patience)
	}
	return c.cfg.Timeout
}

// backoff returns how long to pause after attempt n: from half to all of
// 50 ms, doubled each time up to 5 s, and what the ledger asked for before
// that. Without the spread, the agents that an outage stopped would all come
// back at the same moments.
func backoff(n int, asked time.Duration) time.Duration {
	d := 50 * time.Millisecond << min(n, 7)
	d = min(d, 5*time.Second)
	return asked + d/2 + rand.N(d/2)
}
