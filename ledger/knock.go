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
//
// Who knocks says who it is, and may lie. So each registered party has room of
// its own for those who say that they are of it, and all others share one room:
// a flood fills the room that it names and no other. In each room, those who
// came first keep their places while they knock now and then: a flood cannot
// push them out, nor, since they are not all, keep later ones from being seen.
type knocks struct {
	db  *pebble.DB
	log *slog.Logger
	// roomOf returns the room of an author: empty is the shared one.
	roomOf func(*onusv1.Author) string

	mu sync.Mutex // guards all below
	// order holds *knocker, the newest in front; byKey finds them.
	order *list.List
	byKey map[string]*list.Element
	// rooms holds the keys of each room, in the order in which they came.
	rooms map[string][]*knocker
	// changed are the keys whose rows are behind.
	changed map[string]bool
	written time.Time
}

// knocker is a key that knocked, and the room that it is in.
type knocker struct {
	*onusv1.PendingKey
	room string
}

const (
	// maxKnocks is how many keys are noted of one registered party, and
	// maxStrangers of all others together.
	maxKnocks    = 16
	maxStrangers = 128
	// keepsPlace is how long one who came first may be silent and keep its
	// place.
	keepsPlace = 24 * time.Hour
	// knockPause is the least time between two writes.
	knockPause = time.Second
)

func newKnocks(db *pebble.DB, log *slog.Logger, roomOf func(*onusv1.Author) string) *knocks {
	return &knocks{db: db, log: log, roomOf: roomOf, order: list.New(), byKey: map[string]*list.Element{},
		rooms: map[string][]*knocker{}, changed: map[string]bool{}}
}

func roomSize(room string) int {
	if room == "" {
		return maxStrangers
	}
	return maxKnocks
}

// note counts a knock. spki is empty unless the sender showed that it has the
// key.
func (k *knocks) note(author *onusv1.Author, spki []byte, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := author.GetKeyId()
	at := k.byKey[id]
	if at == nil {
		at = k.enter(&onusv1.PendingKey{KeyId: id, First: timestamppb.New(now), Author: author}, now)
	}
	k.order.MoveToFront(at)
	p := at.Value.(*knocker)
	// What was said by who has the key is not replaced by what anybody says.
	if p.GetPublicKey() == nil || spki != nil {
		p.Author = author
		k.move(p, k.roomOf(author), now)
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

// enter notes a key. The caller holds mu.
func (k *knocks) enter(p *onusv1.PendingKey, now time.Time) *list.Element {
	n := &knocker{p, k.roomOf(p.GetAuthor())}
	k.makeRoom(n.room, now)
	k.rooms[n.room] = append(k.rooms[n.room], n)
	at := k.order.PushFront(n)
	k.byKey[p.GetKeyId()] = at
	return at
}

// move has a key go to another room, as its last. The caller holds mu.
func (k *knocks) move(n *knocker, room string, now time.Time) {
	if n.room == room {
		return
	}
	k.leave(n)
	k.makeRoom(room, now)
	n.room = room
	k.rooms[room] = append(k.rooms[room], n)
}

// makeRoom has a key of a full room forgotten: the one of the first half that
// has been silent for too long, or else of the second half the one that was
// silent for longest. The caller holds mu.
func (k *knocks) makeRoom(room string, now time.Time) {
	all := k.rooms[room]
	if len(all) < roomSize(room) {
		return
	}
	longest := func(of []*knocker) *knocker {
		return slices.MinFunc(of, func(a, b *knocker) int { return a.GetLast().AsTime().Compare(b.GetLast().AsTime()) })
	}
	half := len(all) / 2
	out := longest(all[:half])
	if now.Sub(out.GetLast().AsTime()) < keepsPlace {
		out = longest(all[half:])
	}
	k.remove(out.GetKeyId())
}

// leave takes a key out of its room. The caller holds mu.
func (k *knocks) leave(n *knocker) {
	k.rooms[n.room] = slices.DeleteFunc(k.rooms[n.room], func(o *knocker) bool { return o == n })
	if len(k.rooms[n.room]) == 0 {
		delete(k.rooms, n.room)
	}
}

// remove forgets a key. The caller holds mu.
func (k *knocks) remove(id string) {
	if at := k.byKey[id]; at != nil {
		k.leave(at.Value.(*knocker))
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
		v, err := proto.Marshal(at.Value.(*knocker).PendingKey)
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
func (k *knocks) load(now time.Time) error {
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
		if err := proto.Unmarshal(it.Value(), p); err != nil || p.GetKeyId() != id {
			k.changed[id] = true
			continue
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *onusv1.PendingKey) int { return a.GetFirst().AsTime().Compare(b.GetFirst().AsTime()) })
	for _, p := range all {
		k.enter(p, now)
	}
	slices.SortFunc(all, func(a, b *onusv1.PendingKey) int { return a.GetLast().AsTime().Compare(b.GetLast().AsTime()) })
	for _, p := range all {
		if at := k.byKey[p.GetKeyId()]; at != nil {
			k.order.MoveToFront(at)
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// knockRoom returns the room for who says that it is that author: the party's,
// if that is registered, and with the operator that is named.
func (l *Ledger) knockRoom(a *onusv1.Author) string {
	p, size := registry.PartyOf(a), l.head.Load().size
	reg, _ := l.registry.Registration(p, size)
	if reg == nil || reg.GetAgent().GetOperator() != a.GetOperator() && a.GetAgent() != "" {
		return ""
	}
	return p.String()
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
		p := at.Value.(*knocker)
		at = at.Next()
		switch {
		case l.registry.Key(p.GetKeyId(), size) != nil:
			k.remove(p.GetKeyId()) // it was let in
		case operator == "" || p.GetAuthor().GetOperator() == operator:
			out = append(out, proto.CloneOf(p.PendingKey))
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
