package chain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// gamble makes random logs: of everything that an action can stand on, put
// together rightly and wrongly. The same seed makes the same log, save for the
// one grant that lower narrows.
type gamble struct {
	*world
	rng     *rand.Rand
	records []string // that may be a parent or a cause
	grants  []given
	actions []string
	// last changes an action once all else is said.
	last []func(*draft)
	// lower narrows the grant of that number; it draws nothing.
	lower func(n int, g *onusv1.Grant)
}

// given is a grant: to whom, and what its root's user asked for.
type given struct{ name, to, user string }

var (
	players = []string{"planner", "market-analyst", "vendor-manager", "supply-chain-planner"}
	users   = []string{"strategist", "hardware-lead"}
)

func (g *gamble) one(n int) bool            { return g.rng.IntN(n) == 0 }
func pick[T any](r *rand.Rand, list []T) T  { return list[r.IntN(len(list))] }
func (g *gamble) name(prefix string) string { return prefix + strconv.Itoa(len(g.entries)) }
func (g *gamble) maybe(n int, f ...func(*draft)) []func(*draft) {
	if g.one(n) {
		return f
	}
	return nil
}

func (g *gamble) element() *onusv1.ScopeElement {
	e := el(pick(g.rng, []string{"prices", "order"}), pick(g.rng, []string{"read", "create"}))
	if g.one(2) {
		e.Datatypes = []string{pick(g.rng, []string{"public prices", "margins"})}
	}
	if e.Type == "order" || g.one(3) {
		e.Amount, e.Unit = strconv.Itoa(g.rng.IntN(100)), "EUR"
	}
	if g.one(8) {
		e.Recipient = user(pick(g.rng, users))
	}
	return e
}

func (g *gamble) scope() []*onusv1.GrantElement {
	var all []*onusv1.GrantElement
	for range 1 + g.rng.IntN(3) {
		e := g.element()
		e.Amount, e.Unit = "", ""
		if g.one(3) {
			e.Type = "*"
		}
		item, total := "", ""
		if g.one(2) {
			item = strconv.Itoa(20 + g.rng.IntN(80))
		}
		if g.one(2) {
			total = strconv.Itoa(50 + g.rng.IntN(200))
		}
		all = append(all, may(e, item, total))
	}
	return all
}

// link names a parent: one that is there, one that is lost, or none.
func (g *gamble) link() []func(*draft) {
	var edit []func(*draft)
	switch {
	case len(g.records) > 0 && !g.one(6):
		edit = append(edit, parent(pick(g.rng, g.records)))
	case g.one(2):
		edit = append(edit, parentLost)
	}
	for range g.rng.IntN(3) {
		if len(g.records) > 0 && g.one(2) {
			c := pick(g.rng, g.records)
			edit = append(edit, func(d *draft) {
				if id := g.names[c].ID.String(); !slices.Contains(d.Causes, id) {
					d.Causes = append(d.Causes, id)
				}
			})
		}
	}
	return edit
}

func (g *gamble) step() {
	g.later(time.Duration(g.rng.IntN(8*60)) * time.Second)
	who, whom := pick(g.rng, players), pick(g.rng, users)
	switch g.rng.IntN(12) {
	case 0, 1:
		name := g.name("I")
		by := pick(g.rng, []*onusv1.Author{chat(), device(whom), agent(who)})
		edit := append(g.link(), intent("do", g.element()), forUser(whom), asks(pick(g.rng, players)))
		if by.GetUser() == "" {
			edit = append(edit, token("chat-web", uint8(g.rng.IntN(3))))
		}
		g.log(name, by, edit...)
		g.records = append(g.records, name)
	case 2, 3, 4:
		g.delegate(who, whom)
	case 5:
		name := g.name("T")
		g.log(name, operator("pricing"), trigger("nightly"))
		g.records = append(g.records, name)
	case 6:
		name := g.name("D")
		g.log(name, agent(who), append(g.link(), decides("so", g.element()), forUser(whom))...)
		g.records = append(g.records, name)
	case 7:
		g.approved(who, whom)
	case 8:
		if len(g.actions) > 0 {
			a := pick(g.rng, g.actions)
			g.log("", g.named(a).Msg.GetAuthor(), ends(a, onusv1.OutcomeStatus(1+g.rng.IntN(3))))
		}
	case 9:
		if !g.one(8) {
			break
		}
		if len(g.grants) > 0 && g.one(2) {
			g.log("", security(), revokes(g.theGrant(pick(g.rng, g.grants).name)))
		} else {
			g.log("", security(), revokes(theAgent(who)))
		}
	case 10:
		g.act(who, whom)
	default:
		g.story(who, whom)
	}
}

// story is an action as it should be, or nearly: below an intent or a trigger,
// for the user of its grant, for something that the grant names.
func (g *gamble) story(who, whom string) {
	under, asked := given{user: whom}, ""
	if len(g.grants) > 0 && !g.one(4) {
		under = pick(g.rng, g.grants)
		who = under.to
	}
	e := el("prices", "read", data("public prices"))
	if under.name != "" {
		e = proto.CloneOf(pick(g.rng, g.named(under.name).Msg.GetDelegation().GetScope()).GetElement())
		if e.Type == "*" {
			e.Type = "order"
		}
		e.Datatypes = append(e.Datatypes, "public prices")[:1]
		e.Amount, e.Unit = "5", "EUR"
	}
	if under.user == "" {
		asked = g.name("T")
		g.log(asked, operator(operatorOf[who]), trigger("nightly"))
	} else {
		asked = g.name("I")
		words := intent("do", e)
		if under.name != "" && g.one(2) {
			words = intent("do what is best")
		}
		g.log(asked, chat(), words, forUser(under.user), token("chat-web", 1), asks(who))
	}
	edit := []func(*draft){parent(asked), does(e), interprets("so it is meant"), decides("so it is done")}
	if under.name != "" {
		edit = append(edit, grant(under.name))
	}
	if under.user != "" {
		edit = append(edit, forUser(under.user))
	}
	name := g.name("A")
	g.log(name, agent(who), append(edit, g.last...)...)
	g.records, g.actions = append(g.records, asked, name), append(g.actions, name)
}

func (g *gamble) delegate(who, whom string) {
	grantee := pick(g.rng, players)
	m := &onusv1.Grant{Agent: agentID(grantee), Scope: g.scope(), MaxDepth: int32(g.rng.IntN(3))}
	if g.one(2) {
		m.Expires = timestamppb.New(g.now.Add(time.Duration(20+g.rng.IntN(60)) * time.Minute))
	}
	if g.lower != nil {
		g.lower(len(g.grants), m)
	}
	body := func(d *draft) { d.Body = &onusv1.Record_Delegation{Delegation: m} }
	name, of := g.name("G"), whom
	switch {
	case len(g.grants) == 0 || g.one(2):
		by := pick(g.rng, []*onusv1.Author{device(whom), operator("pricing")})
		if by.GetUser() == "" {
			of = ""
		}
		g.log(name, by, body)
	default:
		under := pick(g.rng, g.grants)
		if of = under.user; !g.one(6) {
			who = under.to
		}
		g.log(name, agent(who), append(g.link(), grant(under.name), body, forUser(whom))...)
		g.records = append(g.records, name)
	}
	g.grants = append(g.grants, given{name, grantee, of})
}

func (g *gamble) act(who, whom string) {
	edit := g.link()
	if len(g.grants) > 0 && !g.one(5) {
		under := pick(g.rng, g.grants)
		if !g.one(6) {
			who = under.to
		}
		edit = append(edit, grant(under.name))
	}
	edit = append(edit, does(g.element()))
	edit = append(edit, g.maybe(3, decides("so", g.element()))...)
	edit = append(edit, g.maybe(4, own)...)
	edit = append(edit, g.maybe(8, capture(onusv1.Capture_CAPTURE_IMPORT))...)
	if !g.one(5) {
		edit = append(edit, forUser(whom))
	}
	if g.one(6) {
		edit = append(edit, func(d *draft) { d.GetStages().GetAction().ExternalRequestId = fmt.Sprint("r", g.rng.IntN(3)) })
	}
	name := g.name("A")
	g.log(name, agent(who), append(edit, g.last...)...)
	g.records, g.actions = append(g.records, name), append(g.actions, name)
}

func (g *gamble) approved(who, whom string) {
	if len(g.grants) == 0 {
		return
	}
	under := pick(g.rng, g.grants)
	e := g.element()
	if under.user != "" {
		whom = under.user
	}
	d, top := g.name("D"), g.link()
	if i := slices.IndexFunc(g.records, func(n string) bool { return n[0] == 'I' && g.names[n].Msg.GetUser() == user(whom) }); i >= 0 {
		top = []func(*draft){parent(g.records[i])}
	}
	g.log(d, agent(under.to), append(top, grant(under.name), proposes(e), forUser(whom))...)
	ok := g.name("OK")
	g.log(ok, device(whom), pick(g.rng, []func(*draft){approves(d), approves(d), denies(d)}))
	name := g.name("A")
	g.log(name, agent(under.to), parent(d), grant(under.name), forUser(whom), does(e, g.approvedBy(ok)))
	g.records, g.actions = append(g.records, d, name), append(g.actions, name)
}

// randomLog makes a log of that many steps.
func randomLog(w *world, seed uint64, steps int, lower func(n int, g *onusv1.Grant)) *gamble {
	g := &gamble{world: w, rng: rand.New(rand.NewPCG(seed, 0)), lower: lower}
	for range steps {
		g.step()
	}
	return g
}

// all returns every entry that is no registry entry.
func (w *world) all() []chain.Entry {
	var es []chain.Entry
	for _, e := range w.entries {
		if !registry.Concerns(e.Record) {
			es = append(es, e)
		}
	}
	return es
}

func verdictByID(out *chain.Judgement) map[record.ID]chain.Verdict {
	m := map[record.ID]chain.Verdict{}
	for _, v := range out.Actions {
		m[v.Record] = v
	}
	return m
}
