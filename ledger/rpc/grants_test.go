package rpc_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/testing/protocmp"
)

// delegated is a world with a grant path that crosses two operators: w.grant to
// agentID, which passes it on to hrAgentID, and an order of that agent.
func delegated(t *testing.T) (w *world, child, order logged) {
	t.Helper()
	w = newWorld(t, nil)
	child = w.log1(w.server.agent, &onusv1.Record{
		Author: &onusv1.Author{Agent: agentID, Instance: "giver", Operator: operator}, Grant: w.grant.id,
		Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: hrAgentID,
			Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}, MaxTotal: "60", Unit: "EUR"}}}}})
	order = w.log1(w.hrKey, &onusv1.Record{
		Author: &onusv1.Author{Agent: hrAgentID, Instance: "buyer", Operator: hr}, Grant: child.id,
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
			Element: &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "70", Unit: "EUR"}}}}})
	return w, child, order
}

// A grant is shown with those above it, and what was used up of each limit.
func TestGetGrant(t *testing.T) {
	w, child, order := delegated(t)
	ctx := context.Background()
	resp, err := w.as("auditor").GetGrant(ctx, &onusv1.GetGrantRequest{Id: child.id})
	must(t, err)
	use := []*onusv1.LimitUse{{Total: "70", Unit: "EUR", Last: order.index}}
	want := []*onusv1.GrantStatus{
		{Issuer: "agent " + agentID, Basis: "own", Uses: use},
		{Issuer: "operator " + operator, Basis: "own", Uses: use},
	}
	if diff := cmp.Diff(want, resp.GetPath(), protocmp.Transform(), protocmp.IgnoreFields(&onusv1.GrantStatus{}, "record")); diff != "" {
		t.Error(diff)
	}
	for i, index := range []int64{child.index, w.grant.index} {
		if r := resp.GetPath()[i].GetRecord(); r.GetIndex() != index || len(r.GetEntry()) == 0 {
			t.Errorf("grant %d is entry %d, want %d", i, r.GetIndex(), index)
		}
	}

	// Who holds the grant, or gave it, reads it; of those above, what a chain
	// shows of others' records.
	for caller, want := range map[string][]bool{ // whether each is redacted
		"agent": {false, false}, "operator": {false, false}, "hr": {false, true}, "administrator": {false, false}, "strange agent": nil,
	} {
		resp, err := w.as(caller).GetGrant(ctx, &onusv1.GetGrantRequest{Id: child.id})
		if want == nil {
			if got := answer(t, err); got != "permission_denied" {
				t.Errorf("%s: %s", caller, got)
			}
			continue
		}
		must(t, err)
		for i, g := range resp.GetPath() {
			r := g.GetRecord()
			if r.GetRedacted() != want[i] || want[i] && (len(r.GetEntry()) > 0 || r.GetRecord().GetDelegation() != nil || len(g.GetUses()) > 0 || len(r.GetFindings()) > 0) {
				t.Errorf("%s sees of grant %d: %v", caller, i, g)
			}
		}
	}
	for id, want := range map[string]string{"xyz": "INVALID_FIELD", strings.Repeat("ab", 32): "NOT_FOUND", order.id: "NOT_FOUND"} {
		_, err := w.as("auditor").GetGrant(ctx, &onusv1.GetGrantRequest{Id: id})
		if _, p := problem(t, err); p.GetReason() != want {
			t.Errorf("GetGrant(%s): %v, want %s", id, err, want)
		}
	}

	// A revocation above ends what is below.
	rev := w.log1(w.admin, &onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Revocation{
		Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: w.grant.id}}}})
	resp, err = w.as("auditor").GetGrant(ctx, &onusv1.GetGrantRequest{Id: child.id})
	must(t, err)
	for i, g := range resp.GetPath() {
		if g.Revoked == nil || g.GetRevoked() != rev.index {
			t.Errorf("grant %d: revoked %v, want %d", i, g.Revoked, rev.index)
		}
	}
}

// Grants are listed the newest first, by what they are for, and each caller
// sees those that it gave or holds.
func TestListGrants(t *testing.T) {
	w, child, _ := delegated(t)
	ctx := context.Background()
	second := w.give(hr, hrAgentID)
	for _, c := range []struct {
		caller string
		q      *onusv1.ListGrantsRequest
		want   []int64
	}{
		{"auditor", &onusv1.ListGrantsRequest{}, []int64{second.index, child.index, w.grant.index}},
		{"auditor", &onusv1.ListGrantsRequest{Agent: hrAgentID}, []int64{second.index, child.index}},
		{"auditor", &onusv1.ListGrantsRequest{Parent: w.grant.id}, []int64{child.index}},
		{"auditor", &onusv1.ListGrantsRequest{User: "u-" + strings.Repeat("a", 26)}, nil},
		{"auditor", &onusv1.ListGrantsRequest{Agent: agentID, Parent: w.grant.id}, nil},
		{"agent", &onusv1.ListGrantsRequest{}, []int64{child.index, w.grant.index}},
		{"operator", &onusv1.ListGrantsRequest{}, []int64{child.index, w.grant.index}},
		{"hr", &onusv1.ListGrantsRequest{}, []int64{second.index, child.index}},
		{"hr", &onusv1.ListGrantsRequest{Agent: agentID}, nil},
		{"strange agent", &onusv1.ListGrantsRequest{}, nil},
	} {
		for _, size := range []int32{0, 1} {
			var got []int64
			for token := ""; ; {
				c.q.PageSize, c.q.PageToken = size, token
				page, err := w.as(c.caller).ListGrants(ctx, c.q)
				must(t, err)
				for _, g := range page.GetGrants() {
					got = append(got, g.GetRecord().GetIndex())
				}
				if token = page.GetNextPageToken(); token == "" {
					break
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s asks for %v: got %v, want %v", c.caller, c.q, got, c.want)
			}
		}
	}
	_, err := w.as("auditor").ListGrants(ctx, &onusv1.ListGrantsRequest{PageSize: 1001})
	if code, p := problem(t, err); code != connect.CodeOutOfRange || p.GetReason() != "OUT_OF_RANGE" {
		t.Errorf("page size: %v", err)
	}
}

// Records come with what is to be said about the authority they used: a record
// alone and in its chain the same, and of redacted records nothing.
func TestFindings(t *testing.T) {
	w, child, order := delegated(t)
	ctx := context.Background()
	codes := func(r *onusv1.LoggedRecord) (all []string) {
		for _, f := range r.GetFindings() {
			if f.GetText() == "" || f.GetSeverity() == "" {
				t.Errorf("a finding says nothing: %v", f)
			}
			all = append(all, f.GetCode())
		}
		return all
	}
	for _, caller := range []string{"auditor", "hr"} {
		one, err := w.as(caller).GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: order.id}})
		must(t, err)
		got := codes(one.GetRecord())
		if !slices.Contains(got, "LIMIT_EXCEEDED") {
			t.Errorf("%s: findings %v, want LIMIT_EXCEEDED among them", caller, got)
		}
		i := slices.IndexFunc(one.GetRecord().GetFindings(), func(f *onusv1.Finding) bool { return f.GetCode() == "LIMIT_EXCEEDED" })
		if f := one.GetRecord().GetFindings()[i]; f.GetRecord() != child.id || f.GetSeverity() != "high" {
			t.Errorf("%s: %v, want it about grant %s", caller, f, child.id)
		}
		chain, err := w.as(caller).GetChain(ctx, &onusv1.GetChainRequest{Id: order.id})
		must(t, err)
		if diff := cmp.Diff(got, codes(chain.GetRecords()[0])); diff != "" {
			t.Errorf("%s, in its chain: %s", caller, diff)
		}
	}
	chain, err := w.as("agent").GetChain(ctx, &onusv1.GetChainRequest{Id: w.intent.id})
	must(t, err)
	for _, r := range chain.GetRecords() {
		if r.GetRedacted() && len(r.GetFindings()) > 0 {
			t.Errorf("redacted entry %d has findings %v", r.GetIndex(), r.GetFindings())
		}
	}
	list, err := w.as("auditor").ListRecords(ctx, &onusv1.ListRecordsRequest{Agent: hrAgentID})
	must(t, err)
	for _, r := range list.GetRecords() {
		if len(r.GetFindings()) > 0 {
			t.Errorf("a listing judges entry %d", r.GetIndex())
		}
	}
}

// An operator reads what its user clients say, though they do not name it as
// their author's operator; to others it is the client's.
func TestOperatorsOwnTheirClients(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	key := newSigner(t)
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: "https://login.example.com", Users: true}}})
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{Id: "chat", Operator: operator, DisplayName: "Chat",
		OauthClient: &onusv1.OAuthClient{Issuer: "https://login.example.com", Id: "chat"}}}})
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: key.Public().SPKI(), Client: "chat"}}})
	users, err := w.ledger.Mint("u-", []string{"ann"})
	must(t, err)
	said := w.log1(key, &onusv1.Record{Author: &onusv1.Author{Client: "chat"}, User: users[0], Parent: w.foreign.id,
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Requested: []*onusv1.ScopeElement{{Type: "t", Action: "a"}}}}}})
	for caller, want := range map[string]string{"operator": "ok", "hr": "permission_denied", "agent": "permission_denied", "auditor": "ok"} {
		_, err := w.as(caller).GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: said.id}})
		if got := answer(t, err); got != want {
			t.Errorf("%s: %s, want %s", caller, got, want)
		}
	}
	chain, err := w.as("hr").GetChain(ctx, &onusv1.GetChainRequest{Id: said.id})
	must(t, err)
	for _, r := range chain.GetRecords() {
		if r.GetId() != said.id {
			continue
		}
		want := &onusv1.LoggedRecord{Index: said.index, Id: said.id, Redacted: true, Record: &onusv1.Record{Author: &onusv1.Author{Client: "chat"}, Parent: w.foreign.id}}
		if diff := cmp.Diff(want, r, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
}
