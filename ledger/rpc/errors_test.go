package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
)

// Each refusal names its reason and its field, and leaves no trace.
func TestRefusals(t *testing.T) {
	s := newServer(t, nil)
	good := s.next(nil)
	stranger := newSigner(t)
	signed := func(edit func(*onusv1.Record)) *onusv1.Envelope {
		m := s.message()
		edit(m)
		r, err := record.Sign(m, s.agent)
		must(t, err)
		return r.Envelope.Proto()
	}
	bySomebodyElse := func() *onusv1.Envelope {
		r, err := record.Sign(s.message(), stranger)
		must(t, err)
		return r.Envelope.Proto()
	}
	edited := func(edit func(*onusv1.Envelope)) *onusv1.Envelope {
		e := good.Envelope.Proto()
		e.Payload = bytes.Clone(e.Payload)
		edit(e)
		return e
	}
	json := func(payload string) *onusv1.Envelope {
		return &onusv1.Envelope{PayloadType: record.TypeJSON.String(), Payload: []byte(payload), Signatures: []*onusv1.Signature{{Sig: []byte("x")}}}
	}
	plain := &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "why is my pod failing?"}}
	for _, c := range []struct {
		name          string
		env           *onusv1.Envelope
		contents      []*onusv1.Content
		code          connect.Code
		reason, field string
	}{
		{"no envelope", nil, nil, connect.CodeInvalidArgument, "INVALID_FIELD", "envelope"},
		{"unknown payload type", edited(func(e *onusv1.Envelope) { e.PayloadType = "text/plain" }), nil, connect.CodeInvalidArgument, "UNKNOWN_PAYLOAD_TYPE", "envelope.payloadType"},
		{"no signature", edited(func(e *onusv1.Envelope) { e.Signatures = nil }), nil, connect.CodeUnauthenticated, "BAD_SIGNATURE", "envelope.signatures"},
		{"two signatures", edited(func(e *onusv1.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }), nil, connect.CodeUnauthenticated, "BAD_SIGNATURE", "envelope.signatures"},
		{"another keyid", edited(func(e *onusv1.Envelope) { e.Signatures[0].Keyid = "x" }), nil, connect.CodeInvalidArgument, "INVALID_FIELD", "envelope.signatures[0].keyid"},
		{"changed payload", edited(func(e *onusv1.Envelope) {
			e.Payload = bytes.Replace(e.Payload, []byte("pod-1"), []byte("pod-2"), 1)
		}), nil, connect.CodeUnauthenticated, "BAD_SIGNATURE", "envelope.signatures[0].sig"},
		{"not protobuf", edited(func(e *onusv1.Envelope) { e.Payload = []byte("hello") }), nil, connect.CodeInvalidArgument, "MALFORMED", "session"},
		{"unknown field", edited(func(e *onusv1.Envelope) { e.Payload = append(e.Payload, 0xa0, 0x3f, 0) }), nil, connect.CodeInvalidArgument, "UNKNOWN_FIELD", "record"},
		{"field twice", edited(func(e *onusv1.Envelope) { e.Payload = append(e.Payload, 0x0a, 0) }), nil, connect.CodeInvalidArgument, "DUPLICATE_FIELD", "origin"},
		{"trailing bytes", edited(func(e *onusv1.Envelope) { e.Payload = append(e.Payload, 0x8a) }), nil, connect.CodeInvalidArgument, "TRAILING_BYTES", "record"},
		{"not JSON", json("{"), nil, connect.CodeInvalidArgument, "MALFORMED", "envelope.payload"},
		{"unknown field in JSON", json(`{"colour":"red"}`), nil, connect.CodeInvalidArgument, "UNKNOWN_FIELD", "envelope.payload"},
		{"oversize", edited(func(e *onusv1.Envelope) { e.Payload = make([]byte, record.MaxPayload+1) }), nil, connect.CodeInvalidArgument, "TOO_LARGE", "envelope.payload"},
		{"unregistered key", bySomebodyElse(), nil, connect.CodePermissionDenied, "KEY_NOT_BOUND", "author.key_id"},
		{"another operator", signed(func(m *onusv1.Record) { m.Author.Operator = "it/other" }), nil, connect.CodePermissionDenied, "KEY_NOT_BOUND", "author"},
		{"another log", signed(func(m *onusv1.Record) { m.Origin = "staging.example.com/log" }), nil, connect.CodeInvalidArgument, "WRONG_ORIGIN", "origin"},
		{"plain text", signed(func(m *onusv1.Record) { m.GetStages().Intent = &onusv1.Intent{Text: plain} }), nil, connect.CodeInvalidArgument, "PLAIN_TEXT_FORBIDDEN", "stages.intent.text.plain"},
		{"a pseudonym made up", signed(func(m *onusv1.Record) { m.User = "u-" + strings.Repeat("a", 26) }), nil, connect.CodeInvalidArgument, "UNKNOWN_PSEUDONYM", "user"},
		{"content of nothing", good.Envelope.Proto(), []*onusv1.Content{{Salt: make([]byte, 32), Data: []byte("x")}}, connect.CodeInvalidArgument, "PAYLOAD_MISMATCH", "contents[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.ledger.Size()
			_, err := s.client.Submit(context.Background(), &onusv1.SubmitRequest{Envelope: c.env, Contents: c.contents})
			if err == nil {
				t.Fatal("was accepted")
			}
			code, p := problem(t, err)
			if code != c.code || p.GetReason() != c.reason || p.GetField() != c.field {
				t.Errorf("got %v %s at %q (%v), want %v %s at %q", code, p.GetReason(), p.GetField(), err, c.code, c.reason, c.field)
			}
			if p.GetNext() == "" {
				t.Errorf("%v does not say what to do", err)
			}
			if s.ledger.Size() != before {
				t.Error("left a trace")
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	token := func(q *onusv1.ListRecordsRequest) string {
		q.PageSize = 1
		page, err := s.client.ListRecords(ctx, q)
		must(t, err)
		return page.GetNextPageToken()
	}
	absent := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		call          func() error
		code          connect.Code
		reason, field string
	}{
		"no key": {func() error { _, err := s.client.GetRecord(ctx, &onusv1.GetRecordRequest{}); return err },
			connect.CodeInvalidArgument, "INVALID_FIELD", "key"},
		"id that is none": {func() error {
			_, err := s.client.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: "xyz"}})
			return err
		}, connect.CodeInvalidArgument, "INVALID_FIELD", "id"},
		"unknown id": {func() error {
			_, err := s.client.GetReceipt(ctx, &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Id{Id: absent}})
			return err
		}, connect.CodeNotFound, "NOT_FOUND", ""},
		"index beyond": {func() error {
			_, err := s.client.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: 4}})
			return err
		}, connect.CodeNotFound, "NOT_FOUND", ""},
		"negative index": {func() error {
			_, err := s.client.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: -1}})
			return err
		}, connect.CodeNotFound, "NOT_FOUND", ""},
		"unknown chain": {func() error { _, err := s.client.GetChain(ctx, &onusv1.GetChainRequest{Id: absent}); return err },
			connect.CodeNotFound, "NOT_FOUND", ""},
		"chain limit": {func() error {
			_, err := s.client.GetChain(ctx, &onusv1.GetChainRequest{Id: absent, Limit: 10_001})
			return err
		}, connect.CodeOutOfRange, "OUT_OF_RANGE", "limit"},
		"sizes in the wrong order": {func() error {
			_, err := s.client.GetConsistency(ctx, &onusv1.GetConsistencyRequest{First: 3, Second: 2})
			return err
		}, connect.CodeOutOfRange, "OUT_OF_RANGE", "first"},
		"size beyond": {func() error {
			_, err := s.client.GetConsistency(ctx, &onusv1.GetConsistencyRequest{First: 1, Second: 99})
			return err
		}, connect.CodeOutOfRange, "OUT_OF_RANGE", "second"},
		"inclusion beyond": {func() error {
			_, err := s.client.GetInclusion(ctx, &onusv1.GetInclusionRequest{Index: 2, Size: 2})
			return err
		}, connect.CodeOutOfRange, "OUT_OF_RANGE", "index"},
		"page size": {func() error {
			_, err := s.client.ListRecords(ctx, &onusv1.ListRecordsRequest{PageSize: 1001})
			return err
		}, connect.CodeOutOfRange, "OUT_OF_RANGE", "page_size"},
		"page token of another query": {func() error {
			_, err := s.client.ListRecords(ctx, &onusv1.ListRecordsRequest{Agent: agentID, PageToken: token(&onusv1.ListRecordsRequest{})})
			return err
		}, connect.CodeInvalidArgument, "PAGE_TOKEN", "page_token"},
		"damaged page token": {func() error {
			_, err := s.client.ListRecords(ctx, &onusv1.ListRecordsRequest{PageToken: "AAAA"})
			return err
		}, connect.CodeInvalidArgument, "PAGE_TOKEN", "page_token"},
		"damaged agents token": {func() error {
			_, err := s.client.ListAgents(ctx, &onusv1.ListAgentsRequest{PageToken: "!"})
			return err
		}, connect.CodeInvalidArgument, "PAGE_TOKEN", "page_token"},
		"mint without kind": {func() error { _, err := s.client.Mint(ctx, &onusv1.MintRequest{Names: []string{"a"}}); return err },
			connect.CodeInvalidArgument, "INVALID_FIELD", "kind"},
		"mint of nothing": {func() error {
			_, err := s.client.Mint(ctx, &onusv1.MintRequest{Kind: onusv1.NameKind_NAME_KIND_USER})
			return err
		}, connect.CodeInvalidArgument, "INVALID_FIELD", "names"},
		"empty batch": {func() error { _, err := s.client.SubmitBatch(ctx, &onusv1.SubmitBatchRequest{}); return err },
			connect.CodeInvalidArgument, "INVALID_FIELD", "items"},
		"huge batch": {func() error {
			_, err := s.client.SubmitBatch(ctx, &onusv1.SubmitBatchRequest{Items: make([]*onusv1.SubmitRequest, rpc.MaxBatch+1)})
			return err
		}, connect.CodeInvalidArgument, "INVALID_FIELD", "items"},
		"follow from below": {func() error {
			st, err := s.client.Follow(ctx, &onusv1.FollowRequest{From: -1})
			must(t, err)
			defer st.Close()
			st.Receive()
			return st.Err()
		}, connect.CodeOutOfRange, "OUT_OF_RANGE", "from"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call()
			if err == nil {
				t.Fatal("was answered")
			}
			code, p := problem(t, err)
			if code != c.code || p.GetReason() != c.reason || p.GetField() != c.field {
				t.Errorf("got %v %s at %q (%v), want %v %s at %q", code, p.GetReason(), p.GetField(), err, c.code, c.reason, c.field)
			}
		})
	}
}

// A batch has a result for each item: what is wrong with one does not stop
// the others, and their order is kept.
func TestBatchHasAResultForEachItem(t *testing.T) {
	s := newServer(t, nil)
	a, b := s.next(nil), s.next(nil)
	bad := a.Envelope.Proto()
	bad.Signatures = []*onusv1.Signature{{Sig: bytes.Repeat([]byte{1}, 64)}}
	resp, err := s.client.SubmitBatch(context.Background(), &onusv1.SubmitBatchRequest{Items: []*onusv1.SubmitRequest{
		{Envelope: a.Envelope.Proto()}, {Envelope: bad}, {}, {Envelope: b.Envelope.Proto()}, {Envelope: a.Envelope.Proto()},
	}})
	must(t, err)
	got := []string{}
	for _, r := range resp.GetResults() {
		if e := r.GetError(); e != nil {
			got = append(got, e.GetCode()+" "+e.GetProblem().GetReason())
			continue
		}
		got = append(got, fmt.Sprintf("%d %t", r.GetLogged().GetReceipt().GetIndex(), r.GetLogged().GetDuplicate()))
	}
	want := []string{"4 false", "unauthenticated BAD_SIGNATURE", "invalid_argument INVALID_FIELD", "5 false", "4 true"}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

// A request's own names are strict too: a misspelt one loses nothing.
func TestRequestsInJSONAreStrict(t *testing.T) {
	s := newServer(t, nil)
	before := s.ledger.Size()
	body := `{"envelope": ` + protojson.Format(s.next(nil).Envelope.Proto()) + `, "content": []}`
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8"} {
		resp, err := http.Post(s.url+"/onus.v1.LedgerService/Submit", contentType, strings.NewReader(body))
		must(t, err)
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		must(t, err)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(answer), "content") {
			t.Errorf("%s: status %d, %s", contentType, resp.StatusCode, answer)
		}
	}
	if s.ledger.Size() != before {
		t.Error("left a trace")
	}
}
