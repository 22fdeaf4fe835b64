package ledger

import (
	"container/list"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// knocks notes the keys that signed records and are not registered, so that an
// administrator sees who waits to be let in. It is off the log: a stranger
// leaves no entry. It is small and in memory, and written now and then without
// a sync, so that a flood of strangers slows nobody.
type knocks struct {
	db  *pebble.DB
	log *slog.Logger

	mu sync.Mutex // guards all below
	// order holds *onusv1.PendingKey, the newest in front; byKey finds them.
	order *list.List
	byKey map[string]*list.Element
	// changed are the keys whose rows are behind.
	changed map[string]bool
	written time.Time
}

const (
	maxKnocks = 1000
	// knockPause is the least time between two writes.
	knockPause = time.Second
)

func newKnocks(db *pebble.DB, log *slog.Logger) *knocks {
	return &knocks{db: db, log: log, order: list.New(), byKey: map[string]*list.Element{}, changed: map[string]bool{}}
}

// note counts a knock. spki is empty unless the sender showed that it has the
// key.
func (k *knocks) note(author *onusv1.Author, spki []byte, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := author.GetKeyId()
	at := k.byKey[id]
	if at == nil {
		if k.order.Len() >= maxKnocks {
			k.remove(k.order.Back().Value.(*onusv1.PendingKey).GetKeyId())
		}
		at = k.order.PushFront(&onusv1.PendingKey{KeyId: id, First: timestamppb.New(now)})
		k.byKey[id] = at
	}
	k.order.MoveToFront(at)
	p := at.Value.(*onusv1.PendingKey)
	// What was said by who has the key is not replaced by what anybody says.
	if p.GetPublicKey() == nil || spki != nil {
		p.Author = author
	}
	if spki != nil {
		p.PublicKey = spki
	}
	p.Count++
	p.Last = timestamppb.New(now)
	k.changed[id] = true
	if time.Since(k.written) >= knockPause {
		if err := k.write(); err != nil {
			k.log.Error("write the keys that knocked", "err", err)
		}
	}
}

// remove forgets a key. The caller holds mu.
func (k *knocks) remove(id string) {
	if at := k.byKey[id]; at != nil {
		k.order.Remove(at)
		delete(k.byKey, id)
		k.changed[id] = true
	}
}

// write brings the rows up to date. The caller holds mu.
func (k *knocks) write() error {
	k.written = time.Now()
	b := k.db.NewBatch()
	defer b.Close()
	for id := range k.changed {
		at := k.byKey[id]
		if at == nil {
			must(b.Delete(keyKnock(id), nil))
			continue
		}
		v, err := proto.Marshal(at.Value.(*onusv1.PendingKey))
		if err != nil {
			return err
		}
		set(b, keyKnock(id), v)
	}
	clear(k.changed)
	return k.db.Apply(b, pebble.NoSync)
}

// flush writes what is not written.
func (k *knocks) flush() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.changed) == 0 {
		return nil
	}
	return k.write()
}

// load reads the rows. One that cannot be read as a key is passed over and
// removed: nothing rests on it.
func (k *knocks) load() error {
	prefix := []byte{prefixKnock}
	it, err := k.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keyAfter(prefix)})
	if err != nil {
		return err
	}
	var all []*onusv1.PendingKey
	k.mu.Lock()
	defer k.mu.Unlock()
	for ok := it.First(); ok; ok = it.Next() {
		id, p := string(it.Key()[1:]), &onusv1.PendingKey{}
		if err := proto.Unmarshal(it.Value(), p); err != nil || p.GetKeyId() != id || len(all) >= maxKnocks {
			k.changed[id] = true
			continue
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *onusv1.PendingKey) int { return a.GetLast().AsTime().Compare(b.GetLast().AsTime()) })
	for _, p := range all {
		k.byKey[p.GetKeyId()] = k.order.PushFront(p)
	}
	return errors.Join(it.Error(), it.Close())
}

// Pending returns the keys that knocked and are not registered, the newest
// first, of one operator or, if that is empty, of all.
func (l *Ledger) Pending(operator string) []*onusv1.PendingKey {
	size := l.head.Load().size
	k := l.knocks
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []*onusv1.PendingKey
	for at := k.order.Front(); at != nil; {
		p := at.Value.(*onusv1.PendingKey)
		at = at.Next()
		switch {
		case l.registry.Key(p.GetKeyId(), size) != nil:
			k.remove(p.GetKeyId()) // it was let in
		case operator == "" || p.GetAuthor().GetOperator() == operator:
			out = append(out, proto.Clone(p).(*onusv1.PendingKey))
		}
	}
	return out
}

// knocked notes the key of a record that was refused because the key is not
// bound. The signature could not be checked, so all of it is hearsay.
func (l *Ledger) knocked(r *record.Record, size int64, why error) {
	var e *record.Error
	if errors.As(why, &e) && e.Reason == registry.ReasonKeyNotBound && l.registry.Key(r.Msg.GetAuthor().GetKeyId(), size) == nil {
		l.knocks.note(r.Msg.GetAuthor(), nil, l.cfg.Clock())
	}
}
