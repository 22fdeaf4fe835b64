package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	"github.com/onus-ledger/onus/cmd/internal/devissuer"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// The scenarios share one company: an OpenID provider, the unit that runs the
// agents, and the chat window in which users work.

const (
	itPlatform = "it/platform"
	chatClient = "chat"
)

// makeWorld starts the provider and registers what the scenarios share.
func (d *demo) makeWorld(ctx context.Context) (stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if d.issuer, err = devissuer.New(baseURL(ln, false)); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	serving, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- serveUntil(serving.Done(), ln, d.issuer.Handler()) }()
	stop = func() { cancel(); <-stopped }
	if err := d.register(ctx); err != nil {
		stop()
		return nil, err
	}
	d.say("\nThe users come from an OpenID provider in this process, %s.", d.issuer.URL())
	d.say("An administrator registered it, the unit that answers for the agents, and a chat window.")
	return stop, nil
}

func (d *demo) register(ctx context.Context) error {
	hc, err := d.remote.httpClient()
	if err != nil {
		return err
	}
	if d.line, err = agent.NewClient(agent.ClientConfig{Server: d.remote.server, HTTPClient: hc, LogKey: d.ledger.LogKey().String()}); err != nil {
		return err
	}
	issuer := &onusv1.Issuer{Url: d.issuer.URL(), Users: true}
	if err := d.admin.ensure(ctx, &onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: issuer}}, nil, nil); err != nil {
		return err
	}
	key, pub, err := d.key("it-platform")
	if err != nil {
		return err
	}
	op := &onusv1.Operator{Id: itPlatform, Organisation: "Example Corp", Unit: "IT Platform", AccountablePost: "Head of Platform", Contact: "platform@example.com"}
	if err := d.admin.ensure(ctx, &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: op}}, &onusv1.KeyBinding{Operator: itPlatform}, pub); err != nil {
		return err
	}
	if d.it, err = party.NewOperator(d.line, key, itPlatform); err != nil {
		return err
	}
	if key, pub, err = d.key("chat"); err != nil {
		return err
	}
	client := &onusv1.UserClient{Id: chatClient, Operator: itPlatform, DisplayName: "Chat window", OauthClient: &onusv1.OAuthClient{Issuer: d.issuer.URL(), Id: chatClient}}
	if err := d.admin.ensure(ctx, &onusv1.Registration{Subject: &onusv1.Registration_Client{Client: client}}, &onusv1.KeyBinding{Client: chatClient}, pub); err != nil {
		return err
	}
	d.chat, err = party.NewUserClient(d.line, key, chatClient)
	return err
}

// key loads a key from the ledger's directory, or makes it there.
func (d *demo) key(name string) (crypto.Signer, *record.PublicKey, error) {
	path := filepath.Join(string(d.dir), name+".key")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		key, err := keyfile.Generate("ed25519")
		if err != nil {
			return nil, nil, err
		}
		if _, err := keyfile.WritePair(path, key); err != nil {
			return nil, nil, err
		}
	}
	key, err := keyfile.LoadSigner(path)
	if err != nil {
		return nil, nil, err
	}
	pub, err := keyfile.LoadPublic(path + ".pub")
	return key, pub, err
}

// agent registers an agent class with a key, of IT Platform unless it names
// another operator, and returns a running instance of it, which records over
// the network as any agent does. Its OAuth client, if it is one, has the name
// of the class.
func (d *demo) agent(ctx context.Context, class *onusv1.AgentClass) (*agent.Agent, error) {
	key, pub, err := d.key(lastSegment(class.GetId()))
	if err != nil {
		return nil, err
	}
	if class.Operator == "" {
		class.Operator = itPlatform
	}
	if err := d.admin.ensure(ctx, &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: class}},
		&onusv1.KeyBinding{Agent: class.GetId(), Operator: class.GetOperator()}, pub); err != nil {
		return nil, err
	}
	hc, err := d.remote.httpClient()
	if err != nil {
		return nil, err
	}
	return agent.New(agent.Config{
		Server: d.remote.server, HTTPClient: hc, LogKey: d.ledger.LogKey().String(),
		Signer: key, Agent: class.GetId(), Operator: class.GetOperator(),
	})
}

// oauthClient makes an agent class an OAuth client of the provider.
func (d *demo) oauthClient(class *onusv1.AgentClass) *onusv1.AgentClass {
	class.OauthClients = []*onusv1.OAuthClient{{Issuer: d.issuer.URL(), Id: lastSegment(class.GetId())}}
	return class
}

// login returns an ID token of a user for a client, with more claims.
func (d *demo) login(user, client string, more map[string]any) (agent.Token, error) {
	claims := map[string]any{"sub": user, "aud": client, "azp": client, "sid": rand.Text()}
	for name, v := range more {
		claims[name] = v
	}
	token, err := d.issuer.Token(claims)
	return agent.Token(token), err
}

// enrolPhone makes a key for a login of a user: the provider puts its id into
// the token, as the login's nonce.
func (d *demo) enrolPhone(ctx context.Context, user string) (*party.User, error) {
	key, err := keyfile.Generate("ed25519")
	if err != nil {
		return nil, err
	}
	signer, err := record.NewSigner(key)
	if err != nil {
		return nil, err
	}
	token, err := d.login(user, chatClient, map[string]any{"nonce": signer.Public().ID()})
	if err != nil {
		return nil, err
	}
	return party.EnrolDevice(ctx, d.line, key, token)
}
