package authority_test

import (
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What the parties say in these tests, short.

func el(typ, action string, edit ...func(*onusv1.ScopeElement)) *onusv1.ScopeElement {
	e := &onusv1.ScopeElement{Type: typ, Action: action}
	for _, f := range edit {
		f(e)
	}
	return e
}

func amount(n, unit string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Amount, e.Unit = n, unit }
}
func quantity(n string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Quantity = n }
}
func at(location string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Location = location }
}
func data(types ...string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Datatypes = types }
}
func to(recipient string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Recipient = recipient }
}

// may is one element of a grant, with limits in EUR: an item and in total.
func may(e *onusv1.ScopeElement, item, total string) *onusv1.GrantElement {
	g := &onusv1.GrantElement{Element: e, MaxItem: item, MaxTotal: total}
	if item != "" || total != "" {
		g.Unit = "EUR"
	}
	return g
}

func open(e *onusv1.ScopeElement) *onusv1.GrantElement { return may(e, "", "") }

// grantTo is a grant to an agent.
func grantTo(name string, scope ...*onusv1.GrantElement) *onusv1.Grant {
	return &onusv1.Grant{Agent: agentID(name), Scope: scope}
}

func depth(g *onusv1.Grant, n int32) *onusv1.Grant {
	g.MaxDepth = n
	return g
}

func until(g *onusv1.Grant, t time.Time) *onusv1.Grant {
	g.Expires = timestamppb.New(t)
	return g
}

func gives(g *onusv1.Grant) *onusv1.Record {
	return &onusv1.Record{Body: &onusv1.Record_Delegation{Delegation: g}}
}

// passes is a grant under another.
func passes(parent *record.Record, g *onusv1.Grant) *onusv1.Record {
	m := gives(g)
	m.Grant = parent.ID.String()
	return m
}

// does is an action under a grant, which may be nil.
func does(grant *record.Record, e *onusv1.ScopeElement, edit ...func(*onusv1.Record)) *onusv1.Record {
	m := &onusv1.Record{Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{Element: e}}}}
	if grant != nil {
		m.Grant = grant.ID.String()
	}
	for _, f := range edit {
		f(m)
	}
	return m
}

func delegated(m *onusv1.Record) { m.Basis = onusv1.Basis_BASIS_DELEGATED }
func own(m *onusv1.Record)       { m.Basis = onusv1.Basis_BASIS_OWN }
func forUser(name string) func(*onusv1.Record) {
	return func(m *onusv1.Record) { m.User = user(name) }
}
func inSession(name string) func(*onusv1.Record) {
	return func(m *onusv1.Record) { m.Session = session(name) }
}
func request(id string) func(*onusv1.Record) {
	return func(m *onusv1.Record) { m.GetStages().GetAction().ExternalRequestId = id }
}
func approvedBy(r *record.Record) func(*onusv1.Record) {
	return func(m *onusv1.Record) { m.GetStages().GetAction().Approval = r.ID.String() }
}
func deniedByTarget(m *onusv1.Record) {
	m.GetStages().GetAction().TargetDecision = onusv1.TargetDecision_TARGET_DECISION_DENIED
}

// token is the user's, issued to an OAuth client; of the session that is named,
// or else of one that nothing else is in.
func token(client string) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		if m.Session == "" {
			m.Session = session("login")
		}
		m.Token = &onusv1.UserToken{Digest: "0123456789012345678901234567890123456789012", Issuer: issuer, Audience: []string{client}, Client: client,
			Expires: timestamppb.New(start.Add(time.Hour))}
	}
}

func with(m *onusv1.Record, edit ...func(*onusv1.Record)) *onusv1.Record {
	for _, f := range edit {
		f(m)
	}
	return m
}

func proposes(grant *record.Record, e *onusv1.ScopeElement, edit ...func(*onusv1.Record)) *onusv1.Record {
	m := &onusv1.Record{Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Decision: &onusv1.Decision{
		Chosen: []*onusv1.ScopeElement{e}, Proposal: e}}}}
	if grant != nil {
		m.Grant = grant.ID.String()
	}
	return with(m, edit...)
}

func approves(p *record.Record) *onusv1.Record {
	return &onusv1.Record{Body: &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: p.ID.String()}}}
}

func denies(p *record.Record) *onusv1.Record {
	return &onusv1.Record{Body: &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: p.ID.String()}}}
}

func revokes(r *onusv1.Revocation) *onusv1.Record {
	return &onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: r}}
}

func theGrant(r *record.Record) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: r.ID.String()}}
}

func theAgent(name string) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: agentID(name)}}
}

func ends(action *record.Record, s onusv1.OutcomeStatus) *onusv1.Record {
	return &onusv1.Record{Parent: action.ID.String(), Body: &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: s}}}
}

// saw is what a service recorded of the action, by the agent that did it.
func saw(action *record.Record, d onusv1.TargetDecision) *onusv1.Record {
	a := action.Msg.GetAuthor()
	return &onusv1.Record{Parent: action.ID.String(), Body: &onusv1.Record_Counter{Counter: &onusv1.CounterRecord{
		Caller: a.GetAgent(), CallerInstance: a.GetInstance(), Element: action.Msg.GetStages().GetAction().GetElement(), Decision: d}}}
}

func service(name string) *onusv1.Author { return &onusv1.Author{Service: agentID(name)} }
