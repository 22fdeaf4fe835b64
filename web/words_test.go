package web

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

func TestSay(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                           "plain",
		"a\nb\tc":                         "a b c",
		"pay \u202eRUE 1":                 `pay \u{202e}RUE 1`,
		"✓ verified":                      `\u{2713} verified`,
		"🔒":                               `\u{1f512}`,
		"\x00\x1b[31m":                    `\u{0}\u{1b}[31m`,
		"\xff":                            `\u{fffd}`,
		"\u3164":                          `\u{3164}`, // a letter by name, of which nothing is seen
		"a\ufe0f\u034f":                   `a\u{fe0f}\u{34f}`,
		"\u0338ok":                        `\u{338}ok`,
		"a" + strings.Repeat("\u0301", 6): "a" + strings.Repeat("\u0301", 4) + `\u{301}\u{301}`,
		"กิ๊ ngoạ\u0323i":                 "กิ๊ ngoạ\u0323i",
		"”, says the log":                 `\u{201d}, says the log`,
		strings.Repeat("ä", 300):          strings.Repeat("ä", 300),
		strings.Repeat("ä", 301):          strings.Repeat("ä", 300) + "… [2 more bytes]",
		strings.Repeat("x", 1<<20+300):    strings.Repeat("x", 300) + "… [1\u202f048\u202f576 more bytes]",
	} {
		if got := say(in); got != want {
			t.Errorf("say(%.40q) = %.80q, want %.80q", in, got, want)
		}
	}
}

func TestHTMLWords(t *testing.T) {
	bad := `"><script>x</script>`
	for name, got := range map[string]string{
		"id": string(idHTML(bad)), "quote": string(quote(bad)), "outcome": string(outcomeMark(chain.Outcome(bad))),
		"severity": string(severityMark(chain.Severity(bad))), "party": string(partyHTML(chain.Party{Name: bad, Instance: bad, Unit: &chain.Unit{Unit: bad, Post: bad}})),
	} {
		if strings.Contains(got, "<script") || strings.Contains(got, `""`) {
			t.Errorf("%s lets tags through: %s", name, got)
		}
	}
	var id record.ID
	for i := range id {
		id[i] = 0xab
	}
	if got := string(idHTML(id)); !strings.Contains(got, `data-copy="`+id.String()+`"`) || !strings.Contains(got, ">abababababab…<") {
		t.Errorf("id %s", got)
	}
	if got := string(idHTML(record.ID{})); got != "" {
		t.Errorf("no id is %s", got)
	}
	if got, want := string(when(1772445780123)), `<time datetime="2026-03-02T10:03:00.123Z">2026-03-02 10:03:00 <span class="zone">UTC</span></time>`; got != want {
		t.Errorf("when %s, want %s", got, want)
	}
}

// TestEveryOutcomeHasItsShape: no outcome is told by colour alone, and none
// looks like another.
func TestEveryOutcomeHasItsShape(t *testing.T) {
	layout, err := files.ReadFile("templates/layout.html")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]chain.Outcome{}
	for _, o := range append(chain.Outcomes(), chain.NothingDone) {
		name, ok := outcomeNames[o]
		if !ok {
			t.Errorf("%s has no name", o)
			continue
		}
		_, shape, ok := strings.Cut(string(layout), `<symbol id="mark-`+name+`"`)
		shape, _, _ = strings.Cut(shape, "</symbol>")
		if !ok || seen[shape] != "" {
			t.Errorf("%s has no shape of its own: %q", o, shape)
		}
		seen[shape] = o
		if !strings.Contains(string(outcomeMark(o)), string(o)) {
			t.Errorf("%s is shown without its word", o)
		}
	}
	for _, s := range severities {
		if !strings.Contains(string(layout), `<symbol id="mark-`+string(s)+`"`) {
			t.Errorf("%s has no shape", s)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"48000", "EUR"}:     "48\u202f000\u00a0EUR",
		{"1000", "EUR"}:      "1000\u00a0EUR",
		{"1234567.89", "s"}:  "1\u202f234\u202f567.89\u00a0s",
		{"-50000", "EUR"}:    "-50\u202f000\u00a0EUR",
		{"1e99999", "<b>"}:   "1e99999\u00a0<b>",
		{"12345", "\u202ex"}: "12\u202f345\u00a0\\u{202e}x",
	} {
		if got := amount(in[0], in[1]); got != want {
			t.Errorf("amount%q = %q, want %q", in, got, want)
		}
	}
	for n, want := range map[int]string{0: "0 chains", 1: "1 chain", 3: "3 chains", 12345: "12\u202f345 chains"} {
		if got := count(n, "chain"); got != want {
			t.Errorf("count(%d) = %q", n, got)
		}
	}
	if count(2, "entry") != "2 entries" || count(2, "day") != "2 days" || count(2, "person", "people") != "2 people" {
		t.Error("plurals")
	}
	for d, want := range map[time.Duration]string{-1: "in the future", 59 * time.Second: "under a minute", 60 * time.Second: "1 minute", 47 * time.Hour: "47 hours", 48 * time.Hour: "2 days", 99 * 24 * time.Hour: "99 days", 100 * 24 * time.Hour: "3 months"} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]int{0: 1, 1: 1, 3: 4, 7: 8, 9: 10, 11: 20, 41: 50, 61: 80, 99: 100, 101: 200} {
		if got := roundUp(n); got != want {
			t.Errorf("roundUp(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestPeriods(t *testing.T) {
	today := time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)
	for in, want := range map[[3]string]string{
		{}:                       "2026-10-27 to 2026-11-25",
		{"today"}:                "2026-11-25",
		{"7d"}:                   "2026-11-19 to 2026-11-25",
		{"quarter"}:              "2026-10-01 to 2026-11-25",
		{"all"}:                  "the whole log",
		{"", "2026-01-01"}:       "from 2026-01-01 on",
		{"7d", "", "2026-01-31"}: "up to 2026-01-31",
	} {
		p, err := parsePeriod(in[0], in[1], in[2], today)
		if err != nil || p.String() != want {
			t.Errorf("%q: %q, %v; want %q", in, p, err, want)
		}
	}
	p, _ := parsePeriod("today", "", "", today)
	if p.To-p.From != 24*60*60*1000 {
		t.Errorf("today has %d ms", p.To-p.From)
	}
}

func TestCells(t *testing.T) {
	for in, want := range map[string]string{
		"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1": "'+1", "-1": "'-1", "@SUM(1)": "'@SUM(1)", "  =1": "'  =1", "\t=1": "' =1",
		"48000 EUR": "48000 EUR", "\u202e=1": `\u{202e}=1`, "": "", "a\r\nb": `a\u{d} b`,
		// Behind a semicolon a spreadsheet may begin a cell, whatever the quotes.
		"x; =1+1": "x; '=1+1", "x;@a": "x;'@a", `x;"=1"`: `x;'"=1"`, "a; b": "a; b", "＝1": `\u{ff1d}1`, "－1": "'－1", "＠x": "'＠x", ";": ";",
	} {
		if got := cells([]string{in})[0]; got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "/chain/ab?tab=records#r1": "/chain/ab?tab=records#r1", "": "/", "x": "/", "//x": "/", "/\\x": "/", "http://x/": "/",
		"/%2f/x": "/%2f/x", "javascript:1": "/", "/a\nb": "/", "/a\tb": "/", "https:x": "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCosigners(t *testing.T) {
	got := cosigners("— log.example.com AAAA\n— w1.example.com "+strings.Repeat("A", 4*26-3)+"===\n— w2 "+cosignature(1772445780)+"\n— \u202ew3 x\nnonsense\n—\n", "log.example.com")
	if len(got) != 3 || got[0].Name != "w1.example.com" || got[0].Time != 0 || got[1].Time != 1772445780000 || got[2].Time != 0 {
		t.Errorf("cosigners %+v", got)
	}
}

// cosignature is the base64 of a key hash, a time and a signature of zeros.
func cosignature(seconds uint64) string {
	b := make([]byte, 76)
	for i := range 8 {
		b[4+i] = byte(seconds >> (56 - 8*i))
	}
	return b64(b)
}

var token = regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{3,6});`)

// TestContrast computes WCAG 2.2's contrast of all text colours on all surfaces
// that they stand on, in the three schemes of base.css.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("assets/base.css")
	if err != nil {
		t.Fatal(err)
	}
	_, light, _ := strings.Cut(string(css), ":root {")
	light, rest, ok := strings.Cut(light, "}")
	_, dark, ok2 := strings.Cut(rest, ":root {")
	dark, _, _ = strings.Cut(dark, "}")
	_, paper, ok3 := strings.Cut(rest, "@media print {")
	_, paper, _ = strings.Cut(paper, ":root {")
	paper, _, _ = strings.Cut(paper, "}")
	if !ok || !ok2 || !ok3 {
		t.Fatal("base.css has not the schemes that this test reads")
	}
	for name, scheme := range map[string]string{"light": light, "dark": light + dark, "paper": light + paper} {
		colour := map[string]string{}
		for _, m := range token.FindAllStringSubmatch(scheme, -1) {
			colour[m[1]] = m[2]
		}
		check := func(text, ground string, least float64) {
			if colour[text] == "" || colour[ground] == "" {
				t.Errorf("%s: no colour %s or %s", name, text, ground)
				return
			}
			if c := contrast(colour[text], colour[ground]); c < least {
				t.Errorf("%s: %s on %s is %.2f:1, less than %.1f", name, text, ground, c, least)
			}
		}
		for _, ground := range []string{"canvas", "surface", "sunken"} {
			for _, text := range []string{"ink", "ink-2", "ink-3", "accent", "outside", "untold", "broken", "unjudged", "within", "nothing"} {
				check(text, ground, 4.5)
			}
			check("control", ground, 3) // borders of controls: success criterion 1.4.11
		}
		check("on-accent", "accent", 4.5)
		check("ink", "accent-wash", 4.5)
		check("ink", "outside-wash", 4.5)
		check("outside", "outside-wash", 4.5)
		check("untold", "untold-wash", 4.5)
		check("broken", "broken-wash", 4.5)
		check("surface", "ink-2", 4.5) // chips that are filled
	}
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(hex string) float64 {
	hex = hex[1:]
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	n, _ := strconv.ParseUint(hex, 16, 32) // the expression lets nothing else through
	lin := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*lin(n>>16) + .7152*lin(n>>8) + .0722*lin(n)
}

func TestPersonName(t *testing.T) {
	for stored, want := range map[string][2]string{
		"https://id.example.com lead@example.com": {"lead@example.com", "https://id.example.com"},
		"https://id.example.com Ann Example":      {"Ann Example", "https://id.example.com"},
		"Ann Example":                             {"Ann Example", ""},
		"https://id.example.com":                  {"https://id.example.com", ""},
		"https://id.example.com ":                 {"https://id.example.com ", ""},
		"":                                        {"", ""},
	} {
		if name, issuer := personName(stored); name != want[0] || issuer != want[1] {
			t.Errorf("%q: %q by %q, want %q", stored, name, issuer, want)
		}
	}
}
