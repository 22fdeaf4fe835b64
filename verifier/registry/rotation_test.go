package registry_test

import (
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func endingAt(k *onusv1.KeyBinding, at time.Time) *onusv1.KeyBinding {
	k = &onusv1.KeyBinding{Agent: k.Agent, Instance: k.Instance, Operator: k.Operator, Credential: k.Credential}
	k.NotAfter = timestamppb.New(at)
	return k
}

func replacing(t testing.TB, k *onusv1.KeyBinding, oldName string, until time.Time) *onusv1.KeyBinding {
	k.Replaces = keyID(t, oldName)
	if !until.IsZero() {
		k.ReplacedUntil = timestamppb.New(until)
	}
	return k
}

func plannerKey(instance string) *onusv1.KeyBinding {
	return &onusv1.KeyBinding{Agent: planner, Instance: instance, Operator: acme}
}

// wantEnd holds a key's end, as of an index and a log time.
func (l *testLog) wantEnd(keyName string, at int64, logTime, end time.Time, by string, ended bool) {
	l.t.Helper()
	want := int64(-1)
	if !end.IsZero() {
		want = end.UnixMilli()
	}
	if by != "" {
		by = keyID(l.t, by)
	}
	gotEnd, gotBy, gotEnded := l.reg.Ended(keyID(l.t, keyName), at, logTime.UnixMilli())
	if gotEnd != want || gotBy != by || gotEnded != ended {
		l.t.Errorf("%s before %d at %v: ends %d by %q, ended %t; want %d by %q, %t", keyName, at, logTime, gotEnd, gotBy, gotEnded, want, by, ended)
	}
}

// Each kind of party rotates its own keys, and the new key is as well
// established as the one that signed for it.
func TestEachPartyRotates(t *testing.T) {
	for _, tt := range []struct {
		old string
		a   *onusv1.Author
		k   *onusv1.KeyBinding
	}{
		{"planner", agent(planner, "i", acme), plannerKey("")},
		{"planner", agent(planner, "i", acme), plannerKey("i")}, // the class's key for one instance
		{"acme", operatorAuthor(acme), &onusv1.KeyBinding{Operator: acme}},
		{"erp", service(erp), &onusv1.KeyBinding{Service: erp}},
		{"chat", client(chat), &onusv1.KeyBinding{Client: chat}},
		{"carol", reviewer("carol"), &onusv1.KeyBinding{Reviewer: "carol"}},
		{"alice", user(alice), &onusv1.KeyBinding{User: alice}},
	} {
		t.Run(tt.old, func(t *testing.T) {
			l := fullLog(t)
			at := l.add(rotate(t, tt.a, tt.old, "new", tt.k))
			b := l.reg.Key(keyID(t, "new"), l.size)
			if b == nil || b.Index != at || b.SignedBy != keyID(t, tt.old) || b.Level != registry.K0 {
				t.Fatalf("binding is %+v", b)
			}
			if _, err := l.reg.Authenticate(endsItself(t, tt.a, "new"), l.size); err != nil {
				t.Errorf("the new key does not speak for its party: %v", err)
			}
			if keys := l.reg.KeysOf(registry.PartyOf(tt.a), l.size); len(keys) != 2 || keys[1] != b {
				t.Errorf("the party has the keys %v", keys)
			}
		})
	}
	l := workloadsLog(t)
	l.add(enrols(t, "pod-1", "pod", bySVID(vouched(t, l.home.svid("leaf", nil, planner), "leaf", "pod"))))
	l.add(rotate(t, agent(planner, "pod-1", acme), "pod", "pod new", plannerKey("pod-1")))
	// A weaker credential beside it takes nothing away.
	k := byToken(l.kube(account(t, plannerAccount, "pod newer")))
	k.Agent, k.Instance, k.Operator = planner, "pod-1", acme
	l.add(rotate(t, agent(planner, "pod-1", acme), "pod new", "pod newer", k))
	for _, name := range []string{"pod new", "pod newer"} {
		if b := l.reg.Key(keyID(t, name), l.size); b.Level != registry.K2 || b.CheckedWith != "trust domain example.com" {
			t.Errorf("%s, which a K2 key signed for, is %v, checked with %q", name, b.Level, b.CheckedWith)
		}
	}
	withToken := byToken(l.kube(account(t, plannerAccount, "shown")))
	withToken.Agent, withToken.Instance, withToken.Operator = planner, "i", acme
	l.add(rotate(t, agent(planner, "i", acme), "planner", "shown", withToken))
	if b := l.reg.Key(keyID(t, "shown"), l.size); b.Level != registry.K1 || b.CheckedWith != "issuer "+kube {
		t.Errorf("a K0 key signed for a key with a token: %v, checked with %q", b.Level, b.CheckedWith)
	}
}

func TestRotationRefusals(t *testing.T) {
	l := fullLog(t)
	l.add(newKey(t, "pod 1", planner, "pod-1", acme))
	l.add(newKey(t, "pod 2", planner, "pod-2", acme))
	pod1 := agent(planner, "pod-1", acme)
	for _, tt := range []struct {
		name, reason, field string
		r                   *record.Record
	}{
		{"an instance's key for the class", registry.ReasonNotPermitted, "registration.key.instance", rotate(t, pod1, "pod 1", "new", plannerKey(""))},
		{"a key that is bound already", registry.ReasonConflict, "registration.key.public_key", rotate(t, pod1, "pod 1", "pod 2", plannerKey("pod-1"))},
		{"replaces a key that nobody has", registry.ReasonNotRegistered, "registration.key.replaces",
			rotate(t, pod1, "pod 1", "new", replacing(t, plannerKey("pod-1"), "stranger", time.Time{}))},
		{"replaces another instance's key", registry.ReasonNotPermitted, "registration.key.replaces",
			rotate(t, pod1, "pod 1", "new", replacing(t, plannerKey("pod-1"), "pod 2", time.Time{}))},
		{"replaces the class's key", registry.ReasonNotPermitted, "registration.key.replaces",
			rotate(t, pod1, "pod 1", "new", replacing(t, plannerKey("pod-1"), "planner", time.Time{}))},
		{"replaces another party's key", registry.ReasonNotPermitted, "registration.key.replaces",
			rotate(t, service(erp), "erp", "new", replacing(t, &onusv1.KeyBinding{Service: erp}, "chat", time.Time{}))},
		{"an administrator replaces another party's key", registry.ReasonNotPermitted, "registration.key.replaces",
			bindTo(t, admin("root"), "root", "new", replacing(t, &onusv1.KeyBinding{Service: erp}, "root", time.Time{}))},
		{"an operator for another's agent", registry.ReasonConflict, "registration.key.operator",
			bindTo(t, operatorAuthor(globex), "globex", "new", &onusv1.KeyBinding{Agent: planner, Operator: globex})},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, l.submit(tt.r), tt.reason, tt.field) })
	}
}

// The new key and the old one overlap until the log time that the rotation
// names. Nothing moves an end further out, and no older index sees it.
func TestKeysOverlap(t *testing.T) {
	l := fullLog(t)
	a := agent(planner, "i", acme)
	before, until := l.size, now.Add(time.Hour)
	at := l.add(rotate(t, a, "planner", "second", replacing(t, plannerKey(""), "planner", until)))
	l.wantEnd("planner", at, until, time.Time{}, "", false) // the rotation's own entry
	l.wantEnd("planner", before, until.Add(time.Hour), time.Time{}, "", false)
	l.wantEnd("planner", at+1, now, until, "second", false)
	l.wantEnd("planner", at+1, until.Add(-time.Millisecond), until, "second", false)
	l.wantEnd("planner", at+1, until, until, "second", true)
	l.wantEnd("second", at+1, until, time.Time{}, "", false)
	l.wantEnd("stranger", at+1, until, time.Time{}, "", false)

	later := l.add(rotate(t, a, "second", "third", replacing(t, plannerKey(""), "planner", until.Add(time.Hour))))
	l.wantEnd("planner", later+1, until, until, "second", true)
	sooner := l.add(rotate(t, a, "second", "fourth", replacing(t, plannerKey(""), "planner", now.Add(time.Minute))))
	l.wantEnd("planner", sooner, now.Add(time.Minute), until, "second", false)
	l.wantEnd("planner", sooner+1, now.Add(time.Minute), now.Add(time.Minute), "fourth", true)

	// Without a time, and with one that has passed, the old key ends at once.
	once := l.add(rotate(t, a, "second", "fifth", replacing(t, plannerKey(""), "second", time.Time{})))
	l.wantEnd("second", once+1, now, now, "fifth", true)
	passed := l.add(rotate(t, a, "third", "sixth", replacing(t, plannerKey(""), "third", now.Add(-time.Hour))))
	l.wantEnd("third", passed+1, now, now, "sixth", true)

	// A record that an ended key signed is bound all the same, to be flagged.
	if _, err := l.reg.Authenticate(action(t, a, "second"), l.size); err != nil {
		t.Errorf("a record of an ended key is not bound: %v", err)
	}
}

// A binding's own end counts, and the sooner of both.
func TestNotAfter(t *testing.T) {
	l := fullLog(t)
	end := now.Add(time.Hour)
	wantRefusal(t, l.submit(bindTo(t, admin("root"), "root", "brief", endingAt(plannerKey(""), now))), registry.ReasonTime, "registration.key.not_after")
	at := l.add(bindTo(t, admin("root"), "root", "brief", endingAt(plannerKey(""), end)))
	l.wantEnd("brief", at, end, time.Time{}, "", false)
	l.wantEnd("brief", at+1, end.Add(-time.Millisecond), end, "", false)
	l.wantEnd("brief", at+1, end, end, "", true)
	l.add(rotate(t, agent(planner, "i", acme), "brief", "late", replacing(t, plannerKey(""), "brief", end.Add(time.Hour))))
	l.wantEnd("brief", l.size, end, end, "", true)
	l.add(rotate(t, agent(planner, "i", acme), "brief", "soon", replacing(t, plannerKey(""), "brief", now.Add(time.Minute))))
	l.wantEnd("brief", l.size, now.Add(time.Minute), now.Add(time.Minute), "soon", true)
}

// A key that has ended, or that is revoked, binds and revokes nothing.
func TestEndedAndRevokedKeysBindNothing(t *testing.T) {
	l := fullLog(t)
	end := now.Add(time.Hour)
	l.add(bindTo(t, admin("root"), "root", "brief", endingAt(plannerKey(""), end)))
	l.add(bindTo(t, admin("root"), "root", "acme brief", &onusv1.KeyBinding{Operator: acme, NotAfter: timestamppb.New(end)}))
	late := &entry.Stamp{LogTime: end.UnixMilli(), KeySetEntry: -1}
	r := rotate(t, agent(planner, "i", acme), "brief", "new", plannerKey(""))
	wantRefusal(t, l.submitWith(r, late), registry.ReasonKeyEnded, "author.key_id")
	wantRefusal(t, l.submitWith(revoke(t, operatorAuthor(acme), "acme brief", ofAgent(planner)), late), registry.ReasonKeyEnded, "author.key_id")
	// It may still end itself, which takes nothing from anybody.
	l.addAt(end, endsItself(t, operatorAuthor(acme), "acme brief"))

	l.add(revoke(t, admin("root"), "root", ofKey(t, "planner")))
	wantRefusal(t, l.submit(rotate(t, agent(planner, "i", acme), "planner", "new", plannerKey(""))), registry.ReasonRevoked, "author")
	l.add(r)

	// So does one that another has replaced: not even the next key.
	l.add(rotate(t, service(erp), "erp", "erp 2", replacing(t, &onusv1.KeyBinding{Service: erp}, "erp", time.Time{})))
	err := l.submit(rotate(t, service(erp), "erp", "erp 3", &onusv1.KeyBinding{Service: erp}))
	wantRefusal(t, err, registry.ReasonKeyEnded, "author.key_id")
	if want := "key " + keyID(t, "erp 2") + " took over"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want it to say that %s", err, want)
	}
}

// Check does not authenticate, and does not break on what nobody signed.
func TestCheckOfAnUnknownSigner(t *testing.T) {
	l := fullLog(t)
	r := rotate(t, service(erp), "stranger", "new", &onusv1.KeyBinding{Service: erp})
	wantRefusal(t, l.reg.Check(r, l.size, asserted()), registry.ReasonNotRegistered, "author.key_id")
}

// An operator binds keys of what it answers for, and of nothing else.
func TestOperatorBindsKeys(t *testing.T) {
	for _, k := range []*onusv1.KeyBinding{
		{Agent: planner, Operator: acme}, {Service: erp}, {Client: chat}, {Reviewer: "carol"},
	} {
		l := fullLog(t)
		k.PublicKey = spki(t, "new")
		registers := func(operator, keyName string) *record.Record {
			return signed(t, operatorAuthor(operator), keyName, &onusv1.Record{Body: &onusv1.Record_Registration{
				Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}}}})
		}
		if k.GetAgent() == "" { // the rules of records refuse it for an agent
			wantRefusal(t, l.submit(registers(globex, "globex")), registry.ReasonNotPermitted, "registration.key")
		}
		l.add(registers(acme, "acme"))
		if b := l.reg.Key(keyID(t, "new"), l.size); b == nil || b.Level != registry.K0 || b.SignedBy != keyID(t, "acme") {
			t.Errorf("%v: binding is %+v", k, b)
		}
	}
}
