package desk

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// gamble makes a random log: records in any order, links of every kind, reviews,
// revocations, time.
type gamble struct {
	*world
	rng     *rand.Rand
	logged  []*record.Record // that may be named
	held    []*record.Record // signed, and not logged yet
	actions []*record.Record
	grants  []*record.Record
	revoked int
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

func (g *gamble) one(n int) bool { return g.rng.IntN(n) == 0 }

// some returns a record that is logged, or will be.
func (g *gamble) some() *record.Record {
	if len(g.held) > 0 && g.one(3) {
		return pick(g.rng, g.held)
	}
	if len(g.logged) == 0 {
		return nil
	}
	// The newer ones more often, so that cases end.
	return g.logged[len(g.logged)-1-min(g.rng.IntN(len(g.logged)), g.rng.IntN(len(g.logged)))]
}

func (g *gamble) add(by *onusv1.Author, edit ...func(*onusv1.Record)) *record.Record {
	r := g.sign(by, edit...)
	if g.one(6) {
		g.held = append(g.held, r)
		return r
	}
	if _, err := g.tryAdmit(r); err == nil {
		g.logged = append(g.logged, r)
	}
	return r
}

func (g *gamble) links() []func(*onusv1.Record) {
	var edit []func(*onusv1.Record)
	if r := g.some(); r != nil && !g.one(4) {
		edit = append(edit, under(r))
	}
	for range g.rng.IntN(3) {
		if r := g.some(); r != nil && g.one(3) {
			edit = append(edit, causedBy(r))
		}
	}
	return edit
}

func (g *gamble) step() {
	g.later(time.Duration(g.rng.IntN(5*60)) * time.Second)
	a := byAgent(pick(g.rng, []string{"planner", "reader", "buyer"}), pick(g.rng, []string{"1", "2"}))
	for_ := func(m *onusv1.Record) {
		if g.one(3) {
			m.User, m.Session = aUser, aSession
		}
		if g.one(4) {
			m.Subjects = []string{aSubject}
		}
	}
	op := pick(g.rng, []string{"order:create", "prices:read"})
	at := pick(g.rng, []string{"https://shop.example.com/a", "https://shop.example.com/b", ""})
	request := "r-" + strconv.Itoa(g.rng.IntN(4))
	status := onusv1.OutcomeStatus(1 + g.rng.IntN(3))
	switch g.rng.IntN(14) {
	case 0, 1:
		g.add(a, append(g.links(), decides, for_)...)
	case 2, 3, 4:
		edit := append(g.links(), does(op, at, costs(strconv.Itoa(g.rng.IntN(50)), "EUR")), for_)
		if g.one(2) {
			edit = append(edit, func(m *onusv1.Record) { m.GetStages().Action.ExternalRequestId = request })
		}
		if len(g.grants) > 0 && g.one(2) {
			edit = append(edit, underGrant(pick(g.rng, g.grants)))
		}
		g.actions = append(g.actions, g.add(a, edit...))
	case 5, 6:
		if len(g.actions) > 0 {
			r := pick(g.rng, g.actions)
			g.add(r.Msg.GetAuthor(), under(r), outcome(status))
		}
	case 7:
		edit := []func(*onusv1.Record){counters(a, op, "https://shop.example.com/a", request, status)}
		if len(g.actions) > 0 && !g.one(4) {
			r := pick(g.rng, g.actions)
			edit = []func(*onusv1.Record){under(r), counters(r.Msg.GetAuthor(), op, "https://shop.example.com/a", request, status)}
		}
		g.add(shop, edit...)
	case 8:
		g.add(platform, trigger)
	case 9:
		if g.one(2) || len(g.grants) == 0 {
			g.grants = append(g.grants, g.add(platform, grantTo(a, op)))
		} else {
			g.grants = append(g.grants, g.add(a, append(g.links(), underGrant(pick(g.rng, g.grants)), grantTo(byAgent("reader", ""), op), func(m *onusv1.Record) {
				if g.one(2) {
					m.User, m.Session, m.GetDelegation().EndsWithSession = aUser, aSession, true
				}
			})...))
		}
	case 10:
		p := g.add(a, append(g.links(), proposes(element(op, at)))...)
		g.add(boss, func(m *onusv1.Record) {
			if g.one(2) {
				m.Body = &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: p.ID.String()}}
			} else {
				m.Body = &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: p.ID.String()}}
			}
		})
	case 11:
		if r := g.some(); r != nil {
			g.add(boss, reviews(r, pick(g.rng, []string{"", "GRANT_MISSING", "OUTCOME_MISSING"}), onusv1.Disposition(1+g.rng.IntN(5))))
		}
	case 12:
		if g.revoked < 4 && g.one(4) {
			if _, err := g.tryAdmit(g.sign(root, revokes(g.target(), g.now.Add(-time.Duration(g.rng.IntN(180))*time.Minute)))); err == nil {
				g.revoked++
			}
		}
	default:
		if len(g.held) > 0 {
			i := g.rng.IntN(len(g.held))
			r := g.held[i]
			g.held = slices.Delete(g.held, i, i+1)
			if _, err := g.tryAdmit(r); err == nil {
				g.logged = append(g.logged, r)
			}
		}
	}
}

// target is something to revoke.
func (g *gamble) target() *onusv1.Revocation {
	agent := agentID(pick(g.rng, []string{"planner", "reader", "buyer"}))
	switch g.rng.IntN(8) {
	case 0:
		return &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: agent}}
	case 1:
		return &onusv1.Revocation{Target: &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: agent, Instance: "1"}}}
	case 2:
		return &onusv1.Revocation{Target: &onusv1.Revocation_Operator{Operator: "procurement"}}
	case 3:
		return &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: aSession}}
	case 4, 5:
		if len(g.grants) > 0 {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: pick(g.rng, g.grants).ID.String()}}
		}
	}
	return &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(g.t, pick(g.rng, []string{agent, "it/platform", shop.Service, "boss"})).Public().ID()}}
}
