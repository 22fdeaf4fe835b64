package ledger

import (
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Agents returns registered agent classes in the order of their registration,
// from the given position on, at most limit of them (0 means 100, at most
// 1,000). next is the position after the last, or 0 at the end.
func (l *Ledger) Agents(from, limit int) (agents []*onusv1.RegisteredAgent, next int, err error) {
	switch {
	case limit == 0:
		limit = DefaultPage
	case limit < 0 || limit > MaxPage:
		return nil, 0, &RangeError{"page_size", fmt.Sprintf("is %d, but must be 1 to %d", limit, MaxPage)}
	}
	h := l.head.Load()
	ids := l.registry.Agents(h.size)
	if from < 0 || from > len(ids) {
		return nil, 0, fmt.Errorf("%w: it is of another log", ErrPageToken)
	}
	for _, id := range ids[from:min(len(ids), from+limit)] {
		a, err := l.agent(h, id)
		if err != nil {
			return nil, 0, err
		}
		agents = append(agents, a)
	}
	if from+limit < len(ids) {
		next = from + limit
	}
	return agents, next, nil
}

func (l *Ledger) agent(h *head, id string) (*onusv1.RegisteredAgent, error) {
	class, index := l.registry.Agent(id, h.size)
	op, _ := l.registry.Operator(class.GetOperator(), h.size)
	a := &onusv1.RegisteredAgent{Agent: class, Operator: op, Index: index, LastIndex: -1,
		Revoked: l.revokedAt(h, &onusv1.Author{Agent: id, Operator: class.GetOperator()})}
	for _, k := range l.registry.Keys(id, h.size) {
		a.Keys = append(a.Keys, &onusv1.RegisteredKey{KeyId: k.Key.ID(), Instance: k.Instance, Index: k.Index,
			Revoked: l.revokedAt(h, &onusv1.Author{KeyId: k.Key.ID()}, &onusv1.Author{Instance: k.Instance, Agent: id})})
	}
	c, err := l.index.cursor(post(byAgent, id), 0, h.size)
	if err != nil {
		return nil, err
	}
	defer c.close()
	last, ok, err := c.floor(h.size - 1)
	if err != nil || !ok {
		return a, err
	}
	e, err := l.Entry(last)
	if err != nil {
		return nil, err
	}
	a.LastIndex = last
	a.LastTime = timestamppb.New(time.UnixMilli(e.Stamp.LogTime))
	return a, nil
}

// revokedAt returns the index of the first revocation of any of these, or nil.
func (l *Ledger) revokedAt(h *head, of ...*onusv1.Author) *int64 {
	var first *int64
	for _, a := range of {
		for _, r := range l.registry.Revocations(a, h.size) {
			if first == nil || r.Index < *first {
				first = &r.Index
			}
		}
	}
	return first
}
