package ledger

import (
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// expected says what the token of a record must be: an ID token that was
// issued to the author's own OAuth client, or a token that this client
// exchanged for the ledger's audience. A token of another client is a replay,
// and an access token of some resource is neither.
//
// A user's device has no client of its own: it brings the login of any user
// client that is registered here. That of an agent's client shows only that the
// agent has a token.
//
// Which of them it is, the record says; the token must then agree.
func (l *Ledger) expected(r *record.Record, size int64) (credential.Expect, error) {
	said := r.Msg.GetToken()
	want := credential.Expect{Issuer: said.GetIssuer()}
	mine, named, err := l.clientsOf(r.Msg.GetAuthor(), said.GetIssuer(), size)
	if err != nil {
		return want, err
	}
	if i := slices.IndexFunc(said.GetAudience(), mine); i >= 0 {
		want.Audience = said.GetAudience()[i]
		want.Client = want.Audience
		return want, nil
	}
	if want.Audience = l.cfg.Audience; want.Audience == "" {
		want.Audience = l.signer.Key().Origin()
	}
	switch {
	case mine(said.GetClient()):
		want.Client = said.GetClient()
	case named != "":
		want.Client = named // the refusal names it
	case slices.Contains(said.GetAudience(), want.Audience):
		return want, notUserClient(said)
	}
	return want, nil
}

// clientsOf returns which OAuth clients of an issuer are an author's, and one
// of them, if the author has its own.
func (l *Ledger) clientsOf(a *onusv1.Author, issuer string, size int64) (mine func(id string) bool, named string, err error) {
	var clients []*onusv1.OAuthClient
	switch {
	case a.GetAgent() != "":
		class, _ := l.registry.Agent(a.GetAgent(), size)
		clients = class.GetOauthClients()
	case a.GetClient() != "":
		client, _ := l.registry.Client(a.GetClient(), size)
		clients = []*onusv1.OAuthClient{client.GetOauthClient()}
	case a.GetUser() != "":
		return func(id string) bool {
			return l.registry.PartyOfClient(issuer, id, size).Kind == registry.KindClient
		}, "", nil
	default:
		return nil, "", &record.Error{Reason: registry.ReasonNotPermitted, Field: "user_token",
			Detail: "came beside a record that is no agent's, user client's or user's", Next: "leave it out"}
	}
	var ids []string
	for _, c := range clients {
		if c.GetIssuer() == issuer && c.GetId() != "" {
			ids = append(ids, c.GetId())
		}
	}
	if len(ids) == 0 {
		return nil, "", &record.Error{Reason: credential.ReasonOtherClient, Field: "token.client",
			Detail: fmt.Sprintf("is not the author's: no OAuth client of %.200q is registered for it", issuer),
			Next:   "have an administrator register the OAuth client: onus apply, oauth_clients"}
	}
	return func(id string) bool { return slices.Contains(ids, id) }, ids[0], nil
}

// notUserClient: a user brings a token that nobody got from the user by a login
// in an application that is registered as one for users.
func notUserClient(said *onusv1.UserToken) error {
	id := registry.ClientOfToken(said)
	if id == "" {
		id = "none"
	}
	return &record.Error{Reason: credential.ReasonOtherClient, Field: "token.client",
		Detail: fmt.Sprintf("is %.200q, which is not registered as a user client of %.200q", id, said.GetIssuer()),
		Next:   "log in through a registered user client, or have an administrator register this one: onus apply, clients"}
}
