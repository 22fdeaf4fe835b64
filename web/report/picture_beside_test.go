package report_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

// revoking is an administrator's revocation that no link joins to a chain.
func revoking(index int64, r *onusv1.Revocation) chain.Entry {
	return made(index, &onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Revocation{Revocation: r}})
}

// What ends a party stands in that party's lane, at its place in log order, and
// is no record of the chain.
func TestPictureRevokedBeside(t *testing.T) {
	c := chain.Build([]chain.Entry{made(3, action(agent("a"), "")), made(4, action(agent("b"), id(3))), made(9, action(agent("b"), id(3)))}, nil, nil)
	m := report.Marks{Beside: []report.Beside{{Entry: revoking(6, &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: "spiffe://example.com/b"}}), Hits: 4}}}
	got := draw(t, c, m)
	for _, want := range []string{">#6</text>", ">agent revoked</text>", ">by root</text>", "3 records of 2 parties",
		"Entry 6, beside the chain, revocation (b), by administrator root: it hits agent b", "1 record beside the chain drawn with it"} {
		if !strings.Contains(got, want) {
			t.Errorf("the picture does not say %q", want)
		}
	}
	if strings.Contains(got, "its parent is not in the log") || strings.Contains(got, `font-weight="bold" fill="#1a1a1a">root</text>`) {
		t.Error("the mark passes for a record of the chain, or its author has a lane")
	}
	middle := func(index int64) string {
		_, rest, _ := strings.Cut(got, fmt.Sprintf(`font-size="12" font-weight="bold">#%d<`, index))
		before := got[:len(got)-len(rest)]
		at := strings.LastIndex(before, `<text x="`)
		return strings.Fields(before[at:])[2] // y="…"
	}
	if middle(6) != middle(4) || middle(6) == middle(3) {
		t.Errorf("the mark is at %s; the lane of a at %s, that of b at %s", middle(6), middle(3), middle(4))
	}
	d := report.Draw(c, m, report.Style{})
	var order []int64
	for _, w := range d.Words {
		order = append(order, w.Index)
	}
	if !slices.Equal(order, []int64{3, 4, 6, 9}) {
		t.Errorf("the columns are %v, not in log order", order)
	}
	if bytes.Contains(report.Draw(c, report.Marks{}, report.Style{}).SVG, []byte("#6<")) {
		t.Error("the mark is drawn without being asked for")
	}
}

// A record that is of the chain already is drawn once, and an approval beside it
// in its author's own lane.
func TestPictureBesideTwice(t *testing.T) {
	c := chain.Build([]chain.Entry{made(3, action(agent("a"), ""))}, nil, nil)
	yes := made(5, &onusv1.Record{Author: &onusv1.Author{User: "u-x"}, Body: &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: id(3)}}})
	got := draw(t, c, report.Marks{Beside: []report.Beside{{Entry: made(3, action(agent("a"), "")), Hits: 3}, {Entry: yes, Hits: -1}, {Entry: yes, Hits: -1}}})
	if strings.Count(got, ">#3<") != 1 || strings.Count(got, ">#5<") != 1 || !strings.Contains(got, ">approval</text>") || !strings.Contains(got, ">u-x</text>") {
		t.Error("a record is drawn twice, or the approval has no lane")
	}
}

// Marks count against the columns of a large chain, and are drawn before what
// has nothing to say.
func TestPictureBesideFolds(t *testing.T) {
	entries := []chain.Entry{made(1, action(agent("a"), ""))}
	m := report.Marks{Outcomes: map[int64]chain.Outcome{1: chain.WithinAuthority}}
	for i := int64(2); i <= 600; i++ {
		if i%10 == 0 && len(m.Beside) < 30 {
			m.Beside = append(m.Beside, report.Beside{Entry: revoking(i, &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: "spiffe://example.com/a"}}), Hits: 1})
			continue
		}
		entries = append(entries, made(i, action(agent("a"), id(1))))
		m.Outcomes[i] = chain.WithinAuthority
	}
	d := report.Draw(chain.Build(entries, nil, nil), m, report.Style{})
	if n := len(d.Words); n > 100 {
		t.Errorf("%d columns", n)
	}
	for _, b := range m.Beside {
		if !slices.ContainsFunc(d.Words, func(s report.Sentence) bool { return s.Index == b.Entry.Index }) {
			t.Errorf("revocation %d is folded away", b.Entry.Index)
		}
	}
}

// Which revocations hit a chain: by agent, process, key, operator, grant and
// session; by whose session; and when.
func TestRevocationsIn(t *testing.T) {
	signed := agent("a")
	signed.KeyId = "k1"
	grant := made(10, &onusv1.Record{Author: signed, Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: "spiffe://example.com/b"}}})
	under := action(agent("b"), grant.Record.ID.String())
	under.Grant, under.Session, under.User = id(2), "s1", "u-x"
	c := chain.Build([]chain.Entry{grant, made(20, under)}, nil, nil)
	for _, tc := range []struct {
		name  string
		r     registry.Revocation
		found string
		hits  int64 // 0: none
	}{
		{"an agent", registry.Revocation{Index: 15, Agent: "spiffe://example.com/b"}, "", 20},
		{"another", registry.Revocation{Index: 15, Agent: "spiffe://example.com/c"}, "", 0},
		{"a process", registry.Revocation{Index: 15, Agent: "spiffe://example.com/b", Instance: "pod-1"}, "", 20},
		{"another process", registry.Revocation{Index: 15, Agent: "spiffe://example.com/b", Instance: "pod-2"}, "", 0},
		{"a key", registry.Revocation{Index: 15, Key: "k1"}, "", 10},
		{"an operator", registry.Revocation{Index: 15, Operator: "acme/it"}, "", 10},
		{"a grant of the chain", registry.Revocation{Index: 15, Grant: grant.Record.ID.String()}, "", 20},
		{"a grant that is named", registry.Revocation{Index: 15, Grant: id(2)}, "", 20},
		{"a session", registry.Revocation{Index: 15, Session: "s1"}, "", 20},
		{"a session, by its user", registry.Revocation{Index: 15, Session: "s1", User: "u-x"}, "", 20},
		{"a session, by another", registry.Revocation{Index: 15, Session: "s1", User: "u-y"}, "", 0},
		{"before the chain", registry.Revocation{Index: 5, Agent: "spiffe://example.com/b"}, "", 0},
		{"before the chain, and found", registry.Revocation{Index: 5, Agent: "spiffe://example.com/b"}, "AGENT_REVOKED", 20},
		{"after it", registry.Revocation{Index: 25, Agent: "spiffe://example.com/b", SuspectedSince: -1}, "SUSPECT_WINDOW", 0},
		{"after it, suspect", registry.Revocation{Index: 25, Agent: "spiffe://example.com/b", SuspectedSince: 1}, "SUSPECT_WINDOW", 20},
		{"after it, suspect and not found", registry.Revocation{Index: 25, Agent: "spiffe://example.com/b", SuspectedSince: 1}, "", 0},
		{"of the chain itself", registry.Revocation{Index: 20, Agent: "spiffe://example.com/b"}, "", 0},
	} {
		found := map[int64][]chain.Finding{}
		if tc.found != "" {
			found[20] = []chain.Finding{{Code: tc.found, Index: 20}}
		}
		var want []report.Ends
		if tc.hits != 0 {
			want = []report.Ends{{Index: tc.r.Index, Hits: tc.hits}}
		}
		if got := report.RevocationsIn(c, []registry.Revocation{tc.r}, found); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tc.name, got, want)
		}
	}
}
