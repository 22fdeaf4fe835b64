package ledger

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// A workload's credential shows of which class it is, and not which process.
// So an instance that enrols its own key must be a new one: not only without a
// key, which the registry sees to, but without any record. Otherwise another
// process of the class would go on in the name of one that signs with a key of
// the class.
//
// The registry holds no actions, so this is a rule of the ledger's own: an
// audit does not repeat it.

// newInstance refuses an enrolment of an instance that has records among the
// entries from low up to high, or in the batch before it.
func (l *Ledger) newInstance(m *onusv1.Record, low, high int64, batch []indexed) error {
	a := m.GetAuthor()
	if a.GetInstance() == "" || record.SelfEnrolment(m) == nil {
		return nil
	}
	q := Query{Agent: a.GetAgent(), Instance: a.GetInstance()}
	at, found, err := l.first(q, low, high)
	if err != nil {
		return err
	}
	for i := 0; !found && i < len(batch); i++ {
		at, found = batch[i].index, q.matches(batch[i].rec.Msg)
	}
	if !found {
		return nil
	}
	return &record.Error{Reason: registry.ReasonConflict, Field: "registration.key.instance",
		Detail: fmt.Sprintf("is %q, which has records in the log since entry %d: a credential of its class does not show that this is the same process", a.GetInstance(), at),
		Next:   "have the key that signs for the instance sign for the new key too, or name a new instance"}
}

// first returns the first entry from low on, below high, that matches q.
func (l *Ledger) first(q Query, low, high int64) (int64, bool, error) {
	s, err := l.search(q, low, high)
	if err != nil {
		return 0, false, err
	}
	defer s.close()
	for i := low; ; i++ {
		at, ok, err := s.next(i)
		if err != nil || !ok {
			return 0, false, err
		}
		e, err := l.Entry(at)
		if err != nil {
			return 0, false, err
		}
		if q.matches(e.Record.Msg) {
			return at, true, nil
		}
		i = at
	}
}
