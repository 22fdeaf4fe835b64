package desk

import (
	"cmp"
	"slices"

	"github.com/onus-ledger/onus/verifier/chain"
)

// agentSummaries tells of the agents that had part in the period, or fell
// silent in it.
func (o *overviewing) agentSummaries(d *Desk) {
	p := o.out.Period
	end := p.end(o.time)
	for t, l := range o.lives {
		if since := l.last + l.patience(); l.silent(end) && since >= p.From {
			o.agent(t)
		}
	}
	reg := d.log.Registry()
	for i := range o.agents {
		a := &o.agents[i]
		sum := AgentSummary{Agent: o.terms.str(a.term), Cases: a.cases, Actions: a.actions, Findings: map[chain.Severity]int{}, Recorded: a.recorded, Expected: a.expected}
		for j, n := range a.findings {
			if n > 0 {
				sum.Findings[severities[j]] = n
			}
		}
		class, _ := reg.Agent(sum.Agent, o.asOf)
		sum.Name, sum.Operator = class.GetDisplayName(), class.GetOperator()
		if l := o.lives[a.term]; l != nil {
			sum.FirstSeen, sum.LastSeen = l.first, l.last
			sum.Silent = l.silent(end) && !d.revokedAgent(sum.Agent, o.asOf)
		}
		if a.cases+a.actions+len(sum.Findings) > 0 || sum.Silent {
			o.out.Agents = append(o.out.Agents, sum)
		}
	}
	slices.SortFunc(o.out.Agents, func(a, b AgentSummary) int {
		for _, s := range slices.Backward(severities) {
			if a.Findings[s] != b.Findings[s] {
				return -cmp.Compare(a.Findings[s], b.Findings[s])
			}
		}
		if a.Silent != b.Silent {
			if a.Silent {
				return -1
			}
			return 1
		}
		return cmp.Or(-cmp.Compare(a.Actions, b.Actions), cmp.Compare(a.Agent, b.Agent))
	})
}

// Agent, Operator, User and Subject return what is known of one party over a
// period; what is not known has zeroes. Cases are in the period in which their
// newest record lies. Actions are those that the agent, or agents of the
// operator, signed, and those whose record names the user or the subject.
// FirstSeen and LastSeen of an agent are those of its own records, whatever the
// period, and of others those of the cases. Findings by code are those that the
// agent, or the operator or an agent of its, must answer for, and those of all
// cases of a user or a subject.
func (d *Desk) Agent(class string, p Period) Party {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t := d.state.terms.find(kindAgent, class)
	out := d.party(t, p, func(f *finding) bool { return f.party == t })
	if l := d.state.lives[t]; l != nil {
		out.FirstSeen, out.LastSeen = l.first, l.last
	}
	return out
}

// Operator is as [Desk.Agent].
func (d *Desk) Operator(id string, p Period) Party {
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := d.state
	t := s.terms.find(kindOperator, id)
	answers := map[term]bool{t: true, 0: false}
	return d.party(t, p, func(f *finding) bool {
		mine, known := answers[f.party]
		if !known {
			class, _ := d.log.Registry().Agent(s.terms.str(f.party), s.asOf)
			mine = s.terms.kinds[f.party] == kindAgent && class.GetOperator() == id
			answers[f.party] = mine
		}
		return mine
	})
}

// User is as [Desk.Agent].
func (d *Desk) User(pseudonym string, p Period) Party {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.party(d.state.terms.find(kindUser, pseudonym), p, func(*finding) bool { return true })
}

// Subject is as [Desk.Agent].
func (d *Desk) Subject(pseudonym string, p Period) Party {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.party(d.state.terms.find(kindSubject, pseudonym), p, func(*finding) bool { return true })
}

// party adds up what a party had in the cases of a period.
func (d *Desk) party(t term, p Period, answers func(*finding) bool) Party {
	out := Party{Findings: map[string]int{}}
	if t == 0 {
		return out
	}
	var byOutcome [6]int
	for _, k := range d.state.cases {
		if !k.seen() {
			continue
		}
		had, ok := k.part(t)
		if !ok {
			continue
		}
		findings := k.findings()
		for i := range findings {
			if f := &findings[i]; p.has(f.time) && answers(f) {
				out.Findings[d.state.terms.str(f.code)]++
			}
		}
		if !p.has(k.last) {
			continue
		}
		out.Cases++
		out.Actions += int(had.actions)
		if k.outcome != tooLarge {
			byOutcome[k.outcome]++
		}
		if out.FirstSeen == 0 || k.first < out.FirstSeen {
			out.FirstSeen = k.first
		}
		out.LastSeen = max(out.LastSeen, k.last)
	}
	for i, n := range byOutcome {
		if n > 0 {
			out.Outcomes = append(out.Outcomes, chain.Count{Outcome: outcomes[i], Actions: n})
		}
	}
	return out
}

// Users returns the pseudonyms of all users who took part, those first whose
// case has the newest record, from a position on; next is 0 at the end.
func (d *Desk) Users(from, limit int) (users []string, next int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	last := map[term]int64{}
	for _, k := range d.state.cases {
		if !k.seen() {
			continue
		}
		for p := range k.parts() {
			if d.state.terms.kinds[p.term] == kindUser {
				last[p.term] = max(last[p.term], k.last)
			}
		}
	}
	all := make([]term, 0, len(last))
	for t := range last {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b term) int { return cmp.Or(-cmp.Compare(last[a], last[b]), cmp.Compare(a, b)) })
	from = min(max(from, 0), len(all))
	to := from + min(max(limit, 0), len(all)-from)
	for _, t := range all[from:to] {
		users = append(users, d.state.terms.str(t))
	}
	if to == len(all) || to == from {
		return users, 0
	}
	return users, to
}
