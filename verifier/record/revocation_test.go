package record_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// revocation revokes an agent class, as an administrator may.
func revocation() *onusv1.Record {
	m := byAdmin()
	m.Body = &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{
		Target:         &onusv1.Revocation_Agent{Agent: planner},
		SuspectedSince: &timestamppb.Timestamp{Seconds: 1_789_999_000},
		Reason:         commitment("it reads what it should not"),
	}}
	return m
}

func revoking(edit func(*onusv1.Revocation)) func(*onusv1.Record) {
	return func(m *onusv1.Record) { edit(m.GetRevocation()) }
}

func TestRevocations(t *testing.T) {
	key := strings.Repeat("k", 43)
	ofKey := func(id string) func(*onusv1.Record) {
		return revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Key{Key: id} })
	}
	ofInstance := func(agent, instance string) func(*onusv1.Record) {
		return revoking(func(r *onusv1.Revocation) {
			r.Target = &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: agent, Instance: instance}}
		})
	}
	byAgent := func(target string) func(*onusv1.Record) {
		return func(m *onusv1.Record) {
			m.Author = &onusv1.Author{Agent: planner, Instance: "i-1", Operator: "acme/it", KeyId: keyID}
			ofKey(target)(m)
		}
	}
	testAccepted(t, revocation, []acceptance{
		{"of a key", ofKey(key)},
		{"of an instance", ofInstance(planner, "pod-1")},
		{"of an operator", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Operator{Operator: "acme/it"} })},
		{"of a grant", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Grant{Grant: idOf("grant")} })},
		{"of a session", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Session{Session: pseudonym("x-", 'b')} })},
		{"without suspicion and reason", revoking(func(r *onusv1.Revocation) { r.SuspectedSince, r.Reason = nil, nil })},
		{"by an agent, of its own key", byAgent(keyID)},
		{"by an operator", func(m *onusv1.Record) { m.Author = &onusv1.Author{Operator: "acme/it", KeyId: keyID} }},
	})
	testRefusals(t, revocation, []refusal{
		{"of nothing", "revocation", revoking(func(r *onusv1.Revocation) { r.Target = nil })},
		{"of a key that is none", "revocation.key", ofKey("key")},
		{"of an agent that is none", "revocation.agent", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Agent{Agent: "planner"} })},
		{"of an instance of no agent", "revocation.instance.agent", ofInstance("", "pod-1")},
		{"of an instance without name", "revocation.instance.instance", ofInstance(planner, "")},
		{"of an operator that is none", "revocation.operator", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Operator{Operator: "ACME"} })},
		{"suspected before 1970", "revocation.suspected_since", revoking(func(r *onusv1.Revocation) { r.SuspectedSince.Seconds = -1 })},
		{"of no grant", "revocation.grant", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Grant{} })},
		{"of a grant that is none", "revocation.grant", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Grant{Grant: "grant"} })},
		{"of no session", "revocation.session", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Session{} })},
		{"of a session that is a user", "revocation.session", revoking(func(r *onusv1.Revocation) { r.Target = &onusv1.Revocation_Session{Session: alice} })},
		{"an empty reason", "revocation.reason", revoking(func(r *onusv1.Revocation) { r.Reason = &onusv1.Text{} })},
		{"by an agent, of another key", "revocation", byAgent(key)},
	})
	// Beside its own key, each may revoke only what can be its own.
	session := &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: pseudonym("x-", 'b')}}
	grant := &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: idOf("grant")}}
	for _, tt := range []struct {
		party, field string
		r            *onusv1.Revocation
	}{
		{"agent", "revocation", session},
		{"operator", "revocation.session", session},
		{"service", "revocation", grant},
		{"reviewer", "revocation", grant},
		{"user", "revocation", &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: key}}},
		{"client", "revocation", &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: planner}}},
		{"host", "author", grant},
	} {
		_, err := parse(record.TypeProtobuf, marshal(t, revokedBy(tt.party, tt.r)))
		wantRefusal(t, err, record.ReasonInvalid, tt.field)
	}
}
