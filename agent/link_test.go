package agent_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/verifier/record"
)

var someLink = agent.Link{Record: record.ID{0: 0xab, 31: 1}, Agent: planner, Origin: origin}

func TestLinkText(t *testing.T) {
	want := "v1 ab" + strings.Repeat("0", 61) + "1 " + planner + " " + origin
	if got := someLink.String(); got != want {
		t.Errorf("String gives %q, want %q", got, want)
	}
	if got, err := agent.ParseLink(want); err != nil || got != someLink {
		t.Errorf("ParseLink gives %v, %v", got, err)
	}
	if got := (agent.Link{}).String(); got != "" {
		t.Errorf("a zero link is %q", got)
	}
	longest := agent.Link{Record: someLink.Record, Agent: "spiffe://a/" + strings.Repeat("b", 2037), Origin: strings.Repeat("o", 255), Grant: record.ID{0xff}}
	if got, err := agent.ParseLink(longest.String()); err != nil || got != longest {
		t.Errorf("the longest link: %v", err)
	}
	grant := strings.Repeat("cd", 32)
	for text, want := range map[string]agent.Link{
		want + " " + grant:                                   someLink.Under(must(record.ParseID(grant))),
		strings.Replace(want, planner, "-", 1):               {Record: someLink.Record, Origin: origin},
		strings.Replace(want, planner, "-", 1) + " " + grant: {Record: someLink.Record, Origin: origin, Grant: must(record.ParseID(grant))},
	} {
		if got, err := agent.ParseLink(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseLink(%q) gives %v, %v", text, got, err)
		}
	}
	id := someLink.Record.String()
	for _, bad := range []string{
		"", id, want + " ", " " + want, want + "\n", want + " x",
		strings.Replace(want, " ", "  ", 1), strings.Replace(want, " ", "\t", 1),
		strings.Replace(want, "v1", "v2", 1), strings.Replace(want, "v1", "V1", 1),
		strings.Replace(want, "ab", "AB", 1), strings.Replace(want, id, strings.Repeat("0", 64), 1), strings.Replace(want, id, id[:63], 1),
		strings.Replace(want, planner, "https://example.com/planner", 1), strings.Replace(want, planner, "spiffe://example.com", 1),
		strings.Replace(want, origin, "a+b", 1), strings.Replace(want, " "+origin, " ", 1), strings.Replace(want, origin, "é", 1),
		"v1 " + id + " " + planner + " " + strings.Repeat("o", 256),
		want + " " + grant + " ", want + "  " + grant, want + " " + grant + " " + grant, want + " -",
		want + " " + strings.Repeat("0", 64), want + " " + strings.ToUpper(grant), want + " " + grant[:63],
		strings.Replace(want, planner, "", 1), strings.Replace(want, planner, "--", 1), strings.Replace(want, planner, "- -", 1),
		strings.Repeat("x", 1<<20),
	} {
		if l, err := agent.ParseLink(bad); err == nil {
			t.Errorf("ParseLink(%.200q) gives %v", bad, l)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	f.Add(someLink.String())
	f.Add(someLink.Under(record.ID{2}).String())
	f.Add(agent.Link{Record: record.ID{1}, Origin: origin}.String())
	f.Add("v1  spiffe://a/b c")
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := agent.ParseLink(s); err == nil && (l.String() != s || l.IsZero()) {
			t.Errorf("%q parses to %q", s, l)
		}
	})
}

func TestHeader(t *testing.T) {
	h := http.Header{}
	agent.Inject(h, agent.Link{})
	if l, err := agent.Extract(h); len(h) != 0 || err != nil || !l.IsZero() {
		t.Errorf("a zero link in headers gives %v: %v, %v", h, l, err)
	}
	agent.Inject(h, someLink)
	if l, err := agent.Extract(h); err != nil || l != someLink {
		t.Errorf("Extract gives %v, %v", l, err)
	}
	h.Add("onus-parent", someLink.String())
	if _, err := agent.Extract(h); err == nil {
		t.Error("Extract takes two links")
	}
}

func TestMeta(t *testing.T) {
	m := map[string]any{"other": 1}
	agent.InjectMeta(m, agent.Link{})
	if l, err := agent.ExtractMeta(m); len(m) != 1 || err != nil || !l.IsZero() {
		t.Errorf("a zero link in metadata gives %v: %v, %v", m, l, err)
	}
	agent.InjectMeta(m, someLink)
	if l, err := agent.ExtractMeta(m); err != nil || l != someLink {
		t.Errorf("ExtractMeta gives %v, %v", l, err)
	}
	for _, v := range []any{nil, 1, "", "x", []any{someLink.String()}} {
		if l, err := agent.ExtractMeta(map[string]any{agent.MetaKey: v}); err == nil {
			t.Errorf("ExtractMeta takes %v as %v", v, l)
		}
	}
	if l, err := agent.ExtractMeta(nil); err != nil || !l.IsZero() {
		t.Errorf("ExtractMeta(nil) gives %v, %v", l, err)
	}
}

// A link off the wire says who asks, and not on whose authority.
func TestGrantOffTheWire(t *testing.T) {
	h, meta := http.Header{}, map[string]any{}
	agent.Inject(h, someLink.Under(record.ID{2}))
	agent.InjectMeta(meta, someLink.Under(record.ID{2}))
	if l, err := agent.Extract(h); err != nil || l != someLink {
		t.Errorf("Extract gives %v, %v, want the link without its grant", l, err)
	}
	if l, err := agent.ExtractMeta(meta); err != nil || l != someLink {
		t.Errorf("ExtractMeta gives %v, %v, want the link without its grant", l, err)
	}
	if l, err := agent.ParseLink(h.Get(agent.Header)); err != nil || l.Grant != (record.ID{2}) {
		t.Errorf("ParseLink gives %v, %v, want what was sent", l, err)
	}
	// A link that the server has in its context is not the caller's.
	own := agent.Link{Record: record.ID{9}, Origin: origin, Grant: record.ID{3}}
	var got agent.Link
	handler := agent.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { got, _ = agent.LinkFrom(req.Context()) }))
	req := httptest.NewRequestWithContext(agent.WithLink(t.Context(), own), "GET", "/", nil)
	req.Header = h
	handler.ServeHTTP(httptest.NewRecorder(), req)
	if got != someLink {
		t.Errorf("Middleware gives %v, want the caller's link, without a grant", got)
	}
}

func TestTransportAndMiddleware(t *testing.T) {
	var got agent.Link
	var ok bool
	srv := httptest.NewServer(agent.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		got, ok = agent.LinkFrom(req.Context())
	})))
	defer srv.Close()
	client := &http.Client{Transport: &agent.Transport{Base: srv.Client().Transport}}
	send := func(ctx context.Context, header string) int {
		req := must(http.NewRequestWithContext(ctx, "GET", srv.URL, nil))
		if header != "" {
			req.Header.Set(agent.Header, header)
		}
		before := len(req.Header)
		resp := must(client.Do(req))
		resp.Body.Close()
		if len(req.Header) != before {
			t.Error("the transport changed its request")
		}
		return resp.StatusCode
	}
	other := agent.Link{Record: record.ID{1}, Agent: buyer, Origin: origin}
	if code := send(t.Context(), ""); code != 200 || ok {
		t.Errorf("without a link: %d, %v", code, got)
	}
	if code := send(agent.WithLink(t.Context(), someLink), ""); code != 200 || got != someLink {
		t.Errorf("with a link: %d, %v", code, got)
	}
	if code := send(agent.WithLink(t.Context(), someLink), other.String()); code != 200 || got != other {
		t.Errorf("with a header set already: %d, %v", code, got)
	}
	if code := send(t.Context(), "nonsense"); code != http.StatusBadRequest {
		t.Errorf("with nonsense: %d", code)
	}
}

// A link of another log is no parent here, and is not passed over either.
func TestLinkOfAnotherLog(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	ctx := agent.WithLink(t.Context(), agent.Link{Record: record.ID{1}, Agent: buyer, Origin: "other.example.com"})
	if _, err := a.Record(ctx, intent("x")); err == nil || !strings.Contains(err.Error(), "other.example.com") {
		t.Errorf("Record gives %v", err)
	}
	step := intent("x")
	step.Root = true
	must(a.Record(ctx, step))
	step = intent("a parent that has not come yet")
	step.Parent = agent.Link{Record: record.ID{1}, Agent: buyer, Origin: origin}
	r := must(a.Record(ctx, step))
	if m := must(l.Ledger.Entry(r.Index)).Record.Msg; m.GetParentAgent() != buyer || m.GetParent() != step.Parent.Record.String() {
		t.Errorf("record is %v", m)
	}
}
