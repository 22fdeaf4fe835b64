package authority

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// Uses returns the use stamps of r at that index: for each total limit that
// counts its action, the grant acted under first and upwards, the use before
// and the total before; then one for the approval that it names, if the log
// has it. The log time decides nothing here: a use under an expired grant is
// counted all the same.
func (s *State) Uses(r *record.Record, at, logTime int64) []entry.Use {
	a := r.Msg.GetStages().GetAction()
	if a == nil {
		return nil
	}
	var us []entry.Use
	for _, l := range s.limitsOf(r.Msg, a.GetElement(), at) {
		w := s.used(l, at)
		us = append(us, entry.Use{ID: l.grant, Limit: l.number, Previous: w.last, Total: total(w.sum)})
	}
	if ans, ok := s.namedApproval(a, at); ok {
		u := entry.Use{Approval: true, ID: ans.id, Previous: -1, Denial: s.answered(ans.proposal, at).denial}
		if w, ok := s.usedApproval(ans.id, at); ok {
			u.Previous = w.index
		}
		us = append(us, u)
	}
	return us
}

// What outcomes and counter-records say of an action.
const (
	silent     = 0
	tookPlace  = 1 // it was allowed, or succeeded
	noneThere  = 2 // it was denied, or failed: it has no effect
	wordsCount = 3
)

// actionRow is an action that limits count. What was said of it changes; the
// rest does not.
type actionRow struct {
	index           int64
	agent, instance string
	target          target
	amount          string
	// effect joins it with other actions that tell the same effect; zero if
	// nothing shows that any do.
	effect sum
	limits []limit
	// again is, for the limit of the same place, the total before the action
	// that told the same effect first, if its effect was counted already when
	// it was logged; else it is empty.
	again []string
	// own is what the agent says, service what the target says.
	own, service uint8
}

func (w actionRow) marshal() []byte {
	b := appendIndex(nil, w.index)
	for _, s := range []string{w.agent, w.instance, w.target.kind, w.target.action, w.target.location, w.target.identifier, w.target.request, w.amount} {
		b = appendText(b, s)
	}
	b = append(b, w.effect[:]...)
	b = append(b, w.own, w.service)
	for i, l := range w.limits {
		b = append(b, l.grant[:]...)
		b = append(b, byte(l.number>>8), byte(l.number))
		b = appendText(b, w.again[i])
	}
	return b
}

func parseActionRow(b []byte) (w actionRow, ok bool) {
	r := reader{b: b}
	w = actionRow{index: r.index(), agent: r.text(), instance: r.text(),
		target: target{r.text(), r.text(), r.text(), r.text(), r.text()}, amount: r.text()}
	copy(w.effect[:], r.take(len(w.effect)))
	w.own, w.service = r.u8(), r.u8()
	for len(r.b) > 0 {
		w.limits = append(w.limits, limit{r.id(), r.u16()})
		w.again = append(w.again, r.text())
	}
	_, isAmount := parseDecimal(w.amount, 18)
	for _, s := range w.again {
		if _, ok := parseTotal(s); s != "" && !ok {
			return w, false
		}
	}
	return w, r.end() && w.index >= 0 && isAmount && w.own < wordsCount && w.service < wordsCount
}

// counting: it was neither denied nor failed, as far as is known. The target's
// word goes before the agent's.
func (w actionRow) counting() bool {
	if w.service != silent {
		return w.service == tookPlace
	}
	return w.own != noneThere
}

func (w actionRow) confirmed() bool { return w.service == tookPlace }

// addAction keeps an action that limits count, and counts it.
func (s *State) addAction(r *record.Record, index int64) {
	a := r.Msg.GetStages().GetAction()
	if a == nil {
		return
	}
	s.useApproval(r, index)
	ls := s.limitsOf(r.Msg, a.GetElement(), index)
	if len(ls) == 0 {
		return
	}
	author := r.Msg.GetAuthor()
	w := actionRow{index: index, agent: author.GetAgent(), instance: author.GetInstance(),
		target: targetOf(a.GetElement(), a.GetExternalRequestId()), amount: a.GetElement().GetAmount(), limits: ls, again: make([]string, len(ls))}
	w.effect, _ = effectSum(a)
	if a.GetTargetDecision() == onusv1.TargetDecision_TARGET_DECISION_DENIED {
		w.own = noneThere
	}
	for i, l := range ls {
		w.again[i] = s.told(w.effect, l)
		s.spend(l, index, true, units(w.amount), s.regroup(w, l, 1))
	}
	s.store.Put(key(kindAction, r.ID), w.marshal())
}

// told returns the total before the action that told an effect first, if a
// limit counts it already; else it is empty.
func (s *State) told(effect sum, l limit) string {
	if effect == (sum{}) {
		return ""
	}
	if g, ok := row(s, limitKey(kindGroup, l)+string(effect[:]), parseGroupRow); ok && g.effects() > 0 {
		return g.before
	}
	return ""
}

// regroup counts an action in, with sign 1, or out, with -1, and returns by how
// much that changes how often its amount counts.
func (s *State) regroup(w actionRow, l limit, sign int) int64 {
	if !w.counting() {
		return 0
	}
	if w.effect == (sum{}) {
		return int64(sign)
	}
	k := limitKey(kindGroup, l) + string(w.effect[:])
	g, _ := row(s, k, parseGroupRow)
	before := g.effects()
	if before == 0 && sign > 0 {
		g.before = total(s.used(l, w.index).sum)
	}
	g.counting += uint32(sign)
	if w.confirmed() {
		g.confirmed += uint32(sign)
	}
	s.store.Put(k, g.marshal())
	return g.effects() - before
}

// addOutcome takes an agent's word for how its own action ended.
func (s *State) addOutcome(m *onusv1.Record, index int64) {
	o := m.GetOutcome()
	a := m.GetAuthor()
	s.hear(m, index, func(w *actionRow) {
		if w.agent == a.GetAgent() && w.instance == a.GetInstance() {
			w.own = wordOf(w.own, o.GetTargetDecision(), o.GetStatus())
		}
	})
}

// addCounter takes a target service's word, which goes before the agent's. A
// service that does not serve the action's location has none, and what it says
// of another request is nothing about this one: anybody who knows the action's
// id can name it in a call.
func (s *State) addCounter(m *onusv1.Record, index int64) {
	c := m.GetCounter()
	s.hear(m, index, func(w *actionRow) {
		if !s.serves(m.GetAuthor().GetService(), w.target.location, index) {
			return
		}
		may, is := w.isRequest(c)
		// To count what was done, it is enough that it may have been this
		// request: an agent would only have to leave out what shows it. To free
		// the budget it must be shown.
		if word := wordOf(w.service, c.GetDecision(), c.GetStatus()); word == tookPlace && may || is {
			w.service = word
		}
	})
}

// target is what an action was to do, where, and by which request; its amounts
// apart.
type target struct{ kind, action, location, identifier, request string }

func targetOf(e *onusv1.ScopeElement, request string) target {
	return target{e.GetType(), e.GetAction(), e.GetLocation(), e.GetIdentifier(), request}
}

// isRequest reports whether a counter-record may be about the request of the
// action: nobody else is shown to have called, and it has the same request id
// or nothing in it says something else; and whether it is: who called is stated,
// and it has the same request id, or no other and the same target.
func (w actionRow) isRequest(c *onusv1.CounterRecord) (may, is bool) {
	if !CalledBy(c, &onusv1.Author{Agent: w.agent, Instance: w.instance}) {
		return false, false
	}
	mine, theirs := w.target, targetOf(c.GetElement(), c.GetExternalRequestId())
	if mine.request != "" && mine.request == theirs.request {
		return true, c.GetCaller() != ""
	}
	other := mine.request != "" && theirs.request != ""
	mine.request, theirs.request = "", ""
	return mine.agrees(theirs), c.GetCaller() != "" && !other && mine == theirs
}

// agrees reports whether two targets do not contradict each other: what one of
// them leaves out says nothing, and one place may lie below the other.
func (t target) agrees(u target) bool {
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	return same(t.kind, u.kind) && same(t.action, u.action) && same(t.identifier, u.identifier) &&
		(same(t.location, u.location) || within(t.location, u.location) || within(u.location, t.location))
}

// CalledBy reports whether an agent made the request that a service recorded, as
// far as was shown: nobody else is named.
func CalledBy(c *onusv1.CounterRecord, agent *onusv1.Author) bool {
	return (c.GetCaller() == "" || c.GetCaller() == agent.GetAgent()) &&
		(c.GetCallerInstance() == "" || c.GetCallerInstance() == agent.GetInstance())
}

// serves reports whether a service is the target of actions at a location. One
// that is registered without locations serves none.
func (s *State) serves(service, location string, at int64) bool {
	svc, _ := s.reg.Service(service, at)
	if svc == nil {
		return false
	}
	return location == "" || belowOne(svc.GetLocations(), location)
}

// wordOf is what somebody says of an action, after what they said before. Once
// they said that it took place, no later word undoes that.
func wordOf(before uint8, d onusv1.TargetDecision, o onusv1.OutcomeStatus) uint8 {
	switch {
	case before == tookPlace:
		return tookPlace
	case d == onusv1.TargetDecision_TARGET_DECISION_DENIED, o == onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED:
		return noneThere
	case d == onusv1.TargetDecision_TARGET_DECISION_ALLOWED, o == onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED:
		return tookPlace
	}
	return before
}

// hear lets a record change what was said of the action that is its parent,
// and counts the action anew, from the record's own index on.
func (s *State) hear(m *onusv1.Record, index int64, change func(*actionRow)) {
	if m.GetParent() == "" {
		return
	}
	k := key(kindAction, mustID(m.GetParent()))
	w, ok := row(s, k, parseActionRow)
	if !ok {
		return
	}
	old := w
	change(&w)
	if w.own == old.own && w.service == old.service {
		return
	}
	for _, l := range w.limits {
		n := s.regroup(old, l, -1) + s.regroup(w, l, 1)
		s.spend(l, index, false, units(w.amount), n)
	}
	s.store.Put(k, w.marshal())
}
