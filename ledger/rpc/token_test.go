package rpc_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// freshKeys fetches keys whenever it is asked.
type freshKeys struct{ *identity.Issuers }

func (k freshKeys) KeySet(ctx context.Context, issuer *onusv1.Issuer) ([]byte, time.Time, error) {
	keys, err := k.Issuers.KeySetAt(ctx, issuer.GetUrl(), issuer.GetJwksUri())
	if err != nil {
		return nil, time.Time{}, err
	}
	return keys.Raw, keys.Fetched, nil
}

// userWorld is a world whose agent is a client of a real OpenID provider.
type userWorld struct {
	*world
	op *oidctest.Provider
	// ahead is how much the ledger's clock is.
	ahead atomic.Int64
}

func newUserWorld(t *testing.T) *userWorld {
	t.Helper()
	u := &userWorld{op: oidctest.Start(t)}
	u.world = newWorldWith(t, nil, func(c *ledger.Config) {
		c.Keys = freshKeys{&identity.Issuers{MaxAge: time.Millisecond, Pause: time.Millisecond}}
		c.Audience = oidctest.Ledger
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(u.ahead.Load())) }
	}, nil)
	u.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: u.op.Issuer(), Users: true}}})
	u.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: agentID, Operator: operator, DisplayName: "Kubernetes helper",
		OauthClients: []*onusv1.OAuthClient{{Issuer: u.op.Issuer(), Id: oidctest.K8sAgent}}}}})
	return u
}

// intent describes a token as an agent does.
func (u *userWorld) intent(token string) *onusv1.SubmitRequest {
	u.t.Helper()
	f, err := credential.ReadFacts(token)
	must(u.t, err)
	mint := func(kind onusv1.NameKind, name string) string {
		resp, err := u.as("agent").Mint(context.Background(), &onusv1.MintRequest{Kind: kind, Names: []string{name}})
		must(u.t, err)
		return resp.GetPseudonyms()[0]
	}
	r, err := record.Sign(&onusv1.Record{
		Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Agent: agentID, Instance: "tokens", Operator: operator},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		User: mint(onusv1.NameKind_NAME_KIND_USER, verifier.UserName(f)), Session: mint(onusv1.NameKind_NAME_KIND_SESSION, verifier.SessionName(f)),
		Token: verifier.UserTokenOf(f),
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{
			Requested: []*onusv1.ScopeElement{{Type: "k8s.pod", Action: "get", Location: "https://k8s.example.com/shop"}}}}},
	}, u.server.agent)
	must(u.t, err)
	return &onusv1.SubmitRequest{Envelope: r.Envelope.Proto(), UserToken: token}
}

// Users' tokens of a real provider: an ID token, one with authority in it, one
// that the agent exchanged for the ledger, with the agent as actor; a key that
// is rotated, and a provider that is away.
func TestUserTokensOfARealProvider(t *testing.T) {
	u := newUserWorld(t)
	ctx := context.Background()
	c := u.as("agent")
	login := func(details string) string {
		id, _ := u.op.Login(oidctest.Login{User: oidctest.Alice, Client: oidctest.K8sAgent, Details: details})
		return id
	}
	submit := func(name, token string, want int32) *onusv1.SubmitResponse {
		t.Helper()
		resp, err := c.Submit(ctx, u.intent(token))
		must(t, err)
		if got := resp.GetToken(); got.GetAssurance() != want || (want == 0) != (got.GetWhy() != "") {
			t.Errorf("%s: %v, want assurance %d", name, got, want)
		}
		return resp
	}
	plain := login("")
	first := submit("ID token", plain, 1)
	submit("with authority", login(`[{"type":"k8s.pod","actions":["get"],"locations":["https://k8s.example.com"]}]`), 2)
	exchanged := u.op.Exchange(plain, oidctest.K8sAgent, oidctest.Ledger)
	submit("exchanged", exchanged, 1)
	f, err := credential.ReadFacts(exchanged)
	must(t, err)
	if len(f.Actors) == 0 || f.Actors[0].Subject != oidctest.K8sAgent {
		t.Errorf("the exchanged token has the actors %v", f.Actors)
	}
	u.op.RotateKeys()
	submit("of a new key", login(""), 1)

	refused := func(name, token, reason string) {
		t.Helper()
		before := u.ledger.Size()
		_, err := c.Submit(ctx, u.intent(token))
		if code, p := problem(t, err); code != connect.CodeInvalidArgument || p.GetReason() != reason || u.ledger.Size() != before {
			t.Errorf("%s: %v, %v; want %s", name, err, p, reason)
		}
	}
	other, _ := u.op.Login(oidctest.Login{User: oidctest.Alice, Client: oidctest.Planner})
	refused("of another client", other, credential.ReasonAudience)
	refused("exchanged by another client", u.op.Exchange(other, oidctest.Planner, oidctest.Ledger), credential.ReasonOtherClient)
	u.op.SetAgo(2 * time.Hour)
	refused("expired", login(""), credential.ReasonExpired)
	u.op.SetAgo(0)

	u.op.RotateKeys()
	u.op.SetDown(true)
	submit("while the provider is away", login(""), 0)
	u.op.SetDown(false)
	time.Sleep(5 * time.Millisecond) // longer than the pause between two fetches
	submit("when it is back", login(""), 1)

	// The token itself is shown to who may see contents, once it has expired.
	for _, when := range []struct {
		ahead time.Duration
		shown map[string]bool
	}{
		{0, nil},
		{2 * time.Hour, map[string]bool{"agent": true, "operator": true, "compliance": true, "administrator": true}},
	} {
		u.ahead.Store(int64(when.ahead))
		for _, caller := range []string{"agent", "operator", "auditor", "compliance", "administrator"} {
			for _, asked := range []bool{true, false} {
				resp, err := u.as(caller).GetReceipt(ctx, &onusv1.GetReceiptRequest{UserToken: asked,
					Key: &onusv1.GetReceiptRequest_Index{Index: first.GetReceipt().GetIndex()}})
				must(t, err)
				want := ""
				if asked && when.shown[caller] {
					want = plain
				}
				if got := resp.GetProven().GetUserToken(); got != want {
					t.Errorf("%s, %v later, asked %t: got a token of %d bytes, want %d", caller, when.ahead, asked, len(got), len(want))
				}
			}
		}
	}
	u.checkLog()
}
