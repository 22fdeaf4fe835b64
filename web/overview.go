package web

import (
	"fmt"
	"html/template"
	"net/url"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// Most rows of the overview's lists: it is one page of paper.
const (
	maxAgents = 12
	maxKinds  = 12
)

// overview shows the log as a committee wants it: what waits, how the period
// went, and whose word it is.
func (v *visit) overview() error {
	if err := v.reading("overview", record.ID{}); err != nil {
		return err
	}
	q := v.r.URL.Query()
	if q.Get("period") == "" && q.Has("from") && q.Get("from") == "" && q.Get("to") == "" {
		return v.redirect("/") // an empty form
	}
	p, err := parsePeriod(q.Get("period"), q.Get("from"), q.Get("to"), v.today())
	if err != nil {
		return err
	}
	if v.Desk == nil {
		return fmt.Errorf("overview: no desk")
	}
	o := v.Desk.Overview(p.Period)
	data := v.overviewPage(p, o)
	data.Log = v.logHealth()
	return v.render("overview", "Overview", "overview", data)
}

// today is the day that periods end with: of a file the last that it knows of.
func (v *visit) today() time.Time {
	if v.Source == "" {
		return v.now
	}
	if h := v.head(); h.Time != 0 {
		return clock(h.Time)
	}
	return v.now
}

// overviewPage is what the template "overview" shows.
type overviewPage struct {
	Period  period
	Periods []periodLink
	// State is the first thing to know: whether anything waits and, after
	// SinceWord, since when.
	State, SinceWord string
	Since            int64
	Waits            bool
	Cases, Actions,
	OpenTotal int
	// Behind is how many entries of the log are not in any of this yet. Damage is
	// how many cannot be read, and Damaged are the first of these.
	Behind  int64
	Damage  int
	Damaged []desk.Damaged
	// Forged is how many reviews are not by whom they name, and ForgedAt are the
	// first of these.
	Forged   int
	ForgedAt []desk.Damaged
	Outcomes []outcomeCount
	Open     []openRow
	Oldest   []openItem
	Chart    chart
	Axis     []string
	Legend   []outcomeCount
	Bins     []binRow
	Kinds    []kindRow
	KindsCut int
	Agents   []agentRow
	// AgentsCut is how many more agents there are.
	AgentsCut int
	Silent    int
	Log       logHealth
	// Printed is when the page was made.
	Printed template.HTML
}

type periodLink struct {
	Word, URL string
	Is        bool
}

// outcomeCount is a number with its link.
type outcomeCount struct {
	Outcome chain.Outcome
	N       int
	URL     string
	Is      bool
}

type openRow struct {
	Severity chain.Severity
	Ages     [4]int
	Total    int
	URL      string
}

// openItem is one matter that waits.
type openItem struct {
	desk.OpenFinding
	Heading string
	Age     string
	State   string
}

type binRow struct {
	Span, URL string
	Counts    []int
}

type kindRow struct {
	desk.CodeCount
	Title, URL string
}

type agentRow struct {
	desk.AgentSummary
	FindURL  string
	Share    template.HTML
	Answered string
}

func (v *visit) overviewPage(p period, o *desk.Overview) *overviewPage {
	d := &overviewPage{Period: p, Cases: o.Cases, Actions: o.Actions, Printed: minute(v.now.UnixMilli())}
	for _, n := range periodNames {
		link := "/?period=" + n.name
		if n.name == defaultPeriod {
			link = "/"
		}
		d.Periods = append(d.Periods, periodLink{n.word, link, n.name == p.Name})
	}
	within := func(pairs ...string) string {
		q, _ := query(append(pairs, "since", p.Since(), "until", p.Until())...) // pairs are pairs
		if q == "" {
			return "/find"
		}
		return "/find?" + q
	}
	for _, c := range o.Outcomes {
		d.Outcomes = append(d.Outcomes, outcomeCount{Outcome: c.Outcome, N: c.Actions, URL: within("outcome", outcomeNames[c.Outcome])})
	}
	d.open(v, o)
	d.bins(o.Bins, o.Outcomes)
	for i, c := range o.Findings {
		if i == maxKinds {
			d.KindsCut = len(o.Findings) - i
			break
		}
		d.Kinds = append(d.Kinds, kindRow{c, titleOf(c.Code), within("finding", c.Code)})
	}
	d.agents(v, o.Agents, within)
	return d
}

// open fills in what waits.
func (d *overviewPage) open(v *visit, o *desk.Overview) {
	for _, c := range o.Open {
		if c.Severity == chain.Info {
			continue // good to know, and nobody is waited for
		}
		row := openRow{Severity: c.Severity, Ages: c.Ages, URL: "/find?" + url.Values{"open": {"yes"}, "severity": {string(c.Severity)}, "sort": {"oldest"}}.Encode()}
		for _, n := range c.Ages {
			row.Total += n
		}
		d.OpenTotal += row.Total
		if row.Total > 0 {
			d.Open = append(d.Open, row)
		}
	}
	var oldest int64
	for _, f := range o.Oldest {
		if f.Severity == chain.Info {
			continue
		}
		item := openItem{OpenFinding: f, Heading: titleOf(f.Code), Age: span(v.today().Sub(clock(f.Time))), State: "open"}
		if f.Code == "" {
			item.Heading = "The chain as a whole"
		}
		if f.Review != nil && f.Review.Disposition == onusv1.Disposition_DISPOSITION_ESCALATED {
			item.State = "escalated"
		}
		if oldest == 0 || f.Time < oldest {
			oldest = f.Time
		}
		d.Oldest = append(d.Oldest, item)
	}
	d.Waits = d.OpenTotal > 0
	switch {
	case d.OpenTotal == 0 && d.Cases == 0:
		d.State = "Nothing waits for anybody, and nothing happened in this period"
	case d.OpenTotal == 0:
		d.State = "Nothing waits for anybody"
	case d.OpenTotal == 1:
		d.State = "1 matter waits for somebody"
	default:
		d.State = thousands(d.OpenTotal) + " matters wait for somebody"
	}
	d.Damage, d.Damaged, d.Forged, d.ForgedAt = o.Damage, o.Damaged, o.Forged, o.ForgedAt
	if o.Damage > 0 && d.OpenTotal == 0 {
		d.State += ", as far as the log can be read"
	}
	if o.Behind > 0 { // what waits may be among these
		d.Behind = o.Behind
		if d.OpenTotal == 0 {
			d.State += ", as far as the log has been judged"
		}
	}
	if d.OpenTotal > 0 && oldest != 0 {
		d.Since = oldest
		switch {
		case d.OpenTotal == 1:
			d.SinceWord = ", since "
		case d.OpenTotal > len(o.Oldest):
			d.SinceWord = "; the oldest of the gravest since "
		default:
			d.SinceWord = "; the oldest since "
		}
	}
}

// bins fills in the chart, its legend, and the table that says the same.
func (d *overviewPage) bins(bins []desk.Bin, outcomes []chain.Count) {
	d.Chart = drawBins(bins)
	for _, o := range chain.Outcomes() {
		if n := countOf(outcomes, o); n > 0 {
			d.Legend = append(d.Legend, outcomeCount{Outcome: o, N: n})
		}
	}
	if n := countOf(outcomes, chain.NothingDone); n > 0 {
		d.Legend = append(d.Legend, outcomeCount{Outcome: chain.NothingDone, N: n})
	}
	for _, b := range bins {
		row := binRow{Span: binSpan(b), URL: "/find?" + url.Values{"since": {clock(b.From).Format(momentForm)}, "until": {clock(b.To).Format(momentForm)}}.Encode()}
		total := 0
		for _, l := range d.Legend {
			n := countOf(b.Counts, l.Outcome)
			row.Counts = append(row.Counts, n)
			total += n
		}
		if total > 0 {
			d.Bins = append(d.Bins, row)
		}
	}
	if len(bins) > 0 {
		first, last := bins[0], bins[len(bins)-1]
		short := last.To-first.From < 3*24*60*60*1000
		d.Axis = []string{axisWord(first.From, short), axisWord(bins[len(bins)/2].From, short), axisWord(last.To-1, short)}
		if len(bins) < 3 {
			d.Axis = []string{d.Axis[0], d.Axis[2]}
		}
	}
}

// axisWord is a time below the chart: a day, or the hour too where all of it is
// short.
func axisWord(ms int64, short bool) string {
	if short {
		return clock(ms).Format("2006-01-02 15:04")
	}
	return clock(ms).Format(dayForm)
}

func (d *overviewPage) agents(v *visit, all []desk.AgentSummary, within func(...string) string) {
	for i, a := range all {
		if a.Silent {
			d.Silent++
		}
		if i >= maxAgents {
			d.AgentsCut++
			continue
		}
		row := agentRow{AgentSummary: a, FindURL: within("agent", a.Agent), Share: drawShare(a.Recorded, a.Expected)}
		row.Answered = v.unitName(a.Operator)
		d.Agents = append(d.Agents, row)
	}
}

// unitName names an operator as registered; its id where it has no names.
func (v *visit) unitName(id string) string {
	reg := v.Log.Registry()
	if reg == nil || id == "" {
		return id
	}
	o, _ := reg.Operator(id, v.Log.Size())
	switch {
	case o.GetOrganisation() != "" && o.GetUnit() != "":
		return o.GetOrganisation() + ", " + o.GetUnit()
	case o.GetUnit() != "":
		return o.GetUnit()
	case o.GetOrganisation() != "":
		return o.GetOrganisation()
	}
	return id
}

// agentName names an agent class as registered; the end of its id where nobody
// named it.
func (v *visit) agentName(id string) string {
	if reg := v.Log.Registry(); reg != nil {
		if a, _ := reg.Agent(id, v.Log.Size()); a.GetDisplayName() != "" {
			return a.GetDisplayName()
		}
	}
	return shortID(id)
}
