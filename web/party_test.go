package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web"
)

// Every party that takes part in a scenario has a page, which its list leads
// to.
func TestPartyPages(t *testing.T) {
	for _, name := range scenarios {
		s := newSite(t, name)
		size := s.log.Size()
		agents := s.get("/agents").is(http.StatusOK)
		for _, id := range s.log.Registry().Agents(size) {
			a, _ := s.log.Registry().Agent(id, size)
			o, _ := s.log.Registry().Operator(a.GetOperator(), size)
			agents.has(a.GetDisplayName(), o.GetUnit(), o.GetAccountablePost())
			page := s.get("/agents?id=" + url.QueryEscape(id)).is(http.StatusOK)
			page.has(a.GetDisplayName(), "Who answers for it", o.GetUnit(), o.GetAccountablePost(), "first registered", "Keys", "Grants that it holds", "Newest records", "Coverage")
			for _, k := range s.log.Registry().Keys(id, size) {
				if !strings.Contains(page.body, `data-copy="`+k.Key.ID()+`"`) {
					t.Errorf("%s: the page of %s does not show key %s", name, id, k.Key.ID())
				}
			}
		}
		operators := s.get("/operators").is(http.StatusOK)
		users := map[string]bool{}
		subjects := map[string]bool{}
		for _, r := range s.log.Registry().Registrations(size) {
			if o := r.Registration.GetOperator(); o != nil {
				operators.has(o.GetUnit(), o.GetAccountablePost())
				s.get("/operators?id="+url.QueryEscape(o.GetId())).is(http.StatusOK).has(o.GetUnit(), o.GetAccountablePost(), "Agents that it answers for", "first registered")
			}
		}
		grants := 0
		for _, e := range s.log.entries {
			if u := e.Record.Msg.GetUser(); u != "" {
				users[u] = true
			}
			for _, sub := range e.Record.Msg.GetSubjects() {
				subjects[sub] = true
			}
			if d := e.Record.Msg.GetDelegation(); d != nil {
				grants++
				page := s.get("/grants/" + e.Record.ID.String()).is(http.StatusOK)
				page.has("From whom it comes", "What was done under it", d.GetScope()[0].GetElement().GetType())
			}
		}
		list := s.get("/users").is(http.StatusOK)
		for u := range users {
			list.has(u)
			s.get("/users?id="+u).is(http.StatusOK).has(u, "Newest records", "no name is stored")
		}
		for sub := range subjects {
			s.get("/subjects?id=" + sub).is(http.StatusOK).has("Newest records")
		}
		if got := strings.Count(s.get("/grants").is(http.StatusOK).body, `<tr data-href="/grants/`); got != grants {
			t.Errorf("%s: %d grants are listed, want %d", name, got, grants)
		}
		revoked := s.log.Registry().AllRevocations(size)
		if got := strings.Count(s.get("/revocations").is(http.StatusOK).body, `data-label="What"`); got != len(revoked) {
			t.Errorf("%s: %d revocations are listed, want %d", name, got, len(revoked))
		}
	}
}

// What the pages of parties link to is there.
func TestPartyLinksLeadSomewhere(t *testing.T) {
	s := newSite(t, "S3")
	tried := map[string]bool{}
	next := []string{"/agents", "/operators", "/users", "/grants", "/revocations"}
	for len(next) > 0 {
		path := next[0]
		next = next[1:]
		if tried[path] {
			continue
		}
		tried[path] = true
		got := s.get(path)
		if got.status >= 400 {
			t.Errorf("%s answers %d: %s", path, got.status, got.text())
		}
		if got.doc == nil {
			continue
		}
		for _, href := range got.links() {
			for _, own := range []string{"/agents", "/operators", "/users", "/subjects", "/grants", "/revocations", "/records"} {
				if strings.HasPrefix(href, own) {
					next = append(next, href)
				}
			}
		}
	}
	if len(tried) < 15 {
		t.Errorf("only %d pages: %v", len(tried), tried)
	}
}

// Findings lead to the cases that have them.
func TestAgentFindings(t *testing.T) {
	s := newSite(t, "S4")
	found := 0
	for _, id := range s.log.Registry().Agents(s.log.Size()) {
		for _, href := range s.get("/agents?id=" + url.QueryEscape(id)).links() {
			if strings.HasPrefix(href, "/find?agent=") && strings.Contains(href, "finding=") {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("S4 has findings, and no agent's page leads to them")
	}
}

// Names of users are for those who may see contents; who may not cannot look
// for one either.
func TestNamesByRole(t *testing.T) {
	for _, may := range []bool{true, false} {
		s := newSite(t, "S4", as(web.Viewer{Name: "Ada", Role: "x", Contents: may}))
		user := ""
		for _, e := range s.log.entries {
			if u := e.Record.Msg.GetUser(); u != "" {
				user = u
			}
		}
		s.log.names[user] = "maria@example.com"
		list, page := s.get("/users").is(http.StatusOK), s.get("/users?id="+user).is(http.StatusOK)
		search := s.get("/users?q=maria@example.com")
		if may {
			list.has("maria@example.com")
			page.has("maria@example.com")
			if got := search.is(http.StatusSeeOther).header.Get("Location"); got != "/users?id="+user {
				t.Errorf("the name leads to %s", got)
			}
			s.get("/users?q=nobody@example.com").is(http.StatusNotFound)
			continue
		}
		list.lacks("maria")
		page.lacks("maria").has("not disclosed to your role")
		search.is(http.StatusForbidden)
	}
}

// The lists narrow to what is asked for.
func TestListsNarrow(t *testing.T) {
	s := newSite(t, "S4")
	size := s.log.Size()
	ids := s.log.Registry().Agents(size)
	rows := func(path string) int {
		return strings.Count(s.get(path).is(http.StatusOK).body, `<tr data-href="`)
	}
	if got := rows("/agents"); got != len(ids) {
		t.Errorf("%d agents, want %d", got, len(ids))
	}
	a, _ := s.log.Registry().Agent(ids[0], size)
	if got := rows("/agents?q=" + url.QueryEscape(strings.ToUpper(ids[0]))); got != 1 {
		t.Errorf("%d agents by id, want 1", got)
	}
	if got := rows("/agents?q=nothing-is-called-so"); got != 0 {
		t.Errorf("%d agents that are called nothing", got)
	}
	want := 0
	for _, id := range ids {
		if b, _ := s.log.Registry().Agent(id, size); b.GetOperator() == a.GetOperator() {
			want++
		}
	}
	if got := rows("/agents?operator=" + url.QueryEscape(a.GetOperator())); got != want {
		t.Errorf("%d agents of %s, want %d", got, a.GetOperator(), want)
	}
	want = 0
	for _, id := range ids {
		b, _ := s.log.Registry().Agent(id, size)
		if len(s.log.Registry().Revocations(&onusv1.Author{Agent: id, Operator: b.GetOperator()}, size)) > 0 {
			want++
		}
	}
	if got := rows("/agents?state=revoked"); got != want {
		t.Errorf("%d revoked agents, want %d", got, want)
	}
}

// Addresses that name no party get a page that says so.
func TestPartyBadAddresses(t *testing.T) {
	s := newSite(t, "S4")
	pseudonym := strings.Repeat("a", 26)
	for path, want := range map[string]int{
		"/agents?id=":                                    http.StatusBadRequest,
		"/agents?id=spiffe://example.com/nobody":         http.StatusNotFound,
		"/agents?id=%3Cscript%3E":                        http.StatusBadRequest,
		"/agents?id=" + strings.Repeat("a", 9000):        http.StatusBadRequest,
		"/agents?page=0":                                 http.StatusBadRequest,
		"/agents?page=-1":                                http.StatusBadRequest,
		"/agents?page=01":                                http.StatusBadRequest,
		"/agents?page=99999999999999999999":              http.StatusBadRequest,
		"/agents?page=7":                                 http.StatusNotFound,
		"/agents?state=gone":                             http.StatusBadRequest,
		"/agents?q=" + strings.Repeat("x", 1001):         http.StatusBadRequest,
		"/operators?id=":                                 http.StatusBadRequest,
		"/operators?id=..":                               http.StatusBadRequest,
		"/operators?id=no/body":                          http.StatusNotFound,
		"/operators?page=x":                              http.StatusBadRequest,
		"/users?id=":                                     http.StatusBadRequest,
		"/users?id=maria":                                http.StatusBadRequest,
		"/users?id=u-" + pseudonym:                       http.StatusNotFound,
		"/users?from=-1":                                 http.StatusBadRequest,
		"/users?from=x":                                  http.StatusBadRequest,
		"/users?q=nobody":                                http.StatusNotFound,
		"/subjects":                                      http.StatusBadRequest,
		"/subjects?id=u-" + pseudonym:                    http.StatusBadRequest,
		"/subjects?id=s-" + pseudonym:                    http.StatusNotFound,
		"/grants?page=x":                                 http.StatusBadRequest,
		"/grants?agent=x":                                http.StatusBadRequest,
		"/grants?user=x":                                 http.StatusBadRequest,
		"/grants?state=x":                                http.StatusBadRequest,
		"/grants?on=yesterday":                           http.StatusBadRequest,
		"/grants?on=9999-01-01":                          http.StatusBadRequest,
		"/grants?on=2026-02-30":                          http.StatusBadRequest,
		"/grants?on=1969-01-01":                          http.StatusBadRequest,
		"/grants?on=1970-01-02&state=ended":              http.StatusBadRequest,
		"/grants/x":                                      http.StatusBadRequest,
		"/grants/" + strings.Repeat("0", 63) + "1":       http.StatusNotFound,
		"/grants/" + s.log.entries[0].Record.ID.String(): http.StatusNotFound,
		"/revocations?page=x":                            http.StatusBadRequest,
		"/revocations?page=2":                            http.StatusNotFound,
		"/revocations?q=" + strings.Repeat("x", 1001):    http.StatusBadRequest,
		"/revocations?q=%00":                             http.StatusBadRequest,
		"/agents?q=" + url.QueryEscape("<script>”"):      http.StatusOK,
		"/agents?q=" + url.QueryEscape("x\u202e"):        http.StatusBadRequest,
		"/operators?q=" + url.QueryEscape("<b>x</b>"):    http.StatusOK,
	} {
		got := s.get(path).is(want)
		if strings.Contains(got.body, "<script>”") || strings.Contains(got.body, "<b>x") {
			t.Errorf("%.80s: mark-up came back", path)
		}
		if s.logged.Len() > 0 {
			t.Errorf("%.80s: the viewer logged %s", path, s.logged)
			s.logged.Reset()
		}
	}
}

// A list is cut into pages, and no more is read for one.
func TestPages(t *testing.T) {
	l := newLedger(t)
	for i := range 120 {
		l.registerAgent(fmt.Sprintf("spiffe://example.com/agent-%03d", i), fmt.Sprintf("Agent %03d", i))
	}
	s := l.site()
	total := len(l.Registry().Agents(l.Size()))
	seen := map[string]bool{}
	path := "/agents"
	for pages := 0; path != ""; pages++ {
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
		a := s.get(path).is(http.StatusOK)
		path = ""
		for _, href := range a.links() {
			if strings.HasPrefix(href, "/agents?id=") {
				seen[href] = true
			}
		}
		if i := strings.Index(a.body, `rel="next"`); i >= 0 {
			from := strings.LastIndex(a.body[:i], `href="`) + len(`href="`)
			path = strings.ReplaceAll(a.body[from:from+strings.Index(a.body[from:], `"`)], "&amp;", "&")
		}
	}
	if len(seen) != total {
		t.Errorf("%d agents on all pages, want %d", len(seen), total)
	}
}

// A party's description says what each registration changed; keys and what was
// revoked are told with their entries.
func TestAgentHistory(t *testing.T) {
	l := newLedger(t)
	before := l.act("")
	l.register(l.agentOf(buyer, "Buyer", "model two"))
	next := signerOf(t, "buyer's second key")
	bound := l.bind(next, registry.Party{Kind: registry.KindAgent, ID: buyer})
	revoked := l.revokeKey(l.buyerKey.Public().ID(), l.now())
	after := l.act("")
	s := l.site()
	page := s.get("/agents?id=" + url.QueryEscape(buyer)).is(http.StatusOK)
	page.has("Model: was not said; is “model two”", "first registered", "on the word of who registered it", "K0", "revoked", "may sign",
		fmt.Sprintf("entry %d", bound), fmt.Sprintf("Entry %d", revoked), "was revoked by administrator root")
	list := s.get("/revocations").is(http.StatusOK)
	list.has("administrator root", "stolen")
	if !strings.Contains(list.body, fmt.Sprintf(`after=%d">1</a>`, revoked)) {
		t.Errorf("the list does not say that one record stands after the revocation: %s", list.text())
	}
	rows := s.get(fmt.Sprintf("/records?agent=%s&key=%s&after=%d", url.QueryEscape(buyer), l.buyerKey.Public().ID(), revoked)).is(http.StatusOK)
	if got := strings.Count(rows.body, `<tr data-href="/record/`); got != 1 || !strings.Contains(rows.body, after.String()) {
		t.Errorf("%d records after the revocation: %s", got, rows.text())
	}
	s.get("/record/" + before.String()).is(http.StatusOK).has("It was revoked later, which leaves this record valid")
	s.get("/record/" + after.String()).is(http.StatusOK).has("It was revoked before")
}

// Names that parties gave themselves bring no mark-up, and end no quotation.
func TestHostileParty(t *testing.T) {
	const hostile = "<script>alert(1)</script>” ✓ revoked" // signs that are not seen are refused at admission
	l := newLedger(t)
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: unit, Organisation: hostile, Unit: hostile, AccountablePost: hostile, Contact: hostile}}})
	l.registerAgent(buyer, hostile)
	root := l.give(&onusv1.Grant{Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place", Identifier: hostile}}}})
	l.act(root.String())
	l.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: root.String()}, Reason: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: hostile}}})
	s := l.site()
	for _, path := range []string{"/agents", "/agents?id=" + buyer, "/operators", "/operators?id=" + unit, "/grants", "/grants/" + root.String(),
		"/grants?on=2026-06-01", "/revocations", "/records?agent=" + buyer, "/record/" + root.String()} {
		page := s.get(path).is(http.StatusOK)
		for _, bad := range []string{"<script>alert", "✓"} {
			if strings.Contains(page.body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
		page.has("<script>alert(1)</script>\\u{201d} \\u{2713} revoked")
	}
}
