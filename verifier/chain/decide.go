package chain

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// Outcome is what is shown of an action before its verdict.
type Outcome string

// The outcomes, the worst first.
const (
	EvidenceBroken   Outcome = "evidence broken"
	OutsideAuthority Outcome = "outside authority"
	CannotBeTold     Outcome = "cannot be told"
	NotJudgedHere    Outcome = "not judged here"
	WithinAuthority  Outcome = "within authority"
	// NothingDone is the headline of a chain without an action.
	NothingDone Outcome = "nothing was done"
)

// outcomes are in the order of headlines: what is not judged never counts as
// clean.
var outcomeOrder = []Outcome{EvidenceBroken, OutsideAuthority, CannotBeTold, NotJudgedHere, WithinAuthority}

// Code names a verdict.
type Code string

// The verdicts, in the order in which they are tried.
const (
	Unverifiable   Code = "UNVERIFIABLE"
	Unauthorized   Code = "UNAUTHORIZED"
	NotJudged      Code = "NOT_JUDGED"
	Unattributable Code = "UNATTRIBUTABLE"
	OwnAuthority   Code = "OWN_AUTHORITY"
	UserDirected   Code = "USER_DIRECTED"
	UserApproved   Code = "USER_APPROVED"
	AgentDecided   Code = "AGENT_DECIDED"
)

// VerdictRule is what is fixed about a verdict: one row of docs/attribution.md.
type VerdictRule struct {
	Code    Code
	Title   string
	Outcome Outcome
}

// Verdicts are the rows of the table: the first that matches is the verdict.
var Verdicts = []VerdictRule{
	{Unverifiable, "The evidence is broken", EvidenceBroken},
	{Unauthorized, "This was not allowed", OutsideAuthority},
	{NotJudged, "Not judged here: a record that decides it is not readable", NotJudgedHere},
	{Unattributable, "Records are missing: who answers cannot be told", CannotBeTold},
	{OwnAuthority, "The agent used its operator's permissions", WithinAuthority},
	{UserDirected, "The user asked for exactly this", WithinAuthority},
	{UserApproved, "A person approved this first", WithinAuthority},
	{AgentDecided, "The agent chose this, within what it was allowed", WithinAuthority},
}

func ruleFor(c Code) VerdictRule {
	return Verdicts[slices.IndexFunc(Verdicts, func(r VerdictRule) bool { return r.Code == c })]
}

// verdict decides on one action, once all its findings are known.
func (j *judge) verdict(n *Node, p *place) Verdict {
	m := n.Record.Msg
	v := Verdict{Index: n.Index, Record: n.Record.ID, Element: m.GetStages().GetAction().GetElement(), LogTime: n.LogTime,
		Claimed: m.GetClaimedTime().AsTime().UnixMilli()}
	v.Code = j.decide(n, p)
	r := ruleFor(v.Code)
	v.Title, v.Outcome = r.Title, r.Outcome
	// What holds only beside certain verdicts.
	p.findings = slices.DeleteFunc(p.findings, func(f Finding) bool {
		return v.Code == UserDirected && (f.Code == "IMPERSONATION_SUSPECTED" || f.Code == "ACTION_WITHOUT_DECISION" && p.stands.asked.catalogue)
	})
	v.State = j.restsOn(n, p, v.Code)
	v.DeclaredByOperator = v.Code == UserDirected && p.stands.asked.catalogue
	if v.Code == Unattributable && p.end == atMissing {
		v.Produce = p.missing
	}
	v.Findings = j.settle(n, p)
	v.Words, v.Claims = j.said(p), j.claims(n, p)
	v.Answers = j.answers(n, p, v.Code)
	v.Why = j.because(n, p, &v)
	return v
}

// restsOn says what a verdict rests on: the weakest of what it needs, and for
// what was not allowed the best of what shows it.
func (j *judge) restsOn(n *Node, p *place, code Code) State {
	ground := Verified
	weaker := func(s State) {
		if s == Asserted || s == Attested && ground == Verified {
			ground = s
		}
	}
	weaker(captured(n))
	switch code {
	case Unverifiable:
		return Broken
	case Unauthorized:
		best := Asserted
		for _, f := range p.findings {
			if f.Forces == ForcesUnauthorized && (f.State == Verified || f.State == Attested && best == Asserted) {
				best = f.State
			}
		}
		weaker(best)
		return ground
	case UserDirected:
		weaker(j.stateOf(p.stands.asked.intent))
	case UserApproved:
		if ap := p.stands.approval; ap.Reviewer == "" && ap.Assurance < 3 {
			weaker(Attested)
		}
	case OwnAuthority:
		if p.stands.observed {
			weaker(Asserted)
		}
	}
	for _, g := range p.stands.path {
		if g.Word.User != "" && g.Word.Assurance < 3 {
			weaker(Attested)
		}
	}
	if len(stampOf(n).Uses) > 0 {
		weaker(Attested) // the running totals
	}
	return ground
}

// decide finds the first row of the table that matches.
func (j *judge) decide(n *Node, p *place) Code {
	agent := n.Record.Msg.GetAuthor().GetAgent()
	capture := n.Record.Msg.GetCapture()
	seen := capture == onusv1.Capture_CAPTURE_TELEMETRY || capture == onusv1.Capture_CAPTURE_IMPORT
	covered := len(p.stands.path) > 0 || p.stands.asked != nil || p.stands.leaned != nil
	told := p.reaches() && !(p.onlySays(agent) && (!covered || p.stands.observed))
	switch {
	case p.forced(ForcesUnverifiable):
		return Unverifiable
	case p.forced(ForcesUnauthorized):
		return Unauthorized
	case p.stands.hidden, !told && p.end == atHidden:
		return NotJudged
	case !told:
		return Unattributable
	case p.stands.observed, p.stands.path.Basis() == onusv1.Basis_BASIS_OWN:
		return OwnAuthority
	case !seen && j.directed(p):
		return UserDirected
	case !seen && p.stands.approval != nil:
		return UserApproved
	}
	return AgentDecided
}

// directed: what counts as asked for covers the action, the user's token is in
// force, and what the deciding agent chose lies within it.
func (j *judge) directed(p *place) bool {
	a := p.stands.asked
	if a == nil || p.has("USER_TOKEN_EXPIRED_BEFORE_ACTION") || p.has("ACTED_OUTSIDE_SESSION") {
		return false
	}
	if p.decision == nil {
		return true
	}
	for _, chosen := range p.decision.Record.Msg.GetStages().GetDecision().GetChosen() {
		if a.answer(chosen) != authority.Covered {
			return false
		}
	}
	return true
}

// because words the reason for a verdict.
func (j *judge) because(n *Node, p *place, v *Verdict) string {
	what := describe(v.Element) + onData(v.Element)
	var first []string
	for _, a := range v.Answers {
		if !a.First {
			continue
		}
		s := a.Party.String()
		if v.Code == Unauthorized { // elsewhere the sentence says it
			s += " (" + j.whyFirst(p, a) + ")"
		}
		first = append(first, s)
	}
	who := strings.Join(first, "; then ")
	switch v.Code {
	case Unverifiable:
		return "Nothing can be told from this: " + j.forcing(n, v, ForcesUnverifiable) + ". Whoever supplied the evidence must produce it again."
	case Unauthorized:
		return fmt.Sprintf("%s was not allowed: %s. Answers first: %s.", what, j.forcing(n, v, ForcesUnauthorized), who)
	case NotJudged:
		return fmt.Sprintf("Whether %s was allowed depends on record %s, which is in the log and not readable here.", what, short(p.missing))
	case Unattributable:
		if v.Produce != (record.ID{}) {
			return fmt.Sprintf("Who asked for %s cannot be told: record %s, which asked for it, is not in the log. Until it is produced, %s answers.", what, short(v.Produce), who)
		}
		if p.onlySays(n.Record.Msg.GetAuthor().GetAgent()) {
			return fmt.Sprintf("Only the agent itself says that a user asked for %s. Until somebody else shows it, %s answers.", what, who)
		}
		return fmt.Sprintf("Nothing shows that anybody asked for %s. Until that is shown, %s answers.", what, who)
	case OwnAuthority:
		if p.stands.observed {
			return fmt.Sprintf("%s was done by an agent that is not under grants yet: that its operator allowed it is only taken to be so. Answers first: %s.", what, who)
		}
		return fmt.Sprintf("%s was done on permissions that the operator gave to the agent, not on a user's. Answers first: %s.", what, who)
	case UserDirected:
		how := "and it lies within what was asked for"
		if v.DeclaredByOperator {
			how = "and it lies within what the tool is there to do, as declared by the operator"
		}
		return fmt.Sprintf("The user asked for %s in entry %s, %s. Answers first: %s.", what, number(p.stands.asked.intent.Index), how, who)
	case UserApproved:
		return fmt.Sprintf("%s was approved before it was done, in entry %s. Answers first: %s.", what, number(p.stands.approval.Index), who)
	}
	return fmt.Sprintf("%s was the agent's own choice, within what it was allowed. Answers first: %s.", what, who)
}

// forcing words the findings that force a verdict by their titles, with the
// values of a limit. Who was revoked is named: the agent that answers first may
// be another.
func (j *judge) forcing(n *Node, v *Verdict, f Forces) string {
	var all []string
	for _, g := range v.Findings {
		if g.Forces != f {
			continue
		}
		s := strings.ToLower(g.Title[:1]) + g.Title[1:]
		switch {
		case g.Code == "AGENT_REVOKED":
			s = j.signer(n) + " had been revoked"
		case g.Code == "KEY_REVOKED":
			s = "the key of " + j.signer(n) + " had been revoked"
		case g.Sum != "":
			s += " (limit " + g.Limit + ", sum " + g.Sum + ")"
		case g.Limit != "":
			s += " (limit " + g.Limit + " for one item)"
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return strings.Join(all, "; ")
}

// count fills in the headline and the counts.
func (out *Judgement) count(j *judge) {
	n := map[Outcome]int{}
	for _, v := range out.Actions {
		n[v.Outcome]++
	}
	out.Outcome = NothingDone
	for _, o := range slices.Backward(outcomeOrder) {
		if n[o] > 0 {
			out.Outcome = o
		}
	}
	for _, o := range outcomeOrder {
		if n[o] > 0 {
			out.Counts = append(out.Counts, Count{o, n[o]})
		}
	}
	// An entry that cannot be read may be an action: the chain is not clean.
	hidden := slices.ContainsFunc(j.chain.Nodes, func(n *Node) bool { return n.Opaque != Readable })
	if hidden && (out.Outcome == WithinAuthority || out.Outcome == NothingDone) {
		out.Outcome = NotJudgedHere
	}
	if len(j.brokenAt) > 0 {
		out.Outcome = EvidenceBroken
	}
}
