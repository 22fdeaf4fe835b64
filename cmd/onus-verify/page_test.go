package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser starts a real one without a network to speak of. Where there is none
// the test is skipped, except in continuous integration.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("ONUS_CI") == "1" {
			t.Fatal("chromium is not installed, and ONUS_CI=1 allows no skip")
		}
		t.Skip("SKIPPED: needs chromium: install with: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// makePage makes verify.html as make dist does.
func makePage(t *testing.T) string {
	t.Helper()
	page := filepath.Join(t.TempDir(), "verify.html")
	cmd := exec.Command("go", "-C", "../../tools", "run", "./verifypage", "-version", "v0-test", "-o", page)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return page
}

// An auditor opens the page from disk, gives it evidence and the log's key, and
// reads who answers for what.
func TestPage(t *testing.T) {
	ctx := browser(t)
	page := makePage(t)
	evidence, err := filepath.Abs("../../verifier/chain/testdata/bundles")
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(evidence, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "changed.onus")
	b, err := os.ReadFile(filepath.Join(evidence, "S4.onus"))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(bad, b, 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatal(err)
		}
	}
	eval := func(expression string) string {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	do(chromedp.Navigate("file://"+page), chromedp.WaitEnabled("#check"))
	for _, c := range []struct {
		file, key string
		status    string
		report    []string
	}{
		{filepath.Join(evidence, "S1.onus"), string(key), "genuine; within authority", []string{"GENUINE"}},
		{filepath.Join(evidence, "S4.onus"), string(key), "genuine; outside authority", []string{"GENUINE", "AGENT_REVOKED", "v0-test"}},
		{filepath.Join(evidence, "S4.onus"), "", "not anchored", []string{"NOT ANCHORED"}},
		{bad, string(key), "BROKEN", nil},
		{filepath.Join(evidence, "S1.onus"), "nonsense", "Nothing was judged: the log's key", nil},
	} {
		eval(fmt.Sprintf(`document.getElementById("status").textContent = ""; document.getElementById("key").value = %q`, strings.TrimSpace(c.key)))
		do(chromedp.SetUploadFiles("#file", []string{c.file}), chromedp.Click("#check"))
		status, err := chromedp.Run(ctx, chromedp.Poll[string](`(/^(Checked|Nothing|BROKEN)/.exec(document.getElementById("status").textContent) || {}).input`))
		if err != nil {
			t.Fatalf("%s: %v: the page says %q", filepath.Base(c.file), err, eval(`document.getElementById("status").textContent`))
		}
		report := eval(`document.getElementById("result").hidden ? "" : document.getElementById("report").srcdoc`)
		if !strings.Contains(status, c.status) {
			t.Errorf("%s: %q, want %q", filepath.Base(c.file), status, c.status)
		}
		if c.report == nil && report != "" {
			t.Errorf("%s: a report is shown", filepath.Base(c.file))
		}
		for _, want := range c.report {
			if !strings.Contains(report, want) {
				t.Errorf("%s: the report has no %q", filepath.Base(c.file), want)
			}
		}
	}
}
