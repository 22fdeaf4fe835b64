package rpc_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// judgement reads what GetChain says of the verdict.
type judgement struct {
	Verdict struct {
		Outcome string
		Actions []struct {
			Index   int64
			Verdict string
		}
	}
	Evidence struct {
		Source    string
		Omissions []struct{ Index int64 }
	}
}

// A chain that crosses operators is judged as a whole, and each reader hears of
// the actions that it may read, and of what is missing before them.
func TestJudgementByRole(t *testing.T) {
	w := newWorld(t, nil)
	act := func(agent, op string, key record.Signer, parent string) logged {
		return w.log1(key, &onusv1.Record{Author: &onusv1.Author{Agent: agent, Instance: "acts-" + op[:2], Operator: op}, Parent: parent,
			Sequence: 7, Previous: strings.Repeat("ef", 32), // the record before it is missing
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}}}}})
	}
	own := act(agentID, operator, w.agent, w.back.id)
	foreign := act(hrAgentID, hr, w.hrKey, w.back.id)
	for caller, want := range map[string][]int64{
		"agent": {own.index}, "operator": {own.index}, "hr": {foreign.index},
		"auditor": {own.index, foreign.index}, "compliance": {own.index, foreign.index},
	} {
		resp, err := w.as(caller).GetChain(context.Background(), &onusv1.GetChainRequest{Id: own.id, Judge: true})
		must(t, err)
		var j judgement
		must(t, json.Unmarshal(resp.GetJudgement(), &j))
		var got []int64
		for _, a := range j.Verdict.Actions {
			got = append(got, a.Index)
			if a.Verdict != "UNATTRIBUTABLE" && a.Verdict != "UNAUTHORIZED" {
				t.Errorf("%s reads of entry %d: %s", caller, a.Index, a.Verdict)
			}
		}
		var missing []int64
		for _, o := range j.Evidence.Omissions {
			missing = append(missing, o.Index)
		}
		if !slices.Equal(got, want) || !slices.Equal(missing, want) || j.Verdict.Outcome == "" || j.Evidence.Source == "" {
			t.Errorf("%s reads of %v, want %v: %s", caller, got, want, resp.GetJudgement())
		}
		if resp, err := w.as(caller).GetChain(context.Background(), &onusv1.GetChainRequest{Id: own.id}); err != nil || len(resp.GetJudgement()) > 0 {
			t.Errorf("unasked: %s, %v", resp.GetJudgement(), err)
		}
	}
}

// May I? An agent asks with the record that it would log.
func TestCheck(t *testing.T) {
	w := newWorld(t, nil)
	ask := func(grant, amount string) *record.Record {
		r, err := record.Sign(&onusv1.Record{Origin: origin, Nonce: ledger.NewNonce(), ClaimedTime: timestamppb.Now(), Capture: onusv1.Capture_CAPTURE_SELF,
			Author: &onusv1.Author{Agent: agentID, Instance: "i-0", Operator: operator}, Sequence: 1, Previous: w.intent.id, Parent: w.intent.id, Grant: grant, Basis: onusv1.Basis_BASIS_OWN,
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
				Element: &onusv1.ScopeElement{Type: "order", Action: "place", Amount: amount, Unit: "EUR"}}}}}, w.agent)
		must(t, err)
		return r
	}
	size := w.ledger.Size()
	for _, c := range []struct {
		grant, amount, outcome, finding string
	}{
		{w.grant.id, "100", "within authority", "ACTION_WITHOUT_DECISION"},
		{w.grant.id, "100.01", "outside authority", "LIMIT_EXCEEDED"},
		{w.apart.id, "1", "outside authority", "GRANT_MISSING"},
	} {
		resp, err := w.as("agent").Check(context.Background(), &onusv1.CheckRequest{Envelope: ask(c.grant, c.amount).Envelope.Proto()})
		must(t, err)
		if resp.GetOutcome() != c.outcome || resp.GetTitle() == "" || resp.GetWhy() == "" || resp.GetSize() != size ||
			!slices.ContainsFunc(resp.GetFindings(), func(f *onusv1.Finding) bool { return f.GetCode() == c.finding && f.GetText() != "" }) {
			t.Errorf("%s: %v, want %s with %s", c.amount, resp, c.outcome, c.finding)
		}
	}
	if _, err := w.as("agent").Check(context.Background(), &onusv1.CheckRequest{}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("without a record: %v", err)
	}
	if w.ledger.Size() != size {
		t.Errorf("asking was logged: the log has %d entries, had %d", w.ledger.Size(), size)
	}
}
