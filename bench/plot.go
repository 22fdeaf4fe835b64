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

// plot draws rate over submitters as SVG: medians joined, least to greatest as
// a bar, the rate on a logarithmic axis.
func (r *results) plot() string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range r.Cells {
		if c.Error == "" {
			low, high = min(low, c.Rate), max(high, c.Rate)
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
		return plotLeft + (right-plotLeft)*(float64(i)+0.5)/float64(len(r.Submitters))
	}
	height := plotTop + plotHeight + 60 + plotLegend*len(r.Systems)

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img" aria-label="entries a second over concurrent submitters">`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<text x="%d" y="24" font-size="16">Entries a second, durable, with what each system proves in hand (logarithmic)</text>`+"\n", plotLeft)
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
	for i, n := range r.Submitters {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(i), plotTop+plotHeight+20, n)
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">concurrent submitters</text>`+"\n", (plotLeft+right)/2, plotTop+plotHeight+40)
	for k, name := range r.Systems {
		r.plotSystem(&b, k, name, x, y, float64(plotTop+plotHeight+65+plotLegend*k))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// plotSystem draws one system's line, and its line of the legend at height at.
func (r *results) plotSystem(b *strings.Builder, k int, name string, x func(int) float64, y func(float64) float64, at float64) {
	dash, mark := plotDashes[k%len(plotDashes)], plotMarks[k%len(plotMarks)]
	// Neighbours stand a little apart, so that their bars do not hide each other.
	shift := (float64(k) - float64(len(r.Systems)-1)/2) * 5
	var line, marks strings.Builder
	for i, n := range r.Submitters {
		rounds, _ := r.of(name, n)
		if len(rounds) == 0 {
			continue
		}
		s := spreadOf(rounds, rate)
		px := x(i) + shift
		step := "L"
		if line.Len() == 0 {
			step = "M"
		}
		fmt.Fprintf(&line, "%s%.1f %.1f ", step, px, y(s.median))
		fmt.Fprintf(&marks, `<path d="M%.1f %.1f V%.1f"/>`, px, y(s.min), y(s.max))
		fmt.Fprintf(&marks, mark, px, y(s.median))
	}
	title := systemNamed(name).title
	if why := r.Missing[name]; why != "" {
		title += " (" + why + ")"
	}
	if line.Len() > 0 {
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="black" stroke-width="1.5" stroke-dasharray="%s"/>`+"\n", strings.TrimSpace(line.String()), dash)
	}
	fmt.Fprintf(b, `<path d="M%d %.1f h50" stroke="black" stroke-width="1.5" stroke-dasharray="%s"/>`+"\n", plotLeft, at, dash)
	fmt.Fprintf(&marks, mark, float64(plotLeft+25), at)
	fmt.Fprintf(b, `<g stroke="black" fill="black">%s</g>`+"\n", marks.String())
	fmt.Fprintf(b, `<text x="%d" y="%.1f">%s</text>`+"\n", plotLeft+60, at+4, html.EscapeString(title))
}
