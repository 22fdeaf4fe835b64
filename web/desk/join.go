package desk

import (
	"cmp"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// attach gives an approval, a denial or a review to the case of its target.
func (r *round) attach(e chain.Entry) {
	m := e.Record.Msg
	target := linkOf(targetOf(e))
	i, ok := r.lookup(target)
	if !ok {
		r.wait(target, e.Index)
		return
	}
	c := r.above(i, false)
	if v := r.caseOf[i]; c == 0 && v != 0 {
		c = r.find(v &^ attachedBit) // a review of a review, or of an approval
	}
	if c == 0 {
		r.orphans = append(r.orphans, e.Index)
		return
	}
	if r.caseOf[e.Index] == 0 {
		r.placed(e.Index, c|attachedBit)
	}
	more := r.edit(c).rare()
	if v := m.GetReview(); v != nil {
		if _, err := r.log.Registry().Authenticate(e.Record, e.Index); err != nil {
			r.passOver(e.Index, err) // whoever wrote it is not who it says: it closes nothing
			return
		}
		more.reviews = insert(more.reviews, r.review(e, v), func(a, b review) int { return cmp.Compare(a.Index, b.Index) })
		return
	}
	more.attached = insert(more.attached, attached{e.Index, e.LogTime}, func(a, b attached) int { return cmp.Compare(a.index, b.index) })
	r.dirty[c] = true
}

func (r *round) review(e chain.Entry, v *onusv1.Review) review {
	a := e.Record.Msg.GetAuthor()
	w := review{Review: Review{Index: e.Index, Record: e.Record.ID, Time: e.LogTime, Disposition: v.GetDisposition(),
		By: cmp.Or(e.Record.Msg.GetUser(), a.GetReviewer()), Assignee: v.GetAssignee()}, about: linkOf(v.GetRecord())}
	if v.GetFinding() != "" {
		w.finding = r.put(kindCode, v.GetFinding())
	}
	return w
}

// insert puts a value in its place in a sorted list of its own.
func insert[T any](all []T, v T, compare func(a, b T) int) []T {
	i, _ := slices.BinarySearchFunc(all, v, compare)
	return slices.Insert(slices.Clone(all), i, v)
}

// arrived joins to an entry what waited for it.
func (r *round) arrived(e chain.Entry) {
	list, ok := r.waiting[e.Record.ID]
	if !ok {
		return
	}
	delete(r.waiting, e.Record.ID)
	r.waited[e.Record.ID] = true
	for _, i := range list {
		if w, ok := r.entry(i); ok {
			r.link(w, e)
		}
	}
}

// link joins an entry to a record that it names and that came after it.
func (r *round) link(w, e chain.Entry) {
	id := e.Record.ID.String()
	if targetOf(w) == id {
		r.attach(w)
		return
	}
	var c uint32
	if v := r.caseOf[w.Index]; v != 0 && v&attachedBit == 0 {
		c = r.find(v)
	}
	if w.Record.Msg.GetParent() == id {
		switch p := r.above(e.Index, c != 0); {
		case c != 0:
			r.merge(c, p)
			c = p
		case p != 0:
			r.join(p, w)
			c = p
		}
	}
	if slices.Contains(w.Record.Msg.GetCauses(), id) && c != 0 {
		r.dirty[c] = true
		r.caused(c, e.Index)
		r.spread(c)
	}
}

// merge makes the case c part of the case p.
func (r *round) merge(c, p uint32) {
	if c == p {
		return
	}
	from, to := r.get(c), r.edit(p)
	to.taken += from.taken
	to.tookActs += from.tookActs
	to.tookLast = max(to.tookLast, from.tookLast)
	to.made = to.made || from.made
	if from.more != nil {
		m := to.rare()
		m.reviews = slices.Concat(m.reviews, from.more.reviews)
		slices.SortFunc(m.reviews, func(a, b review) int { return cmp.Compare(a.Index, b.Index) })
		m.attached = slices.Concat(m.attached, from.more.attached)
		slices.SortFunc(m.attached, func(a, b attached) int { return cmp.Compare(a.index, b.index) })
		m.causedBy = slices.Concat(m.causedBy, from.more.causedBy)
	}
	r.alias[c] = p
	delete(r.cases, c)
	delete(r.dirty, c)
	r.gone = append(r.gone, c)
	r.dirty[p] = true
	r.spread(p)
}
