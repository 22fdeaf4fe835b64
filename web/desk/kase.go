package desk

import (
	"math/big"
	"slices"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// kase is a case as it lies in memory: texts are terms. There are many, so each
// is small: lists that every case has share one slice (arena.go), and what few
// cases have is elsewhere. It is never changed once it is published; who changes
// it makes another one.
type kase struct {
	// rootID is kept though the log has it: of a root that became damaged the
	// log does not.
	rootID      record.ID
	first, last int64
	// taken, tookActs and tookLast are the numbers of records and of actions that
	// are known to be of it, and the newest time: what is said of a case that is
	// not judged.
	tookLast        int64
	list            []uint32 // see arena.go
	more            *more
	taken, tookActs uint32
	// asOf is the size of the log that it was judged as of; 0: it was not yet.
	root, asOf       uint32
	records, actions uint32
	// opNamed and resNamed are what its title names.
	opNamed, resNamed      term
	answers, user, session term

	nTerms, nParts   uint32
	nCounts, nGrants uint8
	outcome          uint8 // place in outcomes
	// made: it has a record that makes it a case. Until then it is a place for
	// what hangs together: a grant, say.
	made bool
}

// finding is a [Finding] without its review.
type finding struct {
	record      record.ID
	index, time int64
	code        term
	// who must answer, in words; party is the agent or the operator that it is.
	who, party term
	severity   uint8 // rank
	conduct    bool  // else it is about the evidence
}

// more is what few cases have.
type more struct {
	findings []finding // the gravest first
	// deadline is the log time from which on it must be judged again: what is
	// still pending is a finding then. 0: nothing is.
	deadline int64
	// unjudged says why it could not be judged; again, that it may be
	// another time.
	unjudged string
	again    bool
	reviews  []review // in log order
	// attached are the entries of approvals and denials: they belong to a case
	// without a link that a chain follows.
	attached []attached
	// causedBy are the cases of which a record here names one as a cause:
	// chains of those hold records of this one.
	causedBy []uint32
}

type attached struct{ index, time int64 }

// review is a [Review], and what it is about.
type review struct {
	Review
	// about is the entry of the record, and finding the code; 0 for the case as
	// a whole.
	about   record.ID
	finding term
}

// outcomes are those that an action may have, the worst first, and then those
// of a case alone.
var outcomes = append(chain.Outcomes(), chain.NothingDone)

// tooLarge stands for an outcome where nothing was judged.
const tooLarge = 255

func outcomeAt(o chain.Outcome) uint8 { return uint8(slices.Index(outcomes, o)) }

// severities are in rising order; a rank is a place in it.
var severities = []chain.Severity{chain.Info, chain.Warn, chain.High, chain.Critical}

func rankOf(s chain.Severity) uint8 { return uint8(max(0, slices.Index(severities, s))) }

// noSeverity is the worst of a case without findings.
const noSeverity = 255

// mine returns a copy to be changed; what it holds by slices is shared.
func (k *kase) mine() *kase {
	c := *k
	if k.more != nil {
		m := *k.more
		m.reviews, m.attached, m.causedBy = slices.Clip(m.reviews), slices.Clip(m.attached), slices.Clip(m.causedBy)
		c.more = &m
	}
	return &c
}

// deadline is that of more, if there is one.
func (k *kase) deadline() int64 {
	if k.more == nil {
		return 0
	}
	return k.more.deadline
}

// findings are those of more, if there are any.
func (k *kase) findings() []finding {
	if k.more == nil {
		return nil
	}
	return k.more.findings
}

// worst is the severity of its gravest finding, by rank, or noSeverity.
func (k *kase) worst() uint8 {
	if f := k.findings(); len(f) > 0 {
		return f[0].severity
	}
	return noSeverity
}

// trim lets go of more if there is nothing in it.
func (k *kase) trim() {
	if m := k.more; m != nil && len(m.findings)+len(m.reviews)+len(m.attached)+len(m.causedBy) == 0 && m.deadline == 0 && m.unjudged == "" {
		k.more = nil
	}
}

func (k *kase) rare() *more {
	if k.more == nil {
		k.more = &more{}
	}
	return k.more
}

// reviewOf returns the newest review, before a time, of a finding, or else of
// the case as a whole; with f nil of the case alone.
func (k *kase) reviewOf(f *finding, before int64) *Review {
	if k.more == nil {
		return nil
	}
	var whole *Review
	for i := range slices.Backward(k.more.reviews) {
		r := &k.more.reviews[i]
		switch {
		case before != 0 && r.Time >= before:
		case f != nil && r.finding == f.code && r.about == f.record:
			return &r.Review
		case r.finding == 0 && whole == nil:
			whole = &r.Review
		}
	}
	return whole
}

// waits reports whether a case still waits for somebody: see [Query.Open].
func (k *kase) waits() bool {
	findings := k.findings()
	for i := range findings {
		if k.openAt(&findings[i], 0) {
			return true
		}
	}
	return k.wholeAt(0) != nil
}

// openAt reports whether a finding is open at a time, or now with 0. To know
// what is of severity info is good, and nobody is waited for.
func (k *kase) openAt(f *finding, before int64) bool {
	return severities[f.severity] != chain.Info && (before == 0 || f.time < before) && k.reviewOf(f, before).Open()
}

// wholeAt returns what stands for the case as a whole where that is open and
// none of its findings is: nobody said yet what becomes of how it came out. It
// has no code, and is as grave as the gravest finding. Nil if nothing waits.
func (k *kase) wholeAt(before int64) *finding {
	calm := k.outcome == outcomeAt(chain.WithinAuthority) || k.outcome == outcomeAt(chain.NothingDone)
	if calm || before != 0 && k.last >= before || !k.reviewOf(nil, before).Open() {
		return nil
	}
	whole := &finding{record: k.rootID, index: int64(k.root), time: k.last, who: k.answers, severity: rankOf(chain.Warn)}
	findings := k.findings()
	for i := range findings {
		if k.openAt(&findings[i], before) {
			return nil
		}
		whole.severity = max(whole.severity, findings[i].severity)
	}
	return whole
}

// expand makes the case that callers see.
func (s *state) expand(k *kase) *Case {
	c := &Case{Root: k.rootID, RootIndex: int64(k.root), First: k.first, Last: k.last, Records: int(k.records), Actions: int(k.actions),
		Title: s.title(k), TooLarge: k.outcome == tooLarge, Answers: s.terms.str(k.answers),
		User: s.terms.str(k.user), Session: s.terms.str(k.session), AsOf: int64(k.asOf)}
	if !c.TooLarge {
		c.Outcome = outcomes[k.outcome]
	}
	c.Counts = k.expandCounts()
	if k.more != nil {
		c.Unjudged = k.more.unjudged
	}
	findings := k.findings()
	for i := range findings {
		c.Findings = append(c.Findings, s.expandFinding(k, &findings[i], 0))
	}
	for _, t := range k.terms() {
		switch text := s.terms.str(t); s.terms.kinds[t] {
		case kindOperation:
			c.Operations = append(c.Operations, text)
		case kindResource:
			c.Resources = append(c.Resources, text)
		case kindDatatype:
			c.DataTypes = append(c.DataTypes, text)
		}
	}
	for p := range k.parts() {
		switch text := s.terms.str(p.term); s.terms.kinds[p.term] {
		case kindAgent:
			c.Agents = append(c.Agents, text)
		case kindOperator:
			c.Operators = append(c.Operators, text)
		case kindSubject:
			c.Subjects = append(c.Subjects, text)
		}
	}
	for _, list := range [][]string{c.Operations, c.Resources, c.DataTypes, c.Agents, c.Operators, c.Subjects} {
		slices.Sort(list)
	}
	for a := range k.amounts() {
		c.Amounts = append(c.Amounts, Amount{a.text(), s.terms.str(a.unit())})
	}
	c.Review = own(k.reviewOf(nil, 0))
	return c
}

func (s *state) expandFinding(k *kase, f *finding, before int64) Finding {
	g := Finding{Code: s.terms.str(f.code), Severity: severities[f.severity], Kind: chain.Proof, Index: f.index, Record: f.record, Time: f.time,
		Who: s.terms.str(f.who), Review: own(k.reviewOf(f, before))}
	if s.terms.kinds[f.party] == kindAgent {
		g.Agent = s.terms.str(f.party)
	}
	if f.conduct {
		g.Kind = chain.Conduct
	}
	return g
}

// own returns a copy that a caller may keep.
func own(r *Review) *Review {
	if r == nil {
		return nil
	}
	c := *r
	return &c
}

func (k *kase) expandCounts() []chain.Count {
	var all []chain.Count
	for at, n := range k.counts() {
		all = append(all, chain.Count{Outcome: outcomes[at], Actions: int(n)})
	}
	return all
}

// decimal reads a decimal of a valid record.
func decimal(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("desk: a valid record has an amount that is no decimal: " + s)
	}
	return r
}
