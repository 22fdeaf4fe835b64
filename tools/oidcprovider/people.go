package main

import (
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// A client is known by its id.
type client struct {
	Secret      string `json:"secret"`
	RedirectURI string `json:"redirect_uri"`
}

// A user is known by the name it logs in with.
type user struct {
	Password string `json:"password"`
	Subject  string `json:"subject"`
}

// clients are two agents, what users sit in front of, the ledger, and two viewers:
// the second without a secret. A viewer is on any port of this machine.
var clients = map[string]client{
	"k8s-agent":            {"k8s-agent-secret", "http://127.0.0.1/k8s-agent"},
	"supply-chain-planner": {"supply-chain-planner-secret", "http://127.0.0.1/supply-chain-planner"},
	"chat-frontend":        {"chat-frontend-secret", "http://127.0.0.1/chat-frontend"},
	"onus-ledger":          {"onus-ledger-secret", "http://127.0.0.1/onus-ledger"},
	"viewer":               {"viewer-secret", "http://127.0.0.1/sign-in/callback"},
	"public-viewer":        {"", "http://127.0.0.1/sign-in/callback"},
}

var users = map[string]user{
	"alice": {"alice's password", "user-1001"},
	"bob":   {"bob's password", "user-1002"},
}

// directory is the users as the storage asks for them.
type directory struct{}

func (directory) GetUserByID(id string) *storage.User {
	for name, u := range users {
		if u.Subject == id {
			return &storage.User{ID: u.Subject, Username: name, Password: u.Password, Email: name + "@example.com", EmailVerified: true}
		}
	}
	return nil
}

func (d directory) GetUserByUsername(name string) *storage.User {
	return d.GetUserByID(users[name].Subject)
}

func (directory) ExampleClientID() string { return storage.ServiceUserID }

// registered returns the clients as the storage keeps them.
func registered() map[string]*storage.Client {
	all := map[string]*storage.Client{}
	for id, c := range clients {
		if c.Secret == "" {
			all[id] = storage.NativeClient(id, c.RedirectURI)
			continue
		}
		all[id] = storage.WebClient(id, c.Secret, c.RedirectURI)
	}
	return all
}

// issued is a client whose tokens may be of another time than now.
type issued struct {
	op.Client
	ago time.Duration
}

// IDTokenLifetime makes an ID token valid for an hour from when it says that
// it was issued: the library adds ClockSkew to the end, too.
func (c issued) IDTokenLifetime() time.Duration { return time.Hour - 2*c.ago }

// ClockSkew is how long ago the library says that it issued a token.
func (c issued) ClockSkew() time.Duration { return c.ago }

// anyPort is a client at any port of this machine, as RFC 8252, section 7.3, has
// it for what runs there.
type anyPort struct{ op.Client }

func (anyPort) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }

// ownToken is a client that asks for a token of its own, not a user's: a JWT,
// which says for whom it is.
type ownToken struct{ issued }

func (ownToken) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

func (ownToken) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeClientCredentials}
}
