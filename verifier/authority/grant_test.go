package authority_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A user's grant is the user's only if more than an agent's word shows it.
func TestWhoseWord(t *testing.T) {
	read := func() *onusv1.Grant { return grantTo("planner", open(el("file", "read"))) }
	for _, c := range []struct {
		name      string
		by        *onusv1.Author
		m         *onusv1.Record
		assurance uint8
		want      int // assurance of the grant
		bound     bool
	}{
		{"the user's own key", device("lead"), gives(read()), 0, 3, true},
		{"the client, with its token", chat(), with(gives(read()), forUser("lead"), token("chat-web")), 1, 1, true},
		{"the client, with a token that holds it", chat(), with(gives(read()), forUser("lead"), token("other")), 2, 2, true},
		{"the client, with another client's token", chat(), with(gives(read()), forUser("lead"), token("other")), 1, 1, false},
		{"the client, with a token that was not checked", chat(), with(gives(read()), forUser("lead"), token("chat-web")), 0, 0, false},
		{"the agent, with a token that holds it", agent("planner"), with(gives(read()), forUser("lead"), token("planner")), 2, 2, true},
		{"the agent, with a token that holds nothing", agent("planner"), with(gives(read()), forUser("lead"), token("planner")), 1, 1, false},
		{"the agent's word", agent("planner"), with(gives(read()), forUser("lead")), 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t, nil)
			g := l.addWith(c.by, c.m, c.assurance)
			a := l.add(agent("planner"), does(g, el("file", "read"), forUser("lead")))
			var want []string
			if !c.bound {
				want = []string{"GRANT_NOT_BOUND_TO_USER"}
			}
			l.want(g, nil, want...)
			l.want(a, nil, want...)
			got, _ := l.s.Grant(g.ID, int64(len(l.entries)))
			if got.Word.Assurance != c.want || got.Word.Counts != c.bound || got.Word.User != user("lead") || got.Basis() != onusv1.Basis_BASIS_DELEGATED {
				t.Errorf("word is %+v, basis %v; want assurance %d, counts %v", got.Word, got.Basis(), c.want, c.bound)
			}
			l.check()
		})
	}
	t.Run("a client whose OAuth client is the agent's now", func(t *testing.T) {
		l := newLog(t, nil)
		l.register(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
			Id: "chat", Operator: acme, DisplayName: "Chat", OauthClient: &onusv1.OAuthClient{Issuer: issuer, Id: "new"}}}})
		l.agent("planner", acme, func(a *onusv1.AgentClass) {
			a.OauthClients = []*onusv1.OAuthClient{{Issuer: issuer, Id: "chat-web"}}
		})
		g := l.addWith(chat(), with(gives(read()), forUser("lead"), token("chat-web")), 1)
		l.want(g, nil, "GRANT_NOT_BOUND_TO_USER")
	})
}

// A grant that an agent wrote down from a token ends with the token.
func TestTokenEndsTheGrant(t *testing.T) {
	l := newLog(t, nil)
	g := l.addWith(agent("planner"), with(gives(grantTo("planner", open(el("file", "read")))), forUser("lead"), token("planner")), 2)
	l.want(l.add(agent("planner"), does(g, el("file", "read"))), nil)
	l.now = start.Add(time.Hour) // the token's end
	l.want(l.add(agent("planner"), does(g, el("file", "read"))), nil, "GRANT_EXPIRED")
	l.check()
}

func TestWhoHoldsAGrant(t *testing.T) {
	l := newLog(t, nil)
	read := el("file", "read")
	g := l.add(operator(acme), gives(depth(grantTo("planner", open(read)), 1)))
	one := grantTo("planner", open(read))
	one.Instance = "planner-1"
	g1 := l.add(operator(acme), gives(one))
	names := map[record.ID]string{g.ID: "G", g1.ID: "G1"}

	l.want(l.add(agentAs("planner", "planner-9", acme), does(g, read)), names)
	l.want(l.add(agent("planner"), does(g1, read)), names)
	l.want(l.add(agentAs("planner", "planner-9", acme), does(g1, read)), names, "GRANT_MISSING G1")
	l.want(l.add(agent("clerk"), does(g, read)), names, "GRANT_MISSING G")
	l.want(l.add(agent("clerk"), does(nil, read)), names, "GRANT_MISSING")
	l.want(l.add(agent("clerk"), with(does(nil, read), func(m *onusv1.Record) { m.Parent = g.ID.String() })), names) // what was asked for is not seen here
	later := l.sign(operator(acme), gives(grantTo("clerk", open(read))))
	names[later.ID] = "later"
	l.want(l.add(agent("clerk"), does(later, read)), names, "GRANT_MISSING") // before its own index it does not count
	if err := l.submit(later, 0); err != nil {
		t.Fatal(err)
	}
	l.want(l.add(agent("clerk"), does(later, read)), names)

	// Grants by those who do not hold the parent, to oneself, and too deep.
	stolen := l.add(agent("clerk"), passes(g, grantTo("analyst", open(read))))
	self := l.add(agent("planner"), passes(g, grantTo("planner", open(read))))
	child := l.add(agent("planner"), passes(g, grantTo("clerk", open(read))))
	deep := l.add(agent("clerk"), passes(child, grantTo("analyst", open(read))))
	for id, n := range map[record.ID]string{stolen.ID: "stolen", self.ID: "self", child.ID: "child", deep.ID: "deep"} {
		names[id] = n
	}
	l.want(stolen, names, "GRANT_ISSUER_LACKS_AUTHORITY stolen")
	l.want(self, names, "SELF_GRANTED self")
	l.want(child, names)
	l.want(deep, names, "DEPTH_EXCEEDED")
	l.want(l.add(agent("analyst"), does(stolen, read)), names, "GRANT_ISSUER_LACKS_AUTHORITY stolen")
	l.want(l.add(agent("planner"), does(self, read)), names, "SELF_GRANTED self")
	l.want(l.add(agent("clerk"), does(child, read)), names)
	l.want(l.add(agent("analyst"), does(deep, read)), names, "DEPTH_EXCEEDED deep")

	// A parent that is not there, or comes later.
	late := l.sign(operator(acme), gives(depth(grantTo("clerk", open(read)), 1)))
	orphan := l.add(agent("clerk"), passes(late, grantTo("analyst", open(read))))
	names[orphan.ID] = "orphan"
	l.want(orphan, names, "GRANT_MISSING")
	l.want(l.add(agent("analyst"), does(orphan, read)), names, "GRANT_MISSING orphan")
	if err := l.submit(late, 0); err != nil {
		t.Fatal(err)
	}
	l.want(l.add(agent("analyst"), does(orphan, read)), names, "GRANT_MISSING orphan")
	l.check()
}

// A grant that lets more follow than it has is to blame for what follows.
func TestDepthThatWasNotThere(t *testing.T) {
	l := newLog(t, nil)
	read := el("file", "read")
	g1 := l.add(operator(acme), gives(depth(grantTo("planner", open(read)), 1)))
	g2 := l.add(agent("planner"), passes(g1, depth(grantTo("clerk", open(read)), 5)))
	g3 := l.add(agent("clerk"), passes(g2, grantTo("analyst", open(read))))
	names := map[record.ID]string{g1.ID: "G1", g2.ID: "G2", g3.ID: "G3"}
	l.want(g2, names, "DEPTH_EXCEEDED")
	l.want(l.add(agent("clerk"), does(g2, read)), names)
	l.want(l.add(agent("analyst"), does(g3, read)), names, "DEPTH_EXCEEDED G2")
	// Where nobody gave more than they had, it is the one that stands there.
	h1 := l.add(operator(acme), gives(depth(grantTo("planner", open(read)), 5)))
	h2 := l.add(agent("planner"), passes(h1, depth(grantTo("clerk", open(read)), 0)))
	h3 := l.add(agent("clerk"), passes(h2, grantTo("analyst", open(read))))
	names[h3.ID] = "H3"
	l.want(h2, names)
	l.want(h3, names, "DEPTH_EXCEEDED")
	l.want(l.add(agent("analyst"), does(h3, read)), names, "DEPTH_EXCEEDED H3")
	l.check()
}

func TestTimes(t *testing.T) {
	l := newLog(t, nil)
	read := el("file", "read")
	day := 24 * time.Hour
	g1 := grantTo("planner", open(read))
	g1.NotBefore = timestamppb.New(start.Add(day))
	p := l.add(operator(acme), gives(until(depth(g1, 2), start.Add(10*day))))
	inherits := l.add(agent("planner"), passes(p, grantTo("clerk", open(read))))
	longer := l.add(agent("planner"), passes(p, until(grantTo("clerk", open(read)), start.Add(20*day))))
	g2 := grantTo("clerk", open(read))
	g2.NotBefore = timestamppb.New(start)
	sooner := l.add(agent("planner"), passes(p, g2))
	names := map[record.ID]string{p.ID: "P", longer.ID: "L", sooner.ID: "S"}
	// The parent had not begun when these were given.
	l.want(inherits, names, "GRANT_NOT_YET_VALID P")
	l.want(longer, names, "GRANT_NOT_YET_VALID P", "EXPIRY_WIDENED")
	l.want(sooner, names, "GRANT_NOT_YET_VALID P", "EXPIRY_WIDENED")
	l.want(l.add(agent("clerk"), does(inherits, read)), names, "GRANT_NOT_YET_VALID P")
	l.want(l.add(agent("clerk"), does(sooner, read)), names, "GRANT_NOT_YET_VALID P", "EXPIRY_WIDENED S")
	l.now = start.Add(day) // from this on
	for _, g := range []*record.Record{inherits, longer, sooner} {
		l.want(l.add(agent("clerk"), does(g, read)), names)
	}
	l.now = start.Add(10 * day) // not until this
	l.want(l.add(agent("clerk"), does(inherits, read)), names, "GRANT_EXPIRED P")
	l.want(l.add(agent("clerk"), does(longer, read)), names, "GRANT_EXPIRED P", "EXPIRY_WIDENED L")
	l.now = start.Add(20 * day)
	l.want(l.add(agent("clerk"), does(longer, read)), names, "GRANT_EXPIRED L")
	l.check()
}

func TestScopes(t *testing.T) {
	l := newLog(t, nil)
	shop := at("https://erp.example.com/orders")
	g := l.add(operator(acme), gives(depth(grantTo("planner", may(el("order", "create", shop), "100", ""), open(el("order", "read", shop))), 3)))
	// What the parent leaves out is the grandparent's, and going beyond that is
	// the grandchild's own doing.
	child := l.add(agent("planner"), passes(g, depth(grantTo("clerk", open(el("order", "create"))), 2)))
	grandchild := l.add(agent("clerk"), passes(child, grantTo("analyst", open(el("order", "create", at("https://other.example.com"))))))
	names := map[record.ID]string{g.ID: "G", child.ID: "C", grandchild.ID: "GC"}
	l.want(child, names)
	l.want(grandchild, names, "SCOPE_WIDENED")
	one := func(n string, edit ...func(*onusv1.ScopeElement)) *onusv1.ScopeElement {
		return el("order", "create", append(edit, amount(n, "EUR"))...)
	}
	l.want(l.add(agent("planner"), does(g, one("100", shop))), names)
	l.want(l.add(agent("planner"), does(g, one("101", shop))), names, "LIMIT_EXCEEDED G")
	l.want(l.add(agent("planner"), does(g, one("100"))), names, "SCOPE_UNCOMPARABLE G")
	l.want(l.add(agent("planner"), does(g, el("order", "create", shop))), names, "SCOPE_UNCOMPARABLE G")
	l.want(l.add(agent("planner"), does(g, el("order", "create", shop, amount("1", "USD")))), names, "SCOPE_UNCOMPARABLE G")
	l.want(l.add(agent("planner"), does(g, el("order", "delete", shop))), names, "OUTSIDE_DELEGATED_SCOPE G")
	l.want(l.add(agent("clerk"), does(child, one("100", shop))), names)
	l.want(l.add(agent("clerk"), does(child, one("100", at("https://other.example.com")))), names, "OUTSIDE_DELEGATED_SCOPE G")
	l.want(l.add(agent("analyst"), does(grandchild, one("100", at("https://other.example.com/x")))), names, "SCOPE_WIDENED GC", "OUTSIDE_DELEGATED_SCOPE G")
	// Below a grant that goes too far, it is that grant which does.
	wide := l.add(agent("planner"), passes(g, depth(grantTo("clerk", open(el("order", "*", shop))), 1)))
	below := l.add(agent("clerk"), passes(wide, grantTo("analyst", open(el("order", "delete", shop)))))
	names[wide.ID], names[below.ID] = "W", "B"
	l.want(wide, names, "SCOPE_WIDENED")
	l.want(below, names)
	l.want(l.add(agent("analyst"), does(below, el("order", "delete", shop))), names, "SCOPE_WIDENED W", "OUTSIDE_DELEGATED_SCOPE G")
	// Outside its own grant an agent is not in anybody's excess.
	l.want(l.add(agent("analyst"), does(grandchild, one("100", shop))), names, "OUTSIDE_DELEGATED_SCOPE GC")
	l.check()
}

// Nothing an agent has or passes on reaches beyond its class's ceiling.
func TestCeiling(t *testing.T) {
	l := newLog(t, nil)
	g := l.add(operator(acme), gives(depth(grantTo("planner", open(el("*", "*"))), 1)))
	child := l.add(agent("planner"), passes(g, grantTo("clerk", open(el("order", "create")))))
	act := func(name string, under *record.Record, want ...string) {
		t.Helper()
		l.want(l.add(agent(name), does(under, buy("50"))), nil, want...)
	}
	act("planner", g)
	l.agent("planner", acme, func(a *onusv1.AgentClass) { a.Ceiling = []*onusv1.GrantElement{may(el("order", "create"), "40", "")} })
	act("planner", g, "LIMIT_EXCEEDED")
	act("clerk", child, "LIMIT_EXCEEDED")
	l.agent("planner", acme, func(a *onusv1.AgentClass) { a.Ceiling = []*onusv1.GrantElement{open(el("order", "read"))} })
	act("planner", g, "OUTSIDE_DELEGATED_SCOPE")
	l.agent("planner", acme, func(a *onusv1.AgentClass) {
		a.Ceiling = []*onusv1.GrantElement{open(el("order", "create", at("https://erp.example.com")))}
	})
	act("planner", g, "SCOPE_UNCOMPARABLE")
	l.agent("planner", acme, nil)
	act("planner", g)
	l.check()
}

func TestObserved(t *testing.T) {
	check := func(l *testLog, f authority.Finding) {
		t.Helper()
		if f.Code != authority.GrantMissing || f.Forbids || !f.Coverage || f.Severity != authority.Info {
			t.Errorf("finding %+v, want GRANT_MISSING as coverage", f)
		}
		l.check()
	}
	l := newLog(t, nil)
	l.agent("planner", acme, func(a *onusv1.AgentClass) { a.Observed = true })
	check(l, l.findings(l.add(agent("planner"), does(nil, el("file", "read"))))[0])
	if f := l.findings(l.add(agent("clerk"), does(nil, el("file", "read"))))[0]; !f.Forbids || f.Coverage {
		t.Errorf("finding %+v on an agent that is under grants", f)
	}
	l = newLog(t, func(p *onusv1.Policy) { p.Observed = true })
	check(l, l.findings(l.add(agent("clerk"), does(nil, el("file", "read"))))[0])
}

func TestPrincipalChanged(t *testing.T) {
	l := newLog(t, nil)
	g := l.add(device("lead"), gives(depth(grantTo("planner", open(el("file", "read"))), 1)))
	l.want(l.add(agent("planner"), does(g, el("file", "read"), forUser("lead"))), nil)
	l.want(l.add(agent("planner"), does(g, el("file", "read"))), nil)
	l.want(l.add(agent("planner"), does(g, el("file", "read"), forUser("other"))), nil, "PRINCIPAL_CHANGED")
	l.want(l.add(agent("planner"), with(passes(g, grantTo("clerk", open(el("file", "read")))), forUser("other"))), nil, "PRINCIPAL_CHANGED")
	l.check()
}

// A path has an end, and an entry holds so many use stamps.
func TestBounds(t *testing.T) {
	l := newLog(t, nil)
	var scope []*onusv1.GrantElement
	for range 3 {
		scope = append(scope, may(el("order", "create"), "", "10"))
	}
	g := l.add(operator(acme), gives(depth(grantTo("planner", scope...), 16)))
	holders := []string{"planner", "clerk"}
	for i := 1; i < authority.MaxPath; i++ {
		if i == 11 {
			// 33 limits count an action here.
			r := l.sign(agent(holders[0]), does(g, buy("1")))
			wantRefusal(t, l.submit(r, 0), authority.ReasonTooManyLimits, "grant")
			if n := len(l.s.Uses(r, int64(len(l.entries)), 0)); n != entry.MaxUses+1 {
				t.Errorf("%d uses, want %d", n, entry.MaxUses+1)
			}
		}
		g = l.add(agent(holders[(i-1)%2]), passes(g, depth(grantTo(holders[i%2], scope...), int32(16-i))))
		l.want(g, nil)
	}
	last := holders[(authority.MaxPath-1)%2]
	path, err := l.s.Path(g.ID, int64(len(l.entries)))
	if err != nil || len(path) != authority.MaxPath {
		t.Errorf("the path has %d grants, %v", len(path), err)
	}
	wantRefusal(t, l.submit(l.sign(agent(last), passes(g, grantTo("analyst", scope...))), 0), authority.ReasonPathTooLong, "grant")
	_, err = l.s.Path(record.ID{1}, int64(len(l.entries)))
	var pe *authority.PathError
	if !errors.As(err, &pe) || pe.Missing != (record.ID{1}) || pe.By != nil || pe.Long {
		t.Errorf("path of an unknown grant: %v", err)
	}
	if got, want := fmt.Sprint(err), "grant 010000000000… is not in the log"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	l.check()
}
