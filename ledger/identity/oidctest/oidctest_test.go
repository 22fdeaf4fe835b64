package oidctest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// What the provider issues is what the verifier reads, claim by claim.
func TestProvider(t *testing.T) {
	op := oidctest.Start(t)
	verify := func(token, audience, client string) *credential.Facts {
		t.Helper()
		keys, err := credential.ParseKeySet(op.KeySet())
		if err != nil {
			t.Fatal(err)
		}
		f, err := credential.VerifyToken(token, keys, credential.Expect{Issuer: op.Issuer(), Audience: audience, Client: client}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if f.KeyID != keys.Keys()[0].Thumbprint() {
			t.Errorf("signed with %s, not with the newest key", f.KeyID)
		}
		return f
	}
	recent := func(what string, at time.Time) {
		t.Helper()
		if d := time.Since(at); d < -time.Second || d > time.Minute {
			t.Errorf("%s is %v", what, at)
		}
	}
	const thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

	login, access := op.Login(oidctest.Login{User: oidctest.Alice, Client: oidctest.K8sAgent, Nonce: thumbprint, DeviceKey: thumbprint,
		Details: `[{"type":"onus","actions":["order"],"locations":["erp"],"amount":"5000","unit":"EUR"}]`})
	user := verify(login, oidctest.K8sAgent, oidctest.K8sAgent)
	recent("iat", user.IssuedAt)
	recent("auth_time", user.AuthTime)
	details := []credential.Detail{{Type: "onus", Actions: []string{"order"}, Locations: []string{"erp"}, Unit: "EUR", Limits: map[string]string{"amount": "5000"}}}
	if user.Subject != op.Subject(oidctest.Alice) || user.Nonce != thumbprint || user.Confirms != thumbprint || user.AuthorizedParty != oidctest.K8sAgent || user.Session == "" || len(user.Actors) != 0 {
		t.Errorf("login: %+v", user)
	}
	if diff := cmp.Diff(details, user.Details); diff != "" {
		t.Error(diff)
	}

	// The agent acts for her at the ledger, then another for the agent.
	first := op.Exchange(login, oidctest.K8sAgent, oidctest.Ledger)
	one := verify(first, oidctest.Ledger, oidctest.K8sAgent)
	two := verify(op.Exchange(first, oidctest.Planner, oidctest.Ledger), oidctest.Ledger, oidctest.Planner)
	for _, c := range []struct {
		facts  *credential.Facts
		actors []credential.Actor
	}{
		{one, []credential.Actor{{Subject: oidctest.K8sAgent}}},
		{two, []credential.Actor{{Subject: oidctest.Planner}, {Subject: oidctest.K8sAgent}}},
	} {
		if diff := cmp.Diff(c.actors, c.facts.Actors); diff != "" {
			t.Errorf("act: %s", diff)
		}
		if diff := cmp.Diff(details, c.facts.Details); diff != "" {
			t.Errorf("exchanged: %s", diff)
		}
		if f := c.facts; f.Subject != user.Subject || f.Session != user.Session || f.Confirms != thumbprint || f.Nonce != "" {
			t.Errorf("exchanged: %+v", f)
		}
	}
	byAccess := verify(op.Exchange(access, oidctest.Planner, oidctest.Ledger), oidctest.Ledger, oidctest.Planner)
	if byAccess.Subject != user.Subject || len(byAccess.Actors) != 1 {
		t.Errorf("exchanged access token: %+v", byAccess)
	}

	// Another user's login is another session, without what was not asked for.
	plain, _ := op.Login(oidctest.Login{User: oidctest.Bob, Client: oidctest.ChatFrontend, Scopes: []string{"email"}})
	bob := verify(plain, oidctest.ChatFrontend, oidctest.ChatFrontend)
	if bob.Subject != op.Subject(oidctest.Bob) || bob.Session == user.Session || bob.Nonce+bob.Confirms != "" || bob.Details != nil {
		t.Errorf("plain login: %+v", bob)
	}

	// A workload's own token, for one audience.
	own := op.ClientToken(oidctest.K8sAgent, "log.example.com/enrol/"+thumbprint)
	workload := verify(own, "log.example.com/enrol/"+thumbprint, "")
	if workload.Subject != oidctest.K8sAgent || len(workload.Audience) != 1 {
		t.Errorf("workload: %+v", workload)
	}
}

func TestControl(t *testing.T) {
	op := oidctest.Start(t)
	login := func() string {
		token, _ := op.Login(oidctest.Login{User: oidctest.Alice, Client: oidctest.Ledger})
		return token
	}
	verify := func(token string, at time.Time) string {
		t.Helper()
		keys, err := credential.ParseKeySet(op.KeySet())
		if err != nil {
			t.Fatal(err)
		}
		_, err = credential.VerifyToken(token, keys, credential.Expect{Issuer: op.Issuer(), Audience: oidctest.Ledger}, at)
		return reason(err)
	}
	now := time.Now()
	before := login()
	for _, c := range []struct {
		ago  time.Duration
		want string
	}{{2 * time.Hour, credential.ReasonExpired}, {-2 * time.Hour, credential.ReasonNotYetValid}, {0, ""}} {
		op.SetAgo(c.ago)
		token := login()
		if got := verify(token, now); got != c.want {
			t.Errorf("issued %v ago: %q, want %q", c.ago, got, c.want)
		}
		if got := verify(token, now.Add(-c.ago)); got != "" {
			t.Errorf("issued %v ago, then: %q", c.ago, got)
		}
	}
	op.RotateKeys()
	for name, token := range map[string]string{"new": login(), "before": before} {
		if got := verify(token, now); got != "" {
			t.Errorf("%s key: %q", name, got)
		}
	}
	op.RotateKeys()
	if got := verify(before, now); got != credential.ReasonUnknownKey {
		t.Errorf("key that is no longer published: %q", got)
	}
}

// reason returns why a token was refused, or "".
func reason(err error) string {
	var refused *record.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.Reason
	}
	return err.Error()
}
