package record_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

const refusedDir = vectorDir + "/refused"

// A refusedVector is a payload that breaks one rule, for other
// implementations to refuse too. Its reason and the field are those that this
// one gives.
type refusedVector struct {
	Comment     string `json:"comment"`
	PayloadType string `json:"payload_type"`
	Payload     string `json:"payload_hex"`
	Reason      string `json:"reason"`
	Field       string `json:"field"`
}

// refused breaks one rule of each body, and who may sign it.
var refused = map[string]struct {
	comment, from string
	spoil         func(*onusv1.Record)
}{
	"author-two-parties":         {"a service that is a client too", "counter", func(m *onusv1.Record) { m.Author.Client = "acme/chat" }},
	"token-without-user":         {"a user's token, and no user", "proposal", func(m *onusv1.Record) { m.Token = userToken() }},
	"token-without-session":      {"a user's token, and no session", "intent", func(m *onusv1.Record) { m.Session = "" }},
	"token-digest":               {"a digest that is none", "intent", inToken(func(t *onusv1.UserToken) { t.Digest = "digest" })},
	"client-decides":             {"a decision by a user client", "intent", func(m *onusv1.Record) { m.Body = proposal().Body }},
	"client-for-nobody":          {"a client's intent without a user", "intent", func(m *onusv1.Record) { m.User, m.Token = "", nil }},
	"user-for-another":           {"a user's denial for another", "denial", func(m *onusv1.Record) { m.User = pseudonym("u-", 'z') }},
	"proposal-wildcard":          {"a proposal of any action", "proposal", func(m *onusv1.Record) { m.GetStages().Decision.Proposal.Action = "*" }},
	"delegation-of-nothing":      {"a grant without scope", "delegation", inGrant(func(g *onusv1.Grant) { g.Scope = nil })},
	"delegation-amount":          {"a grant of an amount in place of a limit", "delegation", inGrant(func(g *onusv1.Grant) { g.Scope[1].Element.Amount, g.Scope[1].Element.Unit = "1", "EUR" })},
	"delegation-limit-unit":      {"a limit without a unit", "delegation", inGrant(func(g *onusv1.Grant) { g.Scope[0].Unit = "" })},
	"delegation-depth":           {"a grant with 17 below it", "delegation", inGrant(func(g *onusv1.Grant) { g.MaxDepth = 17 })},
	"delegation-no-authority":    {"an agent's grant of no grant and no user", "delegation", func(m *onusv1.Record) { m.Grant, m.User = "", "" }},
	"delegation-session":         {"a grant that ends with no session", "delegation", func(m *onusv1.Record) { m.Session = "" }},
	"delegation-recorded":        {"a grant that a proxy saw", "delegation", func(m *onusv1.Record) { m.Capture = onusv1.Capture_CAPTURE_RECORDER }},
	"delegation-rule-operation":  {"a rule for operations of any type", "delegation", inGrant(func(g *onusv1.Grant) { g.Approvals[0].Operations[0] = "*:create" })},
	"approval-of-nothing":        {"an approval without proposal", "approval", func(m *onusv1.Record) { m.GetApproval().Proposal = "" }},
	"approval-by-agent":          {"an approval by an agent", "approval", func(m *onusv1.Record) { m.Author = saidBy("agent").Author }},
	"denial-by-operator":         {"a denial by an operator", "denial", func(m *onusv1.Record) { m.Author = saidBy("operator").Author }},
	"rejection-by-administrator": {"a rejection by an administrator", "rejection", func(m *onusv1.Record) { m.Author = byAdmin().Author }},
	"rejection-by-genesis":       {"a rejection by entry 0, which revokes nothing", "rejection", func(m *onusv1.Record) { m.GetRejection().Revocation = 0 }},
	"counter-by-agent":           {"a counter-record by an agent", "counter", func(m *onusv1.Record) { m.Author = saidBy("agent").Author }},
	"counter-of-nothing":         {"a counter-record without element", "counter", func(m *onusv1.Record) { m.GetCounter().Element = nil }},
	"key-set-in-clear":           {"keys of an issuer over plain http", "key-set", func(m *onusv1.Record) { m.GetKeySet().Issuer = "http://login.example.com" }},
	"key-set-by-service":         {"a key set by a service", "key-set", func(m *onusv1.Record) { m.Author = saidBy("service").Author }},
	"trust-bundle-domain":        {"a trust bundle of a SPIFFE ID", "trust-bundle", func(m *onusv1.Record) { m.GetTrustBundle().Domain = "spiffe://example.com" }},
	"read-by-nobody":             {"a read without caller", "read", func(m *onusv1.Record) { m.GetRead().Caller = "" }},
	"review-by-administrator":    {"a review by an administrator", "review-open", func(m *onusv1.Record) { m.Author = byAdmin().Author }},
	"review-of-two":              {"a review with a second cause", "review", func(m *onusv1.Record) { m.Causes = append(m.Causes, idOf("another")) }},
	"review-without-note": {"an incident, and no word why", "review", func(m *onusv1.Record) {
		m.GetReview().Disposition, m.GetReview().Note = onusv1.Disposition_DISPOSITION_INCIDENT, nil
	}},
	"review-finding":               {"a review of a finding in words", "review", func(m *onusv1.Record) { m.GetReview().Finding = "a limit was exceeded" }},
	"review-for-a-user":            {"a reviewer who reviews for a user", "review-open", func(m *onusv1.Record) { m.User = alice }},
	"service-by-operator":          {"a service that an operator registers", "service", func(m *onusv1.Record) { m.Author = saidBy("operator").Author }},
	"user-client-without-oauth":    {"a user client that is no OAuth client", "user-client", func(m *onusv1.Record) { m.GetRegistration().GetClient().OauthClient = nil }},
	"reviewer-name":                {"a reviewer with a slash in the name", "reviewer", func(m *onusv1.Record) { m.GetRegistration().GetReviewer().Name = "acme/bob" }},
	"issuer-query":                 {"an issuer with a query", "issuer", func(m *onusv1.Record) { m.GetRegistration().GetIssuer().Url += "?a=b" }},
	"agent-class-ceiling-total":    {"a ceiling with a total", "full-agent-class", func(m *onusv1.Record) { m.GetRegistration().GetAgent().Ceiling[0].MaxTotal = "1" }},
	"enrolment-without-credential": {"an agent's key that enrols itself with nothing", "enrolment-svid", inKey(func(k *onusv1.KeyBinding) { k.Credential = nil })},
	"enrolment-of-a-class":         {"a key that enrols itself for any instance", "enrolment-svid", inKey(func(k *onusv1.KeyBinding) { k.Instance = "" })},
	"enrolment-unbound-token":      {"a device's key beside a token of another key", "enrolment-device", inToken(func(t *onusv1.UserToken) { t.Confirms = "" })},
	"enrolment-of-an-operator": {"an operator's key that enrols itself", "rotation-operator", inKey(func(k *onusv1.KeyBinding) {
		k.PublicKey, k.Replaces, k.ReplacedUntil, k.Possession = mustSPKI(1), "", nil, nil
	})},
	"rotation-without-possession": {"a rotation without possession", "rotation-agent", inKey(func(k *onusv1.KeyBinding) { k.Possession = nil })},
	"rotation-of-another-log":     {"possession for another log", "rotation-agent", inKey(func(k *onusv1.KeyBinding) { k.Possession = possession(2, "log.example.com/staging") })},
	"key-binding-two-parties":     {"a key of an operator and of a reviewer", "rotation-operator", inKey(func(k *onusv1.KeyBinding) { k.Reviewer = "bob" })},
	"revoked-session-by-operator": {"a session that an operator revokes", "revoked-session", func(m *onusv1.Record) { m.Author = saidBy("operator").Author }},
	"host-genesis-without-key":    {"rejections that nobody can sign", "host-genesis", func(m *onusv1.Record) { m.GetGenesis().HostKey = nil }},
	"successor-genesis-unsigned": {"a predecessor whose checkpoint another key signed", "successor-genesis", func(m *onusv1.Record) {
		m.GetGenesis().Predecessor.LogKey = predecessor("log.example.com/other", 1).LogKey
	}},
	"host-genesis-same-key": {"a host with an administrator's key", "host-genesis", func(m *onusv1.Record) { m.GetGenesis().HostKey = m.GetGenesis().Administrators[0].PublicKey }},
}

func refusedPayload(t *testing.T, name string) []byte {
	t.Helper()
	v := refused[name]
	m := everyRecord[v.from]()
	v.spoil(m)
	return marshal(t, m)
}

func TestVectorsRefused(t *testing.T) {
	if *update {
		for name, v := range refused {
			payload := refusedPayload(t, name)
			_, err := parse(record.TypeProtobuf, payload)
			e := asRefusal(t, err)
			b, err := json.MarshalIndent(refusedVector{v.comment, record.TypeProtobuf.String(), hex.EncodeToString(payload), e.Reason, e.Field}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			writeVector(t, filepath.Join(refusedDir, name+".json"), b)
		}
	}
	files, err := filepath.Glob(filepath.Join(refusedDir, "*.json"))
	if err != nil || len(files) != len(refused) {
		t.Fatalf("found %d refused vectors (%v), want %d", len(files), err, len(refused))
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want refusedVector
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			typ, err := record.ParsePayloadType(want.PayloadType)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parse(typ, unhex(t, want.Payload))
			wantRefusal(t, err, want.Reason, want.Field)
			// The file is what the table makes.
			made := hex.EncodeToString(refusedPayload(t, name[:len(name)-len(".json")]))
			if diff := cmp.Diff(want.Payload, made); diff != "" {
				t.Errorf("payload: (-file +code)\n%s", diff)
			}
		})
	}
}

func asRefusal(t *testing.T, err error) *record.Error {
	t.Helper()
	var e *record.Error
	if !errors.As(err, &e) {
		t.Fatalf("refused with %v, want a *record.Error", err)
	}
	return e
}
