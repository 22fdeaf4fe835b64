package chain

import (
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Role is what a party did that it answers for.
type Role string

// The roles.
const (
	Requested   Role = "requested"
	Interpreted Role = "interpreted"
	Decided     Role = "decided"
	Executed    Role = "executed"
	Authorised  Role = "authorised"
	Enabled     Role = "enabled"
	// ShouldHavePrevented: a revocation was to keep it from happening.
	ShouldHavePrevented Role = "should have prevented"
	// Unknown: who asked is not shown, so its operator answers.
	Unknown Role = "unknown"
)

// Answer is a party that answers for an action.
type Answer struct {
	Party Party
	// First: it answers before those that are not.
	First bool
	Parts []Part
}

// Part is what a party had in an action, and what it rests on that it had.
type Part struct {
	Role  Role
	State State
}

// answering collects the parties of a verdict. Who is there already only gets
// another role.
type answering struct {
	all []Answer
}

func (a *answering) add(p Party, role Role, first bool, s State) {
	for i := range a.all {
		q := &a.all[i]
		if q.Party.is(p) {
			if !slices.ContainsFunc(q.Parts, func(p Part) bool { return p.Role == role }) {
				q.Parts = append(q.Parts, Part{role, s})
			}
			return
		}
	}
	a.all = append(a.all, Answer{p, first, []Part{{role, s}}})
}

// captured says what it is worth that a record was signed by its author.
func captured(n *Node) State {
	if n.Record.Msg.GetCapture() != onusv1.Capture_CAPTURE_SELF {
		return Asserted
	}
	return Verified
}

// decider is the node whose signer is the deciding agent.
func (p *place) decider(n *Node) *Node {
	if p.decision != nil {
		return p.decision
	}
	return n
}

// answers lists the parties that answer for an action, as the table of
// verdicts has it.
func (j *judge) answers(n *Node, p *place, code Code) []Answer {
	a := &answering{}
	decided := func(first bool) {
		d := p.decider(n)
		a.add(j.signerOf(d), Decided, first, captured(d))
	}
	executed := func(first bool) { a.add(j.signerOf(n), Executed, first, captured(n)) }
	switch code {
	case Unverifiable, NotJudged:
		return nil
	case Unauthorized:
		wide := j.widening(p)
		for _, g := range wide {
			j.addIssuer(a, g, true)
		}
		decided(len(wide) == 0)
		executed(len(wide) == 0)
		j.delegators(a, p, false)
		j.shouldHavePrevented(a, n, p)
	case Unattributable:
		op := n.Record.Msg.GetAuthor().GetOperator()
		a.add(j.operator(op, n.Index), Unknown, true, Verified)
		decided(false)
		executed(false)
	case OwnAuthority:
		j.enabler(a, n, p)
		decided(true)
		executed(false)
		j.requested(a, p, false)
		j.approver(a, p, false)
		j.delegators(a, p, true)
	case UserDirected:
		j.requested(a, p, true)
		executed(false)
		decided(false)
	case UserApproved:
		j.approver(a, p, true)
		executed(true)
		decided(false)
	case AgentDecided:
		decided(true)
		executed(false)
		j.requested(a, p, false)
		j.delegators(a, p, true)
		j.approver(a, p, false)
	}
	if p.interpretation != nil {
		a.add(j.signerOf(p.interpretation), Interpreted, false, captured(p.interpretation))
	}
	return a.all
}

// requested adds the user of the nearest intent, as far as the words are the
// user's.
func (j *judge) requested(a *answering, p *place, first bool) {
	in := p.intents
	if at := p.stands.asked; at != nil && first {
		a.add(j.user(at.user), Requested, true, j.stateOf(at.intent))
		return
	}
	if in != nil && in.node.Record.Msg.GetUser() != "" {
		a.add(j.user(in.node.Record.Msg.GetUser()), Requested, first, j.stateOf(in.node))
	}
}

func (j *judge) approver(a *answering, p *place, first bool) {
	ap := p.stands.approval
	switch {
	case ap == nil:
	case ap.Reviewer != "":
		a.add(j.party(&onusv1.Author{Reviewer: ap.Reviewer}, ap.Index), Authorised, first, Verified)
	default:
		s := Attested
		if ap.Assurance == 3 {
			s = Verified
		}
		a.add(j.user(ap.User), Authorised, first, s)
	}
}

// enabler adds the operator whose permissions were used.
func (j *judge) enabler(a *answering, n *Node, p *place) {
	if p.stands.observed {
		a.add(j.operator(n.Record.Msg.GetAuthor().GetOperator(), n.Index), Enabled, true, Asserted)
		return
	}
	root := p.stands.path.Root()
	a.add(j.operator(root.Record.Msg.GetAuthor().GetOperator(), root.Index), Enabled, true, Verified)
}

// delegators adds who gave the grants of the path, a user first if users is
// set, then the nearest first. A user whose grant does not cover what was done
// has no part in it.
func (j *judge) delegators(a *answering, p *place, users bool) {
	if users && len(p.stands.path) > 0 && p.stands.path.User() != "" {
		j.addIssuer(a, p.stands.path.Root(), false)
	}
	for _, g := range p.stands.path {
		if g.Word.User == "" {
			j.addIssuer(a, g, false)
		}
	}
}

// addIssuer adds who gave a grant: an agent authorised, an operator enabled.
func (j *judge) addIssuer(a *answering, g *authority.Grant, first bool) {
	by := g.Record.Msg.GetAuthor()
	switch {
	case g.Word.User != "" && g.Word.Counts:
		s := Attested
		if g.Word.Assurance == 3 {
			s = Verified
		}
		a.add(j.user(g.Word.User), Authorised, first, s)
	case by.GetAgent() != "":
		a.add(j.party(by, g.Index), Authorised, first, Verified)
	case g.Word.User == "":
		a.add(j.party(by, g.Index), Enabled, first, Verified)
	}
}

// widening returns the grants that gave more than their issuer held, where the
// action lies in what they gave beyond it: the nearest first.
func (j *judge) widening(p *place) []*authority.Grant {
	var wide []*authority.Grant
	for _, g := range p.stands.path {
		for _, f := range p.findings {
			if gaveBeyond[f.Code] != "" && f.About == g.ID && !slices.Contains(wide, g) {
				wide = append(wide, g)
			}
		}
	}
	return wide
}

// shouldHavePrevented adds the operators whose parties had been revoked.
func (j *judge) shouldHavePrevented(a *answering, n *Node, p *place) {
	own := n.Record.Msg.GetAuthor().GetOperator()
	prevent := func(op string) {
		if op != "" {
			a.add(j.operator(op, n.Index), ShouldHavePrevented, false, Verified)
		}
	}
	for _, f := range p.findings {
		switch f.Code {
		case "AGENT_REVOKED", "KEY_REVOKED", "GRANT_REVOKED", "SESSION_REVOKED":
			prevent(own)
		case "ANCESTOR_REVOKED":
			ops := j.revokedOperators(n, p, f.About)
			if len(ops) == 0 {
				ops = []string{own}
			}
			for _, op := range ops {
				prevent(op)
			}
		}
	}
}

// revokedOperators returns whose the parties of a grant are that were revoked,
// or who held the grant if it was itself revoked.
func (j *judge) revokedOperators(n *Node, p *place, grant record.ID) []string {
	var ops []string
	for _, g := range p.stands.path {
		if g.ID != grant {
			continue
		}
		class, _ := j.Registry.Agent(g.Msg.GetAgent(), n.Index)
		holder := &onusv1.Author{Agent: g.Msg.GetAgent(), Instance: g.Msg.GetInstance(), Operator: class.GetOperator()}
		for _, party := range []*onusv1.Author{g.Record.Msg.GetAuthor(), holder} {
			if len(j.Registry.Revocations(party, n.Index)) > 0 {
				ops = append(ops, j.Registry.OperatorOf(party, n.Index))
			}
		}
		if _, ok := j.Registry.RevokedGrant(g.ID, n.Index); ok {
			ops = append(ops, class.GetOperator())
		}
	}
	return ops
}

// mustAnswer resolves who must answer for a finding.
func (j *judge) mustAnswer(n *Node, p *place, f *Finding) []Party {
	m := n.Record.Msg
	switch f.Who {
	case WhoActor:
		return []Party{j.signerOf(n)}
	case WhoOperator:
		if op := j.Registry.OperatorOf(m.GetAuthor(), n.Index); op != "" {
			return []Party{j.operator(op, n.Index)}
		}
		return []Party{j.signerOf(n)}
	case WhoDecider:
		return []Party{j.signerOf(p.decider(n))}
	case WhoIssuer:
		if g, ok := j.Authority.Grant(f.About, n.Index); ok {
			return []Party{j.party(g.Record.Msg.GetAuthor(), g.Index)}
		}
		return []Party{j.signerOf(n)} // a grant itself
	case WhoGiver:
		if len(p.stands.path) > 0 {
			root := p.stands.path.Root()
			return []Party{j.party(root.Record.Msg.GetAuthor(), root.Index)}
		}
	case WhoHost:
		return []Party{{Kind: registry.KindHost, Name: "the host"}}
	case WhoBoth:
		ps := []Party{j.signerOf(n)}
		for _, c := range j.counters(n) {
			ps = append(ps, j.signerOf(c))
		}
		return ps
	case WhoDelegate:
		if d := m.GetDelegation(); d != nil {
			return []Party{j.party(&onusv1.Author{Agent: d.GetAgent(), Instance: d.GetInstance()}, n.Index)}
		}
		return []Party{j.party(&onusv1.Author{Agent: m.GetAsks()}, n.Index)}
	}
	return nil
}
