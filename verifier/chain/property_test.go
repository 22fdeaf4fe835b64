package chain_test

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const steps = 60

// seeds is how many random logs each property is tried on.
var seeds = flag.Uint64("seeds", 4, "random logs per property")

var byHand = chain.Hand{Source: chain.FromLog}

// Every action gets exactly one verdict, in whatever order the entries come,
// and always the same bytes. The logs are rich enough to meet every verdict
// that needs no broken evidence.
func TestEveryActionOnceInAnyOrder(t *testing.T) {
	met := map[chain.Code]int{}
	for seed := range *seeds {
		g := randomLog(newWorld(t), seed, steps, nil)
		es := g.all()
		out := g.judgeEntries(es, byHand)
		if len(out.Actions) != len(g.actions) || len(verdictByID(out)) != len(g.actions) {
			t.Fatalf("seed %d: %d verdicts for %d actions", seed, len(out.Actions), len(g.actions))
		}
		n := 0
		for _, c := range out.Counts {
			n += c.Actions
		}
		if n != len(out.Actions) {
			t.Errorf("seed %d: the counts add up to %d, want %d", seed, n, len(out.Actions))
		}
		for _, v := range out.Actions {
			met[v.Code]++
			if v.Title == "" || v.Why == "" || len(v.Answers) == 0 || !v.Answers[0].First {
				t.Errorf("seed %d: verdict %+v says nothing", seed, v)
			}
			if strings.Contains(v.Why, " ()") {
				t.Errorf("seed %d: who answers first has no reason: %s", seed, v.Why)
			}
		}
		want := out.VerdictJSON()
		rng := rand.New(rand.NewPCG(seed, 1))
		for range 3 {
			rng.Shuffle(len(es), func(i, j int) { es[i], es[j] = es[j], es[i] })
			if got := g.judgeEntries(es, chain.Hand{}).VerdictJSON(); !bytes.Equal(want, got) {
				t.Fatalf("seed %d: in another order (-want +got):\n%s", seed, cmp.Diff(string(want), string(got)))
			}
		}
		// Who reads the log again gets the same bytes.
		r := newReader(t, g.raw)
		c := chain.Build(es, elsewhere(r.entries), r.reg.Genesis().GetPolicy())
		again := chain.Judge(c, chain.Basis{Registry: r.reg, Authority: r.s, Size: int64(len(r.entries)), Time: g.now.UnixMilli(),
			Hand: chain.Hand{Source: chain.FromLog, Log: r.whole, Uses: true}})
		if diff := cmp.Diff(string(want), string(again.VerdictJSON())); diff != "" {
			t.Fatalf("seed %d: another reader (-want +got):\n%s", seed, diff)
		}
	}
	for _, r := range chain.Verdicts {
		if met[r.Code] == 0 && r.Code != chain.Unverifiable && r.Code != chain.NotJudged {
			t.Errorf("no random log had %s: %v", r.Code, met)
		}
	}
}

// A later revocation never changes an earlier verdict. It can make it suspect.
func TestLaterRevocationChangesNothing(t *testing.T) {
	for seed := range *seeds {
		g := randomLog(newWorld(t), seed, steps, nil)
		before := g.judgeEntries(g.all(), byHand)
		for _, name := range players {
			g.log("", security(), revokes(theAgent(name)), func(d *draft) { d.GetRevocation().SuspectedSince = timestamppb.New(nine) })
		}
		for _, gr := range g.grants {
			g.log("", security(), revokes(g.theGrant(gr.name)))
		}
		after := verdictByID(g.judgeEntries(g.all(), byHand))
		for _, v := range before.Actions {
			now := after[v.Record]
			now.Findings = slices.DeleteFunc(slices.Clone(now.Findings), func(f chain.Finding) bool { return f.Code == "SUSPECT_WINDOW" })
			v.Findings = slices.DeleteFunc(slices.Clone(v.Findings), func(f chain.Finding) bool { return f.Code == "SUSPECT_WINDOW" })
			if diff := cmp.Diff(verdictText(v), verdictText(now)); diff != "" {
				t.Errorf("seed %d, entry %d (-before +after):\n%s", seed, v.Index, diff)
			}
		}
	}
}

// verdictText is all that a verdict says, without protobuf messages.
func verdictText(v chain.Verdict) []string {
	all := []string{string(v.Code), v.Why, string(v.State)}
	for _, a := range v.Answers {
		s := a.Party.String()
		for _, p := range a.Parts {
			s += ", " + string(p.Role) + " " + string(p.State)
		}
		all = append(all, s)
	}
	for _, f := range v.Findings {
		all = append(all, f.Code+" "+string(f.Severity)+" "+f.Text)
	}
	return all
}

// Lowering a limit, a depth or an expiry of any grant never removes a
// violation.
func TestNarrowerGrantsForgiveNothing(t *testing.T) {
	lowers := map[string]func(*onusv1.Grant){
		"limit": func(g *onusv1.Grant) {
			for _, e := range g.Scope {
				e.MaxItem, e.MaxTotal, e.Unit = "10", "15", "EUR"
			}
		},
		"depth":  func(g *onusv1.Grant) { g.MaxDepth = 0 },
		"expiry": func(g *onusv1.Grant) { g.Expires = timestamppb.New(nine.Add(time.Minute)) },
	}
	for seed := range *seeds {
		before := randomLog(newWorld(t), seed, steps, nil)
		was := before.judgeEntries(before.all(), byHand)
		for what, lower := range lowers {
			k := int(seed) % max(len(before.grants), 1)
			after := randomLog(newWorld(t), seed, steps, func(n int, g *onusv1.Grant) {
				if n == k {
					lower(g)
				}
			})
			is := after.judgeEntries(after.all(), byHand)
			for i, v := range was.Actions {
				if now := is.Actions[i]; v.Outcome == chain.OutsideAuthority && now.Outcome != chain.OutsideAuthority {
					t.Errorf("seed %d, a lower %s in grant %d: entry %d was %s, and is %s", seed, what, k, v.Index, v.Why, now.Why)
				}
			}
		}
	}
}

// An entry outside of the chain, its registry and its uses of grants changes
// nothing.
func TestUnrelatedEntryChangesNothing(t *testing.T) {
	for seed := range *seeds {
		g := randomLog(newWorld(t), seed, steps, nil)
		es := g.all()
		before := g.judgeEntries(es, byHand)
		g.log("T", operator("globex"), trigger("unrelated"))
		g.log("X", agent("mail-courier"), parent("T"), does(el("mail", "send", eur("10"))))
		after := g.judgeEntries(es, byHand)
		after.Size = before.Size
		if diff := cmp.Diff(string(before.VerdictJSON()), string(after.VerdictJSON())); diff != "" {
			t.Errorf("seed %d: in the log (-before +after):\n%s", seed, diff)
		}
		beside := verdictByID(g.judgeEntries(g.all(), byHand))
		for _, v := range before.Actions {
			if diff := cmp.Diff(verdictText(v), verdictText(beside[v.Record])); diff != "" {
				t.Errorf("seed %d: beside the chain, entry %d (-before +after):\n%s", seed, v.Index, diff)
			}
		}
	}
}

// rank orders outcomes, the worst first.
func rank(o chain.Outcome) int {
	return slices.Index([]chain.Outcome{chain.EvidenceBroken, chain.OutsideAuthority, chain.CannotBeTold, chain.NotJudgedHere, chain.WithinAuthority}, o)
}

// Naming a parent that is missing or has nothing to do with it, or such a
// cause, never gives a better outcome than naming none, and removes no finding
// that does not depend on the link.
func TestFalseLinksHelpNobody(t *testing.T) {
	others := map[string]func(*draft){
		"a missing parent":   parentLost,
		"an unrelated one":   parent("X"),
		"a missing cause":    func(d *draft) { d.Causes = append(d.Causes, strings.Repeat("ab", 32)) },
		"an unrelated cause": causes("X"),
	}
	for seed := range *seeds {
		act := func(edit ...func(*draft)) chain.Verdict {
			w := newWorld(t)
			// A stranger's decision, for a user of its own.
			w.log("X", agent("mail-courier"), decides("something else"), forUser("other"))
			g := randomLog(w, seed, 12, nil)
			g.records, g.actions = nil, nil
			g.last = append([]func(*draft){func(d *draft) { d.Parent, d.Causes = "", nil }}, edit...)
			if seed%2 == 0 {
				g.act(pick(g.rng, players), pick(g.rng, users))
			} else {
				g.story(pick(g.rng, players), pick(g.rng, users))
			}
			return verdictOf(t, w, g.judgeEntries(g.all(), byHand), g.actions[0])
		}
		none := act()
		for what, edit := range others {
			v := act(edit)
			if rank(v.Outcome) > rank(none.Outcome) {
				t.Errorf("seed %d: with %s the outcome is %s, without %s", seed, what, v.Why, none.Why)
			}
			for _, f := range none.Findings {
				if f.Code != "DECISION_WITHOUT_INTERPRETATION" && !has(v, f.Code) {
					t.Errorf("seed %d: with %s there is no %s any more", seed, what, f.Code)
				}
			}
		}
	}
}

// Whatever record a verdict rests on, if the evidence for it is broken, so is
// the verdict.
func TestBrokenEvidenceIsNeverClean(t *testing.T) {
	w := newWorld(t)
	order(w, "")
	decidesOn(w, proposes(el("hardware-order", "create", eur("62000"), quantity("40"), at("https://erp.example.com/orders"))))
	w.log("OK", device("hardware-lead"), approves("D2"))
	orders(w, "A1", "62000", w.approvedBy("OK"))
	es := chainOf(w.entries, w.named("A1").ID)
	for name, index := range map[string]int64{"A1": 0, "D2": 0, "G2": 0, "G1": 0, "OK": 0, "D1": 0, "P1": 0, "I1": 0} {
		index = w.index(name)
		w.faults = map[int64][]chain.Fault{index: {{Code: "BROKEN_SIGNATURE", Text: "does not verify"}}}
		out := w.judgeEntries(es, byHand)
		v := verdictOf(t, w, out, "A1")
		if v.Code != chain.Unverifiable || out.Outcome != chain.EvidenceBroken || len(v.Answers) != 0 {
			t.Errorf("with a broken %s: %s\n%s", name, v.Why, w.read(out))
		}
	}
	// A fault of a name that is not known here is taken for the worst; and one of
	// an entry that is no record of the chain shows in the headline.
	w.faults = map[int64][]chain.Fault{w.index("A1"): {{Code: "SOMETHING_NEW", Text: "is wrong"}}}
	if v := verdictOf(t, w, w.judgeEntries(es, byHand), "A1"); v.Code != chain.Unverifiable {
		t.Errorf("an unknown fault gives %s", v.Code)
	}
	w.faults = map[int64][]chain.Fault{3: {{Code: "BROKEN_ENTRY", Text: "cannot be read"}}}
	if out := w.judgeEntries(es, byHand); out.Outcome != chain.EvidenceBroken || len(out.Findings) == 0 {
		t.Errorf("a broken entry that is no node: %s", out.Outcome)
	}
}
