package authority

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// proposalRow is a decision that waits for a person.
type proposalRow struct {
	index           int64
	agent, instance string
	user            string
	grant           record.ID // zero if the record names none
	element         sum
}

func (w proposalRow) marshal() []byte {
	b := appendIndex(nil, w.index)
	for _, s := range []string{w.agent, w.instance, w.user} {
		b = appendText(b, s)
	}
	return append(append(b, w.grant[:]...), w.element[:]...)
}

func parseProposalRow(b []byte) (w proposalRow, ok bool) {
	r := reader{b: b}
	w = proposalRow{index: r.index(), agent: r.text(), instance: r.text(), user: r.text(), grant: r.id()}
	copy(w.element[:], r.take(len(w.element)))
	return w, r.end() && w.index >= 0
}

// thing names what is proposed: one element, by one instance.
func (w proposalRow) thing() string { return thingKey(w.agent, w.instance, w.element) }

func thingKey(agent, instance string, element sum) string {
	s := sumOf(agent, instance, string(element[:]))
	return kindDenied + string(s[:])
}

// answerRow is an approval or a denial.
type answerRow struct {
	id    record.ID // from the key
	index int64
	// logTime, key and client are when and with what it was signed: a later
	// revocation may make it suspect.
	logTime     int64
	key, client string
	proposal    record.ID
	denies      bool
	expires     int64 // -1 if none is stated
	user        string
	reviewer    string
	assurance   uint8
	why         string // empty: it counts; else what keeps it from that
}

func (w answerRow) marshal() []byte {
	b := appendText(appendText(appendIndex(appendIndex(nil, w.index), w.logTime), w.key), w.client)
	b = append(b, w.proposal[:]...)
	b = appendIndex(appendFlag(b, w.denies), w.expires)
	b = append(appendText(appendText(b, w.user), w.reviewer), w.assurance)
	return appendText(b, w.why)
}

func parseAnswerRow(b []byte) (w answerRow, ok bool) {
	r := reader{b: b}
	w = answerRow{index: r.index(), logTime: r.index(), key: r.text(), client: r.text(), proposal: r.id(), denies: r.flag(), expires: r.index(),
		user: r.text(), reviewer: r.text(), assurance: r.u8(), why: r.text()}
	return w, r.end() && w.index >= 0 && w.logTime >= 0 && w.assurance <= 3
}

// author is who signed it, as far as revocations ask.
func (w answerRow) author() *onusv1.Author {
	switch {
	case w.reviewer != "":
		return &onusv1.Author{Reviewer: w.reviewer, KeyId: w.key}
	case w.client != "":
		return &onusv1.Author{Client: w.client, KeyId: w.key}
	}
	return &onusv1.Author{User: w.user, KeyId: w.key}
}

// suspect says what a revocation before that index takes from an answer that
// counted when it was given, or "": whoever signed it is revoked, and suspected
// since before it was given. Without a suspicion it stays valid.
func (s *State) suspect(w answerRow, at int64) string {
	for _, rev := range s.reg.Suspicions(w.author(), w.index, w.logTime, at) {
		return fmt.Sprintf("entry %d revoked %s, which is suspected since %s, before it was given", rev.Index, rev.Target(), clock(rev.SuspectedSince))
	}
	return ""
}

// by names who answered, for people.
func (w answerRow) by() string {
	if w.reviewer != "" {
		return "reviewer " + w.reviewer
	}
	return "user " + w.user
}

// answeredRow is the newest answer that counts.
type answeredRow struct {
	denies bool
	denial int64 // index of the newest denial, or -1
	answer record.ID
}

func (w answeredRow) marshal() []byte {
	return append(appendIndex(appendFlag(nil, w.denies), w.denial), w.answer[:]...)
}

func parseAnsweredRow(b []byte) (w answeredRow, ok bool) {
	r := reader{b: b}
	w = answeredRow{denies: r.flag(), denial: r.index(), answer: r.id()}
	return w, r.end() && (!w.denies || w.denial >= 0)
}

// usedRow is a use of an approval: its version's index is that of the action.
type usedRow struct {
	first  int64 // index of the action that used it up
	effect sum   // of that action; zero if it has no request id
}

func (w usedRow) marshal() []byte { return append(appendIndex(nil, w.first), w.effect[:]...) }

func parseUsedRow(b []byte) (w usedRow, ok bool) {
	r := reader{b: b}
	w.first = r.index()
	copy(w.effect[:], r.take(len(w.effect)))
	return w, r.end() && w.first >= 0
}

// addProposal keeps a decision's proposal.
func (s *State) addProposal(r *record.Record, index int64) {
	m := r.Msg
	e := m.GetStages().GetDecision().GetProposal()
	if e == nil {
		return
	}
	w := proposalRow{index: index, agent: m.GetAuthor().GetAgent(), instance: m.GetAuthor().GetInstance(),
		user: m.GetUser(), element: elementSum(e)}
	if m.GetGrant() != "" {
		w.grant = mustID(m.GetGrant())
	}
	s.store.Put(key(kindProposal, r.ID), w.marshal())
}

// proposal returns the proposal of a record, if the log has it before that
// index.
func (s *State) proposal(id record.ID, at int64) (proposalRow, bool) {
	w, ok := row(s, key(kindProposal, id), parseProposalRow)
	return w, ok && w.index < at
}

// answerOf reads what an approval or a denial says; ok is false for any other
// record.
func answerOf(m *onusv1.Record) (w answerRow, ok bool) {
	a := m.GetAuthor()
	w = answerRow{expires: -1, user: m.GetUser(), reviewer: a.GetReviewer(), client: a.GetClient(), key: a.GetKeyId()}
	switch {
	case m.GetApproval() != nil:
		w.proposal = mustID(m.GetApproval().GetProposal())
		if t := m.GetApproval().GetExpires(); t != nil {
			w.expires = t.AsTime().UnixMilli()
		}
	case m.GetDenial() != nil:
		w.proposal, w.denies = mustID(m.GetDenial().GetProposal()), true
	default:
		return w, false
	}
	if w.reviewer != "" {
		w.user = ""
	}
	return w, true
}

// addAnswer keeps an approval or a denial. Only one that counts answers the
// proposal.
func (s *State) addAnswer(r *record.Record, index int64, st *entry.Stamp) {
	w, ok := answerOf(r.Msg)
	if !ok {
		return
	}
	w.index, w.logTime = index, st.LogTime
	p, ok := s.proposal(w.proposal, index)
	if !ok {
		return // the ledger refuses it
	}
	w.assurance, w.why = s.weigh(r, index, st, p)
	s.store.Put(key(kindAnswer, r.ID), w.marshal())
	if w.why != "" {
		return
	}
	for _, k := range []string{key(kindAnswered, w.proposal), p.thing()} {
		a := s.answeredAt(k, index)
		a.denies, a.answer = w.denies, r.ID
		if w.denies {
			a.denial = index
		}
		s.push(k, index, a.marshal())
	}
}

// weigh says how strong an answer is, and what keeps it from counting, or "".
func (s *State) weigh(r *record.Record, index int64, st *entry.Stamp, p proposalRow) (assurance uint8, why string) {
	a := r.Msg.GetAuthor()
	if err := s.mayAnswer(r.Msg, p, index); err != nil {
		return 0, err.Detail
	}
	if revs := s.reg.Revocations(a, index); len(revs) > 0 {
		return 0, "its author was revoked before"
	}
	if end, _, ended := s.reg.Ended(a.GetKeyId(), index, st.LogTime); ended {
		return 0, "the key that signed it had ended at " + clock(end)
	}
	if a.GetReviewer() != "" {
		return 0, ""
	}
	w := s.Word(r, index, st)
	return uint8(w.Assurance), w.Why
}

// mayAnswer refuses an answer by somebody whose answer it is not: it is for the
// user who is asked, that of the proposal or of the grant it was made under,
// or for a reviewer whom the root of that grant or the log's policy names.
func (s *State) mayAnswer(m *onusv1.Record, p proposalRow, at int64) *record.Error {
	field := "approval"
	if m.GetDenial() != nil {
		field = "denial"
	}
	var path Path
	if !p.grant.IsZero() {
		path, _ = s.Path(p.grant, at)
	}
	if len(path) > 0 && (!path[0].HeldBy(p.agent, p.instance) || len(path.held()) < len(path)) {
		path = nil // who proposes under a grant of others does not choose by it who answers
	}
	refuse := func(detail, next string) *record.Error {
		return &record.Error{Reason: ReasonNotPermitted, Field: field, Detail: detail, Next: next}
	}
	a := m.GetAuthor()
	if name := a.GetReviewer(); name != "" {
		if s.appointed(name, path) {
			return nil
		}
		return refuse("is by reviewer "+name+", whom neither the root of the proposal's grant nor the log's policy names",
			"have a reviewer answer whom one of them names: an agent that passes a grant on can only ask for more approvals")
	}
	if u := m.GetUser(); u != p.user && u != path.User() {
		return refuse("is by another user than the one who is asked",
			"have the user answer whom the proposal names, or who gave its grant")
	}
	return nil
}

// rules returns what needs a person's approval under a path: by its grants,
// and by the log's policy.
func (s *State) rules(p Path) []*onusv1.ApprovalRule {
	var all []*onusv1.ApprovalRule
	for _, g := range p {
		all = append(all, g.Msg.GetApprovals()...)
	}
	return append(all, s.reg.Genesis().GetPolicy().GetApprovals()...)
}

// appointed reports whether a reviewer is one whose answer counts: named by the
// log's policy, or by an operator or a user in the root of the path. Who passes
// a grant on, or writes down a user's token, does not choose who may overrule
// whoever gave it.
func (s *State) appointed(name string, p Path) bool {
	rules := s.reg.Genesis().GetPolicy().GetApprovals()
	if len(p) > 0 {
		if g := p.Root(); g.Parent.IsZero() && g.Record.Msg.GetAuthor().GetAgent() == "" && (g.Word.User == "" || g.Word.Counts) {
			rules = append(slices.Clone(rules), g.Msg.GetApprovals()...)
		}
	}
	return slices.ContainsFunc(rules, func(r *onusv1.ApprovalRule) bool { return slices.Contains(r.GetApprovers(), name) })
}

// applies reports whether a rule asks for an approval of an action. Where the
// amount cannot be compared, it does.
func applies(rule *onusv1.ApprovalRule, e *onusv1.ScopeElement) bool {
	if !slices.ContainsFunc(rule.GetOperations(), func(op string) bool { return operation(op, e) }) {
		return false
	}
	return rule.GetAbove() == "" || atMost(rule.GetAbove(), rule.GetUnit(), e.GetAmount(), e.GetUnit()) != Covered
}

// operation: "type:action", "type:*" or "*". A type may hold colons, an action
// holds none.
func operation(pattern string, e *onusv1.ScopeElement) bool {
	if pattern == wildcard {
		return true
	}
	i := strings.LastIndexByte(pattern, ':')
	return i > 0 && pattern[:i] == e.GetType() && (pattern[i+1:] == wildcard || pattern[i+1:] == e.GetAction())
}

// answeredAt returns the newest answer that counts, to a proposal or to all
// equal ones, before that index.
func (s *State) answeredAt(key string, at int64) answeredRow {
	v, ok := s.latest(key, at)
	if !ok {
		return answeredRow{denial: -1}
	}
	return whole(v.value, parseAnsweredRow)
}

func (s *State) answered(proposal record.ID, at int64) answeredRow {
	return s.answeredAt(key(kindAnswered, proposal), at)
}

// answer returns an approval or a denial that the log has before that index.
func (s *State) answer(id record.ID, at int64) (answerRow, bool) {
	w, ok := row(s, key(kindAnswer, id), parseAnswerRow)
	w.id = id
	return w, ok && w.index < at
}

// namedApproval returns the approval that an action names, if the log has it
// before that index.
func (s *State) namedApproval(a *onusv1.Action, at int64) (answerRow, bool) {
	if a.GetApproval() == "" {
		return answerRow{}, false
	}
	w, ok := s.answer(mustID(a.GetApproval()), at)
	return w, ok && !w.denies
}

type approvalUse struct {
	usedRow
	index int64 // of the newest use
}

// usedApproval returns the newest use of an approval before that index.
func (s *State) usedApproval(id record.ID, at int64) (approvalUse, bool) {
	v, ok := s.latest(key(kindUsed, id), at)
	if !ok {
		return approvalUse{}, false
	}
	return approvalUse{whole(v.value, parseUsedRow), v.index}, true
}

// useApproval lets an action use up the approval that it names. One that is
// not what was approved uses up nothing: it would take the approval from
// whoever it was given to.
func (s *State) useApproval(r *record.Record, index int64) {
	a := r.Msg.GetStages().GetAction()
	ans, ok := s.namedApproval(a, index)
	if !ok {
		return
	}
	p, ok := s.proposal(ans.proposal, ans.index)
	if !ok || mismatch(r.Msg, a.GetElement(), p) != "" {
		return
	}
	w := usedRow{first: index}
	w.effect, _ = effectSum(a)
	if old, ok := s.usedApproval(ans.id, index); ok {
		w = old.usedRow
	}
	s.push(key(kindUsed, ans.id), index, w.marshal())
}

// mismatch reports what keeps an action from being what was proposed, or "".
func mismatch(m *onusv1.Record, e *onusv1.ScopeElement, p proposalRow) string {
	switch {
	case m.GetAuthor().GetAgent() != p.agent || m.GetAuthor().GetInstance() != p.instance:
		return "was proposed by another instance"
	case elementSum(e) != p.element:
		return "is for something else than this " + describe(e)
	}
	return ""
}
