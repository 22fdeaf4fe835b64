package ledger

import (
	"fmt"
	"math"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Registrations returns what is registered, keys aside, in the order of first
// registration, a page at a time as [Ledger.Agents] does. After the last page
// stand the trust bundles in force.
func (l *Ledger) Registrations(from, limit int) (all []*onusv1.Registered, next int, err error) {
	h := l.head.Load()
	page, next, err := pageOf(l.registry.Registrations(h.size), from, limit)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range page {
		of := &onusv1.Registered{Registration: r.Registration, Index: r.Index, Revoked: l.revokedAt(h, l.standing(h, r.Party))}
		for _, k := range l.registry.KeysOf(r.Party, h.size) {
			of.Keys = append(of.Keys, l.registeredKey(h, k))
		}
		if err := l.keySetOf(h, of); err != nil {
			return nil, 0, err
		}
		all = append(all, of)
	}
	if next != 0 {
		return all, next, nil
	}
	bundles, err := l.trustBundles(h)
	return append(all, bundles...), 0, err
}

// standing returns what a party stands on, as an author without a key: it may
// be revoked, and so may the operator who answers for it.
func (l *Ledger) standing(h *head, p registry.Party) *onusv1.Author {
	a := &onusv1.Author{}
	switch p.Kind {
	case registry.KindAgent:
		a.Agent = p.ID
	case registry.KindOperator:
		a.Operator = p.ID
	case registry.KindService:
		a.Service = p.ID
	case registry.KindClient:
		a.Client = p.ID
	case registry.KindReviewer:
		a.Reviewer = p.ID
	}
	a.Operator = l.registry.OperatorOf(a, h.size)
	return a
}

func (l *Ledger) registeredKey(h *head, b *registry.Binding) *onusv1.RegisteredKey {
	k := &onusv1.RegisteredKey{KeyId: b.Key.ID(), Instance: b.Instance, Index: b.Index, Level: b.Level.String(),
		Revoked: l.revokedAt(h, &onusv1.Author{KeyId: b.Key.ID()}, &onusv1.Author{Instance: b.Instance, Agent: b.Agent})}
	if end, _, ends := l.registry.Ended(b.Key.ID(), h.size, math.MaxInt64); ends {
		k.NotAfter = timestamppb.New(time.UnixMilli(end))
	}
	return k
}

// Key returns a key as it is bound now, the entry that binds it, proven, and
// the durable size that both are as of, or an error that wraps [ErrNotFound].
func (l *Ledger) Key(id string) (*onusv1.RegisteredKey, *onusv1.ProvenRecord, int64, error) {
	h := l.head.Load()
	b := l.registry.Key(id, h.size)
	if b == nil {
		return nil, nil, 0, fmt.Errorf("%w: key %.100q is not registered", ErrNotFound, id)
	}
	p, err := l.receiptAt(h, b.Index)
	if err != nil {
		return nil, nil, 0, err
	}
	return l.registeredKey(h, b), p, h.size, nil
}
