package agent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A user grants to the planner, the planner to the buyer; each acts under its
// own grant, and the links carry all of it.
func TestDelegate(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	user := w.user(t, nil)
	given := must(user.Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}, MaxDepth: 2}))
	asked := must(user.Ask(ctx, planner, agent.Intent{Text: "optimise the supply"}))

	parent, child := w.agent(t, planner, nil), w.agent(t, buyer, nil)
	var bought *agent.Receipt
	srv := httptest.NewUnstartedServer(nil)
	gate := must(callee.New(callee.Config{Ledger: child.Client, Audience: buyer, URL: "http://" + srv.Listener.Addr().String()}))
	handler := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		done := must(child.Do(req.Context(), order(100), func(context.Context) (agent.Outcome, error) { return agent.Outcome{}, nil }))
		bought = done.Action
	})
	// The other middleware, inside, changes nothing.
	srv.Config.Handler = gate.Middleware(agent.Middleware(handler))
	srv.Start()
	defer srv.Close()

	ctx = agent.WithLink(ctx, asked.Link().Under(given.ID))
	decided := must(parent.Record(ctx, agent.Step{Decision: &agent.Decision{Text: "let the buyer order"}}))
	if m := w.message(decided); m.GetGrant() != given.ID.String() || m.GetParent() != asked.ID.String() || m.GetParentAgent() != "" {
		t.Errorf("the decision is %v, want it under the user's grant, asked for by the intent", m)
	}
	link, err := parent.Delegate(agent.WithLink(ctx, decided.Link()), buyer, agent.Scope{Type: "order", Action: "create", MaxItem: "1000", Unit: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	if link.Grant != link.Record || link.Agent != planner || link.Origin != origin {
		t.Errorf("the link is %v, want one that carries the grant it names", link)
	}
	m := must(w.Ledger.Entry(must(w.Ledger.Index(link.Record)))).Record.Msg
	want := &onusv1.Grant{Agent: buyer, Scope: []*onusv1.GrantElement{{
		Element: &onusv1.ScopeElement{Type: "order", Action: "create"}, MaxItem: "1000", Unit: "EUR"}}}
	if diff := cmp.Diff(want, m.GetDelegation(), protocmp.Transform()); diff != "" {
		t.Errorf("the grant (-want +got):\n%s", diff)
	}
	if m.GetGrant() != given.ID.String() || m.GetParent() != decided.ID.String() {
		t.Errorf("the delegation is %v, want it under the user's grant, with the decision as its parent", m)
	}

	handing := agent.WithLink(ctx, link)
	client := &http.Client{Transport: &agent.ProofTransport{Agent: parent, Audience: buyer}}
	must(client.Do(must(http.NewRequestWithContext(handing, "POST", srv.URL, nil)))).Body.Close()
	if m := w.message(bought); m.GetGrant() != link.Grant.String() || m.GetParent() != link.Record.String() || m.GetParentAgent() != planner {
		t.Errorf("the order is %v, want it under the buyer's grant, asked for by the planner", m)
	}
	// Without a proof of who sends it, a link gives a parent and no authority.
	unproven := httptest.NewServer(agent.Middleware(handler))
	defer unproven.Close()
	must((&http.Client{Transport: &agent.Transport{}}).Do(must(http.NewRequestWithContext(handing, "POST", unproven.URL, nil)))).Body.Close()
	if m := w.message(bought); m.GetGrant() != "" || m.GetParent() != link.Record.String() || m.GetParentAgent() != planner {
		t.Errorf("the order is %v, want it under no grant, asked for by the planner", m)
	}
	// What is in the link is the child's: the planner goes on under its own.
	if m := w.message(must(parent.Record(handing, intent("note")))); m.GetGrant() != given.ID.String() {
		t.Errorf("the planner's own record is under %s, want %s", m.GetGrant(), given.ID)
	}
}

// What a step takes from its context.
func TestGrantFromContext(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	g1, g2 := record.ID{1}, record.ID{2}
	user := agent.Link{Record: record.ID{9}, Origin: origin, Grant: g1}
	other := agent.Link{Record: record.ID{8}, Agent: buyer, Origin: origin}
	own := agent.Link{Record: record.ID{7}, Agent: planner, Origin: origin, Grant: g2}
	in := func(links ...agent.Link) context.Context {
		ctx := t.Context()
		for _, l := range links {
			ctx = agent.WithLink(ctx, l)
		}
		return ctx
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		step func(*agent.Step)
		want record.ID
	}{
		"of a user's link":                     {in(user), nil, g1},
		"past the agent's own links":           {in(user, own, own), nil, g1},
		"not one that the agent gave away":     {in(own), nil, record.ID{}},
		"not past another agent's link":        {in(user, other), nil, record.ID{}},
		"not past a link that was taken away":  {in(user, agent.Link{}, own), nil, record.ID{}},
		"of the step's own parent":             {in(), func(s *agent.Step) { s.Parent = user }, g1},
		"of the parent, not of the context":    {in(user), func(s *agent.Step) { s.Parent = other }, record.ID{}},
		"of the context, if parent is its own": {in(user), func(s *agent.Step) { s.Parent = own }, g1},
		"the step's own":                       {in(user), func(s *agent.Step) { s.Grant = g2 }, g2},
		"none for a root":                      {in(user), func(s *agent.Step) { s.Root = true }, record.ID{}},
		"none on its own authority":            {in(user), func(s *agent.Step) { s.Basis = agent.Own }, record.ID{}},
		"none for an outcome": {in(user), func(s *agent.Step) {
			s.Intent, s.Outcome = nil, &agent.Outcome{Status: agent.Failed}
		}, record.ID{}},
	} {
		t.Run(name, func(t *testing.T) {
			step := intent("x")
			if c.step != nil {
				c.step(&step)
			}
			want := ""
			if !c.want.IsZero() {
				want = c.want.String()
			}
			r, err := a.Record(c.ctx, step)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.message(r).GetGrant(); got != want {
				t.Errorf("the record is under %q, want %q", got, want)
			}
		})
	}
}

// Everything that a grant can say.
func TestDelegationInFull(t *testing.T) {
	w := newWorld(t)
	from, to := time.Now().Add(time.Minute).Truncate(time.Second), time.Now().Add(time.Hour).Truncate(time.Second)
	a := w.agent(t, planner, nil)
	given := must(w.operator(t).Grant(t.Context(), agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}, MaxDepth: 3}))
	session := must(a.Session(t.Context(), "s"))
	r, err := a.Record(t.Context(), agent.Step{Grant: given.ID, Session: session, Delegation: &agent.Delegation{
		Agent: buyer, Instance: "b-1", Scope: []agent.Scope{orders}, NotBefore: from, Expires: to, MaxDepth: 1, EndsWithSession: true,
		Approvals: []agent.ApprovalRule{{Above: "1000", Unit: "EUR", Operations: []string{"order:create"}, Approvers: []string{ben}, Assurance: 2}},
		Purpose:   "the spring order",
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := w.message(r).GetDelegation()
	if len(got.GetPurpose().GetCommitment()) == 0 {
		t.Errorf("the purpose is %v, want a commitment", got.GetPurpose())
	}
	want := &onusv1.Grant{
		Agent: buyer, Instance: "b-1", NotBefore: timestamppb.New(from), Expires: timestamppb.New(to), MaxDepth: 1, EndsWithSession: true,
		Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "create", Location: orders.Location},
			MaxItem: "5000", MaxTotal: "50000", Unit: "EUR"}},
		Approvals: []*onusv1.ApprovalRule{{Above: "1000", Unit: "EUR", Operations: []string{"order:create"}, Approvers: []string{ben}, Assurance: 2}},
		Purpose:   got.GetPurpose(),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("the grant (-want +got):\n%s", diff)
	}
}

func TestDelegateRefuses(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	for name, c := range map[string]struct {
		field string
		step  agent.Step
	}{
		"nothing to pass on":  {"grant", agent.Step{Delegation: &agent.Delegation{Agent: buyer, Scope: []agent.Scope{orders}}}},
		"no scope":            {"delegation.scope", agent.Step{Grant: record.ID{1}, Delegation: &agent.Delegation{Agent: buyer}}},
		"too deep":            {"delegation.max_depth", agent.Step{Grant: record.ID{1}, Delegation: &agent.Delegation{Agent: buyer, Scope: []agent.Scope{orders}, MaxDepth: 1 << 40}}},
		"beside a stage":      {"delegation", agent.Step{Grant: record.ID{1}, Delegation: &agent.Delegation{Agent: buyer, Scope: []agent.Scope{orders}}, Intent: &agent.Intent{Text: "x"}}},
		"beside an outcome":   {"outcome", agent.Step{Grant: record.ID{1}, Delegation: &agent.Delegation{Agent: buyer, Scope: []agent.Scope{orders}}, Outcome: &agent.Outcome{Status: agent.Failed}}},
		"session not told of": {"session", agent.Step{Grant: record.ID{1}, Delegation: &agent.Delegation{Agent: buyer, Scope: []agent.Scope{orders}, EndsWithSession: true}}},
	} {
		_, err := a.Record(t.Context(), c.step)
		var e *record.Error
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%s: Record gives %v, want an error about %s", name, err, c.field)
		}
	}
	if got := w.count(t, a); got != 0 {
		t.Errorf("%d records are in the log", got)
	}
}

// A proposal, a person's answer, and the action.
func TestAwaitAnswer(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	user := w.user(t, nil)
	given := must(user.Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{orders},
		Approvals: []agent.ApprovalRule{{Operations: []string{"order:create"}}}}))
	a := w.agent(t, planner, nil)
	what := order(100).Action.Element
	propose := func() *agent.Receipt {
		return must(a.Record(ctx, agent.Step{Grant: given.ID, User: user.Pseudonym(), Decision: &agent.Decision{Text: "order", Proposal: &what}}))
	}
	proposal := propose()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	var outage *agent.OutageError
	if got, err := a.AwaitAnswer(short, proposal.ID); !errors.As(err, &outage) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("AwaitAnswer gives %v, %v before there is one", got, err)
	}
	answered := make(chan *agent.Answer)
	go func() {
		got, err := a.AwaitAnswer(ctx, proposal.ID)
		if err != nil {
			t.Error(err)
		}
		answered <- got
	}()
	until := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	approved := must(user.Approve(ctx, proposal.Link(), until, "go on"))
	got := <-answered
	if got == nil || !got.Approved || got.ID != approved.ID || got.Index != approved.Index || !got.Expires.Equal(until) || got.By.GetClient() != chat {
		t.Fatalf("AwaitAnswer gives %+v, want the approval %s", got, approved.ID)
	}
	step := order(100)
	step.Grant, step.User, step.Action.Approval = given.ID, user.Pseudonym(), got.ID
	done := must(a.Do(ctx, step, func(context.Context) (agent.Outcome, error) { return agent.Outcome{}, nil }))
	e := must(w.Ledger.Entry(done.Action.Index))
	if len(e.Stamp.Uses) == 0 {
		t.Error("the action uses nothing up, want the approval and the total limit")
	}

	// The later of approval and denial wins.
	proposal = propose()
	must(user.Approve(ctx, proposal.Link(), time.Time{}, ""))
	denied := must(user.Deny(ctx, proposal.Link(), "not now"))
	if got := must(a.AwaitAnswer(ctx, proposal.ID)); got.Approved || got.ID != denied.ID {
		t.Errorf("AwaitAnswer gives %+v, want the denial", got)
	}
	var refused *agent.RefusedError
	if got, err := a.AwaitAnswer(ctx, record.ID{1}); !errors.As(err, &refused) {
		t.Errorf("AwaitAnswer of what is not in the log gives %v, %v", got, err)
	}
}

// An answer that the ledger does not show, or makes up, is no answer.
func TestAnswerHidden(t *testing.T) {
	w := newWorld(t)
	user := w.user(t, nil)
	a := w.agent(t, planner, nil)
	what := order(1).Action.Element
	proposal := must(a.Record(t.Context(), agent.Step{User: user.Pseudonym(), Decision: &agent.Decision{Proposal: &what}}))
	denied := must(user.Deny(t.Context(), proposal.Link(), "no"))
	direct := onusv1connect.NewLedgerServiceClient(http.DefaultClient, w.URL)
	for name, c := range map[string]struct {
		edit func(*onusv1.LoggedRecord)
		ok   func(*agent.Answer, error) bool
	}{
		"redacted": {func(l *onusv1.LoggedRecord) {
			l.Redacted, l.Entry = true, nil
			l.Record = &onusv1.Record{Author: &onusv1.Author{}, Parent: l.GetRecord().GetParent()}
		}, func(_ *agent.Answer, err error) bool {
			return err != nil && strings.Contains(err.Error(), "does not show it")
		}},
		"a denial shown as an approval": {func(l *onusv1.LoggedRecord) {
			l.Record.Body = &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: proposal.ID.String()}}
		}, func(got *agent.Answer, err error) bool { return err == nil && !got.Approved && got.ID == denied.ID }},
		"another entry": {func(l *onusv1.LoggedRecord) {
			l.Entry, l.Index = must(w.Ledger.Entry(proposal.Index)).Raw, proposal.Index
		}, func(_ *agent.Answer, err error) bool { return errors.As(err, new(*agent.ProofError)) }},
		"an entry that is not there": {func(l *onusv1.LoggedRecord) { l.Entry[len(l.Entry)-1] ^= 1 },
			func(_ *agent.Answer, err error) bool { return errors.As(err, new(*agent.ProofError)) }},
		"no entry": {func(l *onusv1.LoggedRecord) { l.Entry = nil },
			func(_ *agent.Answer, err error) bool { return errors.As(err, new(*agent.ProofError)) }},
	} {
		t.Run(name, func(t *testing.T) {
			client := w.client(t, func(cc *agent.ClientConfig) {
				cc.HTTPClient = &http.Client{Transport: tamper(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
					if !strings.HasSuffix(req.URL.Path, "/GetChain") {
						return next.RoundTrip(req)
					}
					resp := must(direct.GetChain(req.Context(), &onusv1.GetChainRequest{Id: proposal.ID.String()}))
					c.edit(resp.GetRecords()[len(resp.GetRecords())-1])
					return message(resp), nil
				})}
			})
			if got, err := client.AwaitAnswer(t.Context(), proposal.ID); !c.ok(got, err) {
				t.Errorf("AwaitAnswer gives %+v, %v", got, err)
			}
		})
	}
}
