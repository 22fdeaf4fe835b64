package report_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/report"
)

// big returns a chain of n records that hangs together, and marks: every
// bad-th action is outside authority.
func big(n, bad int) (*chain.Chain, report.Marks) {
	m := report.Marks{Outcomes: map[int64]chain.Outcome{}, Grave: map[int64]bool{}}
	var entries []chain.Entry
	for i := range int64(n) {
		r := action(agent(fmt.Sprintf("a%d", i%12)), "")
		if i > 0 {
			r.Parent = id(1 + (i-1)/3)
		}
		if i%50 == 7 {
			r.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{}}
		}
		for j := i - 10; j > 0 && i%11 == 0; j-- {
			r.Causes = append(r.Causes, id(j))
		}
		entries = append(entries, made(i+1, r))
		m.Outcomes[i+1] = chain.WithinAuthority
		if bad > 0 && int(i)%bad == bad-1 && i%50 != 7 {
			m.Outcomes[i+1] = chain.OutsideAuthority
		}
	}
	return chain.Build(entries, nil, nil), m
}

var embedded = report.Style{Embedded: true,
	Record: func(i int64) string { return fmt.Sprintf("/record/%d", i) },
	Window: func(i int64) string { return fmt.Sprintf("?from=%d", i) }}

// However long a chain is, the picture is bounded, all that was not allowed is
// in it or in a fold that says so, and no record is lost.
func TestPictureFolds(t *testing.T) {
	for _, tc := range []struct{ n, bad int }{{5, 3}, {100, 9}, {101, 0}, {1000, 100}, {2000, 1}, {4000, 371}} {
		c, m := big(tc.n, tc.bad)
		d := report.Draw(c, m, embedded)
		if len(d.Words) > 100 || len(d.SVG) > 400<<10 {
			t.Errorf("%d records: %d columns, %d bytes", tc.n, len(d.Words), len(d.SVG))
		}
		covers(t, c, m, d)
		if tc.n <= 100 && d.Folded != 0 {
			t.Errorf("%d records: %d are folded", tc.n, d.Folded)
		}
	}
	// A dozen that stand out of a thousand all do.
	c, m := big(1000, 83)
	d := report.Draw(c, m, embedded)
	for i, o := range m.Outcomes {
		if o == chain.OutsideAuthority && !strings.Contains(string(d.SVG), fmt.Sprintf(">#%d<", i)) {
			t.Errorf("entry %d was not allowed, and is folded", i)
		}
	}
	if !strings.Contains(string(d.SVG), "all within authority") {
		t.Error("no fold says that all in it is within authority")
	}
}

var (
	foldOf = regexp.MustCompile(`^Folded: (\d+) records?, from entry (\d+) to entry (\d+)\. `)
	badOf  = regexp.MustCompile(`(\d+) outside authority`)
)

// covers checks that the columns hold every record once, and that each fold
// tells what is in it.
func covers(t *testing.T, c *chain.Chain, m report.Marks, d *report.Drawing) {
	t.Helper()
	at, folded := 0, 0
	for _, w := range d.Words {
		if at >= len(c.Nodes) {
			t.Fatalf("there is a column after the last record: %s", w.Text)
		}
		if w.Index >= 0 {
			if c.Nodes[at].Index != w.Index {
				t.Fatalf("entry %d has the column of entry %d", w.Index, c.Nodes[at].Index)
			}
			at++
			continue
		}
		got := foldOf.FindStringSubmatch(w.Text)
		if got == nil {
			t.Fatalf("a fold says %q", w.Text)
		}
		var n, first, last int64
		fmt.Sscan(strings.Join(got[1:], " "), &n, &first, &last)
		if w.Link == "" || c.Nodes[at].Index != first || c.Nodes[at+int(n)-1].Index != last {
			t.Fatalf("a fold of entries %d to %d says %q and links to %q", c.Nodes[at].Index, c.Nodes[at+int(n)-1].Index, w.Text, w.Link)
		}
		bad := 0
		for _, node := range c.Nodes[at : at+int(n)] {
			if node.Opaque == chain.Readable && node.Record.Msg.GetStages() != nil && m.Outcomes[node.Index] == chain.OutsideAuthority {
				bad++
			}
		}
		said := 0
		if b := badOf.FindStringSubmatch(w.Text); b != nil {
			fmt.Sscan(b[1], &said)
		}
		if said != bad {
			t.Errorf("%d in a fold were not allowed, and it says %q", bad, w.Text)
		}
		at += int(n)
		folded += int(n)
	}
	if at != len(c.Nodes) || folded != d.Folded {
		t.Errorf("the columns hold %d of %d records; %d are folded, %d it says", at, len(c.Nodes), folded, d.Folded)
	}
}

// Following folds from one window to the next shows every record.
func TestWindowsReachAll(t *testing.T) {
	c, m := big(1000, 7)
	seen := map[int64]bool{}
	st := embedded
	for st.From = 1; ; {
		d := report.Draw(c, m, st)
		covers(t, c, m, d)
		next := int64(0)
		for i, w := range d.Words {
			if w.Index >= 0 {
				seen[w.Index] = true
			} else if i > 0 {
				fmt.Sscanf(w.Link, "?from=%d", &next)
			}
		}
		if next == 0 {
			break
		}
		if next <= st.From {
			t.Fatalf("the window from %d leads to the one from %d", st.From, next)
		}
		st.From = next
	}
	if len(seen) != 1000 {
		t.Errorf("the windows show %d of 1000 records", len(seen))
	}
	// And back: the fold before a window leads to the one before it.
	st.From = 500
	if d := report.Draw(c, m, st); d.Words[0].Link != "?from=402" {
		t.Errorf("before entry 500 the picture leads to %q", d.Words[0].Link)
	}
	// One that is beyond the end shows the end.
	st.From = 1 << 60
	if d := report.Draw(c, m, st); len(d.Words) != 2 || d.Words[1].Index != 1000 {
		t.Errorf("beyond the end there are %d columns", len(d.Words))
	}
}

// A picture for a page is coloured by its style sheet alone, each record is a
// link with its sentence for a name, and the way through them is log order.
func TestPictureForAPage(t *testing.T) {
	c, m := chainIn(t, "S4")
	st := embedded
	st.Name = func(kind, id string) string {
		if kind == "agent" && strings.HasSuffix(id, "/planner") {
			return "Price planner"
		}
		return ""
	}
	d := report.Draw(c, m, st)
	golden(t, "S4.page.svg", append(append([]byte{}, d.Names...), d.SVG...))
	for _, part := range [][]byte{d.SVG, d.Names} {
		dec := xml.NewDecoder(strings.NewReader(string(part)))
		for {
			tok, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			e, ok := tok.(xml.StartElement)
			if !ok {
				continue
			}
			switch e.Name.Local {
			case "svg", "title", "desc", "defs", "pattern", "g", "path", "rect", "circle", "text", "a":
			default:
				t.Errorf("the picture has an element %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				n := a.Name.Local
				if n == "style" || n == "stroke" && a.Value != "none" || strings.HasPrefix(n, "on") || n == "fill" && a.Value != "none" && a.Value != "url(#pic-withheld)" ||
					n == "id" && !strings.HasPrefix(a.Value, "pic-") || n == "href" && !strings.HasPrefix(a.Value, "/record/") {
					t.Errorf("the picture has %s=%q", n, a.Value)
				}
			}
		}
	}
	links := regexp.MustCompile(`<a href="/record/(\d+)" class="pic-record"><title>Entry (\d+), `).FindAllStringSubmatch(string(d.SVG), -1)
	if len(links) != len(c.Nodes) {
		t.Fatalf("%d of %d records are links with a name", len(links), len(c.Nodes))
	}
	for i, l := range links {
		if want := fmt.Sprint(c.Nodes[i].Index); l[1] != want || l[2] != want {
			t.Errorf("link %d is of entry %s and says %s, want %s", i, l[1], l[2], want)
		}
	}
	if !strings.Contains(string(d.Names), ">Price planner<") {
		t.Error("the lane does not have the agent's name")
	}
}

// Any chain can be drawn: also one whose causes come later, whose grants are
// records of any kind, or that is empty.
func TestPictureOfAnything(t *testing.T) {
	for seed := range uint64(16) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := rng.IntN(300)
		var entries []chain.Entry
		m := report.Marks{Outcomes: map[int64]chain.Outcome{}, Grave: map[int64]bool{}}
		for i := range n {
			r := action(agent(fmt.Sprintf("a%d", rng.IntN(60))), "")
			if rng.IntN(3) > 0 {
				r.Parent = id(int64(rng.IntN(i + 2)))
			}
			for range rng.IntN(12) {
				r.Causes = append(r.Causes, id(int64(rng.IntN(n+5))))
			}
			r.Grant = id(int64(rng.IntN(n + 5)))
			if rng.IntN(4) == 0 {
				r.Body = &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: id(int64(rng.IntN(n + 1)))}}
			}
			e := made(int64(i), r)
			if rng.IntN(20) == 0 {
				e.Opaque = chain.Withheld
			}
			entries = append(entries, e)
			m.Outcomes[int64(i)] = chain.Outcomes()[rng.IntN(len(chain.Outcomes()))]
			m.Grave[int64(i)] = rng.IntN(30) == 0
		}
		c := chain.Build(entries, nil, nil)
		draw(t, c, m)
		for _, from := range []int64{0, 1, 150, 400} {
			st := embedded
			st.From = from
			covers(t, c, m, report.Draw(c, m, st))
		}
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func BenchmarkPicture(b *testing.B) {
	for _, n := range []int{5, 100, 2000, 10000} {
		c, m := big(n, 97)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				report.Draw(c, m, embedded)
			}
		})
	}
}
