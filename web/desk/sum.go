package desk

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

// summing makes a case's summary out of its chain. A chain also holds records of
// other cases, which name records of this one as their cause: those count where
// they are at home.
type summing struct {
	*round
	j *Judged
	k *kase
	// mine are the case's own records; top is the topmost of each.
	mine map[int64]*chain.Node
	top  map[*chain.Node]*chain.Node

	terms   map[term]bool
	parts   map[term]*part
	sums    map[string]*big.Rat
	grants  map[uint32]bool
	counts  [5]uint32
	list    []finding
	worstAt *chain.Verdict
}

// summarise sets what a case says.
func (r *round) summarise(k *kase, j *Judged) {
	s := &summing{round: r, j: j, k: k, mine: map[int64]*chain.Node{}, top: map[*chain.Node]*chain.Node{},
		terms: map[term]bool{}, parts: map[term]*part{}, sums: map[string]*big.Rat{}, grants: map[uint32]bool{}}
	s.collect()
	s.records()
	s.verdicts()
	s.store()
}

// topOf returns the topmost record above one. Links of withheld records can form
// a circle: then it is where the way began.
func (s *summing) topOf(n *chain.Node) *chain.Node {
	var way []*chain.Node
	top := n
	for {
		if t := s.top[top]; t != nil {
			top = t
			break
		}
		way = append(way, top)
		s.top[top] = n
		if top.Parent == nil {
			break
		}
		top = top.Parent
	}
	for _, w := range way {
		s.top[w] = top
	}
	return top
}

// collect finds the case's own records: those that stand below the same topmost
// record as its root.
func (s *summing) collect() {
	i := slices.IndexFunc(s.j.Chain.Nodes, func(n *chain.Node) bool { return n.Index == int64(s.k.root) })
	if i < 0 {
		return
	}
	root := s.topOf(s.j.Chain.Nodes[i])
	beside := map[int64]bool{}
	if s.k.more != nil {
		for _, a := range s.k.more.attached {
			beside[a.index] = true
		}
	}
	for _, n := range s.j.Chain.Nodes {
		// Reviews are said about a case, and attached approvals counted apart.
		if s.topOf(n) == root && !beside[n.Index] && n.Record.Msg.GetReview() == nil {
			s.mine[n.Index] = n
		}
	}
}

// inOrder returns the own records in log order.
func (s *summing) inOrder() []*chain.Node {
	return slices.SortedFunc(maps.Values(s.mine), func(a, b *chain.Node) int { return cmp.Compare(a.Index, b.Index) })
}

// records notes who took part, and what was touched.
func (s *summing) records() {
	k := s.k
	k.records, k.actions, k.first, k.last, k.user, k.session = 0, 0, math.MaxInt64, 0, 0, 0
	if k.more != nil {
		k.more.deadline = 0
	}
	counted := map[counted]bool{}
	for _, n := range s.inOrder() {
		k.records++
		k.first, k.last = min(k.first, n.LogTime), max(k.last, n.LogTime)
		m := n.Record.Msg
		s.author(n)
		if n.Opaque != chain.Readable {
			continue
		}
		if g, ok := s.grantOf(m); ok && g < n.Index {
			s.grants[uint32(g)] = true
		}
		s.part(s.put(kindUser, m.GetAuthor().GetUser()))
		user := s.put(kindUser, cmp.Or(m.GetUser(), m.GetAuthor().GetUser()))
		if s.part(user); k.user == 0 {
			k.user = user
		}
		session := s.term(kindSession, m.GetSession())
		if k.session == 0 {
			k.session = session
		}
		for _, sub := range m.GetSubjects() {
			s.part(s.put(kindSubject, sub))
		}
		if m.GetStages().GetAction() != nil {
			s.action(n, user)
		}
		if c := m.GetCounter(); c != nil {
			s.counter(n, c, counted)
		}
	}
	if k.more != nil {
		for _, a := range k.more.attached {
			k.records++
			k.first, k.last = min(k.first, a.time), max(k.last, a.time)
		}
	}
	if s.j.Judgement == nil { // it goes on beyond what is here
		k.records, k.actions, k.last = max(k.records, k.taken), max(k.actions, k.tookActs), max(k.last, k.tookLast)
	}
	k.first = min(k.first, k.last)
}

// author notes who signed.
func (s *summing) author(n *chain.Node) {
	a := n.Record.Msg.GetAuthor()
	if a.GetAgent() != "" {
		s.part(s.put(kindAgent, a.GetAgent()))
	}
	s.part(s.put(kindOperator, cmp.Or(a.GetOperator(), s.log.Registry().OperatorOf(a, n.Index))))
	s.term(kindParty, cmp.Or(a.GetService(), a.GetClient(), a.GetReviewer(), a.GetAdministrator()))
}

// part returns what a party has in the case; nil for none.
func (s *summing) part(t term) *part {
	if t == 0 {
		return nil
	}
	if s.parts[t] == nil {
		s.parts[t] = &part{term: t, agent: s.state.terms.kinds[t] == kindAgent}
	}
	return s.parts[t]
}

func (s *summing) term(k kind, text string) term {
	t := s.put(k, text)
	if t != 0 {
		s.terms[t] = true
	}
	return t
}

func (s *summing) element(e *onusv1.ScopeElement) {
	if e == nil {
		return
	}
	s.term(kindOperation, record.Operation(e))
	at := s.term(kindResource, e.GetLocation())
	if id := e.GetIdentifier(); id != "" { // as record.Resources has it
		s.terms[s.add(kindResource, at, "#"+id)] = true
	}
	for _, d := range e.GetDatatypes() {
		s.term(kindDatatype, d)
	}
}

// action counts an action for who had part in it.
func (s *summing) action(n *chain.Node, user term) {
	m, a := n.Record.Msg, n.Record.Msg.GetStages().GetAction()
	s.k.actions++
	s.element(a.GetElement())
	acted := []term{s.put(kindAgent, m.GetAuthor().GetAgent()), s.put(kindOperator, m.GetAuthor().GetOperator()), user}
	for _, sub := range m.GetSubjects() {
		acted = append(acted, s.put(kindSubject, sub))
	}
	for _, t := range acted {
		if p := s.part(t); p != nil {
			p.actions++
		}
	}
	ended, undone := s.ended(n)
	agent := s.part(acted[0])
	window := s.log.Registry().Genesis().GetPolicy().GetOutcomeWindow().AsDuration().Milliseconds()
	switch pending := s.j.Time-n.LogTime <= window; {
	case agent == nil:
	case m.GetCapture() != onusv1.Capture_CAPTURE_SELF:
		agent.expected++
	case ended:
		agent.expected, agent.recorded = agent.expected+1, agent.recorded+1
	case !pending:
		agent.expected++
	}
	// Its outcome can become missing, by time alone.
	if due := n.LogTime + window + 1; !ended && due > s.j.Time && (s.k.deadline() == 0 || due < s.k.deadline()) {
		s.k.rare().deadline = due
	}
	if e := a.GetElement(); e.GetAmount() != "" && !undone {
		if s.sums[e.GetUnit()] == nil {
			s.sums[e.GetUnit()] = new(big.Rat)
		}
		s.sums[e.GetUnit()].Add(s.sums[e.GetUnit()], decimal(e.GetAmount()))
	}
}

// verdicts notes how the own actions came out, and what was found.
func (s *summing) verdicts() {
	k, j := s.k, s.j.Judgement
	k.asOf, k.answers = uint32(s.j.Size), 0
	if j == nil {
		k.outcome = tooLarge
		return
	}
	k.outcome = outcomeAt(chain.NothingDone)
	broken := false
	note := func(fs []chain.Finding) {
		for i := range fs {
			broken = broken || fs[i].Forces == chain.ForcesUnverifiable && s.mine[fs[i].Index] != nil
			s.found(&fs[i])
		}
	}
	for i := range j.Actions {
		v := &j.Actions[i]
		if s.mine[v.Index] == nil {
			continue
		}
		at := outcomeAt(v.Outcome)
		s.counts[at]++
		if k.outcome = min(k.outcome, at); s.worstAt == nil || at < outcomeAt(s.worstAt.Outcome) {
			s.worstAt = v
		}
		note(v.Findings)
	}
	note(j.Findings)
	// A record that cannot be read may be an action: the case is not clean.
	// Where nobody can see to which chain it belongs, it is in all of them.
	hidden := slices.ContainsFunc(s.j.Chain.Nodes, func(n *chain.Node) bool {
		return n.Opaque != chain.Readable && (s.mine[n.Index] != nil || j.Outcome == chain.NotJudgedHere)
	})
	if hidden {
		k.outcome = min(k.outcome, outcomeAt(chain.NotJudgedHere))
	}
	if broken {
		k.outcome = outcomeAt(chain.EvidenceBroken)
	}
	slices.SortStableFunc(s.list, func(a, b finding) int {
		return cmp.Or(-cmp.Compare(a.severity, b.severity), cmp.Compare(a.index, b.index), compareCodes(s.state.terms.str(a.code), s.state.terms.str(b.code)),
			cmp.Compare(s.state.terms.str(a.who), s.state.terms.str(b.who)))
	})
	if s.worstAt != nil && len(s.worstAt.Answers) > 0 {
		k.answers = s.term(kindWho, who(s.worstAt.Answers[0].Party, true))
	}
}

// compareCodes orders codes as the rules do; those that are not known come last.
func compareCodes(a, b string) int {
	return cmp.Or(cmp.Compare(ruleAt(a), ruleAt(b)), cmp.Compare(a, b))
}

func ruleAt(code string) int {
	if i := slices.IndexFunc(chain.Rules, func(r chain.Rule) bool { return r.Code == code }); i >= 0 {
		return i
	}
	return len(chain.Rules)
}

// found notes a finding about an own record, unless it is coverage.
func (s *summing) found(f *chain.Finding) {
	n := s.mine[f.Index]
	if n == nil || f.Kind == chain.Coverage {
		return
	}
	g := finding{record: n.Record.ID, index: f.Index, time: n.LogTime, code: s.put(kindCode, f.Code), severity: rankOf(f.Severity), conduct: f.Kind == chain.Conduct}
	if len(f.Parties) > 0 {
		p := f.Parties[0]
		g.who = s.term(kindWho, who(p, false))
		switch p.Kind {
		case registry.KindAgent:
			g.party = s.put(kindAgent, p.ID)
		case registry.KindOperator:
			g.party = s.put(kindOperator, p.ID)
		}
		s.part(g.party)
	}
	s.list = append(s.list, g)
}

// who names a party with its unit and post, or the unit and post alone. No
// process is named: each would be another text.
func who(p chain.Party, unit bool) string {
	p.Instance = ""
	if unit && p.Unit != nil {
		return p.Unit.String()
	}
	return p.String()
}

// title picks what the case is named after: the worst action or, without any,
// what was asked for, chosen or proposed; else what its first record is.
func (s *summing) title() {
	k := s.k
	e := (*onusv1.ScopeElement)(nil)
	if s.worstAt != nil {
		e = s.worstAt.Element
	}
	nodes := s.inOrder()
	for _, n := range nodes {
		st := n.Record.Msg.GetStages()
		for _, c := range append(append(slices.Clip(st.GetIntent().GetRequested()), st.GetDecision().GetChosen()...), st.GetDecision().GetProposal(), st.GetAction().GetElement(), n.Record.Msg.GetCounter().GetElement()) {
			if e == nil && c != nil && n.Opaque == chain.Readable {
				e = c
			}
		}
	}
	k.opNamed, k.resNamed = 0, 0
	switch {
	case e != nil:
		k.opNamed = s.put(kindOperation, record.Operation(e))
		k.resNamed = s.put(kindResource, e.GetLocation())
	case len(nodes) > 0:
		k.opNamed = s.put(kindWho, report.KindOf(nodes[0].Record.Msg))
	}
}

// store sorts what was collected into the case.
func (s *summing) store() {
	s.title()
	k := s.k
	l := lists{counts: s.counts, terms: slices.Sorted(maps.Keys(s.terms)), grants: slices.Sorted(maps.Keys(s.grants))}
	for _, t := range slices.Sorted(maps.Keys(s.parts)) {
		l.parts = append(l.parts, *s.parts[t])
	}
	for _, unit := range slices.Sorted(maps.Keys(s.sums)) {
		l.amounts = append(l.amounts, amount{s.put(kindUnit, unit), exact(s.sums[unit])})
	}
	k.pack(l)
	if len(s.list) > 0 || k.more != nil {
		k.rare().findings = slices.Clip(s.list)
	}
	k.trim()
}

// exact writes a sum of decimals as a decimal, without zeros at the end.
func exact(r *big.Rat) string {
	n, _ := r.FloatPrec()
	return r.FloatString(n)
}
