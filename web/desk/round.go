package desk

import (
	"container/heap"
	"context"
	"errors"
	"slices"
)

// advance takes in the entries up to a size, judges what they changed, and
// publishes it.
func (d *Desk) advance(ctx context.Context, size int64) error {
	r := d.newRound()
	for i := int64(len(d.caseOf)); i < size; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := d.log.Entry(i)
		if err == nil {
			err = isAt(d.log, e, i)
		}
		switch {
		case err == nil:
			r.take(e)
		case errors.Is(err, ErrNotShown):
			r.skip()
		default:
			r.spoilt(i, err)
			r.skip()
		}
	}
	r.overdue()
	tried := 0
	for n := range r.failed { // no order: each has its turn
		if tried++; tried > maxAgain {
			break
		}
		r.dirty[r.find(n)] = true
	}
	for _, n := range sortedKeys(r.dirty) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if k := r.get(n); k == nil || !k.made {
			continue
		}
		r.judge(r.edit(n))
	}
	return r.publish(size)
}

// overdue has those judged again whose deadline has passed, by log time.
func (r *round) overdue() {
	for len(r.due) > 0 && r.due[0].at <= r.lastTime {
		next := heap.Pop(&r.due).(deadline)
		if n := r.find(next.n); n == next.n && r.get(n) != nil && r.get(n).deadline() == next.at {
			r.dirty[n] = true
		}
	}
}

func (r *round) judge(k *kase) {
	j, err := r.log.Judge(k.rootID)
	r.judged++
	if err == nil {
		err = r.same(j.Chain)
	}
	if err != nil {
		r.unjudged(k, err)
		return
	}
	if k.more != nil {
		k.more.unjudged, k.more.again = "", false
	}
	r.summarise(k, j)
}

// publish writes the round down and shows it. After the write a crash is clean:
// what was not written is taken in again.
func (r *round) publish(size int64) error {
	if err := r.write(size); err != nil {
		return err
	}
	d := r.Desk
	for n, k := range r.cases {
		if at := k.deadline(); at != 0 {
			heap.Push(&d.due, deadline{at, n})
		}
		if delete(d.failed, n); k.more != nil && k.more.again {
			d.failed[n] = true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.cases = append(s.cases, make([]*kase, int(r.next)-len(s.cases))...)
	for n, k := range r.cases {
		s.cases[n] = k
	}
	for _, n := range r.gone {
		delete(d.failed, n)
		s.cases[n] = nil
	}
	for n, p := range r.alias {
		s.alias[n] = p
	}
	for t, l := range r.lives {
		s.lives[t] = l
	}
	s.caseOf, s.prefix, s.asOf, s.time = d.caseOf[:size:size], d.prefix[:size:size], size, d.lastTime
	s.damage, s.forged = d.damage.clip(), d.forged.clip()
	close(d.changed)
	d.changed = make(chan struct{})
	return nil
}

// put returns the number of a term. Readers may be looking at the dictionary.
func (r *round) put(k kind, s string) term {
	if s == "" {
		return 0
	}
	return r.add(k, 0, s)
}

// add returns the number of a term, or of an item at a location.
func (r *round) add(k kind, base term, s string) term {
	t := r.state.terms
	if at := t.table[t.slot(k, base, s)]; at != 0 {
		return at
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.add(k, base, s)
}

func sortedKeys(m map[uint32]bool) []uint32 {
	all := make([]uint32, 0, len(m))
	for n := range m {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}
