package record_test

import (
	"bytes"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

func inKey(change func(*onusv1.KeyBinding)) func(*onusv1.Record) {
	return func(m *onusv1.Record) { change(m.GetRegistration().GetKey()) }
}

func TestBindingStatement(t *testing.T) {
	got := string(record.BindingStatement(origin, "bound", "other"))
	if want := "onus/v1 key binding\nlog.example.com/prod\nbound\nother\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A key is of exactly one party.
func TestBoundParties(t *testing.T) {
	type K = onusv1.KeyBinding
	bound := func(k *K) func(*onusv1.Record) {
		return inKey(func(old *K) {
			spki := old.PublicKey
			proto.Reset(old)
			proto.Merge(old, k)
			old.PublicKey = spki
		})
	}
	const f = "registration.key"
	testRefusals(t, keyBinding, []refusal{
		{"nobody", f, bound(&K{})},
		{"an instance alone", f, bound(&K{Instance: "pod-1"})},
		{"an agent without operator", f + ".operator", bound(&K{Agent: planner})},
		{"an agent and a service", f, bound(&K{Agent: planner, Operator: "acme/it", Service: erp})},
		{"an operator and a reviewer", f, bound(&K{Operator: "acme/it", Reviewer: "bob"})},
		{"a client and a user", f, bound(&K{Client: "chat", User: alice})},
		{"a service with an instance", f + ".instance", bound(&K{Service: erp, Instance: "pod-1"})},
		{"a service that is no SPIFFE ID", f + ".service", bound(&K{Service: "erp"})},
		{"a client with an empty segment", f + ".client", bound(&K{Client: "acme//chat"})},
		{"a user by name", f + ".user", bound(&K{User: "alice"})},
		{"a reviewer with a space", f + ".reviewer", bound(&K{Reviewer: "bob b"})},
		{"an operator in upper case", f + ".operator", bound(&K{Operator: "ACME"})},
	})
	testAccepted(t, keyBinding, []acceptance{
		{"an agent class", bound(&K{Agent: planner, Operator: "acme/it"})},
		{"an instance", bound(&K{Agent: planner, Operator: "acme/it", Instance: "pod-1"})},
		{"an operator", bound(&K{Operator: "acme/it"})},
		{"a service", bound(&K{Service: erp})},
		{"a client", bound(&K{Client: "acme/chat"})},
		{"a user", bound(&K{User: alice})},
		{"a reviewer", bound(&K{Reviewer: "bob"})},
	})
}

func TestKeysEnd(t *testing.T) {
	type K = onusv1.KeyBinding
	const f = "registration.key"
	testRefusals(t, keyBinding, []refusal{
		{"ends before 1970", f + ".not_after", inKey(func(k *K) { k.NotAfter = at(-1) })},
		{"replaces what is no key", f + ".replaces", inKey(func(k *K) { k.Replaces = "key" })},
		{"replaces itself", f + ".replaces", inKey(func(k *K) { k.Replaces = signerOf(t, edKey(2)).Public().ID() })},
		{"replaces nothing until then", f + ".replaced_until", inKey(func(k *K) { k.ReplacedUntil = at(1_790_000_000) })},
		{"replaces until after 9999", f + ".replaced_until", inKey(func(k *K) { k.Replaces, k.ReplacedUntil = keyID, at(253402300800) })},
	})
	testAccepted(t, keyBinding, []acceptance{
		{"a last moment", inKey(func(k *K) { k.NotAfter = at(1_800_000_000) })},
		{"replaces at once", inKey(func(k *K) { k.Replaces = keyID })},
		{"replaces with an overlap", inKey(func(k *K) { k.Replaces, k.ReplacedUntil = keyID, at(1_790_000_000) })},
	})
}

// The form of a credential. What it proves is for package registry.
func TestCredentialForms(t *testing.T) {
	type K = onusv1.KeyBinding
	svid := func(change func(*onusv1.X509SVID)) func(*onusv1.Record) {
		return inKey(func(k *K) { change(k.GetSvid()) })
	}
	const f = "registration.key.svid"
	testRefusals(t, enrolment, []refusal{
		{"no certificate", f + ".chain", svid(func(s *onusv1.X509SVID) { s.Chain = nil })},
		{"too many certificates", f + ".chain", svid(func(s *onusv1.X509SVID) { s.Chain = make([][]byte, 9) })},
		{"an empty certificate", f + ".chain[1]", svid(func(s *onusv1.X509SVID) { s.Chain[1] = nil })},
		{"a signature too long", f + ".possession", svid(func(s *onusv1.X509SVID) { s.Possession = make([]byte, 513) })},
	})
	testAccepted(t, enrolment, []acceptance{
		{"the leaf's key itself", svid(func(s *onusv1.X509SVID) { s.Possession = nil })},
		{"as much as it may hold", svid(func(s *onusv1.X509SVID) {
			s.Chain, s.Possession = bytes.Split([]byte("a b c d e f g h"), []byte(" ")), make([]byte, 512)
		})},
	})
	token := func(s string) func(*onusv1.Record) {
		return inKey(func(k *K) { k.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: s} })
	}
	const w = "registration.key.workload_token"
	testRefusals(t, serviceEnrolment, []refusal{
		{"an empty token", w, token("")},
		{"a token with a newline", w, token("e30.e30.c2ln\n")},
		{"a token in quotes", w, token(`"e30.e30.c2ln"`)},
		{"a token too long", w, token(strings.Repeat("a", 16<<10+1))},
	})
	testAccepted(t, serviceEnrolment, []acceptance{{"the longest token", token(strings.Repeat("a", 16<<10))}})
}

// A key that signs its own binding shows by something else that its party may
// have it.
func TestSelfEnrolments(t *testing.T) {
	type K = onusv1.KeyBinding
	const f = "registration.key"
	testRefusals(t, enrolment, []refusal{
		{"an agent without credential", f, inKey(func(k *K) { k.Credential = nil })},
		{"any instance of an agent", f + ".instance", inKey(func(k *K) { k.Instance = "" })},
		{"another instance", f, inKey(func(k *K) { k.Instance = "pod-8" })},
		{"another agent", f, inKey(func(k *K) { k.Agent = "spiffe://example.com/clerk" })},
		{"another operator's agent", f, inKey(func(k *K) { k.Operator = "acme/hr" })},
		{"another party", f, inKey(func(k *K) {
			k.Agent, k.Instance, k.Operator, k.Service = "", "", "", erp
		})},
		{"possession besides", f + ".possession", inKey(func(k *K) { k.Possession = possession(1, origin) })},
	})
	testRefusals(t, serviceEnrolment, []refusal{
		{"a service without credential", f, inKey(func(k *K) { k.Credential = nil })},
		{"another service", f, inKey(func(k *K) { k.Service = "spiffe://example.com/crm" })},
	})
	testRefusals(t, deviceEnrolment, []refusal{
		{"a user without token", "token.confirms", func(m *onusv1.Record) { m.Token = nil }},
		{"a user with a token that is bound to nothing", "token.confirms", inToken(func(t *onusv1.UserToken) { t.Confirms = "" })},
		{"a user with a token of another key", "token.confirms", inToken(func(t *onusv1.UserToken) { t.Confirms = strings.Repeat("k", 43) })},
		{"another user", f, inKey(func(k *K) { k.User = pseudonym("u-", 'z') })},
		{"a user with a workload's credential", f, inKey(func(k *K) {
			k.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: "e30.e30.c2ln"}
		})},
	})
	// Who is known by nothing but its keys cannot enrol itself.
	for _, party := range []string{"operator", "client", "reviewer"} {
		testRefusals(t, everyRecord["rotation-"+party], []refusal{{"by itself: " + party, f, inKey(func(k *K) {
			k.PublicKey, k.Replaces, k.ReplacedUntil, k.Possession = mustSPKI(1), "", nil, nil
		})}})
	}
}

// A party's key binds another key of the same party, which shows that it is
// there.
func TestRotations(t *testing.T) {
	type K = onusv1.KeyBinding
	const f = "registration.key"
	for _, party := range []string{"agent", "operator", "service", "client", "user", "reviewer"} {
		testRefusals(t, everyRecord["rotation-"+party], []refusal{
			{party + " without possession", f + ".possession", inKey(func(k *K) { k.Possession = nil })},
			{party + " with possession of another key", f + ".possession", inKey(func(k *K) { k.Possession = possession(3, origin) })},
			{party + " with possession for another log", f + ".possession", inKey(func(k *K) { k.Possession = possession(2, "log.example.com/staging") })},
			{party + " with possession for another signer", f + ".possession", func(m *onusv1.Record) { m.Author.KeyId = strings.Repeat("k", 43) }},
		})
		testAccepted(t, everyRecord["rotation-"+party], []acceptance{
			{party + " that replaces nothing", inKey(func(k *K) { k.Replaces, k.ReplacedUntil = "", nil })},
		})
	}
	testRefusals(t, everyRecord["rotation-operator"], []refusal{
		{"for another operator", f, inKey(func(k *K) { k.Operator = "acme/hr" })},
		{"for another operator's agent", f, inKey(func(k *K) { k.Agent, k.Operator = planner, "acme/hr" })},
		{"for a user", f, inKey(func(k *K) { k.Operator, k.User, k.Possession = "", pseudonym("u-", 'z'), nil })},
		{"for a service, with possession", f + ".possession", inKey(func(k *K) { k.Operator, k.Service = "", erp })},
		{"for its agent, with possession", f + ".possession", inKey(func(k *K) { k.Agent = planner })},
		{"for its agent, with a credential", f, inKey(func(k *K) {
			k.Agent, k.Possession = planner, nil
			k.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: "e30.e30.c2ln"}
		})},
	})
	testAccepted(t, everyRecord["rotation-operator"], []acceptance{
		{"for its agent", inKey(func(k *K) { k.Agent, k.Possession = planner, nil })},
		{"for a service", inKey(func(k *K) { k.Operator, k.Service, k.Possession = "", erp, nil })},
		{"for a user client", inKey(func(k *K) { k.Operator, k.Client, k.Possession = "", "desk/chat", nil })},
		{"for a reviewer", inKey(func(k *K) { k.Operator, k.Reviewer, k.Possession = "", "carol", nil })},
	})
	testRefusals(t, everyRecord["rotation-agent"], []refusal{
		{"for another instance", f, inKey(func(k *K) { k.Instance = "pod-8" })},
		{"for its operator", f, inKey(func(k *K) { k.Agent, k.Instance = "", "" })},
	})
	testAccepted(t, everyRecord["rotation-agent"], []acceptance{
		{"for any instance, if the signing key is", inKey(func(k *K) { k.Instance = "" })},
		{"with a credential too", inKey(func(k *K) {
			k.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: "e30.e30.c2ln"}
		})},
	})
	testRefusals(t, keyBinding, []refusal{
		{"an administrator's, with possession", f + ".possession", inKey(func(k *K) { k.Possession = possession(2, origin) })},
		{"an administrator's, with a credential", f, inKey(func(k *K) {
			k.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: "e30.e30.c2ln"}
		})},
	})
}

func TestSelfEnrolment(t *testing.T) {
	is := func(name string) bool { return strings.HasPrefix(name, "enrolment-") }
	for _, name := range recordNames() {
		m := everyRecord[name]()
		got := record.SelfEnrolment(m)
		if is(name) != (got != nil) {
			t.Errorf("SelfEnrolment(%s) = %v", name, got)
		}
		if got != nil && got != m.GetRegistration().GetKey() {
			t.Errorf("SelfEnrolment(%s) is not the record's binding", name)
		}
	}
	for name, spoil := range map[string]func(*onusv1.Record){
		"another key":      inKey(func(k *onusv1.KeyBinding) { k.PublicKey = mustSPKI(2) }),
		"no key":           inKey(func(k *onusv1.KeyBinding) { k.PublicKey = nil }),
		"another agent":    inKey(func(k *onusv1.KeyBinding) { k.Agent = "spiffe://example.com/clerk" }),
		"another instance": inKey(func(k *onusv1.KeyBinding) { k.Instance = "pod-8" }),
		"an administrator": func(m *onusv1.Record) { m.Author = byAdmin().Author },
		"nobody":           func(m *onusv1.Record) { m.Author = nil },
	} {
		m := enrolment()
		spoil(m)
		if got := record.SelfEnrolment(m); got != nil {
			t.Errorf("%s: SelfEnrolment = %v, want nil", name, got)
		}
	}
	if got := record.SelfEnrolment(nil); got != nil {
		t.Errorf("SelfEnrolment(nil) = %v", got)
	}
}
