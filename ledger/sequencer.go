package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// # The shape of this, and what was tried
//
// A record costs a processor's time, and a batch costs a sync. On the machine
// where this was measured (two cores, a sync of 0.2 ms, records of 1 KB, 512
// submitters) a record takes 80 to 100 µs in all: 30 to 45 to check its
// signature, 20 to parse it, 10 for the proof that its author gets, 5 to apply it, and the
// rest in the database, the scheduler and the collector. So what counts is to
// spend nothing twice, and to let one sync carry many:
//
//   - Admission runs in the callers' goroutines, on all processors. One
//     goroutine orders, applies and commits; it has about 10 µs of work a
//     record, and all that others can do beforehand (postings, sealed contents) is
//     done when it sees the record.
//   - A batch is what is there, and what is being admitted at that moment. With
//     only what is there, batches of 1 and of 511 took turns: whoever was
//     admitted first had a commit of its own, whose goroutines then stood in
//     line behind all other admissions. 16,400 records a second, p99 137 to
//     182 ms; as it is, 19,600 to 22,900, and 40 to 64 ms.
//   - While a batch is small, the sequencer lets others run first (see take).
//     Behind a server a commit was made for two or three records at a time, with
//     both processors busy: with 64 clients of unary calls 3,400 to 4,200 records a
//     second without this, 5,400 to 6,000 with it.
//   - Four admissions at a time instead, so that commits find a processor:
//     batches of 40, 20 µs more a record, a quarter less in all. Dropped.
//   - Whether an id is new was asked of the database twice a record: 37 of
//     then 197 µs, and more as the log grew. A filter in memory answers now, in
//     less than one.
//   - Ids and postings went through the write-ahead log, a memtable and a flush
//     with every commit. Their keys are hashes, which is the dearest kind of row.
//     They are runs of tables now, which the database takes in as they are.
//   - Leaf hashes are one row a batch, and only for the tile that is not full.
//   - Values apart from keys in the database, so that compaction moves no
//     entries: a third less is written, and 2 µs of a record's time are saved. Not
//     worth a feature that its authors call experimental.
//   - The look at the own checkpoint beside the sync: 30 µs less for a lone
//     record. But a signature that does not hold would then be on disk, and the
//     ledger could not be opened. Dropped.
//
// docs/performance.md has the figures as of the last measurement, and what they
// come to in a year.

// Run orders, applies and commits what is submitted, until ctx ends. Then it
// refuses new records, finishes those it has accepted, and returns nil. It
// may be called once.
func (l *Ledger) Run(ctx context.Context) error {
	if l.running.Swap(true) {
		return errors.New("ledger: Run was called twice")
	}
	// They end in the opposite order, after the last commit.
	stopIndexing := l.index.start()
	defer stopIndexing()
	stopGuard := l.startGuard()
	defer stopGuard()
	stopWitnesses := l.witnesses.start()
	defer stopWitnesses()
	batch := make([]*pending, 0, l.cfg.MaxBatch)
	for {
		select {
		case p := <-l.queue:
			batch = l.take(append(batch[:0], p))
			l.commit(batch)
		case <-ctx.Done():
			l.accepting.Lock()
			l.stopped = true
			l.accepting.Unlock()
			// Nobody can add to the queue now; what is in it was accepted.
			for {
				batch = l.take(batch[:0])
				if len(batch) == 0 {
					return nil
				}
				l.commit(batch)
			}
		}
	}
}

// smallBatch is how many records make a commit's own work, some 0.3 ms, a small
// part of theirs.
const smallBatch = 16

// take adds to batch all that is waiting, up to the batch's bounds, and all that
// is being admitted just now. This is the order: one place decides it. A batch
// is bounded by bytes too, so that large records do not make one commit slow.
//
// Those that are being admitted are waited for, because a commit for the first
// of them would have the others wait for that one and for their own. It is no
// timer: admission takes a processor for some 50 µs a record, waits for nobody
// (see pause), and ends; one record alone waits for nothing.
//
// And while the batch is small, others that have work to do go first: on a busy
// server that is calls which are being read, and records that they bring; on an
// idle one there is nobody, and no time passes.
func (l *Ledger) take(batch []*pending) []*pending {
	const maxBytes = 4 << 20
	bytes := 0
	for _, p := range batch {
		bytes += len(p.rec.Envelope.Payload)
	}
	yielded := false
	for len(batch) < l.cfg.MaxBatch && bytes < maxBytes {
		// In this order: what was queued before the last of them ended is found.
		more := l.admitting.Load() > 0
		var p *pending
		select {
		case p = <-l.queue:
		default:
			if !more {
				if yielded || len(batch) >= smallBatch {
					return batch
				}
				runtime.Gosched()
				yielded = true
				continue
			}
			select {
			case p = <-l.queue:
			case <-l.settled:
				continue
			}
		}
		batch, yielded = append(batch, p), false
		bytes += len(p.rec.Envelope.Payload)
		for _, c := range p.contents {
			bytes += len(c.sealed)
		}
	}
	return batch
}

// commit applies a batch and makes it durable. It is the only place where the
// log grows.
func (l *Ledger) commit(batch []*pending) {
	start := time.Now()
	b := l.db.NewBatch()
	defer b.Close()

	entries, answers := l.apply(b, batch, l.cfg.Clock().UnixMilli())
	h := l.head.Load()
	if len(entries) > 0 {
		next, err := l.nextHead()
		if err != nil {
			l.cfg.Fatal(fmt.Errorf("sign checkpoint: %w", err))
			panic("ledger: Fatal returned")
		}
		set(b, keyHead, next.marshal(l.registryCount(next.size)))
		if h.size == 0 {
			set(b, keyVersion, append([]byte{formatVersion}, l.vault.check...))
		}
		// The one commit point. After this line a crash is clean: either all
		// of the batch is there at the next Open, or nothing.
		if err := l.db.Apply(b, pebble.Sync); err != nil {
			l.cfg.Fatal(fmt.Errorf("commit: %w", err))
			panic("ledger: Fatal returned")
		}
		l.index.add(entries)
		l.head.Store(next)
		l.logged.Add(int64(len(entries)))
		l.committed.Store(int64(time.Since(l.opened)))
		close(h.next)
		h = next
	}
	l.leave(len(batch)) // first: who has an answer finds the place free
	for i, p := range batch {
		a := answers[i]
		a.head = h
		p.done <- a
	}
	l.batchTime.Store(int64(time.Since(start)))
}

// apply gives each record of the batch its place: a deterministic function of
// the state before, the batch in its order, and the proposed log time. It
// repeats every check that reads the state of the log, fills b, and advances
// l.growing. It reads no clock, no random source and no network.
func (l *Ledger) apply(b *pebble.Batch, batch []*pending, proposed int64) ([]indexed, []placed) {
	g := &l.growing
	g.rows.begin(b)
	before := g.frontier.Size()
	logTime := max(proposed, g.logTime)
	answers := make([]placed, len(batch))
	entries := make([]indexed, 0, len(batch))
	inBatch := make(map[record.ID]int64, len(batch))
	for i, p := range batch {
		if index, ok := l.isKnown(p.rec.ID, p.size, inBatch); ok {
			answers[i] = placed{index: index, duplicate: true}
			continue
		}
		index := g.frontier.Size()
		p, refused, err := l.orRejection(p, index)
		if err != nil {
			answers[i] = placed{err: err}
			continue
		}
		if refused != nil {
			if at, ok := l.isKnown(p.rec.ID, 0, inBatch); ok {
				answers[i] = placed{err: &RejectedError{refused, at}}
				continue
			}
		}
		if err := l.newInstance(p.rec.Msg, p.size, index-int64(len(entries)), entries); err != nil {
			answers[i] = placed{err: err}
			continue
		}
		if err := authority.CheckReviewed(p.rec, func(id record.ID) bool { _, ok := l.isKnown(id, 0, inBatch); return ok }); err != nil {
			answers[i] = placed{err: err}
			continue
		}
		e, raw, err := l.applyOne(p, index, logTime)
		if err != nil {
			answers[i] = placed{err: err}
			continue
		}
		leaf := tree.LeafHash(raw)
		if registry.Concerns(p.rec) {
			set(b, keyRegistry(l.registryCount(index)), u64(index))
			if err := g.registry.Add(p.rec, index, leaf, &e.Stamp); err != nil {
				panic("ledger: a checked registry entry does not fit: " + err.Error())
			}
		}
		g.authority.Add(p.rec, index, &e.Stamp)
		g.append(leaf, func(level int, n int64, t *tile) {
			set(b, keyTile(level, n), t.marshal())
			if level == 0 && n*tileWidth < before { // the tile has what earlier batches wrote
				must(b.DeleteRange(keyLeaf(n*tileWidth), keyLeaf((n+1)*tileWidth), nil))
			}
			l.tiles.put(level, n, t)
		})
		g.logTime = logTime
		inBatch[p.rec.ID] = index
		set(b, keyEntry(index), raw)
		for _, c := range p.contents {
			set(b, keyContent(index, c.commitment), c.sealed)
		}
		if p.token.sealed != nil {
			set(b, keyUserToken(index), p.token.sealed)
		}
		entries = append(entries, indexed{index, p.rec, p.postings})
		if refused != nil {
			answers[i] = placed{err: &RejectedError{refused, index}}
			continue
		}
		answers[i] = placed{index: index, raw: raw}
	}
	g.setLeaves(b, before)
	return entries, answers
}

// applyOne checks one record against the log before index and returns its
// entry.
func (l *Ledger) applyOne(p *pending, index, logTime int64) (*entry.Entry, []byte, error) {
	g := &l.growing
	key := p.key
	if index > 0 {
		var err error
		if key, err = g.registry.Bound(p.rec, index); err != nil {
			return nil, nil, err
		}
	}
	if err := p.token.inForce(logTime); err != nil {
		return nil, nil, err
	}
	count, root := g.registry.Stamp(index)
	e := &entry.Entry{
		Stamp: entry.Stamp{
			LogTime:       logTime,
			RegistryCount: count,
			RegistryRoot:  root,
			KeyEntry:      key.Index,
			KeySetEntry:   -1,
		},
		Envelope: p.rec.Envelope,
	}
	if p.token.assurance > 0 {
		e.Stamp.Assurance, e.Stamp.KeySetEntry, e.Stamp.User = p.token.assurance, p.token.keySet, p.rec.Msg.GetUser()
	}
	if err := g.registry.CheckAssurance(p.rec, index, &e.Stamp); err != nil {
		return nil, nil, err
	}
	if err := g.registry.Check(p.rec, index, &e.Stamp); err != nil {
		return nil, nil, err
	}
	if err := g.authority.Check(p.rec, index, logTime); err != nil {
		return nil, nil, err
	}
	if err := authority.CheckWord(p.rec, &e.Stamp); err != nil {
		return nil, nil, err
	}
	e.Stamp.Uses = g.authority.Uses(p.rec, index, logTime)
	raw, err := e.Marshal()
	return e, raw, err
}

// isKnown reports whether the record, which admission did not find among the
// first size entries, is in the log or earlier in the batch.
func (l *Ledger) isKnown(id record.ID, size int64, inBatch map[record.ID]int64) (int64, bool) {
	if index, ok := inBatch[id]; ok {
		return index, true
	}
	index, found, err := l.index.findSince(id, size)
	if err != nil {
		l.cfg.Fatal(fmt.Errorf("look up %s: %w", id, err))
		panic("ledger: Fatal returned")
	}
	return index, found
}

// nextHead signs the tree as apply left it.
func (l *Ledger) nextHead() (*head, error) {
	g := &l.growing
	h := &head{
		size:    g.frontier.Size(),
		logTime: g.logTime,
		root:    g.frontier.Root(),
		edge:    g.edge,
		next:    make(chan struct{}),
	}
	var err error
	if h.checkpoint, err = l.signer.Sign(h.size, h.root); err != nil {
		return nil, err
	}
	// The verifier's own reading of it, before it can leave.
	cp, err := l.signer.Key().VerifiedBy(l.signatures.verify).Open(h.checkpoint)
	if err != nil {
		return nil, err
	}
	if cp.Size != h.size || cp.Root != h.root {
		return nil, errors.New("the signed checkpoint reads back as another")
	}
	return h, nil
}

func (l *Ledger) registryCount(at int64) int64 {
	n, _ := l.growing.registry.Stamp(at)
	return n
}

// set adds a row.
func set(b *pebble.Batch, key, value []byte) { must(b.Set(key, value, nil)) }

// must is for additions to a batch of ours, which cannot be refused.
func must(err error) {
	if err != nil {
		panic("ledger: add to a batch: " + err.Error())
	}
}
