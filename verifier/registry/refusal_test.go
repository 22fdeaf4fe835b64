package registry_test

import (
	"bytes"
	"crypto"
	"errors"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Who may sign as whom. The log is smallLog with more keys.
func TestAuthorRefusals(t *testing.T) {
	l := smallLog(t)
	l.add(newOperator(t, globex, ""))
	l.add(newAgent(t, clerk, acme, ""))
	l.add(newKey(t, "planner i-1", planner, "i-1", acme))
	l.add(newKey(t, "acme", "", "", acme))

	for _, tt := range []struct {
		name   string
		r      *record.Record
		reason string // empty: accepted
		field  string
	}{
		{"class key, any instance", action(t, agent(planner, "i-99", acme), "planner"), "", ""},
		{"instance key, its instance", action(t, agent(planner, "i-1", acme), "planner i-1"), "", ""},
		{"operator's key", trigger(t, operatorAuthor(acme), "acme"), "", ""},
		{"administrator", trigger(t, admin("root"), "root"), "", ""},
		{"the other administrator", trigger(t, admin("deputy"), "deputy"), "", ""},

		{"key of nobody", action(t, agent(planner, "i-1", acme), "stranger"), registry.ReasonKeyNotBound, "author.key_id"},
		{"wrong instance", action(t, agent(planner, "i-2", acme), "planner i-1"), registry.ReasonKeyNotBound, "author"},
		{"wrong agent", action(t, agent(clerk, "i-1", acme), "planner"), registry.ReasonKeyNotBound, "author"},
		{"wrong operator", action(t, agent(planner, "i-1", globex), "planner"), registry.ReasonKeyNotBound, "author"},
		{"agent's key as its operator", trigger(t, operatorAuthor(acme), "planner"), registry.ReasonKeyNotBound, "author"},
		{"agent's key as an administrator", trigger(t, admin("root"), "planner"), registry.ReasonKeyNotBound, "author"},
		{"operator's key as an agent", action(t, agent(planner, "i-1", acme), "acme"), registry.ReasonKeyNotBound, "author"},
		{"operator's key as another operator", trigger(t, operatorAuthor(globex), "acme"), registry.ReasonKeyNotBound, "author"},
		{"operator's key as an administrator", trigger(t, admin("root"), "acme"), registry.ReasonKeyNotBound, "author"},
		{"administrator's key as an operator", trigger(t, operatorAuthor(acme), "root"), registry.ReasonKeyNotBound, "author"},
		{"administrator's key as an agent", action(t, agent(planner, "i-1", acme), "root"), registry.ReasonKeyNotBound, "author"},
		{"administrator as the other one", trigger(t, admin("deputy"), "root"), registry.ReasonKeyNotBound, "author"},
		{"administrator that genesis has not", trigger(t, admin("intern"), "stranger"), registry.ReasonKeyNotBound, "author.key_id"},

		{"wrong origin", signed(t, agent(planner, "i-1", acme), "planner", &onusv1.Record{Origin: "log.example.com/staging",
			Body: &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: 0, LastSequence: 0}}, Sequence: 1, Previous: before}),
			registry.ReasonWrongOrigin, "origin"},
		{"second genesis", genesis(t), registry.ReasonGenesisMisplace, "genesis"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := l.reg.Authenticate(tt.r, l.size)
			if tt.reason == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, tt.reason, tt.field)
		})
	}
}

// before is the id of some record.
const before = "1111111111111111111111111111111111111111111111111111111111111111"

func TestSignatureIsChecked(t *testing.T) {
	l := smallLog(t)
	r := action(t, agent(planner, "i-1", acme), "planner")
	env := r.Envelope
	var err error
	if env.Signature, err = key("stranger").Sign(nil, env.PAE(), crypto.Hash(0)); err != nil {
		t.Fatal(err)
	}
	forged, err := record.Parse(env)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.reg.Authenticate(forged, l.size)
	wantRefusal(t, err, record.ReasonBadSignature, "envelope.signatures[0].sig")
	if b, err := l.reg.Bound(forged, l.size); err != nil || b.Agent != planner {
		t.Errorf("Bound looks at signatures: %v", err)
	}
}

func TestPlainTextPolicyOfGenesis(t *testing.T) {
	l := smallLog(t)
	plain := &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "02:00"}}
	allowed := signed(t, admin("root"), "root", &onusv1.Record{Body: &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "n", Detail: plain}}})
	if _, err := l.reg.Authenticate(allowed, l.size); err != nil {
		t.Errorf("a plain text that genesis allows was refused: %v", err)
	}
	forbidden := signed(t, agent(planner, "i-1", acme), "planner", &onusv1.Record{Body: &onusv1.Record_Stages{
		Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: plain}}}})
	_, err := l.reg.Authenticate(forbidden, l.size)
	wantRefusal(t, err, "PLAIN_TEXT_FORBIDDEN", "stages.intent.text.plain")
}

// What an administrator may register.
func TestRegistrationRefusals(t *testing.T) {
	l := smallLog(t)
	l.add(newOperator(t, globex, ""))
	l.add(newKey(t, "acme", "", "", acme))
	for _, tt := range []struct {
		name, reason, field string
		r                   *record.Record
	}{
		{"agent of no operator", registry.ReasonNotRegistered, "registration.agent.operator", newAgent(t, clerk, "initech", "")},
		{"agent that changes its operator", registry.ReasonConflict, "registration.agent.operator", newAgent(t, planner, globex, "")},
		{"key of no operator", registry.ReasonNotRegistered, "registration.key.operator", newKey(t, "new", "", "", "initech")},
		{"key of no agent", registry.ReasonNotRegistered, "registration.key.agent", newKey(t, "new", clerk, "", acme)},
		{"key of an agent under another operator", registry.ReasonConflict, "registration.key.operator", newKey(t, "new", planner, "", globex)},
		{"key bound twice", registry.ReasonConflict, "registration.key.public_key", newKey(t, "planner", planner, "", acme)},
		{"agent's key for an instance too", registry.ReasonConflict, "registration.key.public_key", newKey(t, "planner", planner, "i-1", acme)},
		{"agent's key for its operator", registry.ReasonConflict, "registration.key.public_key", newKey(t, "planner", "", "", acme)},
		{"operator's key for another operator", registry.ReasonConflict, "registration.key.public_key", newKey(t, "acme", "", "", globex)},
		{"administrator's key for an agent", registry.ReasonConflict, "registration.key.public_key", newKey(t, "root", planner, "", acme)},
		{"the other administrator's key", registry.ReasonConflict, "registration.key.public_key", newKey(t, "deputy", "", "", acme)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := l.reg.Authenticate(tt.r, l.size); err != nil {
				t.Fatalf("not even authentic: %v", err)
			}
			wantRefusal(t, l.reg.Check(tt.r, l.size, asserted()), tt.reason, tt.field)
			wantRefusal(t, l.reg.Add(tt.r, l.size, tree.Hash{}, asserted()), tt.reason, tt.field)
		})
	}
	// The same again with another description is a new version.
	l.add(newOperator(t, acme, "new@acme.example"))
	l.add(newAgent(t, planner, acme, "model-2"))
	l.add(newKey(t, "planner 2", planner, "", acme))
}

// The rules of records already keep others from signing registrations: no
// such record exists, so the registry never meets one.
func TestOnlyAdministratorsRegister(t *testing.T) {
	body := newOperator(t, globex, "").Msg.GetBody()
	for _, a := range []*onusv1.Author{operatorAuthor(acme), agent(planner, "i-1", acme)} {
		_, err := record.Sign(&onusv1.Record{
			Origin: origin, Nonce: bytes.Repeat([]byte{1}, record.NonceSize), Capture: onusv1.Capture_CAPTURE_SELF,
			ClaimedTime: &timestamppb.Timestamp{Seconds: 1}, Author: a, Body: body,
		}, signer(t, "planner"))
		wantRefusal(t, err, record.ReasonInvalid, "author")
	}
	// An administrator's name does not make a key an administrator's.
	forged := signed(t, admin("root"), "planner", &onusv1.Record{Body: body})
	wantRefusal(t, smallLog(t).submit(forged), registry.ReasonKeyNotBound, "author")
}

func TestGenesisComesFirst(t *testing.T) {
	g := registry.New()
	op := newOperator(t, acme, "")
	_, err := g.Authenticate(op, 0)
	wantRefusal(t, err, registry.ReasonNoGenesis, "body")
	_, err = g.Authenticate(op, 1)
	wantRefusal(t, err, registry.ReasonNoGenesis, "")
	_, err = g.Authenticate(genesis(t), 1)
	wantRefusal(t, err, registry.ReasonGenesisMisplace, "genesis")
	wantRefusal(t, g.Check(genesis(t), 1, asserted()), registry.ReasonGenesisMisplace, "genesis")
	wantRefusal(t, g.Add(genesis(t), 1, tree.Hash{}, asserted()), registry.ReasonGenesisMisplace, "genesis")

	l := smallLog(t)
	wantRefusal(t, l.reg.Check(genesis(t), 0, asserted()), registry.ReasonGenesisMisplace, "genesis")
	if err := l.reg.Add(genesis(t), 0, tree.Hash{}, asserted()); err == nil {
		t.Error("a second genesis was added")
	}
}

// New says that the first entry must be a genesis; Add and Check hold to it,
// whoever forgot to authenticate.
func TestNothingIsRegisteredBeforeGenesis(t *testing.T) {
	for _, at := range []int64{0, 1} {
		g := registry.New()
		var e *record.Error
		if err := g.Check(newOperator(t, acme, ""), at, asserted()); !errors.As(err, &e) || e.Reason != registry.ReasonNoGenesis {
			t.Errorf("Check at %d: got %v, want %s", at, err, registry.ReasonNoGenesis)
		}
		if err := g.Add(newOperator(t, acme, ""), at, tree.Hash{}, asserted()); !errors.As(err, &e) || e.Reason != registry.ReasonNoGenesis {
			t.Errorf("Add at %d: got %v, want %s", at, err, registry.ReasonNoGenesis)
		}
	}
}

// A genesis brings its own key, and must be signed with it.
func TestGenesisIsSignedByItsFirstAdministrator(t *testing.T) {
	b, err := registry.New().Authenticate(genesis(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	if b.Index != 0 || b.Administrator != "root" || b.Key.ID() != signer(t, "root").Public().ID() {
		t.Errorf("binding is %+v", b)
	}
	m := genesis(t).Msg
	byDeputyKey := signed(t, admin("root"), "deputy", &onusv1.Record{Body: m.GetBody()})
	_, err = registry.New().Authenticate(byDeputyKey, 0)
	wantRefusal(t, err, record.ReasonBadSignature, "author.key_id")
}
