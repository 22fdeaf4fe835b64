package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Scenario S3: "optimise the hardware supply". The user grants scope and limits
// with the key of a phone; the planner decides and hands on a part; the
// optimizer orders; the shop records what it saw.

const (
	planner   = "spiffe://example.com/supply-chain-planner"
	optimizer = "spiffe://example.com/supply-chain-optimizer"
	erp       = "https://erp.example.com"
)

// purchase is what the scenario's steps share.
type purchase struct {
	*demo
	user   *party.User
	plan   *agent.Agent
	opt    *agent.Agent
	shop   *shop
	handed agent.Link // to the optimizer: the grant, and the planner's decision
}

// playS3 plays the scenario and returns the receipt of the intent.
func (d *demo) playS3(ctx context.Context) (*agent.Receipt, error) {
	d.say("\nS3. “Optimise the hardware supply”\n")
	p := &purchase{demo: d}
	var err error
	if p.plan, err = d.agent(ctx, &onusv1.AgentClass{Id: planner, DisplayName: "Supply chain planner", Purpose: "Plans what hardware to buy.", RiskClass: "high"}); err != nil {
		return nil, err
	}
	if p.opt, err = d.agent(ctx, &onusv1.AgentClass{Id: optimizer, DisplayName: "Supply chain optimizer", Purpose: "Chooses suppliers and orders.", RiskClass: "high"}); err != nil {
		return nil, err
	}
	if p.shop, err = d.openShop(ctx); err != nil {
		return nil, err
	}
	defer p.shop.close(ctx)
	if p.user, err = d.enrolPhone(ctx, "hardware-lead@example.com"); err != nil {
		return nil, err
	}
	intent, g1, err := p.ask(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.decide(ctx, intent.Link().Under(g1.ID)); err != nil {
		return nil, err
	}
	return intent, p.buy(ctx)
}

// ask: the user says what is wanted, and grants what it takes.
func (p *purchase) ask(ctx context.Context) (intent, g1 *agent.Receipt, err error) {
	intent, err = p.user.Ask(ctx, planner, agent.Intent{Text: "optimise the hardware supply to enable timely onboarding and refresh"})
	if err != nil {
		return nil, nil, err
	}
	g1, err = p.user.Grant(ctx, agent.Delegation{Agent: planner, MaxDepth: 2, Expires: time.Now().Add(30 * 24 * time.Hour), Scope: []agent.Scope{
		{Type: "inventory", Action: "read", Location: erp},
		{Type: "supplier", Action: "read", Location: erp},
		{Type: "order", Action: "create", Location: shopURL, MaxItem: "5000", MaxTotal: "50000", Unit: "EUR"},
	}})
	if err != nil {
		return nil, nil, err
	}
	p.say("  The user asks (entry %d) and grants (G1, entry %d), with the key of a phone that the", intent.Index, g1.Index)
	p.say("  provider bound to the user. L3, %s: orders of at most 5,000 EUR an", assuranceWord(3))
	p.say("  item and 50,000 EUR in total, for 30 days.")
	return intent, g1, nil
}

// decide: the planner works out what is needed, and hands on a part.
func (p *purchase) decide(ctx context.Context, asked agent.Link) error {
	ctx = agent.WithLink(ctx, asked)
	user := p.user.Pseudonym()
	g0, err := p.it.Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{{Type: "finance", Action: "read", Location: erp}}})
	if err != nil {
		return err
	}
	thought, err := p.plan.Record(ctx, agent.Step{User: user, Interpretation: &agent.Interpretation{
		Text: "40 people start in January; 40 laptops are out of warranty", Model: "forecast", ModelVersion: "7"}})
	if err != nil {
		return err
	}
	decided, err := p.plan.Record(ctx, agent.Step{User: user, Parent: thought.Link(), Decision: &agent.Decision{Text: "read the budget, then have 40 laptops ordered"}})
	if err != nil {
		return err
	}
	read, err := p.plan.Do(ctx, agent.Step{User: user, Parent: decided.Link(), Grant: g0.ID, Basis: agent.Own,
		Action: &agent.Action{Element: agent.Element{Type: "finance", Action: "read", Location: erp + "/budget"}}},
		func(context.Context) (agent.Outcome, error) { return agent.Outcome{Result: "62,400 EUR are left"}, nil })
	if err != nil {
		return err
	}
	p.say("  The planner decides (entry %d) and reads the budget on its operator's authority (entry %d).", decided.Index, read.Action.Index)
	p.handed, err = p.plan.Delegate(agent.WithLink(ctx, decided.Link()), optimizer, agent.Scope{Type: "order", Action: "create", Location: shopURL, MaxItem: "5000", Unit: "EUR"})
	if err != nil {
		return err
	}
	p.say("  In one call it hands on to the optimizer what that needs: orders of 5,000 EUR an item (G2).")
	return nil
}

// buy: the optimizer orders within the limit, asks a person where it must, and
// once does not.
func (p *purchase) buy(ctx context.Context) error {
	ctx = agent.WithLink(ctx, p.handed)
	first := p.order("48000", "40")
	done, err := p.place(ctx, first, agent.Link{}, record.ID{})
	if err != nil {
		return err
	}
	p.say("  The optimizer chooses a supplier and orders 40 laptops for 48,000 EUR (entry %d). The shop", done.Action.Index)
	p.say("  checks who calls, by the key that the agent is recorded with, and records what it saw.")

	more := p.order("14400", "12")
	proposal, err := p.opt.Record(ctx, agent.Step{User: p.user.Pseudonym(), Decision: &agent.Decision{Text: "12 more, for the refresh", Proposal: &more}})
	if err != nil {
		return err
	}
	if _, err := p.user.Approve(ctx, proposal.Link(), time.Now().Add(time.Hour), "go ahead"); err != nil {
		return err
	}
	answer, err := p.opt.AwaitAnswer(ctx, proposal.ID)
	if err != nil {
		return err
	}
	if !answer.Approved {
		return fmt.Errorf("the proposal was denied by entry %d", answer.Index)
	}
	if done, err = p.place(ctx, more, proposal.Link(), answer.ID); err != nil {
		return err
	}
	p.say("  12 more go over the 50,000. So it proposes (entry %d), the user approves (entry %d), and", proposal.Index, answer.Index)
	p.say("  only then it orders (entry %d).", done.Action.Index)

	if done, err = p.place(ctx, p.order("1200", "1"), agent.Link{}, record.ID{}); err != nil {
		return err
	}
	p.say("  Then it orders one more without asking (entry %d). The log takes it, since it happened, and", done.Action.Index)
	p.say("  the chain below says what is wrong with it.")
	return nil
}

func (p *purchase) order(amount, quantity string) agent.Element {
	return agent.Element{Type: "order", Action: "create", Location: shopURL + "/orders", Amount: amount, Unit: "EUR", Quantity: quantity}
}

// place records a decision and the order, and makes it.
func (p *purchase) place(ctx context.Context, e agent.Element, decided agent.Link, approval record.ID) (agent.Done, error) {
	step := agent.Step{User: p.user.Pseudonym(), Basis: agent.Delegated, Action: &agent.Action{Element: e, Approval: approval}}
	if decided.IsZero() {
		step.Decision = &agent.Decision{Text: "supplier V is the cheapest that delivers in time"}
	} else {
		step.Parent = decided
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &agent.ProofTransport{Agent: p.opt, Audience: shopID, Base: p.shop.transport}}
	return p.opt.Do(ctx, step, func(ctx context.Context) (agent.Outcome, error) { return placeOrder(ctx, client, e) })
}
