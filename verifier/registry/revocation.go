package registry

import (
	"fmt"

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
	// Key, Agent (and maybe Instance) or Operator is what it ends.
	Key, Agent, Instance, Operator string
}

// target is what a revocation ends: a key, an agent class, an instance of it,
// or an operator.
type target struct{ key, agent, instance, operator string }

func targetOf(r *onusv1.Revocation) target {
	return target{
		key:      r.GetKey(),
		agent:    r.GetAgent() + r.GetInstance().GetAgent(), // one of them
		instance: r.GetInstance().GetInstance(),
		operator: r.GetOperator(),
	}
}

// targetsOf returns what an author stands on: each of these may be revoked.
func targetsOf(a *onusv1.Author) []target {
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
	if a.GetOperator() != "" {
		ts = append(ts, target{operator: a.GetOperator()})
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
	for _, t := range targetsOf(a) {
		if rs := g.revoked[t]; len(rs) > 0 && rs[0].Index < at {
			hit = append(hit, rs[0])
		}
	}
	return hit
}

// Suspicions returns the revocations, before the index asked, by which a
// record that stands at entry index with that log time is suspect: logged
// before the revocation, but not before the time since when the target was
// suspected.
func (g *Registry) Suspicions(a *onusv1.Author, index, logTime, asked int64) []Revocation {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var hit []Revocation
	for _, t := range targetsOf(a) {
		for _, r := range g.revoked[t] {
			if r.Index < asked && r.Index > index && r.SuspectedSince >= 0 && logTime >= r.SuspectedSince {
				hit = append(hit, r)
				break
			}
		}
	}
	return hit
}

// notRevoked refuses, at the end of the registry, what a revoked party would
// bind or revoke: unlike a record of what an agent did, it would have effect.
func (g *Registry) notRevoked(field string, a *onusv1.Author) error {
	for _, t := range targetsOf(a) {
		if rs := g.revoked[t]; len(rs) > 0 {
			return &record.Error{Reason: ReasonRevoked, Field: field,
				Detail: fmt.Sprintf("stands on %s, which entry %d revoked", t, rs[0].Index),
				Next:   "use a key, an instance or an agent class that is not revoked"}
		}
	}
	return nil
}

// checkRevocation: an administrator may revoke anything, an operator what is
// its own, and a key itself. The target must be bound.
func (g *Registry) checkRevocation(a *onusv1.Author, r *onusv1.Revocation) error {
	t := targetOf(r)
	operator, err := g.operatorOf(t)
	if err != nil {
		return err
	}
	if t.key != "" && t.key == a.GetKeyId() {
		return nil // a key may always end itself
	}
	if err := g.notRevoked("author", a); err != nil {
		return err
	}
	switch {
	case a.GetAdministrator() != "":
		return nil
	case t.operator == "" && a.GetOperator() == operator && operator != "" && a.GetAgent() == "":
		return nil
	}
	return &record.Error{Reason: ReasonNotPermitted, Field: "revocation",
		Detail: fmt.Sprintf("of %s is not for this author", t),
		Next:   "have an administrator sign it, or the operator whose it is"}
}

// operatorOf returns whose a target is: empty for an administrator's key.
func (g *Registry) operatorOf(t target) (string, error) {
	switch {
	case t.key != "":
		b := g.keys[t.key]
		if b == nil {
			return "", notRegistered("revocation.key", t.key, "key")
		}
		return b.Operator, nil
	case t.agent != "":
		vs := g.agents[t.agent]
		if len(vs) == 0 {
			return "", notRegistered("revocation.agent", t.agent, "agent")
		}
		return vs[0].value.GetOperator(), nil
	}
	if len(g.operators[t.operator]) == 0 {
		return "", notRegistered("revocation.operator", t.operator, "operator")
	}
	return t.operator, nil
}

func (g *Registry) addRevocation(r *onusv1.Revocation, id record.ID, index int64) {
	t := targetOf(r)
	since := int64(-1)
	if s := r.GetSuspectedSince(); s != nil {
		since = s.AsTime().UnixMilli()
	}
	g.revoked[t] = append(g.revoked[t], Revocation{Index: index, ID: id, SuspectedSince: since,
		Key: t.key, Agent: t.agent, Instance: t.instance, Operator: t.operator})
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
	}
	return "operator " + t.operator
}
