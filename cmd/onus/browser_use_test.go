package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
)

// s4Read is how the overview names the unauthorised read of scenario S4.
const s4Read = "The agent had been revoked"

// inView reports whether the page shows a text without scrolling.
func (b *tab) inView(text string) bool {
	b.t.Helper()
	return eval[bool](b, `(() => { const w = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); for (let n; (n = w.nextNode());) { if (!n.textContent.includes(%q) || !n.parentElement.checkVisibility()) continue;
		const r = document.createRange(); r.selectNodeContents(n); const q = r.getBoundingClientRect(); if (q.height && q.top >= 0 && q.bottom <= innerHeight && q.left >= 0 && q.right <= innerWidth) return true; } return false; })()`, text)
}

// browseThreeClicks: who never saw the product can, with at most three clicks on
// texts that the page shows, say who answers for the unauthorised read, take the
// evidence, and have the form in which it is escalated.
func browseThreeClicks(t *testing.T, b *tab, w *browserWorld) {
	b.open("/")
	if !b.inView(s4Read) {
		t.Errorf("the overview does not show %q without scrolling", s4Read)
	}
	b.follow(s4Read, "main") // the first click
	for _, who := range []string{"Answers first", "IT Platform", "Head of Platform", "outside authority"} {
		if !b.inView(who) {
			t.Errorf("one click from the overview %q is not in view", who)
		}
	}
	dir := t.TempDir()
	allow := browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir}
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, allow)
	must(t, err)
	b.follow("Take the evidence", "main") // the second
	b.click("Download", "main")           // the third
	w.genuine(t, "bundle", waitFile(t, dir))

	b.open("/")
	b.follow(s4Read, "main")
	b.click("Review this finding", "#a"+b.firstCard()) // the second
	b.click("Escalated", "#a"+b.firstCard())           // the third
	if !eval[bool](b, `document.querySelector(".action form.review input[value=escalated]").checked`) || !b.inView("Log this review") {
		t.Error("three clicks from the overview it is not to be escalated")
	}
}

// firstCard is the entry of the first action on a chain's page.
func (b *tab) firstCard() string {
	b.t.Helper()
	return eval[string](b, `document.querySelector(".action[data-entry]").dataset.entry`)
}

// press presses a key and nothing else.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// tabTo presses Tab until what has the focus begins with a text. All that has
// the focus on the way is seen to have it.
func (b *tab) tabTo(text string) {
	b.t.Helper()
	var way []string
	for range 120 {
		b.press(kb.Tab)
		at := b.focused()
		if !eval[bool](b, `(() => { const e = document.activeElement, s = getComputedStyle(e), drawn = e.querySelector(":scope > .pic-hit, :scope > .pic-band");
			return e === document.body || s.outlineStyle !== "none" || s.boxShadow !== "none" || !!drawn && getComputedStyle(drawn).strokeWidth === "3px"; })()`) {
			b.t.Errorf("%q does not show that it has the focus", at)
		}
		if strings.HasPrefix(at, text) {
			return
		}
		way = append(way, at)
	}
	b.t.Fatalf("Tab does not lead to %q on %s: %q", text, eval[string](b, "location.href"), way)
}

// browseKeyboard: without a mouse, from the overview to the chain of S4, to the
// form of a finding, and back with the finding escalated: in the overview, in
// the log, and for an auditor.
func browseKeyboard(t *testing.T, b *tab, w *browserWorld) {
	b.open("/")
	b.tabTo("Skip to the page")
	b.press(kb.Enter)
	b.tabTo(s4Read)
	b.arrive(chromedp.KeyEvent(kb.Enter))
	b.tabTo("Contract reader")
	b.tabTo("Review this finding")
	b.press(kb.Enter)
	b.press(kb.Tab) // into the choices
	for range 8 {
		if eval[string](b, `document.activeElement.value ?? ""`) == "escalated" {
			break
		}
		b.press(kb.ArrowDown)
	}
	b.press(" ")
	b.press(kb.Tab)
	b.press("Who let it go on?")
	b.tabTo("Log this review")
	b.arrive(chromedp.KeyEvent(kb.Enter))
	b.says("after the review", "escalated", "Who let it go on?")
	if got := eval[string](b, "location.pathname"); got != "/chain/"+w.s4.String() {
		t.Errorf("the review leads to %s", got)
	}

	review := w.newest(t)
	if r := review.Msg.GetReview(); r.GetDisposition() != onusv1.Disposition_DISPOSITION_ESCALATED || r.GetFinding() != "AGENT_REVOKED" {
		t.Errorf("the newest record is no review that escalates: %v", review.Msg)
	}
	w.verifyLog(t)
	w.caughtUp(t)
	b.open("/")
	row := eval[string](b, `[...document.querySelectorAll("tr")].find((r) => r.innerText.includes(%q))?.innerText ?? ""`, s4Read)
	if !strings.Contains(row, "escalated") {
		t.Errorf("the overview does not show it as escalated: %q", row)
	}

	// The picture: the arrows go from record to record, and it follows.
	b.open("/chain/" + w.s4.String())
	b.tabTo("The picture, in log order")
	b.press(kb.Home)
	first := eval[string](b, `document.activeElement.getAttribute("href")`)
	b.press(kb.ArrowRight)
	if second := eval[string](b, `document.activeElement.getAttribute("href")`); second == first || !strings.HasPrefix(second, "/record/") {
		t.Errorf("the right arrow goes from %s to %s", first, second)
	}
	b.press(kb.End)
	if !eval[bool](b, `(() => { const a = document.activeElement.getBoundingClientRect(), f = document.querySelector(".pic-plot").getBoundingClientRect(); return a.left >= f.left && a.right <= f.right; })()`) {
		t.Error("the last record of the picture has the focus, and is not in view")
	}
	b.arrive(chromedp.KeyEvent(kb.Enter))
	b.says("a record of the picture", "Its chain")
}

// browseSearch: the search field, by keyboard from the overview, filters, what is
// found by typing, and the result as a file.
func browseSearch(t *testing.T, b *tab, w *browserWorld) {
	b.open("/")
	// With its text in one event, as a keyboard sends it: who refuses the key
	// refuses the sign.
	_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Text: "/"})
	must(t, err)
	b.press("contract reader")
	b.arrive(chromedp.KeyEvent(kb.Enter))
	if got := eval[string](b, `location.pathname + location.search`); got != "/find?q=contract+reader" {
		t.Errorf("the search leads to %s", got)
	}
	b.says("a search for words", "1 chain", "outside authority", "Contract reader")
	b.press(kb.Escape)
	b.do(chromedp.Focus("main"))
	b.press("j")
	b.arrive(chromedp.KeyEvent(kb.Enter))
	if got := eval[string](b, "location.pathname"); got != "/chain/"+w.s4.String() {
		t.Errorf("j and Enter lead to %s", got)
	}
	b.open("/find")
	b.do(chromedp.SetValue("select[name=outcome]", "outside"))
	b.follow("Find", "form.search")
	all := eval[int](b, `document.querySelectorAll(".results tbody tr").length`)
	if grave := eval[int](b, `document.querySelectorAll(".results tbody .outcome.outside").length`); all == 0 || grave != all {
		t.Errorf("%d of %d chains are outside authority", grave, all)
	}
	status, _, body := w.get(t, eval[string](b, `document.querySelector("a[href^='/find.csv']").getAttribute("href")`))
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || status != http.StatusOK || len(rows) != all+1 {
		t.Errorf("as CSV: %d, %d rows for %d chains, %v", status, len(rows), all, err)
	}
	b.open("/find?q=%22no+such+thing%22")
	b.says("a search for nothing", "No chain matches")
	b.open("/find?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E")
}

// browsePrint: the overview is a committee's page, and a chain prints whole.
func browsePrint(t *testing.T, b *tab, w *browserWorld) {
	for _, c := range []struct {
		path string
		most int
	}{{"/", 2}, {"/chain/" + w.s4.String(), 5}, {"/chain/" + w.chains[100].String(), 40}} {
		b.open(c.path)
		pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
		must(t, err)
		pages := bytes.Count(pdf, []byte("/Type /Page\n")) + bytes.Count(pdf, []byte("/Type /Page ")) + bytes.Count(pdf, []byte("/Type /Page/"))
		if pages == 0 || pages > c.most {
			t.Errorf("%s prints on %d pages, %d are the most", c.path, pages, c.most)
		}
		t.Logf("%.20s prints on %d pages", c.path, pages)
		b.media("print")
		if eval[bool](b, `[...document.querySelectorAll("nav, form, .seek, .button, summary")].some((e) => e.checkVisibility())`) {
			t.Errorf("%s: what can be clicked is printed", c.path)
		}
		b.media("")
	}
}

// browseCheck: the verifier in the browser, on evidence of this ledger, and on
// evidence that was changed on its way.
func browseCheck(t *testing.T, b *tab, w *browserWorld) {
	if status, _, _ := w.get(t, "/verify.html"); status != http.StatusOK {
		lacks(t, "the verifier for browsers", "make build")
	}
	vkey, err := os.ReadFile(w.vkey)
	must(t, err)
	b.open("/check?chain=" + w.s4.String())
	b.do(chromedp.SetValue("#key", strings.TrimSpace(string(vkey))))
	b.click("Pin this key", "main")
	b.waitFor("pinning the key", `!document.getElementById("pinned").hidden`)
	b.click("Check", "#check")
	b.waitFor("the check", `!document.getElementById("result").hidden`)
	if got := b.text("#result"); !strings.Contains(got, "Genuine") || !strings.Contains(got, "AGENT_REVOKED") {
		t.Errorf("the check says %.400s", got)
	}
	_, _, file := w.get(t, "/chain/"+w.s4.String()+"/evidence.onus")
	file[len(file)/2] ^= 1
	changed := filepath.Join(t.TempDir(), "changed.onus")
	must(t, os.WriteFile(changed, file, 0o600))
	b.open("/check")
	b.do(chromedp.SetUploadFiles("#file", []string{changed}))
	b.click("Check", "#check")
	b.waitFor("the check of what was changed", `!document.getElementById("result").hidden`)
	if got := b.text("#result"); !strings.Contains(got, "Broken") || strings.Contains(got, "within authority") {
		t.Errorf("the check of what was changed says %.400s", got)
	}
	b.click("Remove this key", "main")
}

// browseSignIn: at a real OpenID provider, and back to the page that was asked
// for; a review in one's own name; and out again.
func browseSignIn(t *testing.T, chromium context.Context, w *browserWorld) {
	op := oidctest.Start(t)
	dir := t.TempDir()
	tokens, secret := filepath.Join(dir, "tokens"), filepath.Join(dir, "secret")
	must(t, os.WriteFile(secret, []byte(op.Secret(oidctest.Viewer)+"\n"), 0o600))
	must(t, identity.AppendLine(tokens, identity.Line{Caller: identity.Caller{Name: "alice", Role: identity.Compliance}, Issuer: op.Issuer(), Subject: op.Subject(oidctest.Alice)}))
	token, hash := identity.NewToken()
	must(t, identity.AppendLine(tokens, identity.Line{Caller: identity.Caller{Name: "audit", Role: identity.Auditor}, Hash: hash}))
	s := startServe(t, w.onus, string(playDemo(t)), "--tokens", tokens,
		"--viewer-issuer", op.Issuer(), "--viewer-client", oidctest.Viewer, "--viewer-client-secret-file", secret)

	b := openTab(t, chromium, s.url, op.Issuer())
	b.open("/find?outcome=outside")
	b.says("who is not signed in", "Sign in with")
	if eval[bool](b, `document.body.innerText.includes("Contract reader")`) {
		t.Error("who is not signed in sees chains")
	}
	b.accessible("the sign-in", axe(t))
	b.follow("Sign in with", "main")
	b.do(chromedp.SetValue("input[name=username]", oidctest.Alice), chromedp.SetValue("input[name=password]", op.Password(oidctest.Alice)))
	b.arrive(chromedp.Submit("input[name=password]"))
	if got := eval[string](b, "location.pathname + location.search"); got != "/find?outcome=outside" {
		t.Errorf("the sign-in leads to %s", got)
	}
	b.says("signed in", "alice", "compliance", "Sign out")
	if cookies := eval[string](b, "document.cookie"); cookies != "" {
		t.Errorf("scripts see the cookies %s", cookies)
	}
	for range 100 { // the desk may still be reading the log
		if eval[bool](b, `!!document.querySelector(".results tbody a")`) {
			break
		}
		b.open("/find?outcome=outside")
	}
	b.follow("document:read", ".results")
	b.click("Review the chain", "main")
	b.click("Incident", "main details[open]")
	b.do(chromedp.SetValue("details[open] textarea", "the board was told"))
	b.follow("Log this review", "main details[open]")
	b.says("after the review", "incident", "the board was told", "alice")
	b.follow("Sign out", "header")
	b.says("signed out", "Sign in with")
	b.open("/")
	b.says("after that", "Sign in with")

	b.do(chromedp.SetValue("#token", token))
	b.follow("Sign in", "form")
	b.says("with a token", "audit", "auditor")
	b.open("/find?outcome=outside")
	b.follow("document:read", ".results")
	if eval[bool](b, `!!document.querySelector("form.review")`) {
		t.Error("an auditor is offered reviews")
	}
}
