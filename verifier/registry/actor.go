package registry

import (
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Who acts for a user, a token may say: RFC 8693, section 4.1, act. The
// outermost actor is the current one, and the one within it acted before. Many
// issuers leave act out of an exchanged token; then nothing is said.

// CheckActors holds the actors of a user's token to the record beside it: the
// current one must be the agent or the user client that signed the record, and
// the one before it the agent that the record says asked for the work, if it
// says so. A user who signs needs no actor, and is not held to one. The error is
// a *record.Error.
func (g *Registry) CheckActors(r *record.Record, at int64) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.checkActors(&candidate{Record: r, author: r.Msg.GetAuthor(), index: at})
}

func (g *Registry) checkActors(c *candidate) error {
	t, author := c.Msg.GetToken(), PartyOf(c.author)
	if len(t.GetActors()) == 0 || author.Kind != KindAgent && author.Kind != KindClient {
		return nil
	}
	if a := t.GetActors()[0]; !g.isActor(a, t.GetIssuer(), author, c.index) {
		return otherActor(0, a, author, "use a token with which the author of the record acts for the user, or one without act")
	}
	parent := c.Msg.GetParentAgent()
	if len(t.GetActors()) < 2 || parent == "" {
		return nil
	}
	if a, p := t.GetActors()[1], (Party{KindAgent, parent}); !g.isActor(a, t.GetIssuer(), p, c.index) {
		return otherActor(1, a, p, "name in parent_agent the agent that handed the token on")
	}
	return nil
}

func otherActor(i int, a *onusv1.Actor, p Party, next string) error {
	return &record.Error{Reason: ReasonOtherActor, Field: fmt.Sprintf("token.actors[%d]", i),
		Detail: fmt.Sprintf("is %.300q, which is not known as %s", a.GetSubject(), p), Next: next}
}

// isActor reports whether an actor is that party: by its id, by one of its
// OAuth clients, or by a workload that its registration names.
func (g *Registry) isActor(a *onusv1.Actor, issuer string, p Party, at int64) bool {
	if p.Kind == KindAgent && a.GetSubject() == p.ID {
		return true
	}
	if a.GetIssuer() != "" {
		issuer = a.GetIssuer()
	}
	reg, _ := latest(g.registered[p], at)
	for _, oc := range clientsOf(reg) {
		if oc.issuer == issuer && oc.id != "" && (oc.id == a.GetSubject() || oc.id == a.GetClient()) {
			return true
		}
	}
	return slices.ContainsFunc(reg.GetAgent().GetWorkloads(), func(w *onusv1.Workload) bool {
		return w.GetIssuer() == issuer && w.GetSubject() == a.GetSubject()
	})
}
