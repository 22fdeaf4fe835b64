package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Sizes of the plot, in its own units.
const (
	plotWidth  = 760
	plotLeft   = 80
	plotTop    = 50
	plotHeight = 380
	plotLegend = 20 // a line of the legend
)

// Each system has a dash pattern and a mark of its own, so that the plot is read
// in black and white too.
var (
	plotDashes = []string{"", "6 3", "2 3", "10 3 2 3", "1 2", "12 4", "4 2 1 2", "8 8"}
	// 1 and 2 are the mark's middle.
	plotMarks = []string{
		`<circle cx="%.1[1]f" cy="%.1[2]f" r="5"/>`,
		`<circle cx="%.1[1]f" cy="%.1[2]f" r="5" fill="white"/>`,
		`<path d="M%.1[1]f %.1[2]f m-5 4.5 h10 l-5 -9 z"/>`,
		`<path d="M%.1[1]f %.1[2]f m-5 4.5 h10 l-5 -9 z" fill="white"/>`,
		`<path d="M%.1[1]f %.1[2]f m-4.5 -4.5 h9 v9 h-9 z"/>`,
		`<path d="M%.1[1]f %.1[2]f m-4.5 -4.5 h9 v9 h-9 z" fill="white"/>`,
		`<path d="M%.1[1]f %.1[2]f m-6 0 l6 -6 6 6 -6 6 z"/>`,
		`<path d="M%.1[1]f %.1[2]f m-6 0 l6 -6 6 6 -6 6 z" fill="white"/>`,
	}
)

// chart is a plot of figures over a few columns, each a line: medians joined,
// least to greatest as a bar, on a logarithmic axis.
type chart struct {
	title, label, below string // label is for who does not see it, below names the columns
	columns             []string
	lines               []chartLine
}

type chartLine struct {
	title string
	at    []chartPoint
}

type chartPoint struct {
	column int
	spread
}

// plot draws rate over submitters.
func (r *results) plot() string {
	c := chart{title: "Entries a second, durable, with what each system proves in hand (logarithmic)",
		label: "entries a second over concurrent submitters", below: "concurrent submitters"}
	for _, n := range r.Submitters {
		c.columns = append(c.columns, fmt.Sprint(n))
	}
	for _, name := range r.Systems {
		line := chartLine{title: systemNamed(name).title}
		if why := r.Missing[name]; why != "" {
			line.title += " (" + why + ")"
		}
		for i, n := range r.Submitters {
			if rounds, _ := r.of(name, n); len(rounds) > 0 {
				line.at = append(line.at, chartPoint{i, spreadOf(rounds, rate)})
			}
		}
		c.lines = append(c.lines, line)
	}
	return c.svg()
}

// plot draws, over the size of the log, the rate of the load and of both
// verifications.
func (r *growthResults) plot() string {
	c := chart{title: "Records a second as the log grows (logarithmic)", label: "records a second over entries in the log", below: "entries in the log"}
	column := map[int64]int{}
	for _, p := range r.Points {
		if _, ok := column[p.Size]; !ok {
			column[p.Size] = len(c.columns)
			c.columns = append(c.columns, thousands(float64(p.Size)))
		}
	}
	for _, shape := range r.shapes() {
		load := chartLine{title: fmt.Sprintf("%s: logged, proof in hand, %d submitters", shape, r.Submitters)}
		hashes, audit := chartLine{title: shape + ": verified, hashes only"}, chartLine{title: shape + ": verified, with signatures"}
		for _, p := range r.Points {
			if p.Shape != shape {
				continue
			}
			add := func(l *chartLine, f float64) {
				l.at = append(l.at, chartPoint{column[p.Size], spread{f, f, f}})
			}
			if p.Window != nil {
				add(&load, p.Window.Rate)
			}
			if p.Hashes != nil {
				add(&hashes, p.Hashes.Rate)
			}
			if p.Audit != nil {
				add(&audit, p.Audit.Rate)
			}
		}
		c.lines = append(c.lines, load, hashes, audit)
	}
	return c.svg()
}

func (c *chart) svg() string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range c.lines {
		for _, p := range l.at {
			low, high = min(low, p.min), max(high, p.max)
		}
	}
	if low > high {
		low, high = 1, 10 // nothing to show
	}
	bottom, top := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	if top == bottom {
		top++
	}
	y := func(f float64) float64 {
		return plotTop + plotHeight*(top-math.Log10(f))/(top-bottom)
	}
	right := float64(plotWidth - 30)
	x := func(i int) float64 {
		return plotLeft + (right-plotLeft)*(float64(i)+0.5)/float64(len(c.columns))
	}
	height := plotTop + plotHeight + 60 + plotLegend*len(c.lines)

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img" aria-label="%s">`+"\n", plotWidth, height, html.EscapeString(c.label))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<text x="%d" y="24" font-size="16">%s</text>`+"\n", plotLeft, html.EscapeString(c.title))
	for p := bottom; p <= top; p++ {
		for d := 1.0; d < 10 && (p < top || d == 1); d++ {
			f := d * math.Pow(10, p)
			shade := "#e8e8e8"
			if d == 1 {
				shade = "#999"
				fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", plotLeft-8, y(f)+4, thousands(f))
			}
			fmt.Fprintf(&b, `<path d="M%d %.1f H%.0f" stroke="%s"/>`+"\n", plotLeft, y(f), right, shade)
		}
	}
	for i, name := range c.columns {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(i), plotTop+plotHeight+20, html.EscapeString(name))
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", (plotLeft+right)/2, plotTop+plotHeight+40, html.EscapeString(c.below))
	for k := range c.lines {
		c.line(&b, k, x, y, float64(plotTop+plotHeight+65+plotLegend*k))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// line draws a line, and its line of the legend at height at.
func (c *chart) line(b *strings.Builder, k int, x func(int) float64, y func(float64) float64, at float64) {
	dash, mark := plotDashes[k%len(plotDashes)], plotMarks[k%len(plotMarks)]
	// Neighbours stand a little apart, so that their bars do not hide each other.
	shift := (float64(k) - float64(len(c.lines)-1)/2) * 5
	var line, marks strings.Builder
	for _, p := range c.lines[k].at {
		px := x(p.column) + shift
		step := "L"
		if line.Len() == 0 {
			step = "M"
		}
		fmt.Fprintf(&line, "%s%.1f %.1f ", step, px, y(p.median))
		fmt.Fprintf(&marks, `<path d="M%.1f %.1f V%.1f"/>`, px, y(p.min), y(p.max))
		fmt.Fprintf(&marks, mark, px, y(p.median))
	}
	if line.Len() > 0 {
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="black" stroke-width="1.5" stroke-dasharray="%s"/>`+"\n", strings.TrimSpace(line.String()), dash)
	}
	fmt.Fprintf(b, `<path d="M%d %.1f h50" stroke="black" stroke-width="1.5" stroke-dasharray="%s"/>`+"\n", plotLeft, at, dash)
	fmt.Fprintf(&marks, mark, float64(plotLeft+25), at)
	fmt.Fprintf(b, `<g stroke="black" fill="black">%s</g>`+"\n", marks.String())
	fmt.Fprintf(b, `<text x="%d" y="%.1f">%s</text>`+"\n", plotLeft+60, at+4, html.EscapeString(c.lines[k].title))
}
