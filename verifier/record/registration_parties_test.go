package record_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// The rules for services, user clients, reviewers and issuers, and for what
// an agent class says beside its catalogue.

func TestServiceRegistrations(t *testing.T) {
	type S = onusv1.Service
	in := func(change func(*S)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetRegistration().GetService()) }
	}
	locations := func(n int) []string {
		var ls []string
		for i := range n {
			ls = append(ls, fmt.Sprintf("urn:acme:%d", i))
		}
		return ls
	}
	const f = "registration.service"
	testRefusals(t, service, []refusal{
		{"no id", f + ".id", in(func(s *S) { s.Id = "" })},
		{"id is no SPIFFE ID", f + ".id", in(func(s *S) { s.Id = "erp" })},
		{"no operator", f + ".operator", in(func(s *S) { s.Operator = "" })},
		{"no display name", f + ".display_name", in(func(s *S) { s.DisplayName = "" })},
		{"location without scheme", f + ".locations[1]", in(func(s *S) { s.Locations[1] = "erp.example.com" })},
		{"location with a wildcard", f + ".locations[0]", in(func(s *S) { s.Locations[0] = "https://erp.example.com/*" })},
		{"empty location", f + ".locations[0]", in(func(s *S) { s.Locations[0] = "" })},
		{"location twice", f + ".locations[1]", in(func(s *S) { s.Locations[1] = s.Locations[0] })},
		{"too many locations", f + ".locations", in(func(s *S) { s.Locations = locations(17) })},
	})
	testAccepted(t, service, []acceptance{
		{"only what is required", in(func(s *S) { s.Locations, s.Records, s.Workloads = nil, false, nil })},
		{"as many locations as allowed", in(func(s *S) { s.Locations = locations(16) })},
	})
}

// Of an agent class and of a service alike.
func TestWorkloads(t *testing.T) {
	type W = onusv1.Workload
	workloads := func(n int) []*W {
		var ws []*W
		for i := range n {
			ws = append(ws, &W{Issuer: login, Subject: fmt.Sprint("w-", i)})
		}
		return ws
	}
	for list, of := range map[string]struct {
		valid func() *onusv1.Record
		set   func(*onusv1.Record, []*W)
	}{
		"registration.agent.workloads":   {fullAgentClass, func(m *onusv1.Record, ws []*W) { m.GetRegistration().GetAgent().Workloads = ws }},
		"registration.service.workloads": {service, func(m *onusv1.Record, ws []*W) { m.GetRegistration().GetService().Workloads = ws }},
	} {
		set := func(ws ...*W) func(*onusv1.Record) { return func(m *onusv1.Record) { of.set(m, ws) } }
		testRefusals(t, of.valid, []refusal{
			{"no issuer", list + "[0].issuer", set(&W{Subject: "w"})},
			{"issuer in clear", list + "[0].issuer", set(&W{Issuer: "http://k8s.example.com", Subject: "w"})},
			{"no subject", list + "[0].subject", set(&W{Issuer: login})},
			{"subject too long", list + "[0].subject", set(&W{Issuer: login, Subject: strings.Repeat("w", 1025)})},
			{"twice", list + "[1]", set(&W{Issuer: login, Subject: "w"}, &W{Issuer: login, Subject: "w"})},
			{"too many", list, set(workloads(17)...)},
		})
		testAccepted(t, of.valid, []acceptance{
			{"none", set()},
			{"as many as allowed", set(workloads(16)...)},
			{"one name of two issuers", set(&W{Issuer: login, Subject: "w"}, &W{Issuer: login + "/", Subject: "w"})},
			{"the longest subject", set(&W{Issuer: login, Subject: strings.Repeat("w", 1024)})},
		})
	}
}

func TestAgentClassAdditions(t *testing.T) {
	type A = onusv1.AgentClass
	in := func(change func(*A)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetRegistration().GetAgent()) }
	}
	clients := func(n int) []*onusv1.OAuthClient {
		var os []*onusv1.OAuthClient
		for i := range n {
			os = append(os, &onusv1.OAuthClient{Issuer: login, Id: fmt.Sprint("c-", i)})
		}
		return os
	}
	const f = "registration.agent"
	testRefusals(t, fullAgentClass, []refusal{
		{"owner too long", f + ".owner", in(func(a *A) { a.Owner = strings.Repeat("o", 257) })},
		{"risk class with a newline", f + ".risk_class", in(func(a *A) { a.RiskClass = "a\nb" })},
		{"client of no issuer", f + ".oauth_clients[0].issuer", in(func(a *A) { a.OauthClients[0].Issuer = "" })},
		{"client without id", f + ".oauth_clients[0].id", in(func(a *A) { a.OauthClients[0].Id = "" })},
		{"client twice", f + ".oauth_clients[1]", in(func(a *A) { a.OauthClients = append(a.OauthClients, a.OauthClients[0]) })},
		{"too many clients", f + ".oauth_clients", in(func(a *A) { a.OauthClients = clients(17) })},
	})
	testAccepted(t, fullAgentClass, []acceptance{
		{"none of them", in(func(a *A) {
			a.Owner, a.RiskClass, a.Ceiling, a.OauthClients, a.Observed, a.Workloads = "", "", nil, nil, false, nil
		})},
		{"as many clients as allowed", in(func(a *A) { a.OauthClients = clients(16) })},
		{"a ceiling as long as allowed", in(func(a *A) {
			for len(a.Ceiling) < 64 {
				a.Ceiling = append(a.Ceiling, a.Ceiling[0])
			}
		})},
	})
}

func TestUserClientRegistrations(t *testing.T) {
	type U = onusv1.UserClient
	in := func(change func(*U)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetRegistration().GetClient()) }
	}
	const f = "registration.client"
	testRefusals(t, userClient, []refusal{
		{"no id", f + ".id", in(func(u *U) { u.Id = "" })},
		{"id in upper case", f + ".id", in(func(u *U) { u.Id = "Chat" })},
		{"id too long", f + ".id", in(func(u *U) { u.Id = strings.Repeat("c", 65) })},
		{"no operator", f + ".operator", in(func(u *U) { u.Operator = "" })},
		{"no display name", f + ".display_name", in(func(u *U) { u.DisplayName = "" })},
		{"no OAuth client", f + ".oauth_client", in(func(u *U) { u.OauthClient = nil })},
		{"OAuth client of no issuer", f + ".oauth_client.issuer", in(func(u *U) { u.OauthClient.Issuer = "" })},
		{"OAuth client without id", f + ".oauth_client.id", in(func(u *U) { u.OauthClient.Id = "" })},
		{"OAuth client's id too long", f + ".oauth_client.id", in(func(u *U) { u.OauthClient.Id = strings.Repeat("c", 1025) })},
	})
	testAccepted(t, userClient, []acceptance{
		{"the longest names", in(func(u *U) { u.Id, u.OauthClient.Id = strings.Repeat("c", 64), strings.Repeat("c", 1024) })},
	})
}

func TestReviewerRegistrations(t *testing.T) {
	type R = onusv1.Reviewer
	in := func(change func(*R)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetRegistration().GetReviewer()) }
	}
	const f = "registration.reviewer"
	testRefusals(t, reviewer, []refusal{
		{"no name", f + ".name", in(func(r *R) { r.Name = "" })},
		{"name with a slash", f + ".name", in(func(r *R) { r.Name = "acme/bob" })},
		{"name too long", f + ".name", in(func(r *R) { r.Name = strings.Repeat("b", 65) })},
		{"no operator", f + ".operator", in(func(r *R) { r.Operator = "" })},
		{"no post", f + ".post", in(func(r *R) { r.Post = "" })},
	})
	testAccepted(t, reviewer, []acceptance{{"the longest name", in(func(r *R) { r.Name = strings.Repeat("b", 64) })}})
}

func TestIssuerRegistrations(t *testing.T) {
	type I = onusv1.Issuer
	in := func(change func(*I)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetRegistration().GetIssuer()) }
	}
	const f = "registration.issuer"
	testRefusals(t, issuer, []refusal{
		{"no URL", f + ".url", in(func(i *I) { i.Url = "" })},
		{"keys in clear", f + ".jwks_uri", in(func(i *I) { i.JwksUri = "http://login.example.com/keys" })},
		{"keys with a fragment", f + ".jwks_uri", in(func(i *I) { i.JwksUri = login + "/keys#1" })},
		{"keys with a space behind", f + ".jwks_uri", in(func(i *I) { i.JwksUri += " " })},
		{"keys at no host", f + ".jwks_uri", in(func(i *I) { i.JwksUri = "https:///keys" })},
	})
	testAccepted(t, issuer, []acceptance{
		{"of users", in(func(i *I) { i.Workloads = false })},
		{"of workloads", in(func(i *I) { i.Users = false })},
		{"whose word is no longer taken", in(func(i *I) { i.Users, i.Workloads = false, false })},
		{"found by discovery", in(func(i *I) { i.JwksUri = "" })},
		{"on this machine", in(func(i *I) { i.Url, i.JwksUri = "http://127.0.0.1:8080", "http://[::1]:8080/keys" })},
	})
}

func TestCheckIssuer(t *testing.T) {
	for _, s := range []string{
		login, login + "/", login + "/realms/acme", "https://Login.Example.com:8443/a%20b", "https://192.0.2.1",
		"http://localhost", "http://localhost:8080/realms/acme", "http://127.0.0.1:1", "http://[::1]", "http://[::1]:1/a",
		"https://" + strings.Repeat("h", 1016),
	} {
		if why := record.CheckIssuer(s); why != "" {
			t.Errorf("%q %s", s, why)
		}
	}
	for _, s := range []string{
		"", " ", "login.example.com", "//login.example.com", "https:", "https://", "https:///a", "https:login.example.com", "https://:443",
		login + "?", login + "?a=b", login + "#", login + "#a", login + " ", " " + login, login + "\n", "https://log in", "https://lögin.example.com",
		"https://alice@login.example.com", "https://a:b@login.example.com", "ftp://login.example.com", "file:///keys", "HTTP://login.example.com",
		"http://login.example.com", "http://localhost.example.com", "http://127.0.0.1.example.com", "http://127.0.0.2", "http://0.0.0.0",
		"http://[::2]", "http://localhost@login.example.com", "http://2130706433", "https://[::1", "https://a%zz", "https://" + strings.Repeat("h", 1017),
	} {
		if why := record.CheckIssuer(s); why == "" {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestHostKeys(t *testing.T) {
	type G = onusv1.Genesis
	in := func(change func(*G)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetGenesis()) }
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const f = "genesis.host_key"
	testRefusals(t, hostGenesis, []refusal{
		{"no DER", f, in(func(g *G) { g.HostKey = []byte("key") })},
		{"bytes after the key", f, in(func(g *G) { g.HostKey = append(g.HostKey, 0) })},
		{"of another kind", f, in(func(g *G) { g.HostKey = spkiOf(t, p256) })},
		{"an administrator's", f, in(func(g *G) { g.HostKey = g.Administrators[1].PublicKey })},
		{"the log's own", f, in(func(g *G) { g.HostKey = mustSPKI(9) })},
		{"none, but rejections", "genesis.policy.revoked", in(func(g *G) { g.HostKey = nil })},
		{"none, but reads are logged", "genesis.policy.record_reads", in(func(g *G) { g.HostKey, g.Policy.Revoked = nil, 0 })},
		{"a log without a key", "genesis.log_key", in(func(g *G) { g.LogKey = "" })},
		{"unknown word on revoked parties", "genesis.policy.revoked", in(func(g *G) { g.Policy.Revoked = 3 })},
		{"negative word on revoked parties", "genesis.policy.revoked", in(func(g *G) { g.Policy.Revoked = -1 })},
		{"too many rules", "genesis.policy.approvals", in(func(g *G) {
			for len(g.Policy.Approvals) < 17 {
				g.Policy.Approvals = append(g.Policy.Approvals, approvalRule())
			}
		})},
	})
	testAccepted(t, hostGenesis, []acceptance{
		{"none, which no policy needs", in(func(g *G) {
			g.HostKey, g.Policy.Revoked, g.Policy.RecordReads = nil, onusv1.RevokedRecords_REVOKED_RECORDS_ADMIT, false
		})},
		{"one that no policy needs", in(func(g *G) { g.Policy.Revoked, g.Policy.RecordReads = 0, false })},
		{"as many rules as allowed", in(func(g *G) {
			for len(g.Policy.Approvals) < 16 {
				g.Policy.Approvals = append(g.Policy.Approvals, approvalRule())
			}
		})},
	})
}
