package ledger

import (
	"context"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// device enrols a key as a user's, with that token beside it. edit bends the
// record.
func (h *harness) device(s record.Signer, token string, edit func(*onusv1.Record)) error {
	h.t.Helper()
	sub := h.enrolment(s, "", func(m *onusv1.Record) {
		h.describe(m, token)
		m.Author = &onusv1.Author{User: m.User, KeyId: s.Public().ID()}
		m.GetRegistration().Subject = &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: s.Public().SPKI(), User: m.User}}
		if edit != nil {
			edit(m)
		}
	})
	sub.UserToken = token
	_, err := h.ledger.Enrol(context.Background(), sub)
	return err
}

// An agent cannot make itself the user's device: it runs its own OAuth client,
// and so chooses the nonce of the user's login.
func TestAgentIsNoUsersDevice(t *testing.T) {
	h, is := newUserHarness(t, nil)
	for _, c := range []struct {
		name    string
		changes obj
		reason  string
	}{
		{"login through the agent's client", obj{}, credential.ReasonAudience},
		{"login through the agent's client, for the chat too", obj{"aud": []string{testClient, chatClient}}, credential.ReasonOtherClient},
		{"exchanged by the agent", obj{"aud": testOrigin}, credential.ReasonOtherClient},
		{"exchanged by the agent, as actor", obj{"aud": testOrigin, "act": obj{"sub": testAgent}}, credential.ReasonOtherClient},
		{"exchanged by a client nobody knows", obj{"aud": testOrigin, "azp": "stranger"}, credential.ReasonOtherClient},
		{"exchanged by nobody", obj{"aud": testOrigin, "azp": nil}, credential.ReasonOtherClient},
		{"of the chat, with the agent as actor", obj{"aud": chatClient, "azp": chatClient, "act": obj{"sub": testAgent}}, registry.ReasonOtherActor},
		{"exchanged by the chat, which acts in it", obj{"aud": testOrigin, "azp": chatClient, "act": obj{"sub": chatClient}}, registry.ReasonOtherActor},
	} {
		t.Run(c.name, func(t *testing.T) {
			thief := newSigner(t) // the agent has this key
			token := obj{"nonce": thief.Public().ID()}
			for k, v := range c.changes {
				token[k] = v
			}
			wantReason(t, h.device(thief, is.token(token), nil), c.reason)
			if b := h.ledger.Registry().Key(thief.Public().ID(), h.ledger.Size()); b != nil {
				t.Errorf("the agent signs as %s", b.Party())
			}
		})
	}
	// What the user client exchanged for the ledger is still a login with it.
	phone := newSigner(t)
	if err := h.device(phone, is.token(obj{"aud": testOrigin, "azp": chatClient, "nonce": phone.Public().ID()}), nil); err != nil {
		t.Error(err)
	}
	h.checkLog()
	h.checkRows()
}

// The token of an ended session enrols no device, whether or not the record
// names the session.
func TestDeviceOutOfARevokedSession(t *testing.T) {
	for name, c := range map[string]struct {
		edit   func(*onusv1.Record)
		reason string
	}{
		"session named":    {nil, registry.ReasonSessionRevoked},
		"session left out": {func(m *onusv1.Record) { m.Session = "" }, record.ReasonInvalid},
		"another session":  {func(m *onusv1.Record) { m.Session = "" }, record.ReasonInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h, is := newUserHarness(t, nil)
			if name == "another session" {
				other := h.mint(NameSession, issuerURL+" s2")[0]
				c.edit, c.reason = func(m *onusv1.Record) { m.Session = other }, ReasonTokenMismatch
			}
			phone := newSigner(t)
			token := is.token(obj{"aud": chatClient, "azp": chatClient, "nonce": phone.Public().ID()})
			h.log(h.endSession(token))
			wantReason(t, h.device(phone, token, c.edit), c.reason)
		})
	}
}
