package verifier_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	testOrigin   = "example.com/log"
	testOperator = "it/platform"
	testAgent    = "spiffe://example.com/agent"
	start        = int64(1_800_000_000_000)
)

// handLog is a log that is put together entry by entry, without a ledger, so
// that it can be put together wrongly. Entry i has log time start + i.
type handLog struct {
	t            testing.TB
	log          tree.LogSigner
	admin, agent record.Signer
	reg          *registry.Registry
	auth         *authority.State
	entries      [][]byte
	frontier     *tree.Frontier
	n            int
}

func priv(name string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(sum[:])
}

func signer(t testing.TB, name string) record.Signer {
	t.Helper()
	s, err := record.NewSigner(priv(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newLog has a genesis, an operator, an agent and its key: entries 0 to 3.
func newLog(t testing.TB) *handLog {
	t.Helper()
	log, err := tree.NewLogSigner(testOrigin, priv("log"))
	if err != nil {
		t.Fatal(err)
	}
	l := &handLog{t: t, log: log, admin: signer(t, "admin"), agent: signer(t, "agent"),
		reg: registry.New(), frontier: tree.NewFrontier()}
	l.auth = authority.New(l.reg, authority.NewMemory())
	l.log0()
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: testOperator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Agent"}}})
	l.register(keyReg(l.agent))
	return l
}

func keyReg(s record.Signer) *onusv1.Registration {
	return &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: s.Public().SPKI(), Agent: testAgent, Operator: testOperator}}}
}

func (l *handLog) log0() {
	l.t.Helper()
	d := durationpb.New(time.Minute)
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{
		LogKey:         l.log.Key().String(),
		Administrators: []*onusv1.Administrator{{Name: "root", PublicKey: l.admin.Public().SPKI()}},
		Policy:         &onusv1.Policy{ClockSkew: d, LateAfter: d, OutcomeWindow: d}}}
	l.add(l.sign(m, l.admin), nil)
}

func (l *handLog) header(a *onusv1.Author) *onusv1.Record {
	l.n++
	nonce := sha256.Sum256(fmt.Append(nil, l.n))
	return &onusv1.Record{Origin: testOrigin, Nonce: nonce[:record.NonceSize], Author: a,
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.New(time.UnixMilli(start))}
}

func (l *handLog) sign(m *onusv1.Record, s record.Signer) *record.Record {
	l.t.Helper()
	r, err := record.Sign(m, s)
	if err != nil {
		l.t.Fatalf("Sign: %v", err)
	}
	return r
}

func (l *handLog) registration(reg *onusv1.Registration) *record.Record {
	l.t.Helper()
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_Registration{Registration: reg}
	return l.sign(m, l.admin)
}

func (l *handLog) register(reg *onusv1.Registration) { l.t.Helper(); l.add(l.registration(reg), nil) }

// action returns a new record of the agent, signed by s.
func (l *handLog) action(s record.Signer) *record.Record {
	l.t.Helper()
	m := l.header(&onusv1.Author{Agent: testAgent, Instance: "pod-1", Operator: testOperator})
	m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
		Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get"}}}}
	return l.sign(m, s)
}

// fill appends n good records.
func (l *handLog) fill(n int) {
	l.t.Helper()
	for range n {
		l.add(l.action(l.agent), nil)
	}
}

// add appends r with the stamp that it must have, changed by bend.
func (l *handLog) add(r *record.Record, bend func(*entry.Entry)) {
	l.t.Helper()
	index := int64(len(l.entries))
	e := entry.Entry{Stamp: entry.Stamp{LogTime: start + index, KeySetEntry: -1}, Envelope: r.Envelope}
	e.Stamp.RegistryCount, e.Stamp.RegistryRoot = l.reg.Stamp(index)
	if b, err := l.reg.Bound(r, index); err == nil {
		e.Stamp.KeyEntry = b.Index
		e.Stamp.Uses = l.auth.Uses(r, index, e.Stamp.LogTime)
	}
	if bend != nil {
		bend(&e)
	}
	raw, err := e.Marshal()
	if err != nil {
		l.t.Fatalf("Marshal: %v", err)
	}
	// What does not fit the registry is in the log all the same: that is what
	// an audit must find.
	_ = l.reg.Add(r, index, tree.LeafHash(raw), &e.Stamp)
	l.auth.Add(r, index, &e.Stamp)
	l.addRaw(raw)
}

func (l *handLog) addRaw(raw []byte) {
	l.entries = append(l.entries, raw)
	l.frontier.Append(tree.LeafHash(raw), nil)
}

// checkpoint returns the signed checkpoint over all entries.
func (l *handLog) checkpoint() []byte {
	l.t.Helper()
	b, err := l.log.Sign(l.frontier.Size(), l.frontier.Root())
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *handLog) opened() tree.Checkpoint {
	l.t.Helper()
	cp, err := l.log.Key().Open(l.checkpoint())
	if err != nil {
		l.t.Fatal(err)
	}
	return cp
}

// inclusion proves an index, from the leaves alone.
func (l *handLog) inclusion(index int64) []tree.Hash {
	l.t.Helper()
	p, err := tree.ProveInclusion(index, int64(len(l.entries)), func(level uint, i int64) (tree.Hash, error) {
		return l.node(level, i), nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

func (l *handLog) node(level uint, i int64) tree.Hash {
	if level == 0 {
		return tree.LeafHash(l.entries[i])
	}
	return tree.NodeHash(l.node(level-1, 2*i), l.node(level-1, 2*i+1))
}
