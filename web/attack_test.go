package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"golang.org/x/net/html"
)

// crawl asks for the addresses that pages lead to, from some of them on, and
// gives each answer to see.
func (s *site) crawl(see func(path string, a *answer), from ...string) int {
	s.t.Helper()
	seen := map[string]bool{}
	for todo := from; len(todo) > 0; todo = todo[1:] {
		path, _, _ := strings.Cut(todo[0], "#")
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/assets/") || seen[path] {
			continue
		}
		if len(seen) == 700 { // searches lead to ever more searches
			break
		}
		seen[path] = true
		a := s.get(path)
		see(path, a)
		if to := a.header.Get("Location"); to != "" {
			todo = append(todo, to)
		}
		if a.doc != nil {
			todo = append(todo, a.links()...)
		}
	}
	return len(seen)
}

// Whoever may not see contents and names gets neither of any address of the
// viewer: no page, no file, no header; and what is looked for by a name is
// answered as what is looked for by any other word is. Every answer with
// records, for whomever, is told to who keeps a record of reads.
func TestAuditorGetsNoNames(t *testing.T) {
	for _, may := range []bool{false, true} {
		told := 0
		who := auditor
		who.Contents = may
		s := newSite(t, "S4", as(who), func(c *web.Config) {
			c.Reading = func(context.Context, web.Viewer, string, record.ID) error { told++; return nil }
		})
		const secret = "Kanarienvogel"
		e, opened := s.commit("the words of " + secret)
		s.log.contents[e.index] = opened
		for _, e := range s.log.entries {
			m := e.Record.Msg
			for i, p := range append([]string{m.GetUser(), m.GetAuthor().GetUser(), m.GetSession()}, m.GetSubjects()...) {
				if p != "" {
					s.log.names[p] = fmt.Sprintf("https://login.example.com %s-%d", secret, i)
				}
			}
		}
		from := []string{"/", "/?period=all", "/find", "/find.csv", "/records", "/agents", "/operators", "/users", "/grants", "/revocations", "/check",
			"/find?q=" + secret, "/find.csv?q=" + secret, "/users?q=" + secret, "/agents?q=" + secret, "/find?sort=gravest", "/find?user=" + e.user, "/find.csv?user=" + e.user}
		for i := range s.log.entries {
			id := s.log.entries[i].Record.ID.String()
			from = append(from, "/chain/"+id, "/chain/"+id+"/judgement.json", "/chain/"+id+"/picture.svg", "/record/"+id+"/payload")
		}
		found := 0
		n := s.crawl(func(path string, a *answer) {
			if a.status >= 500 {
				t.Errorf("%s: status %d", path, a.status)
			}
			if body := strings.ReplaceAll(a.body, `value="`+secret, ""); !strings.Contains(path, secret) && strings.Contains(body+fmt.Sprint(a.header), secret) {
				if found++; !may {
					t.Errorf("%s tells a name or a text", path)
				}
			}
			quiet := a.status != 200 || strings.HasPrefix(path, "/check") || path == "/verify.html"
			if told == 0 && !quiet {
				t.Errorf("%s: nobody is told that it was read", path)
			}
			told = 0
		}, from...)
		if n < 200 || may && found < 10 {
			t.Errorf("%d pages, of which %d show names: the test sees too little", n, found)
		}
		if !may {
			stranger, known := s.get("/find?q=Zaunkoenig").is(200), s.get("/find?q="+secret+"-0").is(200)
			if strings.ReplaceAll(known.text(), secret+"-0", "") != strings.ReplaceAll(stranger.text(), "Zaunkoenig", "") {
				t.Errorf("a name that is known is answered otherwise: %s", known.text())
			}
			if a, b := s.get("/users?q="+secret+"-0"), s.get("/users?q=Zaunkoenig"); a.status != b.status || a.status != 403 {
				t.Errorf("users by name: %d and %d", a.status, b.status)
			}
		}
	}
}

// addReview adds a review to a made chain, signed by nobody.
func (c *madeChain) addReview(by *onusv1.Author, about record.ID, finding string, d onusv1.Disposition) {
	id := record.ID{0: 3, 30: byte(c.basis.Size >> 8), 31: byte(c.basis.Size)}
	c.made = append(c.made, chain.Entry{Index: c.basis.Size, LogTime: c.basis.Time, Stamp: &entry.Stamp{}, Record: &record.Record{ID: id, Msg: &onusv1.Record{
		Author: by, Causes: []string{about.String()}, Body: &onusv1.Record_Review{Review: &onusv1.Review{
			Record: about.String(), Finding: finding, Disposition: d, Note: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "all is well"}}}}}}})
	c.basis.Size++
}

// A chain that this one caused is at hand with it. That somebody closed the
// other does not close this one.
func TestReviewOfAnotherChainClosesNothing(t *testing.T) {
	c := makeChain(t, 6, nil)
	other := c.made[5]
	other.Record.Msg.Parent, other.Record.Msg.Causes = "", []string{c.made[3].Record.ID.String()}
	c.addReview(&onusv1.Author{Reviewer: "boss"}, other.Record.ID, "", onusv1.Disposition_DISPOSITION_EXPLAINED)
	a := chainSite(t, c).get("/chain/" + c.root.String()).is(200)
	a.has("Nobody has reviewed this chain", fmt.Sprintf("The chain of entry %d, which this one caused", other.Index))
	c.addReview(&onusv1.Author{Reviewer: "boss"}, c.root, "", onusv1.Disposition_DISPOSITION_ESCALATED)
	chainSite(t, c).get("/chain/" + c.root.String()).is(200).lacks("Nobody has reviewed this chain").has("escalated by reviewer boss")
}

// The evidence for a review is broken: it is shown, and the one before it
// stands.
func TestBrokenReviewStandsForNothing(t *testing.T) {
	c := makeChain(t, 3, nil)
	c.addReview(&onusv1.Author{Reviewer: "boss"}, c.root, "", onusv1.Disposition_DISPOSITION_ESCALATED)
	c.addReview(&onusv1.Author{Reviewer: "boss"}, c.root, "", onusv1.Disposition_DISPOSITION_EXPLAINED)
	broken := &brokenEntry{c, c.made[len(c.made)-1].Index}
	s := chainSite(t, broken)
	a := s.get("/chain/" + c.root.String()).is(200)
	a.has("escalated by reviewer boss", "by broken evidence: anybody may have said so")
	state := first(a.doc, func(n *html.Node) bool { v, _ := attr(n, "class"); return v == "chip strong" })
	if state == nil || textOf(state) != "escalated" {
		t.Error("the chain does not stand as escalated")
	}
}

// brokenEntry is a chain of which the evidence for one entry is broken.
type brokenEntry struct {
	*madeChain
	index int64
}

func (c *brokenEntry) Judge(id record.ID) (*desk.Judged, error) {
	j, err := c.madeChain.Judge(id)
	j.Judgement.Findings = append(j.Judgement.Findings, chain.Finding{Index: c.index, Code: "SIGNATURE_INVALID", Title: "The evidence is broken", Severity: chain.Critical,
		Kind: chain.Proof, Forces: chain.ForcesUnverifiable, State: chain.Broken, Text: "the signature does not hold"})
	return j, err
}

// A desk that has not read all of the log does not say that nothing waits, and
// no page that checked nothing says that something was checked.
func TestPagesClaimNoMoreThanIsSo(t *testing.T) {
	s := newSite(t, "S4", func(c *web.Config) {
		d, err := desk.Open("", c.Log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		c.Desk = d // never read anything
	})
	s.get("/?period=all").is(200).has("as far as the log has been judged", fmt.Sprintf("%d entries wait to be judged", s.log.Size())).
		lacks("Nothing waits for anybody.")
	s.get("/find").is(200).has("wait to be judged")
	for _, path := range []string{"/nowhere", "/record/zz", "/check"} {
		s.get(path).lacks("Checked by this server")
	}
	c := &unjudgedChain{makeChain(t, 30, nil)}
	chainSite(t, c).get("/chain/" + c.root.String()).is(200).lacks("Checked by this server").has("Not judged by this server")
}

// crowdedLog counts who judges at the same time.
type crowdedLog struct {
	*bundleLog
	now, most atomic.Int64
}

func (l *crowdedLog) Judge(id record.ID) (*desk.Judged, error) {
	n := l.now.Add(1)
	defer l.now.Add(-1)
	for {
		most := l.most.Load()
		if n <= most || l.most.CompareAndSwap(most, n) {
			break
		}
	}
	runtime.Gosched()
	return l.bundleLog.Judge(id)
}

// However many chains are asked for at once, few are judged at once, and all
// are answered.
func TestChainsAtOnce(t *testing.T) {
	l := &crowdedLog{bundleLog: openBundle(t, "S4")}
	h := chainSite(t, l)
	path := "/chain/" + rootIntent(t, l.bundleLog).Record.ID.String()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil)); w.Code != 200 {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	wg.Wait()
	if most := l.most.Load(); most > int64(max(2, runtime.GOMAXPROCS(0))) {
		t.Errorf("%d were judged at once", most)
	}
}

// Parameters that a proxy or a framework may read otherwise change nothing: the
// method, the host, ranges.
func TestSmuggled(t *testing.T) {
	s := newSite(t, "S4", as(auditor))
	root := s.caseWith(chain.OutsideAuthority)
	form := url.Values{"record": {root.String()}, "disposition": {"explained"}, "note": {"x"}}
	for name, value := range map[string]string{"X-HTTP-Method-Override": "POST", "X-Http-Method": "POST", "X-Forwarded-Host": "evil.example", "X-Original-URL": "/review", "X-Rewrite-URL": "/review", "Forwarded": "host=evil.example"} {
		r, _ := http.NewRequest(http.MethodGet, "/find?_method=POST&"+form.Encode(), nil)
		r.RequestURI, r.Host = r.URL.RequestURI(), "log.example.com"
		r.Header.Set(name, value)
		if a := s.do(r); strings.Contains(a.body+fmt.Sprint(a.header), "evil.example") {
			t.Errorf("%s: the answer names another host", name)
		}
	}
	if len(s.officer.reviews) != 0 {
		t.Errorf("%d reviews were logged", len(s.officer.reviews))
	}
	r, _ := http.NewRequest(http.MethodGet, "/find.csv", nil)
	r.RequestURI = "/find.csv"
	r.Header.Set("Range", "bytes=0-3")
	if a := s.do(r).is(200); !strings.HasPrefix(a.body, "chain,") || a.header.Get("Accept-Ranges") != "" {
		t.Errorf("a part was sent: %.80s", a.body)
	}
}

// spoiltLog has an entry that cannot be read.
type spoiltLog struct {
	*bundleLog
	index int64
}

func (l *spoiltLog) Entry(i int64) (chain.Entry, error) {
	if i == l.index {
		return chain.Entry{}, fmt.Errorf("entry %d: %w", i, desk.ErrDamaged)
	}
	return l.bundleLog.Entry(i)
}

// An entry that cannot be read is no silence: the overview says so, and never
// that nothing waits.
func TestOverviewTellsOfDamage(t *testing.T) {
	l := openBundle(t, "S1-a")
	s := siteOver(t, &spoiltLog{l, l.Size() - 1}, asFile)
	a := s.get("/?period=all").is(200).has("1 entry of the log cannot be read here", fmt.Sprintf("entry %d", l.Size()-1))
	a.lacks("Nothing waits for anybody.")
}

// A reviewer who belongs to the unit whose matter it is may say what it likes;
// whoever reads it is told where it comes from.
func TestReviewOfOnesOwnMatterIsNamed(t *testing.T) {
	l := openBundle(t, "S4")
	var boss *onusv1.Reviewer
	for _, r := range l.Registry().Registrations(l.Size()) {
		if v := r.Registration.GetReviewer(); v != nil {
			boss = v
		}
	}
	if boss == nil {
		t.Fatal("the scenario has no reviewer")
	}
	for _, own := range []bool{true, false} {
		for _, finding := range []string{"", "GRANT_MISSING"} {
			c := makeChain(t, 3, func(_ int, m *onusv1.Record) {
				if own {
					m.Author.Operator = boss.GetOperator()
				}
			})
			c.addReview(&onusv1.Author{Reviewer: boss.GetName()}, c.made[2].Record.ID, finding, onusv1.Disposition_DISPOSITION_FALSE_ALARM)
			a := chainSite(t, c).get("/chain/" + c.root.String()).is(200).has("reviewer " + boss.GetName())
			if named := strings.Contains(a.text(), "of the unit that this is about"); named != own {
				t.Errorf("own %v, finding %q: named %v", own, finding, named)
			}
			a = chainSite(t, madeRecords{c}).get("/record/" + c.made[2].Record.ID.String()).is(200).has("by reviewer " + boss.GetName())
			if named := strings.Contains(a.text(), "of the unit that this is about"); named != own {
				t.Errorf("own %v, finding %q: the record's page named %v", own, finding, named)
			}
		}
	}
}

// madeRecords shows the records of a made chain one by one too.
type madeRecords struct{ *madeChain }

func (l madeRecords) Size() int64 { return l.basis.Size }

func (l madeRecords) Entry(i int64) (chain.Entry, error) {
	for _, e := range l.made {
		if e.Index == i {
			return e, nil
		}
	}
	return l.bundleLog.Entry(i)
}

func (l madeRecords) Index(id record.ID) (int64, error) {
	for _, e := range l.made {
		if e.Record.ID == id {
			return e.Index, nil
		}
	}
	return l.bundleLog.Index(id)
}

func (madeRecords) Raw(int64) ([]byte, error)                   { return nil, desk.ErrNotShown }
func (madeRecords) Receipt(int64) (*onusv1.ProvenRecord, error) { return nil, desk.ErrNotShown }
