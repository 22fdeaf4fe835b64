package web_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/report"
)

// tab is a real browser on the page that checks evidence.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu    sync.Mutex
	wrong []string // what the browser complained of
}

// openTab starts a browser over a viewer of that log. Where there is none, or no
// verifier for browsers was built, the test is skipped, except in continuous
// integration.
func openTab(t *testing.T, l web.Log) *tab {
	t.Helper()
	lacks := func(what, how string) {
		t.Helper()
		if os.Getenv("ONUS_CI") == "1" {
			t.Fatalf("%s is not there, and ONUS_CI=1 allows no skip", what)
		}
		t.Skipf("SKIPPED: needs %s: install with: %s", what, how)
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		lacks("chromium", "apt-get install chromium")
	}
	s := chainSite(t, l)
	if s.get("/verify.html").status == 404 {
		lacks("the verifier for browsers", "make build")
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	b := &tab{t: t, url: server.URL}
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	b.ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	return b
}

// listen keeps what a page should never give cause for: exceptions, errors in
// the console, things that its policy refused.
func (b *tab) listen(ev any) {
	what := fmt.Sprintf("%T", ev)
	if !strings.HasSuffix(what, "EventExceptionThrown") && !strings.HasSuffix(what, "EventEntryAdded") && !strings.HasSuffix(what, "EventConsoleAPICalled") {
		return
	}
	text, err := json.Marshal(ev)
	if err != nil {
		text = []byte(err.Error())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, fmt.Sprintf("%s %.600s", what, text))
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url+path), chromedp.WaitVisible("#run"))
}

// text is what people read of an element.
func (b *tab) text(sel string) string {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).innerText`, sel)))
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(strings.Fields(got), " ")
}

func (b *tab) value(expression string) string {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// wait polls until an expression is a text that is not empty, and returns it.
func (b *tab) wait(what, expression string) string {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Poll[string](expression))
	if err != nil {
		b.t.Fatalf("%s: %v; the page says %q; the browser %q", what, err, b.text("main"), b.wrong)
	}
	return got
}

// check checks a file, or where it is empty what the page takes by itself, and
// returns the result as people read it.
func (b *tab) check(file string) string {
	b.t.Helper()
	if file != "" {
		b.do(chromedp.SetUploadFiles("#file", []string{file}))
	}
	b.do(chromedp.Click("#run"))
	b.wait("the check of "+file, `document.getElementById("run").disabled ? "" : !document.getElementById("result").hidden || document.getElementById("status").textContent.startsWith("Nothing") ? "done" : ""`)
	if b.value(`String(document.getElementById("result").hidden)`) == "true" {
		return b.text("#status")
	}
	return b.text("#result")
}

// pin pastes a key and pins it, and returns what the page says against it.
func (b *tab) pin(key string) string {
	b.t.Helper()
	b.value(fmt.Sprintf(`document.getElementById("key").value = %q`, key))
	b.do(chromedp.Click("#pin"))
	b.wait("pinning", `document.getElementById("pinned").hidden ? document.getElementById("key-wrong").textContent : "pinned"`)
	return b.text("#key-wrong")
}

func (b *tab) says(what, text string, want ...string) {
	b.t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.t.Errorf("%s: the page does not say %q: %.1500s", what, w, text)
		}
	}
}

// changed is a log whose server changes a record before it gives its evidence.
type changed struct {
	*bundleLog
	index int64
}

func (l *changed) Bundle(context.Context, []record.ID, string, bool) (*evidence.Bundle, error) {
	b := *l.bundle
	b.Leaves = slices.Clone(b.Leaves)
	raw := bytes.Clone(b.Leaves[l.index].Raw)
	raw[len(raw)-1] ^= 1
	b.Leaves[l.index].Raw = raw
	return &b, nil
}

// TestCheckInBrowser: in a real browser evidence is judged by the verifier that
// the page runs, against no key but the one that the reader pinned.
func TestCheckInBrowser(t *testing.T) {
	l := openBundle(t, "S4")
	b := openTab(t, l)
	s4, err := filepath.Abs(filepath.Join(bundles, "S4.onus"))
	if err != nil {
		t.Fatal(err)
	}
	root := rootIntent(t, l).Record.ID

	b.open("/check")
	if b.value(`document.getElementById("key").value + document.getElementById("pinned-key").textContent`) != "" {
		t.Error("the page fills in a key that nobody gave it")
	}
	b.says("nothing chosen", b.check(""), "Nothing was judged: choose an evidence file first.")
	b.says("no key", b.check(s4), "Not anchored", "Give the log's key", "against no key of yours", "What the file says, if it is of that log")

	b.says("nonsense", b.pin("nonsense"), "The log's key: not a verifier key", "NAME+HASH+KEY")
	if wrong := b.pin(" " + l.Key().String() + "\n"); wrong != "" {
		t.Fatalf("the log's key is refused: %s", wrong)
	}
	b.says("pinned", b.text("#pinned"), l.Origin(), report.Fingerprint(l.Key().String()), l.Key().String(), time.Now().UTC().Format("2006-01-02"), "names the same key")
	b.says("genuine", b.check(s4), "Genuine", "that you pinned on", "outside authority", "Answers first", "entry", "AGENT_REVOKED", "What was not proven")
	if b.value(`document.querySelectorAll("#result .standing svg.mark.within, #result .card.outside").length > 1 ? "yes" : ""`) == "" {
		t.Error("the result has not the shapes that the other pages have")
	}

	// The key is still there after the page was left; the evidence of a chain
	// comes from the server.
	b.open("/check?chain=" + root.String())
	b.says("pinned before", b.text("#pinned"), report.Fingerprint(l.Key().String()))
	b.says("fetched", b.check(""), "Genuine", "outside authority")

	// One byte of the file changed.
	file, err := os.ReadFile(s4)
	if err != nil {
		t.Fatal(err)
	}
	file[len(file)/2] ^= 1
	bad := filepath.Join(t.TempDir(), "changed.onus")
	if err := os.WriteFile(bad, file, 0o600); err != nil {
		t.Fatal(err)
	}
	b.open("/check")
	got := b.check(bad)
	b.says("one byte changed", got, "Broken", "Nothing in the file can be relied on")
	if strings.Contains(got, "within authority") || strings.Contains(got, "outside authority") {
		t.Errorf("a verdict stands beside broken evidence: %s", got)
	}

	// Another key than that of the log.
	b.do(chromedp.Click("#unpin"))
	other, err := tree.NewLogKey(l.Origin(), ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if wrong := b.pin(other.String()); wrong != "" {
		t.Fatal(wrong)
	}
	b.says("another key", b.text("#other-key"), "This server names another key than the one that you pinned", report.Fingerprint(other.String()), report.Fingerprint(l.Key().String()))
	b.says("another key", b.check(s4), "Broken", "BROKEN_CHECKPOINT")
	b.do(chromedp.Click("#unpin"))
	if b.value(`String(document.getElementById("other-key").hidden) + localStorage.length`) != "true0" {
		t.Error("a key that was removed is kept")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wrong) > 0 {
		t.Errorf("the browser complained: %q", b.wrong)
	}
}

// TestCheckInBrowserServerChanges: a server that changes a record, and makes the
// file whole around it, is found out with the key that was pinned before, and
// the page says which entry it is.
func TestCheckInBrowserServerChanges(t *testing.T) {
	l := openBundle(t, "S4")
	root := rootIntent(t, l)
	b := openTab(t, &changed{l, root.Index})
	b.open("/check?chain=" + root.Record.ID.String())
	if wrong := b.pin(l.Key().String()); wrong != "" {
		t.Fatal(wrong)
	}
	b.says("a changed record", b.check(""), "Broken", fmt.Sprintf("Entry %d:", root.Index))
}
