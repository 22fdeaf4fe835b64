package ledger

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Bounds of what travels beside a record.
const (
	MaxContents     = 256
	MaxContentBytes = 4 << 20
)

// Submission is a record to be logged and the contents of its commitments.
type Submission struct {
	Envelope record.Envelope
	// KeyID is the keyid that stood in the DSSE envelope, which nobody
	// signed: empty, or the record's own.
	KeyID    string
	Contents []*onusv1.Content
	// UserToken is the user's token that the record's token describes,
	// compact; empty without one. It stays off the log.
	UserToken string
}

// Logged is the answer to a submission.
type Logged struct {
	Receipt *onusv1.Receipt
	// Duplicate: the record was in the log before.
	Duplicate bool
	// Revoked are the revocations that hit the record's author, as of its
	// index: it is logged, and flagged.
	Revoked []registry.Revocation
	// Token says how the user's token was taken; nil if none came.
	Token *onusv1.TokenResult
}

// pending is an admitted record on its way to the log.
type pending struct {
	rec      *record.Record
	key      *registry.Binding
	postings []posting
	contents []sealedContent
	token    takenToken
	// size is that of the log which admission looked at.
	size int64
	done chan placed // has room for the one answer
}

// placed is where a record came to stand.
type placed struct {
	index     int64
	duplicate bool
	// raw is the entry; nil for a duplicate.
	raw  []byte
	head *head
	err  error
}

func newPending(r *record.Record, key *registry.Binding) *pending {
	return &pending{rec: r, key: key, postings: postings(r.Msg), done: make(chan placed, 1)}
}

// Submit logs one record and returns when it is durable, with a receipt that
// the verifier has passed. The same record again returns the same index;
// contents that come with it then are not looked at.
//
// A record that breaks a rule gives a *record.Error and leaves no trace; so
// does one whose user's token is not good, which may be sent without it. A
// record that the log's policy rejects gives a *[RejectedError]. A full queue
// gives a *[BusyError]. If ctx ends while the record is on its way, Submit
// returns ctx's error and the record may be logged or not: submit it again to
// find out.
func (l *Ledger) Submit(ctx context.Context, s Submission) (logged *Logged, err error) {
	defer func() { l.countRefused(ctx, err) }()
	if err := l.enter(); err != nil {
		return nil, err
	}
	p, known, err := l.submit(ctx, s)
	switch {
	case err != nil:
		return nil, err
	case known >= 0:
		return l.receiptOfDuplicate(known, s.UserToken != "")
	}
	return l.await(ctx, p)
}

// submit admits a record that has its place and queues it, unless it is known:
// then, and if it is refused, the place is given back.
func (l *Ledger) submit(ctx context.Context, s Submission) (p *pending, known int64, err error) {
	queued := false
	l.begin()
	// Deferred: a server goes on after a panic in one call, and so must the log.
	defer func() {
		l.end()
		if !queued {
			l.leave(1)
		}
	}()
	if p, known, err = l.admit(ctx, s); err == nil && known < 0 {
		err = l.enqueue(p)
		queued = err == nil
	}
	return p, known, err
}

// Result is one submission's result in a batch.
type Result struct {
	Logged *Logged
	Err    error
}

// SubmitBatch logs several records. Each has its own result, and those that
// are logged are ordered as given; a record cannot rest on a registration in
// its own batch.
func (l *Ledger) SubmitBatch(ctx context.Context, subs []Submission) []Result {
	return l.SubmitInTurn(ctx, subs, nil, nil)
}

// SubmitInTurn is SubmitBatch for one of several batches that are ordered as
// they follow each other, while they are admitted and proven side by side. It
// gives its records their place in the order once before is closed, unless that
// is nil, and then closes after, unless that is nil. A record cannot rest on a
// registration in a batch that has no answer yet.
func (l *Ledger) SubmitInTurn(ctx context.Context, subs []Submission, before <-chan struct{}, after chan<- struct{}) []Result {
	results := make([]Result, len(subs))
	admitted := make([]*pending, len(subs))
	known := make([]int64, len(subs))
	// Once one found no place, a later one that still got in would overtake it.
	var full error
	for i := range subs {
		if full == nil {
			full = l.enter()
		}
		results[i].Err = full
	}
	l.begin()
	each(len(subs), func(i int) {
		if results[i].Err != nil {
			return
		}
		if admitted[i], known[i], results[i].Err = l.admit(ctx, subs[i]); admitted[i] == nil {
			l.leave(1)
		}
	})
	if before != nil {
		l.pause(func() { <-before })
	}
	full = nil
	for i, p := range admitted {
		if p == nil {
			continue
		}
		if full == nil {
			full = l.enqueue(p)
		}
		if full != nil {
			admitted[i], results[i].Err = nil, full
			l.leave(1)
		}
	}
	l.end()
	if after != nil {
		close(after)
	}
	each(len(subs), func(i int) {
		switch {
		case results[i].Err != nil:
		case admitted[i] != nil:
			results[i].Logged, results[i].Err = l.await(ctx, admitted[i])
		default:
			results[i].Logged, results[i].Err = l.receiptOfDuplicate(known[i], subs[i].UserToken != "")
		}
		l.countRefused(ctx, results[i].Err)
	})
	return results
}

// each calls f(0) to f(n-1) on as many goroutines as there are processors.
func each(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// admit checks all that does not depend on the order of the log, against the
// registry at the durable head. If the record is in the log already, it
// returns its index as known; else known is -1.
func (l *Ledger) admit(ctx context.Context, s Submission) (p *pending, known int64, err error) {
	r, err := record.Parse(s.Envelope)
	if err != nil {
		return nil, -1, err
	}
	if err := r.CheckKeyID(s.KeyID); err != nil {
		return nil, -1, err
	}
	h := l.head.Load()
	// The signature comes first even for a record that is known: a receipt is
	// given to who can sign, not to who can replay a payload.
	key, err := l.registry.Bound(r, h.size)
	if err == nil {
		err = l.signatures.check(r, key.Key)
	}
	if err != nil {
		l.knocked(r, h.size, err)
		return nil, -1, err
	}
	if known, ok, err := l.index.find(r.ID); err != nil {
		return nil, -1, fmt.Errorf("look up %s: %w", r.ID, err)
	} else if ok && known < h.size {
		return nil, known, nil
	}
	if err := l.vault.checkPseudonyms(r.Msg); err != nil {
		return nil, -1, err
	}
	if err := checkContentSizes(s.Contents); err != nil {
		return nil, -1, err
	}
	open, err := r.OpenContents(s.Contents)
	if err != nil {
		return nil, -1, err
	}
	p = newPending(r, key)
	p.size = h.size
	if k := record.SelfEnrolment(r.Msg); k.GetCredential() != nil {
		if err := l.checkCredential(ctx, r, k); err != nil {
			return nil, -1, err
		}
		if err := l.newInstance(r.Msg, 0, h.size, nil); err != nil {
			return nil, -1, err
		}
	}
	if p.token, err = l.takeToken(ctx, r, s.UserToken); err != nil {
		return nil, -1, err
	}
	if len(open) > 0 { // a holder's first content waits for the disk
		l.pause(func() { p.contents, err = l.vault.seal(r, open) })
	}
	if err != nil {
		return nil, -1, err
	}
	return p, -1, nil
}

func checkContentSizes(cs []*onusv1.Content) error {
	total := 0
	for _, c := range cs {
		total += len(c.GetData())
	}
	if len(cs) > MaxContents || total > MaxContentBytes {
		return &record.Error{Reason: record.ReasonTooLarge, Field: "contents",
			Detail: fmt.Sprintf("has %d contents of %d bytes together, at most %d of %d are allowed", len(cs), total, MaxContents, MaxContentBytes),
			Next:   "commit to large contents and keep them yourself"}
	}
	return nil
}

// enter takes a place among the records that are on their way, which is given
// back when the record is answered. It comes before all work: a ledger that is
// offered ten times what it can take must not spend its time on what it will
// refuse.
func (l *Ledger) enter() error {
	if l.underway.Add(1) > int64(l.cfg.Queue) {
		l.leave(1)
		return l.busy()
	}
	return nil
}

// begin and end stand around what a caller does before its record is in the
// queue, or refused. The next batch waits for it: see take.
func (l *Ledger) begin() { l.admitting.Add(1) }

func (l *Ledger) end() {
	if l.admitting.Add(-1) == 0 {
		select {
		case l.settled <- struct{}{}:
		default:
		}
	}
}

// pause runs f, which may wait for others, between begin and end.
func (l *Ledger) pause(f func()) {
	l.end()
	defer l.begin()
	f()
}

func (l *Ledger) leave(n int) { l.underway.Add(-int64(n)) }

func (l *Ledger) busy() error {
	// By then about one queue's worth of batches has gone through.
	batches := time.Duration(l.cfg.Queue/l.cfg.MaxBatch + 1)
	wait := batches * time.Duration(l.batchTime.Load())
	return &BusyError{RetryAfter: min(max(wait, 10*time.Millisecond), 5*time.Second)}
}

// enqueue hands over a record that has a place, or is the host's own.
func (l *Ledger) enqueue(p *pending) error {
	l.accepting.RLock()
	defer l.accepting.RUnlock()
	if l.stopped {
		return ErrStopped
	}
	select {
	case l.queue <- p:
		return nil
	default:
		return l.busy()
	}
}

func (l *Ledger) await(ctx context.Context, p *pending) (*Logged, error) {
	select {
	case at := <-p.done:
		switch {
		case at.err != nil:
			return nil, at.err
		case at.duplicate:
			return l.receiptOfDuplicate(at.index, p.token.came)
		}
		rec, err := l.prove(at.head, at.index, p.rec.ID, at.raw, p.rec.Envelope.Signature)
		if err != nil {
			return nil, err
		}
		return &Logged{Receipt: rec, Revoked: l.registry.Revocations(p.rec.Msg.GetAuthor(), at.index), Token: p.token.result()}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// receiptOfDuplicate answers for a record that is in the log already. If a
// token came with it, this one is not looked at: what counts is how the first
// was taken.
func (l *Ledger) receiptOfDuplicate(index int64, token bool) (*Logged, error) {
	e, err := l.Entry(index)
	if err != nil {
		return nil, err
	}
	rec, err := l.prove(l.head.Load(), index, e.Record.ID, e.Raw, e.Record.Envelope.Signature)
	if err != nil {
		return nil, err
	}
	logged := &Logged{Receipt: rec, Duplicate: true, Revoked: l.registry.Revocations(e.Record.Msg.GetAuthor(), index)}
	if token {
		logged.Token = &onusv1.TokenResult{Assurance: int32(e.Stamp.Assurance)}
		if e.Stamp.Assurance == 0 {
			logged.Token.Why = "the record was in the log before, and then no token was checked"
		}
	}
	return logged, nil
}

// prove makes the receipt of an entry as of head h, and passes it through
// the verifier before anybody sees it.
func (l *Ledger) prove(h *head, index int64, id record.ID, raw, sig []byte) (*onusv1.Receipt, error) {
	return l.proveAt(proofTarget{h.size, h.root, l.witnesses.noteOf(h)}, index, id, raw, sig)
}

// proofTarget is the tree that a proof leads to: no larger than the durable
// head.
type proofTarget struct {
	size       int64
	root       tree.Hash
	checkpoint []byte
}

func (l *Ledger) proveAt(h proofTarget, index int64, id record.ID, raw, sig []byte) (*onusv1.Receipt, error) {
	inclusion, err := tree.ProveInclusion(index, h.size, l.reader(l.head.Load()))
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", index, err)
	}
	if err := tree.VerifyInclusion(index, h.size, tree.LeafHash(raw), inclusion, h.root); err != nil {
		return nil, &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: "its proof does not verify: " + err.Error()}
	}
	stamp, err := entry.Split(raw)
	if err != nil {
		return nil, &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: err.Error()}
	}
	return &onusv1.Receipt{
		Id:         id.String(),
		Index:      index,
		Stamp:      stamp,
		Signature:  sig,
		Inclusion:  tree.FormatProof(inclusion),
		Checkpoint: string(h.checkpoint),
	}, nil
}

// lookup returns the index of a record, as of head h.
func (l *Ledger) lookup(h *head, id record.ID) (int64, error) {
	index, found, err := l.index.find(id)
	if err != nil {
		return 0, fmt.Errorf("look up %s: %w", id, err)
	}
	if !found || index >= h.size { // newer than this head
		return 0, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return index, nil
}
