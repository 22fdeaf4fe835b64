package chain

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Party is who answers, by name: an agent with its operator, or whoever else.
type Party struct {
	Kind registry.Kind
	// ID is the registered id or, of a user, the pseudonym. Instance is set for
	// an agent, if one process is meant.
	ID, Instance string
	// Name is what people call it.
	Name string
	// Unit answers for an agent, a service, a client or a reviewer; of an
	// operator it is the operator itself. Nil for users, administrators and the
	// host.
	Unit *Unit
}

// Unit is the part of an organisation that answers, with the post that is
// accountable.
type Unit struct {
	ID, Organisation, Unit, Post string
}

// is reports whether both are the same one.
func (p Party) is(q Party) bool {
	return p.Kind == q.Kind && p.ID == q.ID && p.Instance == q.Instance
}

// String names a party for people: names and units, and no ids where there is
// a name.
func (p Party) String() string {
	s := p.Name
	if p.Instance != "" {
		s += " (" + p.Instance + ")"
	}
	if p.Unit == nil {
		return s
	}
	if p.Kind == registry.KindOperator {
		return s + ": " + p.Unit.Post
	}
	return s + " of " + p.Unit.String()
}

// String names a unit: "Acme, Procurement: Head of Procurement".
func (u *Unit) String() string { return u.name() + ": " + u.Post }

func (u *Unit) name() string {
	if u.Organisation == "" && u.Unit == "" {
		return u.ID
	}
	return strings.TrimPrefix(u.Organisation+", "+u.Unit, ", ")
}

// named puts names in place of the ids of the agents and operators that a
// record's sentence can speak of: those of its author and of its grants. The
// ids stand in the parties.
func (j *judge) named(text string, n *Node) string {
	if !strings.Contains(text, "agent ") && !strings.Contains(text, "operator ") && !strings.Contains(text, "spiffe://") {
		return text
	}
	names := map[string]string{}
	note := func(agent, operator string) {
		if agent != "" {
			names["agent "+agent], names[agent] = j.className(agent, n.Index), j.className(agent, n.Index)
			class, _ := j.Registry.Agent(agent, n.Index)
			operator = class.GetOperator()
		}
		if operator != "" {
			names["operator "+operator] = j.unit(operator, n.Index).name()
		}
	}
	note(n.Record.Msg.GetAuthor().GetAgent(), n.Record.Msg.GetAuthor().GetOperator())
	for _, g := range j.grantsOf(n) {
		note(g.Msg.GetAgent(), "")
		note(g.Record.Msg.GetAuthor().GetAgent(), g.Record.Msg.GetAuthor().GetOperator())
	}
	// The longest first: one id can begin with another.
	ids := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, id := range ids {
		pairs = append(pairs, id, names[id])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// display is a name for people, or else the id.
func display(name, id string) string {
	if name != "" {
		return name
	}
	return id
}

// className names an agent class for people, as of that index.
func (j *judge) className(agent string, at int64) string {
	c, _ := j.Registry.Agent(agent, at)
	return display(c.GetDisplayName(), agent)
}

// party names who an author is, as it was registered at that index.
func (j *judge) party(a *onusv1.Author, at int64) Party {
	who := registry.PartyOf(a)
	p := Party{Kind: who.Kind, ID: who.ID, Instance: a.GetInstance(), Name: who.String()}
	if op := j.Registry.OperatorOf(a, at); op != "" {
		p.Unit = j.unit(op, at)
	}
	switch who.Kind {
	case registry.KindAgent:
		p.Name = j.className(who.ID, at)
	case registry.KindService:
		s, _ := j.Registry.Service(who.ID, at)
		p.Name = display(s.GetDisplayName(), who.ID)
	case registry.KindClient:
		c, _ := j.Registry.Client(who.ID, at)
		p.Name = display(c.GetDisplayName(), who.ID)
	case registry.KindReviewer:
		if r, _ := j.Registry.Reviewer(who.ID, at); r.GetPost() != "" {
			p.Name = who.ID + " (" + r.GetPost() + ")"
		}
	case registry.KindOperator:
		p.Unit = j.unit(who.ID, at)
		p.Name = p.Unit.name()
	}
	return p
}

func (j *judge) unit(operator string, at int64) *Unit {
	o, _ := j.Registry.Operator(operator, at)
	return &Unit{ID: operator, Organisation: o.GetOrganisation(), Unit: o.GetUnit(), Post: o.GetAccountablePost()}
}

func (j *judge) operator(id string, at int64) Party {
	return j.party(&onusv1.Author{Operator: id}, at)
}

func (j *judge) user(pseudonym string) Party {
	return j.party(&onusv1.Author{User: pseudonym}, 0)
}

// signerOf is who signed a record.
func (j *judge) signerOf(n *Node) Party { return j.party(n.Record.Msg.GetAuthor(), n.Index) }

func (j *judge) signer(n *Node) string { return j.signerOf(n).Name }
