package authority_test

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// One token holds one budget, however often an agent writes it down.
func TestOneTokenIsOneBudget(t *testing.T) {
	l := newLog(t, nil)
	write := func() *record.Record {
		return l.addWith(agent("planner"), with(gives(grantTo("planner", may(el("order", "create"), "", "100"))), forUser("lead"), token("planner")), 2)
	}
	g1 := write()
	l.want(l.add(agent("planner"), does(g1, buy("100"))), nil)
	g2 := write() // the same token, digest and all
	r := l.add(agent("planner"), does(g2, buy("100")))
	if len(l.findings(r)) == 0 {
		t.Error("the user's token allows 100 in total; 200 were spent under two grants written down from it, and nothing is said")
	}
	// Without a total there is nothing to give out twice; another token has its
	// own.
	open1 := l.addWith(agent("planner"), with(gives(grantTo("planner", open(el("file", "read")))), forUser("lead"), token("planner")), 2)
	l.want(l.add(agent("planner"), does(open1, el("file", "read"))), nil)
	other := func(m *onusv1.Record) { m.Token.Digest = "A" + m.Token.Digest[1:] }
	g3 := l.addWith(agent("planner"), with(gives(grantTo("planner", may(el("order", "create"), "", "100"))), forUser("lead"), token("planner"), other), 2)
	l.want(l.add(agent("planner"), does(g3, buy("100"))), nil)
	l.check()
}

// What a user client says with its own token is the user's word, whatever the
// token holds, and takes nothing out of it.
func TestClientsWordIsNoTokens(t *testing.T) {
	l := newLog(t, nil)
	for range 2 {
		g := l.addWith(chat(), with(gives(grantTo("planner", may(el("order", "create"), "", "100"))), forUser("lead"), token("chat-web")), 2)
		l.want(l.add(agent("planner"), does(g, buy("100"))), nil)
	}
	g := l.addWith(agent("planner"), with(gives(grantTo("planner", may(el("order", "create"), "", "100"))), forUser("lead"), token("chat-web")), 2)
	l.want(l.add(agent("planner"), does(g, buy("100"))), nil)
	l.check()
}

// What an intent asks for out of a token, and a grant out of the same, is one
// budget too.
func TestTokensTotalInAnIntent(t *testing.T) {
	l := newLog(t, nil)
	asks := func(e *onusv1.ScopeElement) *onusv1.Record {
		return with(&onusv1.Record{Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Requested: []*onusv1.ScopeElement{e}}}}}, forUser("lead"), token("planner"))
	}
	word := func(r *record.Record) bool {
		for _, e := range l.entries {
			if e.r.ID == r.ID {
				return l.s.Word(r, e.index, e.st).Counts
			}
		}
		t.Fatal("not in the log")
		return false
	}
	first := l.addWith(agent("planner"), asks(buy("100")), 2)
	again := l.addWith(agent("planner"), asks(buy("100")), 2)
	free := l.addWith(agent("planner"), asks(el("file", "read")), 2)
	if !word(first) || word(again) || !word(free) {
		t.Errorf("the first counts: %t, the second: %t, one without an amount: %t; want only the second not to", word(first), word(again), word(free))
	}
	g := l.addWith(agent("planner"), with(gives(grantTo("planner", may(el("order", "create"), "", "100"))), forUser("lead"), token("planner")), 2)
	l.want(l.add(agent("planner"), does(g, buy("100"))), map[record.ID]string{g.ID: "G"}, "GRANT_NOT_BOUND_TO_USER G")
	l.check()
}

// What an agent writes down from a user's token is for itself, and not to be
// passed on: the token says neither.
func TestAgentGivesTheUsersTokenOn(t *testing.T) {
	l := newLog(t, nil)
	g := l.addWith(agent("planner"), with(gives(depth(grantTo("courier", open(el("file", "read"))), 16)), forUser("lead"), token("planner")), 2)
	child := l.add(agent("courier"), passes(g, grantTo("clerk", open(el("file", "read")))))
	if r := l.add(agent("courier"), does(g, el("file", "read"), forUser("lead"))); len(l.findings(r)) == 0 {
		t.Error("planner made the user's token a grant to another operator's courier, and it counts as the user's")
	}
	if r := l.add(agent("clerk"), does(child, el("file", "read"), forUser("lead"))); len(l.findings(r)) == 0 {
		t.Error("planner made the user's token a grant that may be passed on 16 times, and it counts as the user's")
	}
	// For itself it may, and then the issuer is the user.
	own := l.addWith(agent("planner"), with(gives(grantTo("planner", open(el("file", "read")))), forUser("lead"), token("planner")), 2)
	l.want(own, nil)
	l.want(l.add(agent("planner"), does(own, el("file", "read"), forUser("lead"))), nil)
	// A user client hands on what its user says, not what a token holds.
	wide := l.addWith(chat(), with(gives(depth(grantTo("courier", open(el("file", "read"))), 16)), forUser("lead"), token("chat-web")), 2)
	l.want(l.add(agent("courier"), does(wide, el("file", "read"), forUser("lead"))), nil)
	l.check()
}

// A session that was ended gives nothing any more: neither what is written down
// out of its token later, nor what an agent had written down before.
func TestGrantOutOfARevokedSession(t *testing.T) {
	over := func(l *testLog) {
		l.add(device("lead"), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: session("s")}}))
	}
	read := el("file", "read")
	for who, by := range map[string]*onusv1.Author{"chat-web": chat(), "planner": agent("planner")} {
		l := newLog(t, nil)
		assurance := uint8(1)
		if who == "planner" {
			assurance = 2
		}
		write := func() *record.Record {
			return l.addWith(by, with(gives(grantTo("planner", open(read))), forUser("lead"), inSession("s"), token(who)), assurance)
		}
		before := write()
		l.want(l.add(agent("planner"), does(before, read, forUser("lead"))), nil)
		over(l)
		after := write()
		names := map[record.ID]string{before.ID: "before", after.ID: "after"}
		l.want(l.add(agent("planner"), does(after, read, forUser("lead"))), names, revokedToo(who, "GRANT_NOT_BOUND_TO_USER after", "SESSION_REVOKED after")...)
		// What the client said was the user's, and does not end with the session
		// unless it says so.
		l.want(l.add(agent("planner"), does(before, read, forUser("lead"))), names, revokedToo(who, "", "SESSION_REVOKED before")...)
		l.check()
	}
	// What the user's own key signs is the user's, in whatever session.
	l := newLog(t, nil)
	over(l)
	g := l.add(device("lead"), with(gives(grantTo("planner", open(read))), inSession("s")))
	l.want(l.add(agent("planner"), does(g, read, forUser("lead"))), nil)
	l.check()
	// Left out, it could not be asked for: no such record is signed.
	m := with(gives(grantTo("planner", open(read))), forUser("lead"), token("planner"))
	m.Session, m.Origin, m.Nonce, m.Author = "", origin, make([]byte, record.NonceSize), agent("planner")
	m.Capture, m.ClaimedTime = onusv1.Capture_CAPTURE_SELF, timestamppb.New(start)
	_, err := record.Sign(m, signer(t, agentID("planner")))
	wantRefusal(t, err, record.ReasonInvalid, "token")
}

// revokedToo are the findings on a grant by the client, or by the agent.
func revokedToo(who, both, agents string) (want []string) {
	if both != "" {
		want = append(want, both)
	}
	if who == "planner" {
		want = append(want, agents)
	}
	return want
}
