package authority_test

import (
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// approvalLog has a user's grant to the planner, under which orders above 100
// EUR need the user's approval and refunds that of the boss.
func approvalLog(t *testing.T) (l *testLog, g *record.Record) {
	l = newLog(t, nil)
	grant := grantTo("planner", may(el("order", "create"), "", "1000"), open(el("refund", "create")))
	grant.Approvals = []*onusv1.ApprovalRule{
		{Operations: []string{"order:*"}, Above: "100", Unit: "EUR"},
		{Operations: []string{"refund:create"}, Approvers: []string{"boss"}},
	}
	return l, l.add(device("lead"), gives(grant))
}

func buy(n string) *onusv1.ScopeElement { return el("order", "create", amount(n, "EUR")) }

func TestApprovals(t *testing.T) {
	type rec = record.Record
	refund := func() *onusv1.ScopeElement { return el("refund", "create", amount("5", "EUR")) }
	for _, c := range []struct {
		name string
		act  func(l *testLog, g *rec) *rec
		want []string
	}{
		{"not asked for", func(l *testLog, g *rec) *rec {
			return l.add(agent("planner"), does(g, buy("100")))
		}, nil},
		{"asked for, and none is there", func(l *testLog, g *rec) *rec {
			return l.add(agent("planner"), does(g, buy("100.01")))
		}, []string{"APPROVAL_MISSING"}},
		{"an amount that cannot be compared needs one", func(l *testLog, g *rec) *rec {
			return l.add(agent("planner"), does(g, el("order", "create", amount("1", "USD"))))
		}, []string{"APPROVAL_MISSING", "SCOPE_UNCOMPARABLE"}},
		{"by the user's own key", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, nil},
		{"through the client, with a token of the client", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.addWith(chat(), with(approves(p), forUser("lead"), token("chat-web")), 1)
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, nil},
		{"through the client, with a token that was not checked", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(chat(), with(approves(p), forUser("lead"), token("chat-web")))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"APPROVAL_MISSING"}},
		{"through the client, with a token of another client", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.addWith(chat(), with(approves(p), forUser("lead"), token("planner-oauth")), 1)
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"APPROVAL_MISSING"}},
		{"by the client of a session that was revoked", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			l.add(admin(), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: session("s")}}))
			ok := l.addWith(chat(), with(approves(p), forUser("lead"), inSession("s"), token("chat-web")), 1)
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"APPROVAL_MISSING"}},
		{"by a key that was revoked before", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			l.add(device("lead"), revokes(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, user("lead")).Public().ID()}}))
			ok := l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"ANCESTOR_REVOKED", "APPROVAL_MISSING"}}, // the grant was signed with that key
		{"it covers what goes beyond the issuer's limit", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("5000")))
			ok := l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, buy("5000"), approvedBy(ok)))
		}, nil},
		{"what is outside the grant too", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, el("car", "buy")))
			ok := l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, el("car", "buy"), approvedBy(ok)))
		}, nil},
		{"a reviewer is no issuer: the limit stays", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("5000")))
			ok := l.add(boss(), approves(p))
			return l.add(agent("planner"), does(g, buy("5000"), approvedBy(ok)))
		}, []string{"APPROVAL_MISSING", "LIMIT_EXCEEDED"}},
		{"a reviewer who is named", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, refund()))
			ok := l.add(boss(), approves(p))
			return l.add(agent("planner"), does(g, refund(), approvedBy(ok)))
		}, nil},
		{"the user where a reviewer is named", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, refund()))
			ok := l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, refund(), approvedBy(ok)))
		}, []string{"APPROVAL_MISSING"}},

		{"another element", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, buy("501"), approvedBy(ok)))
		}, []string{"APPROVAL_MISMATCH"}},
		{"another instance", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			return l.add(agentAs("planner", "planner-2", acme), does(g, buy("500"), approvedBy(ok)))
		}, []string{"APPROVAL_MISMATCH"}},
		{"an id that is no approval", func(l *testLog, g *rec) *rec {
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(g)))
		}, []string{"APPROVAL_MISMATCH"}},
		{"a denial named as approval", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			no := l.add(device("lead"), denies(p))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(no)))
		}, []string{"APPROVAL_MISMATCH", "DENIED_BUT_DONE"}},
		{"after it expired", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			m := approves(p)
			m.GetApproval().Expires = timestamppb.New(l.now.Add(time.Minute))
			ok := l.add(device("lead"), m)
			l.now = l.now.Add(time.Minute)
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"APPROVAL_MISMATCH"}},
		{"for the second time", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"APPROVAL_REUSED"}},
		{"a retry of the same request is no second use", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			l.add(agent("planner"), does(g, buy("500"), approvedBy(ok), request("r")))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok), request("r")))
		}, nil},
		{"another request is a second use", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			l.add(agent("planner"), does(g, buy("500"), approvedBy(ok), request("r")))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok), request("q")))
		}, []string{"APPROVAL_REUSED"}},
		{"what others do with it uses nothing up", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			l.add(agent("clerk"), does(nil, buy("500"), approvedBy(ok)))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, nil},

		{"denied", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("50")))
			l.add(device("lead"), denies(p))
			return l.add(agent("planner"), does(g, buy("50.00")))
		}, []string{"DENIED_BUT_DONE"}},
		{"denied to another instance", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("50")))
			l.add(device("lead"), denies(p))
			return l.add(agentAs("planner", "planner-2", acme), does(g, buy("50")))
		}, nil},
		{"denied by somebody's client with a token that was not checked", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("50")))
			l.add(chat(), with(denies(p), forUser("lead"), token("chat-web")))
			return l.add(agent("planner"), does(g, buy("50")))
		}, nil},
		{"approved, then denied", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			ok := l.add(device("lead"), approves(p))
			l.add(device("lead"), denies(p))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"DENIED_BUT_DONE"}},
		{"denied, then approved", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			l.add(device("lead"), denies(p))
			ok := l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, nil},
		{"the approval from before the denial", func(l *testLog, g *rec) *rec {
			p := l.add(agent("planner"), proposes(g, buy("500")))
			old := l.add(device("lead"), approves(p))
			l.add(device("lead"), denies(p))
			l.add(device("lead"), approves(p))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(old)))
		}, []string{"APPROVAL_MISMATCH"}},
		{"denied once, proposed anew and approved", func(l *testLog, g *rec) *rec {
			l.add(device("lead"), denies(l.add(agent("planner"), proposes(g, buy("500")))))
			ok := l.add(device("lead"), approves(l.add(agent("planner"), proposes(g, buy("500")))))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, nil},
		{"approved once, proposed anew and denied", func(l *testLog, g *rec) *rec {
			ok := l.add(device("lead"), approves(l.add(agent("planner"), proposes(g, buy("500")))))
			l.add(device("lead"), denies(l.add(agent("planner"), proposes(g, buy("500")))))
			return l.add(agent("planner"), does(g, buy("500"), approvedBy(ok)))
		}, []string{"DENIED_BUT_DONE"}},
		{"proposed anew after the denial changes nothing", func(l *testLog, g *rec) *rec {
			l.add(device("lead"), denies(l.add(agent("planner"), proposes(g, buy("50")))))
			for range 3 {
				l.add(agent("planner"), proposes(g, buy("50")))
			}
			return l.add(agent("planner"), does(g, buy("50")))
		}, []string{"DENIED_BUT_DONE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, g := approvalLog(t)
			r := c.act(l, g)
			l.want(r, nil, c.want...)
			// Whatever comes later, an earlier action is judged as it was.
			l.add(admin(), revokes(theGrant(g)))
			l.check()
		})
	}
}

// The log's policy asks for approvals, whatever the grant; and says how strong
// a user's must be.
func TestApprovalPolicy(t *testing.T) {
	l := newLog(t, func(p *onusv1.Policy) {
		p.Approvals = []*onusv1.ApprovalRule{{Operations: []string{"*"}, Above: "10", Unit: "EUR", Assurance: 3}}
	})
	g := l.add(operator(acme), gives(grantTo("planner", open(el("order", "create")))))
	p := l.add(agent("planner"), proposes(g, buy("500"), forUser("lead")))
	below := func(m *onusv1.Record) { m.Parent = p.ID.String() }
	weak := l.addWith(chat(), with(approves(p), forUser("lead"), token("chat-web")), 1)
	l.want(l.add(agent("planner"), does(g, buy("500"), forUser("lead"), approvedBy(weak), below)), nil, "APPROVAL_MISSING", "OWN_AUTHORITY_USED")
	strong := l.add(device("lead"), approves(p))
	l.want(l.add(agent("planner"), does(g, buy("500"), forUser("lead"), approvedBy(strong), below)), nil, "OWN_AUTHORITY_USED")
	l.want(l.add(agent("planner"), does(g, buy("10"))), nil)
	l.check()
}

// Only those who are asked may answer, and only a proposal.
func TestAnswerRefusals(t *testing.T) {
	l, g := approvalLog(t)
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "temp", Operator: acme, Post: "Temp"}}})
	l.bind(&onusv1.KeyBinding{Reviewer: "temp"}, "temp")
	p := l.add(agent("planner"), proposes(g, buy("500")))
	free := l.add(agent("planner"), proposes(nil, buy("500")))
	for _, c := range []struct {
		name          string
		by            *onusv1.Author
		m             *onusv1.Record
		reason, field string
	}{
		{"no proposal", device("lead"), approves(g), authority.ReasonNotAProposal, "approval.proposal"},
		{"no proposal to deny", device("lead"), denies(g), authority.ReasonNotAProposal, "denial.proposal"},
		{"another user", device("other"), approves(p), authority.ReasonNotPermitted, "approval"},
		{"another user denies", device("other"), denies(p), authority.ReasonNotPermitted, "denial"},
		{"another user through the client", chat(), with(approves(p), forUser("other"), token("chat-web")), authority.ReasonNotPermitted, "approval"},
		{"a reviewer whom nobody names", &onusv1.Author{Reviewer: "temp"}, approves(p), authority.ReasonNotPermitted, "approval"},
		{"a proposal that asks nobody", device("lead"), approves(free), authority.ReasonNotPermitted, "approval"},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefusal(t, l.submit(l.sign(c.by, c.m), 0), c.reason, c.field) })
	}
	if err := l.submit(l.sign(chat(), with(approves(p), forUser("lead"), token("chat-web"))), 1); err != nil {
		t.Errorf("the user through the client: %v", err)
	}
	l.check()
}

// May says beforehand what Judge says afterwards.
func TestMay(t *testing.T) {
	l, g := approvalLog(t)
	for _, n := range []string{"50", "500", "5000"} {
		p := l.sign(agent("planner"), proposes(g, buy(n)))
		before := l.s.May(p, int64(len(l.entries)), l.now.UnixMilli())
		done := l.add(agent("planner"), does(g, buy(n)))
		if got, want := codes(before, nil), codes(l.findings(done), nil); len(got) != len(want) || texts(before) != texts(l.findings(done)) {
			t.Errorf("%s: beforehand %q, afterwards %q", n, got, want)
		}
	}
	l.check()
}
