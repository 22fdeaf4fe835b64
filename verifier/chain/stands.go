package chain

import (
	"cmp"
	"slices"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// What an action stands on: the grant that it names, what the user asked for,
// an approval.

// footing is what an action stands on.
type footing struct {
	// path of the grant that it names, as far as it is there; whole: up to its
	// root.
	path  authority.Path
	whole bool
	// asked is what a user asked for that covers the action, if that counts.
	asked *asked
	// leaned is the intent that the action leans on without a grant: that which
	// covers it, or else the nearest that was for this agent.
	leaned *Node
	// approval that it names, if it is valid.
	approval *authority.Approval
	// observed: no grant covers it, and its agent is not under grants yet.
	observed bool
	// hidden: what it may stand on is not readable here.
	hidden bool
}

// grantsOf returns the grant path of a record, as its index has it.
func (j *judge) grantsOf(n *Node) authority.Path {
	p, _ := j.grantPath(n)
	return p
}

func (j *judge) grantPath(n *Node) (p authority.Path, whole bool) {
	id := n.Record.Msg.GetGrant()
	if id == "" || n.Opaque != Readable {
		return nil, false
	}
	p, err := j.Authority.Path(mustID(id), n.Index)
	return p, err == nil
}

// authority joins in what package authority says of the record, and what later
// revocations make suspect.
func (j *judge) authority(n *Node, p *place) {
	all := j.Authority.Judge(n.Record, n.Index, stampOf(n))
	if j.Size > n.Index {
		all = append(all, j.Authority.Suspicions(n.Record, n.Index, j.Size, stampOf(n))...)
	}
	for _, f := range all {
		g := findingOf(f.Code, n.Index, j.named(f.Text, n))
		g.Severity, g.About = Severity(f.Severity), f.Record
		g.Limit, g.Sum = f.Limit, f.Sum
		if !f.Forbids {
			g.Forces = ForcesNothing
		}
		if f.Coverage {
			g.Kind, g.State = Coverage, Asserted
		}
		if f.Code == authority.LimitExceeded && f.Sum == "" {
			g.State = Verified // one item alone shows it
		}
		p.findings = append(p.findings, g)
	}
}

// footing finds what an action stands on, and says where that does not carry
// it.
func (j *judge) footing(n *Node, p *place) {
	m := n.Record.Msg
	f := &p.stands
	f.path, f.whole = j.grantPath(n)
	if ap, ok := j.Authority.Approved(n.Record, n.Index, stampOf(n)); ok {
		f.approval = &ap
		j.approvedByAsker(n, p)
	}
	if m.GetGrant() == "" {
		j.grantless(n, p)
	} else {
		j.alsoAsked(n, p)
	}
	f.observed = slices.ContainsFunc(p.findings, func(f Finding) bool { return f.Code == "GRANT_MISSING" && f.Kind == Coverage })
}

// approvedByAsker: where "the user" must approve and no grant shows who that is,
// it is a user who is shown to have asked for the work. An agent that names a
// user of its choice, who then approves, has nobody's approval.
func (j *judge) approvedByAsker(n *Node, p *place) {
	ap := p.stands.approval
	if ap.User == "" || p.has("APPROVAL_MISSING") || !j.Authority.NeedsUser(n.Record, n.Index) {
		return
	}
	in := p.intents
	for range maxIntents {
		if in == nil {
			break
		}
		if in.node.Record.Msg.GetUser() == ap.User && in.node.Index < ap.Index && (j.wordOf(in.node).Counts || len(j.intentsOf(in.node)) > 0) {
			return
		}
		in = in.rest
	}
	p.stands.approval = nil
	if p.end == atHidden {
		p.stands.hidden = true // it may stand there
		return
	}
	p.find("APPROVAL_MISSING", "needs the approval of the user, and was approved by %s in entry %s, whom nothing but the agent's word shows to have asked for it", j.user(ap.User), number(ap.Index))
}

// alsoAsked notes that what an action does under a grant is what its user asked
// for.
func (j *judge) alsoAsked(n *Node, p *place) {
	for _, a := range j.askedOf(n, p) {
		if _, ended := j.ended(a, n); ended || j.revokedWord(a, n) != nil || a.answer(n.Record.Msg.GetStages().GetAction().GetElement()) != authority.Covered {
			continue
		}
		if ok, _, _ := j.spend(a, n.Record.Msg.GetStages().GetAction().GetElement()); ok {
			p.stands.asked = &a
			return
		}
	}
}

// grantless judges an action that names no grant by what its user asked for.
// Of several intents that are for its agent the best counts.
func (j *judge) grantless(n *Node, p *place) {
	all := j.askedOf(n, p)
	if len(all) == 0 {
		switch {
		case p.end == atHidden:
			p.stands.hidden = true // what the user asked for may stand there
		case !p.has("GRANT_MISSING"):
			j.missingGrant(n, p)
		}
		return
	}
	tries := make([]attempt, len(all))
	for i, a := range all {
		tries[i] = j.try(a, n, p)
	}
	best := slices.MinFunc(tries, func(a, b attempt) int { return cmp.Compare(len(a.findings), len(b.findings)) })
	p.stands.leaned = best.asked.intent
	if best.covers && len(best.findings) == 0 {
		p.stands.asked = &best.asked
	}
	p.findings = append(p.findings, best.findings...)
}

func (j *judge) missingGrant(n *Node, p *place) {
	f := p.find("GRANT_MISSING", "names no grant, and nothing that its user is shown to have asked of %s covers it", j.className(n.Record.Msg.GetAuthor().GetAgent(), n.Index))
	if j.Authority.Observed(n.Record.Msg.GetAuthor().GetAgent(), n.Index) {
		f.Severity, f.Kind, f.Forces, f.State = Info, Coverage, ForcesNothing, Asserted
		f.Text += "; the agent is observed, and not under grants yet"
	}
}

// attempt is an implicit grant, and what keeps an action from standing on it.
type attempt struct {
	asked asked
	// covers: by what was asked for, and not by an approval beyond it.
	covers   bool
	findings []Finding
}

func (j *judge) try(a asked, n *Node, p *place) attempt {
	t := attempt{asked: a}
	e := n.Record.Msg.GetStages().GetAction().GetElement()
	find := func(code, format string, args ...any) {
		f := findingf(code, n, format, args...)
		f.About = a.intent.Record.ID
		t.findings = append(t.findings, f)
	}
	what := "what the user asked for in entry " + number(a.intent.Index)
	ends, ended := j.ended(a, n)
	if ended {
		find("GRANT_EXPIRED", "was logged at %s, but %s held until %s", clock(n.LogTime), what, clock(ends))
	}
	if f := j.revokedWord(a, n); f != nil && !p.has(f.Code) {
		t.findings = append(t.findings, *f)
	}
	ceiling := j.Authority.WithinCeiling(n.Record.Msg.GetAuthor().GetAgent(), e, n.Index)
	lets := p.stands.approval != nil && p.stands.approval.User == a.user // exactly this
	scope := a.answer(e)
	t.covers = scope == authority.Covered
	switch {
	case ceiling != authority.Covered:
		find(notCovered(ceiling), "%s is %s the ceiling of %s", describe(e), beyond(ceiling), j.className(n.Record.Msg.GetAuthor().GetAgent(), n.Index))
	case lets:
	case scope != authority.Covered:
		find(notCovered(scope), "%s is %s %s", describe(e), beyond(scope), what)
	case len(t.findings) == 0:
		if ok, limit, sum := j.spend(a, e); !ok {
			find("LIMIT_EXCEEDED", "%s brings the sum to %s %s, where the user asked for %s in entry %s", describe(e), amount(sum), limit.GetUnit(), words(limit.GetAmount()), number(a.intent.Index))
			t.findings[0].Limit, t.findings[0].Sum = money(limit), amount(sum)+" "+limit.GetUnit()
		}
	}
	return t
}

func notCovered(a authority.Answer) string {
	if a == authority.Uncomparable {
		return "SCOPE_UNCOMPARABLE"
	}
	return "OUTSIDE_DELEGATED_SCOPE"
}

func beyond(a authority.Answer) string {
	if a == authority.Uncomparable {
		return "not shown to be within"
	}
	return "outside"
}

// revokedWord says whether an implicit grant was ended before an action: with
// the user's session, or with whoever signed the intent.
func (j *judge) revokedWord(a asked, n *Node) *Finding {
	m := a.intent.Record.Msg
	about := func(f Finding) *Finding {
		f.About = a.intent.Record.ID
		return &f
	}
	if m.GetSession() != "" {
		if rev, ok := j.Registry.RevokedSession(m.GetSession(), m.GetUser(), n.Index); ok {
			return about(findingf("SESSION_REVOKED", n, "was logged after entry %d revoked the session in which the user asked for it", rev.Index))
		}
	}
	if m.GetAuthor().GetAgent() != "" {
		return nil // who acts is judged by itself
	}
	for _, rev := range j.Registry.Revocations(m.GetAuthor(), n.Index) {
		return about(findingf("ANCESTOR_REVOKED", n, "was logged after entry %d revoked %s, which signed what the user asked for", rev.Index, rev.Target()))
	}
	return nil
}

// restsOnBroken: where the evidence for a record is broken that a verdict
// rests on, the verdict is.
func (j *judge) restsOnBroken(n *Node, p *place) {
	say := func(index int64, id record.ID, what string) {
		f, ok := j.brokenAt[index]
		if !ok || index == n.Index {
			return
		}
		f.Text = "rests on " + what + " entry " + number(index) + ", whose evidence is broken: it " + f.Text
		f.Index, f.About = n.Index, id
		p.findings = append(p.findings, f)
	}
	if p.brokenAt != nil {
		say(p.brokenAt.Index, p.brokenAt.Record.ID, "the request of")
	}
	for _, g := range p.stands.path {
		say(g.Index, g.ID, "the grant of")
	}
	if a := p.stands.approval; a != nil {
		say(a.Index, a.ID, "the approval of")
	}
}
