package agent_test

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	"github.com/onus-ledger/onus/agent/service"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// config is that of a buyer which is not enrolled.
func (w *world) config(id string, key crypto.Signer) agent.Config {
	cfg := w.Config(id)
	cfg.Signer = key
	return cfg
}

// workload gives out the buyer's workload tokens.
func (w *world) workload(change claims) func(context.Context, string) (string, error) {
	return func(_ context.Context, audience string) (string, error) {
		c := claims{"sub": podName, "sid": nil}
		for k, v := range change {
			c[k] = v
		}
		return string(w.token(audience, c)), nil
	}
}

func TestEnrol(t *testing.T) {
	w := newWorld(t)
	svidKey, own := ecKey(), ecKey()
	for name, c := range map[string]struct {
		key   crypto.Signer
		cred  agent.Credential
		level string
	}{
		"by SVID":                 {nil, agent.Credential{SVID: w.svid(buyer, svidKey), SVIDKey: svidKey}, "K2"},
		"with the SVID's own key": {own, agent.Credential{SVID: w.svid(buyer, own)}, "K2"},
		"by workload token":       {nil, agent.Credential{WorkloadToken: w.workload(nil)}, "K1"},
		"until a time":            {newKey(), agent.Credential{WorkloadToken: w.workload(nil), NotAfter: time.Now().Add(time.Hour).Truncate(time.Second)}, "K1"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := agent.Enrol(t.Context(), w.config(buyer, c.key), c.cred)
			if err != nil {
				t.Fatal(err)
			}
			k, err := a.Key(t.Context(), a.KeyID())
			if err != nil {
				t.Fatal(err)
			}
			if k.Level != c.level || k.Party.GetAgent() != buyer || k.Party.GetInstance() != a.Instance() || k.Revoked >= 0 || k.Ended(time.Now()) != "" {
				t.Errorf("the key is %+v, want it bound to this instance with %s", k, c.level)
			}
			want := c.cred.NotAfter
			if name == "with the SVID's own key" {
				want = c.cred.SVID[0].NotAfter
			}
			if !k.NotAfter.Equal(want) {
				t.Errorf("the key ends at %v, want %v", k.NotAfter, want)
			}
			r, err := a.Record(t.Context(), intent("x"))
			if err != nil {
				t.Fatal(err)
			}
			if m := w.message(r); m.GetSequence() != 1 {
				t.Errorf("the first record has number %d, want 1: the enrolment is number 0", m.GetSequence())
			}
		})
	}
}

func TestEnrolRefused(t *testing.T) {
	w := newWorld(t)
	key, other := ecKey(), ecKey()
	foreign := *w
	foreign.root, foreign.rootKey = newRoot()
	for name, c := range map[string]struct {
		key  crypto.Signer
		cred agent.Credential
		want string // a reason, or a part of the error
	}{
		"SVID of another workload":     {key, agent.Credential{SVID: w.svid(planner, key)}, "OTHER_WORKLOAD"},
		"SVID of a root that is not":   {key, agent.Credential{SVID: foreign.svid(buyer, key)}, "SVID_CHAIN_NOT_VERIFIED"},
		"SVID of another trust domain": {key, agent.Credential{SVID: w.svid("spiffe://other.example/buyer", key)}, ""},
		"SVID without its key":         {key, agent.Credential{SVID: w.svid(buyer, other)}, "set SVIDKey"},
		"SVID with another key":        {key, agent.Credential{SVID: w.svid(buyer, other), SVIDKey: key}, "not the key of the SVID"},
		"token of another workload":    {key, agent.Credential{WorkloadToken: w.workload(claims{"sub": "system:serviceaccount:shop:other"})}, "OTHER_WORKLOAD"},
		"token for another key": {key, agent.Credential{WorkloadToken: func(ctx context.Context, _ string) (string, error) {
			return w.workload(nil)(ctx, origin+"/enrol/"+keyID(other))
		}}, "TOKEN_WRONG_AUDIENCE"},
		"token that cannot be had": {key, agent.Credential{WorkloadToken: func(context.Context, string) (string, error) { return "", errLost }}, errLost.Error()},
		"two ways":                 {key, agent.Credential{SVID: w.svid(buyer, key), WorkloadToken: w.workload(nil)}, "more than one way"},
		"by a user's token":        {key, agent.Credential{UserToken: w.token(chat, nil)}, "user's device"},
		"SVID and no key at all":   {nil, agent.Credential{SVID: w.svid(buyer, key)}, "Signer is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := agent.Enrol(t.Context(), w.config(buyer, c.key), c.cred)
			if err == nil {
				t.Fatal("Enrol takes it")
			}
			var refused *agent.RefusedError
			if errors.As(err, &refused) && (c.want == "" || refused.Problem.GetReason() == c.want) {
				return
			}
			if c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Enrol gives %v, want %s", err, c.want)
			}
		})
	}
	// An instance enrols once.
	cfg := w.config(buyer, nil)
	cfg.Instance = "b-1"
	must(agent.Enrol(t.Context(), cfg, agent.Credential{WorkloadToken: w.workload(nil)}))
	var refused *agent.RefusedError
	if _, err := agent.Enrol(t.Context(), cfg, agent.Credential{WorkloadToken: w.workload(nil)}); !errors.As(err, &refused) || refused.Problem.GetReason() != "CONFLICT" {
		t.Errorf("a second key of the instance: %v", err)
	}
}

// Without a credential the key knocks, an administrator admits it, and New is
// enough.
func TestKnock(t *testing.T) {
	w := newWorld(t)
	cfg := w.config(buyer, newKey())
	cfg.Instance = "b-1"
	_, err := agent.Enrol(t.Context(), cfg, agent.Credential{})
	var waits *agent.PendingError
	if !errors.As(err, &waits) || waits.KeyID != keyID(cfg.Signer) || !strings.Contains(err.Error(), "administrator") {
		t.Fatalf("Enrol gives %v, want it pending", err)
	}
	keys := w.Ledger.Pending("")
	if len(keys) != 1 || keys[0].GetKeyId() != waits.KeyID || keys[0].GetAuthor().GetInstance() != "b-1" {
		t.Fatalf("the keys that wait are %v", keys)
	}
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: keys[0].GetPublicKey(), Agent: buyer, Instance: "b-1", Operator: operator}}})
	must(must(agent.New(cfg)).Record(t.Context(), intent("x")))
}

func TestRotate(t *testing.T) {
	w := newWorld(t)
	svidKey, next, last := ecKey(), ecKey(), newKey()
	a := must(agent.Enrol(t.Context(), w.config(buyer, svidKey), agent.Credential{SVID: w.svid(buyer, svidKey)}))
	must(a.Record(t.Context(), intent("with the first key")))
	r, err := a.Rotate(t.Context(), next, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if m := w.message(r); m.GetAuthor().GetKeyId() != keyID(svidKey) || m.GetSequence() != 2 {
		t.Errorf("the rotation is %v, want it signed by the old key, in the sequence", m)
	}
	if m := w.message(must(a.Record(t.Context(), intent("with the second")))); m.GetAuthor().GetKeyId() != keyID(next) || a.KeyID() != keyID(next) {
		t.Errorf("the next record is signed by %s, want %s", m.GetAuthor().GetKeyId(), keyID(next))
	}
	k := must(a.Key(t.Context(), keyID(next)))
	if k.Party.GetInstance() != a.Instance() || k.Level != "K2" {
		t.Errorf("the new key is %+v", k)
	}
	if old := must(a.Key(t.Context(), keyID(svidKey))); old.Ended(time.Now()) != "" || old.Ended(time.Now().Add(2*time.Hour)) == "" {
		t.Errorf("the old key ends at %v, want in an hour", old.NotAfter)
	}
	// At once.
	must(a.Rotate(t.Context(), last, 0))
	if old := must(a.Key(t.Context(), keyID(next))); old.Ended(time.Now().Add(time.Second)) == "" {
		t.Errorf("the second key ends at %v, want now", old.NotAfter)
	}
	must(a.Record(t.Context(), intent("with the third")))

	// A key that is taken is not another's next key, and the agent goes on.
	var refused *agent.RefusedError
	if _, err := a.Rotate(t.Context(), w.keys[planner], 0); !errors.As(err, &refused) || refused.Problem.GetReason() != "CONFLICT" {
		t.Errorf("Rotate to another's key gives %v", err)
	}
	must(a.Record(t.Context(), intent("still with the third")))

	// A key of the class stays one.
	c := w.agent(t, planner, nil)
	must(c.Rotate(t.Context(), newKey(), time.Hour))
	if k := must(c.Key(t.Context(), c.KeyID())); k.Party.GetInstance() != "" {
		t.Errorf("the class's new key is bound to instance %q", k.Party.GetInstance())
	}
	must(c.Record(t.Context(), intent("x")))
}

// The next key may have an end of its own.
func TestRotateUntil(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	end := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	must(a.Rotate(t.Context(), newKey(), 0, agent.KeyUntil(end)))
	if k := must(a.Key(t.Context(), a.KeyID())); !k.NotAfter.Equal(end) {
		t.Errorf("the new key ends at %v, want %v", k.NotAfter, end)
	}
	must(a.Rotate(t.Context(), newKey(), 0, agent.KeyUntil(time.Time{})))
	if k := must(a.Key(t.Context(), a.KeyID())); !k.NotAfter.IsZero() {
		t.Errorf("the new key ends at %v, want no end", k.NotAfter)
	}
	before := a.KeyID()
	if _, err := a.Rotate(t.Context(), newKey(), 0, agent.KeyUntil(time.Now().Add(-time.Minute))); !errors.As(err, new(*agent.RefusedError)) || a.KeyID() != before {
		t.Errorf("to a key that has ended Rotate gives %v", err)
	}
	next := newKey()
	must(w.client(t, nil).RotateKey(t.Context(), &onusv1.Author{Service: erp}, w.erpKey, next, 0, agent.KeyUntil(end)))
	if k := must(a.Key(t.Context(), keyID(next))); !k.NotAfter.Equal(end) {
		t.Errorf("the service's key ends at %v, want %v", k.NotAfter, end)
	}
}

// A rotation whose answer is lost takes place when it is delivered.
func TestRotateLostAnswer(t *testing.T) {
	w := newWorld(t)
	var line line
	a := w.agent(t, planner, line.failing)
	must(a.Record(t.Context(), intent("before")))
	old, next := a.KeyID(), newKey()
	line.lose.Store(1 << 30)
	var outage *agent.OutageError
	if _, err := a.Rotate(t.Context(), next, 0); !errors.As(err, &outage) || !outage.Kept || a.KeyID() != old {
		t.Fatalf("Rotate gives %v, signing with %s", err, a.KeyID())
	}
	line.mend()
	must(a.Record(t.Context(), intent("after")))
	if a.KeyID() != keyID(next) {
		t.Errorf("the agent signs with %s, want %s", a.KeyID(), keyID(next))
	}
}

// Services enrol as workloads do, at each start.
func TestEnrolService(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, nil)
	key := ecKey()
	for range 2 {
		if err := service.Enrol(t.Context(), c, erp, key, agent.Credential{SVID: w.svid(erp, key)}); err != nil {
			t.Fatal(err)
		}
	}
	if k := must(c.Key(t.Context(), keyID(key))); k.Party.GetService() != erp || k.Level != "K2" {
		t.Errorf("the key is %+v", k)
	}
	if err := service.Enrol(t.Context(), c, erp, newKey(), agent.Credential{}); !errors.As(err, new(*agent.PendingError)) {
		t.Errorf("without a credential: %v", err)
	}
	if err := service.Enrol(t.Context(), c, erp, w.keys[planner], agent.Credential{SVID: w.svid(erp, key), SVIDKey: key}); !errors.As(err, new(*agent.RefusedError)) {
		t.Errorf("with an agent's key: %v", err)
	}
	// The next key, signed by the one before.
	next := newKey()
	must(c.RotateKey(t.Context(), &onusv1.Author{Service: erp}, key, next, time.Hour))
	if k := must(c.Key(t.Context(), keyID(next))); k.Party.GetService() != erp {
		t.Errorf("the next key is %+v", k)
	}
	var refused *agent.RefusedError
	if _, err := c.Key(t.Context(), keyID(newKey())); !errors.As(err, &refused) || refused.Code != "not_found" {
		t.Errorf("Key of nobody gives %v", err)
	}
}

func TestEnrolDevice(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, nil)
	key := newKey()
	u, err := party.EnrolDevice(t.Context(), c, key, w.token(chat, claims{"nonce": keyID(key)}))
	if err != nil {
		t.Fatal(err)
	}
	user, session, _ := c.TokenUser(t.Context(), w.token(chat, nil))
	if u.Pseudonym() != user || u.Session() != session {
		t.Errorf("the user is %s in %s, want %s in %s", u.Pseudonym(), u.Session(), user, session)
	}
	r := must(u.Ask(t.Context(), planner, agent.Intent{Text: "optimise the supply"}))
	if m := w.message(r); m.GetAuthor().GetUser() != user || m.GetUser() != user || m.GetToken() != nil {
		t.Errorf("the record is %v, want the user's own", m)
	}
	// A token that is bound to another key, or to none.
	for name, token := range map[string]agent.Token{
		"another key": w.token(chat, claims{"nonce": keyID(newKey())}),
		"no key":      w.token(chat, nil),
	} {
		if _, err := party.EnrolDevice(t.Context(), c, newKey(), token); !errors.As(err, new(*record.Error)) {
			t.Errorf("a token bound to %s: %v", name, err)
		}
	}
}
