package chain

import (
	"cmp"
	"maps"
	"math/big"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// RuleVersion is the version of the rules by which [Judge] judges. It changes
// whenever the same entries could get another verdict.
const RuleVersion = 1

// Fault is something that is wrong with the evidence for an entry, as whoever
// checked its proofs found it: a signature, a key's binding, an inclusion.
type Fault struct {
	// Code is the finding's name, such as BROKEN_SIGNATURE.
	Code string
	// Text is one sentence.
	Text string
}

// Basis is what a chain is judged by, besides its own entries: the same log.
type Basis struct {
	// Registry and Authority hold the entries before Size. Authority is used by
	// one goroutine.
	Registry  *registry.Registry
	Authority *authority.State
	// Size is that of the log as of which is judged, and Time the log time of
	// its last entry: what is still pending then is no finding.
	Size, Time int64
	// Faults are what is wrong with the evidence, by index.
	Faults map[int64][]Fault
	// Hand says what else was at hand. It decides the evidence part of the
	// judgement alone, never the verdicts.
	Hand Hand
}

// Judgement is what there is to say about a chain.
type Judgement struct {
	// RuleVersion is that of the rules, and Size that of the log judged as of.
	RuleVersion int
	Size        int64
	// Outcome is the headline: that of the worst action, or broken if any
	// entry of the chain is.
	Outcome Outcome
	// Counts are the numbers of actions by outcome, the worst first.
	Counts []Count
	// Actions are the verdicts, in log order: exactly one for each action.
	Actions []Verdict
	// Findings are those about records that are no actions, in log order.
	Findings []Finding
	// Coverage says per agent how much is not wired yet.
	Coverage []Covering
	// Evidence is the part that differs by what was at hand.
	Evidence Evidence
}

// Count is how many actions have an outcome.
type Count struct {
	Outcome Outcome
	Actions int
}

// Verdict says who answers for one action, and why.
type Verdict struct {
	Index  int64
	Record record.ID
	// Code is the stable name, Title what people read.
	Code    Code
	Title   string
	Outcome Outcome
	// Why is the reason, in plain words.
	Why string
	// Element is what was done.
	Element *onusv1.ScopeElement
	// LogTime decides; Claimed is the author's clock. Milliseconds since 1970.
	LogTime, Claimed int64
	// Answers are the parties that answer: those that answer first before the
	// others.
	Answers []Answer
	// Produce is the record that the first party must produce; zero if none is
	// named.
	Produce record.ID
	// State says what the verdict rests on: asserted, where the author or the
	// authority is only asserted.
	State State
	// DeclaredByOperator: what the user asked for is the catalogue of the tool
	// that the user signed in to, as its operator registered it.
	DeclaredByOperator bool
	// Words are the user's own, the nearest intent on the path first. They are
	// quoted and not judged.
	Words []Quote
	// Claims are what the agents say about it themselves. Nothing proves them.
	Claims []Quote
	// Findings are all that there is to know, in the order of [Rules].
	Findings []Finding
}

// Judge says of every action of the chain who answers for it. It reads the
// basis and changes nothing.
func Judge(c *Chain, b Basis) *Judgement {
	j := &judge{Basis: b, chain: c, policy: b.Registry.Genesis().GetPolicy(),
		elsewhere: map[record.ID]bool{}, brokenAt: map[int64]Finding{}, asked: map[record.ID][]asked{}, spent: map[askedElement]*big.Rat{}, reads: map[reader]map[string][]read{}}
	for _, r := range c.Elsewhere {
		j.elsewhere[r.ID] = true
	}
	j.readFaults()
	j.walk()
	j.services()
	for _, n := range c.Nodes {
		j.node(n)
	}
	j.forks()
	j.duplicates()
	out := &Judgement{RuleVersion: RuleVersion, Size: b.Size}
	for _, n := range c.Nodes {
		p := j.places[n]
		if n.Record.Msg.GetStages().GetAction() != nil && n.Opaque == Readable {
			out.Actions = append(out.Actions, j.verdict(n, p))
			continue
		}
		out.Findings = append(out.Findings, j.settle(n, p)...)
	}
	out.Findings = append(out.Findings, j.stray...)
	out.count(j)
	out.Coverage = j.coverage(out)
	out.Evidence = j.evidence(out)
	return out
}

// judge is one judgement in the making.
type judge struct {
	Basis
	chain  *Chain
	policy *onusv1.Policy
	places map[*Node]*place
	asked  map[record.ID][]asked // by intent
	spent  map[askedElement]*big.Rat
	// brokenAt are the entries whose evidence forces UNVERIFIABLE.
	brokenAt map[int64]Finding
	// elsewhere are the records that the log has outside the chain.
	elsewhere map[record.ID]bool
	// stray are findings about entries that are not nodes of the chain.
	stray []Finding
	// hidden are the records here that cannot be read; nil until it is asked.
	hidden map[record.ID]bool
	// recording are the registered services.
	recording []string
	// reads are what was read on own authority, up to the node in hand, and
	// userScopes what users gave or asked for, by root.
	reads      map[reader]map[string][]read
	userScopes map[principalAt][]scopeAt
}

// place is a record's place in the chain, and what is known about it.
type place struct {
	node *Node
	// root is the topmost record of its tree, whether or not the links count.
	root *Node
	path
	findings []Finding
	// stands is what an action stands on.
	stands footing
}

func (p *place) find(code string, format string, args ...any) *Finding {
	p.findings = append(p.findings, findingf(code, p.node, format, args...))
	return &p.findings[len(p.findings)-1]
}

func (p *place) has(code string) bool {
	return slices.ContainsFunc(p.findings, func(f Finding) bool { return f.Code == code })
}

func (p *place) forced(f Forces) bool {
	return slices.ContainsFunc(p.findings, func(g Finding) bool { return g.Forces == f })
}

// readFaults turns what the caller found to be wrong into findings.
func (j *judge) readFaults() {
	here := make(map[int64]bool, len(j.chain.Nodes))
	for _, n := range j.chain.Nodes {
		here[n.Index] = true
	}
	for _, index := range slices.Sorted(maps.Keys(j.Faults)) {
		for _, f := range j.Faults[index] {
			found := findingOf(f.Code, index, f.Text)
			if !here[index] {
				j.stray = append(j.stray, found)
			}
			if _, before := j.brokenAt[index]; found.Forces == ForcesUnverifiable && !before {
				j.brokenAt[index] = found
			}
		}
	}
}

func (j *judge) isBroken(n *Node) bool {
	_, broken := j.brokenAt[n.Index]
	return broken
}

// counts: it can be read, and its evidence is not broken.
func (j *judge) counts(n *Node) bool { return n.Opaque == Readable && !j.isBroken(n) }

// node collects what is to be said of one record by itself and by its path.
func (j *judge) node(n *Node) {
	p := j.places[n]
	for _, f := range j.Faults[n.Index] {
		p.findings = append(p.findings, findingOf(f.Code, n.Index, f.Text))
	}
	if n.Opaque != Readable {
		if n.Opaque == Newer {
			p.find("NOT_JUDGED", "has a format that version %d of these rules does not know", RuleVersion)
		}
		return
	}
	if j.isBroken(n) {
		return // whose word it is, or when it was said, is not shown
	}
	for _, f := range n.Findings {
		p.findings = append(p.findings, findingOf(f.Code, n.Index, f.Text))
	}
	j.authority(n, p)
	j.link(n, p)
	j.words(n, p)
	if n.Record.Msg.GetStages().GetAction() != nil {
		j.action(n, p)
	}
}

// action collects what is to be said of an action.
func (j *judge) action(n *Node, p *place) {
	j.footing(n, p)
	j.principal(n, p)
	j.token(n, p)
	j.rooted(n, p)
	j.disclosed(n, p)
	j.effect(n, p)
	j.restsOnBroken(n, p)
	j.unreadable(n, p)
}

// settle gives the findings of a record their parties, in their order. They
// force a verdict on actions alone: what is wrong with a grant becomes an
// action's only if it lies in the excess.
func (j *judge) settle(n *Node, p *place) []Finding {
	action := n.Record.Msg.GetStages().GetAction() != nil
	for i := range p.findings {
		f := &p.findings[i]
		f.Parties = j.mustAnswer(n, p, f)
		if !action && f.Forces == ForcesUnauthorized {
			f.Forces = ForcesNothing
		}
	}
	slices.SortStableFunc(p.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Code), rank(b.Code)), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Text, b.Text))
	})
	return p.findings
}

// stampOf returns a node's stamp.
func stampOf(n *Node) *entry.Stamp {
	if n.Stamp != nil {
		return n.Stamp
	}
	return &entry.Stamp{LogTime: n.LogTime, KeySetEntry: -1}
}
