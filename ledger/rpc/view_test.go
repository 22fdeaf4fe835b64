package rpc_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
)

// Who reads which record as a whole, by GetRecord and by GetReceipt, and who
// sees its contents.
func TestRecordsAndContentsByRole(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	records := map[string]logged{"intent": w.intent, "plan": w.plan, "foreign": w.foreign, "genesis": {index: 0}}
	for caller, want := range map[string]map[string]string{ // c: with contents, r: without, absent: denied
		"agent":         {"intent": "c"},
		"operator":      {"intent": "c", "plan": "c"},
		"hr":            {"foreign": "c"},
		"auditor":       {"intent": "r", "plan": "r", "foreign": "r", "genesis": "r"},
		"compliance":    {"intent": "c", "plan": "c", "foreign": "c", "genesis": "r"},
		"administrator": {"intent": "c", "plan": "c", "foreign": "c", "genesis": "r"},
		"strange agent": {},
	} {
		c := w.as(caller)
		for name, r := range records {
			got := ""
			resp, err := c.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: r.index}, Contents: true})
			switch {
			case err == nil && len(resp.GetRecord().GetContents()) > 0:
				got = "c"
			case err == nil:
				got = "r"
			case answer(t, err) != "permission_denied":
				t.Errorf("%s reads %s: %v", caller, name, err)
			case r.id != "" && strings.Contains(err.Error(), r.id):
				t.Errorf("%s learns the id of %s: %v", caller, name, err)
			}
			if got != want[name] {
				t.Errorf("%s reads %s: got %q, want %q", caller, name, got, want[name])
			}
			_, err = c.GetReceipt(ctx, &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Index{Index: r.index}})
			if (err == nil) != (want[name] != "") {
				t.Errorf("%s has the receipt of %s: %v", caller, name, err)
			}
		}
	}
	// Who is not asked for contents sends none.
	resp, err := w.as("administrator").GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: w.intent.id}})
	must(t, err)
	if len(resp.GetRecord().GetContents()) > 0 {
		t.Error("contents came unasked")
	}
}

// In a chain that crosses operators, the others' records are redacted to
// index, id and party, and the links between them.
func TestChainsAreRedacted(t *testing.T) {
	w := newWorld(t, nil)
	for caller, want := range map[string][]string{ // in log order: contents, read, or redacted
		"agent":         {"c", "r", "-", "c"},
		"operator":      {"c", "c", "-", "c"},
		"hr":            {"-", "-", "c", "-"},
		"auditor":       {"r", "r", "r", "r"},
		"compliance":    {"c", "c", "c", "c"},
		"administrator": {"c", "c", "c", "c"},
	} {
		for _, id := range []string{w.intent.id, w.foreign.id, w.back.id} {
			resp, err := w.as(caller).GetChain(context.Background(), &onusv1.GetChainRequest{Id: id, Contents: true})
			must(t, err)
			var got []string
			for _, r := range resp.GetRecords() {
				switch {
				case r.GetRedacted():
					got = append(got, "-")
				case len(r.GetContents()) > 0:
					got = append(got, "c")
				default:
					got = append(got, "r")
				}
				if !r.GetRedacted() && (len(r.GetEntry()) == 0 || r.GetRecord().GetNonce() == nil || r.GetLogTime() == nil) {
					t.Errorf("%s: entry %d is not whole", caller, r.GetIndex())
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", caller, diff)
			}
		}
	}

	resp, err := w.as("agent").GetChain(context.Background(), &onusv1.GetChainRequest{Id: w.intent.id, Contents: true})
	must(t, err)
	want := &onusv1.LoggedRecord{Index: w.foreign.index, Id: w.foreign.id, Redacted: true,
		Record: &onusv1.Record{Author: &onusv1.Author{Agent: hrAgentID, Operator: hr}, Parent: w.plan.id}}
	if diff := cmp.Diff(want, resp.GetRecords()[2], protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	for _, r := range resp.GetRecords() {
		for _, c := range r.GetContents() {
			if string(c.GetData()) != w.secrets[r.GetId()] {
				t.Errorf("entry %d: contents %q", r.GetIndex(), c.GetData())
			}
		}
	}
	if text := protojson.Format(resp); strings.Contains(text, "words of "+hrAgentID) {
		t.Error("the words of another operator's agent are in the answer")
	}

	// A chain that holds nothing of the caller's is not shown.
	_, err = w.as("agent").GetChain(context.Background(), &onusv1.GetChainRequest{Id: w.apart.id})
	if got := answer(t, err); got != "permission_denied" {
		t.Errorf("another's chain: %s", got)
	}
	// Nor is one whose part that was gathered does not.
	_, err = w.as("hr").GetChain(context.Background(), &onusv1.GetChainRequest{Id: w.intent.id, Limit: 2})
	if _, p := problem(t, err); !strings.Contains(p.GetNext(), "a higher limit may reach it") {
		t.Errorf("a cut chain: %v", p)
	}
}

// Agents and operators list their own records, whatever they ask for.
func TestListingsAreHeldToTheCaller(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	all := []int64{w.intent.index, w.plan.index, w.foreign.index, w.back.index, w.apart.index}
	for _, c := range []struct {
		caller string
		q      *onusv1.ListRecordsRequest
		want   []int64
		field  string // of the denial
	}{
		{"agent", &onusv1.ListRecordsRequest{}, []int64{w.intent.index, w.back.index}, ""},
		{"agent", &onusv1.ListRecordsRequest{Agent: agentID}, []int64{w.intent.index, w.back.index}, ""},
		{"agent", &onusv1.ListRecordsRequest{Agent: plannerID}, nil, "agent"},
		{"agent", &onusv1.ListRecordsRequest{Operator: hr}, nil, ""}, // its own records of that operator: none
		{"operator", &onusv1.ListRecordsRequest{}, []int64{w.intent.index, w.plan.index, w.back.index, w.grant.index}, ""},
		{"operator", &onusv1.ListRecordsRequest{Agent: plannerID}, []int64{w.plan.index}, ""},
		{"operator", &onusv1.ListRecordsRequest{Agent: hrAgentID}, nil, ""},
		{"operator", &onusv1.ListRecordsRequest{Operator: hr}, nil, "operator"},
		{"strange agent", &onusv1.ListRecordsRequest{}, nil, ""},
		{"auditor", &onusv1.ListRecordsRequest{Agent: hrAgentID}, []int64{w.foreign.index, w.apart.index}, ""},
	} {
		page, err := w.as(c.caller).ListRecords(ctx, c.q)
		if c.field != "" {
			code, p := problem(t, err)
			if code != connect.CodePermissionDenied || p.GetReason() != "NOT_PERMITTED" || p.GetField() != c.field || !strings.Contains(p.GetNext(), "leave the filter") {
				t.Errorf("%s asks for %v: %v, %v", c.caller, c.q, err, p)
			}
			continue
		}
		must(t, err)
		var got []int64
		for _, r := range page.GetRecords() {
			got = append(got, r.GetIndex())
			if len(r.GetContents()) > 0 {
				t.Errorf("%s: a listing has contents", c.caller)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s asks for %v: got %v, want %v", c.caller, c.q, got, c.want)
		}
	}
	page, err := w.as("auditor").ListRecords(ctx, &onusv1.ListRecordsRequest{})
	must(t, err)
	if len(page.GetRecords()) != int(w.ledger.Size()) || !slices.ContainsFunc(page.GetRecords(), func(r *onusv1.LoggedRecord) bool { return r.GetIndex() == all[2] }) {
		t.Errorf("an auditor sees %d of %d records", len(page.GetRecords()), w.ledger.Size())
	}

	// A page token does not carry one caller's listing to another.
	page, err = w.as("operator").ListRecords(ctx, &onusv1.ListRecordsRequest{PageSize: 1})
	must(t, err)
	for _, caller := range []string{"agent", "hr"} {
		_, err = w.as(caller).ListRecords(ctx, &onusv1.ListRecordsRequest{PageSize: 1, PageToken: page.GetNextPageToken()})
		if code, p := problem(t, err); code != connect.CodeInvalidArgument || p.GetReason() != "PAGE_TOKEN" {
			t.Errorf("%s with another's page token: %v", caller, err)
		}
	}
	// Its own caller goes on with it.
	got := fmt.Sprint(page.GetRecords()[0].GetIndex())
	for page.GetNextPageToken() != "" {
		page, err = w.as("operator").ListRecords(ctx, &onusv1.ListRecordsRequest{PageSize: 1, PageToken: page.GetNextPageToken()})
		must(t, err)
		for _, r := range page.GetRecords() {
			got += fmt.Sprint(" ", r.GetIndex())
		}
	}
	if want := fmt.Sprint(w.intent.index, " ", w.plan.index, " ", w.back.index, " ", w.grant.index); got != want {
		t.Errorf("pages %s, want %s", got, want)
	}
}
