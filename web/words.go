package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
)

// words are the functions that templates call. Those that return HTML escape
// all that they are given.
//
//	say TEXT             foreign text, made harmless and cut at 300 characters
//	quote TEXT           the same between quotation marks, as somebody's words
//	when MS              a log time with its zone
//	minute MS            the same to the minute
//	day MS               its date alone
//	ago MS               how long ago that was: "3 days"
//	id ID                a record's id, a key's or a pseudonym: short, whole to copy
//	outcomeMark OUTCOME  shape, word and colour of an outcome
//	outcomeShape OUTCOME its shape alone, with no word
//	outcomeClass OUTCOME its name in style sheets: outside, broken, untold …
//	severityMark SEV     bars, word and colour of a severity
//	tallied TALLY        how many findings, by the gravest severity: "6 high, and 660 lesser"
//	flow TEXT            the text, with places to break long words at, and none in a pseudonym
//	findingTitle CODE    what people read for a finding
//	disposition D        what people read for a disposition
//	party PARTY          a chain.Party: its name, then its unit and post
//	amount SUM UNIT      a sum with thin spaces between thousands
//	count N NOUN         "1 chain", "3 chains"; a plural of its own may follow
//	thousands N          a number with thin spaces
//	chainURL ID, recordURL ID, grantURL ID, agentURL ID, operatorURL ID,
//	userURL ID, subjectURL ID      addresses of pages
//	findURL NAME VALUE … the address of a search
//	reviewForm ID FINDING CURRENT BACK   the dot of template "reviewform"
//	asset NAME           the address of a style sheet or module
func words() template.FuncMap {
	return template.FuncMap{
		"say": say, "quote": quote, "when": when, "minute": minute, "day": day, "ago": ago, "id": idHTML,
		"outcomeMark": outcomeMark, "outcomeShape": outcomeShape, "outcomeClass": outcomeClass,
		"severityMark": severityMark, "tallied": tallied, "flow": flow, "findingTitle": titleOf, "disposition": dispositionWord,
		"party": partyHTML, "amount": amount, "count": count,
		"thousands":   func(n any) string { return grouped(fmt.Sprint(n)) },
		"chainURL":    func(id any) string { return "/chain/" + url.PathEscape(fmt.Sprint(id)) },
		"recordURL":   func(id any) string { return "/record/" + url.PathEscape(fmt.Sprint(id)) },
		"grantURL":    func(id any) string { return "/grants/" + url.PathEscape(fmt.Sprint(id)) },
		"agentURL":    func(id string) string { return "/agents?id=" + url.QueryEscape(id) },
		"operatorURL": func(id string) string { return "/operators?id=" + url.QueryEscape(id) },
		"userURL":     func(id string) string { return "/users?id=" + url.QueryEscape(id) },
		"subjectURL":  func(id string) string { return "/subjects?id=" + url.QueryEscape(id) },
		"findURL":     findURL, "reviewForm": newReviewForm,
	}
}

// maxSaid is how many characters of a foreign text stand in a line.
const maxSaid = 300

// say makes foreign text harmless, and cuts it; what was cut off is said.
func say(s string) string {
	n := 0
	for i := range s {
		if n == maxSaid {
			return report.Clean(s[:i]) + fmt.Sprintf("… [%s more bytes]", thousands(len(s)-i))
		}
		n++
	}
	return report.Clean(s)
}

func quote(s string) template.HTML {
	return template.HTML(`<q class="said">` + template.HTMLEscapeString(say(s)) + `</q>`)
}

// titleOf is what people read for a finding. The code of one that is not known
// here is foreign.
func titleOf(code string) string { return report.Clean(chain.TitleOf(code)) }

func clock(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func when(ms int64) template.HTML {
	if ms == 0 {
		return "not known"
	}
	t := clock(ms)
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s <span class="zone">UTC</span></time>`, t.Format("2006-01-02T15:04:05.000Z"), t.Format("2006-01-02 15:04:05")))
}

func minute(ms int64) template.HTML {
	if ms == 0 {
		return "not known"
	}
	t := clock(ms)
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format("2006-01-02T15:04:05.000Z"), t.Format("2006-01-02 15:04 UTC")))
}

func day(ms int64) template.HTML {
	if ms == 0 {
		return "not known"
	}
	t := clock(ms)
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.Format("2006-01-02T15:04:05.000Z"), t.Format("2006-01-02 15:04:05 UTC"), t.Format("2006-01-02")))
}

func ago(ms int64) string { return span(time.Since(clock(ms))) }

// span says how long something takes, in the largest unit that is full.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "in the future"
	case d < time.Minute:
		return "under a minute"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour")
	case d < 100*24*time.Hour:
		return count(int(d/(24*time.Hour)), "day")
	}
	return count(int(d/(30*24*time.Hour)), "month")
}

// shortID is what people see of an id: enough to tell those on one page apart.
// An id with a scheme keeps its end, which is the name.
func shortID(s string) string {
	const room = 12
	if utf8.RuneCountInString(s) <= 20 {
		return s
	}
	if strings.Contains(s, "://") {
		if at := strings.LastIndexByte(s, '/'); at >= 0 && len(s)-at <= 40 {
			return "…" + s[at:]
		}
		return s[:min(len(s), 40)] + "…"
	}
	return s[:room] + "…"
}

func idHTML(id any) template.HTML {
	full := report.Clean(fmt.Sprint(id))
	if full == "" || id == (record.ID{}) {
		return ""
	}
	e := template.HTMLEscapeString
	class := "id"
	if isPseudonym(full) {
		class += " nowrap"
	}
	return template.HTML(fmt.Sprintf(`<code class="%s" title="%s" data-copy="%s">%s</code>`, class, e(full), e(full), e(shortID(full))))
}

// outcomeNames says how an outcome is called in style sheets and symbols.
var outcomeNames = map[chain.Outcome]string{
	chain.EvidenceBroken: "broken", chain.OutsideAuthority: "outside", chain.CannotBeTold: "untold",
	chain.NotJudgedHere: "unjudged", chain.WithinAuthority: "within", chain.NothingDone: "nothing",
}

// outcomeClass names an outcome in style sheets. A case that is too large has
// none, and counts as not judged.
func outcomeClass(o chain.Outcome) string {
	if name, ok := outcomeNames[o]; ok {
		return name
	}
	return "unjudged"
}

func outcomeWord(o chain.Outcome) string {
	if o == "" {
		return "too large to judge"
	}
	return report.Clean(string(o))
}

func outcomeShape(o chain.Outcome) template.HTML {
	c := outcomeClass(o)
	return template.HTML(fmt.Sprintf(`<svg class="mark %s" aria-hidden="true"><use href="#mark-%s"/></svg>`, c, c))
}

func outcomeMark(o chain.Outcome) template.HTML {
	return template.HTML(fmt.Sprintf(`<span class="outcome %s">%s%s</span>`, outcomeClass(o), outcomeShape(o), template.HTMLEscapeString(outcomeWord(o))))
}

func severityMark(s chain.Severity) template.HTML {
	switch s {
	case chain.Critical, chain.High, chain.Warn, chain.Info:
	default:
		return template.HTML(template.HTMLEscapeString(report.Clean(string(s))))
	}
	word := map[chain.Severity]string{chain.Warn: "warning"}[s]
	if word == "" {
		word = string(s)
	}
	return template.HTML(fmt.Sprintf(`<span class="severity %s"><svg class="mark" aria-hidden="true"><use href="#mark-%s"/></svg>%s</span>`, s, s, word))
}

func dispositionWord(d onusv1.Disposition) string {
	switch d {
	case onusv1.Disposition_DISPOSITION_OPEN:
		return "open"
	case onusv1.Disposition_DISPOSITION_EXPLAINED:
		return "explained"
	case onusv1.Disposition_DISPOSITION_ESCALATED:
		return "escalated"
	case onusv1.Disposition_DISPOSITION_INCIDENT:
		return "incident"
	case onusv1.Disposition_DISPOSITION_FALSE_ALARM:
		return "false alarm"
	}
	return "open"
}

// partyHTML names a party: what people call it, and below that who answers for
// it.
func partyHTML(p chain.Party) template.HTML {
	e := func(s string) string { return template.HTMLEscapeString(say(s)) }
	name := p.Name
	if name == "" {
		name = p.ID
	}
	out := `<span class="party"><span class="name">` + string(flow(say(name))) + `</span>`
	if p.Instance != "" {
		out += ` <span class="fine">instance ` + e(p.Instance) + `</span>`
	}
	if p.Unit != nil {
		out += ` <span class="unit">` + e(p.Unit.String()) + `</span>`
	}
	return template.HTML(out + `</span>`)
}

// personName reads the stored name of a user: what people call them, and whose
// account it is said to be. A name out of a token is its issuer, a space and the
// subject; any other is as it was given. Both are foreign, and any agent may have
// a name minted that looks like one out of a token.
func personName(stored string) (name, issuer string) {
	if issuer, subject, ok := strings.Cut(stored, " "); ok && subject != "" && strings.Contains(issuer, "://") {
		return subject, issuer
	}
	return stored, ""
}

// thin is a space that is narrow and does not break.
const thin = "\u202f"

func amount(sum, unit string) string {
	sum, unit = report.Clean(sum), report.Clean(unit)
	whole, rest, point := strings.Cut(sum, ".")
	if point {
		rest = "." + rest
	}
	return strings.TrimSpace(grouped(whole) + rest + "\u00a0" + unit)
}

// grouped puts thin spaces into a number of five digits and more; what is no
// number stays as it is.
func grouped(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	if len(s) < 5 || strings.Trim(s, "0123456789") != "" {
		return sign + s
	}
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteString(thin)
		}
		b.WriteRune(r)
	}
	return sign + b.String()
}

func thousands[N int | int64](n N) string { return grouped(fmt.Sprint(n)) }

func count(n int, noun string, plural ...string) string {
	switch {
	case n == 1:
	case len(plural) > 0:
		noun = plural[0]
	case strings.HasSuffix(noun, "y") && !strings.HasSuffix(noun, "ay"):
		noun = noun[:len(noun)-1] + "ies"
	default:
		noun += "s"
	}
	return thousands(n) + " " + noun
}

// findURL is the address of a search: pairs of names and values, and what is
// empty left out.
func findURL(pairs ...any) (string, error) {
	words := make([]string, len(pairs))
	for i, p := range pairs {
		words[i] = fmt.Sprint(p)
	}
	q, err := query(words...)
	if err != nil || q == "" {
		return "/find", err
	}
	return "/find?" + q, nil
}
