package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func at(t *testing.T, s string) *timestamppb.Timestamp {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return timestamppb.New(parsed)
}

// Who could do what at a time: begun, not ended, not revoked, and the same for
// all that it stands on. The log: noon of 1 June, a root until the 5th, one
// that begins on the 3rd, one that is revoked on the 4th at noon, and one under
// the root, given on the 2nd.
func TestGrantsOfADay(t *testing.T) {
	l := newLedger(t)
	root := l.give(&onusv1.Grant{Scope: orders("50000"), MaxDepth: 2, Expires: at(t, "2026-06-05T00:00:00Z")})
	later := l.give(&onusv1.Grant{Scope: orders("100"), NotBefore: at(t, "2026-06-03T00:00:00Z")})
	short := l.give(&onusv1.Grant{Scope: orders("200"), MaxDepth: 1})
	l.set("2026-06-02T09:00:00Z")
	below := l.pass(root, &onusv1.Grant{Scope: orders("10")})
	belowShort := l.pass(short, &onusv1.Grant{Scope: orders("20")})
	l.set("2026-06-04T12:00:00Z")
	l.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: short.String()}})
	l.set("2026-06-09T00:00:00Z")
	l.act("")
	s := l.site()
	names := map[record.ID]string{root: "root", later: "later", short: "short", below: "below", belowShort: "below short"}
	for _, tt := range []struct {
		on, agent string
		want      []string // in the order of the page: the newest first
	}{
		{"2026-05-31", "", nil},
		{"2026-06-01T11:59", "", nil},
		{"2026-06-01T12:00", "", []string{"short", "root"}},
		{"2026-06-01", "", []string{"short", "root"}},
		{"2026-06-02T08:59", "", []string{"short", "root"}},
		{"2026-06-02T09:00", "", []string{"below short", "below", "short", "root"}},
		{"2026-06-02T23:59:59", buyer, []string{"short", "root"}},
		{"2026-06-03T00:00", buyer, []string{"short", "later", "root"}},
		{"2026-06-04T11:59", helper, []string{"below short", "below"}},
		{"2026-06-04T12:00", helper, []string{"below"}},
		{"2026-06-04T12:00", buyer, []string{"later", "root"}},
		{"2026-06-04", helper, []string{"below short", "below"}},
		{"2026-06-05T00:00", helper, nil},
		{"2026-06-05", "", []string{"later"}},
		{"2026-06-08T12:00:00Z", "", []string{"later"}},
	} {
		page := s.get("/grants?on=" + tt.on + "&agent=" + url.QueryEscape(tt.agent)).is(http.StatusOK)
		var got []string
		for _, part := range strings.Split(page.body, `<li class="dayrow">`)[1:] {
			own, _, _ := strings.Cut(part, "It stands on")
			for id, name := range names {
				if strings.Contains(own, id.String()) {
					got = append(got, name)
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %s: in force (-want +got)\n%s", tt.on, tt.agent, diff)
		}
	}
	page := s.get("/grants?on=2026-06-04&agent=" + url.QueryEscape(helper)).is(http.StatusOK)
	page.has("Who could do what on 2026-06-04 UTC", "All day", "Until 2026-06-04 12:00:00 UTC", "operator Purchasing gave Buyer", "agent Buyer gave Helper")
	for state, want := range map[string]int{"in-force": 1, "ended": 2, "revoked": 2, "not-begun": 0, "": 5} {
		if got := strings.Count(s.get("/grants?state="+state).is(http.StatusOK).body, `<tr data-href="/grants/`); got != want {
			t.Errorf("%d grants are %q, want %d", got, state, want)
		}
	}
	s.get("/grants?on=2026-06-10").is(http.StatusBadRequest).has("nobody can say what was in force after that")
}

// A grant's page says what was used of its limits, who holds what under it, what
// was done, and what ended it.
func TestGrantPage(t *testing.T) {
	l := newLedger(t)
	root := l.give(&onusv1.Grant{Scope: orders("50000"), MaxDepth: 2, Approvals: []*onusv1.ApprovalRule{{Operations: []string{"order:place"}, Above: "10000", Unit: "EUR"}}})
	child := l.pass(root, &onusv1.Grant{Scope: orders("10000"), Expires: at(t, "2026-07-01T00:00:00Z")})
	done := l.act(root.String())
	l.act("")
	revoked := l.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: root.String()}})
	s := l.site()
	page := s.get("/grants/" + root.String()).is(http.StatusOK)
	page.has("operator Purchasing gave Buyer authority", "order:place, at most 50 000 EUR in total", "used: 12 000 EUR of 50 000 EUR, last by",
		"order:place above 10 000 EUR, by the user", "2 levels down", "Authority: the operator’s own", fmt.Sprintf("Entry %d", revoked), "was revoked")
	for _, id := range []record.ID{child, done} {
		if !strings.Contains(page.body, id.String()) {
			t.Errorf("the page does not lead to %s", id)
		}
	}
	if got := strings.Count(page.body, `<tr data-href="/record/`); got != 1 {
		t.Errorf("%d records under the grant, want 1", got)
	}
	below := s.get("/grants/" + child.String()).is(http.StatusOK)
	below.has("operator Purchasing gave Buyer", "agent Buyer gave Helper", "not used yet", "revoked")
	s.get("/record/"+done.String()).is(http.StatusOK).has("Draws on the grant", "its limit number 1")
	s.get("/revocations").is(http.StatusOK).has("grant", "to agent Buyer")
}
