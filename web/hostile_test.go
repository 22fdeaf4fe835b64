package web

import (
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web/desk"
	"golang.org/x/net/html"
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// hostile texts, as records could hold them where a rule lets them, or did once.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)`,
	`</title></head><body><h1>Nothing waits for anybody.`,
	"javascript:alert(1)//",
	"pay \u202eRUE 000\u202c \u2066x\u2069\u200f",
	"\x00\x01\x1b[2J\x7f",
	"\xff\xfe\xc0\xaf",
	"✓ within authority 🔒 \u2714",
	"{{.Viewer}} ${x} %s %[1]d",
	strings.Repeat("A", 1<<20),
	strings.Repeat("\u0301", 5000),
	"https://evil.example/?<svg onload=x>",
	"line\nline\r\nline\u2028line",
}

// hostileLog is a log whose every text is hostile.
type hostileLog struct {
	Log
	text string
}

func (l hostileLog) Origin() string { return l.text }
func (l hostileLog) Size() int64    { return 3 }
func (l hostileLog) Entry(int64) (chain.Entry, error) {
	return chain.Entry{LogTime: 1772445780000}, nil
}
func (l hostileLog) Registry() *registry.Registry             { return nil }
func (l hostileLog) Key() tree.LogKey                         { return tree.LogKey{} }
func (l hostileLog) Checkpoint() []byte                       { return []byte(l.text + "\n\n— " + l.text + " AAAA\n") }
func (l hostileLog) Name(string) (string, error)              { return "https://issuer.example " + l.text, nil }
func (l hostileLog) Pseudonym(string, string) (string, error) { return "", desk.ErrNotFound }
func (l hostileLog) Index(record.ID) (int64, error)           { return 0, errors.New("no") }

// TestHostile: whatever records say, a page is the page that it was: the same
// elements, the same attributes, and no more.
func TestHostile(t *testing.T) {
	calm := shapes(t, "calm")
	for _, text := range hostile {
		got := shapes(t, text)
		for name := range calm {
			if got[name] != calm[name] {
				at := 0
				for at < min(len(got[name]), len(calm[name])) && got[name][at] == calm[name][at] {
					at++
				}
				t.Errorf("%.40q changes what page %s is made of, from %.300q on, where it was %.300q", text, name, got[name][at:], calm[name][at:])
			}
		}
	}
}

// shapes renders the pages with that text wherever foreign text can stand, and
// returns the elements and attribute names that each is made of.
func shapes(t *testing.T, text string) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	s := &site{Config: Config{Log: hostileLog{text: text}, Source: text}, assets: loadAssets()}
	s.pages = parsePages(s.assets)
	v := &visit{site: s, w: w, r: httptest.NewRequest("GET", "/", nil), now: time.UnixMilli(1772445780000), Viewer: Viewer{Name: text, Role: text, Contents: true, Reviews: true}}
	id := record.ID{1}
	f := desk.Finding{Code: text, Severity: chain.High, Kind: chain.Conduct, Record: id, Time: 1772445780000, Who: text, Agent: text}
	c := &desk.Case{Root: id, Title: text, Outcome: chain.OutsideAuthority, Findings: []desk.Finding{f}, Answers: text, User: text, Session: text,
		Agents: []string{text, text, text, text}, Operators: []string{text}, Subjects: []string{text}, Operations: []string{text}, Resources: []string{text},
		Amounts: []desk.Amount{{Sum: text, Unit: text}}, Last: 1772445780000}
	bin := desk.Bin{From: 1772409600000, To: 1772496000000, Counts: []chain.Count{{Outcome: chain.OutsideAuthority, Actions: 1}}}
	o := &desk.Overview{Cases: 1, Outcomes: bin.Counts, Open: []desk.OpenCount{{Severity: chain.High, Ages: [4]int{1}}},
		Oldest: []desk.OpenFinding{{Finding: f, Case: id, Title: text}}, Bins: []desk.Bin{bin}, Findings: []desk.CodeCount{{Code: text, Severity: chain.High, Found: 1}},
		Agents: []desk.AgentSummary{{Agent: text, Name: text, Operator: text, Cases: 1, Expected: 1, Findings: map[chain.Severity]int{chain.High: 1}}}}
	over := v.overviewPage(period{}, o)
	over.Log = v.logHealth()
	given := map[string]string{}
	for _, f := range filters {
		given[f.name] = text[:min(len(text), 1000)] // as long as a filter may be
	}
	found := v.findPage(&asked{field: text[:min(len(text), maxSearch)], order: text, given: given}, desk.Query{}, &desk.Found{Cases: []*desk.Case{c}, Total: 1, Counts: bin.Counts, Next: text})
	found.Wrong = say(text)
	again := reviewForm{Record: text, Finding: text, Back: localPath(text), Note: text, Assignee: text, Error: say(text)}
	again.choose(0)
	out := map[string]string{}
	for name, data := range map[string]any{"overview": over, "find": found, "reviewagain": again, "error": errorPage{400, say(text), say(text)}} {
		w.Body.Reset()
		if err := v.send(200, name, v.frame(say(text), name, data)); err != nil {
			t.Fatalf("%s with %.40q: %v", name, text, err)
		}
		if n := w.Body.Len(); n > 30<<20 {
			t.Errorf("%s is %d bytes", name, n)
		}
		for _, r := range "✓✔🔒\u202e\u2066" {
			// What was typed stands in its field as it was: not of records.
			if name == "overview" && strings.ContainsRune(w.Body.String(), r) {
				t.Errorf("%s shows %U", name, r)
			}
		}
		out[name] = skeleton(t, w.Body.String())
	}
	return out
}

// skeleton lists elements with the names of their attributes; of the addresses
// that they lead to, whether they stay here.
func skeleton(t *testing.T, page string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data == "wbr" && len(n.Attr) == 0 { // a place to break a line at: see flow
			continue
		}
		b.WriteString("<" + n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
			if (a.Key == "href" || a.Key == "src" || a.Key == "action") && (!strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//")) {
				t.Errorf("<%s %s=%.60q> leads elsewhere", n.Data, a.Key, a.Val)
			}
		}
		b.WriteString(">")
	}
	return b.String()
}
