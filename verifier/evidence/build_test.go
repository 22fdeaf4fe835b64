package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin   = "example.com/log"
	platform = "it/platform"
	planner  = "spiffe://example.com/planner"
	alice    = "u-aaaaaaaaaaaaaaaaaaaaaaaaaa"
	session  = "x-aaaaaaaaaaaaaaaaaaaaaaaaaa"
	start    = int64(1_800_000_000_000)
)

// A testLog is put together entry by entry, without a ledger, so that it can
// be put together wrongly. It is the same in every run: entry i has log time
// start + i, keys are known by name, and nonces are counted.
type testLog struct {
	t        testing.TB
	log      tree.LogSigner
	reg      *registry.Registry
	entries  [][]byte
	contents map[int64][]evidence.Content
	frontier *tree.Frontier
	n        int
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

func logSigner(t testing.TB, origin, keyName string) tree.LogSigner {
	t.Helper()
	s, err := tree.NewLogSigner(origin, priv(keyName))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newLog has a genesis, an operator, an agent and its key: entries 0 to 3.
func newLog(t testing.TB) *testLog {
	t.Helper()
	l := &testLog{t: t, log: logSigner(t, origin, "log"), reg: registry.New(),
		contents: map[int64][]evidence.Content{}, frontier: tree.NewFrontier()}
	d := durationpb.New(time.Minute)
	l.add("root", &onusv1.Record{Author: administrator(), Body: &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{
		LogKey:         l.log.Key().String(),
		Administrators: []*onusv1.Administrator{{Name: "root", PublicKey: signer(t, "root").Public().SPKI()}},
		Policy:         &onusv1.Policy{ClockSkew: d, LateAfter: d, OutcomeWindow: d}}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: platform, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: planner, Operator: platform, DisplayName: "Planner"}}})
	l.registerKey("agent")
	return l
}

func administrator() *onusv1.Author { return &onusv1.Author{Administrator: "root"} }

// sign makes a record of m, signed with the key of that name.
func (l *testLog) sign(keyName string, m *onusv1.Record) *record.Record {
	l.t.Helper()
	l.n++
	nonce := sha256.Sum256(fmt.Append(nil, l.n))
	m.Origin, m.Nonce, m.Capture = origin, nonce[:record.NonceSize], onusv1.Capture_CAPTURE_SELF
	m.ClaimedTime = timestamppb.New(time.UnixMilli(start))
	r, err := record.Sign(m, signer(l.t, keyName))
	if err != nil {
		l.t.Fatalf("sign: %v", err)
	}
	return r
}

func (l *testLog) add(keyName string, m *onusv1.Record) int64 {
	l.t.Helper()
	return l.addRecord(l.sign(keyName, m), nil)
}

// addRecord appends r with the stamp that it must have, changed by bend.
func (l *testLog) addRecord(r *record.Record, bend func(*entry.Entry)) int64 {
	l.t.Helper()
	index := int64(len(l.entries))
	e := entry.Entry{Stamp: entry.Stamp{LogTime: start + index, KeySetEntry: -1}, Envelope: r.Envelope}
	e.Stamp.RegistryCount, e.Stamp.RegistryRoot = l.reg.Stamp(index)
	if b, err := l.reg.Bound(r, index); err == nil {
		e.Stamp.KeyEntry = b.Index
	}
	if bend != nil {
		bend(&e)
	}
	raw := marshalEntry(l.t, &e)
	// What does not fit the registry is in the log all the same: that is what
	// a reader must find.
	_ = l.reg.Add(r, index, tree.LeafHash(raw), &e.Stamp)
	return l.addRaw(raw)
}

func marshalEntry(t testing.TB, e *entry.Entry) []byte {
	t.Helper()
	raw, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (l *testLog) addRaw(raw []byte) int64 {
	l.entries = append(l.entries, raw)
	l.frontier.Append(tree.LeafHash(raw), nil)
	return int64(len(l.entries)) - 1
}

func (l *testLog) register(reg *onusv1.Registration) int64 {
	l.t.Helper()
	return l.add("root", &onusv1.Record{Author: administrator(), Body: &onusv1.Record_Registration{Registration: reg}})
}

func (l *testLog) registerKey(keyName string) int64 {
	l.t.Helper()
	return l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: signer(l.t, keyName).Public().SPKI(), Agent: planner, Operator: platform}}})
}

func (l *testLog) revoke(keyName string) int64 {
	l.t.Helper()
	return l.add("root", &onusv1.Record{Author: administrator(), Body: &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{
		Target: &onusv1.Revocation_Key{Key: signer(l.t, keyName).Public().ID()}}}})
}

func agent() *onusv1.Author {
	return &onusv1.Author{Agent: planner, Instance: "pod-1", Operator: platform}
}

// text commits to s, and keeps it as a content of the next entry.
func (l *testLog) text(s string) *onusv1.Text {
	index := int64(len(l.entries))
	c := evidence.Content{Index: index, Salt: sha256.Sum256(fmt.Append(nil, "salt ", index, s)), Data: []byte(s)}
	l.contents[index] = append(l.contents[index], c)
	sum := c.Commitment()
	return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: sum[:]}}
}

func actionRecord() *onusv1.Record {
	return &onusv1.Record{Author: agent(), Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
		Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get"}}}}}
}

// action appends an action without contents.
func (l *testLog) action() int64 { l.t.Helper(); return l.add("agent", actionRecord()) }

const userToken = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"

// intent appends what a user wants, with the words of a token that only the
// agent speaks of.
func (l *testLog) intent() int64 {
	l.t.Helper()
	digest := sha256.Sum256([]byte(userToken))
	return l.add("agent", &onusv1.Record{Author: agent(), User: alice, Session: session, Token: &onusv1.UserToken{
		Digest: base64.RawURLEncoding.EncodeToString(digest[:]), Issuer: "https://login.example.com",
		Audience: []string{"planner"}, Expires: timestamppb.New(time.UnixMilli(start + 1_000_000))},
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: l.text("why is my pod failing?")}}}})
}

// decision appends a decision with two contents.
func (l *testLog) decision() int64 {
	l.t.Helper()
	return l.add("agent", &onusv1.Record{Author: agent(), User: alice, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
		Decision: &onusv1.Decision{Text: l.text("read the events"), Rationale: l.text("they say what went wrong")}}}})
}

// small is the log that most tests use:
//
//	0 genesis, 1 operator, 2 agent, 3 agent's key, 4 intent with a token,
//	5 decision, 6 another agent key, 7 its revocation, 8 to 10 actions
func small(t testing.TB) *testLog {
	l := newLog(t)
	l.intent()
	l.decision()
	l.registerKey("agent-2")
	l.revoke("agent-2")
	for range 3 {
		l.action()
	}
	return l
}

func (l *testLog) checkpoint() []byte {
	l.t.Helper()
	b, err := l.log.Sign(l.frontier.Size(), l.frontier.Root())
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *testLog) node(level uint, i int64) (tree.Hash, error) {
	if level == 0 {
		return tree.LeafHash(l.entries[i]), nil
	}
	left, _ := l.node(level-1, 2*i)
	right, _ := l.node(level-1, 2*i+1)
	return tree.NodeHash(left, right), nil
}

func (l *testLog) id(index int64) record.ID {
	l.t.Helper()
	e, err := entry.Parse(l.entries[index])
	if err != nil {
		l.t.Fatal(err)
	}
	return e.Envelope.ID()
}

// bundle shows the entries at these indices and the whole registry up to the
// highest, with all contents, and asks for all that is not of the registry.
func (l *testLog) bundle(shown ...int64) *evidence.Bundle {
	l.t.Helper()
	b := &evidence.Bundle{Checkpoint: l.checkpoint()}
	for index := range slices.Max(shown) + 1 {
		leaf := evidence.Shown(index, l.entries[index])
		if !leaf.Registry && !slices.Contains(shown, index) {
			continue
		}
		b.Leaves = append(b.Leaves, leaf)
		if !leaf.Registry {
			b.Scope.Asked = append(b.Scope.Asked, l.id(index))
		}
		cs := slices.Clone(l.contents[index])
		slices.SortFunc(cs, func(x, y evidence.Content) int {
			sx, sy := x.Commitment(), y.Commitment()
			return bytes.Compare(sx[:], sy[:])
		})
		b.Contents = append(b.Contents, cs...)
	}
	slices.SortFunc(b.Scope.Asked, func(x, y record.ID) int { return bytes.Compare(x[:], y[:]) })
	l.prove(b)
	return b
}

func (l *testLog) prove(b *evidence.Bundle) {
	l.t.Helper()
	if err := b.Prove(l.node); err != nil {
		l.t.Fatal(err)
	}
}

// full has one of everything that a file with its own registry may have.
func full(t testing.TB) (*testLog, *evidence.Bundle) {
	l := small(t)
	b := l.bundle(4, 5, 9)
	b.Scope.Where, b.Scope.Claim = `agent = "planner"`, "these 3 of 11 entries are all that match"
	b.Tokens = []evidence.Token{{Index: 4, Text: userToken}}
	l.withhold(b, 9)
	return l, b
}

// withhold takes the entry at that index out of sight.
func (l *testLog) withhold(b *evidence.Bundle, index int64) {
	l.t.Helper()
	i := slices.IndexFunc(b.Leaves, func(x evidence.Leaf) bool { return x.Index == index })
	b.Leaves[i] = evidence.Leaf{Index: index, Withheld: &evidence.Withheld{
		Hash: tree.LeafHash(l.entries[index]), AssertedID: l.id(index), AssertedParty: platform}}
}

func write(t testing.TB, b *evidence.Bundle) []byte {
	t.Helper()
	var buf bytes.Buffer
	n, err := b.WriteTo(&buf)
	if err != nil {
		t.Fatalf("WriteTo: %v", err)
	}
	if n != int64(buf.Len()) {
		t.Fatalf("WriteTo says %d bytes, wrote %d", n, buf.Len())
	}
	return buf.Bytes()
}

func read(t testing.TB, file []byte) *evidence.Bundle {
	t.Helper()
	b, err := evidence.Read(bytes.NewReader(file), evidence.Limits{})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return b
}

func verify(t testing.TB, b *evidence.Bundle, trust evidence.Trust) *evidence.Result {
	t.Helper()
	res, err := b.Verify(trust)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return res
}

// trust is that of a reader who has the log's key.
func (l *testLog) trust() evidence.Trust { return evidence.Trust{LogKey: l.log.Key()} }

func isFormatError(err error) bool {
	var e *evidence.FormatError
	return errors.As(err, &e)
}

// reseal gives a changed file the hash that fits it.
func reseal(file []byte) []byte {
	body := file[:len(file)-sha256.Size]
	sum := sha256.Sum256(body)
	return append(slices.Clone(body), sum[:]...)
}
