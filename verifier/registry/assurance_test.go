package registry_test

import (
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A usersLog has the keys of login, whose users count, at index keys.
type users struct {
	*testLog
	keys int64
}

func usersLog(t testing.TB) *users {
	l := fullLog(t)
	return &users{l, l.add(keySet(t, theHost(), "host", login, jwks(t, ecKey(t)), now))}
}

// checked is the stamp of an entry for which a user's token was checked.
func (l *users) checked(user string, assurance uint8) *entry.Stamp {
	return &entry.Stamp{LogTime: now.UnixMilli(), Assurance: assurance, KeySetEntry: l.keys, User: user}
}

// tokenOf is what a record says of a user's token.
func tokenOf(issuer, confirms string) *onusv1.UserToken {
	return &onusv1.UserToken{Digest: credential.TokenDigest("the token"), Issuer: issuer, Audience: []string{"chat"},
		Expires: timestamppb.New(now.Add(time.Hour)), Confirms: confirms}
}

// intent is what an agent says a user asked for.
func intent(t testing.TB, token *onusv1.UserToken, requested ...*onusv1.ScopeElement) *record.Record {
	m := &onusv1.Record{Token: token, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{
		Text: &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: make([]byte, record.CommitmentSize)}}, Requested: requested}}}}
	m.User, m.Session = alice, office
	return signed(t, agent(planner, "i", acme), "planner", m)
}

// What a stamp claims about a user's word is held to what the log shows.
func TestCheckAssurance(t *testing.T) {
	l := usersLog(t)
	other := l.add(newIssuer(t, kube, false, true))
	kubeKeys := l.add(keySet(t, theHost(), "host", kube, jwks(t, ecKey(t)), now))
	order := &onusv1.ScopeElement{Type: "order", Action: "create"}
	withToken, asks := intent(t, tokenOf(login, "")), intent(t, tokenOf(login, ""), order)
	grant := signed(t, agent(planner, "i", acme), "planner", &onusv1.Record{User: alice, Session: office, Token: tokenOf(login, ""),
		Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: clerk, Scope: []*onusv1.GrantElement{{Element: order}}}}})
	with := func(s *entry.Stamp, keySet int64) *entry.Stamp { s.KeySetEntry = keySet; return s }
	for _, tt := range []struct {
		name  string
		r     *record.Record
		s     *entry.Stamp
		field string // empty: it holds
	}{
		{"asserted", withToken, asserted(), ""},
		{"asserted, without a token", action(t, agent(planner, "i", acme), "planner"), asserted(), ""},
		{"checked", withToken, l.checked(alice, 1), ""},
		{"authority in an intent", asks, l.checked(alice, 2), ""},
		{"authority in a grant", grant, l.checked(alice, 2), ""},

		{"without a token", action(t, agent(planner, "i", acme), "planner"), l.checked(alice, 1), "token"},
		{"of another user", withToken, l.checked(bob, 1), "user"},
		{"of an issuer for workloads alone", intent(t, tokenOf(kube, "")), with(l.checked(alice, 1), kubeKeys), "token.issuer"},
		{"of an issuer that nobody registered", intent(t, tokenOf("https://other.example.com", "")), l.checked(alice, 1), "token.issuer"},
		{"with another issuer's keys", withToken, with(l.checked(alice, 1), kubeKeys), "stamp.key_set_entry"},
		{"with an entry that is no key set", withToken, with(l.checked(alice, 1), other), "stamp.key_set_entry"},
		{"with a key set to come", withToken, with(l.checked(alice, 1), l.size+1), "stamp.key_set_entry"},
		{"authority where none is claimed", withToken, l.checked(alice, 2), "stamp.assurance"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := l.reg.CheckAssurance(tt.r, l.size, tt.s)
			if tt.field == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, registry.ReasonUnfounded, tt.field)
		})
	}
	// Before the key set, and before the issuer was registered.
	wantRefusal(t, l.reg.CheckAssurance(withToken, l.keys, l.checked(alice, 1)), registry.ReasonUnfounded, "stamp.key_set_entry")
	wantRefusal(t, l.reg.CheckAssurance(withToken, 3, l.checked(alice, 1)), registry.ReasonUnfounded, "token.issuer")
	// Any key set before the entry may be the one; and an issuer whose word is
	// taken no longer counts for what came before.
	newer := l.add(keySet(t, theHost(), "host", login, jwks(t, ecKey(t)), now))
	gone := l.add(newIssuer(t, login, false, false))
	for _, s := range []*entry.Stamp{l.checked(alice, 1), with(l.checked(alice, 1), newer)} {
		if err := l.reg.CheckAssurance(withToken, gone, s); err != nil {
			t.Errorf("with the keys of %d: %v", s.KeySetEntry, err)
		}
	}
	wantRefusal(t, l.reg.CheckAssurance(withToken, gone+1, l.checked(alice, 1)), registry.ReasonUnfounded, "token.issuer")
}

func enrolsDevice(t testing.TB, user_, keyName string, token *onusv1.UserToken, k *onusv1.KeyBinding) *record.Record {
	t.Helper()
	k.User, k.PublicKey = user_, spki(t, keyName)
	return signed(t, user(user_), keyName, &onusv1.Record{User: user_, Session: home, Token: token, Body: &onusv1.Record_Registration{
		Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}}}})
}

// A user's device enrols its key with a token that is bound to it and that the
// ledger checked.
func TestUsersDevices(t *testing.T) {
	l := usersLog(t)
	enrols := func(user, keyName string) *record.Record {
		return enrolsDevice(t, user, keyName, tokenOf(login, keyID(t, keyName)), &onusv1.KeyBinding{})
	}
	at := l.addWith(enrols(alice, "phone"), l.checked(alice, 1))
	if b := l.reg.Key(keyID(t, "phone"), l.size); b == nil || b.Index != at || b.User != alice || b.Level != registry.K1 || b.CheckedWith != "issuer "+login || b.NotAfter != -1 {
		t.Errorf("binding is %+v", b)
	}
	l.addWith(enrols(alice, "tablet"), l.checked(alice, 1)) // a user has several
	if got := len(l.reg.KeysOf(registry.Party{Kind: registry.KindUser, ID: alice}, l.size)); got != 3 {
		t.Errorf("alice has %d keys, want 3", got)
	}

	wantRefusal(t, l.submit(enrols(alice, "laptop")), registry.ReasonNoCredential, "token")
	wantRefusal(t, l.submitWith(enrols(bob, "laptop"), l.checked(alice, 1)), registry.ReasonUnfounded, "user")
	wantRefusal(t, l.submitWith(enrolsDevice(t, alice, "laptop", tokenOf(kube, keyID(t, "laptop")), &onusv1.KeyBinding{}), l.checked(alice, 1)),
		registry.ReasonUnfounded, "token.issuer")
	wantRefusal(t, l.submitWith(enrols(alice, "phone"), l.checked(alice, 1)), registry.ReasonConflict, "registration.key.public_key")
	wantRefusal(t, l.submitWith(enrolsDevice(t, alice, "laptop", tokenOf(login, keyID(t, "laptop")), &onusv1.KeyBinding{Replaces: keyID(t, "phone")}), l.checked(alice, 1)),
		registry.ReasonNotPermitted, "registration.key.replaces")

	// Only a login through a user client: an agent that has an OAuth client of
	// its own chooses what its tokens are bound to. Nor may anybody act in it.
	l.add(newClass(t, planner, []string{"planner"}))
	token := func(edit func(*onusv1.UserToken)) *onusv1.UserToken {
		tok := tokenOf(login, keyID(t, "laptop"))
		edit(tok)
		return tok
	}
	for _, tt := range []struct {
		name, reason, field string
		token               *onusv1.UserToken
	}{
		{"an agent's own client", credential.ReasonOtherClient, "token.client", token(func(k *onusv1.UserToken) { k.Audience = []string{"planner"} })},
		{"an agent's own client, as azp", credential.ReasonOtherClient, "token.client", token(func(k *onusv1.UserToken) { k.Client = "planner" })},
		{"exchanged by an agent", credential.ReasonOtherClient, "token.client", token(func(k *onusv1.UserToken) { k.Audience, k.Client = []string{origin}, "planner" })},
		{"exchanged by nobody known", credential.ReasonOtherClient, "token.client", token(func(k *onusv1.UserToken) { k.Audience, k.Client = []string{origin}, "stranger" })},
		{"exchanged by nobody", credential.ReasonOtherClient, "token.client", token(func(k *onusv1.UserToken) { k.Audience = []string{origin} })},
		{"for several audiences, of nobody", credential.ReasonOtherClient, "token.client", token(func(k *onusv1.UserToken) { k.Audience = []string{"chat", "planner"} })},
		{"an agent acts in it", registry.ReasonOtherActor, "token.actors", token(func(k *onusv1.UserToken) { k.Actors = []*onusv1.Actor{{Subject: planner}} })},
		{"the user client acts in it", registry.ReasonOtherActor, "token.actors", token(func(k *onusv1.UserToken) { k.Actors = []*onusv1.Actor{{Subject: "chat"}} })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantRefusal(t, l.submitWith(enrolsDevice(t, alice, "laptop", tt.token, &onusv1.KeyBinding{}), l.checked(alice, 1)), tt.reason, tt.field)
		})
	}
	// By the log as it is at that index: the client was the chat's before.
	l.add(newClient(t, chat, acme, "chat-2"))
	wantRefusal(t, l.submitWith(enrols(alice, "laptop"), l.checked(alice, 1)), credential.ReasonOtherClient, "token.client")
	l.add(newClient(t, chat, acme, "chat"))
	viaChat := token(func(k *onusv1.UserToken) {
		k.Audience, k.Client, k.Confirms = []string{origin}, "chat", keyID(t, "watch")
	})
	l.addWith(enrolsDevice(t, alice, "watch", viaChat, &onusv1.KeyBinding{}), l.checked(alice, 1))

	// The token of a session that was revoked enrols nothing, for its user.
	inSession := func(user_, keyName string) *record.Record {
		return signed(t, user(user_), keyName, &onusv1.Record{User: user_, Session: office, Token: tokenOf(login, keyID(t, keyName)),
			Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{
				Key: &onusv1.KeyBinding{User: user_, PublicKey: spki(t, keyName)}}}}})
	}
	l.add(signed(t, user(alice), "phone", &onusv1.Record{User: alice, Body: &onusv1.Record_Revocation{
		Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: office}}}}))
	wantRefusal(t, l.submitWith(inSession(alice, "laptop"), l.checked(alice, 1)), registry.ReasonSessionRevoked, "session")
	l.addWith(inSession(bob, "bob"), l.checked(bob, 1))
	l.addWith(enrols(alice, "laptop"), l.checked(alice, 1)) // in another one
	l.checkStamps()
}

// Who acts for the user in a token is who signed the record beside it; whoever
// acted before is who the record says asked for the work.
func TestActorsOfAToken(t *testing.T) {
	l := usersLog(t)
	l.add(newIssuer(t, kube, false, true))
	l.add(newClass(t, planner, []string{"planner-app"}, &onusv1.Workload{Issuer: kube, Subject: "system:serviceaccount:shop:planner"}))
	l.add(newClass(t, clerk, []string{"clerk-app"}))
	actors := func(names ...string) []*onusv1.Actor {
		var all []*onusv1.Actor
		for _, n := range names {
			all = append(all, &onusv1.Actor{Subject: n})
		}
		return all
	}
	for _, tt := range []struct {
		name, parent string
		actors       []*onusv1.Actor
		field        string // empty: it holds
	}{
		{"nobody", "", nil, ""},
		{"nobody, with a parent agent", clerk, nil, ""},
		{"the agent", "", actors(planner), ""},
		{"an OAuth client of the agent", "", actors("planner-app"), ""},
		{"a subject with an OAuth client of the agent", "", []*onusv1.Actor{{Subject: "service-account-7", Client: "planner-app"}}, ""},
		{"a workload of the agent", "", []*onusv1.Actor{{Subject: "system:serviceaccount:shop:planner", Issuer: kube}}, ""},
		{"the agent, before it anybody", "", actors(planner, "anybody"), ""},
		{"the agent, before it the parent agent", clerk, actors(planner, clerk), ""},
		{"the agent, before it a client of the parent agent", clerk, actors(planner, "clerk-app", "anybody"), ""},

		{"somebody else", "", actors("spiffe://example.com/somebody-else"), "token.actors[0]"},
		{"another agent", "", actors(clerk, planner), "token.actors[0]"},
		{"a client of another agent", "", actors("clerk-app"), "token.actors[0]"},
		{"a client of the same name of another issuer", "", []*onusv1.Actor{{Subject: "planner-app", Issuer: kube}}, "token.actors[0]"},
		{"a workload of the same name of the token's issuer", "", actors("system:serviceaccount:shop:planner"), "token.actors[0]"},
		{"the agent, before it not the parent agent", clerk, actors(planner, "anybody"), "token.actors[1]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := tokenOf(login, "")
			token.Actors = tt.actors
			r := signed(t, agent(planner, "i", acme), "planner", &onusv1.Record{User: alice, Session: office, Token: token, ParentAgent: tt.parent,
				Parent: parentOf(tt.parent), Body: action(t, agent(planner, "i", acme), "planner").Msg.Body})
			for what, err := range map[string]error{"CheckActors": l.reg.CheckActors(r, l.size), "CheckAssurance": l.reg.CheckAssurance(r, l.size, l.checked(alice, 1))} {
				switch {
				case tt.field != "":
					wantRefusal(t, err, registry.ReasonOtherActor, tt.field)
				case err != nil:
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	// A user client is held to it too.
	token := tokenOf(login, "")
	token.Actors = actors("chat")
	asks := signed(t, client(chat), "chat", &onusv1.Record{User: alice, Session: office, Token: token, Body: intent(t, token).Msg.Body})
	if err := l.reg.CheckActors(asks, l.size); err != nil {
		t.Errorf("a user client: %v", err)
	}
	token.Actors = actors(planner)
	asks = signed(t, client(chat), "chat", &onusv1.Record{User: alice, Session: office, Token: token, Body: intent(t, tokenOf(login, "")).Msg.Body})
	wantRefusal(t, l.reg.CheckActors(asks, l.size), registry.ReasonOtherActor, "token.actors[0]")
}

func parentOf(agent string) string {
	if agent == "" {
		return ""
	}
	return record.ID{1}.String()
}

// From the revocation of a session on, no stamp may say that a token of it
// counted. Of another user, who cannot know whose session it is, it ends theirs.
func TestTokensOfARevokedSession(t *testing.T) {
	l := usersLog(t)
	r := intent(t, tokenOf(login, ""))
	ends := &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: office}}
	l.add(signed(t, user(alice), "alice", &onusv1.Record{User: alice, Session: office, Body: &onusv1.Record_Revocation{Revocation: ends}}))
	at := l.size - 1
	for what, err := range map[string]error{"before": l.reg.CheckAssurance(r, at, l.checked(alice, 1)), "asserted": l.reg.CheckAssurance(r, l.size, asserted())} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	wantRefusal(t, l.reg.CheckAssurance(r, at+1, l.checked(alice, 1)), registry.ReasonSessionRevoked, "session")
	wantRefusal(t, l.reg.CheckSession(r, at+1), registry.ReasonSessionRevoked, "session")
	if err := l.reg.CheckSession(action(t, agent(planner, "i", acme), "planner"), at+1); err != nil {
		t.Errorf("without a token: %v", err)
	}
}
