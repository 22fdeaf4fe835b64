package record_test

import (
	"fmt"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// A list that is too long is refused for its length, and not walked: a
// payload of 60,000 bytes holds 14,000 causes, whose comparison with each
// other takes a second. Allocations stand for work here, since they can be
// counted.
func TestLongListsAreNotWalked(t *testing.T) {
	var words []string
	for i := range 8000 {
		words = append(words, fmt.Sprintf("%04x", i))
	}
	for field, m := range map[string]*onusv1.Record{
		"causes":   agentRecord(func(m *onusv1.Record) { m.Causes = words }),
		"subjects": agentRecord(func(m *onusv1.Record) { m.Subjects = words }),
		"stages.action.element.datatypes": agentRecord(func(m *onusv1.Record) {
			m.GetStages().Action.Element.Datatypes = words
		}),
		"stages.intent.requested": agentRecord(func(m *onusv1.Record) {
			m.GetStages().Intent.Requested = make([]*onusv1.ScopeElement, len(words))
			for i, w := range words {
				m.GetStages().Intent.Requested[i] = &onusv1.ScopeElement{Type: w[:2]}
			}
		}),
		"stages.decision.alternatives": agentRecord(func(m *onusv1.Record) {
			m.GetStages().Decision.Alternatives = make([]*onusv1.Text, len(words))
			for i := range words {
				m.GetStages().Decision.Alternatives[i] = &onusv1.Text{}
			}
		}),
		"stages.action.token.act": agentRecord(func(m *onusv1.Record) { m.GetStages().Action.Token.Act = words }),
		"genesis.administrators": func() *onusv1.Record {
			m := genesis()
			m.GetGenesis().Administrators = make([]*onusv1.Administrator, len(words))
			for i := range words {
				m.GetGenesis().Administrators[i] = &onusv1.Administrator{}
			}
			return m
		}(),
		"genesis.policy.plain_text": func() *onusv1.Record {
			m := genesis()
			m.GetGenesis().Policy.PlainText = words
			return m
		}(),
		"delegation.scope": broken(delegation, func(m *onusv1.Record) {
			m.GetDelegation().Scope = empty[onusv1.GrantElement](len(words))
		}),
		"delegation.approvals": broken(delegation, func(m *onusv1.Record) {
			m.GetDelegation().Approvals = empty[onusv1.ApprovalRule](len(words))
		}),
		"delegation.approvals[0].operations": broken(delegation, func(m *onusv1.Record) { m.GetDelegation().Approvals[0].Operations = words }),
		"delegation.approvals[0].approvers":  broken(delegation, func(m *onusv1.Record) { m.GetDelegation().Approvals[0].Approvers = words }),
		"token.audience":                     broken(intent, func(m *onusv1.Record) { m.Token.Audience = words }),
		"token.amr":                          broken(intent, func(m *onusv1.Record) { m.Token.Amr = words }),
		"token.actors":                       broken(intent, func(m *onusv1.Record) { m.Token.Actors = empty[onusv1.Actor](len(words)) }),
		"counter.token.act":                  broken(counter, func(m *onusv1.Record) { m.GetCounter().Token.Act = words }),
		"registration.service.locations": broken(service, func(m *onusv1.Record) {
			m.GetRegistration().GetService().Locations = words
		}),
		"registration.service.workloads": broken(service, func(m *onusv1.Record) {
			m.GetRegistration().GetService().Workloads = empty[onusv1.Workload](len(words))
		}),
		"registration.agent.oauth_clients": broken(fullAgentClass, func(m *onusv1.Record) {
			m.GetRegistration().GetAgent().OauthClients = empty[onusv1.OAuthClient](len(words))
		}),
		"registration.agent.ceiling": broken(fullAgentClass, func(m *onusv1.Record) {
			m.GetRegistration().GetAgent().Ceiling = empty[onusv1.GrantElement](len(words))
		}),
		"registration.key.svid.chain": broken(enrolment, func(m *onusv1.Record) {
			m.GetRegistration().GetKey().GetSvid().Chain = make([][]byte, len(words))
		}),
		"genesis.policy.approvals": broken(hostGenesis, func(m *onusv1.Record) {
			m.GetGenesis().Policy.Approvals = empty[onusv1.ApprovalRule](len(words))
		}),
	} {
		t.Run(field, func(t *testing.T) {
			payload := marshal(t, m)
			var err error
			reading := testing.AllocsPerRun(1, func() {
				if err := proto.Unmarshal(payload, new(onusv1.Record)); err != nil {
					t.Fatal(err)
				}
			})
			all := testing.AllocsPerRun(1, func() { _, err = parse(record.TypeProtobuf, payload) })
			wantRefusal(t, err, record.ReasonInvalid, field)
			if more, want := all-reading, 2000.0; more > want { // genesis has keys to parse
				t.Errorf("%v allocations beside those of reading the message, want at most %v", more, want)
			}
		})
	}
}

func broken(valid func() *onusv1.Record, spoil func(*onusv1.Record)) *onusv1.Record {
	m := valid()
	spoil(m)
	return m
}

func empty[M any](n int) []*M {
	list := make([]*M, n)
	for i := range list {
		list[i] = new(M)
	}
	return list
}
