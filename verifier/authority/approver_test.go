package authority_test

import (
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// "The user" who approves is not whomever the agent names: on an operator's
// authority it is a user who asked for the work. Whether one did is for whoever
// sees the chain to say; here nobody did where nothing stands above the action.
func TestAgentPicksItsApprover(t *testing.T) {
	l := newLog(t, func(p *onusv1.Policy) {
		p.Approvals = []*onusv1.ApprovalRule{{Operations: []string{"order:create"}, Assurance: 3}, {Operations: []string{"refund:create"}, Approvers: []string{"boss"}}}
	})
	g := l.add(operator(acme), gives(grantTo("planner", open(el("order", "create")), open(el("refund", "create")))))
	p := l.add(agent("planner"), proposes(g, buy("5"), forUser("other")))
	ok := l.add(device("other"), approves(p))
	l.want(l.add(agent("planner"), does(g, buy("5"), approvedBy(ok), forUser("other"), own)), nil, "APPROVAL_MISSING", "OWN_AUTHORITY_USED")
	r := l.add(agent("planner"), does(g, buy("5"), approvedBy(l.add(device("other"), approves(p))), forUser("other"), own, func(m *onusv1.Record) { m.Parent = p.ID.String() }))
	l.want(r, nil, "OWN_AUTHORITY_USED")
	// Where a user gave the authority, it is that user and nobody else.
	users := l.add(device("lead"), gives(grantTo("planner", open(el("order", "create")))))
	under := l.add(agent("planner"), proposes(users, buy("5"), forUser("other")))
	ok = l.add(device("other"), approves(under))
	l.want(l.add(agent("planner"), does(users, buy("5"), approvedBy(ok), forUser("other"), func(m *onusv1.Record) { m.Parent = p.ID.String() })), nil, "APPROVAL_MISSING", "PRINCIPAL_CHANGED")
	index := int64(len(l.entries))
	for _, c := range []struct {
		name string
		m    *onusv1.Record
		want bool
	}{
		{"on an operator's authority", does(g, buy("5")), true},
		{"without a grant", does(nil, buy("5")), true},
		{"on a user's", does(users, buy("5")), false},
		{"where reviewers are named", does(g, el("refund", "create", amount("5", "EUR"))), false},
		{"no action", proposes(g, buy("5")), false},
	} {
		if got := l.s.NeedsUser(l.sign(agent("planner"), c.m), index); got != c.want {
			t.Errorf("%s: the user of the chain is needed: %t, want %t", c.name, got, c.want)
		}
	}
	l.check()
}

// Whoever passes a grant on, or writes down a user's token, does not name who
// may overrule its user; what it asks for besides has to be there.
func TestAgentNamesTheReviewer(t *testing.T) {
	byBoss := func(g *onusv1.Grant) *onusv1.Grant {
		g.Approvals = []*onusv1.ApprovalRule{{Operations: []string{"*"}, Approvers: []string{"boss"}}}
		return g
	}
	order := func(name string) *onusv1.Grant { return grantTo(name, open(el("order", "create"))) }
	passed := func(by *onusv1.Author, root *onusv1.Grant) func(l *testLog) *record.Record {
		return func(l *testLog) *record.Record {
			return l.add(agent("planner"), passes(l.add(by, gives(depth(root, 1))), byBoss(order("clerk"))))
		}
	}
	for _, c := range []struct {
		name string
		give func(l *testLog) *record.Record
		ok   bool
		want []string // of another order, which nobody approved
	}{
		{"the agent that passes it on", passed(device("lead"), order("planner")), false, []string{"APPROVAL_MISSING"}},
		{"the agent that writes down a token", func(l *testLog) *record.Record {
			return l.addWith(agent("clerk"), with(gives(byBoss(order("clerk"))), forUser("lead"), token("clerk")), 2)
		}, false, []string{"APPROVAL_MISSING"}},
		{"a client, for a user whose token was not checked", func(l *testLog) *record.Record {
			return l.add(chat(), with(gives(byBoss(order("clerk"))), forUser("lead"), token("chat-web")))
		}, false, []string{"APPROVAL_MISSING", "GRANT_NOT_BOUND_TO_USER"}},
		{"the agent that proposes under a grant it does not hold", func(l *testLog) *record.Record {
			l.add(device("lead"), gives(order("clerk")))
			return l.add(operator(globex), gives(byBoss(order("courier"))))
		}, false, []string{"GRANT_MISSING"}},
		{"the agent that proposes under a grant made up below one it does not hold", func(l *testLog) *record.Record {
			return l.add(agent("planner"), passes(l.add(operator(globex), gives(depth(byBoss(order("courier")), 1))), order("clerk")))
		}, false, []string{"APPROVAL_MISSING", "GRANT_ISSUER_LACKS_AUTHORITY", "OWN_AUTHORITY_USED"}},
		{"the user", passed(device("lead"), byBoss(order("planner"))), true, []string{"APPROVAL_MISSING"}},
		{"the operator", passed(operator(acme), byBoss(order("planner"))), true, []string{"APPROVAL_MISSING", "OWN_AUTHORITY_USED"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t, nil)
			g := c.give(l)
			p := l.add(agent("clerk"), proposes(g, buy("5"), forUser("lead")))
			l.add(device("lead"), denies(p))
			yes := l.sign(boss(), approves(p))
			err := l.submit(yes, 0)
			if c.ok != (err == nil) {
				t.Fatalf("the reviewer's answer: %v", err)
			}
			if err != nil {
				wantRefusal(t, err, authority.ReasonNotPermitted, "approval")
			}
			fs := l.findings(l.add(agent("clerk"), does(g, buy("5"), forUser("lead"), approvedBy(yes))))
			if forbidden(fs) == c.ok {
				t.Errorf("the user said no, and the reviewer yes:\n%s", texts(fs))
			}
			l.want(l.add(agent("clerk"), does(g, el("order", "create", amount("6", "EUR")), forUser("lead"))), nil, c.want...)
			l.check()
		})
	}
}

// An approval that its signer's revocation makes suspect lets nothing that is
// done after it; without a suspicion it stays valid, as does what was done
// before.
func TestApprovalOfARevokedKey(t *testing.T) {
	gr := grantTo("planner", may(el("order", "create"), "", "10"))
	gr.Approvals = []*onusv1.ApprovalRule{{Operations: []string{"order:create"}, Approvers: []string{"boss"}}}
	theUser := grantTo("planner", may(el("order", "create"), "", "10"))
	for _, c := range []struct {
		name     string
		grant    *onusv1.Grant
		by       *onusv1.Author
		key      string
		since    time.Duration // before the approval; 0: no suspicion
		denied   bool          // before the approval
		naming   bool          // the action names the approval
		want     []string
		wantLate string // in the text
	}{
		{"a reviewer's, suspected before", gr, boss(), "boss", time.Hour, false, true, []string{"APPROVAL_MISSING"}, "suspected since 2026-03-01 07:00:00 UTC"},
		{"a reviewer's, suspected later", gr, boss(), "boss", -time.Minute, false, true, nil, ""},
		{"a reviewer's, not suspected", gr, boss(), "boss", 0, false, true, nil, ""},
		{"through a client, suspected before", theUser, chat(), "chat", time.Hour, false, true, []string{"LIMIT_EXCEEDED"}, ""},
		{"through a client, not suspected", theUser, chat(), "chat", 0, false, true, nil, ""},
		{"a suspect one does not lift a denial", theUser, chat(), "chat", time.Hour, true, true, []string{"DENIED_BUT_DONE", "LIMIT_EXCEEDED"}, ""},
		{"nor where it is not named", theUser, chat(), "chat", time.Hour, true, false, []string{"DENIED_BUT_DONE", "LIMIT_EXCEEDED"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t, nil)
			issuer := operator(acme)
			if c.by.GetClient() != "" {
				issuer = device("lead")
			}
			g := l.add(issuer, gives(proto.CloneOf(c.grant)))
			n := "500"
			if c.by.GetReviewer() != "" {
				n = "5"
			}
			p := l.add(agent("planner"), proposes(g, buy(n)))
			if c.denied {
				l.add(device("lead"), denies(p))
			}
			yes, assurance := approves(p), uint8(0)
			if c.by.GetClient() != "" {
				yes, assurance = with(yes, forUser("lead"), token("chat-web")), 1
			}
			ok := l.addWith(c.by, yes, assurance)
			rev := &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, c.key).Public().ID()}}
			if c.since != 0 {
				rev.SuspectedSince = timestamppb.New(l.now.Add(-c.since))
				if c.since < 0 {
					l.now = l.now.Add(time.Hour)
				}
			}
			l.add(admin(), revokes(rev))
			edit := []func(*onusv1.Record){}
			if c.naming {
				edit = append(edit, approvedBy(ok))
			}
			r := l.add(agent("planner"), does(g, buy(n), edit...))
			l.want(r, nil, c.want...)
			if !strings.Contains(texts(l.findings(r)), c.wantLate) {
				t.Errorf("the finding does not say %q:\n%s", c.wantLate, texts(l.findings(r)))
			}
			l.check()
		})
	}
}
