package web_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// checkAnswer holds an answer to what holds for all: the headers, and of a page
// that nothing in it is inline, loaded from elsewhere, or imitates a mark.
func checkAnswer(t testing.TB, what string, a *answer) {
	t.Helper()
	csp := a.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%s: the content security policy has no %q: %s", what, want, csp)
		}
	}
	if strings.Contains(csp, "unsafe-inline") || strings.Contains(csp, "'unsafe-eval'") {
		t.Errorf("%s: the content security policy is lax: %s", what, csp)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
	if cache := a.header.Get("Cache-Control"); cache != "no-store" && !strings.Contains(cache, "immutable") {
		t.Errorf("%s: Cache-Control is %q", what, cache)
	}
	if a.doc == nil {
		return
	}
	// What is saved as a file has a policy of its own, and its styles in it.
	if strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		return
	}
	ids := map[string]bool{}
	for n := range a.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "style":
			t.Errorf("%s: a style element", what)
		case "script":
			if src, ok := attr(n, "src"); !ok || !strings.HasPrefix(src, "/assets/") || n.FirstChild != nil {
				t.Errorf("%s: a script that is not a file of ours", what)
			}
		case "iframe", "object", "embed", "base", "math":
			t.Errorf("%s: an element %s", what, n.Data)
		}
		for _, at := range n.Attr {
			key, val := strings.ToLower(at.Key), strings.TrimSpace(at.Val)
			switch {
			case strings.HasPrefix(key, "on"), key == "style", key == "srcdoc":
				t.Errorf("%s: <%s %s=%q>", what, n.Data, key, val)
			case key == "href", key == "src", key == "action", key == "formaction":
				if !strings.HasPrefix(val, "/") && !strings.HasPrefix(val, "#") && !strings.HasPrefix(val, "?") || strings.HasPrefix(val, "//") {
					t.Errorf("%s: <%s %s=%q> leads elsewhere", what, n.Data, key, val)
				}
			case key == "id":
				if ids[val] {
					t.Errorf("%s: the id %q stands twice", what, val)
				}
				ids[val] = true
			}
		}
	}
	for _, r := range "✓✔☑✅🔒🔐🛡\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f" {
		if strings.ContainsRune(a.body, r) {
			t.Errorf("%s: the page holds %U", what, r)
		}
	}
}
