package registry_test

import (
	"fmt"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func revoke(t testing.TB, a *onusv1.Author, keyName string, r *onusv1.Revocation) *record.Record {
	t.Helper()
	return signed(t, a, keyName, &onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: r}})
}

func ofKey(t testing.TB, name string) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, name).Public().ID()}}
}

func ofAgent(id string) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: id}}
}

func ofInstance(agent, instance string) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: agent, Instance: instance}}}
}

func ofOperator(id string) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Operator{Operator: id}}
}

// revocableLog is smallLog with keys for an operator and for one instance.
func revocableLog(t testing.TB) *testLog {
	l := smallLog(t)
	l.add(newOperator(t, globex, ""))
	l.add(newKey(t, "acme", "", "", acme))
	l.add(newKey(t, "globex", "", "", globex))
	l.add(newKey(t, "planner 2", planner, "", acme))
	return l
}

// hits names what revocations of an author there are before that index.
func hits(l *testLog, a *onusv1.Author, keyName string, at int64) string {
	a.KeyId = signer(l.t, keyName).Public().ID()
	s := ""
	for _, r := range l.reg.Revocations(a, at) {
		switch {
		case r.Key != "":
			s += fmt.Sprintf("key@%d ", r.Index)
		case r.Instance != "":
			s += fmt.Sprintf("instance@%d ", r.Index)
		case r.Agent != "":
			s += fmt.Sprintf("agent@%d ", r.Index)
		default:
			s += fmt.Sprintf("operator@%d ", r.Index)
		}
	}
	return s
}

// Index decides: a revocation counts for the entries after its own, and for
// whoever stands on what it ends.
func TestRevocationsByIndex(t *testing.T) {
	l := revocableLog(t)
	n := l.size
	l.add(revoke(t, admin("root"), "root", ofKey(t, "planner 2")))                  // n
	l.add(revoke(t, operatorAuthor(acme), "acme", ofInstance(planner, "pod-1")))    // n+1
	l.add(revoke(t, agent(planner, "pod-9", acme), "planner", ofKey(t, "planner"))) // n+2: itself
	l.add(revoke(t, admin("deputy"), "deputy", ofAgent(planner)))                   // n+3
	l.add(revoke(t, admin("deputy"), "deputy", ofOperator(acme)))                   // n+4
	l.add(revoke(t, admin("deputy"), "deputy", ofAgent(planner)))                   // n+5: again
	for _, c := range []struct {
		instance, key string
		at            int64
		want          string
	}{
		{"pod-1", "planner 2", n, ""},
		{"pod-1", "planner 2", n + 1, fmt.Sprintf("key@%d ", n)},
		{"pod-1", "planner 2", n + 2, fmt.Sprintf("key@%d instance@%d ", n, n+1)},
		{"pod-2", "planner", n + 2, ""},
		{"pod-2", "planner", n + 3, fmt.Sprintf("key@%d ", n+2)},
		{"pod-2", "planner", n + 5, fmt.Sprintf("key@%d agent@%d operator@%d ", n+2, n+3, n+4)},
		{"pod-2", "planner", n + 6, fmt.Sprintf("key@%d agent@%d operator@%d ", n+2, n+3, n+4)},
	} {
		if got := hits(l, agent(planner, c.instance, acme), c.key, c.at); got != c.want {
			t.Errorf("%s with key %q before %d: got %q, want %q", c.instance, c.key, c.at, got, c.want)
		}
	}
	// A revoked agent's record is still bound, so that it is logged and flagged.
	if err := l.submit(action(t, agent(planner, "pod-1", acme), "planner 2")); err != nil {
		t.Errorf("a revoked agent's record is refused: %v", err)
	}
}

// Who may revoke what, and what a revoked party may still do.
func TestRevocationRefusals(t *testing.T) {
	for _, c := range []struct {
		name          string
		before        []*record.Record
		r             *record.Record
		reason, field string
	}{
		{"an operator, another's agent", nil, revoke(t, operatorAuthor(globex), "globex", ofAgent(planner)), registry.ReasonNotPermitted, "revocation"},
		{"an operator, another's key", nil, revoke(t, operatorAuthor(globex), "globex", ofKey(t, "planner")), registry.ReasonNotPermitted, "revocation"},
		{"an operator, itself", nil, revoke(t, operatorAuthor(acme), "acme", ofOperator(acme)), registry.ReasonNotPermitted, "revocation"},
		{"an operator, an administrator's key", nil, revoke(t, operatorAuthor(acme), "acme", ofKey(t, "root")), registry.ReasonNotPermitted, "revocation"},
		{"of a key that nobody has", nil, revoke(t, admin("root"), "root", ofKey(t, "stranger")), registry.ReasonNotRegistered, "revocation.key"},
		{"of an agent that nobody has", nil, revoke(t, admin("root"), "root", ofAgent(clerk)), registry.ReasonNotRegistered, "revocation.agent"},
		{"of an instance of an agent that nobody has", nil, revoke(t, admin("root"), "root", ofInstance(clerk, "i")), registry.ReasonNotRegistered, "revocation.agent"},
		{"of an operator that nobody has", nil, revoke(t, admin("root"), "root", ofOperator("nobody")), registry.ReasonNotRegistered, "revocation.operator"},

		{"a revoked administrator registers", []*record.Record{revoke(t, admin("deputy"), "deputy", ofKey(t, "root"))},
			newOperator(t, "new", ""), registry.ReasonRevoked, "author"},
		{"a revoked administrator revokes", []*record.Record{revoke(t, admin("deputy"), "deputy", ofKey(t, "root"))},
			revoke(t, admin("root"), "root", ofKey(t, "deputy")), registry.ReasonRevoked, "author"},
		{"a revoked operator revokes", []*record.Record{revoke(t, admin("root"), "root", ofOperator(acme))},
			revoke(t, operatorAuthor(acme), "acme", ofAgent(planner)), registry.ReasonRevoked, "author"},
		{"a key for a revoked agent", []*record.Record{revoke(t, admin("root"), "root", ofAgent(planner))},
			newKey(t, "planner 3", planner, "", acme), registry.ReasonRevoked, "registration.key"},
		{"a key for a revoked instance", []*record.Record{revoke(t, admin("root"), "root", ofInstance(planner, "pod-1"))},
			newKey(t, "planner 3", planner, "pod-1", acme), registry.ReasonRevoked, "registration.key"},
		{"a revoked key, bound again", []*record.Record{revoke(t, admin("root"), "root", ofKey(t, "planner"))},
			newKey(t, "planner", planner, "", acme), registry.ReasonConflict, "registration.key.public_key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := revocableLog(t)
			for _, r := range c.before {
				l.add(r)
			}
			size := l.size
			wantRefusal(t, l.submit(c.r), c.reason, c.field)
			if l.size != size {
				t.Error("the refused entry was added")
			}
		})
	}
}

// An operator's revocation reaches all whom it answers for; that of a key, an
// administrator or the host too.
func TestRevocationsOfEachParty(t *testing.T) {
	for _, tt := range []struct {
		key string
		a   *onusv1.Author
	}{
		{"erp", service(erp)}, {"chat", client(chat)}, {"carol", reviewer("carol")}, {"acme", operatorAuthor(acme)},
	} {
		l := fullLog(t)
		suspected := ofOperator(acme)
		suspected.SuspectedSince = timestamppb.New(now)
		at := l.add(revoke(t, admin("root"), "root", suspected))
		if got, want := hits(l, tt.a, tt.key, l.size), fmt.Sprintf("operator@%d ", at); got != want {
			t.Errorf("%s: got %q, want %q", tt.key, got, want)
		}
		if got := hits(l, tt.a, tt.key, at); got != "" {
			t.Errorf("%s before the revocation: %q", tt.key, got)
		}
		for _, c := range []struct {
			logTime int64
			want    int
		}{{now.UnixMilli() - 1, 0}, {now.UnixMilli(), 1}} {
			if got := len(l.reg.Suspicions(tt.a, at-1, c.logTime, l.size)); got != c.want {
				t.Errorf("%s: %d suspicions at %d, want %d", tt.key, got, c.logTime, c.want)
			}
		}
	}
	for _, tt := range []struct {
		key string
		a   *onusv1.Author
		by  func(l *testLog) *record.Record
	}{
		{"erp", service(erp), func(l *testLog) *record.Record { return endsItself(t, service(erp), "erp") }},
		{"carol", reviewer("carol"), func(l *testLog) *record.Record { return endsItself(t, reviewer("carol"), "carol") }},
		{"chat", client(chat), func(l *testLog) *record.Record { return revoke(t, operatorAuthor(acme), "acme", ofKey(t, "chat")) }},
		{"alice", user(alice), func(l *testLog) *record.Record { return endsItself(t, user(alice), "alice") }},
		{"host", theHost(), func(l *testLog) *record.Record { return revoke(t, admin("root"), "root", ofKey(t, "host")) }},
		{"root", admin("root"), func(l *testLog) *record.Record { return revoke(t, admin("deputy"), "deputy", ofKey(t, "root")) }},
	} {
		l := fullLog(t)
		at := l.add(tt.by(l))
		if got, want := hits(l, tt.a, tt.key, l.size), fmt.Sprintf("key@%d ", at); got != want {
			t.Errorf("%s: got %q, want %q", tt.key, got, want)
		}
	}
}

// A revoked administrator has its own message: somebody else has to sign.
func TestRevokedAdministrator(t *testing.T) {
	l := fullLog(t)
	at := l.add(revoke(t, admin("deputy"), "deputy", ofKey(t, "root")))
	d := newDomain(t, "example.com")
	for _, r := range []*record.Record{
		newOperator(t, "initech", ""), newKey(t, "new", planner, "", acme), newIssuer(t, kube, true, true),
		keySet(t, admin("root"), "root", login, jwks(t, ecKey(t)), now),
		trustBundle(t, admin("root"), "root", "example.com", d.bundle(1), now),
		revoke(t, admin("root"), "root", ofAgent(planner)),
	} {
		err := l.submit(r)
		wantRefusal(t, err, registry.ReasonRevoked, "author")
		if want := fmt.Sprintf("author is administrator root, whose key entry %d revoked: have another administrator sign it", at); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	l.add(newAgent(t, clerk, acme, "")) // which deputy signs
	if err := l.submit(trigger(t, admin("root"), "root")); err != nil {
		t.Errorf("what binds nothing is refused, not flagged: %v", err)
	}
}

// In one batch, too, the index decides: both fit the log before the batch, and
// only the one that stands first is taken as if the other were not there.
func TestRevokeAndBindInOneBatch(t *testing.T) {
	l := workloadsLog(t)
	revocation := revoke(t, admin("root"), "root", ofInstance(planner, "pod-1"))
	enrolment := enrols(t, "pod-1", "pod", bySVID(l.home.svid("pod", nil, planner)))
	byDeputy := newAgent(t, clerk, acme, "")
	noDeputy := revoke(t, admin("root"), "root", ofKey(t, "deputy"))
	n := l.size
	for _, r := range []*record.Record{revocation, enrolment, byDeputy, noDeputy} {
		if err := l.reg.Check(r, n, asserted()); err != nil {
			t.Fatalf("does not fit before the batch: %v", err)
		}
	}
	add := func(r *record.Record, index int64) error {
		return l.reg.Add(r, index, tree.LeafHash(r.ID[:]), asserted())
	}
	if err := add(revocation, n); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, add(enrolment, n+1), registry.ReasonRevoked, "author")
	if err := add(noDeputy, n+1); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, add(byDeputy, n+2), registry.ReasonRevoked, "author")

	// The other way round both stand, and the key is revoked from then on.
	l = workloadsLog(t)
	enrolment = enrols(t, "pod-1", "pod", bySVID(l.home.svid("pod", nil, planner)))
	for i, r := range []*record.Record{enrolment, revocation, byDeputy, noDeputy} {
		if err := add(r, n+int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	pod := agent(planner, "pod-1", acme)
	if got := hits(l.testLog, pod, "pod", n+1); got != "" {
		t.Errorf("between the two: %q", got)
	}
	if got, want := hits(l.testLog, pod, "pod", n+2), fmt.Sprintf("instance@%d ", n+1); got != want {
		t.Errorf("after both: %q, want %q", got, want)
	}
}

// The registry keeps revocations of grants; who may is asked elsewhere.
func TestRevokedGrants(t *testing.T) {
	l := fullLog(t)
	id, err := record.ParseID(before)
	if err != nil {
		t.Fatal(err)
	}
	ofGrant := &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: before}}
	at := l.add(revoke(t, agent(planner, "i", acme), "planner", ofGrant))
	l.add(revoke(t, admin("root"), "root", ofGrant))
	if r, ok := l.reg.RevokedGrant(id, at); ok {
		t.Errorf("revoked before its entry: %+v", r)
	}
	if r, ok := l.reg.RevokedGrant(id, l.size); !ok || r.Index != at || r.Grant != before || r.Target() != "grant "+before {
		t.Errorf("got %+v, %t; want that of %d", r, ok, at)
	}
	if _, ok := l.reg.RevokedGrant(record.ID{}, l.size); ok {
		t.Error("another grant is revoked")
	}
	l.add(revoke(t, admin("root"), "root", ofAgent(planner)))
	wantRefusal(t, l.submit(revoke(t, agent(planner, "i", acme), "planner", ofGrant)), registry.ReasonRevoked, "author")
}

// A session ends by an administrator, or by its user: then for the records of
// that user, since a session does not show whose it is.
func TestRevokedSessions(t *testing.T) {
	l := usersLog(t)
	ofSession := &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: office}}
	by := func(a *onusv1.Author, keyName, user string, token *onusv1.UserToken) *record.Record {
		return signed(t, a, keyName, &onusv1.Record{User: user, Session: home, Token: token, Body: &onusv1.Record_Revocation{Revocation: ofSession}})
	}
	wantRefusal(t, l.submit(by(client(chat), "chat", bob, nil)), registry.ReasonNotPermitted, "revocation.session")
	wantRefusal(t, l.submitWith(by(client(chat), "chat", bob, tokenOf(login, "")), l.checked(alice, 1)), registry.ReasonUnfounded, "user")
	alices := l.add(by(user(alice), "alice", alice, nil))
	bobs := l.addWith(by(client(chat), "chat", bob, tokenOf(login, "")), l.checked(bob, 1))
	admins := l.add(by(admin("root"), "root", "", nil))
	const carl = "u-cccccccccccccccccccccccccc"
	l.addWith(by(client(chat), "chat", carl, tokenOf(login, "")), l.checked(carl, 1)) // again
	for _, tt := range []struct {
		user     string
		at, want int64
	}{
		{alice, alices, -1}, {alice, alices + 1, alices}, {bob, alices + 1, -1}, {bob, bobs + 1, bobs},
		{"", bobs + 1, -1}, {"", admins + 1, admins}, {carl, admins + 1, admins}, {carl, l.size, admins}, {alice, l.size, alices},
	} {
		r, ok := l.reg.RevokedSession(office, tt.user, tt.at)
		if !ok {
			r.Index = -1
		}
		if r.Index != tt.want || ok && (r.Session != office || r.Target() != "session "+office) {
			t.Errorf("of %q before %d: %+v, want that of %d", tt.user, tt.at, r, tt.want)
		}
	}
	if _, ok := l.reg.RevokedSession("x-bbbbbbbbbbbbbbbbbbbbbbbbbb", alice, l.size); ok {
		t.Error("another session is revoked")
	}
	l.checkStamps()
}

// A key rotates with overlap: the new one is bound before the old one ends.
func TestKeyRotation(t *testing.T) {
	l := smallLog(t)
	l.add(newKey(t, "planner new", planner, "", acme))
	both := l.size
	l.add(revoke(t, admin("root"), "root", ofKey(t, "planner")))
	for _, key := range []string{"planner", "planner new"} {
		if got := hits(l, agent(planner, "i", acme), key, both); got != "" {
			t.Errorf("%s during the overlap: %s", key, got)
		}
	}
	if got := hits(l, agent(planner, "i", acme), "planner", l.size); got == "" {
		t.Error("the old key is not revoked after the overlap")
	}
	if got := hits(l, agent(planner, "i", acme), "planner new", l.size); got != "" {
		t.Errorf("the new key is hit: %s", got)
	}
}

// What was logged between the suspicion and the revocation is suspect; what
// was logged before it is not, and nothing is before the revocation is known.
func TestSuspicions(t *testing.T) {
	l := revocableLog(t)
	rev := ofAgent(planner)
	rev.SuspectedSince = &timestamppb.Timestamp{Seconds: 1_790_000_500}
	since := rev.SuspectedSince.AsTime().UnixMilli()
	at := l.add(revoke(t, admin("root"), "root", rev))
	a := agent(planner, "i", acme)
	for _, c := range []struct {
		name                  string
		index, logTime, asked int64
		want                  int
	}{
		{"logged before the suspicion", at - 1, since - 1, at + 1, 0},
		{"logged at the suspicion", at - 1, since, at + 1, 1},
		{"logged after the revocation", at + 1, since + 1, at + 2, 0},
		{"before the revocation was known", at - 1, since, at, 0},
	} {
		if got := len(l.reg.Suspicions(a, c.index, c.logTime, c.asked)); got != c.want {
			t.Errorf("%s: %d suspicions, want %d", c.name, got, c.want)
		}
	}
}
