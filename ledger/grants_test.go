package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// operatorKey is the key of the test operator; enrolOperator registers it.
func (h *harness) operatorKey() record.Signer { h.t.Helper(); return seededSigner(h.t, "operator") }

func (h *harness) enrolOperator() {
	h.t.Helper()
	h.must(h.register(keyReg(h.operatorKey(), "", "", testOperator)))
}

func orders(total string) []*onusv1.GrantElement {
	return []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}, MaxTotal: total, Unit: "EUR"}}
}

// own signs the operator's grant to the test agent.
func (h *harness) own(g *onusv1.Grant) *record.Record {
	h.t.Helper()
	m := h.step(nil)
	m.Author, m.Sequence, m.Previous = &onusv1.Author{Operator: testOperator}, 0, ""
	g.Agent = testAgent
	m.Body = &onusv1.Record_Delegation{Delegation: g}
	return h.sign(m, h.operatorKey())
}

// pass signs the agent's grant, under parent, to a class.
func (h *harness) pass(parent *record.Record, g *onusv1.Grant) *record.Record {
	h.t.Helper()
	return h.record(func(m *onusv1.Record) {
		m.Grant, m.Body = parent.ID.String(), &onusv1.Record_Delegation{Delegation: g}
	})
}

// order signs the agent's action of that amount under a grant.
func (h *harness) order(under *record.Record, amount string) *record.Record {
	h.t.Helper()
	return h.record(func(m *onusv1.Record) {
		m.Grant = under.ID.String()
		m.GetStages().Action.Element = &onusv1.ScopeElement{Type: "order", Action: "place", Amount: amount, Unit: "EUR"}
	})
}

// log submits records in one batch and returns their entries.
func (h *harness) log(rs ...*record.Record) []*Entry {
	h.t.Helper()
	subs := make([]Submission, len(rs))
	for i, r := range rs {
		subs[i].Envelope = r.Envelope
	}
	var out []*Entry
	for i, res := range h.ledger.SubmitBatch(context.Background(), subs) {
		h.must(res.Logged, res.Err)
		out = append(out, h.entryOf(rs[i]))
	}
	return out
}

// Actions draw on the limits of all grants on their path, in the order of the
// log, in one batch as in several, and each entry carries what was used up
// before it.
func TestUsesAreStamped(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	root := h.own(&onusv1.Grant{Scope: orders("100"), MaxDepth: 3})
	child := h.pass(root, &onusv1.Grant{Agent: testAgent, Scope: orders("50")})
	all := h.log(root, child, h.order(root, "10"), h.order(child, "20.5"))
	h.reopen()
	all = append(all, h.log(h.order(child, "1"), h.order(root, "7"))...)
	use := func(of *record.Record, previous int64, total string) entry.Use {
		return entry.Use{ID: of.ID, Previous: previous, Total: total}
	}
	at := func(i int) int64 { return all[i].Index }
	for i, want := range [][]entry.Use{
		nil, nil,
		{use(root, -1, "0")},
		{use(child, -1, "0"), use(root, at(2), "10")},
		{use(child, at(3), "20.5"), use(root, at(3), "30.5")},
		{use(root, at(4), "31.5")},
	} {
		got := all[i].Stamp.Uses
		for j := range got {
			got[j].Denial = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record %d: %s", i, diff)
		}
	}
	status := func(r *record.Record) *onusv1.GrantStatus {
		t.Helper()
		path, err := h.ledger.GrantPath(r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return path[0].Status
	}
	want := &onusv1.GrantStatus{Issuer: "operator " + testOperator, Basis: "own", Uses: []*onusv1.LimitUse{{Total: "38.5", Unit: "EUR", Last: at(5)}}}
	if diff := cmp.Diff(want, status(root), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	fs, err := h.ledger.Findings(all)
	if err != nil {
		t.Fatal(err)
	}
	if len(fs) != len(all) {
		t.Fatalf("findings of %d entries, want of %d", len(fs), len(all))
	}
	for _, f := range fs[5] {
		if f.Code == authority.LimitExceeded {
			t.Errorf("within the limit: %v", f)
		}
	}
	over := h.log(h.order(child, "40"))
	if fs, err = h.ledger.Findings(over); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(fs[0]), authority.LimitExceeded) {
		t.Errorf("beyond the limit: %v", fs[0])
	}
	h.checkLog()
	h.checkRows()
}

// What would have effect without a right to it is refused, also where the
// right would come later in the same batch.
func TestAuthorityRefuses(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	other := newSigner(t)
	h.must(h.register(operatorReg("it/other")))
	h.must(h.register(keyReg(other, "", "", "it/other")))
	root := h.own(&onusv1.Grant{Scope: orders("100")})
	revoke := func(id record.ID, s record.Signer, by *onusv1.Author) *record.Record {
		return h.revocationOf(&onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: id.String()}}, s, by)
	}
	operator, stranger := &onusv1.Author{Operator: testOperator}, &onusv1.Author{Operator: "it/other"}
	size := h.ledger.Size()
	early, late := revoke(root.ID, h.operatorKey(), operator), revoke(root.ID, h.operatorKey(), operator)
	res := h.ledger.SubmitBatch(context.Background(), []Submission{
		{Envelope: early.Envelope}, {Envelope: root.Envelope},
		{Envelope: revoke(root.ID, other, stranger).Envelope}, {Envelope: late.Envelope}})
	wantReason(t, res[0].Err, authority.ReasonUnknownGrant)
	h.must(res[1].Logged, res[1].Err)
	wantReason(t, res[2].Err, authority.ReasonNotPermitted)
	at := h.must(res[3].Logged, res[3].Err).Receipt.Index
	if got := h.ledger.Size(); got != size+2 {
		t.Errorf("%d entries, want %d", got, size+2)
	}
	path, err := h.ledger.GrantPath(root.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r := path[0].Status.Revoked; r == nil || *r != at {
		t.Errorf("revoked at %v, want %d", r, at)
	}
	if _, err := h.ledger.GrantPath(record.ID{7}); !errors.Is(err, ErrNotFound) {
		t.Errorf("GrantPath of nothing: %v", err)
	}
	h.checkLog()
	h.checkRows()
}

// What a callee is told of a grant says that it ended, however it ended.
func TestStatusOfAnEndedGrant(t *testing.T) {
	status := func(t *testing.T, h *harness, g *record.Record) *onusv1.GrantStatus {
		t.Helper()
		p, err := h.ledger.GrantPath(g.ID)
		if err != nil {
			t.Fatal(err)
		}
		return p[0].Status
	}
	ended := func(t *testing.T, h *harness, g *record.Record, rev *onusv1.Revocation) {
		t.Helper()
		if r := status(t, h, g).Revoked; r != nil {
			t.Fatalf("revoked by entry %d, before it was", *r)
		}
		at := h.log(h.adminRevokes(rev))[0].Index
		h.log(h.adminRevokes(rev)) // the first counts
		if r := status(t, h, g).Revoked; r == nil || *r != at {
			t.Errorf("GetGrant says that it was revoked at %v, want %d", r, at)
		}
	}
	const child = "spiffe://example.com/child"
	byAgent := func(h *harness, root *record.Record) *record.Record {
		return h.pass(root, &onusv1.Grant{Agent: child, Scope: orders("50")})
	}
	for name, end := range map[string]*onusv1.Revocation{
		"its grantee was revoked":            {Target: &onusv1.Revocation_Agent{Agent: child}},
		"the agent that gave it was revoked": {Target: &onusv1.Revocation_Agent{Agent: testAgent}},
		"an instance that gave it was":       {Target: &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: testAgent, Instance: "pod-1"}}},
		"the key that signed it was":         {Target: &onusv1.Revocation_Key{Key: seededSigner(t, "agent").Public().ID()}},
		"its operator was revoked":           {Target: &onusv1.Revocation_Operator{Operator: testOperator}},
		"the key of the root was revoked":    {Target: &onusv1.Revocation_Key{Key: seededSigner(t, "operator").Public().ID()}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, nil, nil)
			h.enrolOperator()
			h.must(h.register(agentReg(child, testOperator)))
			root := h.own(&onusv1.Grant{Scope: orders("100"), MaxDepth: 1})
			g := byAgent(h, root)
			h.log(root, g)
			ended(t, h, g, end)
		})
	}
	t.Run("its grantee was revoked, of a root", func(t *testing.T) {
		h := newHarness(t, nil, nil)
		h.enrolOperator()
		g := h.own(&onusv1.Grant{Scope: orders("100")})
		h.log(g)
		ended(t, h, g, &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: testAgent}})
	})
	t.Run("the user ended the session", func(t *testing.T) {
		h, is := newUserHarness(t, nil)
		token := is.token(obj{"authorization_details": []obj{{"type": "order", "actions": []string{"place"}}}})
		viaChat := is.token(obj{"aud": chatClient, "azp": chatClient})
		give := func(by record.Signer, a *onusv1.Author, token string, ends bool) *record.Record {
			m := h.step(func(m *onusv1.Record) {
				h.describe(m, token)
				m.Author = a
				m.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: testAgent, EndsWithSession: ends,
					Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}}}}}
			})
			g := h.sign(m, by)
			h.must(h.ledger.Submit(context.Background(), Submission{Envelope: g.Envelope, UserToken: token}))
			return g
		}
		chat := func() *onusv1.Author { return &onusv1.Author{Client: "chat"} }
		brief, long := give(h.chat(), chat(), viaChat, true), give(h.chat(), chat(), viaChat, false)
		noted := give(h.agent, h.step(nil).Author, token, true)
		if got, want := status(t, h, noted).GetEnds(), noted.Msg.GetToken().GetExpires(); got.GetSeconds() != want.GetSeconds() {
			t.Errorf("what an agent wrote down from a token ends at %v, want %v, with the token", got, want)
		}
		ended(t, h, brief, &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: brief.Msg.GetSession()}})
		if r := status(t, h, noted).Revoked; r == nil {
			t.Error("what an agent wrote down from a token of the session is in force")
		}
		if st := status(t, h, long); st.Revoked != nil || st.Ends != nil {
			t.Errorf("what the user gave beyond the session: %v", st)
		}
	})
	t.Run("it ends with the grants above it", func(t *testing.T) {
		h := newHarness(t, nil, nil)
		h.enrolOperator()
		h.must(h.register(agentReg(child, testOperator)))
		at := func(hours int) *timestamppb.Timestamp {
			return timestamppb.New(time.Now().Add(time.Duration(hours) * time.Hour).Truncate(time.Second))
		}
		open := h.own(&onusv1.Grant{Scope: orders("100"), MaxDepth: 2})
		soon := h.own(&onusv1.Grant{Scope: orders("100"), MaxDepth: 2, Expires: at(1)})
		late := h.pass(soon, &onusv1.Grant{Agent: child, Scope: orders("50"), Expires: at(9)})
		none := h.pass(soon, &onusv1.Grant{Agent: child, Scope: orders("50")})
		h.log(open, soon, late, none)
		for name, c := range map[string]struct {
			of   *record.Record
			want *timestamppb.Timestamp
		}{"no end": {open, nil}, "its own": {soon, soon.Msg.GetDelegation().GetExpires()}, "that above it": {late, soon.Msg.GetDelegation().GetExpires()}, "none of its own": {none, soon.Msg.GetDelegation().GetExpires()}} {
			if got := status(t, h, c.of).GetEnds(); got.GetSeconds() != c.want.GetSeconds() || (got == nil) != (c.want == nil) {
				t.Errorf("%s: ends at %v, want %v", name, got, c.want)
			}
		}
	})
}
