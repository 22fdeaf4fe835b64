package main

import (
	"context"

	"github.com/codenotary/immudb/embedded/store"
)

// immuSequencer is what a careful user of immudb would build: it gathers all
// that wait into one transaction, as Onus's own sequencer does. The dual proof
// is checked once a transaction, for all that are in it, and inclusion by each
// submitter.
type immuSequencer struct {
	s     *immuStore
	queue chan immuWaiting
}

type immuWaiting struct {
	entry  *store.EntrySpec
	placed chan<- immuPlaced
}

// immuPlaced tells a submitter where its entry came to stand; prove checks it.
type immuPlaced struct {
	prove func() error
	err   error
}

func newImmuSequencer(s *immuStore) *immuSequencer {
	return &immuSequencer{s: s, queue: make(chan immuWaiting, 2*immudbMaxBatch)}
}

func (q *immuSequencer) worker() func(context.Context) error {
	next := entrySource()
	placed := make(chan immuPlaced, 1)
	return func(ctx context.Context) error {
		q.queue <- immuWaiting{q.s.entry(next()), placed}
		select {
		case at := <-placed:
			if at.err != nil {
				return at.err
			}
			return at.prove()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (q *immuSequencer) run(ctx context.Context) {
	trusted := q.s.first
	for {
		var batch []immuWaiting
		select {
		case w := <-q.queue:
			batch = append(batch, w)
		case <-ctx.Done():
			return
		}
	gather:
		for len(batch) < immudbMaxBatch {
			select {
			case w := <-q.queue:
				batch = append(batch, w)
			default:
				break gather
			}
		}
		hdr, err := q.place(ctx, trusted, batch)
		if err != nil {
			for _, w := range batch {
				w.placed <- immuPlaced{err: err}
			}
			continue
		}
		trusted = hdr
	}
}

func (q *immuSequencer) place(ctx context.Context, trusted *store.TxHeader, batch []immuWaiting) (*store.TxHeader, error) {
	entries := make([]*store.EntrySpec, len(batch))
	for i, w := range batch {
		entries[i] = w.entry
	}
	hdr, err := q.s.commit(ctx, entries)
	if err != nil {
		return nil, err
	}
	if err := q.s.verifyChain(trusted, hdr); err != nil {
		return nil, err
	}
	t, digests, err := entryTree(hdr, entries)
	if err != nil {
		return nil, err
	}
	for i, w := range batch {
		w.placed <- immuPlaced{prove: func() error { return verifyEntry(t, hdr, i, digests[i]) }}
	}
	return hdr, nil
}
