package record_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The rules for what administrators write.

func TestRegistrationRefusals(t *testing.T) {
	long := strings.Repeat("x", 257)
	testRefusals(t, operator, []refusal{
		{"of nothing", "registration", func(m *onusv1.Record) { m.GetRegistration().Subject = nil }},
		{"no id", "registration.operator.id", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Id = "" }},
		{"id in upper case", "registration.operator.id", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Id = "Acme" }},
		{"id with an empty segment", "registration.operator.id", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Id = "acme//it" }},
		{"id with a relative segment", "registration.operator.id", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Id = "acme/../it" }},
		{"no organisation", "registration.operator.organisation", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Organisation = "" }},
		{"no unit", "registration.operator.unit", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Unit = "" }},
		{"no accountable post", "registration.operator.accountable_post", func(m *onusv1.Record) { m.GetRegistration().GetOperator().AccountablePost = "" }},
		{"contact too long", "registration.operator.contact", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Contact = long }},
	})
	testRefusals(t, agentClass, []refusal{
		{"no id", "registration.agent.id", func(m *onusv1.Record) { m.GetRegistration().GetAgent().Id = "" }},
		{"id is no SPIFFE ID", "registration.agent.id", func(m *onusv1.Record) { m.GetRegistration().GetAgent().Id = "planner" }},
		{"no operator", "registration.agent.operator", func(m *onusv1.Record) { m.GetRegistration().GetAgent().Operator = "" }},
		{"no display name", "registration.agent.display_name", func(m *onusv1.Record) { m.GetRegistration().GetAgent().DisplayName = "" }},
		{"purpose too long", "registration.agent.purpose", func(m *onusv1.Record) { m.GetRegistration().GetAgent().Purpose = long }},
		{"model with a newline", "registration.agent.model", func(m *onusv1.Record) { m.GetRegistration().GetAgent().Model = "a\nb" }},
		{"catalogue too long", "registration.agent.catalogue", func(m *onusv1.Record) {
			a := m.GetRegistration().GetAgent()
			for len(a.Catalogue) <= record.MaxElements {
				a.Catalogue = append(a.Catalogue, a.Catalogue[0])
			}
		}},
		{"catalogue without action", "registration.agent.catalogue[0].action", func(m *onusv1.Record) {
			m.GetRegistration().GetAgent().Catalogue[0].Action = ""
		}},
	})
	testRefusals(t, keyBinding, []refusal{
		{"no key", "registration.key.public_key", func(m *onusv1.Record) { m.GetRegistration().GetKey().PublicKey = nil }},
		{"bytes after the key", "registration.key.public_key", func(m *onusv1.Record) {
			k := m.GetRegistration().GetKey()
			k.PublicKey = append(k.PublicKey, 0)
		}},
		{"a curve that is not accepted", "registration.key.public_key", func(m *onusv1.Record) {
			m.GetRegistration().GetKey().PublicKey = p521(t)
		}},
		{"no operator", "registration.key.operator", func(m *onusv1.Record) { m.GetRegistration().GetKey().Operator = "" }},
		{"agent is no SPIFFE ID", "registration.key.agent", func(m *onusv1.Record) { m.GetRegistration().GetKey().Agent = "planner" }},
		{"instance without agent", "registration.key.instance", func(m *onusv1.Record) { m.GetRegistration().GetKey().Agent = "" }},
		{"instance is two dots", "registration.key.instance", func(m *onusv1.Record) { m.GetRegistration().GetKey().Instance = ".." }},
		{"instance with a slash", "registration.key.instance", func(m *onusv1.Record) { m.GetRegistration().GetKey().Instance = "a/b" }},
	})
	testAccepted(t, keyBinding, []acceptance{
		{"any instance of a class", func(m *onusv1.Record) { m.GetRegistration().GetKey().Instance = "" }},
		{"an operator's key", func(m *onusv1.Record) {
			m.GetRegistration().GetKey().Agent, m.GetRegistration().GetKey().Instance = "", ""
		}},
	})
}

func p521(t *testing.T) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return spki
}

func TestGenesisRefusals(t *testing.T) {
	admins := func(n int) []*onusv1.Administrator {
		var as []*onusv1.Administrator
		for i := range n {
			name := "root"
			if i > 0 {
				name = fmt.Sprint("admin-", i)
			}
			as = append(as, &onusv1.Administrator{Name: name, PublicKey: spkiOf(t, edKey(byte(i+1)))})
		}
		return as
	}
	testRefusals(t, genesis, []refusal{
		{"no log key", "genesis.log_key", func(m *onusv1.Record) { m.GetGenesis().LogKey = "" }},
		{"log key of another origin", "genesis.log_key", func(m *onusv1.Record) { m.Origin = "log.example.com/staging" }},
		{"log key with a wrong key id", "genesis.log_key", func(m *onusv1.Record) {
			m.GetGenesis().LogKey = strings.Replace(logVkey, "+", "+0", 1)
		}},
		{"log key of small order", "genesis.log_key", func(m *onusv1.Record) {
			m.GetGenesis().LogKey = weakVkey(t)
		}},
		{"no administrator", "genesis.administrators", func(m *onusv1.Record) { m.GetGenesis().Administrators = nil }},
		{"too many administrators", "genesis.administrators", func(m *onusv1.Record) { m.GetGenesis().Administrators = admins(17) }},
		{"administrator without a name", "genesis.administrators[1].name", func(m *onusv1.Record) { m.GetGenesis().Administrators[1].Name = "" }},
		{"administrator without a key", "genesis.administrators[1].public_key", func(m *onusv1.Record) { m.GetGenesis().Administrators[1].PublicKey = nil }},
		{"two of one name", "genesis.administrators[1]", func(m *onusv1.Record) { m.GetGenesis().Administrators[1].Name = "root" }},
		{"two of one key", "genesis.administrators[1]", func(m *onusv1.Record) {
			m.GetGenesis().Administrators[1].PublicKey = m.GetGenesis().Administrators[0].PublicKey
		}},
		{"signed by the second", "author.administrator", func(m *onusv1.Record) { m.Author.Administrator = "deputy" }},
		{"no policy", "genesis.policy", func(m *onusv1.Record) { m.GetGenesis().Policy = nil }},
		{"no clock skew", "genesis.policy.clock_skew", func(m *onusv1.Record) { m.GetGenesis().Policy.ClockSkew = nil }},
		{"negative clock skew", "genesis.policy.clock_skew", func(m *onusv1.Record) {
			m.GetGenesis().Policy.ClockSkew = &durationpb.Duration{Seconds: -1}
		}},
		{"slightly negative lateness", "genesis.policy.late_after", func(m *onusv1.Record) {
			m.GetGenesis().Policy.LateAfter = &durationpb.Duration{Nanos: -1}
		}},
		{"duration out of range", "genesis.policy.outcome_window", func(m *onusv1.Record) {
			m.GetGenesis().Policy.OutcomeWindow = &durationpb.Duration{Seconds: 315_576_000_001}
		}},
		{"plain text in no text field", "genesis.policy.plain_text[0]", func(m *onusv1.Record) {
			m.GetGenesis().Policy.PlainText[0] = "stages.intent"
		}},
		{"plain text in too many fields", "genesis.policy.plain_text", func(m *onusv1.Record) {
			m.GetGenesis().Policy.PlainText = append(record.TextFields(), "*")
		}},
	})
	testAccepted(t, genesis, []acceptance{
		{"one administrator", func(m *onusv1.Record) { m.GetGenesis().Administrators = admins(1) }},
		{"16 administrators", func(m *onusv1.Record) { m.GetGenesis().Administrators = admins(16) }},
		{"plain text everywhere", func(m *onusv1.Record) { m.GetGenesis().Policy.PlainText = []string{"*"} }},
		{"plain text in every field by name", func(m *onusv1.Record) { m.GetGenesis().Policy.PlainText = record.TextFields() }},
		{"windows of zero", func(m *onusv1.Record) {
			p := m.GetGenesis().Policy
			p.ClockSkew, p.LateAfter, p.OutcomeWindow = &durationpb.Duration{}, &durationpb.Duration{}, &durationpb.Duration{}
		}},
	})
}

// weakVkey is well-formed, and anybody signs for it.
func weakVkey(t *testing.T) string {
	t.Helper()
	neutral := make([]byte, 32)
	neutral[0] = 1
	vkey, err := note.NewEd25519VerifierKey(origin, neutral)
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

// The log key is an identity that people compare by eye: it has one spelling.
func TestGenesisLogKeySpelling(t *testing.T) {
	name, rest, _ := strings.Cut(logVkey, "+")
	id, key, _ := strings.Cut(rest, "+")
	for what, vkey := range map[string]string{
		"key id in upper case":  name + "+" + strings.ToUpper(id) + "+" + key,
		"newline after the key": logVkey + "\n",
		"newline in the key":    name + "+" + id + "+" + key[:8] + "\r\n" + key[8:],
	} {
		testRefusals(t, genesis, []refusal{{what, "genesis.log_key", func(m *onusv1.Record) { m.GetGenesis().LogKey = vkey }}})
	}
}
