package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// answers writes what the registry answers to every kind of question as of an
// index, but for stamps.
func (l *users) answers(at int64) string {
	var b strings.Builder
	g := l.reg
	parties := []registry.Party{{Kind: registry.KindUser, ID: alice}, {Kind: registry.KindHost}}
	for _, r := range g.Registrations(at) {
		fmt.Fprintln(&b, r.Party, r.Index, r.First, r.Registration)
		parties = append(parties, r.Party)
	}
	for _, p := range parties {
		for _, k := range g.KeysOf(p, at) {
			end, by, ended := g.Ended(k.Key.ID(), at, now.UnixMilli())
			fmt.Fprintln(&b, "  key", k.Index, k.Level, k.NotAfter, k.SignedBy, end, by, ended)
		}
	}
	for _, a := range []*onusv1.Author{agent(planner, "pod-1", acme), service(erp), client(chat), reviewer("carol"), user(alice), admin("root"), theHost()} {
		for _, name := range []string{"pod", "planner", "erp", "chat", "carol", "alice", "phone", "root", "host"} {
			a.KeyId = keyID(l.t, name)
			fmt.Fprintln(&b, a, g.OperatorOf(a, at), g.Revocations(a, at), g.Suspicions(a, 3, now.UnixMilli(), at))
		}
	}
	for _, issuer := range []string{login, kube} {
		if v := g.KeySet(issuer, at); v != nil {
			fmt.Fprintln(&b, "keys of", issuer, v.Index, v.Set.Digest())
		}
		fmt.Fprintln(&b, g.AgentOfClient(issuer, "app", at), g.PartyOfClient(issuer, "chat", at))
	}
	if v, index := g.Bundle("example.com", at); v != nil {
		fmt.Fprintln(&b, "bundle", index, v.Sequence())
	}
	id, err := record.ParseID(before)
	if err != nil {
		l.t.Fatal(err)
	}
	fmt.Fprintln(&b, g.CheckAssurance(intent(l.t, tokenOf(login, "")), at, l.checked(alice, 1)))
	fmt.Fprint(&b, fmt.Sprintln(g.RevokedGrant(id, at)), fmt.Sprintln(g.RevokedSession(office, alice, at)))
	_, err = g.Authenticate(action(l.t, agent(planner, "pod-1", acme), "pod"), at)
	fmt.Fprintln(&b, err)
	return b.String()
}

// Whatever is registered later, an older index is answered as before.
func TestOlderAnswersNeverChange(t *testing.T) {
	l := usersLog(t)
	home := newDomain(t, "example.com")
	k := ecKey(t)
	phone := enrolsDevice(t, alice, "phone", tokenOf(login, keyID(t, "phone")), &onusv1.KeyBinding{})
	suspected := ofAgent(planner)
	suspected.SuspectedSince = phone.Msg.GetClaimedTime()
	answered := map[int64]string{}
	for i, step := range []func() *record.Record{
		func() *record.Record { return newClass(t, planner, []string{"app"}) },
		func() *record.Record {
			return trustBundle(t, admin("root"), "root", "example.com", home.bundle(1), now)
		},
		func() *record.Record { return newIssuer(t, kube, true, true) },
		func() *record.Record { return keySet(t, theHost(), "host", kube, jwks(t, k), now) },
		func() *record.Record { return enrols(t, "pod-1", "pod", bySVID(home.svid("pod", nil, planner))) },
		func() *record.Record {
			return rotate(t, agent(planner, "pod-1", acme), "pod", "pod 2", replacing(t, plannerKey("pod-1"), "pod", now.Add(time.Minute)))
		},
		func() *record.Record {
			return rotate(t, agent(planner, "pod-1", acme), "pod", "pod 3", replacing(t, plannerKey("pod-1"), "pod", time.Time{}))
		},
		func() *record.Record { return newClass(t, planner, nil) },
		func() *record.Record { return newClass(t, clerk, []string{"app"}) },
		func() *record.Record { return newClient(t, chat, acme, "chat-2") },
		func() *record.Record { return keySet(t, theHost(), "host", login, jwks(t, k), now) },
		func() *record.Record { return trustBundle(t, theHost(), "host", "example.com", home.bundle(2), now) },
		func() *record.Record { return newIssuer(t, login, false, false) },
		func() *record.Record {
			return revoke(t, admin("root"), "root", &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: before}})
		},
		func() *record.Record {
			return revoke(t, admin("root"), "root", &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: office}})
		},
		func() *record.Record { return revoke(t, admin("root"), "root", suspected) },
		func() *record.Record { return revoke(t, admin("root"), "root", ofKey(t, "erp")) },
		func() *record.Record { return revoke(t, admin("root"), "root", ofOperator(acme)) },
		func() *record.Record { return revoke(t, admin("deputy"), "deputy", ofKey(t, "root")) },
	} {
		if i == 4 {
			answered[l.size] = l.answers(l.size)
			l.addWith(phone, l.checked(alice, 1))
		}
		answered[l.size] = l.answers(l.size)
		l.add(step())
	}
	answered[l.size] = l.answers(l.size)
	for at, want := range answered {
		if diff := cmp.Diff(want, l.answers(at)); diff != "" {
			t.Errorf("what index %d is answered changed (-then +now)\n%s", at, diff)
		}
		if next, ok := answered[at+1]; ok && next == want {
			t.Errorf("entry %d changed no answer: the test asks too little", at)
		}
	}
	l.checkStamps()
}
