package authority_test

import (
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A grant is revoked by who gave it, who gave one above it, or an
// administrator.
func TestWhoMayRevokeAGrant(t *testing.T) {
	read := open(el("file", "read"))
	setup := func(t *testing.T) (l *testLog, root, child, leaf, owns *record.Record) {
		l = newLog(t, nil)
		root = l.add(device("lead"), gives(depth(grantTo("planner", read), 2)))
		child = l.add(agent("planner"), passes(root, depth(grantTo("clerk", read), 1)))
		leaf = l.add(agent("clerk"), passes(child, grantTo("analyst", read)))
		owns = l.add(operator(acme), gives(grantTo("planner", read)))
		return
	}
	type pick func(root, child, leaf, owns *record.Record) *record.Record
	isRoot := func(root, _, _, _ *record.Record) *record.Record { return root }
	isChild := func(_, child, _, _ *record.Record) *record.Record { return child }
	isLeaf := func(_, _, leaf, _ *record.Record) *record.Record { return leaf }
	isOwn := func(_, _, _, owns *record.Record) *record.Record { return owns }
	unknown := func(_, _, _, _ *record.Record) *record.Record { return &record.Record{ID: record.ID{9}} }
	for _, c := range []struct {
		name   string
		by     *onusv1.Author
		of     pick
		edit   func(*onusv1.Record)
		reason string // empty: it may
		field  string
	}{
		{"an administrator", admin(), isLeaf, nil, "", ""},
		{"the user, the root", device("lead"), isRoot, nil, "", ""},
		{"the user, one far below", device("lead"), isLeaf, nil, "", ""},
		{"the user through the client", chat(), isLeaf, func(m *onusv1.Record) { forUser("lead")(m); token("chat-web")(m) }, "", ""},
		{"the user through the client, without a token", chat(), isLeaf, forUser("lead"), authority.ReasonNotPermitted, "token"},
		{"the user through the client, with another's token", chat(), isLeaf, func(m *onusv1.Record) { forUser("lead")(m); token("x")(m) }, authority.ReasonNotPermitted, "token"},
		{"another user", device("other"), isRoot, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"another user through the client", chat(), isRoot, func(m *onusv1.Record) { forUser("other")(m); token("chat-web")(m) }, authority.ReasonNotPermitted, "revocation.grant"},
		{"its issuer", agent("planner"), isChild, nil, "", ""},
		{"another instance of its issuer", agentAs("planner", "planner-2", acme), isChild, nil, "", ""},
		{"the issuer of the one above", agent("planner"), isLeaf, nil, "", ""},
		{"its grantee", agent("planner"), isRoot, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"its last grantee", agent("analyst"), isLeaf, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"one below it", agent("clerk"), isChild, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"an agent that has nothing to do with it", agent("courier"), isLeaf, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"the operator who gave it", operator(acme), isOwn, nil, "", ""},
		{"another operator", operator(globex), isOwn, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"the operator of the agent that gave it", operator(acme), isChild, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"an agent of the operator who gave it", agent("clerk"), isOwn, nil, authority.ReasonNotPermitted, "revocation.grant"},
		{"of a grant that nobody gave", admin(), unknown, nil, authority.ReasonUnknownGrant, "revocation.grant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, root, child, leaf, owns := setup(t)
			m := revokes(theGrant(c.of(root, child, leaf, owns)))
			if c.edit != nil {
				c.edit(m)
			}
			assurance := uint8(0)
			if m.Token != nil {
				assurance = 1
			}
			err := l.submit(l.sign(c.by, m), assurance)
			if c.reason != "" {
				wantRefusal(t, err, c.reason, c.field)
			} else if err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
	t.Run("through the client, with a token that was not checked", func(t *testing.T) {
		l, root, _, _, _ := setup(t)
		r := l.sign(chat(), with(revokes(theGrant(root)), forUser("lead"), token("chat-web")))
		wantRefusal(t, authority.CheckWord(r, &entry.Stamp{KeySetEntry: -1}), authority.ReasonNotChecked, "token")
	})
}

// A session's revocation ends what was bound to it, and nothing else.
func TestSessionRevoked(t *testing.T) {
	l := newLog(t, nil)
	read := el("file", "read")
	bound := grantTo("planner", open(read))
	bound.EndsWithSession, bound.MaxDepth = true, 1
	g := l.add(device("lead"), with(gives(bound), inSession("s")))
	free := l.add(device("lead"), with(gives(grantTo("planner", open(read))), inSession("s")))
	child := l.add(agent("planner"), passes(g, grantTo("clerk", open(read))))
	long := l.add(device("lead"), gives(depth(grantTo("planner", open(read)), 1)))
	briefly := grantTo("clerk", open(read))
	briefly.EndsWithSession = true
	brief := l.add(agent("planner"), with(passes(long, briefly), inSession("s")))
	names := map[record.ID]string{g.ID: "G", brief.ID: "B"}
	// Another user's word about the session is nothing to this one.
	l.add(device("other"), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: session("s")}}))
	l.want(l.add(agent("planner"), does(g, read)), names)
	l.add(device("lead"), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: session("s")}}))
	last := int64(len(l.entries)) - 1
	l.want(l.add(agent("planner"), does(g, read, inSession("s"), forUser("lead"))), names, "SESSION_REVOKED G")
	l.want(l.add(agent("clerk"), does(child, read)), names, "SESSION_REVOKED G")
	// An agent's grant can end with the session of the user above it.
	l.want(l.add(agent("clerk"), does(brief, read)), names, "SESSION_REVOKED B")
	l.want(l.add(agent("planner"), does(long, read)), names)
	l.want(l.add(agent("planner"), does(free, read, inSession("s"), forUser("lead"))), names)
	l.want(l.add(agent("planner"), does(nil, read, inSession("s"), forUser("lead"), func(m *onusv1.Record) { m.Parent = g.ID.String() })), names, "SESSION_REVOKED")
	if at, ok := l.s.RevokedAt(child.ID, last+1); !ok || at != last {
		t.Errorf("the child was ended by entry %d (%v), want %d", at, ok, last)
	}
	if at, ok := l.s.RevokedAt(child.ID, last); ok {
		t.Errorf("before its index the revocation counts (%d)", at)
	}
	l.check()
}

// A key's revocation ends what it signed; another key of the party goes on.
func TestKeyRevoked(t *testing.T) {
	l := newLog(t, nil)
	read := el("file", "read")
	g := l.add(operator(acme), gives(depth(grantTo("planner", open(read)), 1)))
	child := l.add(agent("planner"), passes(g, grantTo("clerk", open(read))))
	names := map[record.ID]string{g.ID: "G", child.ID: "C"}
	l.add(agent("planner"), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, agentID("planner")).Public().ID()}}))
	l.want(l.add(agent("planner"), does(g, read)), names, "KEY_REVOKED")
	l.want(l.add(agent("clerk"), does(child, read)), names, "ANCESTOR_REVOKED C")
	l.add(admin(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Operator{Operator: acme}}))
	l.want(l.add(agent("clerk"), does(child, read)), names, "AGENT_REVOKED", "ANCESTOR_REVOKED C")
	l.check()
}

// A key that has ended signs nothing that counts.
func TestKeyEnded(t *testing.T) {
	l := newLog(t, nil)
	read := el("file", "read")
	l.bind(&onusv1.KeyBinding{Agent: agentID("clerk"), Operator: acme, NotAfter: timestamppb.New(start.Add(time.Hour))}, "short-lived")
	g := l.add(operator(acme), gives(depth(grantTo("clerk", open(read)), 1)))
	short := func(m *onusv1.Record) *record.Record {
		l.t.Helper()
		l.n++
		m.Origin, m.Nonce, m.Author = origin, make([]byte, record.NonceSize), agent("clerk")
		m.Nonce[0] = byte(l.n)
		m.Capture, m.ClaimedTime = onusv1.Capture_CAPTURE_SELF, timestamppb.New(l.now)
		r, err := record.Sign(m, signer(t, "short-lived"))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.submit(r, 0); err != nil {
			t.Fatal(err)
		}
		return r
	}
	l.want(short(does(g, read)), nil)
	l.now = start.Add(time.Hour)
	l.want(short(does(g, read)), nil, "CREDENTIAL_EXPIRED")
	child := short(passes(g, grantTo("analyst", open(read))))
	l.want(child, nil, "CREDENTIAL_EXPIRED")
	l.want(l.add(agent("analyst"), does(child, read)), map[record.ID]string{child.ID: "C"}, "CREDENTIAL_EXPIRED C")
	l.want(l.add(agent("clerk"), does(g, read)), nil)
	l.check()
}

// A suspicion is what a later revocation says of earlier records.
func TestSuspicions(t *testing.T) {
	l := newLog(t, nil)
	read := el("file", "read")
	g := l.add(operator(acme), gives(depth(grantTo("planner", open(read)), 1)))
	child := l.add(agent("planner"), passes(g, grantTo("clerk", open(read))))
	before := l.add(agent("clerk"), does(child, read))
	l.now = l.now.Add(time.Hour)
	since := timestamppb.New(l.now)
	during := l.add(agent("clerk"), does(child, read))
	byPlanner := l.add(agent("planner"), does(g, read))
	other := l.add(agent("courier"), does(nil, read))
	rev := theAgent("planner")
	rev.SuspectedSince = since
	l.add(admin(), revokes(rev))
	last := int64(len(l.entries)) - 1
	after := l.add(agent("planner"), does(g, read))
	rev = theGrant(child)
	rev.SuspectedSince = since
	l.add(admin(), revokes(rev))
	for _, c := range []struct {
		name  string
		r     *record.Record
		asked int64
		want  int
	}{
		{"before the time", before, last + 1, 0},
		{"since then, under a grant of the party", during, last + 1, 1},
		{"since then, by the party", byPlanner, last + 1, 1},
		{"somebody else", other, last + 1, 0},
		{"before it is known", byPlanner, last, 0},
		{"after the revocation", after, last + 2, 0},
		{"and the grant itself", during, last + 3, 2},
	} {
		for _, e := range l.entries {
			if e.r.ID != c.r.ID {
				continue
			}
			fs := l.s.Suspicions(e.r, e.index, c.asked, e.st)
			if len(fs) != c.want {
				t.Errorf("%s: %d suspicions, want %d\n%s", c.name, len(fs), c.want, texts(fs))
			}
			for _, f := range fs {
				if f.Code != authority.SuspectWindow || f.Forbids {
					t.Errorf("%s: finding %+v", c.name, f)
				}
			}
		}
	}
	l.check()
}

// Keys that a stolen key bound since it is suspected are suspect too.
func TestKeysOfASuspectKey(t *testing.T) {
	l := newLog(t, nil)
	old := signer(t, agentID("planner"))
	next := signer(t, "thief")
	m := &onusv1.Record{Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		Agent: agentID("planner"), Operator: acme, PublicKey: next.Public().SPKI()}}}}}
	k := m.GetRegistration().GetKey()
	var err error
	if k.Possession, err = next.Sign(record.BindingStatement(origin, next.Public().ID(), old.Public().ID())); err != nil {
		t.Fatal(err)
	}
	l.add(agent("planner"), m)
	l.add(admin(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: old.Public().ID()}, SuspectedSince: timestamppb.New(start.Add(-time.Hour))}))
	g := l.add(operator(acme), gives(grantTo("planner", open(el("file", "read")))))
	am := does(g, el("file", "read"))
	am.Origin, am.Nonce, am.Author = origin, make([]byte, record.NonceSize), agent("planner")
	am.Nonce[0] = 7
	am.Capture, am.ClaimedTime = onusv1.Capture_CAPTURE_SELF, timestamppb.New(l.now)
	r, err := record.Sign(am, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.submit(r, 0); err != nil {
		t.Fatal(err)
	}
	e := l.entries[len(l.entries)-1]
	if len(e.findings)+len(l.s.Suspicions(r, e.index, e.index+1, e.st)) == 0 {
		t.Error("a key that a stolen key bound, after it was suspected, outlives its revocation, and nothing is said")
	}
	l.check()
}
