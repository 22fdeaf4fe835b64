package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// bundleFile receives an evidence file.
func bundleFile(ctx context.Context, c onusv1connect.LedgerServiceClient, req *onusv1.GetBundleRequest) ([]byte, error) {
	st, err := c.GetBundle(ctx, req)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var file []byte
	for short := false; st.Receive(); {
		data := st.Msg().GetData()
		if len(data) == 0 || len(data) > rpc.MaxChunk || short {
			return nil, fmt.Errorf("a message of %d bytes, after %d", len(data), len(file))
		}
		short = len(data) < rpc.MaxChunk
		file = append(file, data...)
	}
	return file, st.Err()
}

// bundle asks for evidence, and reads and verifies it with the log's key.
func (w *world) bundle(caller string, req *onusv1.GetBundleRequest, trust ...*evidence.Registry) (*evidence.Bundle, *evidence.Result) {
	w.t.Helper()
	file, err := bundleFile(context.Background(), w.as(caller), req)
	if err != nil {
		w.t.Fatalf("%s: GetBundle: %v", caller, err)
	}
	b, err := evidence.Read(bytes.NewReader(file), evidence.Limits{})
	must(w.t, err)
	t := evidence.Trust{LogKey: w.key}
	if len(trust) > 0 {
		t.Registry = trust[0]
	}
	res, err := b.Verify(t)
	must(w.t, err)
	if err := res.Err(); err != nil {
		w.t.Fatalf("%s: %v", caller, err)
	}
	return b, res
}

// marks says of those of the records that a bundle has what it has: c with
// contents, r without, - withheld.
func marks(res *evidence.Result, of ...logged) (all []string) {
	for _, r := range of {
		for i := range res.Leaves {
			switch l := &res.Leaves[i]; {
			case l.Index != r.index:
			case l.Withheld:
				all = append(all, "-")
			case len(l.Contents) > 0:
				all = append(all, "c")
			default:
				all = append(all, "r")
			}
		}
	}
	return all
}

// Each role gets of a chain what GetChain shows it, as evidence that verifies:
// of what it may not read the leaf's hash, whose it is, and no more.
func TestBundlesByRole(t *testing.T) {
	w := newWorld(t, nil)
	for caller, want := range map[string][]string{
		"agent":         {"c", "r", "-", "c"},
		"operator":      {"c", "c", "-", "c"},
		"hr":            {"-", "-", "c", "-"},
		"auditor":       {"r", "r", "r", "r"},
		"compliance":    {"c", "c", "c", "c"},
		"administrator": {"c", "c", "c", "c"},
	} {
		b, res := w.bundle(caller, &onusv1.GetBundleRequest{Ids: []string{w.foreign.id, w.intent.id}, Contents: true, Where: "agent == x"})
		if diff := cmp.Diff(want, marks(res, w.intent, w.plan, w.foreign, w.back)); diff != "" {
			t.Errorf("%s: %s", caller, diff)
		}
		if got := marks(res, w.apart, w.grant); got != nil {
			t.Errorf("%s is shown what is not of the chain: %v", caller, got)
		}
		hidden := int64(0)
		for _, m := range want {
			if m == "-" {
				hidden++
			}
		}
		if res.Withheld != hidden || res.Scope.Where != "agent == x" || len(res.Scope.Asked) != 2 {
			t.Errorf("%s: %d withheld, scope %v", caller, res.Withheld, res.Scope)
		}
		for _, l := range b.Leaves {
			if h := l.Withheld; h != nil && (l.Index == w.foreign.index) != (h.AssertedParty == hr) {
				t.Errorf("%s: entry %d is withheld as of %q", caller, l.Index, h.AssertedParty)
			}
		}
		for _, c := range b.Contents {
			if id := idAt(res, c.Index); string(c.Data) != w.secrets[id] {
				t.Errorf("%s: the content of entry %d is %q", caller, c.Index, c.Data)
			}
		}
		if b, _ := w.bundle(caller, &onusv1.GetBundleRequest{Ids: []string{w.intent.id}}); len(b.Contents) > 0 {
			t.Errorf("%s: contents came unasked", caller)
		}
	}
	for caller, id := range map[string]string{"strange agent": w.intent.id, "agent": w.apart.id, "operator": w.apart.id} {
		for _, ids := range [][]string{{id}, {w.foreign.id, id}} {
			file, err := bundleFile(context.Background(), w.as(caller), &onusv1.GetBundleRequest{Ids: ids})
			if got := answer(t, err); got != "permission_denied" || len(file) > 0 {
				t.Errorf("%s asks for another's chain: %s, and %d bytes", caller, got, len(file))
			}
		}
	}
	if !strings.Contains(w.log.String(), "procedure=/onus.v1.LedgerService/GetBundle caller=stranger") {
		t.Error("the log has no line for what was denied")
	}
	w.checkLog()
}

func idAt(res *evidence.Result, index int64) string {
	i := slices.IndexFunc(res.Leaves, func(c evidence.Checked) bool { return c.Index == index })
	return res.Leaves[i].ID.String()
}

// Grants above the caller's own, and uses of them by others, are withheld: that
// they are there is shown, so that nothing is taken to be missing.
func TestBundlesWithholdOthersGrants(t *testing.T) {
	w := newWorld(t, nil)
	order := func(key record.Signer, author *onusv1.Author, grant string) logged {
		return w.log1(key, &onusv1.Record{Author: author, Grant: grant, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
			Element: &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "3", Unit: "EUR"}}}}})
	}
	pass := w.log1(w.server.agent, &onusv1.Record{Author: &onusv1.Author{Agent: agentID, Instance: "giver", Operator: operator}, Grant: w.grant.id,
		Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: hrAgentID, Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}}}}}})
	own := order(w.server.agent, &onusv1.Author{Agent: agentID, Instance: "orders", Operator: operator}, w.grant.id)
	done := order(w.hrKey, &onusv1.Author{Agent: hrAgentID, Instance: "orders", Operator: hr}, pass.id)
	for caller, want := range map[string][]string{
		"hr":      {"-", "r", "-", "r"},
		"auditor": {"r", "r", "r", "r"},
	} {
		_, res := w.bundle(caller, &onusv1.GetBundleRequest{Ids: []string{done.id}})
		if diff := cmp.Diff(want, marks(res, w.grant, pass, own, done)); diff != "" {
			t.Errorf("%s: %s", caller, diff)
		}
	}
}

// The registry is for everybody who is known, and serves the bundles that refer
// to it.
func TestBundlesReferToTheRegistry(t *testing.T) {
	w := newWorld(t, nil)
	for _, caller := range []string{"agent", "hr", "strange agent", "auditor"} {
		_, res := w.bundle(caller, &onusv1.GetBundleRequest{})
		if n := res.Registry.Count(); n == 0 || n != int64(len(res.Leaves)) || res.Withheld > 0 {
			t.Errorf("%s: a registry of %d in %d entries, %d withheld", caller, n, len(res.Leaves), res.Withheld)
		}
		if caller == "strange agent" {
			continue
		}
		b, res := w.bundle(caller, &onusv1.GetBundleRequest{Ids: []string{w.foreign.id}, RegistryReference: true}, res.Registry)
		if b.Reference == nil || len(res.Leaves) != 4 {
			t.Errorf("%s: refers to %v, with %d entries", caller, b.Reference, len(res.Leaves))
		}
	}
}

// A file that is larger than one message comes in several.
func TestBundlesAreStreamed(t *testing.T) {
	w := newWorld(t, nil)
	parent := w.intent.id
	for i := range 12 {
		text, content := record.NewText(bytes.Repeat([]byte{'a' + byte(i)}, 60_000))
		r, err := record.Sign(&onusv1.Record{Origin: origin, Nonce: ledger.NewNonce(), Parent: parent,
			Author:  &onusv1.Author{Agent: agentID, Instance: fmt.Sprint("large-", i), Operator: operator},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: text}}}}, w.server.agent)
		must(t, err)
		_, err = w.ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope, Contents: []*onusv1.Content{content}})
		must(t, err)
	}
	req := &onusv1.GetBundleRequest{Ids: []string{parent}, Contents: true}
	for protocol, opts := range map[string][]connect.ClientOption{"connect": nil, "gRPC-Web": {connect.WithGRPCWeb()}, "JSON": {connect.WithProtoJSON()}} {
		file, err := bundleFile(context.Background(), w.as("compliance", opts...), req)
		must(t, err)
		if b, err := evidence.Read(bytes.NewReader(file), evidence.Limits{}); err != nil || len(file) <= 2*rpc.MaxChunk || len(b.Contents) != 16 {
			t.Errorf("%s: a file of %d bytes: %v", protocol, len(file), err)
		}
	}
}

// What cannot be answered says what to do.
func TestBundleRefusals(t *testing.T) {
	w := newWorld(t, nil)
	unknown := strings.Repeat("ab", 32)
	if _, err := record.ParseID(unknown); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		req           *onusv1.GetBundleRequest
		code          connect.Code
		reason, field string
	}{
		"no id":               {&onusv1.GetBundleRequest{Ids: []string{w.intent.id, "x"}}, connect.CodeInvalidArgument, "INVALID_FIELD", "ids[1]"},
		"unknown":             {&onusv1.GetBundleRequest{Ids: []string{unknown}}, connect.CodeNotFound, "NOT_FOUND", ""},
		"where":               {&onusv1.GetBundleRequest{Ids: []string{w.intent.id}, Where: "\u202e"}, connect.CodeInvalidArgument, "INVALID_FIELD", "where"},
		"nothing to refer to": {&onusv1.GetBundleRequest{RegistryReference: true}, connect.CodeInvalidArgument, "INVALID_FIELD", "registry_reference"},
	} {
		file, err := bundleFile(context.Background(), w.as("auditor"), c.req)
		if code, p := problem(t, err); code != c.code || p.GetReason() != c.reason || p.GetField() != c.field || p.GetNext() == "" || len(file) > 0 {
			t.Errorf("%s: %v, %v", name, err, p)
		}
	}
}

// Each record that a bundle was asked for is recorded as read.
func TestBundleReadsAreRecorded(t *testing.T) {
	w := newWorldWith(t, func(p *onusv1.Policy) { p.RecordReads = true }, nil, nil)
	reads := func(caller string, ids ...string) (got []string) {
		before := w.ledger.Size()
		_, err := bundleFile(context.Background(), w.as(caller), &onusv1.GetBundleRequest{Ids: ids})
		if err != nil && caller != "strange agent" && !slices.Contains(ids, strings.Repeat("ab", 32)) {
			t.Errorf("%s: %v", caller, err)
		}
		for i := before; i < w.ledger.Size(); i++ {
			e, err := w.ledger.Entry(i)
			must(t, err)
			got = append(got, e.Record.Msg.GetRead().GetProcedure()+" "+e.Record.Msg.GetRead().GetRecord())
		}
		slices.Sort(got)
		return got
	}
	two := []string{"GetBundle " + w.intent.id, "GetBundle " + w.apart.id}
	slices.Sort(two)
	for _, c := range []struct {
		caller string
		ids    []string
		want   []string
	}{
		{"auditor", []string{w.intent.id, w.apart.id}, two},
		{"administrator", []string{w.intent.id}, []string{"GetBundle " + w.intent.id}},
		{"auditor", []string{w.intent.id, strings.Repeat("ab", 32)}, nil}, // refused
		{"auditor", nil, nil}, // the registry
		{"agent", []string{w.intent.id}, nil},
		{"strange agent", []string{w.intent.id}, nil},
	} {
		if diff := cmp.Diff(c.want, reads(c.caller, c.ids...)); diff != "" {
			t.Errorf("%s asks for %v: %s", c.caller, c.ids, diff)
		}
	}
}

// Users' tokens come with the evidence for those who see contents, if they ask
// and the token has expired.
func TestBundledTokensByRole(t *testing.T) {
	u := newUserWorld(t)
	token, _ := u.op.Login(oidctest.Login{User: oidctest.Alice, Client: oidctest.K8sAgent})
	resp, err := u.as("agent").Submit(context.Background(), u.intent(token))
	must(t, err)
	at := resp.GetReceipt()
	for _, ahead := range []time.Duration{0, 2 * time.Hour} {
		u.ahead.Store(int64(ahead))
		for caller, sees := range map[string]bool{"agent": true, "operator": true, "auditor": false, "compliance": true, "administrator": true} {
			for _, asked := range []bool{true, false} {
				b, _ := u.bundle(caller, &onusv1.GetBundleRequest{Ids: []string{at.GetId()}, UserTokens: asked})
				var want []evidence.Token
				if sees && asked && ahead > 0 {
					want = []evidence.Token{{Index: at.GetIndex(), Text: token}}
				}
				if diff := cmp.Diff(want, b.Tokens); diff != "" {
					t.Errorf("%s, %v later, asked %t: %s", caller, ahead, asked, diff)
				}
			}
		}
	}
}
