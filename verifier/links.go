package verifier

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// links says which records belong to a chain, by what they name. It takes
// records in as a ledger gathers them, so that a reader of a file or of a log
// judges the same ones.
type links struct {
	above map[record.ID]record.ID // the parent; zero if there is none
	below map[record.ID][]record.ID
}

func newLinks() *links {
	return &links{above: map[record.ID]record.ID{}, below: map[record.ID][]record.ID{}}
}

// add takes a record. Of one that cannot be read, m is nil.
func (l *links) add(id record.ID, m *onusv1.Record) {
	parent, _ := record.ParseID(m.GetParent()) // empty, or of a valid record
	l.above[id] = parent
	if !parent.IsZero() {
		l.below[parent] = append(l.below[parent], id)
	}
	for _, s := range m.GetCauses() {
		if c, err := record.ParseID(s); err == nil {
			l.below[c] = append(l.below[c], id)
		}
	}
}

// chain returns the records of the chains that some records belong to: up the
// parent links to the last that is here, and all that descends from there by
// parents and causes.
func (l *links) chain(of []record.ID) map[record.ID]bool {
	in := map[record.ID]bool{}
	var todo []record.ID
	for _, id := range of {
		for !in[id] {
			up, here := l.above[id]
			if !here {
				break
			}
			in[id] = true
			todo = append(todo, id)
			id = up
		}
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, child := range l.below[id] {
			if !in[child] {
				in[child] = true
				todo = append(todo, child)
			}
		}
	}
	return in
}
