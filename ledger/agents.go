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
	h := l.head.Load()
	ids := l.registry.Agents(h.size)
	ids, next, err = pageOf(ids, from, limit)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range ids {
		a, err := l.agent(h, id)
		if err != nil {
			return nil, 0, err
		}
		agents = append(agents, a)
	}
	return agents, next, nil
}

// pageOf returns the part of a list that is one page, and the position after
// it, or 0 at the end.
func pageOf[T any](all []T, from, limit int) (page []T, next int, err error) {
	switch {
	case limit == 0:
		limit = DefaultPage
	case limit < 0 || limit > MaxPage:
		return nil, 0, &RangeError{"page_size", fmt.Sprintf("is %d, but must be 1 to %d", limit, MaxPage)}
	}
	if from < 0 || from > len(all) {
		return nil, 0, fmt.Errorf("%w: it is of another log", ErrPageToken)
	}
	if from+limit < len(all) {
		next = from + limit
	}
	return all[from:min(len(all), from+limit)], next, nil
}

func (l *Ledger) agent(h *head, id string) (*onusv1.RegisteredAgent, error) {
	class, index := l.registry.Agent(id, h.size)
	op, _ := l.registry.Operator(class.GetOperator(), h.size)
	a := &onusv1.RegisteredAgent{Agent: class, Operator: op, Index: index, LastIndex: -1,
		Revoked: l.revokedAt(h, &onusv1.Author{Agent: id, Operator: class.GetOperator()})}
	for _, k := range l.registry.Keys(id, h.size) {
		a.Keys = append(a.Keys, l.registeredKey(h, k))
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
