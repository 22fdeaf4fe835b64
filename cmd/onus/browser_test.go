package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// pictures is where the README's pictures are to be written: make screenshots.
var pictures = flag.String("pictures", "", "write pictures of the viewer's pages to this `folder`")

// TestBrowser uses the viewer as people do: in a real browser, on a ledger in
// which the demo was played and long chains were recorded, served by a process
// of its own. The parts share the browser, each in a tab of its own; those that
// write come last.
func TestBrowser(t *testing.T) {
	chromium := startChromium(t)
	w := makeBrowserWorld(t)
	part := func(name string, test func(*testing.T, *tab, *browserWorld)) {
		t.Run(name, func(t *testing.T) { test(t, openTab(t, chromium, w.url, ""), w) })
	}
	if *pictures != "" {
		part("pictures", takePictures)
		return
	}
	part("clicks", browseThreeClicks)
	part("pages", browsePages)
	part("search", browseSearch)
	part("print", browsePrint)
	part("long", browseLongChains)
	part("check", browseCheck)
	part("keyboard", browseKeyboard)
	t.Run("sign-in", func(t *testing.T) { browseSignIn(t, chromium, w) })
}

// lacks ends a test on a machine that has not what it needs.
func lacks(t *testing.T, what, how string) {
	t.Helper()
	if os.Getenv("ONUS_CI") == "1" {
		t.Fatalf("%s is not there, and ONUS_CI=1 allows no skip: install with: %s", what, how)
	}
	t.Skipf("SKIPPED: needs %s: install with: %s", what, how)
}

// startChromium starts the one browser, and returns the context that tabs are
// opened from.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		lacks(t, "chromium", "apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	must(t, chromedp.Do(ctx))
	return ctx
}

// tab is a page of the browser, and what went wrong in it.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string // of the site, without a slash at its end
	// also is where else its pages lead to, on purpose; none if empty.
	also string

	mu      sync.Mutex                   // guards what follows
	wrong   []string                     // complaints of the browser
	pending map[network.RequestID]string // requests without an answer yet
	bytes   float64                      // received, headers included
	posts   map[network.RequestID]bool   // forms that were sent
	origins map[network.RequestID]string // the Origin of a request, as it was sent
}

// openTab opens a tab at a site. What the browser complains of by the end of the
// test fails it, and so does a request to anywhere else.
func openTab(t *testing.T, chromium context.Context, url, also string) *tab {
	t.Helper()
	b := &tab{t: t, url: url, also: also, pending: map[network.RequestID]string{}, posts: map[network.RequestID]bool{}, origins: map[network.RequestID]string{}}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	must(t, chromedp.Do(ctx))
	b.ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, w := range b.wrong {
			t.Errorf("the browser complained: %s", w)
		}
	})
	b.viewport(1440, 900)
	b.cold()
	return b
}

// cold lets every page cost what it costs who comes for the first time.
func (b *tab) cold() { b.t.Helper(); b.cache(false) }

// warm lets the browser keep what it may.
func (b *tab) warm() { b.t.Helper(); b.cache(true) }

func (b *tab) cache(on bool) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: !on})
	must(b.t, err)
}

// listen hears what a page should never give cause for: exceptions, anything in
// the console (what the content security policy refuses is said there), requests
// that fail, and requests to elsewhere.
func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complain := func(format string, args ...any) { b.wrong = append(b.wrong, fmt.Sprintf(format, args...)) }
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		complain("exception: %s %s", ev.ExceptionDetails.Text, ev.ExceptionDetails.URL)
	case *runtime.EventConsoleAPICalled:
		complain("console %s", ev.Type)
	case *log.EventEntryAdded:
		if b.elsewhere(ev.Entry.URL) {
			return
		}
		complain("%s %s: %s %s", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
	case *network.EventRequestWillBeSent:
		if strings.HasPrefix(ev.Request.URL, b.url+"/assets/icon.") {
			return // of the browser's own, which does not always say how it ended
		}
		b.pending[ev.RequestID] = ev.Request.URL
		if u := ev.Request.URL; !b.elsewhere(u) && !strings.HasPrefix(u, b.url+"/") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:"+b.url) {
			complain("a request to elsewhere: %s", u)
		}
		if ev.Request.Method == http.MethodPost {
			b.posts[ev.RequestID] = true
		}
		b.anonymous(ev.RequestID)
	case *network.EventRequestWillBeSentExtraInfo:
		b.origins[ev.RequestID], _ = ev.Headers["Origin"].(string)
		b.anonymous(ev.RequestID)
	case *network.EventLoadingFinished:
		b.bytes += ev.EncodedDataLength
		delete(b.pending, ev.RequestID)
	case *network.EventLoadingFailed:
		if !ev.Canceled {
			complain("a request failed: %s %s", b.pending[ev.RequestID], ev.ErrorText)
		}
		delete(b.pending, ev.RequestID)
	}
}

// anonymous complains of a form of the site that is sent without its origin: a
// server that sees no Sec-Fetch-Site, over plain HTTP or from an older browser,
// takes it for one of another site. Either event may come first.
func (b *tab) anonymous(id network.RequestID) {
	if b.posts[id] && b.origins[id] == "null" {
		b.wrong = append(b.wrong, "a form is sent with Origin: null")
	}
}

// elsewhere reports whether an address is of the other site that is looked at.
func (b *tab) elsewhere(url string) bool { return b.also != "" && strings.HasPrefix(url, b.also) }

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval evaluates an expression in the page.
func eval[T any](b *tab, expression string, args ...any) T {
	b.t.Helper()
	if len(args) > 0 {
		expression = fmt.Sprintf(expression, args...)
	}
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%v, evaluating %.200s", err, expression)
	}
	return got
}

// settle waits until all that the page asked for is there, and returns how much
// came since the last time.
func (b *tab) settle() (bytes int) {
	b.t.Helper()
	for range 500 {
		b.mu.Lock()
		if len(b.pending) == 0 {
			bytes, b.bytes = int(b.bytes), 0
			b.mu.Unlock()
			return bytes
		}
		b.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t.Fatalf("requests without an answer: %v", b.pending)
	return 0
}

// open goes to a path of the site, and returns how many bytes it cost.
func (b *tab) open(path string) (bytes int) {
	b.t.Helper()
	b.settle()
	resp, err := chromedp.Run(b.ctx, chromedp.NavigateResponse(b.url+path))
	if err != nil {
		b.t.Fatalf("%s: %v", path, err)
	}
	if resp == nil || resp.Status != 200 {
		b.t.Errorf("%s: %+v", path, resp)
	}
	return b.settle()
}

// text is what people read of an element, in one line.
func (b *tab) text(sel string) string {
	b.t.Helper()
	return strings.Join(strings.Fields(eval[string](b, `document.querySelector(%q)?.innerText ?? ""`, sel)), " ")
}

// says fails the test unless the page reads so.
func (b *tab) says(what string, want ...string) {
	b.t.Helper()
	text := b.text("body")
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.t.Errorf("%s: the page does not say %q: %.2000s", what, w, text)
		}
	}
}

// waitFor polls until an expression holds in the page that is there by then.
func (b *tab) waitFor(what, expression string, args ...any) {
	b.t.Helper()
	if len(args) > 0 {
		expression = fmt.Sprintf(expression, args...)
	}
	var last error
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		var holds bool
		// Where a page has just gone, there is nothing to ask.
		if holds, last = chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")")); last == nil && holds {
			return
		}
	}
	b.t.Fatalf("%s: it does not come about (%v); the page says %.1000s", what, last, b.text("main"))
}

// finder finds what people can click by its text: all of it, or if nothing has
// that, its beginning.
const finder = `(text, within) => {
  const fits = [...(within ? document.querySelector(within) : document).querySelectorAll("a,button,summary,label,input[type=radio]")]
    .filter((e) => e.checkVisibility() && e.getClientRects().length).map((e) => [e, (e.innerText || e.getAttribute("aria-label") || "").replace(/\s+/g, " ").trim()]);
  return (fits.find(([, t]) => t === text) ?? fits.find(([, t]) => t.startsWith(text)))?.[0];
}`

// point brings what has that text into view, and returns its middle.
func (b *tab) point(text, within string) (x, y float64) {
	b.t.Helper()
	at := eval[[]float64](b, `(() => { const e = (%s)(%q, %q); if (!e) return []; e.scrollIntoView({block: "nearest"}); const r = e.getClientRects()[0]; return [r.left + r.width / 2, r.top + r.height / 2]; })()`, finder, text, within)
	if len(at) != 2 {
		b.t.Fatalf("nothing that says %q can be clicked on %s: %.1500s", text, eval[string](b, "location.href"), b.text("main"))
	}
	return at[0], at[1]
}

// click clicks what has that text, inside the element within if that is given.
func (b *tab) click(text, within string) {
	b.t.Helper()
	x, y := b.point(text, within)
	b.do(chromedp.MouseClickXY(x, y))
}

// follow clicks and waits for the page that it leads to.
func (b *tab) follow(text, within string) {
	b.t.Helper()
	x, y := b.point(text, within)
	b.arrive(chromedp.MouseClickXY(x, y))
}

// arrive does what leads to another page, and waits for that.
func (b *tab) arrive(step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.settle()
	from := eval[string](b, "globalThis.left = true, location.href")
	b.do(step)
	b.waitFor("another page after "+from, `!globalThis.left && document.readyState === "complete"`)
	if status := eval[int](b, `performance.getEntriesByType("navigation")[0].responseStatus`); status != http.StatusOK {
		b.t.Errorf("%s: status %d", eval[string](b, "location.href"), status)
	}
	b.settle()
}

// media has the page shown as on paper, or with a scheme of colours or other
// features. Nothing moves, so that what is looked at is what stays.
func (b *tab) media(kind string, features ...string) {
	b.t.Helper()
	p := emulation.SetEmulatedMediaParams{Media: kind}
	for f := range slices.Values(append(features, "prefers-reduced-motion:reduce")) {
		name, value, _ := strings.Cut(f, ":")
		p.Features = append(p.Features, &emulation.MediaFeature{Name: name, Value: value})
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, p)
	must(b.t, err)
}

// viewport makes the window so large.
func (b *tab) viewport(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// scripts lets the page run scripts or not.
func (b *tab) scripts(on bool) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
	must(b.t, err)
}

// axe returns the source of axe-core, which finds what people with disabilities
// stumble over. It is no part of the product: npm fetches it once, pinned, to
// the user's folder for caches.
func axe(t *testing.T) string {
	t.Helper()
	const version, sum = "4.10.3", "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb"
	cache, err := os.UserCacheDir()
	must(t, err)
	file := filepath.Join(cache, "onus-test", "axe-core-"+version+".min.js")
	if b, err := os.ReadFile(file); err == nil && hexSum(b) == sum {
		return string(b)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		lacks(t, "npm, to fetch axe-core", "apt-get install npm")
	}
	dir := t.TempDir()
	pack := exec.Command(npm, "pack", "--silent", "axe-core@"+version)
	pack.Dir = dir
	if out, err := pack.CombinedOutput(); err != nil {
		lacks(t, fmt.Sprintf("axe-core (%v: %.200s)", err, out), "npm pack axe-core@"+version+" where the network is")
	}
	if out, err := exec.Command("tar", "-xzf", filepath.Join(dir, "axe-core-"+version+".tgz"), "-C", dir, "package/axe.min.js").CombinedOutput(); err != nil {
		t.Fatalf("unpack axe-core: %v: %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "package", "axe.min.js"))
	must(t, err)
	if hexSum(b) != sum {
		t.Fatalf("axe-core %s has the SHA-256 %s, want %s", version, hexSum(b), sum)
	}
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, b, 0o644))
	return string(b)
}

// accessible fails the test for what axe-core finds on the page as it is shown
// now.
func (b *tab) accessible(what, axe string) {
	b.t.Helper()
	eval[bool](b, "typeof globalThis.axe === 'object' || (()=>{%s\n})() === undefined", axe)
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`axe.run(document, {preload: false, resultTypes: ["violations"],
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) => r.violations.flatMap((v) =>
		v.nodes.slice(0, 3).map((n) => v.id + ": " + v.help + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? ""))))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: axe: %v", what, err)
	}
	for _, f := range found {
		b.t.Errorf("%s: axe: %s", what, f)
	}
}

// focused says what has the focus.
func (b *tab) focused() string {
	b.t.Helper()
	return eval[string](b, `((e) => (e.getAttribute("aria-label") || e.innerText || e.name || e.tagName).replace(/\s+/g, " ").trim().slice(0, 80))(document.activeElement)`)
}
