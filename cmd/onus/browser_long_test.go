package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// maxHTML is how large a page may be before it is packed.
const maxHTML = 400 << 10

// browseLongChains opens chains of 5, 100 and 2,000 records, in the page and
// tab by tab. How fast a click is answered is said and not judged: machines
// differ. The goal is 100 ms.
func browseLongChains(t *testing.T, b *tab, w *browserWorld) {
	for _, n := range []int{5, 100, 2000} {
		path := "/chain/" + w.chains[n].String()
		b.cold()
		if cost := b.open(path); cost > maxCost {
			t.Errorf("%d records: the page costs %d bytes, %d are the most", n, cost, maxCost)
		} else {
			t.Logf("%5d records: the page costs %d bytes", n, cost)
		}
		b.warm()
		b.says("the chain", "within authority")
		if picture := eval[int](b, `document.querySelectorAll(".pic-plot a").length`); picture == 0 {
			t.Errorf("%d records: there is no picture", n)
		}
		tabs := eval[[]string](b, `[...document.querySelectorAll(".tabs a")].map((a) => a.getAttribute("href"))`)
		names := eval[[]string](b, `[...document.querySelectorAll(".tabs a")].map((a) => a.innerText)`)
		if len(tabs) != 4 {
			t.Fatalf("%d records: tabs %q", n, tabs)
		}
		for i, name := range names {
			if _, _, body := w.get(t, tabs[i]); len(body) > maxHTML {
				t.Errorf("%d records, %s: %d bytes of HTML, %d are the most", n, name, len(body), maxHTML)
			}
			var server, painted []float64
			for range 3 {
				b.open(path)
				b.follow(name, ".tabs")
				b.waitFor("the paint", `performance.getEntriesByType("paint").length > 1`)
				server = append(server, eval[float64](b, `performance.getEntriesByType("navigation")[0].responseStart`))
				painted = append(painted, eval[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
			}
			t.Logf("%5d records: a click on %-13q is answered after %.0f ms, and the next page painted after %.0f ms", n, name, server, painted)
		}
		b.open(path)
		if fold := eval[bool](b, `!!document.querySelector("details.folded summary")`); fold {
			eval[bool](b, `(() => { const s = document.querySelector("details.folded summary"); s.scrollIntoView(); const at = performance.now();
				requestAnimationFrame(() => setTimeout(() => (globalThis.folded = performance.now() - at))); s.click(); return true; })()`)
			b.waitFor("the fold", "globalThis.folded > 0")
			t.Logf("%5d records: a click on a fold is painted after %.0f ms", n, eval[float64](b, "globalThis.folded"))
		}
		start := time.Now()
		b.do(chromedp.EmulateViewport(360, 800))
		eval[int](b, "document.body.offsetHeight")
		t.Logf("%5d records: laid out anew at 360 px in %v", n, time.Since(start).Round(time.Millisecond))
		if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			t.Errorf("%d records: at 360 px the page scrolls %d px sideways", n, over)
		}
		b.viewport(1440, 900)
	}
}
