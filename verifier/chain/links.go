package chain

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// A parent link is a claim: "this record asked for my work". It counts only
// where something that the acting agent did not write bears it out, or where
// the agent answers for both ends itself.

// ending says why a path goes no further up.
type ending int

const (
	// atTop: the topmost record names no parent, or is the user's own.
	atTop ending = iota
	// atMismatch: the link above does not count.
	atMismatch
	// atMissing: nobody has the record above.
	atMissing
	// atHidden: the record above is in the log, and not readable here.
	atHidden
	// atBroken: the evidence for the record above is broken.
	atBroken
)

// path is what lies above a record, itself included. Those of a chain share
// what they have in common, so that a deep one costs no more than its records.
type path struct {
	end ending
	// missing is the record that is named above, where end is atMissing or
	// atHidden.
	missing record.ID
	// brokenAt is the record above whose evidence is broken, if end is atBroken.
	brokenAt *Node
	// The nearest decision, the nearest interpretation, and the nearest one at
	// or above that decision.
	decision, interpretation, understood *Node
	// intents, the nearest first.
	intents *intents
	// trigger that the path leads to.
	trigger *Node
	// callers are the agents that called one on the path, and gave it no grant
	// there: links of kind (iv).
	callers *callers
}

// callers is a list of agents that paths share: each instance once, and no more
// than a grant path could hold issuers.
type callers struct {
	node *Node
	rest *callers
	n    int
}

// with adds who signed a record.
func (c *callers) with(n *Node) *callers {
	for d := c; d != nil; d = d.rest {
		if sameInstance(d.node.Record.Msg.GetAuthor(), n.Record.Msg.GetAuthor()) {
			return c
		}
	}
	switch {
	case c == nil:
		return &callers{node: n, n: 1}
	case c.n > authority.MaxPath:
		return c // no grant path holds as many
	}
	return &callers{n, c, c.n + 1}
}

// intents is a list of intents that paths share.
type intents struct {
	node *Node
	rest *intents
	// strong: not all of them, from here up, are only the word of one agent
	// class; else weak is that agent.
	strong bool
	weak   string
}

// reaches: it leads to an intent or a trigger.
func (p *path) reaches() bool { return p.intents != nil || p.trigger != nil }

// onlySays reports whether all that the path reaches is what that agent itself
// says that a user wants.
func (p *path) onlySays(agent string) bool {
	return p.trigger == nil && p.intents != nil && !p.intents.strong && p.intents.weak == agent
}

// walk finds the place of every record, from the roots down.
func (j *judge) walk() {
	j.places = make(map[*Node]*place, len(j.chain.Nodes))
	// The links of a record that was withheld are its maker's word, and could
	// form a circle: no path leads through it, so each is a beginning.
	todo := append([]*Node(nil), j.chain.Roots...)
	for _, n := range j.chain.Nodes {
		if n.Opaque != Readable && n.Parent != nil {
			todo = append(todo, n)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := &place{node: n, root: n}
		if n.Parent != nil && n.Opaque == Readable {
			p.root = j.places[n.Parent].root
		}
		p.path = j.pathOf(n)
		j.places[n] = p
		for _, c := range n.Children {
			if c.Opaque == Readable {
				todo = append(todo, c)
			}
		}
	}
}

// pathOf extends the path of the parent, if the link counts, by the record.
func (j *judge) pathOf(n *Node) path {
	p := j.above(n)
	if n.Opaque != Readable {
		return p
	}
	s := n.Record.Msg.GetStages()
	// Who had been revoked begins nothing.
	revoked := len(j.Registry.Revocations(n.Record.Msg.GetAuthor(), n.Index)) > 0
	if s.GetIntent() != nil && !revoked {
		p.intents = j.withIntent(p.intents, n)
	}
	if s.GetInterpretation() != nil {
		p.interpretation = n
	}
	if s.GetDecision() != nil {
		p.decision, p.understood = n, p.interpretation
	}
	if n.Record.Msg.GetTrigger() != nil && !revoked {
		p.trigger = n
	}
	return p
}

func (j *judge) withIntent(above *intents, n *Node) *intents {
	in := &intents{node: n, rest: above, strong: above != nil && above.strong}
	if above != nil {
		in.weak = above.weak
	}
	a := n.Record.Msg.GetAuthor()
	if j.wordOf(n).Assurance > 0 || a.GetAgent() == "" || in.weak != "" && in.weak != a.GetAgent() {
		in.strong = true
	}
	in.weak = a.GetAgent()
	return in
}

// above returns the path above a record, or an empty one with the reason why
// there is none.
func (j *judge) above(n *Node) path {
	if n.Opaque != Readable || n.Record.Msg.GetParent() == "" || !worksFor(n) {
		return path{}
	}
	up := n.Parent
	if up == nil {
		id := mustID(n.Record.Msg.GetParent())
		if j.elsewhere[id] {
			return path{end: atHidden, missing: id}
		}
		return path{end: atMissing, missing: id}
	}
	if j.isBroken(up) {
		return path{end: atBroken, brokenAt: up}
	}
	switch {
	case up.Opaque != Readable:
		return path{end: atHidden, missing: up.Record.ID}
	case j.mismatch(n, up) != "":
		return path{end: atMismatch}
	}
	p := j.places[up].path
	if j.kindOf(n, up) == linkAsks {
		p.callers = p.callers.with(up)
	}
	return p
}

// worksFor reports whether a record's parent is who asked for its work: that of
// an agent's stages, grants and outcomes. What a user says needs nobody who
// asked for it, and what others say of an action names it as its parent.
func worksFor(n *Node) bool {
	m := n.Record.Msg
	if m.GetAuthor().GetAgent() == "" {
		return false
	}
	switch m.GetBody().(type) {
	case *onusv1.Record_Stages, *onusv1.Record_Delegation, *onusv1.Record_Outcome:
		return true
	}
	return false
}

// mismatch says why a parent link does not count, or "".
func (j *judge) mismatch(n, up *Node) string {
	m, b := n.Record.Msg, up.Record.Msg.GetAuthor()
	if named := m.GetParentAgent(); named != "" && named != b.GetAgent() {
		return "names " + named + " as the agent that asked, but " + j.signer(up) + " signed that record"
	}
	kind := j.kindOf(n, up)
	if kind == noLink {
		return "names a record of " + j.signer(up) + ", who neither gave it a permission nor asked it"
	}
	if !j.onUsersGrant(n) {
		return ""
	}
	if kind == linkAsks {
		return "names a record of " + j.signer(up) + ", who asked it, but gave none of the permissions of a user on which it acts"
	}
	for c := j.places[up].callers; c != nil; c = c.rest {
		if !j.issuedTo(n, c.node.Record.Msg.GetAuthor()) {
			return "acts on a permission of a user for what " + j.signer(c.node) + " asked in entry " + number(c.node.Index) + ", who gave it none of that"
		}
	}
	return ""
}

// linkKind says by which rule a parent link counts.
type linkKind int

const (
	noLink linkKind = iota
	linkOwn
	linkGrant
	linkIntent
	linkAsks
	linkTrigger
)

func (j *judge) kindOf(n, up *Node) linkKind {
	m, above := n.Record.Msg, up.Record.Msg
	a, b := m.GetAuthor(), above.GetAuthor()
	switch {
	case sameInstance(a, b):
		return linkOwn
	case j.issuedTo(n, b):
		return linkGrant
	case above.GetStages().GetIntent() != nil && m.GetUser() != "" && above.GetUser() == m.GetUser():
		return linkIntent
	case b.GetAgent() != "" && above.GetAsks() == a.GetAgent():
		return linkAsks
	case above.GetTrigger() != nil && mayTrigger(b, a):
		return linkTrigger
	}
	return noLink
}

// onUsersGrant reports whether a record names a grant, and its path does not
// lead to an operator. An agent may call another that acts on its own
// operator's authority; what a user gave to one agent is not for all those who
// know how to call it.
func (j *judge) onUsersGrant(n *Node) bool {
	return n.Record.Msg.GetGrant() != "" && j.grantsOf(n).Basis() != onusv1.Basis_BASIS_OWN
}

func sameInstance(a, b *onusv1.Author) bool {
	return a.GetAgent() != "" && a.GetAgent() == b.GetAgent() && a.GetInstance() == b.GetInstance()
}

// issuedTo reports whether an author issued a grant on the grant path of a
// record. Of a user it does not matter with what the user signed.
func (j *judge) issuedTo(n *Node, by *onusv1.Author) bool {
	for _, g := range j.grantsOf(n) {
		a := g.Record.Msg.GetAuthor()
		switch {
		case a.GetAgent() != "":
			if sameInstance(a, by) {
				return true
			}
		case a.GetUser() != "" || a.GetClient() != "":
			if by.GetUser() != "" && by.GetUser() == g.Word.User {
				return true
			}
		case by.GetAgent() == "" && by.GetOperator() != "" && by.GetOperator() == a.GetOperator():
			return true
		}
	}
	return false
}

// mayTrigger: an administrator, the operator of the agent, or a service. The
// acting agent signs none: the record's own rules see to that.
func mayTrigger(by, agent *onusv1.Author) bool {
	return by.GetAdministrator() != "" || by.GetService() != "" || by.GetAgent() == "" && by.GetOperator() != "" && by.GetOperator() == agent.GetOperator()
}

// link says what is wrong with a record's links upwards.
func (j *judge) link(n *Node, p *place) {
	if n.Parent != nil && j.counts(n.Parent) && worksFor(n) {
		if why := j.mismatch(n, n.Parent); why != "" {
			p.find("PARENT_AGENT_MISMATCH", "%s", why)
		}
	}
	users := map[string]bool{}
	for _, c := range append([]*Node{n}, n.Causes...) {
		// The user of a review is the officer who wrote it: nobody's work.
		if u := c.Record.Msg.GetUser(); u != "" && j.counts(c) && c.Record.Msg.GetReview() == nil {
			users[u] = true
		}
	}
	if len(n.Causes) > 0 && len(users) > 1 {
		p.find("MIXED_PRINCIPALS", "rests on work for %d users, by its causes", len(users))
	}
	if n.Record.Msg.GetStages().GetDecision() != nil && p.understood == nil && (p.end == atTop || p.end == atMismatch) {
		p.find("DECISION_WITHOUT_INTERPRETATION", "decides, and no record above it says how the goal was understood")
	}
}

// rooted says whether an action's path leads to somebody who asked for it, and
// through a decision. Where the rest of the path is not readable here, nothing
// is said.
func (j *judge) rooted(n *Node, p *place) {
	if p.end == atHidden {
		return
	}
	if !p.reaches() {
		p.find("NO_USER_INTENT_AT_ROOT", "stands below no intent of a user and no declared trigger: %s", p.why(n))
	}
	if p.decision == nil {
		p.find("ACTION_WITHOUT_DECISION", "was done, and neither it nor a record above it is a decision")
	}
}

// why says why a path goes no further up, for people.
func (p *path) why(n *Node) string {
	switch p.end {
	case atMissing:
		return "record " + short(p.missing) + ", which is named above it, is not in the log"
	case atMismatch:
		return "a link above it does not count"
	case atBroken:
		return "the evidence for a record above it is broken"
	}
	if n.Record.Msg.GetParent() == "" {
		return "it names nobody who asked for it"
	}
	return "the topmost record names nobody who asked for it"
}
