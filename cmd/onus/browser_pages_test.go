package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A page is of a kind: its path without ids, with the names of what stands after
// the question mark, and the tab.
var idInPath = regexp.MustCompile(`[0-9a-f]{64}|@\d+`)

func kindOfPage(u *url.URL) string {
	q := u.Query()
	names := make([]string, 0, len(q))
	for name := range q {
		if name == "tab" || name == "period" {
			name += "=" + q.Get(name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return idInPath.ReplaceAllString(u.Path, "ID") + "?" + strings.Join(names, "&")
}

// What is saved as a file, and is no page.
var download = regexp.MustCompile(`\.(csv|onus|json|svg|html)$|/(payload|entry)$`)

const maxCost = 100 << 10 // bytes that a page may cost, without WebAssembly

// browsePages goes from the overview to every kind of page that links lead to.
// Each is shown without a complaint of the browser, costs little, says the same
// without scripts, never scrolls sideways, and has nothing that axe-core finds,
// light and dark.
func browsePages(t *testing.T, b *tab, w *browserWorld) {
	axe := axe(t)
	seen := map[string]bool{}
	paths := map[string]bool{} // pages that differ by more than their filters
	queue := []string{"/", "/chain/" + w.s4.String(), "/chain/" + w.chains[5].String(), "/chain/" + w.chains[100].String()}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		u, err := url.Parse(path)
		must(t, err)
		u.Fragment = ""
		kind := kindOfPage(u)
		if seen[kind] {
			continue
		}
		seen[kind] = true
		if download.MatchString(u.Path) {
			status, header, body := w.get(t, u.String())
			if status != http.StatusOK || len(body) == 0 || header.Get("Content-Disposition") == "" {
				t.Errorf("%s: %d, %d bytes, %s", path, status, len(body), header)
			}
			continue
		}
		cost := b.open(u.String())
		if cost > maxCost {
			t.Errorf("%s costs %d bytes, %d are the most", path, cost, maxCost)
		}
		queue = append(queue, eval[[]string](b, `[...document.querySelectorAll("a[href]")].map((a) => a.getAttribute("href")).filter((h) => h.startsWith("/"))`)...)
		whole := u.Path
		if tab := u.Query().Get("tab"); tab != "" {
			whole += tab
		}
		whole = idInPath.ReplaceAllString(whole, "ID")
		if u.Query().Has("id") {
			whole += "ID"
		}
		if paths[whole] {
			continue
		}
		paths[whole] = true
		t.Logf("%-60s %6d bytes", kind, cost)
		b.readable(path, axe)
		b.sameWithoutScripts(path)
	}
	if len(paths) < 15 {
		t.Errorf("only %d pages were found", len(paths))
	}
	t.Logf("%d kinds of pages and files", len(seen))
}

// readable holds the page to what people with other screens and eyes need.
func (b *tab) readable(what, axe string) {
	b.t.Helper()
	for _, width := range []int64{360, 1280, 3840} {
		b.viewport(width, 900)
		if over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			wide := eval[string](b, `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 4).map((e) => e.outerHTML.slice(0, 120)).join(" | ")`)
			b.t.Errorf("%s: at %d px the page scrolls %d px sideways: %s", what, width, over, wide)
		}
		if width == 360 {
			b.accessible(what+" at 360 px", axe)
		}
	}
	b.viewport(1440, 900)
	for _, scheme := range []string{"light", "dark"} {
		b.media("", "prefers-color-scheme:"+scheme)
		b.accessible(what+", "+scheme, axe)
	}
	b.media("")
}

// outline is what a page says: its headings, links, terms and cells. Ages and the
// minute of printing move on between two loads, and what a script adds is left
// out.
const outline = `JSON.stringify([...document.querySelectorAll("main h1,main h2,main h3,main a[href],main dt,main dd,main td,main li")]
  .filter((e) => !e.closest("[data-script], [data-now], #check, #result, .keys")).map((e) => { const c = e.cloneNode(true); c.querySelectorAll("button.copy").forEach((x) => x.remove()); return c.textContent.replace(/\s+/g, " ").trim(); })
  .filter((s) => !/\b(minutes?|hours?|seconds?)\b/.test(s)))`

// sameWithoutScripts loads the page again without scripts: it must say the same.
func (b *tab) sameWithoutScripts(path string) {
	b.t.Helper()
	var with, without []string
	must(b.t, json.Unmarshal([]byte(eval[string](b, outline)), &with))
	b.scripts(false)
	b.open(path)
	must(b.t, json.Unmarshal([]byte(eval[string](b, outline)), &without))
	b.scripts(true)
	if !slices.Equal(with, without) {
		b.t.Errorf("%s says other things without scripts: %s", path, firstDifference(with, without))
	}
}

func firstDifference(a, b []string) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("only without: %q", b[i])
		case i >= len(b):
			return fmt.Sprintf("only with: %q", a[i])
		case a[i] != b[i]:
			return fmt.Sprintf("with %q, without %q", a[i], b[i])
		}
	}
	return ""
}
