package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/desk"
)

// The chart of chains over time. Outcomes are told apart by their fill, which
// survives print and the lack of colour; columns that hold what was outside
// authority, or broken, have that mark above them. There is no text in it: it
// stands beside it, in sizes that people set; the table below it says the same.

const (
	chartWidth  = 720
	chartHeight = 132
	chartHead   = 16 // room for marks
)

// stacked are the outcomes from the bottom of a column to its top: what needs
// a look is at the top, where columns differ.
var stacked = []chain.Outcome{chain.NothingDone, chain.WithinAuthority, chain.NotJudgedHere, chain.CannotBeTold, chain.OutsideAuthority, chain.EvidenceBroken}

// chart is the picture, and what stands beside it.
type chart struct {
	Picture template.HTML
	// Most is what the highest line stands for.
	Most int
	// Says is the picture in a sentence.
	Says string
}

// drawBins draws chains by outcome over time.
func drawBins(bins []desk.Bin) chart {
	most, total := 0, 0
	for _, b := range bins {
		n := 0
		for _, c := range b.Counts {
			n += c.Actions
		}
		most, total = max(most, n), total+n
	}
	c := chart{Most: roundUp(most), Says: count(total, "chain") + " in " + count(len(bins), "column")}
	if len(bins) == 0 {
		return c
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img" aria-labelledby="chart-says" focusable="false">`, chartWidth, chartHeight)
	b.WriteString(`<defs>` +
		`<pattern id="fill-untold" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="fill-ground" width="5" height="5"/><rect class="fill-untold" width="2.4" height="5"/></pattern>` +
		`<pattern id="fill-broken" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="fill-ground" width="5" height="5"/><path class="line-broken" d="M0 2.5h5M2.5 0v5"/></pattern>` +
		`<pattern id="fill-unjudged" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="fill-ground" width="4" height="4"/><circle class="fill-unjudged" cx="2" cy="2" r=".95"/></pattern></defs>`)
	room := float64(chartHeight - chartHead - 1)
	for _, part := range []float64{0.5, 1} {
		y := float64(chartHeight) - 1 - room*part
		fmt.Fprintf(&b, `<path class="gridline" d="M0 %.1fH%d"/>`, y, chartWidth)
	}
	step := float64(chartWidth) / float64(len(bins))
	wide := min(step-min(2, step/4), 28)
	for i, bin := range bins {
		x, y := (float64(i)+0.5)*step-wide/2, float64(chartHeight)-1
		fmt.Fprintf(&b, `<g><title>%s</title>`, template.HTMLEscapeString(binWords(bin)))
		for _, o := range stacked {
			n := countOf(bin.Counts, o)
			if n == 0 {
				continue
			}
			h := room * float64(n) / float64(c.Most)
			y -= h
			// A hair of ground between parts keeps them apart without colour.
			fmt.Fprintf(&b, `<rect class="col-%s" x="%.2f" y="%.2f" width="%.2f" height="%.2f"/>`, outcomeClass(o), x, y, wide, max(h-.6, .8))
		}
		for _, o := range []chain.Outcome{chain.EvidenceBroken, chain.OutsideAuthority} {
			if countOf(bin.Counts, o) > 0 {
				fmt.Fprintf(&b, `<use class="%s" href="#mark-%s" x="%.2f" y="%.2f" width="9" height="9"/>`, outcomeClass(o), outcomeClass(o), x+wide/2-4.5, y-11.5)
				break
			}
		}
		b.WriteString(`</g>`)
	}
	fmt.Fprintf(&b, `<path class="baseline" d="M0 %.1fH%d"/></svg>`, float64(chartHeight)-.5, chartWidth)
	c.Picture = template.HTML(b.String())
	return c
}

// binWords says what a column shows.
func binWords(bin desk.Bin) string {
	var parts []string
	for _, c := range bin.Counts {
		if c.Actions > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", thousands(c.Actions), outcomeWord(c.Outcome)))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no chain"}
	}
	return binSpan(bin) + ": " + strings.Join(parts, ", ")
}

// binSpan names the time of a column, in days where it is whole days.
func binSpan(bin desk.Bin) string {
	from, to := clock(bin.From), clock(bin.To)
	midnight := from.Hour() == 0 && from.Minute() == 0 && from.Second() == 0
	switch days := to.Sub(from).Hours() / 24; {
	case midnight && days == 1:
		return from.Format(dayForm)
	case midnight && days == float64(int(days)):
		return from.Format(dayForm) + " to " + to.AddDate(0, 0, -1).Format(dayForm)
	}
	return from.Format("2006-01-02 15:04") + " to " + to.Format("2006-01-02 15:04 UTC")
}

func countOf(counts []chain.Count, o chain.Outcome) int {
	n := 0
	for _, c := range counts {
		// What has no outcome is too large to judge.
		if c.Outcome == o || c.Outcome == "" && o == chain.NotJudgedHere {
			n += c.Actions
		}
	}
	return n
}

// roundUp returns the next number of one digit and zeros, or its half.
func roundUp(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, k := range []int{1, 2, 4, 5, 6, 8} {
			if k*unit >= n {
				return k * unit
			}
		}
	}
}

// drawShare draws a meter: how much of a whole.
func drawShare(part, whole int) template.HTML {
	if whole <= 0 {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<svg class="share" viewBox="0 0 48 6" aria-hidden="true" focusable="false"><rect class="share-all" width="48" height="6" rx="1"/><rect class="share-part" width="%.1f" height="6" rx="1"/></svg>`,
		48*float64(min(part, whole))/float64(whole)))
}
