package agent

import (
	"context"
	"slices"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Delegation is a grant: who may do what, within which limits, until when. An
// agent passes on what it was given ([Agent.Delegate], Step.Delegation); users
// and operators give what is theirs (package party).
//
// What is wider than the grant above it is logged too, gives no more than that
// one, and is held against whoever gave it.
type Delegation struct {
	// Agent is the class that may act. Instance binds the grant to one
	// process of it; empty means any.
	Agent, Instance string
	// Scope is what may be done: 1 to 64.
	Scope []Scope
	// NotBefore and Expires bound it in log time; zero means at once, and
	// until it is revoked or the grant above it ends.
	NotBefore, Expires time.Time
	// MaxDepth is how many grants may follow below this one; 0 means that it
	// may not be passed on.
	MaxDepth int
	// Approvals say what needs a person's approval; none means nothing does
	// that the log's policy or a grant above does not say.
	Approvals []ApprovalRule
	// EndsWithSession: it ends when the session of the record is revoked.
	EndsWithSession bool
	// Purpose is a text; empty means none.
	Purpose string
}

// Scope is one thing that may be done, with limits. "*" stands for any. A field
// that is left out is as in the grant above, and open in a root.
type Scope struct {
	// Type is the kind of resource, Action what may be done to it.
	Type, Action string
	// Location is where: a URL or URN, and what lies below it. Identifier is
	// which one.
	Location, Identifier string
	// Datatypes are classes of data that may be touched.
	Datatypes []string
	// Recipient is the pseudonym of who may receive the effect.
	Recipient string
	// MaxItem is the most that one item may amount to, MaxTotal the most that
	// all actions may: decimals, in Unit.
	MaxItem, MaxTotal, Unit string
}

// ApprovalRule says what needs a person's approval.
type ApprovalRule struct {
	// Above: only amounts above this, in Unit; empty means any.
	Above, Unit string
	// Operations are "type:action", "type:*" or "*": 1 to 32.
	Operations []string
	// Approvers are the reviewers who may approve; none means the user.
	Approvers []string
	// Assurance is the least assurance of a user's approval, 1 to 3; 0 means 1.
	Assurance int
}

// Delegate grants scope to an agent class, under the grant that this agent has
// from the context (see [Step]), and returns what the child needs to act and to
// name its parent: a link that carries the grant. Send it along with the call:
//
//	link, err := a.Delegate(ctx, "spiffe://example.com/buyer", agent.Scope{
//		Type: "order", Action: "create", MaxItem: "5000", Unit: "EUR",
//	})
//	…
//	resp, err := client.Do(req.WithContext(agent.WithLink(ctx, link)))
//
// The child, behind a gate of package callee, then acts under the grant by
// itself; the client proves to it who calls ([ProofTransport]). The context with that link is for the call: in it, this agent's
// own records go on under its own grant, with the delegation as their parent.
//
// Without a grant in the context, and without a user, an agent has nothing to
// pass on: that is a [*record.Error]. For an expiry, more depth, approvals or
// one instance, use [Agent.Record] with Step.Delegation, and [Receipt.Link].
func (a *Agent) Delegate(ctx context.Context, child string, scope ...Scope) (Link, error) {
	r, err := a.Record(ctx, Step{Delegation: &Delegation{Agent: child, Scope: scope}})
	if err != nil {
		return Link{}, err
	}
	return r.Link(), nil
}

// Proto returns the delegation as a record carries it, its purpose in plain
// text: [Client.Sign] commits to that.
func (d *Delegation) Proto() *onusv1.Grant {
	g := &onusv1.Grant{
		Agent: d.Agent, Instance: d.Instance,
		NotBefore: timestamp(d.NotBefore), Expires: timestamp(d.Expires),
		MaxDepth: int32(min(max(d.MaxDepth, -1), 1<<20)), EndsWithSession: d.EndsWithSession,
		Purpose: Plain(d.Purpose),
	}
	for _, s := range d.Scope {
		g.Scope = append(g.Scope, s.Proto())
	}
	for _, r := range d.Approvals {
		g.Approvals = append(g.Approvals, &onusv1.ApprovalRule{
			Above: r.Above, Unit: r.Unit, Operations: slices.Clone(r.Operations), Approvers: slices.Clone(r.Approvers),
			Assurance: int32(min(max(r.Assurance, -1), 1<<20)),
		})
	}
	return g
}

// Proto returns the scope as a grant carries it.
func (s Scope) Proto() *onusv1.GrantElement {
	return &onusv1.GrantElement{
		Element: &onusv1.ScopeElement{
			Type: s.Type, Action: s.Action, Location: s.Location, Identifier: s.Identifier,
			Datatypes: slices.Clone(s.Datatypes), Recipient: s.Recipient,
		},
		MaxItem: s.MaxItem, MaxTotal: s.MaxTotal, Unit: s.Unit,
	}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
