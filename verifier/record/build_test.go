package record_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The tests of rules start from one of the valid records below, break one
// thing and name the field that the refusal must name.

const (
	origin  = "log.example.com/prod"
	planner = "spiffe://example.com/planner"
)

// edKey returns the same Ed25519 key for the same seed in every run.
func edKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func signerOf(t testing.TB, k crypto.Signer) record.Signer {
	t.Helper()
	s, err := record.NewSigner(k)
	if err != nil {
		t.Fatalf("NewSigner(%T): %v", k, err)
	}
	return s
}

func spkiOf(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	return signerOf(t, k).Public().SPKI()
}

// keyID is the thumbprint of edKey(1), which signs what the builders make.
var keyID = func() string {
	p, err := record.NewPublicKey(edKey(1).Public())
	if err != nil {
		panic(err)
	}
	return p.ID()
}()

// idOf makes up a record id.
func idOf(name string) string { return record.ID(sha256.Sum256([]byte(name))).String() }

// pseudonym makes up a pseudonym of 26 characters after its prefix.
func pseudonym(prefix string, c byte) string { return prefix + strings.Repeat(string(c), 26) }

func commitment(content string) *onusv1.Text {
	sum := record.Commit(make([]byte, record.SaltSize), []byte(content))
	return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: sum[:]}}
}

func plain(s string) *onusv1.Text { return &onusv1.Text{Form: &onusv1.Text_Plain{Plain: s}} }

func element() *onusv1.ScopeElement {
	return &onusv1.ScopeElement{
		Type: "order", Action: "create",
		Location: "https://erp.example.com/orders", Identifier: "4711",
		Datatypes: []string{"customer", "price"},
		Amount:    "48000.00", Unit: "EUR", Quantity: "3",
		Recipient: pseudonym("s-", 'r'),
	}
}

// header returns what every record has, without author and body.
func header() *onusv1.Record {
	return &onusv1.Record{
		Origin:      origin,
		Nonce:       bytes.Repeat([]byte{7}, record.NonceSize),
		Capture:     onusv1.Capture_CAPTURE_SELF,
		ClaimedTime: &timestamppb.Timestamp{Seconds: 1_790_000_000, Nanos: 5},
	}
}

// decision returns an agent's record with every field of its first version
// set. It is a vector, so newer fields stand in records of their own: see
// parties_build_test.go.
func decision() *onusv1.Record {
	m := header()
	m.Author = &onusv1.Author{Agent: planner, Instance: "pod-7_a.B", Operator: "acme/it", KeyId: keyID}
	m.Sequence = 7
	m.Previous = idOf("previous")
	m.ParentAgent = "spiffe://example.com/front"
	m.Parent = idOf("parent")
	m.Asks = "spiffe://example.com/clerk"
	m.Causes = []string{idOf("cause 1"), idOf("cause 2")}
	m.User = pseudonym("u-", 'a')
	m.Session = pseudonym("x-", 'b')
	m.Grant = idOf("grant")
	m.Basis = onusv1.Basis_BASIS_DELEGATED
	m.Trace = &onusv1.Trace{
		Traceparent:  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		A2AContextId: "ctx-1", A2ATaskId: "task-1", McpSessionId: "mcp-1", McpRequestId: "17",
	}
	m.Subjects = []string{pseudonym("s-", 'c'), pseudonym("u-", 'd')}
	m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
		Intent:         &onusv1.Intent{Text: commitment("order paper"), Requested: []*onusv1.ScopeElement{element()}},
		Interpretation: &onusv1.Interpretation{Text: commitment("three boxes"), Model: "m", ModelVersion: "1"},
		Decision: &onusv1.Decision{
			Text: commitment("order at A"), Chosen: []*onusv1.ScopeElement{element()},
			Alternatives: []*onusv1.Text{commitment("order at B")},
			Rationale:    commitment("cheaper"), Confidence: "0.85",
		},
		Action: &onusv1.Action{
			Element: element(), Arguments: commitment("{}"), Result: commitment("ok"),
			TargetDecision:    onusv1.TargetDecision_TARGET_DECISION_ALLOWED,
			ExternalRequestId: "req-1", Approval: idOf("approval"),
			Token: &onusv1.TokenFacts{Sub: pseudonym("u-", 'a'), Act: []string{"clerk", "front"}, Azp: "portal"},
		},
	}}
	return m
}

func agentRecord(body func(*onusv1.Record)) *onusv1.Record {
	m := decision()
	body(m)
	return m
}

func outcome() *onusv1.Record {
	return agentRecord(func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{
			Status: onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED, Result: commitment("done"),
			TargetDecision: onusv1.TargetDecision_TARGET_DECISION_ALLOWED, ExternalRequestId: "req-1",
		}}
	})
}

// loss declares the records 3 to 6 lost, in the record with sequence 7.
func loss() *onusv1.Record {
	return agentRecord(func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: 3, LastSequence: 6, Reason: commitment("disk full")}}
	})
}

func trigger() *onusv1.Record {
	m := header()
	m.Author = &onusv1.Author{Operator: "acme/it", KeyId: keyID}
	m.Body = &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "nightly-reconciliation", Detail: commitment("02:00")}}
	return m
}

func byAdmin() *onusv1.Record {
	m := header()
	m.Author = &onusv1.Author{Administrator: "root", KeyId: keyID}
	return m
}

func operator() *onusv1.Record {
	m := byAdmin()
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Operator{
		Operator: &onusv1.Operator{Id: "acme/it", Organisation: "Acme", Unit: "IT", AccountablePost: "Head of Platform", Contact: "it@acme.example"},
	}}}
	return m
}

func agentClass() *onusv1.Record {
	m := byAdmin()
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Agent{
		Agent: &onusv1.AgentClass{Id: planner, Operator: "acme/it", DisplayName: "Planner", Purpose: "Plans orders.", Model: "m",
			Catalogue: []*onusv1.ScopeElement{{Type: "order", Action: "*"}}},
	}}}
	return m
}

func keyBinding() *onusv1.Record {
	p, err := record.NewPublicKey(edKey(2).Public())
	if err != nil {
		panic(err)
	}
	m := byAdmin()
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{
		Key: &onusv1.KeyBinding{PublicKey: p.SPKI(), Agent: planner, Instance: "pod-7", Operator: "acme/it"},
	}}}
	return m
}

// logVkey is the verifier key of a log with the origin of these tests.
var logVkey = func() string {
	vkey, err := note.NewEd25519VerifierKey(origin, edKey(9).Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return vkey
}()

func genesis() *onusv1.Record {
	var keys [][]byte
	for seed := byte(1); seed <= 2; seed++ {
		p, err := record.NewPublicKey(edKey(seed).Public())
		if err != nil {
			panic(err)
		}
		keys = append(keys, p.SPKI())
	}
	m := byAdmin()
	m.Body = &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{
		LogKey:         logVkey,
		Administrators: []*onusv1.Administrator{{Name: "root", PublicKey: keys[0]}, {Name: "deputy", PublicKey: keys[1]}},
		Policy: &onusv1.Policy{
			ClockSkew: &durationpb.Duration{Seconds: 60}, LateAfter: &durationpb.Duration{Seconds: 3600},
			OutcomeWindow: &durationpb.Duration{Seconds: 86400}, PlainText: []string{"stages.intent.text"},
		},
	}}
	return m
}

func marshal(t testing.TB, m *onusv1.Record) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return b
}

// parse reads a payload under a signature that nobody made: Parse does not
// look at it.
func parse(typ record.PayloadType, payload []byte) (*record.Record, error) {
	return record.Parse(record.Envelope{Type: typ, Payload: payload, Signature: make([]byte, ed25519.SignatureSize)})
}

// wantRefusal holds err to a refusal with that reason and field.
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

// A refusal breaks one thing in a valid record.
type refusal struct {
	name  string
	field string
	spoil func(*onusv1.Record)
}

// testRefusals expects INVALID_FIELD for each, in both encodings: the rules
// know one message, however it was sent.
func testRefusals(t *testing.T, valid func() *onusv1.Record, tests []refusal) {
	t.Helper()
	if _, err := parse(record.TypeProtobuf, marshal(t, valid())); err != nil {
		t.Fatalf("the record to break is not valid: %v", err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := valid()
			tt.spoil(m)
			_, err := parse(record.TypeProtobuf, marshal(t, m))
			wantRefusal(t, err, record.ReasonInvalid, tt.field)
			if b, err := protojson.Marshal(m); err == nil { // times out of range have no JSON
				_, err := parse(record.TypeJSON, b)
				wantRefusal(t, err, record.ReasonInvalid, tt.field)
			}
		})
	}
}

// An acceptance changes a valid record into another valid one.
type acceptance struct {
	name   string
	change func(*onusv1.Record)
}

func testAccepted(t *testing.T, valid func() *onusv1.Record, tests []acceptance) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := valid()
			tt.change(m)
			if _, err := parse(record.TypeProtobuf, marshal(t, m)); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}
