package callee

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// checkGrant holds the grant that the caller acts under to the caller.
func (g *Gate) checkGrant(ctx context.Context, who Caller, now time.Time) error {
	_, why, err := g.held(ctx, who, now)
	if err != nil || why == "" {
		return err
	}
	return refuse(connect.CodePermissionDenied, ReasonGrant, "proof.grant", why, "act under a grant that is yours")
}

// held returns the grant that the caller says it acts under, and what keeps it
// from being the caller's and in force; empty if nothing does.
func (g *Gate) held(ctx context.Context, who Caller, now time.Time) (held *agent.Grant, why string, err error) {
	held, err = g.grant(ctx, who.Grant)
	if err != nil {
		return nil, "", err
	}
	if held == nil {
		return nil, "is no grant in the log that this callee may see", nil
	}
	switch h := held.Grant; {
	case h.GetAgent() != who.Agent:
		why = "was given to " + h.GetAgent() + ", the caller is " + who.Agent
	case h.GetInstance() != "" && h.GetInstance() != who.Instance:
		why = fmt.Sprintf("was given to instance %q, the caller is %q", h.GetInstance(), who.Instance)
	case held.Revoked():
		why = "is revoked, or what it rests on is"
	case h.GetExpires() != nil && !now.Before(h.GetExpires().AsTime()):
		why = "has expired"
	case held.Status.GetEnds() != nil && !now.Before(held.Status.GetEnds().AsTime()):
		why = "ended at " + held.Status.GetEnds().AsTime().Format(time.RFC3339) + ", when what it rests on expired"
	case h.GetNotBefore() != nil && now.Before(h.GetNotBefore().AsTime()):
		why = "is not in force yet"
	}
	return held, why, nil
}

// grant returns what the log says of a grant; nil if it is none that this
// callee may see.
func (g *Gate) grant(ctx context.Context, id record.ID) (*agent.Grant, error) {
	got, err := g.grants.get(ctx, id)
	no := (*agent.RefusedError)(nil)
	switch {
	case err == nil:
		return got, nil
	case errors.As(err, &no) && (no.Code == connect.CodeNotFound.String() || no.Code == connect.CodePermissionDenied.String()):
		return nil, nil
	}
	return nil, g.unavailable("the grant "+id.String(), err)
}

// handed returns the grant of the link that the caller sent, if the callee is
// to act under it. A grant's id is no secret, so that a caller knows one says
// nothing: the caller must be one that may hand it on. A grant that is not the
// callee's gives it nothing, and is left out: callers pass on the link that they
// act under themselves. One that is the callee's, from a caller that may not
// hand it on, is refused: the callee would do the caller's work on another's
// account.
func (g *Gate) handed(ctx context.Context, who Caller, header string, now time.Time) (none record.ID, err error) {
	if who.Link.IsZero() {
		return none, nil
	}
	link, err := agent.ParseLink(header)
	if err != nil || link.Grant.IsZero() || g.cfg.Agent == "" || link.Origin != g.cfg.Ledger.Origin() {
		return none, nil // err was told before
	}
	given, err := g.grant(ctx, link.Grant)
	if err != nil {
		return none, err
	}
	if given == nil || given.Grant.GetAgent() != g.cfg.Agent {
		g.cfg.Logger.Debug("grant of a link left out: it is none of this callee's", "grant", link.Grant.String(), "caller", who.Agent)
		return none, nil
	}
	may, err := g.mayHand(ctx, who, given, now)
	if err != nil {
		return none, err
	}
	if !may {
		return none, refuse(connect.CodePermissionDenied, ReasonHanded, agent.Header,
			"names a grant that "+giver(given.Author)+" gave to this callee, and that is not for "+who.Agent+" to hand on",
			"delegate to the callee under a grant of your own, or send a link without a grant")
	}
	return link.Grant, nil
}

// mayHand reports whether the caller may have the callee act under a grant of
// the callee's: it gave the grant, or whoever did answers for the caller too. An
// operator does for its own agents; a user, or an operator, for those that show
// a grant of the same giver, on behalf of the same user.
func (g *Gate) mayHand(ctx context.Context, who Caller, given *agent.Grant, now time.Time) (bool, error) {
	by := given.Author
	switch {
	case by.GetAgent() != "":
		return by.GetAgent() == who.Agent, nil
	case by.GetOperator() != "" && by.GetOperator() == who.Operator:
		return true, nil
	case who.Grant.IsZero():
		return false, nil
	}
	own, why, err := g.held(ctx, who, now)
	if err != nil || why != "" {
		return false, err
	}
	return own.User == given.User && samePrincipal(own.Author, by), nil
}

// samePrincipal reports whether two grants were given by the same user client,
// device's user, or operator, whatever its keys.
func samePrincipal(a, b *onusv1.Author) bool {
	some := a.GetOperator() != "" || a.GetClient() != "" || a.GetUser() != ""
	return some && a.GetAgent() == "" && b.GetAgent() == "" && a.GetOperator() == b.GetOperator() && a.GetClient() == b.GetClient() && a.GetUser() == b.GetUser()
}

// giver names who gave a grant, for people.
func giver(a *onusv1.Author) string {
	switch {
	case a.GetAgent() != "":
		return a.GetAgent()
	case a.GetOperator() != "":
		return "operator " + a.GetOperator()
	}
	return "a user"
}
