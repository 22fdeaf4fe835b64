package registry_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin  = "log.example.com/prod"
	acme    = "acme/it"
	globex  = "globex"
	planner = "spiffe://example.com/planner"
	clerk   = "spiffe://example.com/clerk"
)

// A key is the same in every run, and known by a name.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func signer(t testing.TB, name string) record.Signer {
	t.Helper()
	s, err := record.NewSigner(key(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func spki(t testing.TB, name string) []byte { return signer(t, name).Public().SPKI() }

func admin(name string) *onusv1.Author        { return &onusv1.Author{Administrator: name} }
func operatorAuthor(id string) *onusv1.Author { return &onusv1.Author{Operator: id} }
func agent(id, instance, operator string) *onusv1.Author {
	return &onusv1.Author{Agent: id, Instance: instance, Operator: operator}
}

// signed makes a record of that body, by that author, signed with that key.
func signed(t testing.TB, a *onusv1.Author, keyName string, m *onusv1.Record) *record.Record {
	t.Helper()
	if m.Origin == "" {
		m.Origin = origin
	}
	m.Author = a
	m.Nonce = bytes.Repeat([]byte{1}, record.NonceSize)
	m.Capture = onusv1.Capture_CAPTURE_SELF
	m.ClaimedTime = timestamppb.New(now)
	r, err := record.Sign(m, signer(t, keyName))
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	return r
}

// now is the log time of most tests; the machine's clock plays no part.
var now = time.Unix(1_790_000_000, 0).UTC()

// asserted is the stamp of an entry at now for which no token was checked.
func asserted() *entry.Stamp { return &entry.Stamp{LogTime: now.UnixMilli(), KeySetEntry: -1} }

func logVkey(t testing.TB, origin, keyName string) string {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey(origin, key(keyName).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

// genesis names root and deputy as administrators, and host as the host's key.
func genesis(t testing.TB) *record.Record {
	d := &durationpb.Duration{Seconds: 60}
	return signed(t, admin("root"), "root", &onusv1.Record{Body: &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{
		LogKey:         logVkey(t, origin, "log"),
		Administrators: []*onusv1.Administrator{{Name: "root", PublicKey: spki(t, "root")}, {Name: "deputy", PublicKey: spki(t, "deputy")}},
		HostKey:        spki(t, "host"),
		Policy:         &onusv1.Policy{ClockSkew: d, LateAfter: d, OutcomeWindow: d, PlainText: []string{"trigger.detail"}},
	}}})
}

func register(t testing.TB, by string, r *onusv1.Registration) *record.Record {
	t.Helper()
	return signed(t, admin(by), by, &onusv1.Record{Body: &onusv1.Record_Registration{Registration: r}})
}

func newOperator(t testing.TB, id, contact string) *record.Record {
	return register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: id, Organisation: "Org", Unit: "Unit", AccountablePost: "Head", Contact: contact}}})
}

func newAgent(t testing.TB, id, operator, model string) *record.Record {
	return register(t, "deputy", &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: id, Operator: operator, DisplayName: "Agent", Model: model}}})
}

func newKey(t testing.TB, keyName, agent, instance, operator string) *record.Record {
	return register(t, "root", &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: spki(t, keyName), Agent: agent, Instance: instance, Operator: operator}}})
}

func action(t testing.TB, a *onusv1.Author, keyName string) *record.Record {
	return signed(t, a, keyName, &onusv1.Record{Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
		Action: &onusv1.Action{Element: &onusv1.ScopeElement{Type: "order", Action: "create"}}}}})
}

func trigger(t testing.TB, a *onusv1.Author, keyName string) *record.Record {
	return signed(t, a, keyName, &onusv1.Record{Body: &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "nightly"}}})
}

// A testLog gives each record the next index, as a ledger does, and folds
// what it takes into its registry.
type testLog struct {
	t      testing.TB
	reg    *registry.Registry
	size   int64
	leaves []tree.Hash // of registry entries
	at     []int64     // their indices
}

func newLog(t testing.TB) *testLog { return &testLog{t: t, reg: registry.New()} }

// submit does what admission and apply do with a record, at now.
func (l *testLog) submit(r *record.Record) error { return l.submitWith(r, asserted()) }

func (l *testLog) submitWith(r *record.Record, s *entry.Stamp) error {
	if _, err := l.reg.Authenticate(r, l.size); err != nil {
		return err
	}
	if err := l.reg.Check(r, l.size, s); err != nil {
		return err
	}
	leaf := tree.LeafHash(fmt.Appendf(nil, "entry %d: %s", l.size, r.ID))
	if err := l.reg.Add(r, l.size, leaf, s); err != nil {
		return err
	}
	if registry.Concerns(r) {
		l.leaves, l.at = append(l.leaves, leaf), append(l.at, l.size)
	}
	l.size++
	return nil
}

// addAt is add at another log time than now.
func (l *testLog) addAt(at time.Time, r *record.Record) int64 {
	l.t.Helper()
	return l.addWith(r, &entry.Stamp{LogTime: at.UnixMilli(), KeySetEntry: -1})
}

func (l *testLog) addWith(r *record.Record, s *entry.Stamp) int64 {
	l.t.Helper()
	if err := l.submitWith(r, s); err != nil {
		l.t.Fatalf("entry %d: %v", l.size, err)
	}
	return l.size - 1
}

// add is submit for what must be taken; it returns the index.
func (l *testLog) add(r *record.Record) int64 {
	l.t.Helper()
	return l.addWith(r, asserted())
}

// smallLog has one operator with one agent, whose key any instance may use.
//
//	0 genesis, 1 operator acme, 2 agent planner, 3 planner's key
func smallLog(t testing.TB) *testLog {
	l := newLog(t)
	l.add(genesis(t))
	l.add(newOperator(t, acme, "old@acme.example"))
	l.add(newAgent(t, planner, acme, "model-1"))
	l.add(newKey(t, "planner", planner, "", acme))
	return l
}

func wantRefusal(t testing.TB, err error, reason, field string) {
	t.Helper()
	var e *record.Error
	switch {
	case err == nil:
		t.Errorf("accepted; want %s at %q", reason, field)
	case !errors.As(err, &e):
		t.Errorf("error is %T (%v), want *record.Error", err, err)
	case e.Reason != reason || e.Field != field:
		t.Errorf("got %s at %q (%v)\nwant %s at %q", e.Reason, e.Field, err, reason, field)
	}
}
