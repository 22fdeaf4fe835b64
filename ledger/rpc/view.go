package rpc

import (
	"context"
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// view is what a caller sees of the ledger.
type view struct {
	identity.Caller
	// operatorOf says who answers for an author: of a service, a user client
	// or a reviewer the author itself does not.
	operatorOf func(*onusv1.Author) string
	// authorOf returns who signed a record, or nil.
	authorOf func(id string) *onusv1.Author
}

func (s *service) view(ctx context.Context) view {
	return view{
		Caller: callerOf(ctx),
		operatorOf: func(a *onusv1.Author) string {
			return s.ledger.Registry().OperatorOf(a, s.ledger.Size())
		},
		authorOf: s.authorOf,
	}
}

func (s *service) authorOf(id string) *onusv1.Author {
	parsed, err := record.ParseID(id)
	if err != nil {
		return nil
	}
	index, err := s.ledger.Index(parsed)
	if err != nil {
		return nil
	}
	e, err := s.ledger.Entry(index)
	if err != nil {
		return nil
	}
	return e.Record.Msg.GetAuthor()
}

// addressee returns whom a person's word is for: the agent that an intent asks
// or a grant is given to, or the author of the proposal that is answered. Of
// what others say it returns nil: there the role decides.
func (v view) addressee(m *onusv1.Record) *onusv1.Author {
	if a := m.GetAuthor(); a.GetUser() == "" && a.GetClient() == "" && a.GetReviewer() == "" {
		return nil
	}
	switch b := m.GetBody().(type) {
	case *onusv1.Record_Approval:
		return v.authorOf(b.Approval.GetProposal())
	case *onusv1.Record_Denial:
		return v.authorOf(b.Denial.GetProposal())
	case *onusv1.Record_Delegation:
		return &onusv1.Author{Agent: b.Delegation.GetAgent()}
	case *onusv1.Record_Stages:
		if m.GetAsks() != "" {
			return &onusv1.Author{Agent: m.GetAsks()}
		}
	}
	return nil
}

// isFor reports whether an operator reads a record as a whole: it answers for
// the author, or for the agent that a person addresses in it.
func (v view) isFor(operator string, m *onusv1.Record) bool {
	if v.operatorOf(m.GetAuthor()) == operator {
		return true
	}
	to := v.addressee(m)
	return to != nil && operator != "" && v.operatorOf(to) == operator
}

// Owns is [identity.Caller.Owns], and an operator owns what is said by all it
// answers for.
func (v view) Owns(author *onusv1.Author) bool {
	return v.Caller.Owns(author) || v.Role == identity.Operator && v.Scope != "" && v.operatorOf(author) == v.Scope
}

// mayRead returns why the caller may not read a record as a whole, or nil.
func (v view) mayRead(e *ledger.Entry) error {
	if !v.Scoped() || v.Owns(e.Record.Msg.GetAuthor()) {
		return nil
	}
	if to := v.addressee(e.Record.Msg); to != nil && v.Owns(to) {
		return nil
	}
	return &notPermittedError{
		what: fmt.Sprintf("entry %d is not a record of %s: reading it needs the role %s", e.Index, v, listRoles(readers)),
		next: "ask for your own records; GetChain shows the chains that they are part of",
	}
}

// contents reports whether the caller may see what a record's commitments
// hide.
func (v view) contents(author *onusv1.Author) bool {
	return v.Role == identity.Compliance || v.Role == identity.Administrator || v.Owns(author)
}

// query holds a listing to the caller's own records.
func (v view) query(q *ledger.Query) error {
	own, field := (*string)(nil), ""
	switch v.Role {
	case identity.Agent:
		own, field = &q.Agent, "agent"
	case identity.Operator:
		own, field = &q.Operator, "operator"
	}
	switch {
	case !v.Scoped():
		return nil
	case own == nil || v.Scope == "": // nobody; a guard that let it in is broken
		return &notPermittedError{what: "the caller has no role", next: nextRole}
	case *own != "" && *own != v.Scope:
		return &notPermittedError{field: field,
			what: fmt.Sprintf("%s %.100q is not %s: listing its records needs the role %s", field, *own, v.Scope, listRoles(readers)),
			next: fmt.Sprintf("leave the filter %s out, or set it to %s", field, v.Scope)}
	}
	*own = v.Scope
	return nil
}

// chain returns which operator's records in a chain the caller reads as a
// whole, with all = true for everybody's, or why it may not read the chain.
//
// A chain is an agent's or an operator's if it holds a record of theirs. They
// then read what their own operator answers for; of the others they see that
// there is a record, where it stands and whose it is.
func (v view) chain(c *ledger.Chain) (operator string, all bool, err error) {
	if !v.Scoped() {
		return "", true, nil
	}
	i := slices.IndexFunc(c.Entries, func(e *ledger.Entry) bool { return v.Owns(e.Record.Msg.GetAuthor()) })
	if i < 0 {
		next := "ask for a chain that one of your records is part of"
		if c.Cut {
			next += "; this one was cut: a higher limit may reach it"
		}
		return "", false, &notPermittedError{
			what: fmt.Sprintf("the chain holds no record of %s: reading it needs the role %s", v, listRoles(readers)), next: next}
	}
	// The operator who answers for an agent class never changes, so any
	// record of the class names it.
	return v.operatorOf(c.Entries[i].Record.Msg.GetAuthor()), false, nil
}

// redacted is what others see of an entry: index, id and party, and the links
// that the picture of a chain is drawn from.
func redacted(e *ledger.Entry) *onusv1.LoggedRecord {
	m := e.Record.Msg
	party := proto.Clone(m.GetAuthor()).(*onusv1.Author)
	party.Instance, party.KeyId = "", ""
	return &onusv1.LoggedRecord{
		Index:    e.Index,
		Id:       e.Record.ID.String(),
		Redacted: true,
		Record: &onusv1.Record{
			Author: party,
			Parent: m.GetParent(),
			Causes: m.GetCauses(),
		},
	}
}
