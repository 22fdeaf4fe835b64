package agent_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// The record says whose the token is and what it says; the ledger checks it,
// and the receipt says how it was taken.
func TestToken(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	details := []claims{{"type": "order", "actions": []string{"create"}, "locations": []string{"https://erp.example.com/orders"}}}
	requested := []agent.Element{{Type: "order", Action: "create", Location: "https://erp.example.com/orders"}}
	for name, c := range map[string]struct {
		token     agent.Token
		requested []agent.Element
		want      int
	}{
		"an ID token":                   {w.token("planner", nil), nil, 1},
		"for the log's audience":        {w.token(origin, claims{"azp": "planner"}), nil, 1},
		"that holds what was asked for": {w.token("planner", claims{"authorization_details": details}), requested, 2},
		"that does not":                 {w.token("planner", nil), requested, 1},
		"without a session":             {w.token("planner", claims{"sid": nil}), nil, 1},
		"none":                          {"", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := a.Record(t.Context(), agent.Step{Token: c.token, Intent: &agent.Intent{Text: "x", Requested: c.requested}})
			if err != nil {
				t.Fatal(err)
			}
			if r.Assurance != c.want || r.Why != "" {
				t.Errorf("assurance is %d (%s), want %d", r.Assurance, r.Why, c.want)
			}
			m := w.message(r)
			if c.token == "" {
				if m.GetToken() != nil || m.GetUser() != "" {
					t.Errorf("the record without a token is %v", m)
				}
				return
			}
			user, session, err := a.TokenUser(t.Context(), c.token)
			if err != nil || m.GetUser() != user || m.GetSession() != session || m.GetToken().GetDigest() != credential.TokenDigest(string(c.token)) {
				t.Errorf("the record is of %s in %s with %v: %v", m.GetUser(), m.GetSession(), m.GetToken(), err)
			}
		})
	}
	// Do, and its outcome, are of the same user.
	step := order(1)
	step.Token = w.token("planner", nil)
	done := must(a.Do(t.Context(), step, func(context.Context) (agent.Outcome, error) { return agent.Outcome{}, nil }))
	if m := w.message(done.Outcome); m.GetUser() != w.message(done.Action).GetUser() || m.GetUser() == "" || m.GetToken() != nil {
		t.Errorf("the outcome is %v", m)
	}
}

// A token is not checked when its issuer's keys cannot be had, and never passes
// for one that was.
func TestTokenAsserted(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	// Signed with a key that the log does not know, and no way to ask.
	w.issuerKey = newKey()
	step := intent("x")
	step.Token = agent.Token(strings.Replace(string(w.token("planner", nil)), header("k1"), header("k2"), 1))
	r, err := a.Record(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	if r.Assurance != 0 || !strings.Contains(r.Why, "cannot be had") {
		t.Errorf("assurance is %d (%s), want 0 and a reason", r.Assurance, r.Why)
	}
}

func TestTokenRefused(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	now := time.Now()
	for name, c := range map[string]struct {
		token  agent.Token
		reason string
	}{
		"expired":                           {w.token("planner", claims{"iat": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-time.Hour).Unix()}), credential.ReasonExpired},
		"of another client":                 {w.token("other", nil), credential.ReasonAudience},
		"presented by another than its azp": {w.token("planner", claims{"azp": "other"}), credential.ReasonOtherClient},
		"of another issuer":                 {w.token("planner", claims{"iss": "https://evil.example.com"}), credential.ReasonIssuer},
	} {
		step := intent("x")
		step.Token = c.token
		_, err := a.Record(t.Context(), step)
		var refused *agent.RefusedError
		if !errors.As(err, &refused) || refused.Problem.GetReason() != c.reason {
			t.Errorf("%s: Record gives %v, want %s", name, err, c.reason)
		}
		if err != nil && strings.Contains(err.Error(), string(c.token)) {
			t.Errorf("%s: the error shows the token", name)
		}
	}
	// Before anything is sent.
	for name, step := range map[string]agent.Step{
		"no token":        {Token: "x", Intent: &agent.Intent{Text: "x"}},
		"no sub":          {Token: w.token("planner", claims{"sub": nil}), Intent: &agent.Intent{Text: "x"}},
		"another user":    {Token: w.token("planner", nil), User: must(a.User(t.Context(), "other")), Intent: &agent.Intent{Text: "x"}},
		"another session": {Token: w.token("planner", nil), Session: must(a.Session(t.Context(), "other")), Intent: &agent.Intent{Text: "x"}},
	} {
		if _, err := a.Record(t.Context(), step); !errors.As(err, new(*record.Error)) {
			t.Errorf("%s: Record gives %v", name, err)
		}
	}
	if got := w.count(t, a); got != 0 {
		t.Errorf("%d records are in the log", got)
	}
}

// Nothing that prints a step prints the token in it.
func TestTokenIsNotShown(t *testing.T) {
	const secret = "eyJ.secret.sig"
	step := agent.Step{Token: secret}
	var b strings.Builder
	fmt.Fprintf(&b, "%v %+v %#v %s %q %x %v", step, step, step, step.Token, step.Token, step.Token, &step)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "step", step, "token", step.Token)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "step", step, "token", step.Token)
	b.Write(must(json.Marshal(step)))
	for _, s := range []string{secret, "secret", fmt.Sprintf("%x", secret)} {
		if strings.Contains(b.String(), s) {
			t.Errorf("it says %q in: %s", s, b.String())
		}
	}
}

// header is the first part of a token of the issuer.
func header(kid string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"` + kid + `","typ":"JWT"}`))
}
