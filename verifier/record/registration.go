package record

import (
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Bounds of the lists in a registration.
const (
	maxOAuthClients = 16
	maxWorkloads    = 16
	maxLocations    = 16
)

func (c *checker) registration(m *onusv1.Record, r *onusv1.Registration) {
	switch s := r.GetSubject().(type) {
	case *onusv1.Registration_Operator:
		o := s.Operator
		c.operatorID("registration.operator.id", o.GetId())
		c.label("registration.operator.organisation", o.GetOrganisation(), false)
		c.label("registration.operator.unit", o.GetUnit(), false)
		c.label("registration.operator.accountable_post", o.GetAccountablePost(), false)
		c.label("registration.operator.contact", o.GetContact(), true)
	case *onusv1.Registration_Agent:
		c.agentClass(s.Agent)
	case *onusv1.Registration_Key:
		c.keyBinding(m, s.Key)
	case *onusv1.Registration_Service:
		c.service(s.Service)
	case *onusv1.Registration_Client:
		u := s.Client
		c.clientID("registration.client.id", u.GetId())
		c.operatorID("registration.client.operator", u.GetOperator())
		c.label("registration.client.display_name", u.GetDisplayName(), false)
		c.want(u.GetOauthClient() != nil, "registration.client.oauth_client", "is missing", "name the OAuth client that users' tokens are issued to")
		if e := checkOAuthClient(u.GetOauthClient()); u.GetOauthClient() != nil && e != nil {
			c.fail("registration.client.oauth_client"+e.Field, e.Detail, e.Next)
		}
	case *onusv1.Registration_Reviewer:
		c.reviewerName("registration.reviewer.name", s.Reviewer.GetName())
		c.operatorID("registration.reviewer.operator", s.Reviewer.GetOperator())
		c.label("registration.reviewer.post", s.Reviewer.GetPost(), false)
	case *onusv1.Registration_Issuer:
		// One that issues neither users' nor workloads' tokens is one whose
		// word is no longer taken.
		c.issuer("registration.issuer.url", s.Issuer.GetUrl())
		if u := s.Issuer.GetJwksUri(); u != "" {
			if why := checkHTTPS(u); why != "" {
				c.fail("registration.issuer.jwks_uri", why, "use the address of the issuer's JWK Set")
			}
		}
	default:
		c.fail("registration", "is empty", "set one of operator, agent, key, service, client, reviewer, issuer")
	}
}

func (c *checker) agentClass(a *onusv1.AgentClass) {
	c.spiffe("registration.agent.id", a.GetId(), false)
	c.operatorID("registration.agent.operator", a.GetOperator())
	c.label("registration.agent.display_name", a.GetDisplayName(), false)
	c.label("registration.agent.purpose", a.GetPurpose(), true)
	c.label("registration.agent.model", a.GetModel(), true)
	c.elements("registration.agent.catalogue", a.GetCatalogue(), true)
	c.label("registration.agent.owner", a.GetOwner(), true)
	c.label("registration.agent.risk_class", a.GetRiskClass(), true)
	c.grantElements("registration.agent.ceiling", a.GetCeiling(), false)
	const clients = "registration.agent.oauth_clients"
	if n := len(a.GetOauthClients()); n > maxOAuthClients {
		c.fail(clients, fmt.Sprintf("has %d entries, at most %d are allowed", n, maxOAuthClients), "register an agent class for each kind of client")
	}
	seen := map[[2]string]bool{}
	for i, o := range clip(a.GetOauthClients(), maxOAuthClients) {
		name := [2]string{o.GetIssuer(), o.GetId()}
		if e := checkOAuthClient(o); e != nil {
			c.fail(fmt.Sprintf("%s[%d]%s", clients, i, e.Field), e.Detail, e.Next)
		} else if seen[name] {
			c.fail(fmt.Sprintf("%s[%d]", clients, i), "stands there twice", "name each client once")
		}
		seen[name] = true
	}
	c.workloads("registration.agent.workloads", a.GetWorkloads())
}

func (c *checker) service(s *onusv1.Service) {
	c.spiffe("registration.service.id", s.GetId(), false)
	c.operatorID("registration.service.operator", s.GetOperator())
	c.label("registration.service.display_name", s.GetDisplayName(), false)
	const locations = "registration.service.locations"
	if n := len(s.GetLocations()); n > maxLocations {
		c.fail(locations, fmt.Sprintf("has %d entries, at most %d are allowed", n, maxLocations), "name a prefix that covers several")
	}
	for i, l := range clip(s.GetLocations(), maxLocations) {
		if why := checkLocation(l); why != "" {
			c.fail(fmt.Sprintf("%s[%d]", locations, i), why, "use a URL or URN such as https://erp.example.com/orders")
		} else if slices.Contains(s.GetLocations()[:i], l) {
			c.fail(fmt.Sprintf("%s[%d]", locations, i), "stands there twice", "name each location once")
		}
	}
	c.workloads("registration.service.workloads", s.GetWorkloads())
}

// checkOAuthClient returns an error whose field is what comes after the
// client's own.
func checkOAuthClient(o *onusv1.OAuthClient) *Error {
	c := &checker{}
	c.issuer(".issuer", o.GetIssuer())
	c.claim(".id", o.GetId(), maxClaim, false)
	return c.err
}

func (c *checker) workloads(list string, ws []*onusv1.Workload) {
	if len(ws) > maxWorkloads {
		c.fail(list, fmt.Sprintf("has %d entries, at most %d are allowed", len(ws), maxWorkloads), "give the workloads one name")
	}
	seen := map[[2]string]bool{}
	for i, w := range clip(ws, maxWorkloads) {
		name := [2]string{w.GetIssuer(), w.GetSubject()}
		if e := checkWorkload(w); e != nil {
			c.fail(fmt.Sprintf("%s[%d]%s", list, i, e.Field), e.Detail, e.Next)
		} else if seen[name] {
			c.fail(fmt.Sprintf("%s[%d]", list, i), "stands there twice", "name each workload once")
		}
		seen[name] = true
	}
}

func checkWorkload(w *onusv1.Workload) *Error {
	c := &checker{}
	c.issuer(".issuer", w.GetIssuer())
	c.claim(".subject", w.GetSubject(), maxClaim, false)
	return c.err
}

func (c *checker) clientID(field, s string) {
	c.want(IsOperatorID(s), field, "is missing, has characters other than a-z 0-9 . _ - /, or a segment that is empty, . or ..", "use the client's registered id of at most 64 characters")
}

func (c *checker) reviewerName(field, s string) {
	c.want(isReviewerName(s), field, "is missing or has characters other than a-z 0-9 . _ -", "use the name under which the reviewer is registered, of at most 64 characters")
}
