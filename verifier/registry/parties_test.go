package registry_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

const (
	erp    = "spiffe://example.com/erp"
	chat   = "desk/chat"
	login  = "https://login.example.com"
	kube   = "https://kubernetes.example.com"
	alice  = "u-aaaaaaaaaaaaaaaaaaaaaaaaaa"
	bob    = "u-bbbbbbbbbbbbbbbbbbbbbbbbbb"
	office = "x-aaaaaaaaaaaaaaaaaaaaaaaaaa" // a session
	home   = "x-hhhhhhhhhhhhhhhhhhhhhhhhhh" // another one
)

func newService(t testing.TB, id, operator string, ws ...*onusv1.Workload) *record.Record {
	return register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Service{Service: &onusv1.Service{
		Id: id, Operator: operator, DisplayName: "Service", Workloads: ws}}})
}

func newClient(t testing.TB, id, operator, oauthID string) *record.Record {
	return register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
		Id: id, Operator: operator, DisplayName: "Client", OauthClient: &onusv1.OAuthClient{Issuer: login, Id: oauthID}}}})
}

func newReviewer(t testing.TB, name, operator, post string) *record.Record {
	return register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{
		Name: name, Operator: operator, Post: post}}})
}

func newIssuer(t testing.TB, url string, users, workloads bool) *record.Record {
	return register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{
		Url: url, Users: users, Workloads: workloads}}})
}

// newClass registers an agent class with OAuth clients of login, by id.
func newClass(t testing.TB, id string, oauthIDs []string, ws ...*onusv1.Workload) *record.Record {
	a := &onusv1.AgentClass{Id: id, Operator: acme, DisplayName: "Agent", Workloads: ws}
	for _, o := range oauthIDs {
		a.OauthClients = append(a.OauthClients, &onusv1.OAuthClient{Issuer: login, Id: o})
	}
	return register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: a}})
}

// fullLog is smallLog with a party of each kind, each with a key that an
// administrator registered, named like the party.
func fullLog(t testing.TB) *testLog {
	l := smallLog(t)
	l.add(newOperator(t, globex, ""))
	l.add(newIssuer(t, login, true, false))
	l.add(newService(t, erp, acme))
	l.add(newClient(t, chat, acme, "chat"))
	l.add(newReviewer(t, "carol", acme, "Head of Purchasing"))
	l.add(bindTo(t, admin("root"), "root", "acme", &onusv1.KeyBinding{Operator: acme}))
	l.add(bindTo(t, admin("root"), "root", "globex", &onusv1.KeyBinding{Operator: globex}))
	l.add(bindTo(t, admin("root"), "root", "erp", &onusv1.KeyBinding{Service: erp}))
	l.add(bindTo(t, admin("root"), "root", "chat", &onusv1.KeyBinding{Client: chat}))
	l.add(bindTo(t, admin("root"), "root", "carol", &onusv1.KeyBinding{Reviewer: "carol"}))
	l.add(bindTo(t, admin("root"), "root", "alice", &onusv1.KeyBinding{User: alice}))
	return l
}

// endsItself is what every party but the host may say.
func endsItself(t testing.TB, a *onusv1.Author, keyName string) *record.Record {
	return signed(t, a, keyName, &onusv1.Record{User: a.GetUser(), Body: &onusv1.Record_Revocation{Revocation: ofKey(t, keyName)}})
}

// A key speaks for its own party, and for no other of the same or another kind.
func TestEachKeySpeaksForItsParty(t *testing.T) {
	l := fullLog(t)
	parties := []struct {
		key string
		a   *onusv1.Author
		is  registry.Party
	}{
		{"root", admin("root"), registry.Party{Kind: registry.KindAdministrator, ID: "root"}},
		{"planner", agent(planner, "i", acme), registry.Party{Kind: registry.KindAgent, ID: planner}},
		{"acme", operatorAuthor(acme), registry.Party{Kind: registry.KindOperator, ID: acme}},
		{"erp", service(erp), registry.Party{Kind: registry.KindService, ID: erp}},
		{"chat", client(chat), registry.Party{Kind: registry.KindClient, ID: chat}},
		{"carol", reviewer("carol"), registry.Party{Kind: registry.KindReviewer, ID: "carol"}},
		{"alice", user(alice), registry.Party{Kind: registry.KindUser, ID: alice}},
	}
	for _, p := range parties {
		for _, other := range parties {
			b, err := l.reg.Authenticate(endsItself(t, p.a, other.key), l.size)
			if p.key != other.key {
				wantRefusal(t, err, registry.ReasonKeyNotBound, "author")
				continue
			}
			if err != nil || b.Party() != p.is || registry.PartyOf(p.a) != p.is || b.Level != registry.K0 || b.CheckedWith != "" || b.NotAfter != -1 {
				t.Errorf("%s: %+v, %v", p.key, b, err)
			}
		}
	}
	for _, tt := range []struct {
		key string
		a   *onusv1.Author
	}{
		{"erp", service("spiffe://example.com/crm")}, {"chat", client("desk/mail")}, {"carol", reviewer("dave")}, {"alice", user(bob)},
	} {
		_, err := l.reg.Authenticate(endsItself(t, tt.a, tt.key), l.size)
		wantRefusal(t, err, registry.ReasonKeyNotBound, "author")
	}
}

// The host's key is in genesis; nothing else makes one.
func TestHostKeyOfGenesis(t *testing.T) {
	l := fullLog(t)
	r := keySet(t, theHost(), "host", login, jwks(t, ecKey(t)), now)
	b, err := l.reg.Authenticate(r, l.size)
	if err != nil || !b.Host || b.Index != 0 || b.SignedBy != signer(t, "root").Public().ID() {
		t.Errorf("binding of the host is %+v, %v", b, err)
	}
	_, err = l.reg.Authenticate(keySet(t, theHost(), "root", login, jwks(t, ecKey(t)), now), l.size)
	wantRefusal(t, err, registry.ReasonKeyNotBound, "author")
	_, err = l.reg.Authenticate(keySet(t, admin("root"), "host", login, jwks(t, ecKey(t)), now), l.size)
	wantRefusal(t, err, registry.ReasonKeyNotBound, "author")
}

func TestPartyRefusals(t *testing.T) {
	l := fullLog(t)
	l.add(newClass(t, clerk, []string{"clerk-app"}))
	for _, tt := range []struct {
		name, reason, field string
		r                   *record.Record
	}{
		{"service of no operator", registry.ReasonNotRegistered, "registration.service.operator", newService(t, "spiffe://example.com/crm", "initech")},
		{"client of no operator", registry.ReasonNotRegistered, "registration.client.operator", newClient(t, "desk/mail", "initech", "mail")},
		{"reviewer of no operator", registry.ReasonNotRegistered, "registration.reviewer.operator", newReviewer(t, "dave", "initech", "Clerk")},
		{"service that changes its operator", registry.ReasonConflict, "registration.service.operator", newService(t, erp, globex)},
		{"client that changes its operator", registry.ReasonConflict, "registration.client.operator", newClient(t, chat, globex, "chat")},
		{"reviewer that changes the operator", registry.ReasonConflict, "registration.reviewer.operator", newReviewer(t, "carol", globex, "Clerk")},
		{"client with an agent's OAuth client", registry.ReasonConflict, "registration.client.oauth_client.id", newClient(t, "desk/mail", acme, "clerk-app")},
		{"agent with a client's OAuth client", registry.ReasonConflict, "registration.agent.oauth_clients[1].id", newClass(t, planner, []string{"new", "chat"})},
		{"agent with another agent's OAuth client", registry.ReasonConflict, "registration.agent.oauth_clients[0].id", newClass(t, planner, []string{"clerk-app"})},
		{"OAuth client of no issuer", registry.ReasonNotRegistered, "registration.agent.oauth_clients[0].issuer",
			register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: planner, Operator: acme,
				DisplayName: "Agent", OauthClients: []*onusv1.OAuthClient{{Issuer: kube, Id: "x"}}}}})},
		{"key of no service", registry.ReasonNotRegistered, "registration.key.service", bindTo(t, admin("root"), "root", "new", &onusv1.KeyBinding{Service: "spiffe://example.com/crm"})},
		{"key of no client", registry.ReasonNotRegistered, "registration.key.client", bindTo(t, admin("root"), "root", "new", &onusv1.KeyBinding{Client: "desk/mail"})},
		{"key of no reviewer", registry.ReasonNotRegistered, "registration.key.reviewer", bindTo(t, admin("root"), "root", "new", &onusv1.KeyBinding{Reviewer: "dave"})},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, l.submit(tt.r), tt.reason, tt.field) })
	}
}

// Each kind of party has its history, and all of them one listing.
func TestRegistrationsByIndex(t *testing.T) {
	l := newLog(t)
	l.add(genesis(t))                                                               // 0
	l.add(newOperator(t, acme, ""))                                                 // 1
	l.add(newIssuer(t, login, true, false))                                         // 2
	l.add(newService(t, erp, acme))                                                 // 3
	l.add(newClient(t, chat, acme, "chat"))                                         // 4
	l.add(newReviewer(t, "carol", acme, "Clerk"))                                   // 5
	l.add(newIssuer(t, login, false, false))                                        // 6: its word is taken no longer
	l.add(newAgent(t, planner, acme, "model-1"))                                    // 7
	l.add(newReviewer(t, "carol", acme, "Head"))                                    // 8
	l.add(newClient(t, chat, acme, "chat-2"))                                       // 9
	l.add(trigger(t, admin("root"), "root"))                                        // 10
	l.add(newService(t, erp, acme, &onusv1.Workload{Issuer: kube, Subject: "erp"})) // 11
	g := l.reg

	var got []string
	for _, at := range []int64{0, 3, 4, 5, 6, 7, 9, 10, 12} {
		s, si := g.Service(erp, at)
		c, ci := g.Client(chat, at)
		r, ri := g.Reviewer("carol", at)
		i, ii := g.Issuer(login, at)
		got = append(got, fmt.Sprintf("%d: service %d %d, client %d %s, reviewer %d %s, issuer %d %t", at,
			si, len(s.GetWorkloads()), ci, c.GetOauthClient().GetId(), ri, r.GetPost(), ii, i.GetUsers()))
	}
	want := []string{
		"0: service -1 0, client -1 , reviewer -1 , issuer -1 false",
		"3: service -1 0, client -1 , reviewer -1 , issuer 2 true",
		"4: service 3 0, client -1 , reviewer -1 , issuer 2 true",
		"5: service 3 0, client 4 chat, reviewer -1 , issuer 2 true",
		"6: service 3 0, client 4 chat, reviewer 5 Clerk, issuer 2 true",
		"7: service 3 0, client 4 chat, reviewer 5 Clerk, issuer 6 false",
		"9: service 3 0, client 4 chat, reviewer 8 Head, issuer 6 false",
		"10: service 3 0, client 9 chat-2, reviewer 8 Head, issuer 6 false",
		"12: service 11 1, client 9 chat-2, reviewer 8 Head, issuer 6 false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("histories (-want +got)\n%s", diff)
	}

	for _, tt := range []struct {
		at   int64
		want []string
	}{
		{1, nil},
		{3, []string{"operator acme/it 1 1", "issuer " + login + " 2 2"}},
		{12, []string{"operator acme/it 1 1", "issuer " + login + " 6 2", "service " + erp + " 11 3", "client " + chat + " 9 4",
			"reviewer carol 8 5", "agent " + planner + " 7 7"}},
	} {
		var got []string
		for _, r := range g.Registrations(tt.at) {
			got = append(got, fmt.Sprint(r.Party, " ", r.Index, " ", r.First))
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("registrations at %d (-want +got)\n%s", tt.at, diff)
		}
	}
}

// One OAuth client is one party at a time. A registration that leaves it out
// frees it.
func TestOAuthClientsByIndex(t *testing.T) {
	l := smallLog(t)                                // 0 to 3
	l.add(newIssuer(t, login, true, false))         // 4
	l.add(newClass(t, planner, []string{"a", "b"})) // 5
	l.add(newClass(t, planner, []string{"b"}))      // 6: a is free
	l.add(newClass(t, clerk, []string{"a"}))        // 7
	l.add(newClient(t, chat, acme, "c"))            // 8
	l.add(newClient(t, chat, acme, "d"))            // 9: c is free
	l.add(newClass(t, clerk, []string{"a", "c"}))   // 10
	for _, tt := range []struct {
		id   string
		at   int64
		want string
	}{
		{"a", 5, ""}, {"a", 6, planner}, {"a", 7, ""}, {"a", 8, clerk}, {"a", 11, clerk},
		{"b", 6, planner}, {"b", 7, planner}, {"b", 11, planner},
		{"c", 9, ""}, {"c", 10, ""}, {"c", 11, clerk}, {"d", 11, ""}, {"nobody", 11, ""},
	} {
		if got := l.reg.AgentOfClient(login, tt.id, tt.at); got != tt.want {
			t.Errorf("%s at %d is of %q, want %q", tt.id, tt.at, got, tt.want)
		}
	}
	if got := l.reg.AgentOfClient(kube, "a", l.size); got != "" {
		t.Errorf("another issuer's client is of %s", got)
	}
	for _, tt := range []struct {
		id   string
		at   int64
		want registry.Party
	}{
		{"c", 9, registry.Party{Kind: registry.KindClient, ID: chat}}, {"c", 10, registry.Party{}},
		{"d", 10, registry.Party{Kind: registry.KindClient, ID: chat}}, {"a", 6, registry.Party{Kind: registry.KindAgent, ID: planner}},
	} {
		if got := l.reg.PartyOfClient(login, tt.id, tt.at); got != tt.want {
			t.Errorf("%s at %d is %v, want %v", tt.id, tt.at, got, tt.want)
		}
	}
}

// Who answers for whom follows from the registrations.
func TestOperatorOf(t *testing.T) {
	l := fullLog(t)
	for _, tt := range []struct {
		a    *onusv1.Author
		at   int64
		want string
	}{
		{agent(planner, "i", acme), l.size, acme}, {operatorAuthor(acme), l.size, acme}, {service(erp), l.size, acme},
		{client(chat), l.size, acme}, {reviewer("carol"), l.size, acme}, {service(erp), 2, ""},
		{admin("root"), l.size, ""}, {user(alice), l.size, ""}, {theHost(), l.size, ""},
	} {
		if got := l.reg.OperatorOf(tt.a, tt.at); got != tt.want {
			t.Errorf("operator of %v at %d is %q, want %q", registry.PartyOf(tt.a), tt.at, got, tt.want)
		}
	}
}
