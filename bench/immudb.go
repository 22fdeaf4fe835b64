package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/codenotary/immudb/embedded/htree"
	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/embedded/store"
)

// immudbSystem is immudb's embedded store, synced. What a submitter holds is
// what immudb's own client checks on a verified write: the entry is in the
// transaction, and the transaction's chain continues from the last state that
// the submitter trusted (store.VerifyDualProof). The embedded store signs
// nothing; its server would sign the state.
func immudbSystem(name, title string, batched bool) system {
	return system{name: name, title: title, proof: "inclusion and dual proof verified; no signature at all",
		open: func(ctx context.Context, c cell, dir string) (*running, error) {
			return openImmudb(ctx, c, dir, batched)
		}}
}

// immudbMaxBatch is how many entries our sequencer puts into one transaction.
const immudbMaxBatch = 4096

// immudbSync is how long the store gathers transactions before a sync, in four
// steps; it stops early when none comes. Tried from 0.25 to 8 ms at 64 and 512
// submitters; immudb's own default is 20. A sequencer gathers by itself, and wants its sync at once.
func immudbSync(submitters int, batched bool) time.Duration {
	switch {
	case batched:
		return 250 * time.Microsecond
	case submitters <= 1:
		return time.Millisecond
	case submitters <= 64:
		return 2 * time.Millisecond
	default:
		return 4 * time.Millisecond
	}
}

type immuStore struct {
	*store.ImmuStore
	first *store.TxHeader // where every submitter's trust begins
	keys  atomic.Uint64
}

func openImmudb(ctx context.Context, c cell, dir string, batched bool) (*running, error) {
	sync := immudbSync(c.Submitters, batched)
	opts := store.DefaultOptions().WithSynced(true).WithSyncFrequency(sync).
		WithMaxActiveTransactions(2*c.Submitters + 1000).WithMaxWaitees(2*c.Submitters + 1000).
		WithMaxConcurrency(max(store.DefaultMaxConcurrency, c.Submitters)).
		WithLogger(logger.NewMemoryLoggerWithLevel(logger.LogError))
	settings := fmt.Sprintf("synced, sync frequency %v, key index on", sync)
	if batched {
		opts = opts.WithMaxTxEntries(immudbMaxBatch).WithMaxConcurrency(store.DefaultMaxConcurrency)
		settings += fmt.Sprintf(", all that wait go into one transaction of at most %d entries", immudbMaxBatch)
	}
	st, err := store.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	s := &immuStore{ImmuStore: st}
	e := s.entry(make([]byte, EntrySize))
	if s.first, err = s.commit(ctx, []*store.EntrySpec{e}); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	r := &running{
		settings: settings,
		check:    s.check,
		close:    st.Close,
		worker:   s.oneEntryWorker,
	}
	if batched {
		q := newImmuSequencer(s)
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			q.run(run)
		}()
		r.worker = q.worker
		r.close = func() error {
			stop()
			<-done
			return st.Close()
		}
	}
	return r, nil
}

func (s *immuStore) entry(value []byte) *store.EntrySpec {
	return &store.EntrySpec{Key: binary.BigEndian.AppendUint64(nil, s.keys.Add(1)), Value: value}
}

// commit returns when the transaction is synced; the key index follows behind.
func (s *immuStore) commit(ctx context.Context, entries []*store.EntrySpec) (*store.TxHeader, error) {
	tx, err := s.NewWriteOnlyTx(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := tx.Set(e.Key, e.Metadata, e.Value); err != nil {
			return nil, errors.Join(err, tx.Cancel())
		}
	}
	return tx.AsyncCommit(ctx)
}

// entryTree is the hash tree of a transaction, which is made of what went into
// it: immudb's server would read it back from the log, which costs more.
func entryTree(hdr *store.TxHeader, entries []*store.EntrySpec) (*htree.HTree, [][sha256.Size]byte, error) {
	digest, err := store.EntrySpecDigestFor(hdr.Version)
	if err != nil {
		return nil, nil, err
	}
	digests := make([][sha256.Size]byte, len(entries))
	for i, e := range entries {
		digests[i] = digest(e)
	}
	t, err := htree.New(len(entries))
	if err != nil {
		return nil, nil, err
	}
	return t, digests, t.BuildWith(digests)
}

func verifyEntry(t *htree.HTree, hdr *store.TxHeader, i int, digest [sha256.Size]byte) error {
	p, err := t.InclusionProof(i)
	if err != nil {
		return err
	}
	if !store.VerifyInclusion(p, digest, hdr.Eh) {
		return fmt.Errorf("entry %d is not in transaction %d", i, hdr.ID)
	}
	return nil
}

// verifyChain checks that the history at hdr continues that at trusted.
func (s *immuStore) verifyChain(trusted, hdr *store.TxHeader) error {
	p, err := s.DualProof(trusted, hdr)
	if err != nil {
		return err
	}
	if !store.VerifyDualProof(p, trusted.ID, hdr.ID, trusted.Alh(), hdr.Alh()) {
		return fmt.Errorf("transaction %d does not continue %d", hdr.ID, trusted.ID)
	}
	return nil
}

func (s *immuStore) oneEntryWorker() func(context.Context) error {
	next, trusted := entrySource(), s.first
	return func(ctx context.Context) error {
		entries := []*store.EntrySpec{s.entry(next())}
		hdr, err := s.commit(ctx, entries)
		if err != nil {
			return err
		}
		t, digests, err := entryTree(hdr, entries)
		if err != nil {
			return err
		}
		if err := verifyEntry(t, hdr, 0, digests[0]); err != nil {
			return err
		}
		if err := s.verifyChain(trusted, hdr); err != nil {
			return err
		}
		trusted = hdr
		return nil
	}
}

// check counts the entries of all transactions, whose hashes the store
// verifies when it reads them.
func (s *immuStore) check(_ context.Context, n int64) error {
	tx := store.NewTx(s.MaxTxEntries(), s.MaxKeyLen())
	r, err := s.NewTxReader(1, false, tx)
	if err != nil {
		return err
	}
	got := int64(-1) // the first is ours
	for {
		tx, err := r.Read()
		if errors.Is(err, store.ErrNoMoreEntries) {
			break
		} else if err != nil {
			return err
		}
		got += int64(tx.Header().NEntries)
	}
	if got != n {
		return fmt.Errorf("the store has %d entries, and %d were acknowledged", got, n)
	}
	return nil
}
