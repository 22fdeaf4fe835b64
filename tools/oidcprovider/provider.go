package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// provider is the library's storage in memory, and what that leaves out.
type provider struct {
	*storage.Storage

	mu     sync.Mutex                // guards all below
	keys   []signingKey              // the newest first
	logins map[string]map[string]any // claims by the login's id
	ago    time.Duration
	down   bool
}

func newProvider() (*provider, error) {
	p := &provider{Storage: storage.NewStorageWithClients(directory{}, registered()), logins: map[string]map[string]any{}}
	return p, p.rotate()
}

// CreateAuthRequest implements op.AuthStorage. It keeps with the login what
// the ID token is to say of it beyond what the library knows.
func (p *provider) CreateAuthRequest(ctx context.Context, req *oidc.AuthRequest, userID string) (op.AuthRequest, error) {
	login, err := p.Storage.CreateAuthRequest(ctx, req, userID)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{"sid": uuid.NewString()}
	asked := askedOf(ctx)
	if asked.details != nil {
		claims["authorization_details"] = asked.details
	}
	if asked.thumbprint != "" {
		claims["cnf"] = map[string]any{"jkt": asked.thumbprint}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logins[login.GetID()] = claims
	return login, nil
}

// DeleteAuthRequest implements op.AuthStorage.
func (p *provider) DeleteAuthRequest(ctx context.Context, id string) error {
	p.mu.Lock()
	delete(p.logins, id)
	p.mu.Unlock()
	return p.Storage.DeleteAuthRequest(ctx, id)
}

// SetUserinfoFromRequest implements op.CanSetUserinfoFromRequest: claims of an
// ID token by the code flow.
func (p *provider) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, req op.IDTokenRequest, scopes []string) error {
	if err := p.Storage.SetUserinfoFromRequest(ctx, info, req, scopes); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if login, ok := req.(op.AuthRequest); ok {
		for name, v := range p.logins[login.GetID()] {
			info.AppendClaims(name, v)
		}
	}
	return nil
}

// GetClientByClientID implements op.OPStorage.
func (p *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := p.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if clients[id].RedirectURI == "http://127.0.0.1/sign-in/callback" {
		c = anyPort{c}
	}
	return issued{c, p.ago}, nil
}

// ClientCredentials implements op.ClientCredentialsStorage.
func (p *provider) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := p.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	c, err := p.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return ownToken{c.(issued)}, nil
}

// ClientCredentialsTokenRequest implements op.ClientCredentialsStorage: the
// client is the subject, and the audience is what it asked for.
func (p *provider) ClientCredentialsTokenRequest(ctx context.Context, id string, scopes []string) (op.TokenRequest, error) {
	audience := askedOf(ctx).resources
	if len(audience) == 0 {
		audience = []string{id}
	}
	return &oidc.JWTTokenRequest{Subject: id, Audience: audience, Scopes: scopes}, nil
}

// ValidateTokenExchangeRequest implements op.TokenExchangeStorage: a client
// acts for a user, and for nobody without saying that it does.
func (p *provider) ValidateTokenExchangeRequest(_ context.Context, req op.TokenExchangeRequest) error {
	if req.GetExchangeActor() != req.GetClientID() {
		return errors.New("the actor token is not the client's own")
	}
	if req.GetRequestedTokenType() == "" {
		req.SetRequestedTokenType(oidc.AccessTokenType)
	}
	return nil
}

// SetUserinfoFromTokenExchangeRequest implements op.TokenExchangeStorage:
// claims of an exchanged ID token.
func (p *provider) SetUserinfoFromTokenExchangeRequest(_ context.Context, info *oidc.UserInfo, req op.TokenExchangeRequest) error {
	info.Subject = req.GetSubject()
	for name, v := range exchanged(req) {
		info.AppendClaims(name, v)
	}
	return nil
}

// GetPrivateClaimsFromTokenExchangeRequest implements op.TokenExchangeStorage:
// claims of an exchanged access token.
func (p *provider) GetPrivateClaimsFromTokenExchangeRequest(_ context.Context, req op.TokenExchangeRequest) (map[string]any, error) {
	return exchanged(req), nil
}

// exchanged returns what the new token says that the library does not: who
// acts, before whom others acted (RFC 8693, section 4.1), and of the user's
// login what is true of it whoever acts.
func exchanged(req op.TokenExchangeRequest) map[string]any {
	before := req.GetExchangeSubjectTokenClaims()
	claims := map[string]any{}
	for _, name := range []string{"sid", "authorization_details", "cnf"} {
		if v, ok := before[name]; ok {
			claims[name] = v
		}
	}
	act := map[string]any{"sub": req.GetExchangeActor()}
	if earlier, ok := before["act"]; ok {
		act["act"] = earlier
	}
	claims["act"] = act
	return claims
}
