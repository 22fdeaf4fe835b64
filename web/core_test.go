package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"golang.org/x/net/html"
)

// asFile makes the periods of the overview end with the scenario's own days.
func asFile(c *web.Config) { c.Source = "S4.onus" }

func TestOverview(t *testing.T) {
	s := newSite(t, "S4", asFile)
	a := s.get("/").is(200).has("wait for somebody", "outside authority", "vendor manager", "The permission does not cover this",
		"no witness has signed", "Acme, Pricing", "its signature was checked with the log’s key")
	root := s.caseWith(chain.OutsideAuthority)
	found := false
	for _, l := range a.links() {
		found = found || l == "/chain/"+root.String()
	}
	if !found {
		t.Errorf("the overview does not lead to the chain %s", root)
	}
	for path, status := range map[string]int{
		"/?period=today": 200, "/?period=7d": 200, "/?period=quarter": 200, "/?period=all": 200, "/?from=2026-03-01&to=2026-03-02": 200,
		"/?from=2026-03-01": 200, "/?to=2026-03-01": 200, "/?period=&from=&to=": 303,
		"/?period=year": 400, "/?from=yesterday": 400, "/?from=2026-03-02&to=2026-03-01": 400, "/?from=2026-02-30": 400,
		"/?from=9999999-01-01": 400, "/?from=%3Cscript%3E": 400,
	} {
		s.get(path).is(status)
	}
	// Of a running ledger today is today: nothing of the scenario's is in it.
	newSite(t, "S4").get("/").is(200).has("No chain has a record in this period")
}

// TestOverviewSaysAlike holds the sentence to the table below it.
func TestOverviewSaysAlike(t *testing.T) {
	for _, name := range []string{"S1", "S1-a", "S2-bad", "S3-a", "S4", "S5", "S5-without-the-trigger"} {
		s := newSite(t, name, asFile)
		a := s.get("/?period=all").is(200)
		h1 := textOf(first(a.doc, func(n *html.Node) bool { return n.Data == "h1" }))
		open := len(all(a.doc, func(n *html.Node) bool { return n.Data == "a" && strings.Contains(textOf(n), "All that is open") })) > 0
		if open == strings.HasPrefix(h1, "Nothing waits") {
			t.Errorf("%s: %q, and the list says otherwise: %s", name, h1, a.text())
		}
	}
}

func TestFind(t *testing.T) {
	s := newSite(t, "S4")
	root := s.caseWith(chain.OutsideAuthority)
	user := ""
	for i := range s.log.Size() {
		if e, _ := s.log.Entry(i); e.Record.Msg.GetStages().GetIntent() != nil && e.Record.Msg.GetUser() != "" {
			user = e.Record.Msg.GetUser()
		}
	}
	s.log.names[user] = "maria@example.com"

	s.get("/find").is(200).has("outside authority", "Head of Pricing")
	s.get("/find?outcome=outside").is(200).has("1 chain ", "Acme, Pricing: Head of Pricing")
	s.get("/find?q=outcome%3Aoutside+is%3Aopen").is(200).has("1 chain ")
	s.get("/find?q=nobody-says-this").is(200).has("No chain matches")
	s.get("/find?user=" + user).is(200).has("maria@example.com")
	s.get("/find?q=maria%40example.com").is(200).has("1 chain ", "maria@example.com")
	s.get("/find?q=user%3Amaria%40example.com").is(200).has("1 chain ")
	s.get("/find?user=nobody%40example.com").is(400).has("nobody of that name")
	s.get("/find?finding=SCOPE_WIDENED&severity=high&sort=gravest").is(200).has("1 chain ", "A permission was passed on wider than it was held")

	// Empty fields of the form leave the address; an id leads to its record.
	a := s.get("/find?q=&outcome=outside&user=&sort=").is(303)
	if got := a.header.Get("Location"); got != "/find?outcome=outside" {
		t.Errorf("redirected to %q", got)
	}
	a = s.get("/find?q=" + root.String()).is(303)
	if got := a.header.Get("Location"); got != "/record/"+root.String() {
		t.Errorf("redirected to %q", got)
	}

	// Whoever may not see contents looks nobody up.
	blind := newSite(t, "S4", as(auditor))
	blind.log.names[user] = "maria@example.com"
	blind.get("/find?user=maria%40example.com").is(400).has("your role may not look up")
	blind.get("/find?q=maria%40example.com").is(200).has("No chain matches")
	blind.get("/find?user=" + user).is(200).has("1 chain ").lacks("maria@example.com")
}

func TestFindRefuses(t *testing.T) {
	s := newSite(t, "S4")
	for path, want := range map[string]string{
		"/find?q=" + strings.Repeat("a", 10_000):    "10000 bytes; 1000 are the most",
		"/find?q=%22open":                           "not closed",
		"/find?outcome=fine":                        "none of broken",
		"/find?finding=NO_SUCH":                     "no finding's code",
		"/find?min=10":                              "needs its unit",
		"/find?min=1e9&currency=EUR":                "no number",
		"/find?since=2026-13-01":                    "no day",
		"/find?sort=random":                         "ort is none of",
		"/find?outcome=outside&outcome=within":      "given 2 times",
		"/find?q=outcome%3Aoutside&outcome=within":  "asked for twice",
		"/find?cursor=AAAA":                         "does not belong to this search",
		"/find?cursor=" + strings.Repeat("A", 5000): "does not belong to this search",
		"/find?q=%ff":                               "no text",
		"/find?q=%00":                               "no text",
		"/find?q=%zz":                               "not well written",
		"/find?x=" + strings.Repeat("a", 17<<10):    "are the most",
	} {
		a := s.get(path).is(400)
		if !strings.Contains(a.text(), want) {
			t.Errorf("%.60s: %s, want %q", path, a.text(), want)
		}
	}
	// What was typed stands in the form again, and is only text.
	typed := `"><script>alert(1)</script>`
	a := s.get("/find?" + url.Values{"q": {typed + ` "`}, "agent": {typed}}.Encode())
	for _, name := range []string{"q", "agent"} {
		in := first(a.doc, func(n *html.Node) bool { v, _ := attr(n, "name"); return n.Data == "input" && v == name && !inRail(n) })
		if in == nil {
			t.Fatalf("no field %s", name)
		}
		if got, _ := attr(in, "value"); !strings.HasPrefix(got, typed) {
			t.Errorf("%s is %q again", name, got)
		}
	}
}

func inRail(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n.Data == "header" {
			return true
		}
	}
	return false
}

func TestFindCSV(t *testing.T) {
	s := newSite(t, "S4")
	a := s.get("/find.csv?outcome=outside").is(200)
	if got := a.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
		t.Errorf("Content-Disposition %q", got)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[1][0] != s.caseWith(chain.OutsideAuthority).String() || rows[1][3] != "outside authority" {
		t.Errorf("rows %q", rows)
	}
	s.get("/find.csv?outcome=fine").is(400).has("none of broken")
	all, err := csv.NewReader(strings.NewReader(s.get("/find.csv").is(200).body)).ReadAll()
	if err != nil || len(all) < 3 {
		t.Errorf("%d rows: %v", len(all), err)
	}
}

func TestReview(t *testing.T) {
	s := newSite(t, "S4")
	root := s.caseWith(chain.OutsideAuthority)
	good := func(change ...string) url.Values {
		f := url.Values{"record": {root.String()}, "finding": {"SCOPE_WIDENED"}, "disposition": {"escalated"}, "note": {"the unit must say why"}, "assignee": {"Ann"}, "back": {"/chain/" + root.String() + "?tab=picture"}}
		for i := 0; i < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return f
	}
	a := s.post("/review", good()).is(303)
	if got := a.header.Get("Location"); got != "/chain/"+root.String()+"?tab=picture" {
		t.Errorf("back to %q", got)
	}
	want := web.Review{Record: root, Finding: "SCOPE_WIDENED", Disposition: onusv1.Disposition_DISPOSITION_ESCALATED, Note: "the unit must say why", Assignee: "Ann"}
	if len(s.officer.reviews) != 1 || s.officer.reviews[0] != want {
		t.Errorf("reviewed %+v", s.officer.reviews)
	}
	for _, back := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "javascript:alert(1)", "/\tx", "chain", ""} {
		if got := s.post("/review", good("back", back)).is(303).header.Get("Location"); got != "/" {
			t.Errorf("back %q leads to %q", back, got)
		}
	}
	n := len(s.officer.reviews)

	typed := `because </textarea><script>alert(1)</script>`
	for _, c := range []struct{ name, value, want string }{
		{"disposition", "", "Choose what becomes of it"},
		{"disposition", "done", "Choose what becomes of it"},
		{"note", "  ", "Say why"},
		{"note", strings.Repeat("ä", 4001), "4001 characters"},
		{"assignee", strings.Repeat("ä", 201), "201 characters"},
	} {
		s.post("/review", good("note", typed, c.name, c.value)).is(400).has("The review was not logged", c.want)
	}
	again := s.post("/review", good("note", typed, "disposition", "")).is(400)
	area := first(again.doc, func(n *html.Node) bool { return n.Data == "textarea" })
	if area == nil || area.FirstChild == nil || area.FirstChild.Data != typed {
		t.Error("what was typed is not shown again")
	}
	s.post("/review", good("record", "zz")).is(400).has("names no record")
	s.post("/review", good("record", strings.Repeat("ab", 32))).is(404)
	s.post("/review", good("finding", "NO_SUCH")).is(400).has("no finding")
	s.post("/review", good("note", strings.Repeat("x", 70<<10))).is(413).has("larger than")
	s.post("/review", good("note", "a\x00b")).is(400).has("no text")

	s.officer.err = &record.Error{Reason: "RULE", Field: "review.note", Detail: "is too long", Next: "shorten it"}
	s.post("/review", good()).is(400).has("The review was not logged", "too long")
	s.officer.err = errors.New("disk /var/secret is full")
	s.post("/review", good()).is(500).lacks("secret")
	s.officer.err = nil

	// From another site, or by who may not.
	r := httptest.NewRequest(http.MethodPost, "/review", strings.NewReader(good().Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	s.do(r).is(403).has("another site")
	newSite(t, "S4", as(auditor)).post("/review", good()).is(403).has("may read and not review")
	newSite(t, "S4", func(c *web.Config) { c.Officer = nil }).post("/review", good()).is(403).has("only reads")
	if len(s.officer.reviews) != n {
		t.Errorf("%d reviews were logged that should not be", len(s.officer.reviews)-n)
	}
}

func TestWho(t *testing.T) {
	who := errors.New("no")
	s := newSite(t, "S4", func(c *web.Config) {
		c.Who = func(*http.Request) (web.Viewer, error) { return web.Viewer{}, who }
		c.SignIn = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "sign in here") })
	})
	who = fmt.Errorf("cookie: %w", web.ErrSignIn)
	if got := s.get("/find?outcome=outside").is(303).header.Get("Location"); got != "/sign-in?next=%2Ffind%3Foutcome%3Doutside" {
		t.Errorf("redirected to %q", got)
	}
	s.post("/review", nil).is(401).has("You are not signed in")
	if got := s.get("/sign-in?next=/").is(200).body; got != "sign in here" {
		t.Errorf("/sign-in says %q", got)
	}
	who = fmt.Errorf("role agent: %w", web.ErrForbidden)
	a := s.get("/").is(403).has("not for your role")
	if strings.Contains(a.body, s.log.Origin()) {
		t.Error("whoever may not look reads the log's name")
	}
	who = errors.New("the token file /etc/secret is gone")
	s.get("/").is(500).lacks("secret")
	if !strings.Contains(s.logged.String(), "secret") {
		t.Error("the operator is not told")
	}
	// Style sheets are for anybody: the page that says no needs them.
	link := first(a.doc, func(n *html.Node) bool { rel, _ := attr(n, "rel"); return rel == "stylesheet" })
	href, _ := attr(link, "href")
	s.get(href).is(200)
}

func TestReading(t *testing.T) {
	var read []string
	fail := error(nil)
	s := newSite(t, "S4", func(c *web.Config) {
		c.Reading = func(_ context.Context, v web.Viewer, page string, _ record.ID) error {
			read = append(read, page)
			return fail
		}
	})
	s.get("/").is(200)
	s.get("/find").is(200)
	s.get("/find.csv").is(200)
	if got := strings.Join(read, " "); got != "overview find find.csv" {
		t.Errorf("read %q", got)
	}
	fail = errors.New("the log takes no records")
	s.get("/find").is(500).lacks("Head of Pricing")
	s.get("/").is(500).lacks("Head of Pricing")
}

func TestAddresses(t *testing.T) {
	s := newSite(t, "S4")
	for path, status := range map[string]int{
		"/nowhere": 404, "/overview": 404, "/favicon.ico": 404, "/find/": 404, "/assets/": 404, "/assets/base.css": 404, "/review": 404,
		"/assets/..%2f..%2fsite.go": 404, "/%ff": 400, "/%00": 400,
	} {
		s.get(path).is(status)
	}
	s.post("/", nil).is(405).has("Nothing can be sent")
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
		if got := s.do(httptest.NewRequest(method, "/", nil)).is(405).header.Get("Allow"); got != "GET, HEAD, POST" {
			t.Errorf("%s: Allow %q", method, got)
		}
	}
	for _, path := range []string{"/", "/find", "/find.csv", "/nowhere"} {
		head, get := s.do(httptest.NewRequest(http.MethodHead, path, nil)), s.get(path)
		if head.status != get.status || head.body != "" || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("%s: HEAD %d with %d bytes, GET %d", path, head.status, len(head.body), get.status)
		}
	}
}

func TestAssets(t *testing.T) {
	s := newSite(t, "S4")
	page := s.get("/find")
	var urls []string
	for _, n := range all(page.doc, func(n *html.Node) bool { return n.Data == "link" || n.Data == "script" }) {
		for _, name := range []string{"href", "src"} {
			if u, ok := attr(n, name); ok {
				urls = append(urls, u)
			}
		}
	}
	if len(urls) < 4 {
		t.Fatalf("assets %q", urls)
	}
	for _, u := range urls {
		plain := s.get(u).is(200)
		if !strings.Contains(plain.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control %q", u, plain.header.Get("Cache-Control"))
		}
		r := httptest.NewRequest(http.MethodGet, u, nil)
		r.Header.Set("Accept-Encoding", "br, gzip;q=0.8")
		z := s.do(r).is(200)
		if z.header.Get("Content-Encoding") == "gzip" && unzip(t, z.body) != plain.body {
			t.Errorf("%s: other bytes in gzip", u)
		}
		r.Header.Set("Accept-Encoding", "gzip;q=0")
		if got := s.do(r).header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s: %s for who refuses it", u, got)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/find", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" || unzip(t, w.Body.String()) != page.body {
		t.Error("the page is not the same in gzip")
	}
	if w.Body.Len() > 100<<10 {
		t.Errorf("%d bytes", w.Body.Len())
	}
}

func unzip(t *testing.T, s string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, z); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
