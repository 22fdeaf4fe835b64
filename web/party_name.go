package web

import (
	"fmt"
	"net/url"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

// partyName is a party as people know it: the name before the id, and who
// answers for it. All but ID and OperatorID is made harmless already; those are
// for the template's function id.
type partyName struct {
	// Kind is the word for what it is.
	Kind string
	// Name is what people call it; the id's end where nobody named it.
	Name string
	ID   string
	// Instance is one process.
	Instance string
	Href     string
	// Real is the name behind a pseudonym, for those who may see it, and Issuer
	// whose account it is, if the name is right: who had it minted says so.
	Real, Issuer string
	// Organisation, Unit and Post answer; OperatorID is their operator's.
	Organisation, Unit, Post, OperatorID string
}

// Answers says who answers for it.
func (n partyName) Answers() string {
	switch {
	case n.Unit == "":
		return ""
	case n.Post == "":
		return n.Unit
	}
	return n.Unit + ": " + n.Post
}

// KindBefore is the word for what it is, to stand before its name: anybody may
// register a name that reads like words of the viewer's own. It is empty for who
// has no other name.
func (n partyName) KindBefore() string {
	if n.Kind == n.Name {
		return ""
	}
	return n.Kind
}

// OperatorHref leads to the operator who answers.
func (n partyName) OperatorHref() string {
	if n.OperatorID == "" {
		return ""
	}
	return partyPath("/operators", n.OperatorID)
}

// kindWords are those for kinds of parties.
var kindWords = map[registry.Kind]string{
	registry.KindAgent: "agent", registry.KindOperator: "operator", registry.KindAdministrator: "administrator",
	registry.KindService: "service", registry.KindClient: "user client", registry.KindReviewer: "reviewer",
	registry.KindUser: "user", registry.KindHost: "the log’s host", registry.KindIssuer: "issuer of tokens",
}

// nameOf names a party as the entries before the index at have it.
func (v *visit) nameOf(p registry.Party, at int64) partyName {
	n := partyName{Kind: kindWords[p.Kind], ID: p.ID, Name: report.Clean(lastPart(p.ID))}
	if n.Kind == "" {
		n.Kind = "nobody who is known"
	}
	reg := v.Log.Registry()
	r, _ := reg.Registration(p, at)
	operator := ""
	switch p.Kind {
	case registry.KindAgent:
		n.Href = partyPath("/agents", p.ID)
		operator = r.GetAgent().GetOperator()
		named(&n, r.GetAgent().GetDisplayName())
	case registry.KindService:
		operator = r.GetService().GetOperator()
		named(&n, r.GetService().GetDisplayName())
	case registry.KindClient:
		operator = r.GetClient().GetOperator()
		named(&n, r.GetClient().GetDisplayName())
	case registry.KindReviewer:
		operator = r.GetReviewer().GetOperator()
		n.Name = report.Clean(p.ID)
	case registry.KindOperator:
		n.Href, operator = partyPath("/operators", p.ID), p.ID
		named(&n, r.GetOperator().GetUnit())
	case registry.KindUser:
		n.Href, n.Name = partyPath("/users", p.ID), report.Clean(p.ID)
		real, issuer := personName(v.realName(p.ID))
		n.Real, n.Issuer = report.Clean(real), report.Clean(issuer)
	case registry.KindHost:
		n.Name = "the log’s host"
	case registry.KindAdministrator, registry.KindIssuer:
		n.Name = report.Clean(p.ID)
	}
	if o, _ := reg.Operator(operator, at); o != nil {
		n.Organisation, n.Unit, n.Post = report.Clean(o.GetOrganisation()), report.Clean(o.GetUnit()), report.Clean(o.GetAccountablePost())
	}
	n.OperatorID = operator
	return n
}

func named(n *partyName, name string) {
	if name != "" {
		n.Name = report.Clean(name)
	}
}

// authorName names who signed a record, as of its index. A record with which an
// agent or an operator comes in names it as of the entry itself.
func (v *visit) authorName(a *onusv1.Author, index int64) partyName {
	p, instance := partyOfAuthor(a)
	n := v.nameOf(p, index+1)
	n.Instance = report.Clean(instance)
	if n.OperatorID == "" && a.GetOperator() != "" {
		n.OperatorID = a.GetOperator()
	}
	return n
}

// partyOfIssuer reads who gave a grant, as its status names it.
func partyOfIssuer(s string) registry.Party {
	for _, k := range []registry.Kind{registry.KindUser, registry.KindAgent, registry.KindOperator} {
		if id, ok := strings.CutPrefix(s, string(k)+" "); ok {
			return registry.Party{Kind: k, ID: id}
		}
	}
	return registry.Party{}
}

// lastPart returns what stands after the last slash.
func lastPart(id string) string { return id[strings.LastIndex(id, "/")+1:] }

// partyPath is the address of one party's page.
func partyPath(page, id string) string { return page + "?id=" + url.QueryEscape(id) }

// recordsPath is the address of a list of records: pairs of names and values,
// of which empty ones are left out.
func recordsPath(pairs ...string) string { return listPath("/records", pairs...) }

func listPath(page string, pairs ...string) string {
	q, err := query(pairs...)
	if err != nil {
		panic("web: " + err.Error()) // of our own pairs
	}
	if q == "" {
		return page
	}
	return page + "?" + q
}

// recordIndexPath is the address of a record by its place in the log.
func recordIndexPath(index int64) string { return fmt.Sprintf("/record/@%d", index) }

// shortOperation names what an element is about, for one line of a list.
func shortOperation(e *onusv1.ScopeElement) string {
	if e == nil {
		return ""
	}
	s := report.Clean(e.GetType() + ":" + e.GetAction())
	if l := e.GetLocation(); l != "" {
		s += " " + report.Clean(l)
	}
	if id := e.GetIdentifier(); id != "" {
		s += " “" + report.Clean(id) + "”"
	}
	if e.GetAmount() != "" {
		s += " " + report.Clean(e.GetAmount()) + " " + report.Clean(e.GetUnit())
	}
	if e.GetQuantity() != "" {
		s += " × " + report.Clean(e.GetQuantity())
	}
	if ds := e.GetDatatypes(); len(ds) > 0 {
		s += ", data: " + report.Clean(strings.Join(ds, ", "))
	}
	return s
}
