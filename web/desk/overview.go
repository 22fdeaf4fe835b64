package desk

import (
	"cmp"
	"slices"
	"time"

	"github.com/onus-ledger/onus/verifier/chain"
)

// has reports whether a time lies in a period.
func (p Period) has(t int64) bool { return t >= p.From && (p.To == 0 || t < p.To) }

// end is the time as of which a period is told: its end or, without one, the
// log time of what was read.
func (p Period) end(now int64) int64 { return cmp.Or(p.To, now) }

// maxOldest and maxBins bound an overview.
const (
	maxOldest = 8
	maxBins   = 60
	// maxDamaged bounds what is told of damaged entries, each.
	maxDamaged = 8
)

// Overview returns what there is to say of a period. A case is in the period in
// which its newest record lies, with all its actions; a finding is in that of
// the record that it is about. What is open, and who is silent, is as of the
// period's end; without one, as of the newest entry. No other clock is read.
func (d *Desk) Overview(p Period) *Overview {
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := d.state
	o := &overviewing{state: s, out: &Overview{Period: p, AsOf: s.asOf, Behind: max(0, d.log.Size()-s.asOf), Damage: s.damage.count,
		Damaged: s.damage.told(), Forged: s.forged.count, ForgedAt: s.forged.told()},
		agentAt: make([]int32, s.terms.len()), codeAt: make([]int32, s.terms.len()), newest: make([]newestAt, 0, len(s.cases))}
	for _, k := range s.cases {
		if !k.seen() {
			continue
		}
		if p.has(k.last) {
			o.count(k)
		}
		findings := k.findings()
		for j := range findings {
			o.finding(k, &findings[j])
		}
		if f := k.wholeAt(p.To); f != nil {
			o.waiting(k, f)
		}
	}
	o.counts()
	o.bins()
	o.agentSummaries(d)
	return o.out
}

// overviewing is an overview in the making.
type overviewing struct {
	*state
	out            *Overview
	outcomes, done [6]int
	open           [4][4]int // by severity and age
	oldest         []openAt
	// agents and codes are in the order in which they were met; agentAt and
	// codeAt have the place of each behind its term, plus one.
	agents          []agentCount
	codes           []CodeCount
	agentAt, codeAt []int32
	newest          []newestAt
}

type agentCount struct {
	term                               term
	cases, actions, recorded, expected int
	findings                           [4]int
}

// newestAt is a case with the time of its newest record.
type newestAt struct {
	last    int64
	outcome uint8
}

type openAt struct {
	k *kase
	f *finding
}

func (o *overviewing) agent(t term) *agentCount {
	if o.agentAt[t] == 0 {
		o.agents = append(o.agents, agentCount{term: t})
		o.agentAt[t] = int32(len(o.agents))
	}
	return &o.agents[o.agentAt[t]-1]
}

// count counts a case in the period.
func (o *overviewing) count(k *kase) {
	o.out.Cases++
	o.out.Actions += int(k.actions)
	if k.outcome != tooLarge {
		o.outcomes[k.outcome]++
		o.newest = append(o.newest, newestAt{k.last, k.outcome})
	}
	if k.more != nil && k.more.unjudged != "" {
		o.out.Unjudged++
	}
	for at, n := range k.counts() {
		o.done[at] += int(n)
	}
	for p := range k.parts() {
		if !p.agent {
			continue
		}
		a := o.agent(p.term)
		a.cases++
		a.actions += int(p.actions)
		a.recorded += int(p.recorded)
		a.expected += int(p.expected)
	}
}

// waiting counts what is open at the period's end.
func (o *overviewing) waiting(k *kase, f *finding) {
	o.open[f.severity][ageOf(o.out.Period.end(o.time)-f.time)]++
	o.old(openAt{k, f})
}

// finding counts a finding of the period, and one that is open at its end.
func (o *overviewing) finding(k *kase, f *finding) {
	p := o.out.Period
	open := k.openAt(f, p.To)
	if open {
		o.waiting(k, f)
	}
	if !p.has(f.time) {
		return
	}
	if o.codeAt[f.code] == 0 {
		o.codes = append(o.codes, CodeCount{Code: o.terms.str(f.code), Severity: severities[f.severity]})
		o.codeAt[f.code] = int32(len(o.codes))
	}
	c := &o.codes[o.codeAt[f.code]-1]
	c.Found++
	if open {
		c.Open++
	}
	if rankOf(c.Severity) < f.severity {
		c.Severity = severities[f.severity]
	}
	if o.terms.kinds[f.party] == kindAgent {
		o.agent(f.party).findings[f.severity]++
	}
}

func ageOf(ms int64) int {
	for i, d := range []time.Duration{day, 7 * day, month} {
		if ms < d.Milliseconds() {
			return i
		}
	}
	return 3
}

// old keeps the gravest and then oldest of the open findings.
func (o *overviewing) old(a openAt) {
	if len(o.oldest) == maxOldest && o.compare(a, o.oldest[maxOldest-1]) >= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(o.oldest, a, o.compare)
	o.oldest = slices.Insert(o.oldest, i, a)
	o.oldest = o.oldest[:min(len(o.oldest), maxOldest)]
}

// compare orders open findings. Of two at one record the order of the rules
// decides: numbers of terms differ from one desk to another.
func (o *overviewing) compare(a, b openAt) int {
	if c := cmp.Or(-cmp.Compare(a.f.severity, b.f.severity), cmp.Compare(a.f.time, b.f.time), cmp.Compare(a.f.index, b.f.index)); c != 0 {
		return c
	}
	return compareCodes(o.terms.str(a.f.code), o.terms.str(b.f.code))
}

func (o *overviewing) counts() {
	out := o.out
	for i := range outcomes {
		if n := o.outcomes[i]; n > 0 {
			out.Outcomes = append(out.Outcomes, chain.Count{Outcome: outcomes[i], Actions: n})
		}
		if n := o.done[i]; n > 0 {
			out.Done = append(out.Done, chain.Count{Outcome: outcomes[i], Actions: n})
		}
	}
	for i := range slices.Backward(severities) {
		if o.open[i] != [4]int{} {
			out.Open = append(out.Open, OpenCount{severities[i], o.open[i]})
		}
	}
	for _, a := range o.oldest {
		out.Oldest = append(out.Oldest, OpenFinding{o.expandFinding(a.k, a.f, out.Period.To), a.k.rootID, o.title(a.k)})
	}
	slices.SortFunc(o.codes, func(a, b CodeCount) int {
		return cmp.Or(-cmp.Compare(rankOf(a.Severity), rankOf(b.Severity)), -cmp.Compare(a.Found, b.Found), cmp.Compare(a.Code, b.Code))
	})
	out.Findings = o.codes
}

// widths of bins, of which the narrowest is taken that makes few enough.
var widths = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day, 28 * day, 91 * day, 364 * day}

// bins divides the period, or else the time from the first case to the last.
func (o *overviewing) bins() {
	if len(o.newest) == 0 {
		return
	}
	from, to := o.out.Period.From, o.out.Period.To
	if from == 0 || to == 0 {
		first := slices.MinFunc(o.newest, func(a, b newestAt) int { return cmp.Compare(a.last, b.last) }).last
		last := slices.MaxFunc(o.newest, func(a, b newestAt) int { return cmp.Compare(a.last, b.last) }).last
		from, to = cmp.Or(from, first), cmp.Or(to, last+1)
	}
	width := (to - from + maxBins - 1) / maxBins
	if i := slices.IndexFunc(widths, func(w time.Duration) bool { return w.Milliseconds() >= width }); i >= 0 {
		width = widths[i].Milliseconds()
	}
	n := (to - from + width - 1) / width
	counts := make([][6]int, n)
	for _, k := range o.newest {
		counts[(k.last-from)/width][k.outcome]++
	}
	for i, c := range counts {
		b := Bin{From: from + int64(i)*width, To: from + int64(i+1)*width}
		for j, n := range c {
			if n > 0 {
				b.Counts = append(b.Counts, chain.Count{Outcome: outcomes[j], Actions: n})
			}
		}
		o.out.Bins = append(o.out.Bins, b)
	}
}
