package web_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"golang.org/x/net/html"
)

func msTime(ms int64) time.Time { return time.UnixMilli(ms) }

// site is a viewer over a scenario, whose every answer is held to what holds
// for all of them.
type site struct {
	t       testing.TB
	log     *bundleLog
	desk    *desk.Desk
	officer *officer
	logged  *bytes.Buffer // what the viewer logged
	http.Handler
}

// officer keeps what was reviewed.
type officer struct {
	mu      sync.Mutex
	reviews []web.Review
	by      []web.Viewer
	err     error // what to answer
}

func (o *officer) Review(_ context.Context, by web.Viewer, r web.Review) (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.reviews, o.by = append(o.reviews, r), append(o.by, by)
	return 0, nil
}

// newSite returns a viewer over the scenario of that name, such as "S4", whose
// viewer may see and do everything unless a setting says otherwise.
func newSite(t testing.TB, scenario string, settings ...func(*web.Config)) *site {
	t.Helper()
	l := openBundle(t, scenario)
	s := siteOver(t, l, settings...)
	s.log = l
	return s
}

// siteOver is newSite over any log.
func siteOver(t testing.TB, l web.Log, settings ...func(*web.Config)) *site {
	t.Helper()
	s := &site{t: t, officer: &officer{}, logged: &bytes.Buffer{}}
	d, err := desk.Open("", l)
	if err != nil {
		t.Fatal(err)
	}
	s.desk = d
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.CatchUp(ctx, l.Size()); err != nil {
		t.Fatal(err)
	}
	cfg := web.Config{Log: l, Desk: d, Officer: s.officer, Logger: slog.New(slog.NewTextHandler(s.logged, nil))}
	for _, set := range settings {
		set(&cfg)
	}
	s.Handler = web.New(cfg)
	return s
}

// as makes the viewer somebody.
func as(v web.Viewer) func(*web.Config) {
	return func(c *web.Config) { c.Who = func(*http.Request) (web.Viewer, error) { return v, nil } }
}

// auditor may see all but contents, and writes nothing.
var auditor = web.Viewer{Name: "Ada Auditor", Role: "auditor"}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	doc    *html.Node // nil if it is no page
}

func (s *site) get(path string) *answer {
	s.t.Helper()
	return s.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (s *site) post(path string, form url.Values) *answer {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.do(r)
}

func (s *site) do(r *http.Request) *answer {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	a := &answer{t: s.t, status: w.Code, header: w.Result().Header, body: w.Body.String()}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") && r.Method != http.MethodHead && a.body != "" {
		doc, err := html.Parse(strings.NewReader(a.body))
		if err != nil {
			s.t.Fatal(err)
		}
		a.doc = doc
	}
	checkAnswer(s.t, r.Method+" "+r.URL.Path, a)
	return a
}

// is ends the test unless the status is that.
func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.text())
	}
	return a
}

// has reports an error for each text that people do not read on the page.
func (a *answer) has(texts ...string) *answer {
	a.t.Helper()
	read := a.text()
	for _, s := range texts {
		if !strings.Contains(read, s) {
			a.t.Errorf("the page does not say %q: %s", s, read)
		}
	}
	return a
}

// lacks reports an error for each text that people read on the page.
func (a *answer) lacks(texts ...string) *answer {
	a.t.Helper()
	read := a.text()
	for _, s := range texts {
		if strings.Contains(read, s) {
			a.t.Errorf("the page says %q: %s", s, read)
		}
	}
	return a
}

// text is what people read in the main part of a page, in one line; of what is
// no page, the body.
func (a *answer) text() string {
	if a.doc == nil {
		return a.body
	}
	n := first(a.doc, func(n *html.Node) bool { return n.Data == "main" })
	if n == nil {
		n = a.doc
	}
	return textOf(n)
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode && (c.Parent == nil || c.Parent.Data != "script") {
			if p := c.PrevSibling; p != nil && p.Data == "wbr" { // the word goes on
				s := strings.TrimSuffix(b.String(), " ")
				b.Reset()
				b.WriteString(s)
			}
			b.WriteString(c.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func first(n *html.Node, is func(*html.Node) bool) *html.Node {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && is(c) {
			return c
		}
	}
	return nil
}

func all(n *html.Node, is func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && is(c) {
			found = append(found, c)
		}
	}
	return found
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// links are the addresses that a page leads to.
func (a *answer) links() []string {
	var found []string
	for _, n := range all(a.doc, func(n *html.Node) bool { return n.Data == "a" }) {
		if href, ok := attr(n, "href"); ok {
			found = append(found, href)
		}
	}
	return found
}

// caseWith returns the root of the scenario's case with that outcome.
func (s *site) caseWith(o chain.Outcome) record.ID {
	s.t.Helper()
	found, err := s.desk.Find(desk.Query{Outcome: o}, 1, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if len(found.Cases) == 0 {
		s.t.Fatalf("no case is %s", o)
	}
	return found.Cases[0].Root
}
