package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// recount folds a bundle's entries as a reader does, and returns what it gives
// for the uses of a record, and what is to be said of it.
func recount(t *testing.T, res *evidence.Result, of *record.Record) ([]entry.Use, []authority.Finding) {
	t.Helper()
	s := authority.New(res.Registry.History(), authority.NewMemory())
	for i := range res.Leaves {
		c := &res.Leaves[i]
		if c.Withheld {
			continue
		}
		if c.ID == of.ID {
			return s.Uses(c.Record, c.Index, c.Entry.Stamp.LogTime), s.Judge(c.Record, c.Index, &c.Entry.Stamp)
		}
		s.Add(c.Record, c.Index, &c.Entry.Stamp)
	}
	t.Fatalf("%s is not in the bundle", of.ID)
	return nil, nil
}

// The uses before an action come with all by which they count, so that the
// totals in its stamp can be added up from the bundle alone.
func TestBundleHoldsTheUsesOfLimits(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	root := h.own(&onusv1.Grant{Scope: orders("100"), MaxDepth: 3})
	apart := h.own(&onusv1.Grant{Scope: orders("100")})
	child := h.pass(root, &onusv1.Grant{Agent: testAgent, Scope: orders("50")})
	sibling := h.pass(root, &onusv1.Grant{Agent: testAgent, Scope: orders("90")})
	first := h.order(root, "10")
	second := h.order(sibling, "20.5")
	failed := h.order(sibling, "30")
	ended := h.record(func(m *onusv1.Record) {
		m.Parent = failed.ID.String()
		m.Body = &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED}}
	})
	other := h.order(apart, "1") // of a limit that nothing here draws on
	before := h.record(nil)
	asked := h.order(child, "40")
	after := h.order(root, "60")
	h.log(root, apart, child, sibling, first, second, failed, ended, other, before, asked, after)

	_, res := h.bundle(Ask{IDs: idsOf(asked)})
	wantBeside(t, "what the order rests on", res, root, child, sibling, first, second, failed, ended, before, asked)
	e := h.entryOf(asked)
	uses, _ := recount(t, res, asked)
	if diff := cmp.Diff(e.Stamp.Uses, uses, cmp.Transformer("denial", func(u entry.Use) entry.Use { u.Denial = -1; return u }), cmp.Comparer(func(a, b record.ID) bool { return a == b })); diff != "" {
		t.Errorf("the uses, added up from the bundle: %s", diff)
	}
	if len(e.Stamp.Uses) != 2 || e.Stamp.Uses[1].Total != "30.5" {
		t.Errorf("the stamp has %v, want a total of 30.5 under the root", e.Stamp.Uses)
	}

	// What one limit says of the last order, the bundle shows too.
	_, res = h.bundle(Ask{IDs: idsOf(after)})
	_, found := recount(t, res, after)
	want, err := h.ledger.Findings([]*Entry{h.entryOf(after)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[0], found); diff != "" || !slices.ContainsFunc(found, func(f authority.Finding) bool { return f.Code == authority.LimitExceeded && f.Sum == "130.5 EUR" }) {
		t.Errorf("found %v: %s", found, diff)
	}

	// A long way back is cut, and the maker says so.
	_, res = h.bundle(Ask{IDs: idsOf(after), bounds: bundleBounds{uses: 2}})
	if !strings.HasSuffix(res.Scope.Claim, "; of the uses of limits and approvals before theirs only 2 are here") {
		t.Errorf("the claim is %q", res.Scope.Claim)
	}
	// Where the reader may not see a use, the way back ends there.
	_, res = h.bundle(Ask{IDs: idsOf(asked), Reader: Reader{Sees: func(e *Entry) bool { return e.Record.ID != second.ID }}})
	if got := beside(res); slices.Contains(got, first.ID.String()) || !slices.Contains(got, "-"+second.ID.String()) || !slices.Contains(got, failed.ID.String()) {
		t.Errorf("with a use that is withheld: %v", got)
	}
	h.checkLog()
}

// reviewer registers a person, whose key says yes and no.
func (h *harness) reviewer() record.Signer {
	h.t.Helper()
	s := seededSigner(h.t, "reviewer")
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "controller", Operator: testOperator, Post: "Controller"}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: s.Public().SPKI(), Reviewer: "controller"}}}))
	return s
}

// What a person answered comes with a bundle, wherever it stands in the log:
// also the denial of the same thing in another chain, which an action does not
// name.
func TestBundleHoldsAnswers(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	reviewer := h.reviewer()
	root := h.own(&onusv1.Grant{Scope: orders("100"), Approvals: []*onusv1.ApprovalRule{{Operations: []string{"order:place"}, Above: "5", Unit: "EUR", Approvers: []string{"controller"}}}})
	element := &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "10", Unit: "EUR"}
	propose := func() *record.Record {
		return h.record(func(m *onusv1.Record) {
			m.Grant = root.ID.String()
			m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Decision: &onusv1.Decision{Proposal: element}}}
		})
	}
	answer := func(p *record.Record, yes, linked bool) *record.Record {
		m := h.step(nil)
		m.Author, m.Sequence, m.Previous = &onusv1.Author{Reviewer: "controller"}, 0, ""
		if linked {
			m.Parent = p.ID.String()
		}
		m.Body = &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: p.ID.String()}}
		if yes {
			m.Body = &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: p.ID.String()}}
		}
		return h.sign(m, reviewer)
	}
	act := func(named *record.Record) *record.Record {
		return h.record(func(m *onusv1.Record) {
			m.Grant = root.ID.String()
			m.GetStages().Action.Element = element
			if named != nil {
				m.GetStages().Action.Approval = named.ID.String()
			}
		})
	}
	h.log(root)
	p1, between := propose(), h.record(nil)
	yes := answer(p1, true, false)
	done := act(yes)
	again := act(yes)
	p2 := propose()
	no := answer(p2, false, false) // it names the proposal alone
	gap := h.record(nil)
	wrong := act(nil)
	h.log(p1, between, yes, done, again, p2, no, gap, wrong)
	late := answer(p2, true, true)
	other := &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "11", Unit: "EUR"}
	element = other
	p3 := propose()
	first, then := answer(p3, false, false), answer(p3, true, false)
	after := act(then)
	h.log(late, p3, first, then, after)

	for name, c := range map[string]struct {
		of   *record.Record
		want []*record.Record
		code string
	}{
		"approved":       {done, []*record.Record{root, p1, between, yes, done}, ""},
		"approved once":  {again, []*record.Record{root, p1, yes, done, again}, authority.ApprovalReused},
		"denied":         {wrong, []*record.Record{root, done, again, p2, no, gap, wrong, late}, authority.DeniedButDone},
		"after a denial": {after, []*record.Record{root, done, again, wrong, p3, first, then, after}, ""},
		"a denial alone": {no, []*record.Record{root, p2, no, late}, ""},
	} {
		_, res := h.bundle(Ask{IDs: idsOf(c.of)})
		wantBeside(t, name, res, c.want...)
		if strings.Contains(res.Scope.Claim, "not here") {
			t.Errorf("%s: %s", name, res.Scope.Claim)
		}
		_, found := recount(t, res, c.of)
		want, err := h.ledger.Findings([]*Entry{h.entryOf(c.of)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[0], found); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if res.RegistryProven > h.entryOf(after).Index {
			t.Errorf("%s: the registry goes on to entry %d", name, res.RegistryProven)
		}
		if c.code != "" && !slices.ContainsFunc(found, func(f authority.Finding) bool { return f.Code == c.code }) {
			t.Errorf("%s: found %v, want %s", name, found, c.code)
		}
	}
	// Who answered was revoked later: the registry goes to there.
	at := h.log(h.revocationOf(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: reviewer.Public().ID()}}, h.admin, &onusv1.Author{Administrator: "root"}))[0].Index
	_, res := h.bundle(Ask{IDs: idsOf(done)})
	if res.RegistryProven != at {
		t.Errorf("the reviewer's key was revoked by entry %d, and the registry is proven before %d", at, res.RegistryProven)
	}
}

// An answer that nothing leads to is not found. The maker then says of which
// entry the log knows more.
func TestBundleSaysWhatIsLeftOut(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	reviewer := h.reviewer()
	root := h.own(&onusv1.Grant{Scope: orders("100"), Approvals: []*onusv1.ApprovalRule{{Operations: []string{"order:cancel"}, Approvers: []string{"controller"}}}})
	h.log(root)
	propose := func(m *onusv1.Record) {
		m.Grant = root.ID.String()
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Decision: &onusv1.Decision{Proposal: orders("")[0].GetElement()}}}
	}
	answer := func(m *onusv1.Record) *record.Record {
		m.Author, m.Sequence, m.Previous = &onusv1.Author{Reviewer: "controller"}, 0, ""
		return h.sign(m, reviewer)
	}
	denied := h.record(propose)
	m := h.step(under(denied))
	m.Body = &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: denied.ID.String()}}
	no := answer(m)
	gap, approved := h.record(nil), h.record(propose)
	m = h.step(nil)
	m.Body = &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: approved.ID.String()}}
	yes := answer(m)
	gaps := h.record(nil)
	done := h.record(func(m *onusv1.Record) {
		under(denied)(m)
		m.Grant = root.ID.String()
		m.GetStages().Action.Element = orders("")[0].GetElement()
	})
	h.log(denied, no, gap, approved, yes, gaps, done)
	_, res := h.bundle(Ask{IDs: idsOf(done)})
	wantBeside(t, "beside", res, root, denied, no, gaps, done)
	if want := fmt.Sprintf("; what the log says of the authority of entry %d rests on entries that are not here", h.entryOf(done).Index); !strings.HasSuffix(res.Scope.Claim, want) {
		t.Errorf("the claim is %q", res.Scope.Claim)
	}
}

// A revocation of what a chain rests on takes the registry to it, also where it
// came after all else, so that a suspicion is not kept from the reader.
func TestBundleHoldsLaterRevocations(t *testing.T) {
	h, is := newUserHarness(t, nil)
	h.enrolOperator()
	const helper, stranger = "spiffe://example.com/helper", "spiffe://example.com/stranger"
	for _, id := range []string{helper, stranger} {
		h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: id, Operator: testOperator, DisplayName: "Another"}}}))
	}
	asked, sub := h.intent(is.token(nil), nil)
	h.must(h.ledger.Submit(t.Context(), sub))
	gap := h.record(nil)
	root := h.own(&onusv1.Grant{Scope: orders("100"), MaxDepth: 2})
	// A grant to another: its chain rests on both parties.
	passed := h.pass(root, &onusv1.Grant{Agent: helper, Scope: orders("1")})
	h.log(gap, root, passed)
	below := h.record(func(m *onusv1.Record) { m.Grant = passed.ID.String() })
	h.log(below)
	byRoot := func(m *onusv1.Revocation) *record.Record {
		return h.revocationOf(m, h.admin, &onusv1.Author{Administrator: "root"})
	}
	session := &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: asked.Msg.GetSession()}}
	h.end(asked)
	h.end(below)
	for _, c := range []struct {
		name string
		of   *record.Record
		rev  *onusv1.Revocation
		want bool
	}{
		{"another agent", below, &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: stranger}}, false},
		{"a session of others", below, session, false},
		{"the session", asked, session, true},
		{"the grant above", below, &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: root.ID.String()}}, true},
		{"who was given it", below, &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: helper}}, true},
		{"who gave it", below, &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: h.operatorKey().Public().ID()}}, true},
		{"the author", asked, &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: testAgent}}, true},
	} {
		at := int64(-1)
		if c.name != "the session" { // it is revoked already
			at = h.log(byRoot(c.rev))[0].Index
		}
		b, res := h.bundle(Ask{IDs: idsOf(c.of)})
		last := b.Leaves[len(b.Leaves)-1]
		if at < 0 {
			if e := h.entryOf(c.of); last.Index <= e.Index || res.Leaves[len(res.Leaves)-1].Record.Msg.GetRevocation().GetSession() == "" {
				t.Errorf("%s: the last entry is %d", c.name, last.Index)
			}
		} else if (last.Index == at) != c.want {
			t.Errorf("%s was revoked by entry %d, and the last entry is %d", c.name, at, last.Index)
		}
		if _, proven := h.ledger.Registry().Stamp(last.Index); res.Registry.Root(res.Registry.Count()) == proven && last.Registry {
			t.Errorf("%s: the registry does not hold entry %d", c.name, last.Index)
		}
	}
}
