package callee

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// Reasons why a call is refused here. Those of package credential stand beside
// them.
const (
	ReasonNoProof      = "PROOF_MISSING"
	ReasonUnknownKey   = "KEY_NOT_BOUND"
	ReasonKeyEnded     = "KEY_ENDED"
	ReasonOtherCaller  = "PROOF_OF_ANOTHER_CALLER"
	ReasonReplay       = "PROOF_USED_BEFORE"
	ReasonGrant        = "GRANT_NOT_THE_CALLERS"
	ReasonHanded       = "GRANT_NOT_HANDED_ON"
	ReasonLink         = "LINK_INVALID"
	ReasonLedger       = "LEDGER_UNAVAILABLE"
	ReasonTooManyCalls = "TOO_MANY_CALLS"
)

// refusal is why a call is not let in, and the Connect code that says so.
type refusal struct {
	code connect.Code
	err  *record.Error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

func refuse(code connect.Code, reason, field, detail, next string) *refusal {
	return &refusal{code, &record.Error{Reason: reason, Field: field, Detail: detail, Next: next}}
}

// check returns who makes a call. Its errors are *refusal.
func (g *Gate) check(ctx context.Context, c call) (Caller, error) {
	now := time.Now()
	tokens := c.header.Values(agent.ProofHeader)
	if len(tokens) != 1 {
		return Caller{}, refuse(connect.CodeUnauthenticated, ReasonNoProof, agent.ProofHeader,
			fmt.Sprintf("stands there %d times, not once", len(tokens)), "call with agent.ProofTransport, for the audience "+g.cfg.Audience)
	}
	hint, err := credential.Peek(tokens[0])
	if err != nil {
		return Caller{}, unauthenticated(err)
	}
	bound, err := g.bound(ctx, hint.KeyID, now)
	if err != nil {
		return Caller{}, err
	}
	proof, err := credential.VerifyProof(tokens[0], bound.Key, credential.Request{
		Audience: g.cfg.Audience, Method: c.method, URL: g.cfg.URL + c.path,
		AccessToken: agent.BearerDigest(c.header),
	}, now)
	if err != nil {
		return Caller{}, unauthenticated(err)
	}
	if why := speaksFor(bound.Party, proof); why != "" {
		return Caller{}, refuse(connect.CodeUnauthenticated, ReasonOtherCaller, "proof", why, "sign as the agent that the key is bound to")
	}
	link, err := agent.Extract(c.header)
	if err != nil {
		return Caller{}, refuse(connect.CodeInvalidArgument, ReasonLink, agent.Header, "is not a link: "+err.Error(), "send a link of the SDK, or none")
	}
	// Last, so that only a proof that is good uses itself up.
	if err := g.seen.use(bound.Key.ID(), proof.ID, proof.Expires.Add(credential.Skew), now); err != nil {
		return Caller{}, err
	}
	who := Caller{
		Agent: bound.Party.GetAgent(), Instance: proof.Instance, Operator: bound.Party.GetOperator(),
		KeyID: bound.Key.ID(), Level: bound.Level, Grant: proof.Grant, Link: link,
	}
	if g.cfg.CheckGrants && !who.Grant.IsZero() {
		if err := g.checkGrant(ctx, who, now); err != nil {
			return Caller{}, err
		}
	}
	if who.Link.Grant, err = g.handed(ctx, who, c.header.Get(agent.Header), now); err != nil {
		return Caller{}, err
	}
	return who, nil
}

// bound returns the key of that id, which may sign now for an agent.
func (g *Gate) bound(ctx context.Context, id string, now time.Time) (*agent.BoundKey, error) {
	const next = "sign the proof with the key that the agent is recorded with"
	if len(id) != 43 { // no thumbprint: the ledger need not be asked
		return nil, refuse(connect.CodeUnauthenticated, ReasonUnknownKey, "proof.header.kid", "is not the id of a recorded key", next)
	}
	k, err := g.keys.get(ctx, id)
	if no := (*agent.RefusedError)(nil); errors.As(err, &no) && no.Code == connect.CodeNotFound.String() {
		return nil, refuse(connect.CodeUnauthenticated, ReasonUnknownKey, "proof.header.kid", "is "+id+", which is not registered in "+g.cfg.Ledger.Origin(), next)
	}
	if err != nil {
		return nil, g.unavailable("the key "+id, err)
	}
	if why := k.Ended(now); why != "" {
		return nil, refuse(connect.CodeUnauthenticated, ReasonKeyEnded, "proof.header.kid", "is "+id+", which "+why, "use a key that may sign")
	}
	return k, nil
}

// speaksFor says what keeps the holder of a key from being who the proof says;
// empty if nothing does.
func speaksFor(party *onusv1.Author, p *credential.Proof) string {
	switch {
	case party.GetAgent() == "":
		return "is signed with a key that is no agent's"
	case p.Agent != party.GetAgent():
		return fmt.Sprintf("says %s, but the key is bound to %s", p.Agent, party.GetAgent())
	case party.GetInstance() != "" && p.Instance != party.GetInstance():
		return fmt.Sprintf("says instance %q, but the key is bound to %q", p.Instance, party.GetInstance())
	}
	return ""
}

// unauthenticated is for a proof that is not good.
func unauthenticated(err error) error {
	if e := (*record.Error)(nil); errors.As(err, &e) {
		return &refusal{connect.CodeUnauthenticated, e}
	}
	return refuse(connect.CodeUnauthenticated, credential.ReasonTokenMalformed, "proof", err.Error(), "call with agent.ProofTransport")
}

// unavailable is for a question that the ledger did not answer. Why is none of
// the business of a caller who is not known.
func (g *Gate) unavailable(what string, err error) error {
	if busy := (*refusal)(nil); errors.As(err, &busy) {
		return busy
	}
	g.cfg.Logger.Error("caller not known: the ledger does not answer", "about", what, "err", err)
	return refuse(connect.CodeUnavailable, ReasonLedger, "", "the ledger does not say now what became of "+what, "try again")
}
