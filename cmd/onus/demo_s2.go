package main

import (
	"context"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Scenario S2: "is field campaign Q3 GDPR-compliant?" To answer, the agent must
// read what its user may not see: the capability gap. It has that from its
// operator, and says so; its user gets the findings and no rows.

const (
	gdprAgent = "spiffe://example.com/gdpr-compliance-agent"
	marketing = "https://marketing.example.com"
)

// playS2 plays the scenario and returns the receipt of the intent.
func (d *demo) playS2(ctx context.Context) (*agent.Receipt, error) {
	d.say("\nS2. “Is field campaign Q3 GDPR-compliant?”\n")
	a, err := d.agent(ctx, &onusv1.AgentClass{Id: gdprAgent, DisplayName: "GDPR compliance agent",
		Purpose: "Checks marketing campaigns against data protection rules.", RiskClass: "high"})
	if err != nil {
		return nil, err
	}
	token, err := d.login("marketing-manager@example.com", chatClient, map[string]any{
		"authorization_details": []any{map[string]any{"type": "campaign", "actions": []string{"read", "write"},
			"locations": []string{marketing + "/campaigns"}, "datatypes": []string{"own campaigns"}}},
	})
	if err != nil {
		return nil, err
	}
	manager, err := d.chat.User(ctx, token)
	if err != nil {
		return nil, err
	}
	user := manager.Pseudonym()
	g0, err := d.it.Grant(ctx, agent.Delegation{Agent: gdprAgent, Scope: []agent.Scope{
		{Type: "campaign", Action: "read", Location: marketing},
		{Type: "audit-log", Action: "read", Location: marketing},
		{Type: "report", Action: "send", Datatypes: []string{"findings"}},
	}, Purpose: "check campaigns of all departments"})
	if err != nil {
		return nil, err
	}
	d.say("  The operator gives the agent its own authority: read all campaigns and audit logs, and")
	d.say("  report findings. Grant G0, entry %d. It answers for what is done with it.", g0.Index)

	intent, err := manager.Ask(ctx, gdprAgent, agent.Intent{
		Text:      "is field campaign Q3 GDPR-compliant?",
		Requested: []agent.Element{{Type: "campaign", Action: "read", Location: marketing + "/campaigns", Datatypes: []string{"own campaigns"}}},
	})
	if err != nil {
		return nil, err
	}
	d.say("  The user asks in the chat window, which signs it. The token itself names what the user may")
	d.say("  hand on, the own campaigns: entry %d, L%d: %s.", intent.Index, intent.Assurance, assuranceWord(int32(intent.Assurance)))

	thought, err := a.Record(ctx, agent.Step{Parent: intent.Link(), User: user, Interpretation: &agent.Interpretation{
		Text: "this needs the campaigns of all departments, the access logs and the history"}})
	if err != nil {
		return nil, err
	}
	decided, err := a.Record(ctx, agent.Step{Parent: thought.Link(), User: user, Decision: &agent.Decision{
		Text: "scan on own authority: the user must not see the rows", Rationale: "the user's grant covers the own campaigns only"}})
	if err != nil {
		return nil, err
	}
	for _, e := range []agent.Element{
		{Type: "campaign", Action: "read", Location: marketing + "/campaigns", Datatypes: []string{"campaigns of all departments"}},
		{Type: "campaign", Action: "read", Location: marketing + "/customers", Datatypes: []string{"customer rows"}},
		{Type: "audit-log", Action: "read", Location: marketing + "/audit"},
		{Type: "report", Action: "send", Location: "https://mail.example.com", Datatypes: []string{"findings"}, Recipient: user},
	} {
		if _, err := a.Do(ctx, agent.Step{Action: &agent.Action{Element: e}, Parent: decided.Link(), User: user, Grant: g0.ID, Basis: agent.Own},
			func(context.Context) (agent.Outcome, error) { return agent.Outcome{Target: agent.Allowed}, nil }); err != nil {
			return nil, err
		}
	}
	d.say("  The agent reads three times on its operator's authority, and says so in each record;")
	d.say("  then it sends the user what it found, without the rows.")
	return intent, nil
}
