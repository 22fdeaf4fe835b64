package record_test

import (
	"fmt"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/proto"
)

func inGrant(change func(*onusv1.Grant)) func(*onusv1.Record) {
	return func(m *onusv1.Record) { change(m.GetDelegation()) }
}

func TestGrants(t *testing.T) {
	type G = onusv1.Grant
	element := func() *onusv1.GrantElement {
		return &onusv1.GrantElement{Element: &onusv1.ScopeElement{Type: "t", Action: "a"}}
	}
	scope := func(n int) []*onusv1.GrantElement {
		var es []*onusv1.GrantElement
		for range n {
			es = append(es, element())
		}
		return es
	}
	rules := func(n int) []*onusv1.ApprovalRule {
		var rs []*onusv1.ApprovalRule
		for range n {
			rs = append(rs, approvalRule())
		}
		return rs
	}
	testRefusals(t, delegation, []refusal{
		{"empty", "delegation.agent", func(m *onusv1.Record) { m.Body = &onusv1.Record_Delegation{Delegation: &G{}} }},
		{"to nobody", "delegation.agent", inGrant(func(g *G) { g.Agent = "" })},
		{"to what is no SPIFFE ID", "delegation.agent", inGrant(func(g *G) { g.Agent = "clerk" })},
		{"to an instance with a slash", "delegation.instance", inGrant(func(g *G) { g.Instance = "pod/1" })},
		{"of nothing", "delegation.scope", inGrant(func(g *G) { g.Scope = nil })},
		{"of too much", "delegation.scope", inGrant(func(g *G) { g.Scope = scope(65) })},
		{"begins before 1970", "delegation.not_before", inGrant(func(g *G) { g.NotBefore = at(-1) })},
		{"ends after 9999", "delegation.expires", inGrant(func(g *G) { g.Expires = at(253402300800) })},
		{"ends as it begins", "delegation.expires", inGrant(func(g *G) { g.Expires = g.NotBefore })},
		{"ends before it begins", "delegation.expires", inGrant(func(g *G) { g.Expires = at(1) })},
		{"negative depth", "delegation.max_depth", inGrant(func(g *G) { g.MaxDepth = -1 })},
		{"too deep", "delegation.max_depth", inGrant(func(g *G) { g.MaxDepth = 17 })},
		{"too many rules", "delegation.approvals", inGrant(func(g *G) { g.Approvals = rules(17) })},
		{"ends with no session", "session", func(m *onusv1.Record) { m.Session = "" }},
		{"empty purpose", "delegation.purpose", inGrant(func(g *G) { g.Purpose = &onusv1.Text{} })},
		{"an agent's, of nobody", "grant", func(m *onusv1.Record) { m.Grant, m.User = "", "" }},
		{"under what is no id", "grant", func(m *onusv1.Record) { m.Grant = "grant-1" }},
	})
	testAccepted(t, delegation, []acceptance{
		{"only what is required", func(m *onusv1.Record) {
			m.Session = ""
			m.Body = &onusv1.Record_Delegation{Delegation: &G{Agent: planner, Scope: scope(1)}}
		}},
		{"as much as it may hold", inGrant(func(g *G) { g.Scope, g.Approvals, g.MaxDepth = scope(64), rules(16), 16 })},
		{"an agent's, under a grant", func(m *onusv1.Record) { m.User = "" }},
		{"an agent's, for a user", func(m *onusv1.Record) { m.Grant = "" }},
		{"of a moment", inGrant(func(g *G) { g.Expires = proto.CloneOf(g.NotBefore); g.Expires.Nanos++ })},
		{"to the one who gives it, which is for authority to flag", func(m *onusv1.Record) { m.GetDelegation().Agent = m.Author.Agent }},
	})
}

// A root is what its issuer has of itself.
func TestRootsHaveNoGrant(t *testing.T) {
	for _, party := range []string{"operator", "client", "user"} {
		root := func() *onusv1.Record { return grantUnder("")(party) }
		testRefusals(t, root, []refusal{{party, "grant", func(m *onusv1.Record) { m.Grant = idOf("parent grant") }}})
	}
}

func TestGrantElements(t *testing.T) {
	type E = onusv1.GrantElement
	bare := &onusv1.ScopeElement{Type: "order", Action: "create"}
	set := func(e *E) func(*onusv1.Record) { return inGrant(func(g *onusv1.Grant) { g.Scope[1] = e }) }
	with := func(change func(*onusv1.ScopeElement)) func(*onusv1.Record) {
		e := proto.CloneOf(bare)
		change(e)
		return set(&E{Element: e})
	}
	const f = "delegation.scope[1]"
	testRefusals(t, delegation, []refusal{
		{"empty", f + ".element", set(&E{})},
		{"without type", f + ".element.type", with(func(e *onusv1.ScopeElement) { e.Type = "" })},
		{"without action", f + ".element.action", with(func(e *onusv1.ScopeElement) { e.Action = "" })},
		{"location with a wildcard", f + ".element.location", with(func(e *onusv1.ScopeElement) { e.Location = "https://erp.example.com/*" })},
		{"with an amount", f + ".element.amount", with(func(e *onusv1.ScopeElement) { e.Amount, e.Unit = "1", "EUR" })},
		{"with a quantity", f + ".element.quantity", with(func(e *onusv1.ScopeElement) { e.Quantity = "1" })},
		{"unit of no amount", f + ".element.unit", with(func(e *onusv1.ScopeElement) { e.Unit = "EUR" })},
		{"recipient by name", f + ".element.recipient", with(func(e *onusv1.ScopeElement) { e.Recipient = "bob" })},
		{"limit without unit", f + ".unit", set(&E{Element: bare, MaxItem: "1"})},
		{"total without unit", f + ".unit", set(&E{Element: bare, MaxTotal: "1"})},
		{"unit without limit", f + ".unit", set(&E{Element: bare, Unit: "EUR"})},
		{"unit with a space", f + ".unit", set(&E{Element: bare, MaxItem: "1", Unit: "kg m"})},
		{"limit that is no decimal", f + ".max_item", set(&E{Element: bare, MaxItem: "1e3", Unit: "EUR"})},
		{"negative limit", f + ".max_item", set(&E{Element: bare, MaxItem: "-1", Unit: "EUR"})},
		{"total that is no decimal", f + ".max_total", set(&E{Element: bare, MaxTotal: "01", Unit: "EUR"})},
	})
	testAccepted(t, delegation, []acceptance{
		{"open", set(&E{Element: &onusv1.ScopeElement{Type: "*", Action: "*", Identifier: "*", Datatypes: []string{"*"}}})},
		{"limit of an item", set(&E{Element: bare, MaxItem: "0.01", Unit: "EUR"})},
		{"limit of all", set(&E{Element: bare, MaxTotal: "0", Unit: "%"})},
		{"for one recipient", with(func(e *onusv1.ScopeElement) { e.Recipient = pseudonym("s-", 'r') })},
	})
	// A ceiling is checked alike, and has no totals.
	ceiling := func(e *E) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.GetRegistration().GetAgent().Ceiling[0] = e }
	}
	testRefusals(t, fullAgentClass, []refusal{
		{"ceiling with a total", "registration.agent.ceiling[0].max_total", ceiling(&E{Element: bare, MaxTotal: "1", Unit: "EUR"})},
		{"ceiling without element", "registration.agent.ceiling[0].element", ceiling(&E{})},
		{"ceiling too long", "registration.agent.ceiling", func(m *onusv1.Record) {
			a := m.GetRegistration().GetAgent()
			for len(a.Ceiling) <= 64 {
				a.Ceiling = append(a.Ceiling, a.Ceiling[0])
			}
		}},
	})
}

// The rules of a grant and of the log's policy are the same.
func TestApprovalRules(t *testing.T) {
	type R = onusv1.ApprovalRule
	var operations, approvers []string
	for i := range 33 {
		operations = append(operations, fmt.Sprintf("t:a%d", i))
		approvers = append(approvers, fmt.Sprintf("reviewer-%d", i))
	}
	for list, of := range map[string]struct {
		valid func() *onusv1.Record
		rule  func(*onusv1.Record) *R
	}{
		"delegation.approvals[0]":     {delegation, func(m *onusv1.Record) *R { return m.GetDelegation().Approvals[0] }},
		"genesis.policy.approvals[0]": {hostGenesis, func(m *onusv1.Record) *R { return m.GetGenesis().Policy.Approvals[0] }},
	} {
		in := func(change func(*R)) func(*onusv1.Record) {
			return func(m *onusv1.Record) { change(of.rule(m)) }
		}
		testRefusals(t, of.valid, []refusal{
			{"empty", list + ".operations", in(func(r *R) { proto.Reset(r) })},
			{"above what is no decimal", list + ".above", in(func(r *R) { r.Above = "1,000" })},
			{"above without unit", list + ".unit", in(func(r *R) { r.Unit = "" })},
			{"unit without above", list + ".unit", in(func(r *R) { r.Above = "" })},
			{"unit too long", list + ".unit", in(func(r *R) { r.Unit = strings.Repeat("u", 33) })},
			{"no operations", list + ".operations", in(func(r *R) { r.Operations = nil })},
			{"too many operations", list + ".operations", in(func(r *R) { r.Operations = operations })},
			{"operation twice", list + ".operations[2]", in(func(r *R) { r.Operations = append(r.Operations, r.Operations[0]) })},
			{"too many approvers", list + ".approvers", in(func(r *R) { r.Approvers = approvers })},
			{"approver that is none", list + ".approvers[1]", in(func(r *R) { r.Approvers[1] = "Bob" })},
			{"empty approver", list + ".approvers[0]", in(func(r *R) { r.Approvers[0] = "" })},
			{"approver twice", list + ".approvers[1]", in(func(r *R) { r.Approvers[1] = r.Approvers[0] })},
			{"negative assurance", list + ".assurance", in(func(r *R) { r.Assurance = -1 })},
			{"assurance beyond 3", list + ".assurance", in(func(r *R) { r.Assurance = 4 })},
		})
		for _, s := range []string{"", "order", ":create", "order:", "*:create", "*:*", "order:cre*", "or der:create", "order create", strings.Repeat("t", 129) + ":a", "t:" + strings.Repeat("a", 65)} {
			testRefusals(t, of.valid, []refusal{{"operation " + s, list + ".operations[0]", in(func(r *R) { r.Operations[0] = s })}})
		}
		testAccepted(t, of.valid, []acceptance{
			{"as much as it may name", in(func(r *R) { r.Operations, r.Approvers, r.Assurance = operations[:32], approvers[:32], 3 })},
			{"only what is required", in(func(r *R) { r.Above, r.Unit, r.Approvers, r.Assurance = "", "", nil, 0 })},
			{"all operations", in(func(r *R) { r.Operations = []string{"*", "order:*", "k8s.pod:get", "a:b:c"} })},
		})
	}
}

func TestApprovalsAndDenials(t *testing.T) {
	testRefusals(t, approval, []refusal{
		{"of nothing", "approval.proposal", func(m *onusv1.Record) { m.GetApproval().Proposal = "" }},
		{"of what is no id", "approval.proposal", func(m *onusv1.Record) { m.GetApproval().Proposal = "proposal" }},
		{"ends before 1970", "approval.expires", func(m *onusv1.Record) { m.GetApproval().Expires = at(-1) }},
		{"empty reason", "approval.reason", func(m *onusv1.Record) { m.GetApproval().Reason = &onusv1.Text{} }},
	})
	testAccepted(t, approval, []acceptance{
		{"without end and reason", func(m *onusv1.Record) { m.GetApproval().Expires, m.GetApproval().Reason = nil, nil }},
	})
	testRefusals(t, denial, []refusal{
		{"of nothing", "denial.proposal", func(m *onusv1.Record) { m.GetDenial().Proposal = "" }},
		{"of what is no id", "denial.proposal", func(m *onusv1.Record) { m.GetDenial().Proposal = strings.Repeat("0", 64) }},
		{"empty reason", "denial.reason", func(m *onusv1.Record) { m.GetDenial().Reason = &onusv1.Text{} }},
	})
	testAccepted(t, denial, []acceptance{{"without reason", func(m *onusv1.Record) { m.GetDenial().Reason = nil }}})
}

// A proposal is what will be done: one thing.
func TestProposals(t *testing.T) {
	in := func(change func(*onusv1.ScopeElement)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetStages().Decision.Proposal) }
	}
	const f = "stages.decision.proposal"
	testRefusals(t, proposal, []refusal{
		{"any type", f + ".type", in(func(e *onusv1.ScopeElement) { e.Type = "*" })},
		{"any action", f + ".action", in(func(e *onusv1.ScopeElement) { e.Action = "*" })},
		{"any identifier", f + ".identifier", in(func(e *onusv1.ScopeElement) { e.Identifier = "*" })},
		{"any data", f + ".datatypes[0]", in(func(e *onusv1.ScopeElement) { e.Datatypes[0] = "*" })},
		{"no action", f + ".action", in(func(e *onusv1.ScopeElement) { e.Action = "" })},
	})
	testAccepted(t, proposal, []acceptance{
		{"alone", func(m *onusv1.Record) { m.GetStages().Decision.Text = nil }},
	})
}
