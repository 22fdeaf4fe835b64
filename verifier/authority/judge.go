package authority

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Judge returns what is to be said about the authority of r, which the log has
// at that index with that stamp: of any record, whether its author was revoked
// or its key had ended; of an action, whether it was allowed; of a grant,
// whether it gives more than its issuer had. What came later changes nothing,
// save suspicion: [State.Suspicions].
//
// The totals before an action, and whether its approval was used before, are
// as its stamp has them. What the stamp leaves out counts as none: whoever
// checks stamps finds that.
//
// An action that names no grant may be covered by what a user asked for, which
// the records above it show. That is not seen here, and so nothing is said
// unless there is no record above it.
//
// The findings on a grant become an action's only if it lies in the excess.
func (s *State) Judge(r *record.Record, index int64, st *entry.Stamp) []Finding {
	j := &judge{s: s, r: r, m: r.Msg, index: index, st: st, hit: map[record.ID]bool{}}
	j.author()
	switch b := r.Msg.GetBody().(type) {
	case *onusv1.Record_Stages:
		if a := b.Stages.GetAction(); a != nil {
			j.action(a)
		}
	case *onusv1.Record_Delegation:
		j.delegation()
	}
	return j.findings
}

// judge collects the findings of one record.
type judge struct {
	s        *State
	r        *record.Record
	m        *onusv1.Record
	index    int64
	st       *entry.Stamp
	findings []Finding
	// hit are the revocations that were found: each is said once.
	hit map[record.ID]bool
	// overItem and overTotal: a limit of one item, or in total, was said to be
	// exceeded.
	overItem, overTotal bool
}

func (j *judge) find(code string, about *Grant, format string, args ...any) {
	j.findings = append(j.findings, found(code, about, format, args...))
}

// author: who signs while revoked, or with a key that has ended.
func (j *judge) author() {
	a := j.m.GetAuthor()
	for _, rev := range j.s.reg.Revocations(a, j.index) {
		code := AgentRevoked
		if rev.Key != "" {
			code = KeyRevoked
		}
		if j.first(rev) {
			j.find(code, nil, "was logged after entry %d revoked %s", rev.Index, rev.Target())
		}
	}
	if end, by, ended := j.s.reg.Ended(a.GetKeyId(), j.index, j.st.LogTime); ended {
		j.find(CredentialExpired, nil, "was logged at %s, but the key that signed it had ended at %s%s", clock(j.st.LogTime), clock(end), tookOver(by))
	}
}

// first reports whether a revocation was not met before.
func (j *judge) first(rev registry.Revocation) bool {
	seen := j.hit[rev.ID]
	j.hit[rev.ID] = true
	return !seen
}

func tookOver(by string) string {
	if by == "" {
		return ""
	}
	return ", when key " + by + " took over"
}

// action judges an action: the grant that it names, the path above it, what
// that covers, and approvals.
func (j *judge) action(a *onusv1.Action) {
	var path Path
	if j.m.GetGrant() == "" {
		j.grantless()
	} else {
		path = j.named(mustID(j.m.GetGrant()))
	}
	ap := j.approvals(a, path)
	if len(path) == 0 {
		return
	}
	j.revoked(path, 0)
	for i := range path {
		j.inForce(path, i)
	}
	for i := range path {
		j.bond(path, i)
	}
	j.late(path)
	j.deep(path)
	c := j.s.weighPath(path, a.GetElement(), j.total)
	ceiling := j.ceilings(path, a.GetElement())
	covered := ceiling == Covered && c.covered()
	// The issuer of a grant, or of one above it, lets one action go beyond.
	lets := ap.valid && ap.user != "" && ap.user == path.User()
	if !lets {
		j.excess(path, c)
		j.scope(path, c, a.GetElement())
	}
	j.principal(path)
	if covered || lets && ceiling == Covered {
		j.basis(path)
	}
}

// grantless: an action that names no grant.
func (j *judge) grantless() {
	if j.m.GetSession() != "" {
		if rev, ok := j.s.reg.RevokedSession(j.m.GetSession(), j.m.GetUser(), j.index); ok && j.first(rev) {
			j.find(SessionRevoked, nil, "names no grant, and was logged after entry %d revoked the user's session", rev.Index)
		}
	}
	if j.m.GetParent() == "" && j.m.GetStages().GetIntent() == nil {
		j.missing(nil, "names no grant, and no record that asked for it")
	}
}

// named returns the path of the grant that an action names, as far as it is
// the actor's.
func (j *judge) named(id record.ID) Path {
	path, err := j.s.Path(id, j.index)
	a := j.m.GetAuthor()
	switch {
	case len(path) == 0:
		j.missing(nil, "names grant %s, which is not in the log before it", short(id))
		return nil
	case !path[0].HeldBy(a.GetAgent(), a.GetInstance()):
		j.missing(path[0], "names %s, which was given to %s and not to instance %s of %s", path[0], path[0].To(), a.GetInstance(), a.GetAgent())
		return nil
	case err != nil:
		j.missing(path.Root(), "has a grant path that breaks off: %s", err)
	}
	return path
}

// missing: of an agent that is not under grants yet it only says so.
func (j *judge) missing(about *Grant, format string, args ...any) {
	f := found(GrantMissing, about, format, args...)
	if j.m.GetDelegation() == nil && j.s.Observed(j.m.GetAuthor().GetAgent(), j.index) {
		f.Severity, f.Forbids, f.Coverage = Info, false, true
		f.Text += "; the agent is observed, and not under grants yet"
	}
	j.findings = append(j.findings, f)
}

// Observed reports whether an agent class is not under grants yet, as the
// entries before that index have it.
func (s *State) Observed(agent string, at int64) bool {
	c, _ := s.reg.Agent(agent, at)
	return c.GetObserved() || s.reg.Genesis().GetPolicy().GetObserved()
}

// inForce: by log time, and by the key that signed the grant.
func (j *judge) inForce(p Path, i int) {
	g, now := p[i], j.st.LogTime
	switch {
	case g.Expires >= 0 && now >= g.Expires && !j.said(GrantExpired):
		j.find(GrantExpired, g, "was logged at %s, but %s expired at %s", clock(now), g, clock(g.Expires))
	case g.NotBefore >= 0 && now < g.NotBefore && !j.said(GrantNotYetValid):
		j.find(GrantNotYetValid, g, "was logged at %s, but %s begins at %s", clock(now), g, clock(g.NotBefore))
	}
	if end, by, ended := j.s.reg.Ended(g.Record.Msg.GetAuthor().GetKeyId(), g.Index, g.LogTime); ended {
		j.find(CredentialExpired, g, "rests on %s, whose key had ended at %s%s", g, clock(end), tookOver(by))
	}
}

func (j *judge) said(code string) bool {
	for _, f := range j.findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// bond: whether the issuer had what the grant passes on.
func (j *judge) bond(p Path, i int) {
	g := p[i]
	if g.selfGranted() {
		j.find(SelfGranted, g, "%s was given by %s to itself", g, g.Record.Msg.GetAuthor().GetAgent())
	}
	if i+1 < len(p) && !g.issuedByHolder(p[i+1]) {
		j.find(GrantIssuerLacks, g, "%s was given under %s, which its issuer does not hold: it was given to %s", g, p[i+1], p[i+1].To())
	}
	if g.Word.User != "" && !g.Word.Counts {
		j.find(GrantNotBoundToUser, g, "%s is said to be the user's, but it is only asserted: %s", g, g.Word.Why)
	}
}

// principal: work for one user on the authority of another.
func (j *judge) principal(p Path) {
	if user := j.m.GetUser(); user != "" && p.User() != "" && user != p.User() {
		j.find(PrincipalChanged, p.Root(), "is for user %s, but its authority comes from user %s", user, p.User())
	}
}

// basis compares the basis that was declared with the root's.
func (j *judge) basis(p Path) {
	if p.Basis() != onusv1.Basis_BASIS_OWN {
		return
	}
	who := fmt.Sprintf("operator %s, by %s", p.Root().Record.Msg.GetAuthor().GetOperator(), p.Root())
	switch {
	case j.m.GetBasis() == onusv1.Basis_BASIS_DELEGATED:
		j.find(OwnAuthorityUndeclared, p.Root(), "says that it acts on a user's authority, but acts on that of %s", who)
	case j.m.GetUser() != "":
		j.find(OwnAuthorityUsed, p.Root(), "acts for a user on the authority of %s", who)
	}
}
