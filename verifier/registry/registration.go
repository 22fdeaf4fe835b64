package registry

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// oauthClient names an OAuth client of an issuer.
type oauthClient struct{ issuer, id string }

// planRegistration checks the registration of anything but a key. The rules of
// records see to it that an administrator signs it.
func (g *Registry) planRegistration(c *candidate, reg *onusv1.Registration) (func(), error) {
	p, operator := partyOfRegistration(reg)
	field := "registration." + string(p.Kind)
	if p.Kind != KindOperator && p.Kind != KindIssuer {
		if err := g.checkAnswers(field+".operator", p, operator); err != nil {
			return nil, err
		}
	}
	clients := clientsOf(reg)
	for i, oc := range clients {
		f := field + ".oauth_client"
		if p.Kind == KindAgent {
			f = fmt.Sprintf("%s.oauth_clients[%d]", field, i)
		}
		if err := g.checkClient(f, p, oc); err != nil {
			return nil, err
		}
	}
	return func() {
		old, _ := latest(g.registered[p], end)
		if old == nil {
			g.order = append(g.order, version[Party]{c.index, p})
		}
		g.registered[p] = append(g.registered[p], version[*onusv1.Registration]{c.index, reg})
		// A client that the new description leaves out is free again.
		for _, oc := range clientsOf(old) {
			g.clients[oc] = append(g.clients[oc], version[Party]{c.index, Party{}})
		}
		for _, oc := range clients {
			g.clients[oc] = append(g.clients[oc], version[Party]{c.index, p})
		}
	}, nil
}

// checkAnswers holds a registration to its operator: registered, and the one
// who answered for the party from the start. Otherwise what the party did could
// be put on somebody else later.
func (g *Registry) checkAnswers(field string, p Party, operator string) error {
	if len(g.registered[Party{KindOperator, operator}]) == 0 {
		return notRegistered(field, operator, "operator")
	}
	if now := g.answersFor(p, end); now != "" && now != operator {
		return conflict(field, fmt.Sprintf("differs from %q, which answers for the %s", now, p.Kind),
			fmt.Sprintf("register the %s under another id for another operator", p.Kind))
	}
	return nil
}

// checkClient holds an OAuth client to its issuer and to one party: the token
// of a user names the client, and it must be clear whom that means.
func (g *Registry) checkClient(field string, p Party, oc oauthClient) error {
	if len(g.registered[Party{KindIssuer, oc.issuer}]) == 0 {
		return notRegistered(field+".issuer", oc.issuer, "issuer")
	}
	if now, _ := latest(g.clients[oc], end); now != (Party{}) && now != p {
		return conflict(field+".id", fmt.Sprintf("is %q of %s, which is %s already", oc.id, oc.issuer, now),
			"get an OAuth client of its own, or register the other party anew without this one")
	}
	return nil
}

// clientsOf returns the OAuth clients that a party is registered with.
func clientsOf(reg *onusv1.Registration) []oauthClient {
	var all []oauthClient
	for _, oc := range reg.GetAgent().GetOauthClients() {
		all = append(all, oauthClient{oc.GetIssuer(), oc.GetId()})
	}
	if oc := reg.GetClient().GetOauthClient(); oc != nil {
		all = append(all, oauthClient{oc.GetIssuer(), oc.GetId()})
	}
	return all
}

// AgentOfClient returns the agent class that an OAuth client of an issuer was
// registered for before that index, or "".
func (g *Registry) AgentOfClient(issuer, clientID string, at int64) string {
	if p := g.PartyOfClient(issuer, clientID, at); p.Kind == KindAgent {
		return p.ID
	}
	return ""
}

// PartyOfClient returns the agent class or the user client that an OAuth
// client of an issuer was registered for before that index, or the zero Party.
func (g *Registry) PartyOfClient(issuer, clientID string, at int64) Party {
	g.mu.RLock()
	defer g.mu.RUnlock()
	p, _ := latest(g.clients[oauthClient{issuer, clientID}], at)
	return p
}
