package web_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"golang.org/x/net/html"
)

// chainSite is a viewer over a log alone: a chain's page asks no desk.
func chainSite(t testing.TB, l web.Log, settings ...func(*web.Config)) *site {
	t.Helper()
	s := &site{t: t, officer: &officer{}, logged: &bytes.Buffer{}}
	cfg := web.Config{Log: l, Officer: s.officer, Logger: slog.New(slog.NewTextHandler(s.logged, nil))}
	t.Cleanup(func() {
		if t.Failed() && s.logged.Len() > 0 {
			t.Logf("the viewer logged %.2000s", s.logged)
		}
	})
	for _, set := range settings {
		set(&cfg)
	}
	s.Handler = web.New(cfg)
	return s
}

// rootIntent returns the first intent of a scenario that begins a chain.
func rootIntent(t testing.TB, l *bundleLog) chain.Entry {
	t.Helper()
	for _, e := range l.entries {
		if e.Record.Msg.GetParent() == "" && e.Record.Msg.GetStages().GetIntent() != nil {
			return e
		}
	}
	t.Fatal("no intent begins a chain")
	return chain.Entry{}
}

func hasClass(n *html.Node, class string) bool {
	c, _ := attr(n, "class")
	return strings.Contains(" "+c+" ", " "+class+" ")
}

// cards are the actions of a page, in its order.
func (a *answer) cards() []*html.Node {
	return all(a.doc, func(n *html.Node) bool { return n.Data == "article" && hasClass(n, "card") })
}

// Somebody who has never seen the product finds in the first card of S4 that
// the restricted read was not allowed, and who answers for it first.
func TestChainSaysWhoAnswersFirst(t *testing.T) {
	l := openBundle(t, "S4")
	root := rootIntent(t, l)
	a := chainSite(t, l).get("/chain/" + root.Record.ID.String()).is(200)
	a.has("1 action was not allowed.", "For 1 action records are missing: who answers cannot be told.", "1 action was in order.",
		"Prepare the Q4 supplier negotiation", "the log says that it checked the user's sign-in",
		"Checked by this server as of entry 58. It cannot vouch for itself", "no outsider has seen this log yet")
	cards := a.cards()
	if len(cards) != 3 {
		t.Fatalf("%d cards, want one for each action", len(cards))
	}
	read := textOf(cards[0])
	for _, want := range []string{"outside authority", "contract reader of Contracts: General Counsel did prices:read on restricted contracts",
		"Answers first Acme, Pricing Head of Pricing agent vendor manager", "The agent had been revoked AGENT_REVOKED",
		"The agent says; nothing proves it", "margins need the contracts"} {
		if !strings.Contains(read, want) {
			t.Errorf("the first card does not say %q: %s", want, read)
		}
	}
	if !strings.Contains(textOf(cards[1]), "cannot be told") || !strings.Contains(textOf(cards[2]), "within authority") {
		t.Error("the cards do not stand in the order of their outcomes")
	}
	for _, href := range []string{"/chain/" + root.Record.ID.String() + "/evidence", "/chain/" + root.Record.ID.String() + "?tab=permissions"} {
		found := false
		for _, l := range a.links() {
			found = found || l == href
		}
		if !found {
			t.Errorf("the page does not lead to %s", href)
		}
	}
}

// Every tab and file of every scenario is there, and any record of a chain
// leads to its root.
func TestChainOfScenarios(t *testing.T) {
	for _, name := range []string{"S1", "S2", "S2-bad", "S3", "S4", "S5"} {
		t.Run(name, func(t *testing.T) {
			l := openBundle(t, name)
			s := chainSite(t, l)
			for _, e := range l.entries {
				j, err := l.Judge(e.Record.ID)
				if err != nil {
					t.Fatal(err)
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/chain/"+e.Record.ID.String()+"?tab=records", nil))
				top := e
				for _, n := range j.Chain.Nodes {
					if n.Index == e.Index {
						for n.Parent != nil {
							n = n.Parent
						}
						top = n.Entry
					}
				}
				if top.Index != e.Index {
					if to := w.Header().Get("Location"); w.Code != 303 || to != "/chain/"+top.Record.ID.String()+"?tab=records" {
						t.Errorf("entry %d: %d, to %q", e.Index, w.Code, to)
					}
				} else if w.Code != 200 {
					t.Errorf("entry %d: %d: %s", e.Index, w.Code, w.Body)
				}
			}
			base := ""
			for _, e := range l.entries {
				if e.Record.Msg.GetStages().GetAction() == nil {
					continue
				}
				// Of an action in the middle, where it is led to.
				if base = "/chain/" + e.Record.ID.String(); e.Record.Msg.GetParent() != "" {
					w := httptest.NewRecorder()
					s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, base, nil))
					if to := w.Header().Get("Location"); to != "" {
						base = to
					}
				}
				break
			}
			for _, tab := range []string{"", "?tab=permissions", "?tab=timeline", "?tab=records", "?tab=records&only=outside", "?from=1"} {
				s.get(base + tab).is(200)
			}
			var v map[string]any
			if err := json.Unmarshal([]byte(s.get(base+"/judgement.json").is(200).body), &v); err != nil || v["verdict"] == nil {
				t.Errorf("the judgement: %v", err)
			}
			d := xml.NewDecoder(strings.NewReader(s.get(base + "/picture.svg").is(200).body))
			for {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("the picture: %v", err)
				}
			}
			if r := s.get(base + "/report.html").is(200); !strings.Contains(r.body, "it cannot vouch for itself") {
				t.Error("the report does not say who judged")
			}
		})
	}
}

// Permissions are told from the first down, with what was done under each.
func TestChainPermissions(t *testing.T) {
	l := openBundle(t, "S4")
	root := rootIntent(t, l).Record.ID.String()
	chainSite(t, l).get("/chain/"+root+"?tab=permissions").is(200).has(
		"On the user’s own authority user u-strategistaaaaaaaaaaaaaaaa gave agent planner", "agent planner Pricing: Head of Pricing gave agent vendor manager",
		"agent vendor manager Pricing: Head of Pricing gave agent contract reader", "prices:read on restricted contracts", "A permission was passed on wider than it was held",
		"outside authority #57 agent contract reader did prices:read on restricted contracts critical The agent had been revoked")
	l = openBundle(t, "S3")
	root = rootIntent(t, l).Record.ID.String()
	chainSite(t, l).get("/chain/"+root+"?tab=permissions").is(200).has("in all", "used, by this log")
}

// A timeline has both clocks, and calls out what does not fit.
func TestChainTimeline(t *testing.T) {
	l := openBundle(t, "S4")
	root := rootIntent(t, l).Record.ID.String()
	chainSite(t, l).get("/chain/"+root+"?tab=timeline").is(200).has("2026-03-02 10:03:00 UTC", "2026-03-02 09:58:00 UTC 5 minutes before the log’s", "It was recorded late")
}

// Addresses that make no sense are refused, and say what to do.
func TestChainRefuses(t *testing.T) {
	l := openBundle(t, "S4")
	s := chainSite(t, l)
	root := "/chain/" + rootIntent(t, l).Record.ID.String()
	for path, want := range map[string]int{
		"/chain/nonsense": 400, "/chain/" + strings.Repeat("ab", 32): 404, "/chain/" + strings.Repeat("A", 5000): 400,
		root + "?tab=%3Cscript%3E": 400, root + "?tab=" + strings.Repeat("x", 9000): 400, root + "?from=-1": 400, root + "?from=007": 400, root + "?from=1e9": 400,
		root + "?tab=records&skip=99999": 404, root + "?tab=timeline&skip=x": 400, root + "?tab=records&only=lies": 400,
		root + "?from=9223372036854775807": 200,
	} {
		if a := s.get(path); a.status != want {
			t.Errorf("%.90s: %d, want %d", path, a.status, want)
		}
	}
}

// Who may not see contents is told so in their place, and gets no form without
// the right to review.
func TestChainKeepsContents(t *testing.T) {
	l := openBundle(t, "S4")
	root := "/chain/" + rootIntent(t, l).Record.ID.String()
	open := chainSite(t, l).get(root)
	if !strings.Contains(open.body, `action="/review"`) {
		t.Error("there is no form for who may review")
	}
	if a := chainSite(t, l, as(auditor)).get(root).is(200); strings.Contains(a.body, `action="/review"`) {
		t.Error("an auditor gets a form")
	}
	// The scenarios say their words in plain text; here one has a commitment.
	hidden := &hiddenWords{bundleLog: l, salt: make([]byte, 32), words: "the margins of Globex"}
	as1 := chainSite(t, hidden, as(auditor)).get(root).is(200)
	as1.has("not disclosed to your role").lacks(hidden.words)
	as2 := chainSite(t, hidden).get(root).is(200)
	as2.lacks("not disclosed to your role")
	if !strings.Contains(as2.body, "<q class=\"said\">"+hidden.words+"</q>") {
		t.Error("who may see contents does not see them")
	}
}

// hiddenWords hides the words of every intent behind a commitment.
type hiddenWords struct {
	*bundleLog
	salt  []byte
	words string
}

func (h *hiddenWords) Judge(id record.ID) (*desk.Judged, error) {
	j, err := h.bundleLog.Judge(id)
	if err != nil {
		return nil, err
	}
	sum := record.Commit(h.salt, []byte(h.words))
	for i := range j.Judgement.Actions {
		for k := range j.Judgement.Actions[i].Words {
			q := &j.Judgement.Actions[i].Words[k]
			q.Plain, q.Commitment = "", fmt.Sprintf("%x", sum[:])
			for _, n := range j.Chain.Nodes {
				if n.Index == q.Index && n.Record.Msg.GetStages().GetIntent().GetText().GetPlain() != "" {
					r := *n.Record
					r.Msg = &onusv1.Record{Author: n.Record.Msg.Author, User: n.Record.Msg.User, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
						Intent: &onusv1.Intent{Text: &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: sum[:]}}}}}}
					n.Record = &r
				}
			}
		}
	}
	return j, nil
}

func (h *hiddenWords) Contents(int64) ([]*onusv1.Content, error) {
	return []*onusv1.Content{{Salt: h.salt, Data: []byte(h.words)}}, nil
}

// madeChain is a log whose one chain is made up: n records that hang together,
// judged by the real rules.
type madeChain struct {
	*bundleLog
	root   record.ID
	made   []chain.Entry
	basis  chain.Basis
	policy *onusv1.Policy
}

func makeChain(t testing.TB, n int, edit func(i int, m *onusv1.Record)) *madeChain {
	t.Helper()
	l := openBundle(t, "S4")
	c := &madeChain{bundleLog: l, policy: l.Registry().Genesis().GetPolicy()}
	id := func(i int) record.ID { return record.ID{0: 1, 29: byte(i >> 16), 30: byte(i >> 8), 31: byte(i)} }
	for i := range n {
		m := &onusv1.Record{Origin: l.Origin(), Author: &onusv1.Author{Agent: "spiffe://example.com/planner", Instance: fmt.Sprintf("pod-%d", i%7), Operator: "pricing"}, Sequence: int64(i / 7),
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{Element: &onusv1.ScopeElement{Type: "prices", Action: "read", Location: "https://erp.example.com/prices"}}}}}
		if i > 0 {
			m.Parent = id(min(i-1, (i-1)/4*2)).String()
		} else {
			m.GetStages().Intent, m.GetStages().Action = &onusv1.Intent{Text: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "read"}}}, nil
		}
		if edit != nil {
			edit(i, m)
		}
		c.made = append(c.made, chain.Entry{Index: l.Size() + int64(i), LogTime: 1772442000000 + int64(i), Record: &record.Record{ID: id(i), Msg: m}, Stamp: &entry.Stamp{}})
	}
	c.root = id(0)
	c.basis = chain.Basis{Registry: l.Registry(), Authority: authority.New(l.Registry(), authority.NewMemory()), Size: l.Size() + int64(n), Time: 1772442000000 + int64(n)}
	return c
}

func (c *madeChain) Judge(record.ID) (*desk.Judged, error) {
	built := chain.Build(c.made, nil, c.policy)
	return &desk.Judged{Chain: built, Judgement: chain.Judge(built, c.basis), Size: c.basis.Size, Time: c.basis.Time}, nil
}

// A chain of 2,000 records has a page of bounded size in each tab, and says
// where the rest is.
func TestChainOfManyRecords(t *testing.T) {
	c := makeChain(t, 2000, nil)
	s := chainSite(t, c)
	root := "/chain/" + c.root.String()
	for _, tab := range []string{"", "?from=500", "?tab=permissions", "?tab=timeline", "?tab=records", "?tab=records&only=outside&skip=500"} {
		a := s.get(root + tab).is(200)
		if len(a.body) > 300<<10 {
			t.Errorf("%q has %d bytes", tab, len(a.body))
		}
	}
	a := s.get(root).is(200)
	if n := len(a.cards()); n != 50 {
		t.Errorf("%d cards, want 50", n)
	}
	a.has("1949 more actions have no card here", "more are folded into")
	if n := len(all(a.doc, func(n *html.Node) bool {
		return n.Data == "a" && (hasClass(n, "pic-record") || hasClass(n, "pic-fold"))
	})); n > 120 || n < 20 {
		t.Errorf("the picture has %d columns", n)
	}
	if n := strings.Count(a.body, `action="/review"`); n > 13 {
		t.Errorf("%d forms on one page", n)
	}
	// Page by page, the list has every record once.
	seen := map[string]bool{}
	for next := root + "?tab=records"; next != ""; {
		p := s.get(next).is(200)
		next = ""
		for _, n := range all(p.doc, func(n *html.Node) bool { return n.Data == "a" }) {
			href, _ := attr(n, "href")
			if rel, _ := attr(n, "rel"); rel == "next" {
				next = href
			}
			if n.Parent.Data == "td" && hasClass(n.Parent, "num") {
				seen[href] = true
			}
		}
	}
	if len(seen) != 2000 {
		t.Errorf("the pages list %d records", len(seen))
	}
}

// What records say is shown as theirs, and becomes no part of the page.
func TestChainOfLies(t *testing.T) {
	const lie = "x”</q></h3><script>alert(1)</script><svg onload=alert(1)>\u202e✓ verified\x1b\n\"'&"
	lies := lie + strings.Repeat("<b>long", 2000)
	c := makeChain(t, 40, func(i int, m *onusv1.Record) {
		m.Author.Instance, m.Author.Operator = lies, lies
		m.User, m.Session = "u-"+lies, lies
		switch st := m.GetStages(); {
		case i%5 == 4:
			m.Author = &onusv1.Author{Service: lies}
			m.Body = &onusv1.Record_Counter{Counter: &onusv1.CounterRecord{Element: &onusv1.ScopeElement{Type: lies, Action: lies}, Caller: lies}}
		case i%5 == 3:
			m.Author = &onusv1.Author{Reviewer: lies}
			m.Body = &onusv1.Record_Review{Review: &onusv1.Review{Record: m.Parent, Finding: lies, Assignee: lies, Note: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: lies}}}}
		default:
			say := &onusv1.Text{Form: &onusv1.Text_Plain{Plain: lies}}
			st.Decision = &onusv1.Decision{Text: say, Rationale: say}
			if st.Action != nil {
				st.Action.Element = &onusv1.ScopeElement{Type: lies, Action: lies, Location: lies, Identifier: lies, Datatypes: []string{lies}, Amount: "1", Unit: lies, Quantity: "2", Recipient: lies}
			}
		}
	})
	s := chainSite(t, c)
	for _, path := range []string{"", "?tab=permissions", "?tab=timeline", "?tab=records", "/report.html", "/picture.svg"} {
		a := s.get("/chain/" + c.root.String() + path).is(200) // held to what holds for every page
		for _, never := range []string{"<script>alert", "onload=alert(1)>", "\u202e", "\x1b", "✓"} {
			if strings.Contains(a.body, never) {
				t.Errorf("%s: the page holds %q", path, never)
			}
		}
		if len(a.body) > 3<<20 {
			t.Errorf("%s: %d bytes", path, len(a.body))
		}
	}
}

// A chain that is too large to be judged says so, and claims nothing.
func TestChainTooLargeToJudge(t *testing.T) {
	c := &unjudgedChain{makeChain(t, 300, nil)}
	s := chainSite(t, c)
	root := "/chain/" + c.root.String()
	s.get(root).is(200).has("nobody judged them here", "not judged here").lacks("in order", "Nothing was found")
	for _, tab := range []string{"?tab=permissions", "?tab=timeline", "?tab=records"} {
		s.get(root + tab).is(200)
	}
	s.get(root + "/judgement.json").is(409)
	s.get(root + "/report.html").is(409)
	s.get(root + "/picture.svg").is(200)
}

type unjudgedChain struct{ *madeChain }

func (c *unjudgedChain) Judge(id record.ID) (*desk.Judged, error) {
	j, err := c.madeChain.Judge(id)
	j.Judgement, j.Cut = nil, true
	return j, err
}

// A review stands beside what it is about, and its own address leads to the
// chain of that.
func TestChainShowsReviews(t *testing.T) {
	var about, review string
	c := makeChain(t, 6, nil)
	about = c.made[3].Record.ID.String()
	add := func(i int, m *onusv1.Record) {
		id := record.ID{0: 2, 31: byte(i)}
		c.made = append(c.made, chain.Entry{Index: c.basis.Size, LogTime: c.basis.Time, Record: &record.Record{ID: id, Msg: m}, Stamp: &entry.Stamp{}})
		c.basis.Size++
		review = id.String()
	}
	for i, d := range []onusv1.Disposition{onusv1.Disposition_DISPOSITION_OPEN, onusv1.Disposition_DISPOSITION_ESCALATED} {
		add(i, &onusv1.Record{Author: &onusv1.Author{Reviewer: "boss"}, Causes: []string{about}, Body: &onusv1.Record_Review{Review: &onusv1.Review{
			Record: about, Finding: "GRANT_MISSING", Disposition: d, Note: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "ask legal"}}}}})
	}
	s := chainSite(t, c)
	a := s.get("/chain/" + c.root.String()).is(200)
	a.has("2 reviews in this chain", "(since changed)", "escalated by reviewer boss")
	if !strings.Contains(a.body, `<span class="chip escalated">escalated</span>`) || !strings.Contains(a.body, `value="escalated" checked`) {
		t.Error("the finding does not stand as escalated")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/chain/"+review, nil))
	if to := w.Header().Get("Location"); w.Code != 303 || to != "/chain/"+c.root.String() {
		t.Errorf("a review: %d, to %q", w.Code, to)
	}
}

func BenchmarkChainPage(b *testing.B) {
	for _, n := range []int{5, 100, 2000} {
		c := makeChain(b, n, nil)
		h := web.New(web.Config{Log: c})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/chain/"+c.root.String(), nil))
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
