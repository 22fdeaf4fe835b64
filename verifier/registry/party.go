package registry

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Kind is a kind of party.
type Kind string

// The kinds. An issuer signs nothing in the log: it is registered so that its
// tokens count.
const (
	KindAgent         Kind = "agent"
	KindOperator      Kind = "operator"
	KindAdministrator Kind = "administrator"
	KindService       Kind = "service"
	KindClient        Kind = "client"
	KindReviewer      Kind = "reviewer"
	KindUser          Kind = "user"
	KindHost          Kind = "host"
	KindIssuer        Kind = "issuer"
)

// Party is who says something, or is registered. Of an agent it is the class.
type Party struct {
	Kind Kind
	ID   string // empty for the host
}

// String names a party for people: "agent spiffe://example.com/planner".
func (p Party) String() string {
	if p.Kind == KindHost {
		return "the host"
	}
	return string(p.Kind) + " " + p.ID
}

// PartyOf returns the party that an author is.
func PartyOf(a *onusv1.Author) Party {
	switch {
	case a.GetAgent() != "":
		return Party{KindAgent, a.GetAgent()}
	case a.GetAdministrator() != "":
		return Party{KindAdministrator, a.GetAdministrator()}
	case a.GetService() != "":
		return Party{KindService, a.GetService()}
	case a.GetClient() != "":
		return Party{KindClient, a.GetClient()}
	case a.GetReviewer() != "":
		return Party{KindReviewer, a.GetReviewer()}
	case a.GetUser() != "":
		return Party{KindUser, a.GetUser()}
	case a.GetHost():
		return Party{Kind: KindHost}
	}
	return Party{KindOperator, a.GetOperator()}
}

// partyOfRegistration returns whom a registration of anything but a key
// describes, and the operator who answers for it, if one does.
func partyOfRegistration(r *onusv1.Registration) (p Party, operator string) {
	switch s := r.GetSubject().(type) {
	case *onusv1.Registration_Operator:
		return Party{KindOperator, s.Operator.GetId()}, s.Operator.GetId()
	case *onusv1.Registration_Agent:
		return Party{KindAgent, s.Agent.GetId()}, s.Agent.GetOperator()
	case *onusv1.Registration_Service:
		return Party{KindService, s.Service.GetId()}, s.Service.GetOperator()
	case *onusv1.Registration_Client:
		return Party{KindClient, s.Client.GetId()}, s.Client.GetOperator()
	case *onusv1.Registration_Reviewer:
		return Party{KindReviewer, s.Reviewer.GetName()}, s.Reviewer.GetOperator()
	case *onusv1.Registration_Issuer:
		return Party{KindIssuer, s.Issuer.GetUrl()}, ""
	}
	return Party{}, ""
}

// Level says how well a binding was established.
type Level int

// The levels. A key that was rotated in without a credential of its own is as
// well established as the key that signed for it.
const (
	// K0 is the word of an administrator or an operator.
	K0 Level = iota
	// K1: a token was checked, of the workload or of the user.
	K1
	// K2: an SVID was checked, by its chain to the trust bundle in force.
	K2
)

// String returns "K0", "K1" or "K2".
func (l Level) String() string { return fmt.Sprintf("K%d", int(l)) }

// Binding is a key and who may sign with it. It is immutable. Who may sign is
// one party, spelled as in an author: fields of other kinds are empty.
type Binding struct {
	// Index is that of the entry that binds the key: it counts for entries
	// after it, and for that entry itself if the key signs it.
	Index int64
	// LogTime is that of the same entry, in milliseconds since 1970. Of the
	// keys that the genesis binds it is not kept.
	LogTime int64
	Key     *record.PublicKey
	// Administrator is set for an administrator's key, Agent (and maybe
	// Instance) for an agent's, with the Operator who answers for it; Operator
	// alone for an operator's.
	Administrator             string
	Agent, Instance, Operator string
	// One of these is set for the key of a service, a user client, a reviewer,
	// a user's device or the host.
	Service, Client, Reviewer, User string
	Host                            bool
	// Level says how well the binding was established, and CheckedWith by whose
	// keys, as the log has them: "trust domain example.com", or "issuer" and
	// its URL. On K0 nobody's.
	Level       Level
	CheckedWith string
	// NotAfter is the log time, in milliseconds since 1970, from which on the
	// key may not sign, or -1. A newer key may end it before: [Registry.Ended].
	NotAfter int64
	// SignedBy is the id of the key that signed the binding: the key's own, if
	// it enrolled itself.
	SignedBy string
}

// Party returns the party whose key it is.
func (b *Binding) Party() Party { return PartyOf(b.author()) }

// bindingOf returns a binding for the party that an author is.
func bindingOf(a *onusv1.Author) *Binding {
	return &Binding{Administrator: a.GetAdministrator(), Agent: a.GetAgent(), Instance: a.GetInstance(), Operator: a.GetOperator(),
		Service: a.GetService(), Client: a.GetClient(), Reviewer: a.GetReviewer(), User: a.GetUser(), Host: a.GetHost()}
}

func (b *Binding) author() *onusv1.Author {
	return &onusv1.Author{Administrator: b.Administrator, Agent: b.Agent, Instance: b.Instance, Operator: b.Operator,
		Service: b.Service, Client: b.Client, Reviewer: b.Reviewer, User: b.User, Host: b.Host}
}

// speaksFor reports what keeps b from signing as a, or "".
func (b *Binding) speaksFor(a *onusv1.Author) string {
	switch {
	case b.Administrator != a.GetAdministrator(), b.Agent != a.GetAgent(), b.Service != a.GetService(), b.Client != a.GetClient(),
		b.Reviewer != a.GetReviewer(), b.User != a.GetUser(), b.Host != a.GetHost():
		return fmt.Sprintf("is %s, but the key is %s", PartyOf(a), b.holder())
	case b.Operator != a.GetOperator():
		return fmt.Sprintf("names operator %q, but the key is %s, and its operator is %q", a.GetOperator(), b.holder(), b.Operator)
	case b.Instance != "" && b.Instance != a.GetInstance():
		return fmt.Sprintf("names instance %q, but the key is %s", a.GetInstance(), b.holder())
	}
	return ""
}

func (b *Binding) holder() string {
	switch {
	case b.Instance != "":
		return "bound to instance " + b.Instance + " of " + b.Agent
	case b.Agent != "":
		return "bound to " + b.Agent
	}
	return b.Party().String() + "'s"
}
