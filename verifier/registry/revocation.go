package registry

import (
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Revocation is a revocation as the log has it.
type Revocation struct {
	// Index is that of its entry: it counts for entries after it.
	Index int64
	ID    record.ID
	// SuspectedSince is in milliseconds since 1970, or -1: records of the
	// target from that log time on, before Index, are suspect.
	SuspectedSince int64
	// Key, Agent (and maybe Instance), Operator, Grant (the id of its record)
	// or Session is what it ends.
	Key, Agent, Instance, Operator, Grant, Session string
	// User is set where a user revoked a session: it counts for the records
	// that name the session and this user.
	User string
}

// Target names what was ended, for people: "agent spiffe://example.com/planner".
func (r Revocation) Target() string {
	return target{r.Key, r.Agent, r.Instance, r.Operator, r.Grant, r.Session, r.User}.String()
}

// target is what a revocation ends: a key, an agent class, an instance of it,
// an operator, a grant or a session.
type target struct{ key, agent, instance, operator, grant, session, user string }

func targetOf(r *onusv1.Revocation) target {
	return target{
		key:      r.GetKey(),
		agent:    r.GetAgent() + r.GetInstance().GetAgent(), // one of them
		instance: r.GetInstance().GetInstance(),
		operator: r.GetOperator(),
		grant:    r.GetGrant(),
		session:  r.GetSession(),
	}
}

// targetsOf returns what an author stands on, as of that index: each of these
// may be revoked. The operator of a service, a user client or a reviewer is the
// one that answers for it.
func (g *Registry) targetsOf(a *onusv1.Author, at int64) []target {
	ts := make([]target, 0, 4)
	if a.GetKeyId() != "" {
		ts = append(ts, target{key: a.GetKeyId()})
	}
	if a.GetInstance() != "" {
		ts = append(ts, target{agent: a.GetAgent(), instance: a.GetInstance()})
	}
	if a.GetAgent() != "" {
		ts = append(ts, target{agent: a.GetAgent()})
	}
	if operator := g.operatorOf(a, at); operator != "" {
		ts = append(ts, target{operator: operator})
	}
	return ts
}

// Revocations returns the revocations that hit an author, as the entries
// before that index have them: of its key, its instance, its class and its
// operator, in this order, each by the first that ended it.
//
// An entry with a revocation here is not refused: it is flagged. What was
// logged before a revocation stays valid.
func (g *Registry) Revocations(a *onusv1.Author, at int64) []Revocation {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var hit []Revocation
	for _, t := range g.targetsOf(a, at) {
		if r, ok := g.firstOf(t, at); ok {
			hit = append(hit, r)
		}
	}
	return hit
}

// Suspicions returns the revocations, before the index asked, by which a
// record that stands at entry index with that log time is suspect: logged
// before the revocation, but not before the time since when the target was
// suspected. A record is suspect too if the binding of its key is:
// a stolen key that bound another would outlive its own revocation in it. That
// holds whenever the record was logged, also after the revocation.
func (g *Registry) Suspicions(a *onusv1.Author, index, logTime, asked int64) []Revocation {
	g.mu.RLock()
	defer g.mu.RUnlock()
	hit := g.suspicions(a, index, logTime, asked)
	// The binding of a key stands before all that it signed, so this ends.
	for b := g.keys[a.GetKeyId()]; b != nil && b.Index > 0 && b.SignedBy != b.Key.ID(); {
		by := g.keys[b.SignedBy]
		if by == nil {
			break
		}
		signer := by.author()
		signer.KeyId = b.SignedBy
		for _, r := range g.suspicions(signer, b.Index, b.LogTime, asked) {
			if !slices.ContainsFunc(hit, func(h Revocation) bool { return h.ID == r.ID }) {
				hit = append(hit, r)
			}
		}
		b = by
	}
	return hit
}

func (g *Registry) suspicions(a *onusv1.Author, index, logTime, asked int64) []Revocation {
	var hit []Revocation
	for _, t := range g.targetsOf(a, asked) {
		for _, r := range g.revoked[t] {
			if r.Index < asked && r.Index > index && r.SuspectedSince >= 0 && logTime >= r.SuspectedSince {
				hit = append(hit, r)
				break
			}
		}
	}
	return hit
}

// RevokedGrant returns the first revocation of a grant, by the id of its
// record, before that index. Whether its author had the right is for whoever
// knows the grants to say.
func (g *Registry) RevokedGrant(id record.ID, at int64) (Revocation, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.firstOf(target{grant: id.String()}, at)
}

// RevokedSession returns the first revocation, before that index, of a session
// of a user: by that user or by an administrator. Both are pseudonyms. A
// session does not show whose it is, so what another user revokes counts for
// that other user alone.
func (g *Registry) RevokedSession(session, user string, at int64) (Revocation, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.revokedSession(session, user, at)
}

func (g *Registry) revokedSession(session, user string, at int64) (Revocation, bool) {
	first, ok := g.firstOf(target{session: session}, at)
	if own, found := g.firstOf(target{session: session, user: user}, at); found && (!ok || own.Index < first.Index) {
		return own, true
	}
	return first, ok
}

func (g *Registry) firstOf(t target, at int64) (Revocation, bool) {
	if rs := g.revoked[t]; len(rs) > 0 && rs[0].Index < at {
		return rs[0], true
	}
	return Revocation{}, false
}

// inForce refuses, at the end of the registry, what a revoked party or an ended
// key would bind or revoke: unlike a record of what an agent did, it would have
// effect.
func (g *Registry) inForce(c *candidate) error {
	a := c.author
	if name := a.GetAdministrator(); name != "" {
		if r, ok := g.firstOf(target{key: a.GetKeyId()}, end); ok {
			return &record.Error{Reason: ReasonRevoked, Field: "author",
				Detail: fmt.Sprintf("is administrator %s, whose key entry %d revoked", name, r.Index),
				Next:   "have another administrator sign it"}
		}
	}
	if err := g.notRevoked("author", a); err != nil {
		return err
	}
	if at, by, ended := g.ended(a.GetKeyId(), end, c.stamp.LogTime); ended {
		why := "its binding set that end"
		if by != "" {
			why = "key " + by + " took over"
		}
		return &record.Error{Reason: ReasonKeyEnded, Field: "author.key_id",
			Detail: fmt.Sprintf("is of a key that ended at %s: %s", clock(at), why), Next: "sign with the party's newer key"}
	}
	return nil
}

func (g *Registry) notRevoked(field string, a *onusv1.Author) error {
	for _, t := range g.targetsOf(a, end) {
		if r, ok := g.firstOf(t, end); ok {
			return &record.Error{Reason: ReasonRevoked, Field: field,
				Detail: fmt.Sprintf("stands on %s, which entry %d revoked", t, r.Index),
				Next:   "use a key, an instance or an agent class that is not revoked"}
		}
	}
	return nil
}

func (g *Registry) planRevocation(c *candidate, r *onusv1.Revocation) (func(), error) {
	t := targetOf(r)
	if t.session != "" && c.author.GetAdministrator() == "" {
		t.user = c.Msg.GetUser()
	}
	if err := g.checkRevocation(c, t); err != nil {
		return nil, err
	}
	v := Revocation{Index: c.index, ID: c.ID, SuspectedSince: millis(r.GetSuspectedSince()),
		Key: t.key, Agent: t.agent, Instance: t.instance, Operator: t.operator, Grant: t.grant, Session: t.session, User: t.user}
	return func() { g.revoked[t] = append(g.revoked[t], v) }, nil
}

// checkRevocation: an administrator may revoke anything, an operator what is
// its own, a user their sessions, and a key itself. The target must be bound.
// Of a grant it is kept only: package authority knows whose it is.
func (g *Registry) checkRevocation(c *candidate, t target) error {
	operator, err := g.operatorOfTarget(t)
	if err != nil {
		return err
	}
	if t.key != "" && t.key == c.author.GetKeyId() {
		return nil // a key may always end itself
	}
	if err := g.inForce(c); err != nil {
		return err
	}
	switch author := PartyOf(c.author); {
	case author.Kind == KindAdministrator, t.grant != "":
		return nil
	case t.session != "":
		return g.checkSession(c, author)
	case author.Kind == KindOperator && t.operator == "" && operator == author.ID:
		return nil
	}
	return &record.Error{Reason: ReasonNotPermitted, Field: "revocation",
		Detail: fmt.Sprintf("of %s is not for this author", t),
		Next:   "have an administrator sign it, or the operator whose it is"}
}

// checkSession: the user's own key shows that it is the user; through a user
// client, a token does.
func (g *Registry) checkSession(c *candidate, author Party) error {
	switch {
	case author.Kind == KindUser:
		return nil
	case author.Kind == KindClient && c.stamp.Assurance > 0:
		return g.checkAssurance(c)
	}
	return &record.Error{Reason: ReasonNotPermitted, Field: "revocation.session",
		Detail: "is not by its user, as far as was shown",
		Next:   "sign it with the key of the user's device, send the user's token beside it, or have an administrator sign it"}
}

// operatorOfTarget returns whose a target is: empty for the key of an
// administrator, a user or the host, for a grant and for a session.
func (g *Registry) operatorOfTarget(t target) (string, error) {
	switch {
	case t.grant != "", t.session != "":
		return "", nil
	case t.key != "":
		b := g.keys[t.key]
		if b == nil {
			return "", notRegistered("revocation.key", t.key, "key")
		}
		return g.operatorOf(b.author(), end), nil
	case t.agent != "":
		if len(g.registered[Party{KindAgent, t.agent}]) == 0 {
			return "", notRegistered("revocation.agent", t.agent, "agent")
		}
		return g.answersFor(Party{KindAgent, t.agent}, end), nil
	}
	if len(g.registered[Party{KindOperator, t.operator}]) == 0 {
		return "", notRegistered("revocation.operator", t.operator, "operator")
	}
	return t.operator, nil
}

// String names a target for people.
func (t target) String() string {
	switch {
	case t.key != "":
		return "key " + t.key
	case t.instance != "":
		return "instance " + t.instance + " of " + t.agent
	case t.agent != "":
		return "agent " + t.agent
	case t.grant != "":
		return "grant " + t.grant
	case t.session != "":
		return "session " + t.session
	}
	return "operator " + t.operator
}
