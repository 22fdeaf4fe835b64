package main

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Scenario S4: the chain that went wrong. A user asks for one thing; an agent
// three steps away reads what nobody gave it to read, after it was revoked, and
// says that it did so before; an agent of somebody else mails it out.

const (
	s4Planner       = "spiffe://example.com/negotiation-planner"
	marketAnalyst   = "spiffe://example.com/market-analyst"
	vendorManager   = "spiffe://example.com/vendor-manager"
	contractReader  = "spiffe://example.com/contract-reader"
	mailCourier     = "spiffe://globex.example/mail-courier"
	globex          = "globex/mail"
	legalContracts  = "legal/contracts"
	pricesURL       = "https://prices.example.com"
	contractsURL    = "https://contracts.example.com"
	publicPrices    = "public prices"
	restrictedTerms = "restricted contracts"
)

// negotiation is what the scenario's steps share.
type negotiation struct {
	*demo
	user                             *party.User
	plan, analyst, vendor, read, out *agent.Agent
	globex                           *party.Operator
}

func prices() agent.Scope {
	return agent.Scope{Type: "document", Action: "read", Datatypes: []string{publicPrices}}
}

// playS4 plays the scenario and returns the receipt of the intent.
func (d *demo) playS4(ctx context.Context) (*agent.Receipt, error) {
	d.say("\nS4. “Prepare the Q4 supplier negotiation”\n")
	n := &negotiation{demo: d}
	if err := n.enrol(ctx); err != nil {
		return nil, err
	}
	intent, given, err := n.ask(ctx)
	if err != nil {
		return nil, err
	}
	toVendor, err := n.spread(agent.WithLink(ctx, intent.Link().Under(given.ID)))
	if err != nil {
		return nil, err
	}
	late, err := n.overreach(agent.WithLink(ctx, toVendor))
	if err != nil {
		return nil, err
	}
	return intent, n.mail(ctx, late)
}

func (n *negotiation) enrol(ctx context.Context) (err error) {
	for _, op := range []struct{ id, organisation, unit, post string }{
		{legalContracts, "Example Corp", "Contracts", "Head of Contracts"},
		{globex, "Globex", "Mail Services", "Mail Services Manager"},
	} {
		key, pub, err := n.key(lastSegment(op.id))
		if err != nil {
			return err
		}
		reg := &onusv1.Operator{Id: op.id, Organisation: op.organisation, Unit: op.unit, AccountablePost: op.post}
		if err := n.admin.ensure(ctx, &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: reg}}, &onusv1.KeyBinding{Operator: op.id}, pub); err != nil {
			return err
		}
		if op.id == globex {
			if n.globex, err = party.NewOperator(n.line, key, globex); err != nil {
				return err
			}
		}
	}
	for _, a := range []struct {
		to                 **agent.Agent
		id, name, operator string
	}{
		{&n.plan, s4Planner, "Negotiation planner", itPlatform}, {&n.analyst, marketAnalyst, "Market analyst", itPlatform},
		{&n.vendor, vendorManager, "Vendor manager", itPlatform}, {&n.read, contractReader, "Contract reader", legalContracts},
		{&n.out, mailCourier, "Mail courier", globex},
	} {
		if *a.to, err = n.agent(ctx, &onusv1.AgentClass{Id: a.id, DisplayName: a.name, Operator: a.operator}); err != nil {
			return err
		}
	}
	n.user, err = n.enrolPhone(ctx, "purchasing-lead@example.com")
	return err
}

// ask: the user wants the negotiation prepared, and hands on public prices.
func (n *negotiation) ask(ctx context.Context) (intent, given *agent.Receipt, err error) {
	if intent, err = n.user.Ask(ctx, s4Planner, agent.Intent{Text: "Prepare the Q4 supplier negotiation"}); err != nil {
		return nil, nil, err
	}
	given, err = n.user.Grant(ctx, agent.Delegation{Agent: s4Planner, MaxDepth: 2, Scope: []agent.Scope{prices()}})
	if err == nil {
		n.say("  The user asks (entry %d) and gives the planner public prices to read (entry %d). No word of", intent.Index, given.Index)
		n.say("  contracts.")
	}
	return intent, given, err
}

// spread: the planner needs prices and margins, and hands on public prices to
// two agents. One of them does its part.
func (n *negotiation) spread(ctx context.Context) (toVendor agent.Link, err error) {
	user := n.user.Pseudonym()
	thought, err := n.plan.Record(ctx, agent.Step{User: user, Interpretation: &agent.Interpretation{Text: "this needs vendor prices and margins"}})
	if err != nil {
		return toVendor, err
	}
	ctx = agent.WithLink(ctx, thought.Link())
	toAnalyst, err := n.plan.Delegate(ctx, marketAnalyst, prices())
	if err != nil {
		return toVendor, err
	}
	given, err := n.plan.Record(ctx, agent.Step{User: user, Delegation: &agent.Delegation{Agent: vendorManager, MaxDepth: 1, Scope: []agent.Scope{prices()}}})
	if err != nil {
		return toVendor, err
	}
	toVendor = given.Link().Under(given.ID)
	done, err := n.analyst.Do(agent.WithLink(ctx, toAnalyst), agent.Step{User: user, Basis: agent.Delegated,
		Decision: &agent.Decision{Text: "public price lists are enough for a first picture"},
		Action:   &agent.Action{Element: agent.Element{Type: "document", Action: "read", Location: pricesURL + "/q4", Datatypes: []string{publicPrices}}}},
		func(context.Context) (agent.Outcome, error) { return agent.Outcome{Target: agent.Allowed}, nil })
	if err == nil {
		n.say("  The planner hands that on to two agents. The market analyst reads price lists (entry %d).", done.Action.Index)
	}
	return toVendor, err
}

// overreach: the vendor manager hands on more than it holds; security revokes
// the reader; the reader reads all the same, and says that it was before.
func (n *negotiation) overreach(ctx context.Context) (late *agent.Receipt, err error) {
	user := n.user.Pseudonym()
	decided, err := n.vendor.Record(ctx, agent.Step{User: user, Decision: &agent.Decision{Text: "margins need the contracts"}})
	if err != nil {
		return nil, err
	}
	handed, err := n.vendor.Delegate(agent.WithLink(ctx, decided.Link().Under(grantOf(ctx))), contractReader,
		agent.Scope{Type: "document", Action: "read", Datatypes: []string{restrictedTerms}})
	if err != nil {
		return nil, err
	}
	n.say("  The vendor manager decides that margins need the contracts (entry %d), and gives a contract", decided.Index)
	n.say("  reader what it does not hold itself: restricted contracts.")
	text, content := record.NewText([]byte("reported by security"))
	revoked, err := n.admin.sign(ctx, &onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{
		Target: &onusv1.Revocation_Agent{Agent: contractReader}, Reason: text}}}, []*onusv1.Content{content})
	if err != nil {
		return nil, err
	}
	n.say("  Security revokes the contract reader (entry %d).", revoked.Index)

	author, err := n.read.Author(agent.AuthorConfig{Clock: func() time.Time { return time.Now().Add(-5 * time.Minute) }})
	if err != nil {
		return nil, err
	}
	signed, err := author.Sign(agent.Step{User: user, Basis: agent.Delegated, Parent: handed, Grant: handed.Grant,
		Action: &agent.Action{Element: agent.Element{Type: "document", Action: "read", Location: contractsURL + "/acme", Datatypes: []string{restrictedTerms}}}})
	if err != nil {
		return nil, err
	}
	receipts, err := n.read.Submit(ctx, signed)
	var stopped *agent.RevokedError
	if err != nil && !errors.As(err, &stopped) {
		return nil, err
	}
	late = receipts[0]
	n.say("  It reads them all the same (entry %d), and claims that it was five minutes ago.", late.Index)
	return late, nil
}

// mail: somebody else's agent mails what was read, and names as its parent a
// record that the log does not have.
func (n *negotiation) mail(ctx context.Context, late *agent.Receipt) error {
	own, err := n.globex.Grant(ctx, agent.Delegation{Agent: mailCourier, Scope: []agent.Scope{{Type: "mail", Action: "send"}}})
	if err != nil {
		return err
	}
	var missing record.ID
	rand.Read(missing[:])
	sent, err := n.out.Record(ctx, agent.Step{
		Parent: agent.Link{Record: missing, Agent: vendorManager, Origin: n.out.Origin()}, Grant: own.ID, Basis: agent.Own, Causes: []record.ID{late.ID},
		Decision: &agent.Decision{Text: "the recipient asked for the text"},
		Action:   &agent.Action{Element: agent.Element{Type: "mail", Action: "send", Location: "https://mail.globex.example"}}})
	if err != nil {
		return err
	}
	n.say("  A mail courier of another company sends the text outside (entry %d). It names a record that", sent.Index)
	n.say("  is not in the log as the one that asked for this.")
	return nil
}

// grantOf returns the grant that a context hands over.
func grantOf(ctx context.Context) record.ID {
	link, _ := agent.LinkFrom(ctx)
	return link.Grant
}
