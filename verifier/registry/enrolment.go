package registry

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// planKey checks the registration of a key: who may have it, and on whose word.
func (g *Registry) planKey(c *candidate, k *onusv1.KeyBinding) (func(), error) {
	key, err := record.ParsePublicKey(k.GetPublicKey())
	if err != nil {
		return nil, err // the record's own rules have checked it
	}
	holder, err := g.checkHolder(k)
	if err != nil {
		return nil, err
	}
	if b := g.keys[key.ID()]; b != nil {
		return nil, conflict("registration.key.public_key", "is already "+b.holder(), "use a new key")
	}
	b := bindingOf(holder)
	b.Index, b.LogTime, b.Key, b.NotAfter, b.SignedBy = c.index, c.stamp.LogTime, key, millis(k.GetNotAfter()), c.author.GetKeyId()
	if b.NotAfter >= 0 && b.NotAfter <= c.stamp.LogTime {
		return nil, &record.Error{Reason: ReasonTime, Field: "registration.key.not_after",
			Detail: fmt.Sprintf("is %s, and it is %s: the key could never sign", clock(b.NotAfter), clock(c.stamp.LogTime)),
			Next:   "set a later time, or none"}
	}
	if err := g.checkWord(c, k, b); err != nil {
		return nil, err
	}
	replace, err := g.planReplacement(c, k, b)
	if err != nil {
		return nil, err
	}
	return func() {
		g.bind(b)
		replace()
	}, nil
}

// checkHolder returns the party that a binding names, as an author: registered,
// and not revoked.
func (g *Registry) checkHolder(k *onusv1.KeyBinding) (*onusv1.Author, error) {
	h := &onusv1.Author{Agent: k.GetAgent(), Instance: k.GetInstance(), Operator: k.GetOperator(),
		Service: k.GetService(), Client: k.GetClient(), Reviewer: k.GetReviewer(), User: k.GetUser()}
	if err := g.notRevoked("registration.key", h); err != nil {
		return nil, err
	}
	if op := k.GetOperator(); op != "" && len(g.registered[Party{KindOperator, op}]) == 0 {
		return nil, notRegistered("registration.key.operator", op, "operator")
	}
	p := PartyOf(h)
	if p.Kind != KindUser && len(g.registered[p]) == 0 { // of a user, keys alone are registered
		return nil, notRegistered("registration.key."+string(p.Kind), p.ID, string(p.Kind))
	}
	if operator := g.answersFor(p, end); p.Kind == KindAgent && k.GetOperator() != operator {
		return nil, conflict("registration.key.operator", fmt.Sprintf("differs from %q, which answers for the agent", operator), "name the agent's own operator")
	}
	return h, nil
}

// checkWord decides on whose word a key is bound, and so its level: that of
// the key itself with a credential, of another key of the party, of the
// operator who answers for the party or of an administrator. What each must
// show beside it, a signature of the new key or a credential, is a rule of the
// record.
func (g *Registry) checkWord(c *candidate, k *onusv1.KeyBinding, b *Binding) error {
	author, p := PartyOf(c.author), b.Party()
	switch {
	case record.SelfEnrolment(c.Msg) != nil:
		if err := g.checkEnrolment(c, k, b); err != nil {
			return err
		}
	case author.Kind == KindAdministrator:
	case author == p:
		if err := g.checkRotation(c, b); err != nil {
			return err
		}
	case author.Kind == KindOperator && g.operatorOf(b.author(), end) == author.ID:
	default:
		return &record.Error{Reason: ReasonNotPermitted, Field: "registration.key",
			Detail: fmt.Sprintf("is for %s, for whom %s may not register keys", p, author),
			Next:   "have a key of the same party sign it, its operator or an administrator"}
	}
	return g.checkCredential(c, k, b)
}

// checkEnrolment: the key signs its own registration.
func (g *Registry) checkEnrolment(c *candidate, k *onusv1.KeyBinding, b *Binding) error {
	// Here the key stands alone, so what it replaces would end on the word of
	// a credential only, which is not the other key's.
	if k.GetReplaces() != "" {
		return &record.Error{Reason: ReasonNotPermitted, Field: "registration.key.replaces",
			Detail: "is set by a key that enrols itself", Next: "have the key that is replaced sign for the new one"}
	}
	if b.User != "" {
		return g.checkUserKey(c, b)
	}
	// A workload's credential shows the class only: with it, one process must
	// not take the place of another.
	for _, other := range g.partyKeys[b.Party()] {
		if b.Agent != "" && other.Instance == b.Instance {
			return conflict("registration.key.instance", fmt.Sprintf("is %q, which has a key since entry %d", b.Instance, other.Index),
				"have that key sign for the new one, or name a new instance")
		}
	}
	return nil
}

// checkUserKey: the ledger checked the user's token, which the record says is
// bound to the key. The token must be of a login through a user client: an
// agent that runs an OAuth client of its own chooses what the token is bound
// to, and so could make its own key the user's. For the same reason nobody may
// act for the user in it.
func (g *Registry) checkUserKey(c *candidate, b *Binding) error {
	t := c.Msg.GetToken()
	if c.stamp.Assurance == 0 {
		return &record.Error{Reason: ReasonNoCredential, Field: "token",
			Detail: "was not checked, and nothing else shows whose the key is",
			Next:   "send the user's token beside the record, of an issuer that is registered for users"}
	}
	if err := g.checkAssurance(c); err != nil {
		return err
	}
	if len(t.GetActors()) > 0 {
		return &record.Error{Reason: ReasonOtherActor, Field: "token.actors",
			Detail: fmt.Sprintf("says that %q acts for the user: it may not make a key the user's", t.GetActors()[0].GetSubject()),
			Next:   "enrol the key with a token that the user got, without act"}
	}
	if p := g.partyOfToken(t, end); p.Kind != KindClient {
		return &record.Error{Reason: credential.ReasonOtherClient, Field: "token.client",
			Detail: "is " + whoseClient(t, p) + ": a user's key is bound by a login through a registered user client",
			Next:   "log in through a user client, with the key's thumbprint as nonce; an administrator registers one: onus apply, clients"}
	}
	b.Level, b.CheckedWith = K1, Party{KindIssuer, t.GetIssuer()}.String()
	return nil
}

// partyOfToken returns whose OAuth client a token was issued to.
func (g *Registry) partyOfToken(t *onusv1.UserToken, at int64) Party {
	id := ClientOfToken(t)
	if id == "" {
		return Party{}
	}
	p, _ := latest(g.clients[oauthClient{t.GetIssuer(), id}], at)
	return p
}

// ClientOfToken returns the OAuth client that a token was issued to: the one
// that it names (azp), or else its sole audience; empty if it says neither.
// OpenID Connect Core, section 2.
func ClientOfToken(t *onusv1.UserToken) string {
	switch {
	case t.GetClient() != "":
		return t.GetClient()
	case len(t.GetAudience()) == 1:
		return t.GetAudience()[0]
	}
	return ""
}

func whoseClient(t *onusv1.UserToken, p Party) string {
	switch id := ClientOfToken(t); {
	case id == "":
		return "missing, among several audiences"
	case p == (Party{}):
		return fmt.Sprintf("%.200q, which is registered for nobody", id)
	default:
		return fmt.Sprintf("%.200q, of %s", id, p)
	}
}

// millis returns a time in milliseconds since 1970, or -1 if it is not set.
func millis(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return -1
	}
	return t.AsTime().UnixMilli()
}
