package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// width is that of a page of text.
const width = 100

// Text writes the report as text.
func (p *Page) Text(w io.Writer) error {
	t := &textWriter{w: bufio.NewWriter(w)}
	if p.Answer != "" {
		t.line("", p.Answer+": "+p.AnswerText)
		for _, s := range p.Problems {
			t.line("  - ", s)
		}
		t.blank()
	}
	// Where they came out in several ways, the worst does not stand before the
	// number of all: it would be read as that of each.
	if p.mixed() {
		t.line("", "OUTCOME: "+p.counts()+".")
		t.line("", "Worst: "+p.Outcome+".")
	} else {
		t.line("", "OUTCOME: "+p.Outcome+" ("+p.counts()+")")
	}
	for i := range p.Actions {
		t.action(&p.Actions[i])
	}
	if len(p.Others) > 0 {
		t.head("Findings on other records")
		t.findings("", p.Others, true)
	}
	if len(p.Reviews) > 0 {
		t.head("What was done about it")
		for _, r := range p.Reviews {
			t.line("  - ", r.String())
			if r.Note.Lead != "" {
				t.line("    ", r.Note.String())
			}
		}
	}
	if len(p.Coverage) > 0 {
		t.head("Not wired yet, and nobody's conduct")
		for _, c := range p.Coverage {
			t.line("  - ", c)
		}
	}
	if len(p.Gaps) > 0 {
		t.head("What was not proven, and what would prove it")
		for _, g := range p.Gaps {
			t.line("  - ", g.What)
			t.line("    > ", g.Prove)
		}
	}
	if len(p.Facts) > 0 {
		t.head("How this report was made")
		for _, f := range p.Facts {
			t.line(fmt.Sprintf("  %-20s ", f.Name), f.Value)
		}
	}
	t.head("What the words mean")
	for _, f := range glossary {
		t.line(fmt.Sprintf("  %-21s ", f.Name), f.Value)
	}
	t.blank()
	t.line("", closing)
	return t.w.Flush()
}

// closing stands at the end of every report.
const closing = "This report says what the log shows, and who answers for it by the log's rules. It does not say whether any law was complied with. Words between quotation marks are those of records, and are not checked."

// mixed: the outcome is that of some of the actions only.
func (p *Page) mixed() bool {
	return len(p.Counts) > 1 && p.Counts[0].Outcome == p.Outcome
}

func (p *Page) counts() string {
	if len(p.Counts) == 0 {
		return "no action"
	}
	total, parts := 0, []string{}
	for _, c := range p.Counts {
		total += c.N
		parts = append(parts, fmt.Sprintf("%d %s", c.N, c.Outcome))
	}
	noun := "actions"
	if total == 1 {
		noun = "action"
	}
	return fmt.Sprintf("%d %s: %s", total, noun, strings.Join(parts, ", "))
}

type textWriter struct{ w *bufio.Writer }

func (t *textWriter) blank() { t.w.WriteByte('\n') }

func (t *textWriter) head(s string) {
	t.blank()
	t.w.WriteString(strings.ToUpper(s) + "\n")
}

// line writes text after a lead, broken at spaces; what goes on stands below
// the text, so that nothing foreign begins a line.
func (t *textWriter) line(lead, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	rest := lead
	col := utf8.RuneCountInString(lead)
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case col+1+n > width:
			t.w.WriteString(strings.TrimRight(rest, " ") + "\n")
			rest, col = indent, utf8.RuneCountInString(indent)
		default:
			rest += " "
			col++
		}
		rest += word
		col += n
	}
	t.w.WriteString(strings.TrimRight(rest, " ") + "\n")
}

func (t *textWriter) action(a *Action) {
	t.head(fmt.Sprintf("Action %d: %s", a.Number, a.Outcome))
	t.line("  ", a.Title)
	t.line("  What was done    ", a.What)
	for i, x := range a.Answers {
		lead := "                   "
		switch {
		case x.First && i == 0:
			lead = "  Answers first    "
		case !x.First && (i == 0 || a.Answers[i-1].First):
			lead = "  Also answer      "
		}
		t.line(lead, x.String())
	}
	if len(a.Answers) == 0 {
		t.line("  Answers          ", "nobody, by this evidence")
	}
	t.line("  Why              ", a.Why)
	for i, q := range a.Words {
		t.line(only(i, "  The user's words "), q.String())
	}
	t.findings("  What was found   ", a.Findings, false)
	for i, q := range a.Claims {
		t.line(only(i, "  Only claimed     "), q.String())
	}
	t.line("  Rests on         ", a.RestsOn)
	t.line("  When             ", a.Times)
	t.line("  Reference        ", fmt.Sprintf("entry %d, %s", a.Entry, a.Code))
}

// only keeps a lead for the first line of several.
func only(i int, lead string) string {
	if i == 0 {
		return lead
	}
	return strings.Repeat(" ", len(lead))
}

func (t *textWriter) findings(lead string, fs []Finding, entries bool) {
	for i, f := range fs {
		s := fmt.Sprintf("[%s] %s", f.Severity, f.Title)
		if entries {
			s = fmt.Sprintf("[%s] entry %d: %s", f.Severity, f.Entry, f.Title)
		}
		first, below := only(i, lead), strings.Repeat(" ", len(lead))
		if lead == "" {
			first, below = "  - ", "    "
		}
		t.line(first, s+" ("+f.Text+").")
		t.line(below, "Must answer: "+f.Who+" ("+f.Code+", "+f.State+")")
	}
}

// String says who answers: the unit and the post before the software.
func (a Answer) String() string {
	s := a.Party
	switch {
	case a.Party == "":
		s = a.Unit + ": " + a.Post + ", the operator"
	case a.Unit != "":
		s = a.Unit + ": " + a.Post + ", for " + a.Party
	}
	return s + " - " + a.Roles
}

func (q Quote) String() string {
	if !q.Shown {
		return q.Lead + " [undisclosed]"
	}
	return q.Lead + " “" + q.Words + "”"
}
