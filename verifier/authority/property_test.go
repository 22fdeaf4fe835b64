package authority_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var seedFlag = flag.Uint64("seed", 0, "run the property tests with this seed alone")

func seeds(n uint64) []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	var all []uint64
	for s := uint64(1); s <= n; s++ {
		all = append(all, s)
	}
	return all
}

// A step of a script says something about records of earlier steps, by their
// number, so that a script can be played again with a change in it.
type step func(p *player) (by *onusv1.Author, m *onusv1.Record, assurance uint8)

type player struct {
	l    *testLog
	recs []*record.Record // of each step; nil if it was refused
}

func (p *player) play(script []step) {
	for i, s := range script {
		by, m, assurance := s(p)
		var r *record.Record
		if m != nil {
			r = p.l.sign(by, m)
			var refused *record.Error
			if err := p.l.submit(r, assurance); errors.As(err, &refused) {
				r = nil
			} else if err != nil {
				p.l.t.Fatalf("step %d: %v", i, err)
			}
		}
		p.recs = append(p.recs, r)
	}
}

func choose[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// script makes steps; the grants among them can be changed by their step's
// number before they are played.
func script(rng *rand.Rand, n int) (steps []step, grants map[int]*onusv1.Grant) {
	grants = map[int]*onusv1.Grant{}
	agents := []string{"planner", "clerk", "optimizer"}
	ofKind := map[string][]int{}
	type proposal struct {
		under int
		by    string
		e     *onusv1.ScopeElement
	}
	asked := map[int]proposal{}
	pick := func(kind string) int {
		if len(ofKind[kind]) == 0 {
			return -1
		}
		return choose(rng, ofKind[kind]...)
	}
	for i := range n {
		kind := choose(rng, "root", "root", "pass", "pass", "act", "act", "act", "act", "act", "end", "saw", "ask", "answer", "revoke", "wait")
		if i < 3 {
			kind = "root"
		}
		var s step
		switch kind {
		case "root", "pass":
			g := randomGrant(rng, choose(rng, agents...))
			grants[i] = g
			parent := pick("grant")
			if kind == "root" || parent < 0 {
				by := choose(rng, operator(acme), device("lead"), device("other"))
				s = func(p *player) (*onusv1.Author, *onusv1.Record, uint8) {
					return proto.CloneOf(by), gives(proto.CloneOf(g)), 0
				}
			} else {
				by := choose(rng, agents...)
				s = func(p *player) (*onusv1.Author, *onusv1.Record, uint8) {
					if p.recs[parent] == nil {
						return nil, nil, 0
					}
					holder := by
					if by != "clerk" { // mostly whoever holds it
						holder = nameOf(p.recs[parent].Msg.GetDelegation().GetAgent())
					}
					return agent(holder), passes(p.recs[parent], proto.CloneOf(g)), 0
				}
			}
			ofKind["grant"] = append(ofKind["grant"], i)
		case "act", "ask":
			under, by, e := pick("grant"), choose(rng, append(agents, "", "", "", "")...), randomElement(rng)
			if of := pick("ask"); kind == "act" && of >= 0 && rng.IntN(3) == 0 {
				under, by, e = asked[of].under, asked[of].by, asked[of].e // what was proposed
			}
			asked[i] = proposal{under, by, e}
			id, ok := choose(rng, "", "", "r-1", "r-2"), pick("answer")
			denied, basis := rng.IntN(8) == 0, choose(rng, onusv1.Basis_BASIS_OWN, onusv1.Basis_BASIS_DELEGATED, onusv1.Basis_BASIS_UNSPECIFIED)
			ask := kind == "ask"
			named := rng.IntN(3) == 0
			s = func(p *player) (*onusv1.Author, *onusv1.Record, uint8) {
				if p.recs[under] == nil {
					return nil, nil, 0
				}
				name := by
				if name == "" {
					name = nameOf(p.recs[under].Msg.GetDelegation().GetAgent())
				}
				if ask {
					return agent(name), proposes(p.recs[under], proto.CloneOf(e), forUser("lead")), 0
				}
				m := does(p.recs[under], proto.CloneOf(e), request(id))
				m.Basis = basis
				if denied {
					deniedByTarget(m)
				}
				if named && ok >= 0 && p.recs[ok] != nil {
					approvedBy(p.recs[ok])(m)
				}
				return agent(name), m, 0
			}
			ofKind[kind] = append(ofKind[kind], i)
		case "end", "saw":
			of, stranger := pick("act"), rng.IntN(6) == 0
			st := choose(rng, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED, onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN)
			d := choose(rng, onusv1.TargetDecision_TARGET_DECISION_ALLOWED, onusv1.TargetDecision_TARGET_DECISION_DENIED, onusv1.TargetDecision_TARGET_DECISION_UNSPECIFIED)
			s = func(p *player) (*onusv1.Author, *onusv1.Record, uint8) {
				if of < 0 || p.recs[of] == nil {
					return nil, nil, 0
				}
				by := proto.CloneOf(p.recs[of].Msg.GetAuthor())
				if stranger {
					by.Instance = "stranger"
				}
				if kind == "end" {
					return by, ends(p.recs[of], st), 0
				}
				return service("erp"), saw(p.recs[of], d), 0
			}
		case "answer":
			of, no, weak := pick("ask"), rng.IntN(2) == 0, rng.IntN(4) == 0
			s = func(p *player) (*onusv1.Author, *onusv1.Record, uint8) {
				if of < 0 || p.recs[of] == nil {
					return nil, nil, 0
				}
				m := approves(p.recs[of])
				if no {
					m = denies(p.recs[of])
				}
				if weak {
					return chat(), with(m, forUser("lead"), token("chat-web")), 0
				}
				return device("lead"), m, 0
			}
			ofKind[kind] = append(ofKind[kind], i)
		case "revoke":
			of := pick("grant")
			rare := rng.IntN(3) > 0
			s = func(p *player) (*onusv1.Author, *onusv1.Record, uint8) {
				if rare || p.recs[of] == nil {
					return nil, nil, 0
				}
				return admin(), revokes(theGrant(p.recs[of])), 0
			}
		case "wait":
			d := time.Duration(rng.IntN(5)) * time.Hour
			s = func(p *player) (*onusv1.Author, *onusv1.Record, uint8) {
				p.l.now = p.l.now.Add(d)
				return nil, nil, 0
			}
		}
		steps = append(steps, s)
	}
	return steps, grants
}

func nameOf(agentID string) string { return agentID[len("spiffe://example.com/"):] }

func randomGrant(rng *rand.Rand, name string) *onusv1.Grant {
	g := depth(grantTo(name), int32(rng.IntN(4)))
	for range 1 + rng.IntN(2) {
		e := el(choose(rng, "order", "order", "*"), "create")
		if rng.IntN(3) == 0 {
			e.Location = choose(rng, "https://erp.example.com", "https://erp.example.com/orders")
		}
		g.Scope = append(g.Scope, may(e, choose(rng, "", "", "60"), choose(rng, "", "100", "200.5")))
	}
	if rng.IntN(3) == 0 {
		until(g, start.Add(time.Duration(1+rng.IntN(40))*time.Hour))
	}
	if rng.IntN(4) == 0 {
		g.Approvals = []*onusv1.ApprovalRule{{Operations: []string{"order:*"}, Above: "50", Unit: "EUR"}}
	}
	return g
}

func randomElement(rng *rand.Rand) *onusv1.ScopeElement {
	e := el(choose(rng, "order", "order", "order", "report"), "create", amount(choose(rng, "40", "40.0", "75.25", "0.000000001"), choose(rng, "EUR", "EUR", "EUR", "USD")))
	e.Location = choose(rng, "", "https://erp.example.com/orders", "https://erp.example.com/orders/7", "https://other.example.com")
	if rng.IntN(3) == 0 {
		e.Quantity = choose(rng, "1", "2.0")
	}
	return e
}

// Over random logs: who reads again, or reads an older size, gets the same; the
// totals are those of a plain recount; nothing panics.
func TestRandomLogs(t *testing.T) {
	total := map[string]int{}
	for _, seed := range seeds(15) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			steps, _ := script(rand.New(rand.NewPCG(seed, 1)), 70)
			p := &player{l: newLog(t, nil)}
			p.play(steps)
			p.l.check()
			for _, e := range p.l.entries {
				for _, f := range e.findings {
					total[f.Code]++
				}
				if len(e.st.Uses) > 0 {
					total["uses"]++
				}
			}
		})
	}
	if *seedFlag != 0 {
		return
	}
	// The logs are of use only if they hold what is to be found.
	for _, want := range []string{"uses", "LIMIT_EXCEEDED", "OUTSIDE_DELEGATED_SCOPE", "SCOPE_UNCOMPARABLE", "SCOPE_WIDENED", "EXPIRY_WIDENED", "DEPTH_EXCEEDED",
		"GRANT_EXPIRED", "GRANT_MISSING", "GRANT_REVOKED", "ANCESTOR_REVOKED", "APPROVAL_MISSING", "APPROVAL_MISMATCH", "DENIED_BUT_DONE",
		"SELF_GRANTED", "GRANT_ISSUER_LACKS_AUTHORITY", "OWN_AUTHORITY_UNDECLARED"} {
		if total[want] == 0 {
			t.Errorf("no log has %s: %v", want, total)
		}
	}
}

// Lowering a limit, a depth or an expiry never clears an action, and removes
// no finding but those that say whose excess it lies in, or whose authority
// covered it.
func TestLoweringNeverClears(t *testing.T) {
	relative := []string{authority.ScopeWidened, authority.ExpiryWidened, authority.OwnAuthorityUsed, authority.OwnAuthorityUndeclared}
	changed := 0
	for _, seed := range seeds(15) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			steps, grants := script(rng, 50)
			before := &player{l: newLog(t, nil)}
			before.play(steps)
			order := []int{}
			for i := range grants {
				order = append(order, i)
			}
			slices.Sort(order)
			lowered := choose(rng, order...)
			lower(rng, grants[lowered])
			after := &player{l: newLog(t, nil)}
			after.play(steps)
			for i, r := range before.recs {
				if (r == nil) != (after.recs[i] == nil) {
					t.Fatalf("step %d is refused in one of the two", i)
				}
				if r == nil || r.Msg.GetStages().GetAction() == nil {
					continue
				}
				was, is := before.l.findings(r), after.l.findings(after.recs[i])
				if texts(was) != texts(is) {
					changed++
				}
				if forbidden(was) && !forbidden(is) {
					t.Errorf("step %d is cleared by lowering the grant of step %d\nbefore:\n%safter:\n%s", i, lowered, texts(was), texts(is))
				}
				now := codes(is, nil)
				for _, c := range codes(was, nil) {
					if !slices.Contains(relative, c) && !slices.Contains(now, c) {
						t.Errorf("step %d loses %s by lowering the grant of step %d\nbefore:\n%safter:\n%s", i, c, lowered, texts(was), texts(is))
					}
				}
			}
		})
	}
	if changed == 0 && *seedFlag == 0 {
		t.Error("no lowering changed anything")
	}
}

func forbidden(fs []authority.Finding) bool {
	return slices.ContainsFunc(fs, func(f authority.Finding) bool { return f.Forbids })
}

func lower(rng *rand.Rand, g *onusv1.Grant) {
	e := g.Scope[rng.IntN(len(g.Scope))]
	switch rng.IntN(4) {
	case 0:
		e.MaxItem, e.Unit = "30", "EUR"
	case 1:
		e.MaxTotal, e.Unit = "50", "EUR"
	case 2:
		g.MaxDepth = 0
	case 3:
		g.Expires = timestamppb.New(start.Add(time.Minute))
	}
}
